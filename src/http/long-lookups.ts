/**
 * Long lookups: a name may have as many versions as an index has packages. Every lookup starts at once and nearly
 * always ends at once. If it does not, it is restarted in the background: one at a time, a slice at a time, so that
 * other requests do not wait.
 */
import { setImmediate } from 'node:timers/promises';
import { RefusedError } from '../errors.ts';
import { createQueue } from '../repository/pace.ts';

/** Steps of about a millisecond after which a lookup counts as long. */
const STEPS_AT_ONCE = 8;
/** Milliseconds that other requests wait at most. */
const SLICE = 2;

/** The refusal of a request for a view while the queue is full. */
export function tooManyAges(): RefusedError {
  return new RefusedError(429, 'too many ages are requested at once');
}

export class LongLookups {
  readonly #maxQueued: number;
  readonly #oneAtATime = createQueue();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(maxQueued = Infinity) {
    this.#maxQueued = maxQueued;
  }

  /**
   * Returns the result of `work`, or rejects with a `RefusedError`. The same `key` never runs twice at a time; it
   * determines the type of the result.
   */
  run<T>(key: string, work: () => Generator<undefined, T>): T | Promise<T> {
    const known = this.#running.get(key) as Promise<T> | undefined;
    if (known) return known;
    if (this.#running.size >= this.#maxQueued) return Promise.reject(tooManyAges());
    const begun = work();
    for (let i = 0; i < STEPS_AT_ONCE; i += 1) {
      const step = begun.next();
      if (step.done) return step.value;
    }
    const result = this.#oneAtATime(() => inSlices(work(), SLICE)).finally(() => this.#running.delete(key));
    this.#running.set(key, result);
    return result;
  }
}

/** The result of `work`; other requests wait for at most `slice` milliseconds and a step. */
export async function inSlices<T>(work: Generator<undefined, T>, slice: number): Promise<T> {
  for (;;) {
    for (const began = performance.now(); performance.now() - began < slice;) {
      const step = work.next();
      if (step.done) return step.value;
    }
    await setImmediate();
  }
}
