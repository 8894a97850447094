/** Sharing the thread: long work that yields to waiting requests. */
import { setImmediate, setTimeout } from 'node:timers/promises';

/** All in milliseconds. */
export interface Pace {
  /** How long to work before others get their turn. */
  readonly turn: number;
  /** How long to rest then; 0 for just as long as it takes to answer who waits. */
  readonly rest: number;
}

/** For what someone waits for: a new index. */
const steady: Pace = { turn: 4, rest: 0 };
/** For what nobody waits for: it takes a tenth of the processor, and is hardly felt by lookups. */
export const leisurely: Pace = { turn: 2, rest: 18 };

/** A pause to be called often; it only takes one when a turn's worth of work was done since the last. */
export function createPause(
  { turn, rest }: Pace = steady,
  now: () => number = () => performance.now(),
): () => Promise<void> | undefined {
  let turnBegan = now();
  return () => {
    if (now() - turnBegan < turn) return undefined;
    const rested = rest === 0 ? setImmediate() : setTimeout(rest);
    return rested.then(() => {
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
