/** "Why was this not bumped?": every version of a name, and what a pin would be updated to. */
import { parseConstraint, satisfies, type Constraint } from '../apk/constraint.ts';
import {
  compareVersions,
  isPreRelease,
  parseVersion,
  withoutRevision,
  type Version,
} from '../apk/version.ts';
import type { Package, Packages } from '../apk/packages.ts';
import type {
  Candidate,
  Catalog,
  CatalogSource,
  NameReport,
  VersionReport,
  WithheldReason,
} from '../catalog/catalog.ts';
import type { Needs } from '../catalog/needs.ts';
import { ageInWords } from '../catalog/age.ts';
import { withPinned, type HeldBack } from './held-back.ts';
import { barePin, pinnedVersion, type LookupQuery } from './query.ts';
import { offeredReleases } from './releases.ts';
import { filterForRenovate, type FilteredVersions } from './renovate-order.ts';
import { timestamp } from './render.ts';
import { joinInSteps, type Body } from './body.ts';
import type { ExplainedAdvisories } from './security.ts';
import {
  eachInSteps,
  filterInSteps,
  findInSteps,
  findLastInSteps,
  finish,
  isStep,
  ITEMS_A_STEP,
  mapInSteps,
  Shared,
  sortInSteps,
} from '../catalog/steps.ts';
import { compareTexts, countBefore } from '../sorted.ts';
import { SeriesIndex, type SeriesName } from '../catalog/series.ts';
import { dateOf } from '../catalog/time.ts';
import { withdrawalsIn, type Withdrawal } from '../catalog/withdrawal.ts';

export interface Explanation {
  readonly name: string;
  readonly archs: readonly string[];
  readonly carriedBy: readonly string[];
  /** Newest first. */
  readonly versions: readonly ExplainedVersion[];
  /** Facts beyond the versions, such as newer series. */
  readonly notes?: readonly string[];
  /**
   * For a view: the versions that it holds back, the next one first. Empty if the datasource does not offer them either,
   * and the view has no others.
   */
  readonly younger?: readonly YoungerVersion[];
  readonly pin?: ExplainedPin;
  /** What the advisories say of the pin. */
  readonly advisories?: ExplainedAdvisories;
}

/** A version that is younger than the age that was asked for. */
export interface YoungerVersion {
  readonly version: string;
  /** Absent if its age is unknown. */
  readonly releasedAt?: string;
  /** When it is old enough itself; an exact dependency may be younger. */
  readonly visibleFrom?: string;
}

export interface ExplainedVersion {
  readonly version: string;
  readonly offered: boolean;
  readonly releaseTimestamp?: string;
  readonly preRelease?: true;
  /** Why it is not offered, in words. */
  readonly reasons?: readonly string[];
  /** Dependencies of the installed package that nothing in the datasource meets. */
  readonly needsElsewhere?: readonly string[];
  /** Why apko refuses it in a build for all archs, although each arch can install it. */
  readonly refusedByApko?: string;
  /** When the version is expected to be withdrawn, and why. */
  readonly withdrawal?: Withdrawal;
  readonly candidates: readonly ExplainedCandidate[];
}

export interface ExplainedCandidate {
  readonly arch: string;
  readonly repository: string;
  /** `name-version` of the package. */
  readonly package: string;
  readonly builtAt?: string;
  /** When it counts as released, if that differs from the build time. */
  readonly releasedAt?: string;
  /** Identity of another package that had this name and version before. */
  readonly republishedFrom?: string;
  readonly provided?: true;
  /**
   * `chosen` is what apk installs, one per arch. `duplicate` means that apk takes another package. Otherwise the
   * reason.
   */
  readonly state: 'chosen' | 'duplicate' | Exclude<WithheldReason, 'missing-on-arch'>;
  readonly detail?: string;
}

export interface ExplainedPin {
  readonly current: string;
  readonly state: 'offered' | 'withheld' | 'gone' | 'invalid';
  /** The target of an update or rollback; absent if there is none. */
  readonly proposal?: string;
  readonly because: string;
}

export interface ExplainOptions {
  /** Versions of the name that were served before, newest first. */
  readonly served?: readonly string[];
  /** Of the catalog; pass it to explain many names. */
  readonly needs?: Needs;
  /** The held-back versions, if the report is of a view. */
  readonly heldBack?: HeldBack | undefined;
}

