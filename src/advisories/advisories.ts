/**
 * The advisories of all feeds of a datasource, and which of them an update from one version to another fixes.
 */
import type { Version } from '../apk/version.ts';
import { isStep, ITEMS_A_STEP, mapInSteps, sortInSteps } from '../catalog/steps.ts';
import { compareTexts } from '../sorted.ts';
import { fixedIn, isAffected, isUnreviewed, parseAffected, unite, type Affected } from './affected.ts';
import type { Feed } from './feed.ts';
import { ANY } from './feed-builder.ts';

/** Identifiers that affect the same versions, merged over all feeds and names. */
export interface Group {
  readonly affected: Affected;
  /** Sorted, separated by blanks. */
  readonly ids: string;
  readonly count: number;
}

export class Advisories {
  readonly feeds: readonly Feed[];

  constructor(feeds: readonly Feed[]) {
    this.feeds = feeds;
  }

  /** Whether any feed has the name. */
  knows(name: string): boolean {
    return this.feeds.some((feed) => feed.groups(name).length > 0);
  }

  /**
   * The advisories of a package with these `names` (its own and its origin's) on `archs`; of several archs the worst
   * counts.
   */
  *about(names: readonly string[], archs: readonly string[]): Generator<undefined, readonly Group[]> {
    const lines = names.flatMap((name) =>
      this.feeds.map((feed) => feed.groups(name)).filter((groups) => groups.length > 0),
    );
    const [only] = lines;
    if (!only) return [];
    if (lines.length === 1)
      return yield* mapInSteps(only, ({ verdict, ids }) => groupOf([verdict], ids, countWords(ids), archs));
    return yield* merge(lines, archs);
  }
}

/** Several lines may have the same identifier: a version is affected if any line says so. */
function* merge(
  lines: ReturnType<Feed['groups']>[],
  archs: readonly string[],
): Generator<undefined, readonly Group[]> {
  const verdicts = new Map<string, string>();
  let items = 0;
  for (const { verdict, ids } of lines.flat()) {
    for (const id of ids.split(' ')) {
      if (isStep((items += 1))) yield;
      const before = verdicts.get(id);
      verdicts.set(id, before === undefined ? verdict : `${before}\n${verdict}`);
    }
  }
  const byVerdict = new Map<string, string[]>();
  for (const [id, verdict] of verdicts) {
    if (isStep((items += 1))) yield;
    const group = byVerdict.get(verdict);
    if (group) group.push(id);
    else byVerdict.set(verdict, [id]);
  }
  const groups: Group[] = [];
  for (const [verdict, ids] of byVerdict) {
    const sorted = yield* sortInSteps(ids, compareTexts);
    groups.push(groupOf(verdict.split('\n'), sorted.join(' '), ids.length, archs));
  }
  return groups;
}

function groupOf(verdicts: readonly string[], ids: string, count: number, archs: readonly string[]): Group {
  return { affected: unite(verdicts.flatMap((verdict) => affectedOn(verdict, archs))), ids, count };
}

/** The entry of each arch; for an arch without one, that for all archs, or else those of the others. */
function affectedOn(verdict: string, archs: readonly string[]): readonly Affected[] {
  const byArch = new Map(
    verdict.split(';').map((part) => {
      const colon = part.indexOf(':');
      return [part.slice(0, colon), part.slice(colon + 1)] as const;
    }),
  );
  const wanted = archs.flatMap((arch) => byArch.get(arch) ?? byArch.get(ANY) ?? [...byArch.values()]);
  return [...new Set(wanted)].map(parseAffected);
}

function countWords(text: string): number {
  let count = 1;
  for (let at = text.indexOf(' '); at >= 0; at = text.indexOf(' ', at + 1)) count += 1;
  return count;
}

/** Splits no more of a long list than needed. */
function firstIds({ ids, count }: Group, most: number): readonly string[] {
  return ids.split(' ', Math.min(most, count));
}

/** The most identifiers in a merge request. */
export const MAX_NAMED = 20;

interface Cves {
  /** The first ones, as many as are named. */
  readonly listed: readonly string[];
  readonly count: number;
}

const cves = new WeakMap<Group, Cves>();

/** The CVE numbers of a group. */
export function cvesOf(group: Group): Cves {
  const known = cves.get(group);
  if (known) return known;
  const { ids } = group;
  const listed: string[] = [];
  let count = 0;
  for (let at = ids.indexOf('CVE-'); at >= 0; at = ids.indexOf('CVE-', at + 4)) {
    if (at > 0 && ids[at - 1] !== ' ') continue;
    const end = ids.indexOf(' ', at);
    if (listed.length < MAX_NAMED) listed.push(ids.slice(at, end < 0 ? undefined : end));
    count += 1;
  }
  const found = { listed, count };
  cves.set(group, found);
  return found;
}

/** The first `most` identifiers, sorted, each with its group. */
export function listIds(
  groups: readonly Group[],
  most: number,
): readonly { readonly id: string; readonly group: Group }[] {
  return groups
    .flatMap((group) => firstIds(group, most).map((id) => ({ id, group })))
    .sort((a, b) => compareTexts(a.id, b.id))
    .slice(0, most);
}

/** Those of `groups` for which `isWanted` is true, which reads all intervals of a group. */
export function* selectGroups(
  groups: readonly Group[],
  isWanted: (group: Group) => boolean,
): Generator<undefined, readonly Group[]> {
  const selected: Group[] = [];
  let work = 0;
  for (const group of groups) {
    if ((work += 1 + group.affected.intervals.length) > ITEMS_A_STEP) {
      work = 0;
      yield;
    }
    if (isWanted(group)) selected.push(group);
  }
  return selected;
}

/** Whether a group is open at a version, and not only by unreviewed scanner results. */
export function isOpenAt(version: Version): (group: Group) => boolean {
  return ({ affected }) => isAffected(affected, version) && !isUnreviewed(affected, version);
}

/** Whether only unreviewed scanner results leave a group open at a version. */
export function isUnreviewedAt(version: Version): (group: Group) => boolean {
  return ({ affected }) => isUnreviewed(affected, version);
}

/** Whether a group is open at `from`, and at `to` it is not, nor unreviewed. */
export function isFixedBetween(from: Version, to: Version): (group: Group) => boolean {
  const isOpenBefore = isOpenAt(from);
  return (group) => isOpenBefore(group) && !isAffected(group.affected, to);
}

/** The version that fixes the group at `version`, if the feeds name one. */
export function fixFor({ affected }: Group, version: Version): string | undefined {
  return fixedIn(affected, version)?.text;
}
