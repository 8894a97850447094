/** Explains every version of a name, why it is or is not offered, and what a pin would be updated to. */
import { isPreRelease } from '../apk/version.ts';
import type { Candidate, Catalog, NameReport, VersionReport, WithheldReason } from '../catalog/catalog.ts';
import type { Needs } from '../catalog/needs.ts';
import { filterInSteps, finish, ITEMS_A_STEP, mapInSteps, sortInSteps } from '../catalog/steps.ts';
import { dateOf } from '../catalog/time.ts';
import { withdrawalsIn, type Withdrawal } from '../catalog/withdrawal.ts';
import { joinInSteps, type Body } from './body.ts';
import { nextSeries, noteOnEarly, notesOn, noteOnYounger } from './explain-notes.ts';
import { explainPin, validOnlyBefore, type ExplainedPin } from './explain-pin.ts';
import { withPinned, type HeldBack } from './held-back.ts';
import type { LookupQuery } from './query.ts';
import { timestamp } from './render.ts';
import type { ExplainedAdvisories } from './security.ts';

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
  /** The advisories for the pin. */
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

export interface ExplainOptions {
  /** Versions of the name that were served before, newest first. */
  readonly served?: readonly string[];
  /** Of the catalog; pass it to explain many names. */
  readonly needs?: Needs;
  /** The held-back versions, if the report is of a view. */
  readonly heldBack?: HeldBack | undefined;
}

/** `catalog` is the one of the report. `pin` is as users write it; see `explainPin`. */
export function explain(
  report: NameReport,
  query: LookupQuery,
  pin: string | undefined,
  catalog: Catalog,
  options?: ExplainOptions,
): Explanation {
  return finish(explainInSteps(report, query, pin, catalog, options));
}

export function* explainInSteps(
  report: NameReport,
  query: LookupQuery,
  pin: string | undefined,
  catalog: Catalog,
  { served = [], needs = catalog.needs(), heldBack }: ExplainOptions = {},
): Generator<undefined, Explanation> {
  const series = yield* nextSeries(report.name, catalog);
  const younger = heldBack ? yield* youngerIn(heldBack) : [];
  const isHidden = heldBack !== undefined && report.versions.length === 0;
  const notes = [
    ...(heldBack && younger.length > 0 ? [noteOnYounger(younger, heldBack)] : []),
    ...(heldBack?.view.age.security ? yield* noteOnEarly(report, heldBack) : []),
    ...(isHidden ? [] : yield* notesOn(report, catalog, series, served)),
  ];
  const withdrawals = yield* withdrawalsIn(report, catalog.sources, {
    nextSeriesBuiltAt: () => series?.builtAt,
  });
  const versions: ExplainedVersion[] = [];
  let candidates = 0;
  for (const version of report.versions.toReversed()) {
    if ((candidates += version.candidates.length) >= ITEMS_A_STEP) {
      candidates = 0;
      yield;
    }
    const missing = yield* missingOf(version, needs);
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

/** Why a candidate cannot be installed. `text` is what to call its package. */
export function describeObstacle({ version, obstacle, package: { name } }: Candidate, text = name): string {
  switch (obstacle?.reason) {
    case 'dependency-unmet':
      if (obstacle.autoInstall !== undefined)
        return `apk installs ${obstacle.autoInstall} automatically with ${obstacle.dependency} (install_if), but refuses it`;
      return obstacle.conflictsWith === undefined
        ? `${text} needs ${obstacle.dependency}, which cannot be installed`
        : `${text} needs ${obstacle.dependency}, which cannot be installed with ${obstacle.conflictsWith}`;
    case 'invalid-version':
      return validOnlyBefore(version) ?? 'apk calls the version invalid';
    case 'unversioned-provide':
      return `${text} provides it without a version, which no exact pin accepts`;
    case 'conflicting-provides':
      return `${text} has a name twice, at least once with a version, which apk refuses`;
    case 'foreign-arch':
      return `${text} is for another arch`;
    case 'unknown-field':
      return `${text} has a field that apk does not know and refuses`;
    case 'broken-dependency':
      return `${text} has a dependency that apk 3 cannot read, and refuses it`;
    case undefined:
      return 'nothing';
  }
}
