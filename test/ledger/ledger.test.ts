import { open, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Database, Query } from '../../src/ledger-store/database.ts';
import { Ledger } from '../../src/ledger-store/ledger.ts';
import { exportLines } from '../../src/ledger-store/transfer.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { built, DAY, Observer, packagesOf, START, wolfi } from './observer.ts';
import { sqliteStore } from './stores.ts';
import { ledgerSuite } from './suite.ts';

describe('in SQLite', () => ledgerSuite(sqliteStore));

const old = built('curl', '8.0-r0', START - 30 * DAY);

test('in memory only, new packages are dated, too', async () => {
  const one = new Observer({ folder: undefined, store: undefined });
  await one.see([old]);
  one.now += DAY;
  expect(await one.see([old, built('curl', '8.1-r0', START - DAY)])).toEqual({
    'curl-8.0-r0': -30,
    'curl-8.1-r0': 1,
  });
  expect(one.ledger.status.kind).toBe('memory');
});

test('in memory only, a clock that is set back makes nothing older, either', async () => {
  const one = new Observer({ folder: undefined, store: undefined });
  await one.see([old]);
  one.now -= 10 * DAY;
  expect(await one.see([old, built('curl', '8.1-r0', START - 9 * DAY)])).toEqual({
    'curl-8.0-r0': -30,
    'curl-8.1-r0': 0,
  });
  expect(one.ledger.status.clockBehind).toBe(10 * DAY);
});

test('in memory only, a file whose packages are for another arch than before goes on, too', async () => {
  const one = new Observer({ folder: undefined, store: undefined });
  const found = { ...wolfi, isArchFound: true };
  await one.see([old], { index: { ...found, arch: 'noarch' } });
  one.now += DAY;
  expect(await one.see([built('curl', '8.1-r0', START - DAY)], { index: found })).toEqual({
    'curl-8.1-r0': 1,
  });
});

test('no query reads every package that an index ever had', async () => {
  const store = await sqliteStore();
  const plans: string[] = [];
  const explained =
    (query: Query): Query =>
    async (sql, values) => {
      for (const row of await query(`EXPLAIN QUERY PLAN ${sql}`, values)) plans.push(String(row[3]));
      return await query(sql, values);
    };
  const open = async (): Promise<Database> => {
    const database = await store.open();
    return {
      ...database,
      query: explained(database.query),
      transaction: (work) => database.transaction((query) => work(explained(query))),
    };
  };
  const one = new Observer({ folder: await temporaryDirectory(), store: { ...store, open } });
  const later = built('curl', '8.1-r0', START - 9 * DAY);
  for (const stanzas of [[old], [old, later], [later], [old, later]]) {
    one.now += DAY;
    await one.restart();
    await one.see(stanzas);
  }
  await one.see([old, later], { madeAt: one.now });
  await one.ledger.vanished([wolfi], ['curl']);
  for (const name of [undefined, 'curl']) await one.ledger.changes([{ ...wolfi, repository: 'os' }], 0, name);
  const again = await open();
  await Array.fromAsync(exportLines(again));
  await again.close();
  const [all, some] = [
    /ledger_by_\w+ \(index_id=\?(?: AND appeared<\?)?\)/,
    /ledger_(?:by_name|by_appeared|present_dates) \(index_id=\? AND /,
  ];
  expect(plans.filter((plan) => all.test(plan) || /^SCAN (?:p|ledger_package)\b/.test(plan))).toEqual([]);
  expect(new Set(plans.flatMap((plan) => some.exec(plan)?.[0] ?? [])).size).toBe(3);
  await one.ledger.close();
});

test('a damaged ledger is moved aside', async () => {
  const store = await sqliteStore();
  const one = new Observer({ folder: await temporaryDirectory(), store });
  const later = built('curl', '8.1-r0', START - 9 * DAY);
  await one.see([old]);
  one.now += DAY;
  await one.see([old, later]);
  await one.restart(() => writeFile(store.file, 'no database'.repeat(1000)));
  expect(await one.see([old, later])).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
});

test('damage within the file is logged with the file and what to do; the dates continue', async () => {
  const store = await sqliteStore();
  const one = new Observer({ folder: await temporaryDirectory(), store });
  const many = Array.from({ length: 500 }, (_, i) => built(`name-${i}`, '1-r0', START - 30 * DAY));
  await one.see(many);
  await one.restart(async () => {
    const file = await open(store.file, 'r+');
    const { size } = await file.stat();
    // The first page has the names of the tables, by which the file is opened.
    await file.write(Buffer.alloc(size - 4096, 0xaa), 0, size - 4096, 4096);
    await file.close();
  });
  one.now += DAY;
  expect(await one.see([...many, old])).toMatchObject({ 'name-7-1-r0': -30, 'curl-8.0-r0': 1 });
  expect(one.ledger.status.error).toBe(
    `${store.file} is damaged; stop the service, move this file and those beside it (-wal, -shm) away, and start it again: database disk image is malformed`,
  );
  await one.restart(async () => {
    for (const end of ['', '-wal', '-shm']) await rm(store.file + end, { force: true });
  });
  expect(await one.see([...many, old])).toMatchObject({ 'name-7-1-r0': -30, 'curl-8.0-r0': 1 });
  expect(one.ledger.status).toMatchObject({ error: undefined });
});

test('a process that was killed while it wrote the first generation keeps its dates, and reports no loss', async () => {
  const store = await sqliteStore();
  const one = new Observer({ folder: await temporaryDirectory(), store });
  await one.see([old]);
  await one.restart(() => store.lose());
  one.now += DAY;
  const dates = await one.see([old, built('curl', '8.1-r0', START - 9 * DAY)]);
  expect(dates).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
  expect(one.logs).toEqual([]);
  expect(one.ledger.status.lost).toBe(0);
});

test('the partial file of dates of a killed process is removed at the next start', async () => {
  const one = new Observer({ folder: await temporaryDirectory(), store: await sqliteStore() });
  await one.see([old]);
  const folder = join(one.folder ?? '', 'ledger', 'dates');
  const files = await readdir(folder);
  await one.restart(async () => {
    const left = join(folder, `${files[0]}.0b5e.new`);
    await writeFile(left, 'half');
    await utimes(left, 0, 0);
  });
  await one.see([old]);
  expect(await readdir(folder)).toEqual(files);
});

test('the first generation is written slowly, until a call waits for it', async () => {
  const { open } = await sqliteStore();
  const pauses: string[] = [];
  const rest = Promise.withResolvers<undefined>();
  const log = (): void => undefined;
  const ledger = new Ledger(
    {
      folder: undefined,
      open,
      now: () => START * 1000,
      pause: () => {
        pauses.push('short');
        return setImmediate();
      },
      backgroundPause: () => {
        pauses.push('long');
        return rest.promise;
      },
      log: { info: log, warn: log },
    },
    'sqlite',
  );
  const stanzas = Array.from({ length: 2000 }, (_, i) => built(`name-${i}`, '1-r0', START));
  const taken = { packages: packagesOf(stanzas), digest: 'one', keyName: undefined, madeAt: START };
  expect((await ledger.datesOf(wolfi, taken))?.releasedAt).toHaveLength(2000);
  while (pauses.at(-1) !== 'long') await setImmediate();
  const closed = ledger.close();
  const before = pauses.length;
  rest.resolve(undefined);
  await closed;
  expect(pauses.length).toBeGreaterThan(before + 3);
  expect(pauses.slice(before)).not.toContain('long');
});
