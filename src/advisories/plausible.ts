/**
 * Whether a feed is plausible after the last good one. Feeds are not signed, so broken and replayed ones must be
 * detected.
 */
import { IndexError } from '../errors.ts';
import { isStep } from '../catalog/steps.ts';
import type { Feed, FeedGroup } from './feed.ts';

export interface FeedPolicy {
  /** `refuse` holds back a feed that is older than the last good one. */
  readonly rollback: 'refuse' | 'accept';
  /** The share of identifiers (0 to 1) that may disappear at once. */
  readonly maxShrink: number;
}

/** Small feeds lose a large share by losing one. */
const SHRINK_FLOOR = 4;

/**
 * Throws `index-shrunk` or `index-rollback` for a feed that should not replace `last`, or be the first. Times later than
 * `latest` (unix milliseconds) are unknown.
 */
export function* checkFeed(
  last: Feed | undefined,
  next: Feed,
  { rollback, maxShrink }: FeedPolicy,
  latest: number,
): Generator<undefined, void> {
  const { pairs, kind, newest, records } = next.facts;
  if (!last) {
    if (pairs === 0 && kind === 'osv')
      throw new IndexError('index-shrunk', `none of ${records} records is for this datasource`);
    return;
  }
  if (last.digest === next.digest) return;
  const lost = last.facts.pairs - pairs;
  if ((pairs === 0 && lost > 0) || (lost >= SHRINK_FLOOR && lost > last.facts.pairs * maxShrink))
    throw new IndexError('index-shrunk', `${pairs} identifiers, the last good one had ${last.facts.pairs}`);
  if (rollback === 'accept') return;
  const before = last.facts.newest;
  const [time, timeBefore] = [Date.parse(newest ?? ''), Date.parse(before ?? '')];
  if (time <= latest && timeBefore <= latest) {
    if (time < timeBefore)
      throw new IndexError(
        'index-rollback',
        `its newest record is of ${newest}, the last good one had one of ${before}`,
      );
    return;
  }
  const { gained, lost: gone } = yield* compareFeeds(last, next);
  if (gone > 0 && gained === 0)
    throw new IndexError(
      'index-rollback',
      `${gone} identifiers are gone and none is new, as in an older feed`,
    );
}

/** Pairs of package and identifier that only one of two feeds has. */
function* compareFeeds(
  last: Feed,
  next: Feed,
): Generator<undefined, { readonly gained: number; readonly lost: number }> {
  let [gained, lost, step] = [0, 0, 0];
  for (const name of last.names()) {
    if ((step += 1) % 64 === 0) yield;
    const [before, after] = [last.groups(name), next.groups(name)];
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    const old = yield* idsOf(before);
    const now = yield* idsOf(after);
    lost += old.difference(now).size;
    gained += now.difference(old).size;
  }
  for (const name of next.names()) {
    if ((step += 1) % 64 === 0) yield;
    if (last.groups(name).length === 0) gained += (yield* idsOf(next.groups(name))).size;
  }
  return { gained, lost };
}

function* idsOf(groups: readonly FeedGroup[]): Generator<undefined, ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { ids } of groups) {
    for (const id of ids.split(' ')) {
      found.add(id);
      if (isStep(found.size)) yield;
    }
  }
  return found;
}
