/**
 * Long lookups: a name may have as many versions as an index has packages. Every lookup starts at once and nearly
 * always ends at once. If it does not, it is restarted in the background: one at a time, a few steps per turn, so that
 * other requests do not wait.
 */
import { setImmediate } from 'node:timers/promises';
import { RefusedError } from '../errors.ts';
import { createQueue } from '../repository/pace.ts';

/** Steps of about a millisecond after which a lookup counts as long. */
const STEPS_AT_ONCE = 8;
/** Milliseconds that other requests wait at most. */
const TURN = 2;

/** Why a request for a view is refused while as many are in line as may be. */
export function tooManyAges(): RefusedError {
  return new RefusedError(429, 'too many ages are requested at once');
}

export class Turns {
  readonly #most: number;
  readonly #oneAtATime = createQueue();
  readonly #under = new Map<string, Promise<unknown>>();

  /** `most`: how many may be queued. */
  constructor(most = Infinity) {
    this.#most = most;
  }

  /**
   * Returns the result of `work`, or rejects with a `RefusedError`. The same `key` never runs twice at a time; it says what
   * kind of thing is returned.
   */
  run<T>(key: string, work: () => Generator<undefined, T>): T | Promise<T> {
    const known = this.#under.get(key) as Promise<T> | undefined;
    if (known) return known;
    if (this.#under.size >= this.#most) return Promise.reject(tooManyAges());
    const begun = work();
    for (let i = 0; i < STEPS_AT_ONCE; i += 1) {
      const step = begun.next();
      if (step.done) return step.value;
    }
    const result = this.#oneAtATime(() => inTurns(work(), TURN)).finally(() => this.#under.delete(key));
    this.#under.set(key, result);
    return result;
  }
}

/** The result of `work`; other requests wait for at most `turn` milliseconds and a step. */
export async function inTurns<T>(work: Generator<undefined, T>, turn: number): Promise<T> {
  for (;;) {
    for (const began = performance.now(); performance.now() - began < turn;) {
      const step = work.next();
      if (step.done) return step.value;
    }
    await setImmediate();
  }
}
