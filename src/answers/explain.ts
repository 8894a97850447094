/** "Why was this not bumped?" – what is known of every version of a name, and what a pin would be offered. */
import { parseConstraint, satisfies, type Constraint } from '../apk/constraint.ts';
import { compareVersions, isPreRelease, parseVersion, type Version } from '../apk/version.ts';
import type { Candidate, Catalog, NameReport, VersionReport, WithheldReason } from '../catalog/catalog.ts';
import { pinnedVersion, type LookupQuery } from './query.ts';
import { steerInSteps, type Steering } from './renovate-order.ts';
import { timestamp } from './render.ts';
import { finish, mapInSteps } from '../catalog/steps.ts';
import { newerSeries, seriesOf, type SeriesName } from '../catalog/series.ts';

export interface Explanation {
  readonly name: string;
  readonly archs: readonly string[];
  readonly carriedBy: readonly string[];
  /** Newest first. */
  readonly versions: readonly ExplainedVersion[];
  /** What the versions do not show, such as newer series of the same thing. */
  readonly notes?: readonly string[];
  readonly pin?: ExplainedPin;
}

export interface ExplainedVersion {
  readonly version: string;
  readonly offered: boolean;
  readonly releaseTimestamp?: string;
  readonly preRelease?: true;
  /** Why it is not offered, in words. */
  readonly reasons?: readonly string[];
  /** What the package that is installed needs and nothing in the datasource meets. */
  readonly needsElsewhere?: readonly string[];
  /** Why apko refuses it in a build for all archs, although it can be installed on each. */
  readonly refusedByApko?: string;
  readonly candidates: readonly ExplainedCandidate[];
}

export interface ExplainedCandidate {
  readonly arch: string;
  readonly repository: string;
  /** `name-version` of the package. */
  readonly package: string;
  readonly builtAt?: string;
  /** When it counts as released, where that is not when it was built. */
  readonly releasedAt?: string;
  /** Identity of another package that had this name and version before. */
  readonly republishedFrom?: string;
  readonly provided?: true;
  /** `chosen` for what apk installs, one an arch; otherwise why not, or `duplicate` where apk takes another package. */
  readonly state: 'chosen' | 'duplicate' | Exclude<WithheldReason, 'missing-on-arch'>;
  readonly detail?: string;
}

export interface ExplainedPin {
  readonly current: string;
  readonly state: 'offered' | 'withheld' | 'gone' | 'invalid';
  /** The version an update or rollback leads to; absent where there is none. */
  readonly proposal?: string;
  readonly because: string;
}

/**
 * With the catalog that the report is of, also what it needs from elsewhere and how its series go on. `pin` is as
 * people write it: a version, a constraint (`~13`) or several (`>=2 <3`).
 */
export function explain(
  report: NameReport,
  query: LookupQuery,
  pin: string | undefined,
  catalog?: Catalog,
): Explanation {
  return finish(explainInSteps(report, query, pin, catalog));
}

export function* explainInSteps(
  report: NameReport,
  query: LookupQuery,
  pin: string | undefined,
  catalog?: Catalog,
): Generator<undefined, Explanation> {
  const missing = catalog?.missingNeeds() ?? (() => []);
  const notes = catalog ? yield* notesOn(report, catalog) : [];
  return {
    name: report.name,
    archs: report.archs,
    carriedBy: report.carriedBy,
    versions: yield* mapInSteps(report.versions.toReversed(), (version) =>
      explainVersion(version, report, missing),
    ),
    ...(notes.length > 0 && { notes }),
    ...(pin !== undefined && { pin: yield* explainPin(report, query, pin) }),
  };
}

/** The same as `JSON.stringify`, in steps. */
export function* explanationText(explanation: Explanation): Generator<undefined, string> {
  const texts = yield* mapInSteps(explanation.versions, (version) => JSON.stringify(version));
  const mark = '"versions":[]';
  const rest = JSON.stringify({ ...explanation, versions: [] });
  // The first occurrence is the field: quotes within the texts before it are escaped.
  const at = rest.indexOf(mark);
  return `${rest.slice(0, at)}"versions":[${texts.join(',')}]${rest.slice(at + mark.length)}`;
}

type MissingNeeds = ReturnType<Catalog['missingNeeds']>;

const DAY = 86_400;
/** For how many days a series is not built, while newer ones are, until it is said to have stopped. */
const STOPPED_AFTER = 60;

/** What a list of versions does not show: newer series, or names that have become series or provides. */
function* notesOn(report: NameReport, catalog: Catalog): Generator<undefined, readonly string[]> {
  const { name, versions } = report;
  if (versions.length === 0) {
    const series = seriesOf(name, catalog.names()).slice(0, 3);
    return series.length === 0 ? [] : [`no package ${name}; its series are ${namesOf(series)}`];
  }
  const notes: string[] = [];
  if (versions.every(({ candidates }) => candidates.every(({ provided }) => provided))) {
    const names = yield* mapInSteps(versions, (each) => each.candidates.map((one) => one.package.name));
    const providers = [...new Set(names.flat().toReversed())];
    notes.push(`no package of its own; provided by ${listed(providers)}`);
  } else {
    const newest = versions.findLast(({ offered }) => offered);
    if (newest?.chosen.provided) {
      notes.push(`its newest release is ${newest.version}, which ${newest.chosen.package.name} provides`);
    }
  }
  const series = newerSeries(name, catalog.names());
  const lastBuilt = newestBuild(report);
  const [first] = series;
  if (first) {
    const next = newestBuild(yield* catalog.reportInSteps(first.name));
    const days = Math.floor((next - lastBuilt) / DAY);
    const stopped =
      lastBuilt > 0 && days >= STOPPED_AFTER
        ? `; this one was last built on ${day(lastBuilt)}, ${days} days before ${first.name}`
        : '';
    notes.push(`newer series: ${namesOf(series.slice(0, 3))}${stopped}`);
  }
  return notes;
}

