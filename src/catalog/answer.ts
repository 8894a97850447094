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
import type { Candidate, NameReport } from './catalog.ts';
import type { LookupQuery } from './query.ts';

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
}

/** Releases oldest first. Empty where the name has none that fit the question. */
export function releasesFor(
  report: NameReport,
  query: LookupQuery,
  remembered: readonly Version[],
): readonly Release[] {
  const offered = offeredReleases(report, query);
  if (query.current) return withCurrent(offered, query.current);
  return withRemembered(offered, select(remembered, query));
}

function offeredReleases(report: NameReport, { line, stripRevision }: LookupQuery): readonly Release[] {
  const releases: Release[] = [];
  for (const { offered, parsed, builtAt, chosen } of report.versions) {
    if (!offered || !parsed || (line && !isInLine(parsed, line))) continue;
    releases.push({
      version: parsed,
      builtAt,
      revision: revisionOf(parsed),
      candidate: chosen,
      withdrawn: false,
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

/**
 * Renovate offers no update for a pin that is gone unless the pin is listed (with `rollbackPrs`), and no rollback
 * unless it is not. So a withdrawn pin is listed exactly when something newer than it exists.
 */
function withCurrent(offered: readonly Release[], current: Version): readonly Release[] {
  if (offered.some(({ version }) => version.text === current.text)) return offered;
  const newer = offered.findIndex(({ version }) => compareVersions(version, current) > 0);
  return newer < 0 ? offered : offered.toSpliced(newer, 0, withdrawnRelease(current));
}

/** Without knowing the pin: of the versions served before, those that may be listed without leading another pin astray. */
function withRemembered(offered: readonly Release[], remembered: readonly Version[]): readonly Release[] {
  const gone = remembered.filter(
    (version) => !offered.some((release) => release.version.text === version.text),
  );
  return gone.slice(0, 1).reduce(withCurrent, offered);
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
  };
}

/** The newest stable release on offer; of a package that only ever has pre-releases, the newest of those. */
export function newestRelease(releases: readonly Release[]): Release | undefined {
  const offered = releases.filter(({ withdrawn }) => !withdrawn);
  return offered.findLast(({ version }) => !isPreRelease(version)) ?? offered.at(-1);
}

/** Versions by their texts, those that apk calls invalid left out. */
export function parseVersions(texts: readonly string[]): readonly Version[] {
  return texts.flatMap((text) => parseVersion(text) ?? []);
}
