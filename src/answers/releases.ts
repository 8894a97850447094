/** Selects the releases for an answer from everything known about a name. */
import {
  compareVersions,
  isInLine,
  isPreRelease,
  parseVersion,
  revisionOf,
  withoutRevision,
  type Version,
} from '../apk/version.ts';
import type { Candidate, NameReport } from '../catalog/catalog.ts';
import {
  eachInSteps,
  filterInSteps,
  findLastInSteps,
  isStep,
  mapInSteps,
  sortInSteps,
} from '../catalog/steps.ts';
import { pinnedVersion, type LookupQuery } from './query.ts';
import {
  listAll,
  safeToList,
  filterForRenovate,
  filterRangeForRenovate,
  type Listed,
} from './renovate-list.ts';

/** An offered version, or a withdrawn one that is listed so that its pins are updated. */
export interface Release {
  readonly version: Version;
  /** When the last arch's package was built, in unix seconds. */
  readonly builtAt: number | undefined;
  /** When the last arch got it, in unix seconds. */
  readonly releasedAt: number | undefined;
  /** The N of `-rN`; with `?strip=revision` that of the newest revision. */
  readonly revision: string | undefined;
  /** The package behind the version; `undefined` for a withdrawn one. */
  readonly candidate: Candidate | undefined;
  /** Withdrawn; listed as deprecated. */
  readonly withdrawn: boolean;
  /** A pre-release, proposed only for pins that follow pre-releases. */
  readonly unstable: boolean;
  /** The text to list instead of the version. */
  readonly shortened?: string | undefined;
}

/** The version as an answer lists it. */
export function listedText({ version, shortened }: Release): string {
  return shortened ?? version.text;
}

/**
 * Releases, oldest first; empty if none matches the query. If the pin is known, the list leads Renovate to the right
 * version (docs/decisions/010). Otherwise everything is listed, including those withdrawn versions (`remembered`) that
 * cannot cause a wrong update.
 */
export function* releasesFor(
  report: NameReport,
  query: LookupQuery,
  remembered: readonly Version[],
): Generator<undefined, readonly Release[]> {
  const offered = yield* offeredReleases(report, query);
  const known = new Map<string, Release>();
  yield* eachInSteps(offered, (release) => {
    known.set(release.version.text, release);
  });
  const versions = yield* mapInSteps(offered, ({ version }) => version);
  const listed = yield* list(versions, query, remembered);
  return yield* mapInSteps(listed, ({ version, deprecated, unstable, shortened }) => ({
    ...(known.get(version.text) ?? withdrawnRelease(version)),
    withdrawn: deprecated,
    unstable,
    shortened,
  }));
}

function* list(
  offered: readonly Version[],
  query: LookupQuery,
  remembered: readonly Version[],
): Generator<undefined, readonly Listed[]> {
  const pinned = pinnedVersion(query);
  if (pinned) return (yield* filterForRenovate(offered, pinned)).listed;
  if (query.current) return yield* filterRangeForRenovate(offered, query.current);
  const all = yield* listAll(offered);
  const candidates = select(remembered, query);
  const asked = new Set(candidates.map(({ text }) => text));
  const there = new Set(yield* filterInSteps(yield* mapInSteps(offered, textOf), (text) => asked.has(text)));
  const gone = candidates.filter(({ text }) => !there.has(text));
  if (gone.length === 0) return all;
  const withdrawn = (yield* safeToList(offered, gone)).map((version) => ({
    version,
    deprecated: true,
    unstable: false,
  }));
  return yield* sortInSteps([...all, ...withdrawn], (a, b) => compareVersions(a.version, b.version));
}

function textOf({ text }: Version): string {
  return text;
}

/** The offered versions that the query allows, whatever the pin; oldest first. */
export function* offeredReleases(
  report: NameReport,
  { line, stripRevision, takesRevision = false }: LookupQuery,
): Generator<undefined, readonly Release[]> {
  const releases: Release[] = [];
  for (const [i, { offered, parsed, builtAt, releasedAt, chosen }] of report.versions.entries()) {
    if (isStep(i)) yield;
    if (!offered || !parsed || (line && !isInLine(parsed, line))) continue;
    releases.push({
      version: parsed,
      builtAt,
      releasedAt,
      revision: revisionOf(parsed),
      candidate: chosen,
      withdrawn: false,
      unstable: false,
    });
  }
  return stripRevision ? yield* stripRevisions(releases, takesRevision) : releases;
}

/**
 * One release per version without revision: the newest revision. Its date is that of the first one, unless the file takes
 * the revision, too. `builtAt` is that of the first one, where the changes since the pin begin.
 */
function* stripRevisions(
  releases: readonly Release[],
  takesRevision: boolean,
): Generator<undefined, readonly Release[]> {
  const groups = new Map<string, Release[]>();
  for (const [i, release] of releases.entries()) {
    if (isStep(i)) yield;
    const { text } = withoutRevision(release.version);
    const group = groups.get(text);
    if (group) group.push(release);
    else groups.set(text, [release]);
  }
  return yield* mapInSteps([...groups.values()], (group) => {
    const newest = group.at(-1) as Release;
    return {
      ...newest,
      version: withoutRevision(newest.version),
      builtAt: oldest(group, 'builtAt'),
      releasedAt: takesRevision ? newest.releasedAt : oldest(group, 'releasedAt'),
    };
  });
}

function oldest(group: readonly Release[], time: 'builtAt' | 'releasedAt'): number | undefined {
  const times = group.flatMap((each) => each[time] ?? []);
  return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
}

function select(remembered: readonly Version[], { line, stripRevision }: LookupQuery): readonly Version[] {
  const inLine = line ? remembered.filter((version) => isInLine(version, line)) : remembered;
  return stripRevision ? inLine.map(withoutRevision) : inLine;
}

function withdrawnRelease(version: Version): Release {
  return {
    version,
    builtAt: undefined,
    releasedAt: undefined,
    revision: revisionOf(version),
    candidate: undefined,
    withdrawn: true,
    unstable: false,
  };
}

/**
 * The newest stable release that matches; if only pre-releases match, the newest of those. Starts with the newest, so
 * `fits` is called as little as possible.
 */
export function* newestRelease(
  releases: readonly Release[],
  fits: (release: Release) => boolean = () => true,
): Generator<undefined, Release | undefined> {
  let preRelease: Release | undefined;
  const stable = yield* findLastInSteps(releases, (release) => {
    if (release.withdrawn || (preRelease && isPreRelease(release.version)) || !fits(release)) return false;
    if (!isPreRelease(release.version)) return true;
    preRelease = release;
    return false;
  });
  return stable ?? preRelease;
}

/** Parsed versions; those that apk calls invalid are left out. */
export function parseVersions(texts: readonly string[]): readonly Version[] {
  return texts.flatMap((text) => parseVersion(text) ?? []);
}
