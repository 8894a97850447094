import { setImmediate as aTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createPause, createQueue } from '../../src/repository/pace.ts';
import { Alarm, keepFresh, nextDelay } from '../../src/repository/refresh.ts';

const schedule = { interval: 900_000, firstRetry: 2000 };

test.each([
  [0, 900_000],
  [1, 2000],
  [2, 4000],
  [5, 32_000],
  [9, 512_000],
  [10, 900_000],
  [2000, 900_000],
])('after %i failures in a row the next refresh is %i ms away, less up to a fifth', (failures, delay) => {
  expect(nextDelay(failures, schedule, () => 1)).toBe(delay);
  expect(nextDelay(failures, schedule, () => 0)).toBeCloseTo(delay * 0.8);
});

test('an alarm wakes a sleeping loop, an abort ends it', async () => {
  const alarm = new Alarm();
  const stop = new AbortController();
  let runs = 0;
  const refresh = (): Promise<{ failed: boolean }> => {
    runs += 1;
    // Each run has the next one follow at once; the third ends it.
    setImmediate(() => (runs < 3 ? alarm.ring() : stop.abort()));
    return Promise.resolve({ failed: false });
  };
  await keepFresh(refresh, schedule, [alarm], stop.signal);
  expect(runs).toBe(3);
});

test('an alarm that rings during a refresh is not slept over', async () => {
  const alarm = new Alarm();
  const stop = new AbortController();
  let runs = 0;
  const refresh = (): Promise<{ failed: boolean }> => {
    runs += 1;
    if (runs === 1) alarm.ring();
    else stop.abort();
    return Promise.resolve({ failed: false });
  };
  await keepFresh(refresh, schedule, [alarm], stop.signal);
  expect(runs).toBe(2);
});

test('a pause is taken once a turn of work has passed', async () => {
  let now = 0;
  const pause = createPause({ turn: 4, rest: 0, restIfBusy: 0 }, { now: () => now });
  expect(pause()).toBeUndefined();
  now = 100;
  const taken = pause();
  expect(taken).toBeInstanceOf(Promise);
  await taken;
  expect(pause()).toBeUndefined();
});

test('while lookups are answered a pause is a rest', async () => {
  let answered = 0;
  const pause = createPause({ turn: 0, rest: 0, restIfBusy: 2000 }, { lookupCount: () => answered });
  const rests = async (): Promise<boolean> => {
    const paused = Promise.resolve(pause()).then(() => false);
    const others = aTurn()
      .then(() => aTurn())
      .then(() => true);
    return await Promise.race([paused, others]);
  };
  expect(await rests()).toBe(false);
  answered += 1;
  expect(await rests()).toBe(true);
  expect(await rests()).toBe(false);
});

test('a queue does one thing at a time, in order, whatever fails', async () => {
  const queue = createQueue();
  const seen: string[] = [];
  const work = async (name: string, fails = false): Promise<string> => {
    seen.push(`${name} begins`);
    await Promise.resolve();
    seen.push(`${name} ends`);
    if (fails) throw new Error(name);
    return name;
  };
  const results = await Promise.allSettled([
    queue(() => work('a')),
    queue(() => work('b', true)),
    queue(() => work('c')),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});
