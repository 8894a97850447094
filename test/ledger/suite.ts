/** What every ledger must do, whatever database it is in. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReleaseDates } from '../../src/catalog/catalog.ts';
import type { Database } from '../../src/ledger-store/database.ts';
import {
  generationNumbered,
  History,
  packagesOf as recordedIn,
  type RecordedPackage,
} from '../../src/ledger-store/history.ts';
import { Random } from '../support/random.ts';
import type { Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { built, DAY, Observer, packagesOf, START, wolfi, type Store } from './observer.ts';

export function ledgerSuite(makeStore: () => Promise<Store>): void {
  const observer = async (): Promise<Observer> =>
    new Observer({ folder: await temporaryDirectory(), store: await makeStore() });

  const old = built('curl', '8.0-r0', START - 30 * DAY);

  describe('when a package counts as released', () => {
    test('packages that exist when the ledger begins have their build time, but not one in the future', async () => {
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

    test('vanished versions are found by name, with the last time at which they vanished', async () => {
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

    test('what an index without identities lists twice is dated, and does not vanish while it is there', async () => {
      const one = await observer();
      const curl = { ...old, C: '' };
      const jq = { ...built('jq', '1-r0', START), C: '' };
      const twice = [curl, { ...curl, p: 'cmd:curl' }, jq, jq];
      const dates = [-30, -30, 1, 1, 2];
      for (const stanzas of [twice.slice(0, 2), twice, [...twice, old]]) {
        const { releasedAt = [] } = (await one.take(stanzas)).dates ?? {};
        expect([...releasedAt].map((at) => (at - START) / DAY)).toEqual(dates.slice(0, stanzas.length));
        one.now += DAY;
      }
      expect(await one.ledger.vanished([wolfi], ['curl', 'jq'])).toEqual([]);
    });

    test('another package of the same name and version counts as new, and is logged', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      const stanzas = [built('curl', '8.0-r0', START - 30 * DAY, 'rebuilt')];
      expect(await one.see(stanzas)).toEqual({ 'curl-8.0-r0': 1 });
      expect(one.logs).toEqual([
        'wolfi: 1 package took over the name and version of another package: curl-8.0-r0',
      ]);
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

    test('a file whose packages are for another arch than before goes on with its ledger', async () => {
      const one = await observer();
      const found = { ...wolfi, isArchFound: true };
      await one.see([old], { index: { ...found, arch: 'noarch' } });
      const later = built('curl', '8.1-r0', START - 9 * DAY);
      for (const arch of ['x86_64', 'noarch']) {
        one.now += DAY;
        expect(await one.see([old, later], { index: { ...found, arch } })).toMatchObject({
          'curl-8.1-r0': 1,
        });
        await one.restart();
      }
      const asked = { ...found, arch: 'aarch64', repository: 'os' };
      expect((await one.ledger.changes([asked], 0, undefined)).changes).toHaveLength(1);
      expect(one.logs).toEqual([
        `wolfi: continues the ledger of ${wolfi.location} for noarch`,
        `wolfi: continues the ledger of ${wolfi.location} for x86_64`,
      ]);
    });

    test('a repository that moves keeps its ledger if formerly names its old address', async () => {
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

    test('with a restored backup, the earliest date counts', async () => {
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

    test('a file of dates from a ledger that began later makes nothing older than that beginning', async () => {
      const [one, two] = [await observer(), await observer()];
      await one.see([old]);
      one.now += 2 * DAY;
      await one.see([old, later]);
      two.now += DAY;
      const before = await two.see([old, later]);
      expect(before).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': -9 });
      await two.ledger.close();
      const moved = new Observer({ folder: two.folder, store: one.store });
      moved.now = one.now;
      expect(await moved.see([old, later])).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
    });

    test('without the file of dates, the dates are those of the database', async () => {
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

    test('a package that returns while the database fails has its first date again once the database is back', async () => {
      let fails = false;
      const store = await makeStore();
      const open = async (): ReturnType<Store['open']> => {
        const database = await store.open();
        return {
          ...database,
          transaction: (work) =>
            fails ? Promise.reject(new Error('the disk is full')) : database.transaction(work),
        };
      };
      const one = new Observer({ folder: await temporaryDirectory(), store: { ...store, open } });
      const dates = [];
      for (const stanzas of [[old], [old, later], [old], [old, later], [old, later]]) {
        fails = [2, 3].includes(dates.length);
        dates.push((await one.see(stanzas, { madeAt: 0 }))['curl-8.1-r0']);
        one.now += DAY;
      }
      expect(dates).toEqual([undefined, 1, undefined, 3, 1]);
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
    test('one that is set back before the ledger begins gives nothing new its build time', async () => {
      let fails = true;
      const store = await makeStore();
      const open = () => (fails ? Promise.reject(new Error('no route')) : store.open());
      const one = new Observer({ folder: await temporaryDirectory(), store: { ...store, open } });
      const later = built('curl', '8.1-r0', START - 9 * DAY);
      await one.see([old]);
      one.now -= 60;
      await one.see([old, later]);
      fails = false;
      one.now += DAY;
      const dates = await one.see([old, later]);
      expect(dates['curl-8.0-r0']).toBe(-30);
      expect(dates['curl-8.1-r0']).toBeCloseTo(0);
    });

    test('one that is set back makes nothing older than it is', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += 10 * DAY;
      await one.see([old, built('curl', '8.1-r0', START)]);
      one.now -= 10 * DAY;
      const dates = await one.see([old, built('curl', '8.1-r0', START), built('curl', '8.2-r0', START)]);
      expect(dates).toMatchObject({ 'curl-8.1-r0': 10, 'curl-8.2-r0': 10 });
      expect(one.logs.join()).toContain('the clock is 864000 s behind');
      const other = { ...wolfi, arch: 'aarch64' };
      for (const stanzas of [[old], []]) await one.see(stanzas, { index: other });
      expect(one.ledger.status.clockBehind).toBe(10 * DAY);
      one.now += 10 * DAY;
      expect(one.ledger.status.clockBehind).toBe(0);
    });

    test('one that is set back makes nothing older in an index that changed less recently, or is new', async () => {
      const one = await observer();
      const later = built('curl', '8.1-r0', START - 9 * DAY);
      const [slow, new_] = [
        { ...wolfi, arch: 'aarch64' },
        { ...wolfi, arch: 'riscv64' },
      ];
      await one.see([old], { index: slow });
      await one.see([old]);
      one.now += 10 * DAY;
      await one.see([old, later]);
      await one.restart();
      one.now -= 30 * DAY;
      expect(await one.see([old, later], { index: slow })).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 10 });
      expect(await one.see([old, later], { index: new_ })).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': -9 });
    });

    test('one that was never set dates nothing', async () => {
      const one = await observer();
      const later = built('curl', '8.1-r0', START - 9 * DAY);
      const datesAt = async (now: number): Promise<ReleaseDates | undefined> => {
        one.now = now;
        return (await one.take([old, later])).dates;
      };
      expect(await datesAt(1000)).toMatchObject({ releasedAt: Uint32Array.of(0, 0), isProvisional: true });
      one.now = START;
      expect(await one.see([old])).toEqual({ 'curl-8.0-r0': -30 });
      await one.restart();
      expect((await datesAt(1000))?.releasedAt).toEqual(Uint32Array.of(START - 30 * DAY, 0));
      expect((await datesAt(START + DAY))?.releasedAt).toEqual(Uint32Array.of(START - 30 * DAY, START + DAY));
    });
  });

  describe('two observers of one ledger', () => {
    test('give the same dates, whichever was first', async () => {
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

    test.each([
      ['', 100, 200],
      [', though indexes have no time', 0, 0],
      [', though only its index has a time', 100, 0],
    ])('one that is behind is no change of the repository%s', async (_, earlier, later) => {
      const one = await observer();
      const two = await beside(one);
      const next = [old, built('curl', '8.1-r0', START)];
      const first = await one.see([old], { madeAt: earlier });
      one.now += DAY;
      const second = await one.see(next, { madeAt: later });
      two.now += 2 * DAY;
      expect(await two.see([old], { madeAt: earlier })).toEqual(first);
      expect(await two.see(next, { madeAt: later })).toEqual(second);
      expect(await generations(one)).toHaveLength(2);
    });

    test('a repository that goes back to an earlier index without a time has changed', async () => {
      const one = await observer();
      const two = await beside(one);
      const later = built('curl', '8.1-r0', START);
      for (const stanzas of [[old, later], [old], [old, later]]) {
        await one.see(stanzas, { madeAt: 0 });
        one.now += DAY;
      }
      expect(await generations(one)).toHaveLength(3);
      const dates = await one.see([old, later], { madeAt: 0 });
      expect(dates).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
      // Of the same index, there was an earlier generation with an earlier date.
      expect(await two.see([old, later], { madeAt: 0 })).toEqual(dates);
      await two.see([old], { madeAt: 0 });
      expect(await generations(one)).toHaveLength(4);
    });

    test('an index that is behind is no change either if no other observer saw it', async () => {
      const one = await observer();
      const two = await beside(one);
      const [between, latest] = [built('curl', '8.1-r0', START), built('curl', '8.2-r0', START)];
      await one.see([old], { madeAt: 100 });
      one.now += DAY;
      const dates = await one.see([old, latest], { madeAt: 300 });
      two.now += 2 * DAY;
      expect(await two.see([old, between], { madeAt: 200 })).toEqual({
        'curl-8.0-r0': -30,
        'curl-8.1-r0': 2,
      });
      expect(await generations(one)).toHaveLength(2);
      expect(await two.see([old, latest], { madeAt: 300 })).toEqual(dates);
    });

    describe('a package that only one of two observers sees vanish', () => {
      const poisoned = built('curl', '8.1-r0', START);
      const observers = async (): Promise<{ readonly one: Observer; readonly two: Observer }> => {
        const one = await observer();
        const two = await beside(one);
        await one.see([old]);
        one.now += DAY;
        for (const each of [one, two]) await each.see([old, poisoned], { madeAt: one.now });
        one.now += DAY / 4;
        await one.see([old]);
        return { one, two };
      };

      test('is not older for the other, which was away meanwhile', async () => {
        const { one, two } = await observers();
        two.now = one.now + 7 * DAY;
        expect(await two.see([old, poisoned])).toMatchObject({ 'curl-8.1-r0': 8 });
      });

      test('has one date for both when it returns', async () => {
        const { one, two } = await observers();
        one.now += 7 * DAY;
        const made = { madeAt: one.now };
        const dates = await one.see([old, poisoned], made);
        expect(dates).toMatchObject({ 'curl-8.1-r0': 8 });
        two.now = one.now;
        expect(await two.see([old, poisoned], made)).toEqual(dates);
      });
    });
  });

  test('every generation can be rebuilt entry by entry, whatever came and went', async () => {
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
          const truth = new Truth();
          for (const packages of history) {
            one.now += 3600;
            if (restarts) await one.restart();
            const stanzas = packages.map(({ name, version, build }) => built(name, version, START, build));
            await one.see(stanzas);
            truth.see(stanzas, one.now);
          }
          await expectTruth(one, truth);
          await one.ledger.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  test('so can each of 150 generations of a long history', async () => {
    const random = new Random(17);
    const one = await observer();
    const truth = new Truth();
    let present: readonly Stanza[] = [];
    const builds = Array.from({ length: 400 }, (_, i) =>
      built(`p${i % 60}`, `${1 + Math.floor(i / 120)}-r0`, START - 40 * DAY + i * 7200, String(i)),
    );
    for (let i = 0; i < 150; i += 1) {
      const came = Array.from({ length: 1 + random.integer(4) }, () => random.pick(builds));
      present = [...new Set([...present.filter(() => random.integer(12) > 0), ...came])];
      await one.see(present);
      truth.see(present, one.now);
      one.now += 60 + random.integer(DAY);
    }
    await expectTruth(one, truth);
  });

  test.each([
    ['', true],
    [', without times in its indexes', false],
  ])(
    'observers who lag, restart and lose their dates record what the repository did%s',
    async (_, withTimes) => {
      for (let seed = 1; seed <= 4; seed += 1) {
        const random = new Random(seed);
        const one = await observer();
        const observers = [one, await beside(one), await beside(one)];
        const builds = Array.from({ length: 16 }, (__, i) =>
          built(`p${i % 4}`, '1-r0', START - DAY, String(i)),
        );
        /** What the repository was, and where each observer is. */
        const indexes: Seen[] = [];
        const places = observers.map(() => 0);
        const rules = new LagRules();
        for (let now = START; now < START + 40 * 3600; now += 1 + random.integer(3600)) {
          const goesBack = indexes.length > 1 && random.integer(4) === 0;
          if (indexes.length === 0 || random.integer(3) === 0)
            indexes.push({
              stanzas: goesBack ? random.pick(indexes).stanzas : builds.filter(() => random.integer(2) === 0),
              madeAt: withTimes ? now : 0,
            });
          const who = random.integer(observers.length);
          const observing = observers[who] as Observer;
          if (random.integer(8) === 0) {
            await observing.restart(() => loseDates(observing));
            rules.forget(who);
          } else if (random.integer(8) === 0) await observing.restart();
          const place = places[who] ?? 0;
          places[who] = place + random.integer(indexes.length - place);
          const index = indexes[places[who]] as Seen;
          observing.now = now;
          await observing.see(index.stanzas, index);
          rules.see(who, index, now);
        }
        await expectTruth(one, rules.truth);
        for (const each of observers) await each.ledger.close();
      }
    },
  );

  describe('an earlier time', () => {
    const later = built('curl', '8.1-r0', START - 9 * DAY);

    test('is that of the generation that was current then', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      await one.see([old, later]);
      one.now += DAY;
      const history = await historyOf(one);
      const [first, second] = [START * 1000, (START + DAY) * 1000];
      expect(await history.at(wolfi, first - 1)).toBeUndefined();
      expect(await history.begunAt(wolfi)).toBe(first);
      const signer = 'test.rsa.pub';
      const digest = expect.stringMatching(/^[0-9a-f]{64}$/) as string;
      const begun = {
        generation: { number: 1, seenAt: first, signer, packages: 1, digest },
        until: second,
      };
      expect(await history.at(wolfi, first)).toEqual(begun);
      expect(await history.at(wolfi, second - 1)).toEqual(begun);
      for (const time of [second, second + 1, 4e12])
        expect(await history.at(wolfi, time)).toEqual({
          generation: { number: 2, seenAt: second, signer, packages: 2, digest },
          until: undefined,
        });
      const numbers = await Array.fromAsync(history.generations(wolfi), ({ number }) => number);
      expect(numbers).toEqual([2, 1]);
    });

    test('has the dates that were known then', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      await one.see([old, later]);
      one.now += DAY;
      await one.see([old]);
      one.now += 7 * DAY;
      await one.see([old, later]);
      const history = await historyOf(one);
      const datesAt = async (time: number): Promise<readonly number[]> => {
        const { generation } = (await history.at(wolfi, time * 1000)) ?? {};
        const dates = generation && (await history.dates(wolfi, generation, packagesOf([old, later])));
        return [...(dates?.releasedAt ?? [])].map((date) => (date - START) / DAY);
      };
      expect(await datesAt(START + DAY)).toEqual([-30, 1]);
      // The week in which it was away does not count.
      expect(await datesAt(START + 9 * DAY)).toEqual([-30, 8]);
    });

    test('is the last of several generations where a clock that is set back gave them one time', async () => {
      const one = await observer();
      await one.see([old]);
      one.now += DAY;
      await one.see([old, later]);
      one.now -= 5 * DAY;
      await one.see([later]);
      const history = await historyOf(one);
      expect((await history.at(wolfi, (START + DAY) * 1000))?.generation.number).toBe(3);
      expect((await history.at(wolfi, (START + DAY) * 1000 - 1))?.generation.number).toBe(1);
    });

    test('is the same for two observers, and one that is behind adds nothing to it', async () => {
      const one = await observer();
      const two = await beside(one);
      await one.see([old], { madeAt: 100 });
      one.now += DAY;
      await one.see([old, later], { madeAt: 200 });
      two.now += 2 * DAY;
      await two.see([old], { madeAt: 100 });
      const [ofOne, ofTwo] = [await historyOf(one), await historyOf(two)];
      for (const time of [START, START + DAY, START + 3 * DAY])
        expect(await ofTwo.at(wolfi, time * 1000)).toEqual(await ofOne.at(wolfi, time * 1000));
      expect((await ofTwo.at(wolfi, (START + 3 * DAY) * 1000))?.generation.number).toBe(2);
    });

    test('is found under a former address, until the repository is taken from the new one and after', async () => {
      const one = await observer();
      await one.see([old]);
      const moved = { ...wolfi, location: 'https://new.example.com', formerly: [wolfi.location] };
      const history = await historyOf(one);
      const before = await history.at(moved, START * 1000);
      expect(before?.generation.number).toBe(1);
      one.now += DAY;
      await one.see([old, later], { index: moved });
      expect((await history.at(moved, START * 1000))?.generation).toEqual(before?.generation);
      expect(await history.at({ ...moved, formerly: [] }, START * 1000)).toBeDefined();
      expect(await history.begunAt({ ...wolfi, location: 'https://unnamed.example.com' })).toBeUndefined();
    });
  });
}

