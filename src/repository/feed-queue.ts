/**
 * Fetches and reads one feed at a time, because a reader needs memory. A slow feed must not delay other datasources.
 */
import { createQueue } from './pace.ts';

export class FeedQueue {
  readonly #limit: number;
  readonly #oneAtATime = createQueue();
  /** The number of queued feeds that their datasources wait for. */
  #urgent = 0;
  /** Ends the current turn, if it takes longer than the limit. */
  #endTurn: (() => void) | undefined;

  /** `limit`: milliseconds after which a turn ends as soon as an urgent feed is waiting. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The result of `work`. If its turn ends earlier, it is restarted at the end of the queue and is no longer urgent,
   * so that slow feeds do not end each other's turns.
   */
  async take<T>(isUrgent: boolean, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let urgent = isUrgent; ; urgent = false) {
      const end = new AbortController();
      if (urgent) {
        this.#urgent += 1;
        this.#endTurn?.();
      }
      try {
        return await this.#oneAtATime(async () => {
          if (urgent) this.#urgent -= 1;
          const timer = setTimeout(() => {
            if (this.#urgent > 0) end.abort();
            else this.#endTurn = () => end.abort();
          }, this.#limit);
          try {
            return await work(end.signal);
          } finally {
            clearTimeout(timer);
            this.#endTurn = undefined;
          }
        });
      } catch (error) {
        if (!end.signal.aborted) throw error;
      }
    }
  }
}