/**
 * `catalog` is the one of the report; with it, the explanation includes needs that nothing meets, newer series and expected
 * withdrawals. `pin` is as people write it: a version, a constraint (`~13`) or several (`>=2 <3`).
 */
export function explain(
  report: NameReport,
  query: LookupQuery,
  pin: string | undefined,
  catalog?: Catalog,
  options?: ExplainOptions,
): Explanation {
  return finish(explainInSteps(report, query, pin, catalog, options));
}

export function* explainInSteps(
  report: NameReport,
  query: LookupQuery,
  pin: string | undefined,
  catalog?: Catalog,
  { served = [], needs: given, heldBack }: ExplainOptions = {},
): Generator<undefined, Explanation> {
  const needs = given ?? catalog?.needs();
  const series = catalog ? yield* nextSeries(report.name, catalog) : undefined;
  const younger = heldBack ? yield* youngerIn(heldBack) : [];
  const isHidden = heldBack !== undefined && report.versions.length === 0;
  const notes = [
    ...(heldBack && younger.length > 0 ? [noteOnYounger(younger, heldBack)] : []),
    ...(heldBack?.view.age.security ? yield* noteOnEarly(report, heldBack) : []),
    ...(catalog && !isHidden ? yield* notesOn(report, catalog, series, served) : []),
  ];
  const withdrawals = yield* withdrawalsIn(report, catalog?.sources ?? [], {
    nextSeriesBuiltAt: () => series?.builtAt,
  });
  const versions: ExplainedVersion[] = [];
  let candidates = 0;
  for (const version of report.versions.toReversed()) {
    if ((candidates += version.candidates.length) >= ITEMS_A_STEP) {
      candidates = 0;
      yield;
    }
    const missing = needs ? yield* missingOf(version, needs) : [];
    versions.push(explainVersion(version, report, missing, withdrawals.get(version)));
  }
  return {
    name: report.name,
    archs: report.archs,
    carriedBy: report.carriedBy,
    versions,
    ...(notes.length > 0 && { notes }),
    ...((younger.length > 0 || isHidden) && { younger }),
    ...(pin !== undefined && {
      pin: yield* explainPin(yield* withPinned(report, heldBack, query), query, pin),
    }),
  };
}

function* youngerIn({ view, versions }: HeldBack): Generator<undefined, readonly YoungerVersion[]> {
  const young = yield* filterInSteps(versions, ({ releasedAt = Infinity }) => releasedAt > view.limit);
  const sorted = yield* sortInSteps(
    [...young],
    ({ releasedAt: a = Infinity }, { releasedAt: b = Infinity }) => (a === b ? 0 : a - b),
  );
  return yield* mapInSteps(sorted, ({ version, releasedAt }) => ({
    version,
    ...(releasedAt !== undefined && {
      releasedAt: timestamp(releasedAt),
      visibleFrom: timestamp(releasedAt + view.age.seconds),
    }),
  }));
}

function noteOnYounger(younger: readonly YoungerVersion[], { view }: HeldBack): string {
  const [next] = younger;
  const count = younger.length === 1 ? '1 version is' : `${younger.length} versions are`;
  const from =
    next?.visibleFrom === undefined
      ? 'no date is known of any'
      : `the first to come is ${next.version}, from ${next.visibleFrom.slice(0, 16)}Z`;
  return `${count} not known to be ${ageInWords(view.age)} old; ${from}`;
}

/** Younger versions that are shown nevertheless (decision 19). */
function* noteOnEarly({ versions }: NameReport, { view }: HeldBack): Generator<undefined, readonly string[]> {
  const early = yield* filterInSteps(
    versions,
    ({ offered, releasedAt = Infinity }) => offered && releasedAt > view.limit,
  );
  const [first] = early;
  if (!first) return [];
  const others = early.length === 1 ? '' : ` and ${early.length - 1} more`;
  return [
    `${first.version}${others} did not wait ${ageInWords(view.age)}: as a fix, or because a fix needs it`,
  ];
}

