/**
 * Whether an index is plausible after the last good one. A signature says who made an index, not that it is the latest.
 * An attacker on the network can replay an old index, and a broken publisher can sign an empty one.
 */
import type { VerifiedIndex } from '../apk/read-index.ts';
import { IndexError } from '../errors.ts';

/** What is remembered of an index to judge the next one. */
export interface IndexSummary {
  readonly digest: string;
  readonly names: number;
  readonly packages: number;
  /** Of the newest package not built in the future. Unix seconds; 0 if unknown. */
  readonly newestBuiltAt: number;
  /** Unix seconds; 0 if unknown or in the future. */
  readonly madeAt: number;
}

export interface GuardPolicy {
  /** `refuse` holds back an index that is older than the last good one. */
  readonly rollback: 'refuse' | 'accept';
  /** The share of names (0 to 1) that may disappear at once. */
  readonly maxShrink: number;
  /** Milliseconds without a change after which an index counts as frozen; `undefined` for never. */
  readonly maxAge: number | undefined;
}

/** One package may be a large share of the names of a small repository. */
const SHRINK_FLOOR_NAMES = 4;

/**
 * Allowed clock difference in seconds. Later times are ignored: one package dated ten years ahead would make every
 * replayed index with it look as new as the last one, and every index without it older.
 */
export const CLOCK_SLACK = 86_400;

/** `now` is in unix milliseconds. */
export function summarize(index: VerifiedIndex, now: number): IndexSummary {
  const { digest, packages, madeAt, newestBuiltAt } = index;
  const latest = now / 1000 + CLOCK_SLACK;
  return {
    digest,
    names: packages.nameCount,
    packages: packages.packageCount,
    newestBuiltAt: newestBuiltAt <= latest ? newestBuiltAt : newestUntil(latest, packages.buildTimes),
    madeAt: madeAt <= latest ? madeAt : 0,
  };
}

function newestUntil(latest: number, times: Uint32Array): number {
  let newest = 0;
  for (const time of times) if (time > newest && time <= latest) newest = time;
  return newest;
}

/** Throws `index-rollback` or `index-shrunk` for an index that must not replace `last` or be the first. */
export function checkPlausible(
  last: IndexSummary | undefined,
  next: IndexSummary,
  policy: GuardPolicy,
): void {
  if (!last) {
    // If it were accepted, every name would be unknown, and Renovate would close its merge requests.
    if (next.names === 0)
      throw new IndexError('index-shrunk', 'no packages, and there was no index before it');
    return;
  }
  if (last.digest === next.digest) return;
  if (policy.rollback === 'refuse') checkNotOlder(last, next);
  checkNotShrunk(last, next, policy.maxShrink);
}

/**
 * If both indexes have the time when they were made and it differs, it decides: a withdrawal may remove the newest
 * package from a later index. Otherwise the newest packages are compared.
 */
function checkNotOlder(last: IndexSummary, next: IndexSummary): void {
  if (next.madeAt > last.madeAt && last.madeAt > 0) return;
  if (next.madeAt > 0 && next.madeAt < last.madeAt) {
    throw new IndexError(
      'index-rollback',
      `made at ${date(next.madeAt)}, before the last good one of ${date(last.madeAt)}`,
    );
  }
  if (next.newestBuiltAt < last.newestBuiltAt) {
    throw new IndexError(
      'index-rollback',
      `its newest package is from ${date(next.newestBuiltAt)}, that of the last good one from ${date(last.newestBuiltAt)}`,
    );
  }
}

function checkNotShrunk(last: IndexSummary, next: IndexSummary, maxShrink: number): void {
  const lost = last.names - next.names;
  const isEmpty = next.names === 0 && last.names > 0;
  if (isEmpty || (lost >= SHRINK_FLOOR_NAMES && lost > last.names * maxShrink)) {
    throw new IndexError('index-shrunk', `${next.names} names, the last good one had ${last.names}`);
  }
}

/**
 * Milliseconds since the index last changed: since it was first seen, or since the later of its own two times if that
 * is earlier. So a freeze shows at the first start.
 */
export function unchangedFor(summary: IndexSummary, firstSeenAt: number, now: number): number {
  const content = Math.max(summary.madeAt, summary.newestBuiltAt) * 1000;
  return now - (content > 0 ? Math.min(firstSeenAt, content) : firstSeenAt);
}

function date(seconds: number): string {
  return seconds === 0 ? 'no known time' : new Date(seconds * 1000).toISOString();
}