/** What was there in each generation, and since when in all it was there: its age. */
class Truth {
  readonly generations: (readonly RecordedPackage[])[] = [];
  /** Seconds that a package was there, up to `at`. */
  readonly #ages = new Map<string, { age: number; at: number }>();

  see(stanzas: readonly Stanza[], now: number): void {
    const present = stanzas.map((stanza) => stanza['C'] ?? '');
    const isFirst = this.generations.length === 0;
    const before = new Set(this.generations.at(-1)?.map(({ identity }) => identity));
    for (const [identity, known] of this.#ages) {
      if (before.has(identity)) known.age += now - known.at;
      known.at = now;
    }
    const packages = stanzas.map((stanza, i): RecordedPackage => {
      const identity = present[i] as string;
      const builtAt = Number(stanza['t']);
      const age = this.#ages.get(identity)?.age ?? (isFirst ? Math.max(0, now - builtAt) : 0);
      this.#ages.set(identity, { age, at: now });
      return {
        name: String(stanza['P']),
        version: String(stanza['V']),
        identity,
        builtAt,
        releasedAt: now - age,
      };
    });
    this.generations.push(packages);
  }
}

interface Seen {
  readonly stanzas: readonly Stanza[];
  readonly madeAt: number;
}

/** What is a change of the repository, as docs/decisions/022 says it. */
class LagRules {
  readonly truth = new Truth();
  readonly #recorded: Seen[] = [];
  /** The number of the generation that each observer saw last, if it was the newest. */
  readonly #newest = new Map<number, number>();