/** The same as `JSON.stringify`, in steps. */
export function* explanationBody(explanation: Explanation): Generator<undefined, Body> {
  const texts: string[] = [];
  let candidates = 0;
  for (const version of explanation.versions) {
    if ((candidates += version.candidates.length) >= ITEMS_A_STEP) {
      candidates = 0;
      yield;
    }
    texts.push(JSON.stringify(version));
  }
  const mark = '"versions":[';
  const rest = JSON.stringify({ ...explanation, versions: [] });
  // The first occurrence is the field: quotes within the texts before it are escaped.
  const at = rest.indexOf(mark) + mark.length;
  return yield* joinInSteps(texts, { begin: rest.slice(0, at), separator: ',', end: rest.slice(at) });
}

function* missingOf({ chosenOn }: VersionReport, needs: Needs): Generator<undefined, readonly string[]> {
  const missing = new Set<string>();
  for (const each of chosenOn) for (const need of yield* needs.missing(each)) missing.add(need);
  return [...missing];
}

const DAY = 86_400;
/** Days without a build, while related names are built, after which a name counts as stopped. */
const STOPPED_AFTER = 60;

/** Newer series than that of a name, newest first, and when the newest was last built. */
interface NextSeries {
  readonly series: readonly [SeriesName, ...SeriesName[]];
  /** Unix seconds; 0 if unknown. */
  readonly builtAt: number;
}

function* nextSeries(name: string, catalog: Catalog): Generator<undefined, NextSeries | undefined> {
  const [first, ...others] = (yield* seriesIndexes.of(catalog)).newerThan(name);
  if (!first) return undefined;
  const report = yield* catalog.reportUnlessCrowded(first.name);
  const builtAt = report ? yield* newestBuild(report) : 0;
  return { series: [first, ...others], builtAt };
}

/** Newer series, names that are now series or only provided, and names that are no longer built. */
function* notesOn(
  report: NameReport,
  catalog: Catalog,
  next: NextSeries | undefined,
  served: readonly string[],
): Generator<undefined, readonly string[]> {
  const { name, versions } = report;
  if (versions.length === 0) {
    const series = (yield* seriesIndexes.of(catalog)).of(name).slice(0, 3);
    return [
      ...(served[0] === undefined
        ? []
        : [`the name has left the repositories; ${served[0]} was served before`]),
      ...(series.length === 0 ? [] : [`no package ${name}; its series are ${namesOf(series)}`]),
    ];
  }
  const notes: string[] = [];
  const own = yield* findInSteps(versions, ({ candidates }) => candidates.some(({ provided }) => !provided));
  if (!own) {
    const providers = new Set<string>();
    yield* eachInSteps(versions.toReversed(), ({ candidates }) => {
      for (const each of candidates.toReversed()) providers.add(each.package.name);
    });
    notes.push(`no package of its own; provided by ${listed([...providers])}`);
  } else {
    const newest = yield* findLastInSteps(versions, ({ offered }) => offered);
    if (newest?.chosen.provided) {
      notes.push(`its newest release is ${newest.version}, which ${newest.chosen.package.name} provides`);
    }
  }
  const undated = new Set(catalog.sources.flatMap((each) => (each.undated ? each.repository : [])));
  const dated = yield* findInSteps(versions, ({ candidates }) =>
    candidates.some((each) => !undated.has(each.repository)),
  );
  if (!dated) notes.push('no build times in the index: a release is dated from when it was first seen here');
  if (next) {
    const lastBuilt = yield* newestBuild(report);
    const { series, builtAt } = next;
    const days = Math.floor((builtAt - lastBuilt) / DAY);
    const stopped =
      lastBuilt > 0 && days >= STOPPED_AFTER
        ? `; this one was last built on ${dateOf(lastBuilt)}, ${days} days before ${series[0].name}`
        : '';
    notes.push(`newer series: ${namesOf(series.slice(0, 3))}${stopped}`);
  }
  const quiet = yield* quietBeside(report, catalog);
  if (quiet) notes.push(quiet);
  return notes;
}

const seriesIndexes = new Shared((catalog: Catalog) => SeriesIndex.of(catalog.names()));