function newestBuild({ versions }: NameReport): number {
  return versions.reduce((newest, { builtAt = 0 }) => Math.max(newest, builtAt), 0);
}

function namesOf(series: readonly SeriesName[]): string {
  return listed(series.map(({ name }) => name));
}

function listed(texts: readonly string[]): string {
  return texts.length > 3 ? `${texts.slice(0, 3).join(', ')} and ${texts.length - 3} more` : texts.join(', ');
}

function day(seconds: number): string {
  return timestamp(seconds).slice(0, 10);
}

function explainVersion(
  report: VersionReport,
  { archs }: NameReport,
  missing: MissingNeeds,
): ExplainedVersion {
  const { version, parsed, offered, releasedAt, chosenOn } = report;
  const reasons = offered ? [] : reasonsOf(report);
  const needsElsewhere = [...new Set(chosenOn.flatMap(missing))];
  const refusedByApko = offered ? multiArchObstacle(report, archs) : undefined;
  return {
    version,
    offered,
    ...(releasedAt !== undefined && { releaseTimestamp: timestamp(releasedAt) }),
    ...(parsed && isPreRelease(parsed) && { preRelease: true }),
    ...(reasons.length > 0 && { reasons }),
    ...(needsElsewhere.length > 0 && { needsElsewhere }),
    ...(refusedByApko !== undefined && { refusedByApko }),
    candidates: explainCandidates(report),
  };
}

/** Why an apko build for all archs refuses the version: it wants the same package with the same version on each. */
function multiArchObstacle(
  { candidates, chosenOn }: VersionReport,
  archs: readonly string[],
): string | undefined {
  const textOf = (each: Candidate): string => `${each.package.name}-${each.package.version}`;
  for (const chosen of chosenOn) {
    const lacking = archs.filter(
      (arch) => !candidates.some((each) => each.arch === arch && textOf(each) === textOf(chosen)),
    );
    if (lacking.length > 0) return `${textOf(chosen)} is not on ${lacking.join(', ')}`;
  }
  return undefined;
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

/** In words and once each, whatever the number of archs and packages. */
function reasonsOf({ candidates, missingOn, releasedAt }: VersionReport): readonly string[] {
  const since =
    releasedAt === undefined ? '' : ` since ${timestamp(releasedAt).slice(0, 10)}, when another arch got it`;
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
    case undefined:
      return 'nothing';
  }
}

/** `6.8.0p2-r4`: digits behind the letter. */
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
  if (!pinned) return explainRange(report, pin);
  const found = report.versions.find(({ version }) => version === pinned.text);
  const state = found?.offered ? 'offered' : found ? 'withheld' : 'gone';
  return {
    current: pin,
    state,
    ...proposalFor(pinned, yield* steerInSteps(offeredBy(report), pinned), state),
  };
}

function offeredBy({ versions }: NameReport): readonly Version[] {
  return versions.flatMap(({ parsed, offered }) => (offered && parsed ? [parsed] : []));
}

/** A pin that leaves a choice: `~13`, `=~20250619`, `>=2 <3`. */
function explainRange(report: NameReport, pin: string): ExplainedPin {
  const constraints = pin
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
  const offered = offeredBy(report);
  const installed = newestStable(offered.filter(fits));
  const newest = newestStable(offered);
  const isThere = report.versions.some(({ parsed }) => parsed && fits(parsed));
  const state = installed ? 'offered' : isThere ? 'withheld' : 'gone';
  const now = installed ? `${installed.text} is the newest release that fits` : 'no release fits';
  if (!newest) return { current: pin, state, because: 'there is no release at all' };
  if (newest === installed) return { current: pin, state, because: 'the newest release fits' };
  const [only] = constraints;
  const moved = constraints.length === 1 && only ? movedTo(newest, only) : undefined;
  if (moved === undefined || compareVersions(newest, (only as Constraint).version) < 0)
    return { current: pin, state, because: `${now}; ${newest.text} does not` };
  return { current: pin, state, proposal: moved, because: `${now}; ${newest.text} is newer` };
}

function newestStable(versions: readonly Version[]): Version | undefined {
  return versions.findLast((version) => !isPreRelease(version)) ?? versions.at(-1);
}

/** The same kind of pin for `newest`, as precise as it was: `~13` → `~16`. Only of lines; a bound is not moved. */
function movedTo({ text }: Version, { operator, version }: Constraint): string | undefined {
  if (!operator.includes('~')) return undefined;
  const numbers = /^\d+(\.\d+)*/;
  const count = numbers.exec(version.text)?.[0].split('.').length ?? 1;
  const isWhole = numbers.exec(version.text)?.[0] !== version.text;
  return operator + (isWhole ? text : (numbers.exec(text)?.[0].split('.').slice(0, count).join('.') ?? text));
}

function proposalFor(
  pinned: Version,
  { road, target }: Steering,
  state: ExplainedPin['state'],
): Pick<ExplainedPin, 'proposal' | 'because'> {
  if (!target) return { because: 'there is no release at all' };
  if (target.text === pinned.text) return { because: 'the pin is the newest release' };
  if (road === 'unreachable')
    return { because: `${target.text} is newer, but Renovate cannot tell the two apart` };
  const isNewer = compareVersions(target, pinned) > 0;
  if (!isNewer) {
    return {
      proposal: target.text,
      because: `the pin is ${state} and nothing newer exists: roll back to ${target.text}`,
    };
  }
  const detour = road === 'rollback' ? '; Renovate takes it for an older one and calls it a rollback' : '';
  return { proposal: target.text, because: `${target.text} is the newest release${detour}` };
}
