/**
 * The advisories for a pin: what is open, which versions fix it, and the marks that a lookup gives Renovate.
 */
import { satisfies } from '../apk/constraint.ts';
import { compareVersions, isPreRelease, parseVersion, type Version } from '../apk/version.ts';
import {
  cvesOf,
  fixFor,
  isFixedBetween,
  isOpenAt,
  isUnreviewedAt,
  listIds,
  MAX_NAMED,
  selectGroups,
  type Advisories,
  type Group,
} from '../advisories/advisories.ts';
import { highestFix, isAffected, isOpen } from '../advisories/affected.ts';
import type { NameReport, VersionReport } from '../catalog/catalog.ts';
import { findLastInSteps, isStep } from '../catalog/steps.ts';
import { countBefore } from '../sorted.ts';
import { pinnedVersion, versionWithRevision, type LookupQuery } from './query.ts';
import { listedText, type Release } from './releases.ts';

/** The most identifiers in a list of an answer; the others are only counted. */
const MAX_LISTED = 1000;
/** The same for the list of each version. */
const MAX_PER_VERSION = 100;
/** Only the newest versions are considered; no real pin is that far behind. */
const MAX_VERSIONS = 500;

/** A target version, and what an update to it fixes. */
export interface Fix {
  readonly version: Version;
  readonly groups: readonly Group[];
  /** The number of identifiers that are open there but not at the pin, without unreviewed ones. */
  readonly opened: number;
}

/** The advisories for one version of a name. */
interface VersionAdvisories {
  readonly groups: readonly Group[];
  /** The version of the package, which may provide the name in another version. */
  readonly version: Version;
}

/** The advisories of one package, by its name and its origins. */
export class Security {
  readonly #advisories: Advisories;
  readonly #report: NameReport;
  readonly #groups = new Map<string, readonly Group[]>();
  #open: { readonly version: Version; readonly ids: ReadonlySet<string> } | undefined;

  constructor(advisories: Advisories, report: NameReport) {
    this.#advisories = advisories;
    this.#report = report;
  }

  /** The advisories for the newest version. */
  *all(): Generator<undefined, readonly Group[]> {
    return yield* this.#about(this.#report.versions.at(-1));
  }

