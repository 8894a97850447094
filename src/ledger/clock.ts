/**
 * The ledger's clock. It never goes back: after a system clock is set back, new packages would look older than they
 * are. Unix time has no leap seconds and no time zones. A system clock before the first release of this program was
 * never set, as on boards without a battery, and is not used for dates.
 */

/** Unix milliseconds; later than a clock that was never set, and earlier than this program. */
const EARLIEST = Date.UTC(2026, 0, 1);

/** How far a clock may be behind the ledger without a warning, in milliseconds: clocks of replicas differ slightly. */
export const TOLERATED_LAG = 5 * 60_000;

export function isSet(now: number): boolean {
  return now >= EARLIEST;
}

/** The time to record, from the clock and the newest time in the ledger. Unix milliseconds. */
export function ledgerTime(now: number, newest: number): number {
  return Math.max(now, newest);
}
