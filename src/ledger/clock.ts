/**
 * The ledger's clock. It never goes back: a clock that is set back would make what comes next older than it is. Leap
 * seconds and time zones do not matter to unix time. A clock before the first release of this program was never set, as
 * on boards without a battery; nothing is dated by it.
 */

/** Unix milliseconds; later than any clock that was never set, and before this program. */
const EARLIEST = Date.UTC(2026, 0, 1);

/** How far a clock may be behind the ledger before it is told, in milliseconds: replicas differ a little. */
export const TOLD_BEHIND = 5 * 60_000;

export function isSet(now: number): boolean {
  return now >= EARLIEST;
}

/** The time of a sight, by the clock and the newest time in the ledger. Unix milliseconds. */
export function ledgerTime(now: number, newest: number): number {
  return Math.max(now, newest);
}