  /**
   * The advisories for the name and origin of the package at `version`. A withdrawn version has the origin of the
   * nearest one; nothing is known of it if that one only provides the name in another version.
   */
  *at(version: Version): Generator<undefined, VersionAdvisories> {
    const { versions } = this.#report;
    const near = versions[Math.max(0, firstAbove(versions, version) - 1)];
    const packaged = near?.chosen.package.version;
    if (!near || packaged === near.version) return { groups: yield* this.#about(near), version };
    const isThere = near.parsed !== undefined && compareVersions(near.parsed, version) === 0;
    const own = isThere && packaged !== undefined ? parseVersion(packaged) : undefined;
    return own ? { groups: yield* this.#about(near), version: own } : { groups: [], version };
  }

  *#about(version: VersionReport | undefined): Generator<undefined, readonly Group[]> {
    const { name, archs } = this.#report;
    const { name: own = name, origin = '' } = version?.chosen.package ?? {};
    const names = [...new Set([own, origin])].filter((each) => each !== '');
    const key = names.join(' ');
    let groups = this.#groups.get(key);
    if (!groups) this.#groups.set(key, (groups = yield* this.#advisories.about(names, archs)));
    return groups;
  }

  /** What an update from `from` to `to` fixes: open at the one and known not to be open at the other. */
  *fixedBetween(from: Version, to: Version): Generator<undefined, readonly Group[]> {
    const before = yield* this.at(from);
    const after = yield* this.at(to);
    if (before.groups === after.groups)
      return yield* selectGroups(before.groups, isFixedBetween(before.version, after.version));
    const isOpenBefore = yield* this.#openIds(from);
    const fixed: Group[] = [];
    for (const [i, { affected, ids }] of after.groups.entries()) {
      if (isStep(i)) yield;
      if (isAffected(affected, after.version)) continue;
      const own = ids.split(' ').filter((id) => isOpenBefore.has(id));
      if (own.length > 0) fixed.push({ affected, ids: own.join(' '), count: own.length });
    }
    return fixed;
  }

  /** Those of `targets` that fix something, in their order. */
  *fixes(from: Version, targets: readonly Version[]): Generator<undefined, readonly Fix[]> {
    const fixes: Fix[] = [];
    for (const version of targets) {
      yield;
      const groups = yield* this.fixedBetween(from, version);
      if (groups.length > 0) fixes.push({ version, groups, opened: yield* this.#opened(from, version) });
    }
    return fixes;
  }

  *#opened(from: Version, to: Version): Generator<undefined, number> {
    const before = yield* this.at(from);
    const after = yield* this.at(to);
    const open = yield* selectGroups(after.groups, isOpenAt(after.version));
    if (before.groups === after.groups) {
      const isOpenBefore = isOpenAt(before.version);
      return countOf(yield* selectGroups(open, (group) => !isOpenBefore(group)));
    }
    return idsOf(open).difference(yield* this.#openIds(from)).size;
  }

  /** The identifiers that are open at a version, computed once for all comparisons. */
  *#openIds(version: Version): Generator<undefined, ReadonlySet<string>> {
    if (this.#open?.version !== version) {
      const known = yield* this.at(version);
      this.#open = { version, ids: idsOf(yield* selectGroups(known.groups, isOpenAt(known.version))) };
    }
    return this.#open.ids;
  }
}

function idsOf(groups: readonly Group[]): ReadonlySet<string> {
  return new Set(groups.flatMap(({ ids }) => ids.split(' ')));
}

/** The index of the first version newer than `version`; invalid versions come first. */
function firstAbove(versions: readonly VersionReport[], version: Version): number {
  return countBefore(versions.length, (i) => {
    const { parsed } = versions[i] as VersionReport;
    return !parsed || compareVersions(parsed, version) <= 0;
  });
}

/** The version that a pin stands for; for a line the newest that fits. */
export function* versionAt(
  { versions }: NameReport,
  query: LookupQuery,
): Generator<undefined, Version | undefined> {
  const pinned = versionWithRevision(query) ?? pinnedVersion(query);
  const { current } = query;
  if (pinned || !current) return pinned;
  const isMeant = ({ parsed, offered }: VersionReport): boolean =>
    offered && parsed !== undefined && satisfies(parsed, current);
  return (yield* findLastInSteps(versions, isMeant))?.parsed ?? current.version;
}

/** The newest offered versions above `from`, ascending. */
export function* newerVersions(
  { versions }: NameReport,
  from: Version,
): Generator<undefined, readonly Version[]> {
  const newer: Version[] = [];
  const start = firstAbove(versions, from);
  for (let i = versions.length - 1; i >= start && newer.length < MAX_VERSIONS; i -= 1) {
    if (isStep(i)) yield;
    const { parsed, offered } = versions[i] as VersionReport;
    if (offered && parsed) newer.push(parsed);
  }
  return newer.reverse();
}

/**
 * The versions that need not wait: one that fixes all that can be fixed within the major version, and one of another
 * major version if it fixes more. Of several, those with the fewest other open identifiers, then the lowest. Renovate
 * proposes one of each. A pre-release counts only for a pre-release that no stable version fixes.
 */
export function urgentFixes(from: Version, fixes: readonly Fix[]): readonly Fix[] {
  const stable = fixes.filter(({ version }) => !isPreRelease(version));
  const followed = stable.length === 0 && isPreRelease(from) ? fixes : stable;
  const isMajor = ({ version }: Fix): boolean => version.parts[0]?.value !== from.parts[0]?.value;
  const minor = lowestBest(followed.filter((fix) => !isMajor(fix)));
  const major = lowestBest(followed.filter(isMajor));
  const fixesMore = major && !idsOf(major.groups).isSubsetOf(idsOf(minor?.groups ?? []));
  return [...(minor ? [minor] : []), ...(major && fixesMore ? [major] : [])];
}

function lowestBest(fixes: readonly Fix[]): Fix | undefined {
  const most = Math.max(...fixes.map(({ groups }) => countOf(groups)));
  const best = fixes.filter(({ groups }) => countOf(groups) === most);
  const fewest = Math.min(...best.map(({ opened }) => opened));
  return best.find(({ opened }) => opened === fewest);
}

/** The number of identifiers in groups. */
export function countOf(groups: readonly Group[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

/**
 * The text appended to the changelog link, which Renovate compiles as a template for each update: comments for the
 * rules of the preset, and identifiers for people (docs/advisories.md). It contains only validated versions and
 * identifiers, without characters that have a meaning in a template.
 */
export function* securityMarks(
  security: Security,
  from: Version,
  query: LookupQuery,
  releases: readonly Release[],
): Generator<undefined, SecurityMarks> {
  const names = newerReleases(releases, from, query);
  const fixes = yield* security.fixes(from, [...names.keys()].reverse());
  const nameOf = ({ version }: Fix): string => listedText(names.get(version) as Release);
  // For recipes the revision is the digest. A place that only repeats the version of a pin has none.
  const digestOf = ({ version }: Fix): string | undefined =>
    query.stripRevision ? names.get(version)?.revision : undefined;
  const updatesOf = (fix: Fix): readonly string[] => {
    const digest = digestOf(fix);
    return [...(digest === undefined ? [] : [`${nameOf(fix)}+${digest}`]), nameOf(fix)];
  };
  // If only the revision is new, Renovate sees a new digest and sets no `newVersion`.
  const isUpdateTo = (fix: Fix): string => {
    const digest = digestOf(fix);
    return digest === undefined
      ? `(equals newVersion '${nameOf(fix)}')`
      : `(and (equals newValue '${nameOf(fix)}') (equals newDigest '${digest}'))`;
  };
  const notes = new Map<string, Fix[]>();
  for (const fix of fixes) {
    yield;
    const ids = identifiers(fix.groups);
    notes.set(ids, [...(notes.get(ids) ?? []), fix]);
  }
  const urgent = urgentFixes(from, fixes);
  const text = [
    ...[...notes].map(([ids, those]) => {
      const versions = those.map(isUpdateTo).join(' ');
      return `{{#if (or ${versions})}}#fixes=${ids}{{/if}}`;
    }),
    ...urgent.map((fix) => `{{! urgent '${nameOf(fix)}' }}`),
    ...fixes.flatMap(updatesOf).map((update) => `{{! fixes '${update}' }}`),
  ];
  return {
    text: text.join(''),
    urgent: urgent.map(({ version, groups }) => ({
      version: version.text,
      ids: identifiers(groups).split(','),
    })),
  };
}

interface SecurityMarks {
  readonly text: string;
  /** The versions that need not wait, and identifiers of what they fix. */
  readonly urgent: readonly UrgentFix[];
}

export interface UrgentFix {
  readonly version: string;
  readonly ids: readonly string[];
}

/** The newest releases above `from` by their full version, newest first. */
function newerReleases(
  releases: readonly Release[],
  from: Version,
  query: LookupQuery,
): ReadonlyMap<Version, Release> {
  const newer = new Map<Version, Release>();
  for (let i = releases.length - 1; i >= 0 && newer.size < MAX_VERSIONS; i -= 1) {
    const release = releases[i] as Release;
    const full = fullVersion(release, query);
    if (!full || compareVersions(full, from) <= 0) break;
    if (!release.withdrawn) newer.set(full, release);
  }
  return newer;
}

function fullVersion({ version, revision }: Release, { stripRevision }: LookupQuery): Version | undefined {
  return stripRevision && revision !== undefined ? parseVersion(`${version.text}-r${revision}`) : version;
}

/** The first CVE numbers, or other identifiers if there are none, and the number of the others. */
export function identifiers(groups: readonly Group[]): string {
  const cves = groups.map(cvesOf);
  const cveCount = cves.reduce((sum, { count }) => sum + count, 0);
  const ids = cveCount > 0 ? cves.flatMap(({ listed }) => listed).sort() : firstIds(groups);
  const more = (cveCount || countOf(groups)) - MAX_NAMED;
  return [...ids.slice(0, MAX_NAMED), ...(more > 0 ? [`${more}-more`] : [])].join(',');
}

function firstIds(groups: readonly Group[]): readonly string[] {
  return listIds(groups, MAX_NAMED).map(({ id }) => id);
}

/** One identifier in an answer. */
export interface AdvisoryEntry {
  readonly id: string;
  /** The version in which it is fixed. */
  readonly fixedIn?: string;
  /** Reviewed; no version is affected. */
  readonly notAffected?: true;
  /** There is no fix; the reason in the feed's words. */
  readonly status?: readonly string[];
}

interface AdvisoryList {
  readonly count: number;
  readonly listed: readonly AdvisoryEntry[];
}

function entries(groups: readonly Group[], at: Version | undefined, most = MAX_LISTED): AdvisoryList {
  const listed = listIds(groups, most).map(({ id, group }) => entryOf(id, group, at));
  return { count: countOf(groups), listed };
}

function entryOf(id: string, group: Group, at: Version | undefined): AdvisoryEntry {
  const { affected } = group;
  if (affected.intervals.length === 0) return { id, notAffected: true };
  const fix = at ? fixFor(group, at) : highestFix(affected)?.text;
  return {
    id,
    ...(fix !== undefined && { fixedIn: fix }),
    ...(isOpen(affected) && { status: affected.statuses }),
  };
}

/** `GET /{datasource}/{package}/advisories`; lists are cut, `…Count` are not. */
export function* advisoriesInSteps(
  security: Security,
  report: NameReport,
  query: LookupQuery,
  { pin, target }: { readonly pin: string | undefined; readonly target: Version | undefined },
): Generator<undefined, object> {
  const at = yield* versionAt(report, query);
  const head = { name: report.name, archs: report.archs };
  if (!at) {
    const { listed, count } = entries(yield* security.all(), undefined);
    return { ...head, advisories: listed, advisoriesCount: count };
  }
  const { groups: known, version } = yield* security.at(at);
  const open = entries(yield* selectGroups(known, isOpenAt(version)), version);
  const unreviewed = entries(yield* selectGroups(known, isUnreviewedAt(version)), version);
  const common = {
    ...head,
    current: pin,
    at: at.text,
    open: open.listed,
    openCount: open.count,
    unreviewed: unreviewed.listed,
    unreviewedCount: unreviewed.count,
  };
  if (target) {
    const fixed = entries(yield* security.fixedBetween(at, target), version);
    return { ...common, target: target.text, fixed: fixed.listed, fixedCount: fixed.count };
  }
  const fixes = yield* security.fixes(at, yield* newerVersions(report, at));
  const urgent = urgentFixes(at, fixes);
  const versions: object[] = [];
  for (const fix of fixes) {
    yield;
    const { listed, count } = entries(fix.groups, version, MAX_PER_VERSION);
    versions.push({
      version: fix.version.text,
      ...(urgent.includes(fix) && { doesNotWait: true }),
      fixed: listed,
      fixedCount: count,
    });
  }
  return { ...common, versions };
}

/** The advisories for a pin in `explain` and on pages. */
export interface ExplainedAdvisories {
  readonly at: string;
  readonly open: number;
  /** Unreviewed scanner results; not counted as open. */
  readonly unreviewed: number;
  /** The fixes that need not wait. */
  readonly fixes: readonly {
    readonly version: string;
    readonly count: number;
    readonly ids: readonly string[];
  }[];
}

export function* explainAdvisoriesInSteps(
  advisories: Advisories | undefined,
  report: NameReport,
  query: LookupQuery,
): Generator<undefined, ExplainedAdvisories | undefined> {
  const at = yield* versionAt(report, query);
  if (!advisories || !at) return undefined;
  const security = new Security(advisories, report);
  const { groups: known, version: packaged } = yield* security.at(at);
  const fixes = yield* security.fixes(at, yield* newerVersions(report, at));
  return {
    at: at.text,
    open: countOf(yield* selectGroups(known, isOpenAt(packaged))),
    unreviewed: countOf(yield* selectGroups(known, isUnreviewedAt(packaged))),
    fixes: urgentFixes(at, fixes).map(({ version, groups }) => ({
      version: version.text,
      count: countOf(groups),
      ids: firstIds(groups),
    })),
  };
}