  see(who: number, index: Seen, now: number): void {
    const newest = this.#recorded.at(-1);
    const sawNewest = this.#newest.get(who) === this.#recorded.length;
    if (newest && !isSame(newest, index) && !sawNewest && this.#isLagging(newest, index)) return;
    if (!newest || !isSame(newest, index)) {
      this.#recorded.push(index);
      this.truth.see(index.stanzas, now);
    }
    this.#newest.set(who, this.#recorded.length);
  }

  forget(who: number): void {
    this.#newest.delete(who);
  }

  #isLagging(newest: Seen, index: Seen): boolean {
    const wasThere = this.#recorded.some((each) => isSame(each, index));
    return index.madeAt === 0 && newest.madeAt === 0 ? wasThere : index.madeAt < newest.madeAt;
  }
}

function isSame(one: Seen, other: Seen): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function loseDates({ folder = '' }: Observer): Promise<void> {
  await rm(join(folder, 'ledger', 'dates'), { recursive: true, force: true });
}

async function expectTruth(one: Observer, { generations }: Truth): Promise<void> {
  const { query } = await databaseOf(one);
  const sorted = (all: readonly RecordedPackage[]): readonly RecordedPackage[] =>
    all.toSorted((a, b) => (a.identity < b.identity ? -1 : 1));
  for (const [i, expected] of generations.entries()) {
    const found: RecordedPackage[] = [];
    await recordedIn(query, 1, i + 1, (packages) => void found.push(...packages));
    expect(sorted(found)).toEqual(sorted(expected));
    expect((await generationNumbered(query, 1, i + 1))?.packages).toBe(expected.length);
  }
  expect(await generationNumbered(query, 1, generations.length + 1)).toBeUndefined();
}

async function databaseOf({ ledger }: Observer): Promise<Database> {
  const database = await ledger.database();
  if (!database) throw new Error('no database');
  return database;
}

async function historyOf(one: Observer): Promise<History> {
  const database = await databaseOf(one);
  return new History(
    () => Promise.resolve(database),
    () => undefined,
  );
}

/** With the same database, and a cache directory of its own. */
async function beside({ store }: Observer): Promise<Observer> {
  return new Observer({ folder: await temporaryDirectory(), store });
}

async function generations(one: Observer): Promise<readonly unknown[]> {
  const database = await one.ledger.database();
  return (await database?.query('SELECT number FROM ledger_generation')) ?? [];
}