/** A name that is no longer built while others of its origin are: the recipe no longer makes it. */
function* quietBeside({ versions }: NameReport, catalog: Catalog): Generator<undefined, string | undefined> {
  const newest = yield* findLastInSteps(versions, ({ chosen }) => !chosen.provided);
  const own = newest?.chosen;
  const { name, origin, builtAt } = own?.package ?? {};
  if (!own || !origin || builtAt === undefined) return undefined;
  const { packages } = catalog.sources.find(
    ({ repository, arch }) => repository === own.repository && arch === own.arch,
  ) as CatalogSource;
  let latest: Package | undefined;
  let count = 0;
  for (const sibling of [origin, ...(yield* namesStartingWith(`${origin}-`, packages))]) {
    if (isStep((count += 1))) yield;
    if (sibling === name) continue;
    for (const each of packages.named(sibling)) {
      if (isStep((count += 1))) yield;
      if (each.origin === origin && (each.builtAt ?? 0) > (latest?.builtAt ?? 0)) latest = each;
    }
  }
  const days = Math.floor(((latest?.builtAt ?? 0) - builtAt) / DAY);
  if (!latest || days < STOPPED_AFTER) return undefined;
  return `last built on ${dateOf(builtAt)}, ${days} days before ${latest.name}-${latest.version} of the same origin`;
}

const sortedNames = new Shared(sortNames);

function* namesStartingWith(prefix: string, packages: Packages): Generator<undefined, readonly string[]> {
  const names = yield* sortedNames.of(packages);
  const start = countBefore(names.length, (i) => (names[i] as string) < prefix);
  let end = start;
  while (names[end]?.startsWith(prefix)) end += 1;
  return names.slice(start, end);
}

function* sortNames(packages: Packages): Generator<undefined, readonly string[]> {
  const names: string[] = [];
  yield* eachInSteps(packages.names(), (name) => {
    names.push(name);
  });
  return yield* sortInSteps(names, compareTexts);
}

/** The build time of the newest build, in unix seconds; 0 if unknown. */
export function* newestBuild({ versions }: NameReport): Generator<undefined, number> {
  let newest = 0;
  yield* eachInSteps(versions, ({ builtAt = 0 }) => {
    newest = Math.max(newest, builtAt);
  });
  return newest;
}

function namesOf(series: readonly SeriesName[]): string {
  return listed(series.map(({ name }) => name));
}

function listed(texts: readonly string[]): string {
  return texts.length > 3 ? `${texts.slice(0, 3).join(', ')} and ${texts.length - 3} more` : texts.join(', ');
}

function explainVersion(
  report: VersionReport,
  { archs }: NameReport,
  needsElsewhere: readonly string[],
  withdrawal: Withdrawal | undefined,
): ExplainedVersion {
  const { version, parsed, offered, releasedAt } = report;
  const reasons = offered ? [] : reasonsOf(report);
  const refusedByApko = offered ? multiArchObstacle(report, archs) : undefined;
  return {
    version,
    offered,
    ...(releasedAt !== undefined && { releaseTimestamp: timestamp(releasedAt) }),
    ...(parsed && isPreRelease(parsed) && { preRelease: true }),
    ...(reasons.length > 0 && { reasons }),
    ...(needsElsewhere.length > 0 && { needsElsewhere }),
    ...(refusedByApko !== undefined && { refusedByApko }),
    ...(withdrawal && { withdrawal }),
    candidates: explainCandidates(report),
  };
}

/** Why an apko build for all archs refuses the version: it wants the same package with the same version on each. */
function multiArchObstacle(
  { candidates, chosenOn }: VersionReport,
  archs: readonly string[],
): string | undefined {
  const textOf = (each: Candidate): string => `${each.package.name}-${each.package.version}`;
  const missingOn = new Map<string, readonly string[]>();
  for (const [text, same] of Map.groupBy(candidates, textOf)) {
    const there = new Set(same.map(({ arch }) => arch));
    missingOn.set(text, there.size === archs.length ? [] : archs.filter((arch) => !there.has(arch)));
  }
  const lackingOf = (each: Candidate): readonly string[] => missingOn.get(textOf(each)) ?? [];
  if (candidates.some((each) => !each.obstacle && lackingOf(each).length === 0)) return undefined;
  const [chosen] = chosenOn;
  return chosen && `${textOf(chosen)} is not on ${lackingOf(chosen).join(', ')}`;
}

