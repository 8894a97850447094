/** The packages that appeared and vanished, for `/{datasource}/-/changes`. */
import { parseTime } from '../catalog/time.ts';

export interface Change {
  /** Unix milliseconds. */
  readonly at: number;
  /** `republished`: another package took the name and version of an earlier one. */
  readonly kind: 'appeared' | 'vanished' | 'republished';
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  readonly repository: string;
  readonly identity: string;
  /** For a republished package: the identity of the one before. */
  readonly before?: string;
}

export interface Changes {
  /** Newest first. */
  readonly changes: readonly Change[];
  /** Whether there are more changes since then. */
  readonly more: boolean;
}

/** A version that an index no longer has. */
export interface Vanished {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
  /** When the ledger last saw it vanish; unix milliseconds. */
  readonly at: number;
}

/** The limit of changes in one answer. */
export const MAX_CHANGES = 1000;

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Parses a time (`2026-07-24T06:00Z`, `2026-07-24`) or an age (`24h`, `7d`) to unix milliseconds; `undefined` for other
 * texts. The plus sign of a zone is a blank in a query, unless it is escaped.
 */
export function parseSince(text: string, now: number): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,5})([mhd])$/.exec(text) ?? [];
  return amount === undefined
    ? parseTime(text.replace(' ', '+'))
    : now - Number(amount) * (units[unit] ?? NaN);
}

export function changeJson({ at, ...change }: Change): object {
  return { at: new Date(at).toISOString(), ...change };
}
