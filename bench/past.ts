/**
 * `npm run bench:past`: what the past costs (docs/decisions/018).
 *
 * - Of 5,000 generations of Wolfi (real build times and withdrawals), how long it takes to rebuild one entry by entry from
 *   the ledger. `LEDGER=postgres://…` also measures a database of its own (what is in it stays).
 * - How long the first lookup at a time takes, for which both archs of Wolfi are read from kept files; how long others wait
 *   meanwhile at most, beside the same of a refresh; and what it takes of memory.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../src/ledger-store/database.ts';
import { packagesOf } from '../src/ledger-store/history.ts';
import { openPostgres } from '../src/ledger-store/postgres.ts';
import { openSqlite } from '../src/ledger-store/sqlite.ts';
import { importLines } from '../src/ledger-store/transfer.ts';
import { GENERATIONS, historyLines, presentAt, wolfiHistory } from '../test/support/ledger-history.ts';
import { startUpstream } from '../test/support/repository-server.ts';
import { startService } from '../test/support/service.ts';
import { sharedData } from '../test/support/shared-data.ts';
import { pkg, signedIndex, testKey } from '../test/support/signed-index.ts';
import { memoryOf } from './memory.ts';

/** Generations that are rebuilt, evenly spread, after some to warm up. */
const [ASKED, WARM] = [50, 5];
const ROUNDS = 5;
const ARCHS = ['x86_64', 'aarch64'];
const DAY = 86_400_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

if (!sharedData) process.exit(0);
const data = sharedData;
const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-past-'));

// First, while the process is small.
await loadPast();
const history = await wolfiHistory(data);
say(
  `${GENERATIONS} generations with ${history.stays.length} packages; ${presentAt(history, 1).length} in the first, ${presentAt(history, GENERATIONS).length} in the last`,
);
await rebuild('SQLite', await openSqlite(join(folder, 'ledger.sqlite'), () => undefined));
if (process.env['LEDGER'] !== undefined)
  await rebuild('PostgreSQL', await openPostgres(process.env['LEDGER']));
rmSync(folder, { recursive: true });

async function rebuild(name: string, database: Database): Promise<void> {
  const index = `bench ${Date.now()}`;
  await importLines(database, historyLines(history, index) as unknown as AsyncIterable<string>);
  const [[id] = []] = await database.query('SELECT id FROM ledger_index WHERE location = ?', [index]);
  const times: number[] = [];
  let most = 0;
  for (let i = -WARM; i < ASKED; i += 1) {
    const number = 1 + Math.round(((i + WARM) * (GENERATIONS - 1)) / (ASKED + WARM - 1));
    let count = 0;
    const began = performance.now();
    await packagesOf(database.query, Number(id), number, (packages) => {
      count += packages.length;
    });
    if (i >= 0) times.push(performance.now() - began);
    most = Math.max(most, count);
  }
  await database.close();
  say(
    `${name}: a generation of up to ${most} packages is rebuilt in ${median(times).toFixed(0)} ms, ${Math.max(...times).toFixed(0)} ms at most (${ASKED} of them)`,
  );
}

/** The longest time for which nothing else ran. */
async function longestBlock<T>(
  work: () => Promise<T>,
): Promise<{ longest: number; took: number; result: T }> {
  let [longest, isOver] = [0, false];
  const began = performance.now();
  let last = began;
  const look = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  const result = await work().finally(() => {
    isOver = true;
  });
  return { longest, took: performance.now() - began, result };
}

async function loadPast(): Promise<void> {
  const { signal } = new AbortController();
  const cacheDir = join(folder, 'cache');
  const keys = [
    join(data, 'wolfi-2026-07-24', 'keys', 'wolfi-replica.rsa.pub'),
    join(cacheDir, testKey().name),
  ];
  await using upstream = await startUpstream();
  const start = Date.UTC(2026, 6, 24, 6);
  let now = start;
  const repositories = [{ url: upstream.url, rollback: 'accept', maxShrink: '100%' }];
  await using service = await startService({
    cacheDir,
    config: { keepIndexes: '30d', datasources: { wolfi: { repositories, keys } } },
    now: () => now,
  });
  const refresh = async (): Promise<void> => {
    await service.beacon.refreshOnce(signal);
    await service.beacon.ledger.settled();
  };
  const resident = (): number => {
    globalThis.gc?.();
    return memoryOf(process.pid).now / 2 ** 20;
  };
  for (const arch of ARCHS)
    upstream.serve(arch, readFileSync(join(data, 'wolfi-2026-07-24', arch, 'APKINDEX.tar.gz')));
  const first = await longestBlock(refresh);
  now += DAY;
  for (const arch of ARCHS)
    upstream.serve(arch, await signedIndex([pkg('curl', '99-r0', { A: arch, t: String(now / 1000) })]));
  await refresh();
  now += DAY;
  const before = resident();
  const times: number[] = [];
  let longest = 0;
  // Two that are kept in memory push out the third, so each is loaded.
  for (let round = 0; round < ROUNDS; round += 1) {
    const path = `/wolfi@${new Date(start + 1000).toISOString()}/curl`;
    const asked = await longestBlock(() => service.get(path));
    if (asked.result.statusCode !== 200) throw new Error(asked.result.body);
    times.push(asked.took);
    longest = Math.max(longest, asked.longest);
    if (round === 0) say(`memory for it: ${(resident() - before).toFixed(0)} MiB more`);
    await forget();
  }
  say(
    `the first lookup at a time: ${median(times).toFixed(0)} ms, ${Math.max(...times).toFixed(0)} ms at most (${ROUNDS}); others wait ${longest.toFixed(1)} ms at most`,
  );
  say(`a refresh of the same indexes: others wait ${first.longest.toFixed(1)} ms at most`);

  /** Asks for two other times, which are kept instead: each refresh brings a small index. */
  async function forget(): Promise<void> {
    for (let i = 0; i < 2; i += 1) {
      for (const arch of ARCHS)
        upstream.serve(
          arch,
          await signedIndex([pkg('curl', `99-r${now}`, { A: arch, t: String(now / 1000) })]),
        );
      await refresh();
      now += DAY;
      await service.get(`/wolfi@${new Date(now - 1000).toISOString()}/curl`);
    }
  }
}
