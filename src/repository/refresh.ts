/** The refresh schedule. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds. */
export interface Schedule {
  readonly interval: number;
  /** After the first failure; doubled after each further one, up to the interval. */
  readonly firstRetry: number;
}

export interface RefreshResult {
  readonly failed: boolean;
  /** Milliseconds that upstream asked to wait. */
  readonly retryAfter?: number | undefined;
}

/** Wakes a sleeping `keepFresh` early. */
export class Alarm {
  #wake = new AbortController();

  get signal(): AbortSignal {
    return this.#wake.signal;
  }

  ring(): void {
    const ringing = this.#wake;
    this.#wake = new AbortController();
    ringing.abort();
  }
}

/** Refreshes until `signal` aborts. `refresh` reports its own failures and does not throw them. */
export async function keepFresh(
  refresh: (signal: AbortSignal) => Promise<RefreshResult>,
  schedule: Schedule,
  alarms: readonly Alarm[],
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    // Before the refresh, so that a wake-up during it is not lost.
    const wakes = alarms.map((alarm) => alarm.signal);
    const { failed, retryAfter = 0 } = await refresh(signal);
    failures = failed ? failures + 1 : 0;
    const delay = Math.max(nextDelay(failures, schedule), Math.min(retryAfter, schedule.interval));
    await sleep(delay, undefined, { signal: AbortSignal.any([signal, ...wakes]) }).catch(ignoreAbort);
  }
}

/**
 * Milliseconds until the next refresh: the interval, or after failures a doubling delay up to the interval. Jitter
 * spreads the requests of many instances.
 */
export function nextDelay(
  failures: number,
  { interval, firstRetry }: Schedule,
  random = Math.random,
): number {
  const delay = failures === 0 ? interval : Math.min(interval, firstRetry * 2 ** (failures - 1));
  return delay * (0.8 + 0.2 * random());
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
}
