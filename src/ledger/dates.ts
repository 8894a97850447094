/**
 * When packages count as released (docs/decisions/016). The observer's clock counts; the publisher's build time (`t:`)
 * counts only for packages that existed when the ledger began. All times are unix seconds.
 */
import { IDENTITY_BYTES, wordsOf } from '../apk/identity.ts';
import { identityAt, IdentityTable, ROWS_A_STEP } from './identities.ts';

/** The packages of one index and when they count as released. */
export interface Dated {
  readonly identities: Uint8Array;
  readonly releasedAt: Uint32Array;
}

/** The date of a package that existed when the ledger began: its build time, but not in the future. */
export function firstDate(builtAt: number, now: number): number {
  return builtAt === 0 || builtAt > now ? now : builtAt;
}

/**
 * The date of a package that vanished and came back: the time of its absence does not count. So a package that was
 * listed for an hour and returns a week later is an hour old, and mirrors that differ for a minute cause no delay.
 */
export function returnDate({ releasedAt, vanishedAt }: Gone, now: number): number {
  return Math.min(now, releasedAt + Math.max(0, now - vanishedAt));
}

export interface Gone {
  readonly releasedAt: number;
  readonly vanishedAt: number;
}

/** The difference between two versions of an index. */
interface Comparison {
  /** By row of the new index; 0 for new packages. */
  readonly releasedAt: Uint32Array;
  /** Rows of the new index. */
  readonly appeared: readonly number[];
  /** Rows of the old index. */
  readonly vanished: readonly number[];
}

/** Compares an index with the new `identities`, which are all different. */
export function* compare(
  before: Dated,
  identities: Uint8Array,
  seed: number,
): Generator<undefined, Comparison> {
  // After a restart the index is mostly the same.
  if (Buffer.compare(before.identities, identities) === 0 && !before.releasedAt.includes(0))
    return { releasedAt: before.releasedAt.slice(), appeared: [], vanished: [] };
  const count = identities.length / IDENTITY_BYTES;
  const releasedAt = new Uint32Array(count);
  const stayed = new Uint8Array(before.releasedAt.length);
  const appeared: number[] = [];
  const words = wordsOf(identities);
  const old = yield* IdentityTable.make(before.identities, seed);
  const isNew = before.releasedAt.length === 0;
  for (let row = 0; row < count; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    const found = isNew ? -1 : old.find(words, row);
    if (found < 0) {
      appeared.push(row);
      continue;
    }
    stayed[found] = 1;
    releasedAt[row] = before.releasedAt[found] as number;
  }
  old.release();
  const vanished: number[] = [];
  for (let row = 0; row < stayed.length; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    if (stayed[row] === 0) vanished.push(row);
  }
  return { releasedAt, appeared, vanished };
}

/** The packages of `dated` without those with these identities. */
export function* without(dated: Dated, identities: Uint8Array, seed: number): Generator<undefined, Dated> {
  if (identities.length === 0) return dated;
  const left: number[] = [];
  const table = yield* IdentityTable.make(identities, seed);
  const words = wordsOf(dated.identities);
  for (let row = 0; row < dated.releasedAt.length; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    if (table.find(words, row) < 0) left.push(row);
  }
  table.release();
  return {
    identities: Buffer.concat(left.map((row) => identityAt(dated.identities, row))),
    releasedAt: Uint32Array.from(left, (row) => dated.releasedAt[row] as number),
  };
}

/** Keeps the earlier date of packages in both. Returns the rows of `into` that got an earlier date. */
export function* mergeDates(
  into: Dated,
  other: Dated,
  seed: number,
): Generator<undefined, readonly number[]> {
  const changed: number[] = [];
  const known = yield* IdentityTable.make(other.identities, seed);
  const words = wordsOf(into.identities);
  for (let row = 0; row < into.releasedAt.length; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    const found = known.find(words, row);
    const date = found < 0 ? Infinity : (other.releasedAt[found] as number);
    if (date >= (into.releasedAt[row] as number)) continue;
    into.releasedAt[row] = date;
    changed.push(row);
  }
  known.release();
  return changed;
}
