/** The position of a replica. A replica that is behind must not report old versions as changes. */

/**
 * When each index was made, by its label; for a view the clock, and with fixes the time of each feed's newest advisory.
 * In unix seconds; null if it is not loaded, or for a view if the ledger does not know its dates yet.
 */
export type Position = Readonly<Record<string, number | null>>;

export const CLOCK = 'clock';

/** Seconds. A clock that was further ahead was wrong; otherwise nothing would be reported until real time caught up. */
const MAX_AHEAD = 86_400;

/**
 * Whether `mine` is behind: an index is not loaded yet, or, with several replicas, is older. For a single observer,
 * an older index is upstream's current one.
 */
export function isBehind(mine: Position, seen: Position, isShared: boolean): boolean {
  return Object.entries(mine).some(([label, own]) => {
    const other = seen[label];
    if (other === undefined || other === null) return false;
    if (own === null) return true;
    const isWrong = label === CLOCK && other - own > MAX_AHEAD;
    return isShared && own < other && !isWrong;
  });
}
