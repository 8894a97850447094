import { expect, test } from 'vitest';
import { Alarm, keepFresh, nextDelay } from '../../src/repository/refresh.ts';

const HOUR = 3_600_000;

test.each([
  [0, HOUR],
  [1, 2000],
  [2, 4000],
  [5, 32_000],
  [100, HOUR],
  [5000, HOUR],
])('after %i failures it waits %i ms, or up to a fifth less', (failures, delay) => {
  const schedule = { interval: HOUR, firstRetry: 2000 };
  expect(nextDelay(failures, schedule, () => 1)).toBeCloseTo(delay);
  expect(nextDelay(failures, schedule, () => 0)).toBeCloseTo(delay * 0.8);
});

test('an alarm wakes it, and one that rings during a refresh is not slept over', async () => {
  const alarm = new Alarm();
  const stop = new AbortController();
  let refreshes = 0;
  const refresh = (): Promise<{ failed: boolean }> => {
    refreshes += 1;
    if (refreshes === 1) alarm.ring();
    else if (refreshes === 2) setImmediate(() => alarm.ring());
    else stop.abort();
    return Promise.resolve({ failed: false });
  };
  await keepFresh(refresh, { interval: HOUR, firstRetry: HOUR }, alarm, stop.signal);
  expect(refreshes).toBe(3);
});
