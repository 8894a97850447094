/** When to refresh. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds. */
export interface Schedule {
  readonly interval: number;
  /** After the first failure; doubled with every further one, never longer than the interval. */
  readonly firstRetry: number;
}

export interface RefreshResult {
  readonly failed: boolean;
  /** Milliseconds for which upstream asked to be left alone. */
  readonly retryAfter?: number | undefined;
}

/** Wakes a sleeping `keepFresh` before its time. */
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
  alarm: Alarm,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    // Before the refresh: an alarm that rings during it must not be slept over.
    const wake = alarm.signal;
    const { failed, retryAfter = 0 } = await refresh(signal);
    failures = failed ? failures + 1 : 0;
    const delay = Math.max(nextDelay(failures, schedule), Math.min(retryAfter, schedule.interval));
    await sleep(delay, undefined, { signal: AbortSignal.any([signal, wake]) }).catch(ignoreAbort);
  }
}

/**
 * Milliseconds until the next refresh: the interval, or after failures a doubling retry that never waits longer.
 * Jitter keeps many instances from asking at once.
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
