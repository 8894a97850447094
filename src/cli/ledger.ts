/** `ledger`: exports, imports, verifies and shows the ledger. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { parseTime, timeText } from '../catalog/time.ts';
import { datasourceNamed, type Config } from '../config/config.ts';
import { printable, printableJson, UsageError } from '../errors.ts';
import type { Database, Query } from '../ledger-store/database.ts';
import { generationAt, generationNumbered, generationsOf, packagesOf } from '../ledger-store/history.ts';
import { exportLines, importLines, verify } from '../ledger-store/transfer.ts';
import type { PastGeneration } from '../repository/past-datasources.ts';
import { commandLogger } from '../service/logger.ts';
import { ledgerLocations, openLedger } from '../service/ledger.ts';

const ledgerActions = ['export', 'import', 'show', 'verify'] as const;

export interface LedgerOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** Which generation to show, as written. */
  readonly at?: string | undefined;
  readonly generation?: string | undefined;
}

export async function ledgerCommand(
  words: readonly string[],
  config: Config,
  options: LedgerOptions,
): Promise<number> {
  const { input, output, at, generation } = options;
  const [action, ...more] = words;
  const isShow = action === 'show';
  if (action === undefined || !(ledgerActions as readonly string[]).includes(action))
    throw new UsageError(`usage: ledger ${ledgerActions.join('|')}`);
  if (more.length > (isShow ? 2 : 0) || (!isShow && (at ?? generation) !== undefined))
    throw new UsageError(
      `usage: ledger ${isShow ? 'show [DATASOURCE [ARCH]] [--at TIME | --generation N]' : action}`,
    );
  const logger = await commandLogger(config.logLevel, config.logFormat);
  const ledger = openLedger(config, {
    ...{ logger, now: Date.now, pause: () => undefined },
    // An empty ledger in place of a damaged or missing one would be sound, and its export the next backup.
    keepsDamaged: true,
    mustExist: action !== 'import',
  });
  const database = await ledger.database();
  if (!database)
    throw new UsageError(
      'ledger needs a cache directory or a database (cacheDir, ledger): without one it is in memory',
    );
  try {
    switch (action as (typeof ledgerActions)[number]) {
      case 'export':
        for await (const line of exportLines(database))
          if (!output.write(`${line}\n`)) await once(output, 'drain');
        return 0;
      case 'import': {
        const { added, dated } = await importLines(database, linesOf(input));
        output.write(`indexes added: ${added}; packages with an earlier date: ${dated}\n`);
        return 0;
      }
      case 'show':
        return await show(database, more, config, options);
      case 'verify': {
        const faults = await verify(database, Date.now());
        for (const fault of faults) output.write(`${printable(fault)}\n`);
        if (faults.length === 0) output.write('the ledger is sound\n');
        return faults.length === 0 ? 0 : 1;
      }
    }
  } finally {
    await ledger.close();
  }
}

/**
 * Shows one generation of each index with every package, or, without `--at` and `--generation`, the list of
 * generations.
 */
async function show(
  { query }: Database,
  [name, onlyArch]: readonly string[],
  config: Config,
  { output, at, generation }: LedgerOptions,
): Promise<number> {
  const which = whichGeneration(at, generation);
  const locations = name === undefined ? undefined : ledgerLocations(config, datasourceNamed(config, name));
  const write = async (lines: readonly object[]): Promise<void> => {
    const text = lines.map((line) => `${printableJson(line)}\n`).join('');
    if (!output.write(text)) await once(output, 'drain');
  };
  let isFound = false;
  for (const [id, location, arch] of await query('SELECT id, location, arch FROM ledger_index ORDER BY id')) {
    const [index, number] = [String(location), Number(id)];
    if ((locations && !locations.has(index)) || (onlyArch !== undefined && onlyArch !== arch)) continue;
    const line = (of: PastGeneration): object => ({ index, arch, ...generationLine(of) });
    if (!which) {
      const all = (await Array.fromAsync(generationsOf(query, number))).toReversed();
      isFound ||= all.length > 0;
      await write(all.map(line));
      continue;
    }
    const found = await which(query, number);
    if (!found) {
      const first = await generationNumbered(query, number, 1);
      await write([{ index, arch, begins: first && timeText(first.seenAt) }]);
      continue;
    }
    isFound = true;
    await write([line(found)]);
    await packagesOf(query, number, found.number, (packages) =>
      write(
        packages.map(({ name: package_, version, identity, builtAt, releasedAt }) => ({
          ...{ name: package_, version, arch, identity },
          ...(builtAt > 0 && { builtAt: secondsText(builtAt) }),
          releasedAt: secondsText(releasedAt),
        })),
      ),
    );
  }
  return isFound ? 0 : 1;
}

function whichGeneration(
  at: string | undefined,
  generation: string | undefined,
): ((query: Query, id: number) => Promise<PastGeneration | undefined>) | undefined {
  if (at !== undefined && generation !== undefined)
    throw new UsageError('--at and --generation: expected one of them');
  if (at !== undefined) {
    const time = parseTime(at);
    if (time === undefined)
      throw new UsageError('--at: expected a time with its zone, such as 2026-07-24T06:00Z, or a date');
    if (time > Date.now()) throw new UsageError(`--at: ${timeText(time)} is in the future`);
    return (query, id) => generationAt(query, id, time);
  }
  if (generation === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(generation)) throw new UsageError('--generation: expected a number from 1 on');
  return (query, id) => generationNumbered(query, id, Number(generation));
}

function generationLine({ number, seenAt, digest, signer, packages }: PastGeneration): object {
  return { generation: number, seenAt: timeText(seenAt), digest, signer, packages };
}

function secondsText(seconds: number): string {
  return timeText(seconds * 1000);
}

/** Lines end with a line feed only: `readline` also splits at U+2028, which may be in a name and which JSON does not escape. */
async function* linesOf(input: Readable): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of input.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
  if (rest !== '') yield rest;
}