function explainCandidates({ candidates, chosenOn }: VersionReport): readonly ExplainedCandidate[] {
  const chosen = new Set(chosenOn);
  return candidates.map((each) => explainCandidate(each, chosen.has(each)));
}

function explainCandidate(each: Candidate, isChosen: boolean): ExplainedCandidate {
  const { releasedAt, republished } = each;
  const { builtAt } = each.package;
  const detail = each.obstacle && describeObstacle(each);
  return {
    arch: each.arch,
    repository: each.repository,
    package: `${each.package.name}-${each.package.version}`,
    ...(builtAt !== undefined && { builtAt: timestamp(builtAt) }),
    ...(releasedAt !== undefined && releasedAt !== builtAt && { releasedAt: timestamp(releasedAt) }),
    ...(republished && { republishedFrom: republished.before }),
    ...(each.provided && { provided: true }),
    state: each.obstacle?.reason ?? (isChosen ? 'chosen' : 'duplicate'),
    ...(detail !== undefined && { detail }),
  };
}

/** In words, each reason once, whatever the number of archs and packages. */
function reasonsOf({ candidates, missingOn, releasedAt }: VersionReport): readonly string[] {
  const since = releasedAt === undefined ? '' : ` since ${dateOf(releasedAt)}, when another arch got it`;
  const reasons = candidates
    .filter((each) => each.obstacle)
    .map((each) => `${describeObstacle(each)} on ${each.arch}`);
  const isInstallable = candidates.some((each) => !each.obstacle);
  for (const arch of isInstallable ? missingOn : []) {
    if (!candidates.some((each) => each.arch === arch)) reasons.push(`missing on ${arch}${since}`);
  }
  return [...new Set(reasons)];
}

function describeObstacle({ version, obstacle, package: each }: Candidate): string {
  switch (obstacle?.reason) {
    case 'dependency-unmet':
      if (obstacle.intruder !== undefined)
        return `apk installs ${obstacle.intruder} beside ${obstacle.dependency} by itself (install_if), and refuses it`;
      return obstacle.conflictsWith === undefined
        ? `${each.name} needs ${obstacle.dependency}, which cannot be installed`
        : `${each.name} needs ${obstacle.dependency}, which cannot be installed with ${obstacle.conflictsWith}`;
    case 'invalid-version':
      return isForOldApk(version)
        ? 'apk 3 calls the version invalid, only apk 2.14 accepts it'
        : 'apk calls the version invalid';
    case 'unversioned-provide':
      return `${each.name} provides it without a version, which no exact pin accepts`;
    case 'conflicting-provides':
      return `${each.name} has a name twice, at least once with a version, which apk refuses`;
    case 'foreign-arch':
      return `${each.name} is for another arch`;
    case 'unknown-field':
      return `${each.name} has a field that apk does not know and refuses`;
    case 'broken-dependency':
      return `${each.name} has a dependency that apk 3 cannot read, and refuses it`;
    case undefined:
      return 'nothing';
  }
}

/** `6.8.0p2-r4`: digits after the letter. */
function isForOldApk(text: string): boolean {
  const [, head, tail] = /^(\d[\d.]*[a-z])\d+((?:[_-].*)?)$/.exec(text) ?? [];
  return head !== undefined && parseVersion(`${head}${tail ?? ''}`) !== undefined;
}

function* explainPin(
  report: NameReport,
  query: LookupQuery,
  pin: string,
): Generator<undefined, ExplainedPin> {
  const pinned = pinnedVersion(query);
  if (!pinned) return yield* explainRange(report, query, pin);
  const offered = yield* offeredBy(report, query);
  const isPin = ({ text }: Version): boolean => text === pinned.text;
  const state = yield* stateOf(report, query, { isOffered: offered.some(isPin), fits: isPin });
  return {
    current: pin,
    state,
    ...proposalFor(pinned, yield* filterForRenovate(offered, pinned), state),
  };
}

/** What the answer lists for the same query without the pin. */
function* offeredBy(report: NameReport, query: LookupQuery): Generator<undefined, readonly Version[]> {
  return yield* mapInSteps(yield* offeredReleases(report, query), ({ version }) => version);
}

