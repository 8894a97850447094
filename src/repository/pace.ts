/** Sharing the thread: long work that yields to waiting requests. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Pause } from '../apk/pieces.ts';

/** All in milliseconds. */
export interface Pace {
  /** How long to work before others get their turn. */
  readonly turn: number;
  /** How long to rest then; 0 for just as long as it takes to answer who waits. */
  readonly rest: number;
  /** How long to rest instead if lookups were answered since the last time. */
  readonly restIfAsked: number;
}

/** A tenth of the processor, which is hardly felt by lookups. */
const LEISURE = 9;
/** For a new index: as fast as can be while nobody is answered from the one before. */
const steady: Pace = { turn: 1, rest: 0, restIfAsked: LEISURE };
/** For what nobody waits for. */
export const leisurely: Pace = { turn: 1, rest: LEISURE, restIfAsked: LEISURE };

export interface Surroundings {
  /** Milliseconds, from any beginning. */
  readonly now?: () => number;
  /** How many lookups were answered. */
  readonly lookupCount?: () => number;
}

/** A pause to be called often; it only takes one when a turn's worth of work was done since the last. */
export function createPause(
  { turn, rest, restIfAsked }: Pace = steady,
  { now = () => performance.now(), lookupCount = () => 0 }: Surroundings = {},
): Pause {
  let turnBegan = now();
  let countBefore = 0;
  return () => {
    if (now() - turnBegan < turn) return undefined;
    const wasAsked = lookupCount() > countBefore;
    countBefore = lookupCount();
    const milliseconds = wasAsked ? restIfAsked : rest;
    const rested = milliseconds === 0 ? setImmediate() : setTimeout(milliseconds);
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
