import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FeedQueue } from '../../src/repository/feed-queue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Runs feeds that take for ever until their turn ends, or `finish` is called. */
function setUp(): {
  take: (name: string, isUrgent: boolean) => Promise<void>;
  begun: string[];
  finish: () => void;
} {
  const queue = new FeedQueue(1000);
  const begun: string[] = [];
  let current = Promise.withResolvers<void>();
  const take = (name: string, isUrgent: boolean): Promise<void> =>
    queue.take(isUrgent, async (signal) => {
      begun.push(name);
      const { promise, reject } = (current = Promise.withResolvers<void>());
      signal.addEventListener('abort', () => reject(new Error('aborted')));
      await promise;
    });
  return { take, begun, finish: () => current.resolve() };
}

test('a slow feed starts again behind an urgent one, whether that came before the limit or after it', async () => {
  const { take, begun, finish } = setUp();
  const slow = take('slow', false);
  const first = take('first', true);
  await vi.advanceTimersByTimeAsync(999);
  expect(begun).toEqual(['slow']);
  await vi.advanceTimersByTimeAsync(1);
  expect(begun).toEqual(['slow', 'first']);
  finish();
  await first;
  await vi.advanceTimersByTimeAsync(5000);
  expect(begun).toEqual(['slow', 'first', 'slow']);
  const second = take('second', true);
  await vi.advanceTimersByTimeAsync(0);
  expect(begun).toEqual(['slow', 'first', 'slow', 'second']);
  finish();
  await second;
  await vi.advanceTimersByTimeAsync(0);
  finish();
  await slow;
});

test('its turn does not end for one that is not urgent, or was slow itself', async () => {
  const { take, begun, finish } = setUp();
  const slow = take('slow', true);
  const other = take('other', true);
  const later = take('later', false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(begun).toEqual(['slow', 'other']);
  for (const each of [other, later, slow]) {
    finish();
    await each;
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(begun).toEqual(['slow', 'other', 'later', 'slow']);
});

test('what fails in its turn is not tried again', async () => {
  const queue = new FeedQueue(1000);
  await expect(queue.take(true, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  expect(await queue.take(true, () => Promise.resolve('next'))).toBe('next');
});
