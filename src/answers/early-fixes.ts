/**
 * Which packages `@7d+security` shows although they are too young (docs/decisions/019): the lowest version of a
 * package that fixes every open vulnerability of the view that can be fixed, its build, and its exact dependencies.
 */
import { isExact, RowSet } from '../apk/packages.ts';
import { isPreRelease, type Version } from '../apk/version.ts';
import type { Advisories } from '../advisories/advisories.ts';
import type { Catalog, NameReport, Taken, VersionReport } from '../catalog/catalog.ts';
import type { Cooled } from '../catalog/cooldown.ts';
import { eachInSteps, isStep } from '../catalog/steps.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { newerVersions, Security, urgentFixes } from './security.ts';

/** The rows that `cooled` hides but that are shown nevertheless, one set for each source. */
export function* earlyFixes(
  { catalog, advisories }: Snapshot,
  cooled: Cooled,
): Generator<undefined, readonly RowSet[]> {
  if (!advisories) return [];
  const young = yield* youngPackages(catalog, cooled);
  const noRows = (): readonly RowSet[] =>
    catalog.sources.map(({ packages }) => new RowSet(packages.rowCount));
  const [shown, seen] = [noRows(), noRows()];
  const waiting: Taken[] = [];
  const waitingForThem = yield* packagesThatNeed(young, catalog);
  for (const name of yield* namesWithAdvisories([...young, ...waitingForThem], advisories)) {
    yield;
    const report = yield* catalog.reportUnlessCrowded(name);
    if (!report) continue;
    const all = withoutProvides(report);
    const old = withoutProvides(yield* cooled.catalog.reportInSteps(name));
    for (const fix of yield* fixesOf(all, old, advisories)) waiting.push(...fix.chosenOn);
  }
  const builds = Map.groupBy(young, buildOf);
  for (let next = waiting.pop(), i = 0; next; next = waiting.pop()) {
    if (isStep((i += 1))) yield;
    const { source, package: each } = next;
    if (seen[source]?.has(each.row)) continue;
    seen[source]?.add(each.row);
    // One that is old enough may wait for what it needs.
    if (cooled.hidden[source]?.has(each.row)) {
      shown[source]?.add(each.row);
      waiting.push(...(builds.get(buildOf(next)) ?? []));
    }
    waiting.push(...(yield* catalog.takenFor(each, catalog.sources[source]?.arch ?? '')));
  }
  return shown;
}

function* youngPackages({ sources }: Catalog, { hidden }: Cooled): Generator<undefined, readonly Taken[]> {
  const young: Taken[] = [];
  for (const [source, { packages }] of sources.entries())
    yield* eachInSteps(hidden[source]?.rows() ?? [], (row) => {
      young.push({ source, package: packages.at(row) });
    });
  return young;
}

/** Packages that may be old enough themselves, but need a young one exactly. */
function* packagesThatNeed(
  young: readonly Taken[],
  { sources }: Catalog,
): Generator<undefined, readonly Taken[]> {
  const names = new Set<string>();
  yield* eachInSteps(young, ({ package: { name, provides } }) => {
    names.add(name);
    for (const provide of provides) names.add(provide.name);
  });
  const needing: Taken[] = [];
  for (const [source, { packages }] of sources.entries())
    for (let row = 0; row < packages.rowCount; row += 1) {
      if (isStep(row)) yield;
      const each = packages.at(row);
      if (!each.needsExactly) continue;
      for (const dependency of each.bindingDependencies)
        if (isExact(dependency) && names.has(dependency.name)) needing.push({ source, package: each });
    }
  return needing;
}

/** Names of packages for which the feeds have the name or the origin. */
function* namesWithAdvisories(
  young: readonly Taken[],
  advisories: Advisories,
): Generator<undefined, ReadonlySet<string>> {
  const isKnown = new Map<string, boolean>();
  const knows = (name: string): boolean => {
    let known = isKnown.get(name);
    if (known === undefined) isKnown.set(name, (known = name !== '' && advisories.knows(name)));
    return known;
  };
  const names = new Set<string>();
  yield* eachInSteps(young, ({ package: { name, origin } }) => {
    if (!names.has(name) && (knows(name) || knows(origin))) names.add(name);
  });
  return names;
}

/** Feeds know packages by their own names; the version of a provide may be anything. */
function withoutProvides(report: NameReport): NameReport {
  return { ...report, versions: report.versions.filter(({ chosen }) => !chosen.provided) };
}

/**
 * The versions of a name that need not wait and are not in the view already. For every major version, the open
 * vulnerabilities of the newest offered stable version and of the newest pre-release count.
 */
function* fixesOf(
  all: NameReport,
  old: NameReport,
  advisories: Advisories,
): Generator<undefined, readonly VersionReport[]> {
  const shown = new Set<string>();
  const newest = new Map<string, Version>();
  for (const { offered, parsed, version } of old.versions) {
    if (!offered || !parsed) continue;
    shown.add(version);
    newest.set(`${parsed.parts[0]?.value} ${isPreRelease(parsed)}`, parsed);
  }
  const security = new Security(advisories, all);
  const early = new Set<string>();
  for (const from of newest.values()) {
    const fixes = yield* security.fixes(from, yield* newerVersions(all, from));
    for (const { version } of urgentFixes(from, fixes)) if (!shown.has(version.text)) early.add(version.text);
  }
  return all.versions.filter(({ version, offered }) => offered && early.has(version));
}

/** A key shared by the packages of one build: same origin, version and index. */
function buildOf({ source, package: { name, origin, version } }: Taken): string {
  return JSON.stringify([source, origin === '' ? { name } : origin, version]);
}
