/** From what is known of a name to the releases a client is told of. */
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
import { pinnedVersion, type LookupQuery } from './query.ts';
import { listAll, safeToList, steer, steerRange, type Listed } from './renovate-order.ts';

/** One version on offer, or a withdrawn one that is listed so that its pins find a way on. */
export interface Release {
  readonly version: Version;
  /** When the last arch got it, in unix seconds. */
  readonly builtAt: number | undefined;
  /** The N of `-rN`; with `?strip=revision` that of the newest revision. */
  readonly revision: string | undefined;
  /** What stands for the version; `undefined` for a withdrawn one. */
  readonly candidate: Candidate | undefined;
  /** No longer there; listed as deprecated. */
  readonly withdrawn: boolean;
  /** A pre-release, for those who ask for one only. */
  readonly unstable: boolean;
}

/**
 * Releases oldest first; empty where the name has none that fit the question. With a pin known, the list is what leads
 * Renovate to the right version (docs/decisions/010). Without, everything is listed, and of the versions served before
 * (`remembered`) and gone those that can do no harm.
 */
export function releasesFor(
  report: NameReport,
  query: LookupQuery,
  remembered: readonly Version[],
): readonly Release[] {
  const offered = offeredReleases(report, query);
  const known = new Map(offered.map((release) => [release.version.text, release]));
  const listed = list(
    offered.map(({ version }) => version),
    query,
    remembered,
  );
  return listed.map(({ version, deprecated, unstable }) => ({
    ...(known.get(version.text) ?? withdrawnRelease(version)),
    withdrawn: deprecated,
    unstable,
  }));
}

function list(
  offered: readonly Version[],
  query: LookupQuery,
  remembered: readonly Version[],
): readonly Listed[] {
  const pinned = pinnedVersion(query);
  if (pinned) return steer(offered, pinned).listed;
  if (query.current) return steerRange(offered, query.current);
  const there = new Set(offered.map(({ text }) => text));
  const gone = select(remembered, query).filter(({ text }) => !there.has(text));
  const withdrawn = safeToList(offered, gone).map((version) => ({
    version,
    deprecated: true,
    unstable: false,
  }));
  return [...listAll(offered), ...withdrawn].sort((a, b) => compareVersions(a.version, b.version));
}

const OFFERED = { withdrawn: false, unstable: false } as const;

function offeredReleases(report: NameReport, { line, stripRevision }: LookupQuery): readonly Release[] {
  const releases: Release[] = [];
  for (const { offered, parsed, builtAt, chosen } of report.versions) {
    if (!offered || !parsed || (line && !isInLine(parsed, line))) continue;
    releases.push({
      version: parsed,
      builtAt,
      revision: revisionOf(parsed),
      candidate: chosen,
      ...OFFERED,
    });
  }
  return stripRevision ? stripRevisions(releases) : releases;
}

/** Once each: the newest revision stands for the version, whose age counts from its first revision. */
function stripRevisions(releases: readonly Release[]): readonly Release[] {
  const groups = Map.groupBy(releases, ({ version }) => withoutRevision(version).text);
  return [...groups.values()].flatMap((group) => {
    const newest = group.at(-1);
    if (!newest) return [];
    const times = group.flatMap(({ builtAt }) => builtAt ?? []);
    const builtAt = times.length === 0 ? undefined : Math.min(...times);
    return [{ ...newest, version: withoutRevision(newest.version), builtAt }];
  });
}

function select(remembered: readonly Version[], { line, stripRevision }: LookupQuery): readonly Version[] {
  const inLine = line ? remembered.filter((version) => isInLine(version, line)) : remembered;
  return stripRevision ? inLine.map(withoutRevision) : inLine;
}

function withdrawnRelease(version: Version): Release {
  return {
    version,
    builtAt: undefined,
    revision: revisionOf(version),
    candidate: undefined,
    withdrawn: true,
    unstable: false,
  };
}

/**
 * The newest stable release on offer that fits; where only pre-releases fit, the newest of those. Begins with the
 * newest, so that `fits` is asked no more often than needed.
 */
export function newestRelease(
  releases: readonly Release[],
  fits: (release: Release) => boolean = () => true,
): Release | undefined {
  let preRelease: Release | undefined;
  const stable = releases.findLast((release) => {
    if (release.withdrawn || (preRelease && isPreRelease(release.version)) || !fits(release)) return false;
    if (!isPreRelease(release.version)) return true;
    preRelease = release;
    return false;
  });
  return stable ?? preRelease;
}

/** Versions by their texts, those that apk calls invalid left out. */
export function parseVersions(texts: readonly string[]): readonly Version[] {
  return texts.flatMap((text) => parseVersion(text) ?? []);
}