function* stateOf(
  { versions }: NameReport,
  { stripRevision }: LookupQuery,
  { isOffered, fits }: { readonly isOffered: boolean; readonly fits: (version: Version) => boolean },
): Generator<undefined, 'offered' | 'withheld' | 'gone'> {
  if (isOffered) return 'offered';
  const isThere = ({ parsed }: VersionReport): boolean =>
    parsed !== undefined && fits(stripRevision ? withoutRevision(parsed) : parsed);
  return (yield* findInSteps(versions, isThere)) ? 'withheld' : 'gone';
}

/** A pin that allows several versions: `~13`, `=~20250619`, `>=2 <3`. */
function* explainRange(
  report: NameReport,
  query: LookupQuery,
  pin: string,
): Generator<undefined, ExplainedPin> {
  const constraints = barePin(pin)
    .split(/[ ,]+/)
    .filter((part) => part !== '')
    .map(parseConstraint);
  const isRead = (each: Constraint | undefined): each is Constraint => each !== undefined;
  if (constraints.length === 0 || !constraints.every(isRead)) {
    const because = isForOldApk(pin.replace(/^=/, ''))
      ? 'apk 3 calls the version invalid, only apk 2.14 accepts it'
      : 'the pin is neither an APK version nor a constraint such as ~1.2 or >=1 <2';
    return { current: pin, state: 'invalid', because };
  }
  const fits = (version: Version): boolean => constraints.every((each) => satisfies(version, each));
  const offered = yield* offeredBy(report, query);
  const installed = yield* newestStable(yield* filterInSteps(offered, fits));
  const newest = yield* newestStable(offered);
  const state = yield* stateOf(report, query, { isOffered: installed !== undefined, fits });
  const now = installed ? `${installed.text} is the newest release that fits` : 'no release fits';
  if (!newest) return { current: pin, state, because: 'there is no release at all' };
  if (newest === installed) return { current: pin, state, because: 'the newest release fits' };
  const [only] = constraints;
  const moved = constraints.length === 1 && only ? movedTo(newest, only) : undefined;
  if (moved === undefined || compareVersions(newest, (only as Constraint).version) < 0)
    return { current: pin, state, because: `${now}; ${newest.text} does not` };
  return { current: pin, state, proposal: moved, because: `${now}; ${newest.text} is newer` };
}

function* newestStable(versions: readonly Version[]): Generator<undefined, Version | undefined> {
  return (yield* findLastInSteps(versions, (version) => !isPreRelease(version))) ?? versions.at(-1);
}

/**
 * The same kind of pin for `newest`, with the same precision: `~13` → `~16`. Only for lines; bounds are not changed.
 */
function movedTo({ text }: Version, { operator, version }: Constraint): string | undefined {
  if (!operator.includes('~')) return undefined;
  const numbers = /^\d+(\.\d+)*/;
  const count = numbers.exec(version.text)?.[0].split('.').length ?? 1;
  const isWhole = numbers.exec(version.text)?.[0] !== version.text;
  return operator + (isWhole ? text : (numbers.exec(text)?.[0].split('.').slice(0, count).join('.') ?? text));
}

function proposalFor(
  pinned: Version,
  { updatePath, target }: FilteredVersions,
  state: ExplainedPin['state'],
): Pick<ExplainedPin, 'proposal' | 'because'> {
  if (!target) return { because: 'there is no release at all' };
  if (target.text === pinned.text) return { because: 'the pin is the newest release' };
  const isNewer = compareVersions(target, pinned) > 0;
  if (updatePath === 'unreachable') {
    const fact = isNewer ? `${target.text} is newer` : `${target.text} is older and the newest release`;
    return { because: `${fact}, but Renovate cannot tell the two apart` };
  }
  if (!isNewer) {
    return {
      proposal: target.text,
      because: `the pin is ${state} and nothing newer exists: roll back to ${target.text}`,
    };
  }
  const detour =
    updatePath === 'rollback' ? '; Renovate takes it for an older one and calls it a rollback' : '';
  return { proposal: target.text, because: `${target.text} is the newest release${detour}` };
}
