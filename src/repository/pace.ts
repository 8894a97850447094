/** Sharing the thread: long work that yields to waiting requests. */
import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work after which others get their turn. */
const TURN = 4;

/** A pause to be called often; it only takes one when a turn's worth of work was done since the last. */
export function createPause(now: () => number = () => performance.now()): () => Promise<void> | undefined {
  let turnBegan = now();
  return () => {
    if (now() - turnBegan < TURN) return undefined;
    return setImmediate().then(() => {
      turnBegan = now();
    });
  };
}

/** Runs what it is given one after the other, in the order in which it came. */
export function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
