/** Long work goes one after the other; short work is done at once. */
import { describe, expect, test } from 'vitest';
import { RefusedError } from '../../src/errors.ts';
import { LongLookups } from '../../src/http/long-lookups.ts';

function* steps(count: number, done: () => void = () => undefined): Generator<undefined, number> {
  for (let i = 0; i < count; i += 1) yield;
  done();
  return count;
}

describe('long lookups', () => {
  test('a short one is answered at once', () => {
    expect(new LongLookups().run('a', () => steps(3))).toBe(3);
  });

  test('long ones run one at a time in the order of requests, and the same one only once', async () => {
    const lookups = new LongLookups();
    const order: string[] = [];
    const run = (key: string, count: number): number | Promise<number> =>
      lookups.run(key, () => steps(count, () => order.push(key)));
    const all = [run('first', 5000), run('second', 100), run('first', 5000), run('short', 2)];
    expect(order).toEqual(['short']);
    expect(await Promise.all(all.map((each) => Promise.resolve(each)))).toEqual([5000, 100, 5000, 2]);
    expect(order).toEqual(['short', 'first', 'second']);
  });

  test('no more are queued than allowed, and a queued one may be requested again', async () => {
    const lookups = new LongLookups(2);
    const asked = ['a', 'b', 'c', 'a'].map((key) => Promise.resolve(lookups.run(key, () => steps(20))));
    const results = await Promise.allSettled(asked);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    await expect(asked[2]).rejects.toThrow(RefusedError);
    expect(await lookups.run('c', () => steps(20))).toBe(20);
  });

  test('a failure does not affect the others', async () => {
    const lookups = new LongLookups();
    const fails = lookups.run('a', function* () {
      yield* steps(20);
      throw new Error('no');
    });
    const next = lookups.run('b', () => steps(20));
    await expect(fails).rejects.toThrow('no');
    expect(await next).toBe(20);
    expect(await lookups.run('a', () => steps(20))).toBe(20);
  });
});
