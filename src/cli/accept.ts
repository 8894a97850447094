/** `accept`: an operator says that an index, or a feed of advisories, the guards held back is as it should be. */
import type { Config } from '../config/config.ts';
import { UsageError, printable } from '../errors.ts';
import { Beacon } from '../service/beacon.ts';
import { createLogger } from '../service/logger.ts';
import { requestRefresh } from '../service/refresh-request.ts';

export async function acceptCommand(
  words: readonly string[],
  config: Config,
  signal: AbortSignal,
): Promise<number> {
  const [name, arch, ...more] = words;
  if (name === undefined || more.length > 0) throw new UsageError('usage: accept DATASOURCE [ARCH]');
  if (config.cacheDir === undefined) {
    throw new UsageError(
      'accept needs a cache directory; set rollback or maxShrink of the repository instead',
    );
  }
  const logger = await createLogger(config.logLevel, {
    format: config.logFormat,
    terminal: process.stderr.isTTY,
    destination: 2,
  });
  const beacon = new Beacon({ config, logger, now: Date.now });
  const { datasources, store } = beacon;
  const datasource = datasources.find((each) => each.name === name);
  if (!datasource) throw new UsageError(`no datasource ${name}`);
  let accepted = 0;
  const specs = [
    ...datasource.indexes.map(({ spec }) => spec).filter((spec) => arch === undefined || spec.arch === arch),
    ...(arch === undefined ? datasource.feeds.map(({ spec }) => spec) : []),
  ];
  for (const spec of specs) {
    signal.throwIfAborted();
    const held = await store.heldBack(spec);
    if (!held) continue;
    await store.accept(spec, held.digest, Date.now());
    process.stdout.write(`accepted ${printable(`${spec.label}: ${held.message}`)}
`);
    accepted += 1;
  }
  await beacon.close();
  if (accepted === 0) {
    process.stdout.write(`nothing of ${name} is held back\n`);
    return 0;
  }
  await requestRefresh(config.cacheDir);
  process.stdout.write(
    'a service with this cache directory takes it within seconds; other replicas are not told\n',
  );
  return 0;
}
