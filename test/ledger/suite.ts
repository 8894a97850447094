/** What every ledger must do, whatever database it is in. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forEachPresent } from '../../src/ledger-store/ledger.ts';
import type { Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { built, DAY, Observer, START, wolfi, type Store } from './observer.ts';

export function ledgerSuite(makeStore: () => Promise<Store>): void {
  const observer = async (): Promise<Observer> =>
    new Observer({ folder: await temporaryDirectory(), store: await makeStore() });

  const old = built('curl', '8.0-r0', START - 30 * DAY);

  describe('when a package counts as released', () => {
    test('what is there when the ledger begins has its build time, but not in the future', async () => {
      const one = await observer();
      const dates = await one.see([
        old,
        built('future', '1-r0', START + 400 * DAY),
        built('undated', '1-r0', undefined),
      ]);
      expect(dates).toEqual({ 'curl-8.0-r0': -30, 'future-1-r0': 0, 'undated-1-r0': 0 });
    });

    test.each([
      ['backdated', START - 300 * DAY],
      ['dated right', START + DAY],
      ['dated ahead', START + 300 * DAY],
      ['undated', undefined],
    ])('what appears later, %s, counts from when it was seen', async (_, builtAt) => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      expect(await one.see([old, built('curl', '8.1-r0', builtAt)])).toMatchObject({ 'curl-8.1-r0': 1 });
      one.now += 10 * DAY;
      await one.restart();
      expect(await one.see([built('curl', '8.1-r0', builtAt)])).toEqual({ 'curl-8.1-r0': 1 });
    });

    test('the time a package is away does not count', async () => {
      const one = await observer();
      const poisoned = built('curl', '8.1-r0', START - 90 * DAY);
      await one.see([old]);
      one.now += DAY;
      await one.see([old, poisoned]);
      one.now += DAY / 4;
      await one.see([old]);
      one.now += 7 * DAY;
      expect(await one.see([old, poisoned])).toMatchObject({ 'curl-8.1-r0': 8 });
    });

    test('what vanished is told for the names asked for, with the last day on which it did', async () => {
      const one = await observer();
      const [new_, other] = [built('curl', '8.1-r0', START), built('jq', '1-r0', START)];
      for (const stanzas of [[old, other], [new_, other], [old, new_], [new_]]) {
        await one.see(stanzas);
        await one.ledger.settled();
        one.now += DAY;
      }
      const elsewhere = { ...wolfi, arch: 'aarch64' };
      expect(await one.ledger.vanished([wolfi, elsewhere], ['curl', 'nothing'])).toEqual([
        { name: 'curl', version: '8.0-r0', arch: 'x86_64', at: (START + 3 * DAY) * 1000 },
      ]);
      expect(await one.ledger.vanished([wolfi], [])).toEqual([]);
      expect(await one.ledger.vanished([elsewhere], ['curl'])).toEqual([]);
    });

    test('another package of the same name and version counts anew, and is told of', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      const stanzas = [built('curl', '8.0-r0', START - 30 * DAY, 'rebuilt')];
      expect(await one.see(stanzas)).toEqual({ 'curl-8.0-r0': 1 });
      expect(one.logs).toEqual(['wolfi: 1 packages took the name and version of another one: curl-8.0-r0']);
      expect(one.ledger.status.republished).toBe(1);
      await one.restart();
      const { packages, dates } = await one.take(stanzas, { madeAt: START + DAY });
      expect(packages.named('curl').map(({ row }) => dates?.republished.get(row)?.before)).toEqual([
        old['C'],
      ]);
    });

    test('archs and repositories have ledgers of their own', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      expect(await one.see([old], { index: { ...wolfi, arch: 'aarch64' } })).toEqual({ 'curl-8.0-r0': -30 });
      await one.see([old, built('curl', '8.1-r0', START)]);
      expect(
        await one.see([built('curl', '8.1-r0', START)], { index: { ...wolfi, location: 'else' } }),
      ).toEqual({
        'curl-8.1-r0': 0,
      });
    });

    test('a repository that moves takes its ledger along if that is configured', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      const stanzas = [old, built('curl', '8.1-r0', START - 9 * DAY)];
      await one.see(stanzas);
      one.now += DAY;
      const moved = { ...wolfi, location: 'https://new.example.com', formerly: [wolfi.location] };
      expect(await one.see(stanzas, { index: moved })).toMatchObject({ 'curl-8.1-r0': 1 });
      await one.restart();
      expect(await one.see(stanzas, { index: { ...moved, formerly: [] } })).toMatchObject({
        'curl-8.1-r0': 1,
      });
    });
  });

  describe('what is lost, restored or damaged', () => {
    const later = built('curl', '8.1-r0', START - 9 * DAY);
    const latest = built('curl', '8.2-r0', START - 8 * DAY);

    test('without its ledger, nothing is older than it was known to be', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      await one.see([old, later]);
      one.now += DAY;
      await one.restart(one.store?.lose);
      expect(await one.see([old, later, latest])).toEqual({
        'curl-8.0-r0': -30,
        'curl-8.1-r0': 1,
        'curl-8.2-r0': 2,
      });
      expect(one.logs.join()).toContain('the ledger was lost');
      expect(one.ledger.status.lost).toBe(1);
    });

    test('a backup that is restored merges: the earliest sight wins', async () => {
      const one = await observer();
      await one.see([old]);
      const restore = await one.store?.backUp();
      one.now += DAY;
      await one.see([old, later]);
      one.now += DAY;
      await one.restart(restore);
      expect(await one.see([old, later, latest])).toEqual({
        'curl-8.0-r0': -30,
        'curl-8.1-r0': 1,
        'curl-8.2-r0': 2,
      });
    });

    test('without the file of dates the database tells', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      await one.see([old, later]);
      one.now += DAY;
      await one.restart(() => rm(join(one.folder ?? '', 'ledger', 'dates'), { recursive: true }));
      expect(await one.see([old, later, latest])).toMatchObject({ 'curl-8.1-r0': 1, 'curl-8.2-r0': 2 });
    });

    test('while the database fails, dates go on, and are written when it is back', async () => {
      let fails = false;
      const folder = await temporaryDirectory();
      const store = await makeStore();
      const one = new Observer({
        folder,
        store: {
          ...store,
          open: () => (fails ? Promise.reject(new Error('the disk is full')) : store.open()),
        },
      });
      await one.see([old]);
      fails = true;
      await one.restart();
      one.now += DAY;
      expect(await one.see([old, later])).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
      expect(one.ledger.status.error).toBe('the disk is full');
      fails = false;
      one.now += DAY;
      await one.see([old, later, latest]);
      expect(one.ledger.status.error).toBeUndefined();
      await one.restart(() => rm(join(folder, 'ledger', 'dates'), { recursive: true }));
      expect(await one.see([old, later, latest])).toMatchObject({ 'curl-8.1-r0': 1, 'curl-8.2-r0': 2 });
    });

    test('a database that was never reached leaves everything young', async () => {
      const one = new Observer({
        folder: await temporaryDirectory(),
        store: { ...(await makeStore()), open: () => Promise.reject(new Error('no route')) },
      });
      expect(await one.see([old])).toEqual({ 'curl-8.0-r0': 0 });
    });

    test('a ledger that begins late has the build times of what was there at first', async () => {
      let fails = true;
      const store = await makeStore();
      const open = () => (fails ? Promise.reject(new Error('no route')) : store.open());
      const one = new Observer({ folder: await temporaryDirectory(), store: { ...store, open } });
      await one.see([old]);
      one.now += DAY;
      expect(await one.see([old, later])).toEqual({ 'curl-8.0-r0': 0, 'curl-8.1-r0': 1 });
      fails = false;
      one.now += DAY;
      expect(await one.see([old, later])).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
    });
  });

  describe('clocks', () => {
    test('one that is set back makes nothing older than it is', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += 10 * DAY;
      await one.see([old, built('curl', '8.1-r0', START)]);
      one.now -= 10 * DAY;
      const dates = await one.see([old, built('curl', '8.1-r0', START), built('curl', '8.2-r0', START)]);
      expect(dates).toMatchObject({ 'curl-8.1-r0': 10, 'curl-8.2-r0': 10 });
      expect(one.logs.join()).toContain('the clock is 864000 s behind');
      expect(one.ledger.status.clockBehind).toBe(10 * DAY);
    });

    test('one that was never set dates nothing', async () => {
      const one = await observer();
      one.now = 1000;
      expect((await one.take([old])).dates).toBeUndefined();
      one.now = START;
      expect(await one.see([old])).toEqual({ 'curl-8.0-r0': -30 });
    });
  });

  describe('two observers of one ledger', () => {
    test('give the same dates, whoever was first', async () => {
      const one = await observer();
      const two = await beside(one);
      const stanzas = [old, built('curl', '8.1-r0', START)];
      await one.see([old]);
      one.now += DAY;
      two.now += 2 * DAY;
      const made = { madeAt: START + DAY };
      const dates = await one.see(stanzas, made);
      expect(await two.see(stanzas, made)).toEqual(dates);
    });

    test('one that is behind is no change of the repository', async () => {
      const one = await observer();
      const two = await beside(one);
      const next = [old, built('curl', '8.1-r0', START)];
      const first = await one.see([old], { madeAt: 100 });
      one.now += DAY;
      const second = await one.see(next, { madeAt: 200 });
      two.now += 2 * DAY;
      expect(await two.see([old], { madeAt: 100 })).toEqual(first);
      expect(await two.see(next, { madeAt: 200 })).toEqual(second);
      expect(await generations(one)).toHaveLength(2);
    });
  });

  test('every generation can be rebuilt as it was, whatever came and went', async () => {
    const package_ = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      version: fc.constantFrom('1-r0', '2-r0'),
      build: fc.constantFrom('one', 'two'),
    });
    const index = fc.uniqueArray(package_, { selector: JSON.stringify, minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(index, { minLength: 1, maxLength: 6 }),
        fc.boolean(),
        async (history, restarts) => {
          const one = await observer();
          const seen: (readonly Stanza[])[] = [];
          for (const packages of history) {
            const stanzas = packages.map(({ name, version, build }) => built(name, version, START, build));
            one.now += 3600;
            if (restarts) await one.restart();
            await one.see(stanzas);
            seen.push(stanzas);
          }
          const database = await one.ledger.database();
          if (!database) throw new Error('no database');
          for (const [i, stanzas] of seen.entries()) {
            const identities: string[] = [];
            await forEachPresent(database.query, 1, i + 1, ['identity'], (rows) => {
              for (const [identity] of rows)
                identities.push(`Q1${Buffer.from(identity as Uint8Array).toString('base64')}`);
              return Promise.resolve();
            });
            expect(identities.toSorted()).toEqual(stanzas.map((each) => each['C']).toSorted());
          }
          await one.ledger.close();
        },
      ),
      { numRuns: 40 },
    );
  });
}

/** With the same database, and a cache directory of its own. */
async function beside({ store }: Observer): Promise<Observer> {
  return new Observer({ folder: await temporaryDirectory(), store });
}

async function generations(one: Observer): Promise<readonly unknown[]> {
  const database = await one.ledger.database();
  return (await database?.query('SELECT number FROM ledger_generation')) ?? [];
}
