/** `accept`: an operator accepts an index or a feed of advisories that was held back. */
import { datasourceNamed, type Config } from '../config/config.ts';
import { printable, printableJson, UsageError } from '../errors.ts';
import type { LiveDatasource } from '../repository/live-datasource.ts';
import { Beacon } from '../service/beacon.ts';
import { commandLogger } from '../service/logger.ts';
import { requestRefresh } from '../service/refresh-request.ts';

export async function acceptCommand(
  words: readonly string[],
  config: Config,
  { json, signal }: { readonly json: boolean; readonly signal: AbortSignal },
): Promise<number> {
  const [name, arch, ...more] = words;
  if (name === undefined || more.length > 0) throw new UsageError('usage: accept DATASOURCE [ARCH]');
  if (config.cacheDir === undefined) {
    throw new UsageError(
      'accept needs a cache directory; change rollback or maxShrink of the repository instead',
    );
  }
  datasourceNamed(config, name);
  const logger = await commandLogger(config.logLevel, config.logFormat);
  const beacon = new Beacon({ config, logger, now: Date.now });
  const { datasources, store } = beacon;
  const datasource = datasources.find((each) => each.name === name) as LiveDatasource;
  if (arch !== undefined && !datasource.indexes.some(({ spec }) => spec.arch === arch))
    throw new UsageError(`${name} has no index for ${arch}, expected one of ${datasource.archs.join(', ')}`);
  const accepted: { index: string; reason: string }[] = [];
  const specs = [
    ...datasource.indexes.map(({ spec }) => spec).filter((spec) => arch === undefined || spec.arch === arch),
    ...(arch === undefined ? datasource.feeds.map(({ spec }) => spec) : []),
  ];
  for (const spec of specs) {
    signal.throwIfAborted();
    const held = await store.heldBack(spec);
    if (!held) continue;
    await store.accept(spec, held.digest, Date.now());
    accepted.push({ index: spec.label, reason: held.message });
  }
  await beacon.close();
  if (accepted.length > 0) await requestRefresh(config.cacheDir);
  const text = json ? printableJson({ datasource: name, accepted }, 2) : report(name, accepted);
  process.stdout.write(`${text}\n`);
  return 0;
}

function report(name: string, accepted: readonly { index: string; reason: string }[]): string {
  if (accepted.length === 0) return `no index of ${name} is held back`;
  const lines = accepted.map(({ index, reason }) => `accepted ${printable(`${index}: ${reason}`)}`);
  return [
    ...lines,
    'the service with this cache directory refreshes within seconds; other replicas do not',
  ].join('\n');
}
