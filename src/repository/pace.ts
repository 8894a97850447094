/** Long work on the main thread yields to requests. */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Pause } from '../apk/pieces.ts';

/** All in milliseconds. */
export interface Pace {
  /** How long to work before yielding. */
  readonly turn: number;
  /** How long to rest; 0 only serves waiting requests. */
  readonly rest: number;
  /** How long to rest if lookups were answered since the last rest. */
  readonly restIfBusy: number;
}

/** Leaves a tenth of the CPU to the work, which hardly slows lookups. */
const LONG_REST = 9;
/** For a new index: as fast as possible while no lookups are answered. */
const foreground: Pace = { turn: 1, rest: 0, restIfBusy: LONG_REST };
/** For background work. */
export const background: Pace = { turn: 1, rest: LONG_REST, restIfBusy: LONG_REST };

export interface Surroundings {
  /** Milliseconds, from any start. */
  readonly now?: () => number;
  /** Lookups answered so far. */
  readonly lookupCount?: () => number;
}

/** Call it often: it pauses only after a slice of work. */
export function createPause(
  { turn, rest, restIfBusy }: Pace = foreground,
  { now = () => performance.now(), lookupCount = () => 0 }: Surroundings = {},
): Pause {
  let turnBegan = now();
  let countBefore = 0;
  return () => {
    if (now() - turnBegan < turn) return undefined;
    const isBusy = lookupCount() > countBefore;
    countBefore = lookupCount();
    const milliseconds = isBusy ? restIfBusy : rest;
    const rested = milliseconds === 0 ? setImmediate() : setTimeout(milliseconds);
    return rested.then(() => {
      turnBegan = now();
    });
  };
}

/** Runs tasks when it is their turn. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs tasks one after the other, in order. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };
}
