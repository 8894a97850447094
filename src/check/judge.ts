/**
 * Judges a pin by an index: whether it can be installed, and which version is newer. Pure, except for the caches of the
 * catalogs; the same for the command line, the library and the service.
 */
import { LRUCache } from 'lru-cache';
import { parseConstraint, satisfies } from '../apk/constraint.ts';
import {
  compareVersions,
  isPreRelease,
  parseVersion,
  withoutRevision,
  type Version,
} from '../apk/version.ts';
import type { Advisories } from '../advisories/advisories.ts';
import { CloseNames } from '../answers/close-names.ts';
import { newestBuild } from '../answers/explain.ts';
import { countOf, identifiers, Security, urgentFixes, type Fix } from '../answers/security.ts';
import { withdrawalText } from '../answers/withdrawal-text.ts';
import type { Unmet } from '../catalog/coherence.ts';
import { Catalog, type Candidate, type NameReport, type VersionReport } from '../catalog/catalog.ts';
import type { Needs } from '../catalog/needs.ts';
import { SeriesIndex } from '../catalog/series.ts';
import { finish } from '../catalog/steps.ts';
import { isLikely, withdrawalsIn } from '../catalog/withdrawal.ts';
import type { Pin } from '../pins/pin.ts';
import { apkoMeets, apkoOperators, parseApkoVersion } from './apko.ts';
import { Build } from './apko-resolver.ts';
import type { Level, RuleId } from './rules.ts';

/** A pin without its place, as sent to a service. */
export type AskedPin = Pick<
  Pin,
  | 'text'
  | 'name'
  | 'operator'
  | 'version'
  | 'tag'
  | 'tagIsBehind'
  | 'tool'
  | 'isRuntime'
  | 'isLocked'
  | 'context'
> & {
  /** Pins with the same value are installed together. */
  readonly world: string;
};

/** Milliseconds: withdrawals expected sooner are worth a warning. */
const SOON = 31 * 86_400_000;

/** The size of an update: the revision only, the third number, the second, or the first. */
export type Step = 'rebuild' | 'patch' | 'minor' | 'major';
export const steps: readonly Step[] = ['rebuild', 'patch', 'minor', 'major'];

/** The newer versions to which a pin may be raised. */
export interface Policy {
  readonly within: Step;
  /** Milliseconds since the version was built. */
  readonly minAge: number;
  /** Only to the lowest version that fixes most of the vulnerabilities known at the pin, whatever its age. */
  readonly security?: boolean | undefined;
}

export interface Problem {
  readonly rule: RuleId;
  /** Lower case, no full stop. */
  readonly message: string;
  /** The archs it concerns. */
  readonly archs?: readonly string[];
  /** If it differs from the rule's level. */
  readonly level?: Level;
  /** The day on which the version went that the pin needs, `2026-11-20`, where a ledger knows it. */
  readonly since?: string;
}

export interface Judgment {
  readonly datasource?: string;
  /** Why no datasource is asked. */
  readonly notAsked?: string;
  readonly problems: readonly Problem[];
  /**
   * The newest version that is newer than the pin and fits the policy, as precise as the pin; for a name, an exact one.
   */
  readonly target?: string;
  /** The newest version of all. */
  readonly newest?: string;
  readonly step?: Step;
}

/** Blanks that look like others are shown by their code, as in `1.0-r0\u{a0}`. */
function visible(version: string): string {
  return version.replace(/[^!-~]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`);
}

/** Problems in the spelling of the constraint. */
export function spellingProblems(pin: AskedPin): readonly Problem[] {
  const { tool, operator, version, tag, tagIsBehind, name } = pin;
  const problems: Problem[] = [];
  const isKnown = tool === 'apk' || operator === '' || apkoOperators.includes(operator);
  if (!isKnown)
    problems.push({
      rule: 'operator-ignored',
      message: `apko does not know ${operator} and takes any version of ${name}`,
    });
  else if (/^==+$/.test(operator)) problems.push({ rule: 'double-equals', message: `${operator} means =` });
  if (tag !== undefined && operator !== '' && tool === 'apko' && !tagIsBehind)
    problems.push({
      rule: 'tag-form',
      message: `apko reads the tag behind the version: ${name}${operator}${version}@${tag}`,
    });
  if (tag !== undefined && operator !== '' && tool === 'apk' && tagIsBehind)
    problems.push({
      rule: 'tag-form',
      message: `apk reads the tag in front of the operator: ${name}@${tag}${operator}${version}`,
    });
  if (operator !== '' && isKnown && !operator.includes('><') && !isVersion(pin)) {
    const what = version === '' ? 'nothing' : visible(version);
    problems.push({ rule: 'invalid-version', message: `${what} is no version that ${tool} reads` });
  }
  return problems;
}

function isVersion({ tool, version }: AskedPin): boolean {
  return (tool === 'apko' ? parseApkoVersion(version) : parseVersion(version)) !== undefined;
}

/** Judgments that are kept; most repositories pin fewer packages. */
const MAX_JUDGED = 10_000;
/** Names whose versions are kept: pins of one name often follow each other. */
const MAX_VIEWS = 256;
/** Builds of apko's that are kept: one for each arch of images with the same archs and tags. */
const MAX_BUILDS = 8;
/** Names and constraints of which a build remembers the packages. */
const MAX_BUILD_SIZE = 20_000;

export type ApkoObstacle = { readonly arch: string; readonly fact: string } | 'none' | 'unknown';

/** A datasource to judge by. Keeps its judgments, within bounds, as long as it is kept itself. */
export class Source {
  readonly name: string;
  readonly #catalogs: Readonly<Record<Pin['tool'], Catalog>>;
  readonly #advisories: Advisories | undefined;
  readonly #judged = new LRUCache<string, Judged>({ max: MAX_JUDGED });
  readonly #views = new LRUCache<string, View>({ max: MAX_VIEWS });
  readonly #builds = new LRUCache<string, Build>({ max: MAX_BUILDS });
  readonly #needs: Partial<Record<Pin['tool'], Needs>> = {};
  #names: readonly string[] | undefined;
  #close: CloseNames | undefined;
  #series: SeriesIndex | undefined;

  constructor(name: string, catalog: Catalog, advisories?: Advisories) {
    const { sources, archs } = catalog;
    this.name = name;
    this.#advisories = advisories;
    this.#catalogs = {
      apk: catalog,
      apko: new Catalog({ sources, archs, unversionedProvides: true, complete: catalog.isComplete }),
    };
  }

  get archs(): readonly string[] {
    return this.#catalogs.apk.archs;
  }

  /** Of its indexes, each repository once. */
  get repositories(): ReadonlySet<string> {
    return new Set(this.#catalogs.apk.sources.map(({ repository }) => repository));
  }

  /** Judges a pin whose spelling is valid. */
  judge(pin: AskedPin, options: JudgeOptions): Judged {
    const { tool, text, name, operator, version, tag, isRuntime, isLocked } = pin;
    const { now, policy, archs, tags, isResolved } = options;
    // Anybody may ask a service: no pin must look like another one.
    const key = JSON.stringify([
      ...[tool, text, name, operator, version, tag, isRuntime, isLocked, now, archs],
      ...[policy.within, policy.minAge, policy.security, tags.key, isResolved],
    ]);
    let judged = this.#judged.get(key);
    if (!judged) this.#judged.set(key, (judged = judge(pin, this, options)));
    return judged;
  }

  has(name: string): boolean {
    return this.#catalogs.apk.has(name);
  }

  view(name: string, tool: Pin['tool'], archs: readonly string[]): View {
    const key = `${tool} ${archs.join()} ${name}`;
    let view = this.#views.get(key);
    if (!view) {
      const report = this.#catalogs[tool].report(name, archs);
      view = new View(report, tool, archs, () => this.#needsOf(tool));
      this.#views.set(key, view);
    }
    return view;
  }

  /**
   * Where and why apko's own algorithm fails with these pins in one image. `'unknown'` unless the datasource is complete:
   * otherwise a dependency may be in a repository that is not configured.
   */
  *obstacleByApko(
    pins: readonly AskedPin[],
    { archs, tags }: Pick<JudgeOptions, 'archs' | 'tags'>,
  ): Generator<undefined, ApkoObstacle> {
    if (!this.#catalogs.apko.isComplete) return 'unknown';
    const texts = pins.map(
      ({ name, operator, version, tag }) =>
        `${name}${operator}${version}${tag === undefined ? '' : `@${tag}`}`,
    );
    for (const arch of archs) {
      const fact = yield* this.#buildFor(arch, archs, tags).obstacle(texts);
      if (fact !== undefined) return { arch, fact };
    }
    return 'none';
  }

  #buildFor(arch: string, archs: readonly string[], tags: Tags): Build {
    const key = `${arch} ${archs.join()} ${tags.key}`;
    let build = this.#builds.get(key);
    if (!build || build.size > MAX_BUILD_SIZE) {
      const { sources } = this.#catalogs.apko;
      const byArch = new Map(archs.map((each) => [each, sources.filter((source) => source.arch === each)]));
      build = new Build({ arch, sources: byArch, tagOf: tags.of });
      this.#builds.set(key, build);
    }
    return build;
  }

  /** Which of exact pins do not go together by what they need exactly, and why; on one arch. */
  *conflict(
    pins: readonly AskedPin[],
    tool: Pin['tool'],
    arch: string,
  ): Generator<undefined, { readonly pins: readonly AskedPin[]; readonly fact: string } | undefined> {
    const found = yield* this.#catalogs[tool].conflict(pins, arch);
    return found && { pins: pins.filter((_, i) => found.asked.includes(i)), fact: unmetText(found.unmet) };
  }

  /** The expected withdrawal of an exactly pinned version. */
  withdrawal({ name, tool }: AskedPin, { report }: View, meets: Meets, now: number): readonly Problem[] {
    const { sources } = this.#catalogs[tool];
    const nextSeriesBuiltAt = (): number | undefined => this.#nextSeriesBuiltAt(name);
    const expected = finish(withdrawalsIn(report, sources, { nextSeriesBuiltAt }));
    const version = report.versions.findLast((each) => meets(each.version));
    const withdrawal = version && expected.get(version);
    if (!withdrawal) return [];
    const { expectedOn } = withdrawal;
    const isSoon = expectedOn !== undefined && Date.parse(expectedOn) - now < SOON && isLikely(withdrawal);
    const message = `${version.version} ${isLikely(withdrawal) ? 'is ' : ''}${withdrawalText(withdrawal)}`;
    return [{ rule: 'expected-withdrawal', message, ...(!isSoon && { level: 'note' }) }];
  }

  /** Build time of the newest package of the newest series, if there is a newer series. */
  #nextSeriesBuiltAt(name: string): number | undefined {
    const [next] = this.#allSeries().newerThan(name);
    const report = next && finish(this.#catalogs.apk.reportUnlessCrowded(next.name));
    return report && finish(newestBuild(report));
  }

  #allSeries(): SeriesIndex {
    this.#series ??= finish(SeriesIndex.of(this.#allNames()));
    return this.#series;
  }

  #allNames(): readonly string[] {
    this.#names ??= [...this.#catalogs.apk.names()];
    return this.#names;
  }

  /** For an unknown name: its series, or similar names. */
  closeNames(name: string): readonly string[] {
    const series = this.#allSeries().of(name);
    if (series.length > 0) return series.slice(0, 3).map((each) => each.name);
    this.#close ??= finish(CloseNames.of(this.#allNames()));
    return finish(this.#close.to(name));
  }

  /** What going from a version to each of `targets`, oldest first, fixes; nothing where it has no advisories. */
  fixes({ report }: View, from: Version, targets: readonly Version[]): readonly Fix[] {
    return this.#advisories ? finish(new Security(this.#advisories, report).fixes(from, targets)) : [];
  }

  #needsOf(tool: Pin['tool']): Needs {
    return (this.#needs[tool] = this.#catalogs[tool].needs(this.#needs[tool]));
  }
}

type Meets = (version: string) => boolean;
/** For a name without a constraint; a provide without a version meets it too. */
const ANY: Meets = () => true;

/** The versions of a name on the archs of an image, by the rules of a tool. */
class View {
  readonly report: NameReport;
  readonly #tool: Pin['tool'];
  readonly #needs: () => Needs;
  /** The archs on which the pin must exist. */
  readonly archs: readonly string[];
  #offered: readonly VersionReport[] | undefined;
  #packages: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor(report: NameReport, tool: Pin['tool'], archs: readonly string[], needs: () => Needs) {
    this.report = report;
    this.#needs = needs;
    this.#tool = tool;
    // apk builds only for archs that have the name; apko builds for all archs that the image lists.
    this.archs = tool === 'apko' ? archs : report.carriedBy;
  }

  /** Installable candidates on an arch, at any version that `meets`. */
  fitting(meets: Meets, arch: string): readonly Candidate[] {
    return this.report.versions.flatMap((version) =>
      meets(version.version)
        ? version.candidates.filter(
            (each) => each.arch === arch && isInstallable(each, meets) && this.#isOnAll(each, version),
          )
        : [],
    );
  }

  /** Versions on every arch, oldest first. */
  get offered(): readonly VersionReport[] {
    this.#offered ??= this.report.versions.filter(
      (version) => version.parsed && version.offered && (this.#tool === 'apk' || this.#isWhole(version)),
    );
    return this.#offered;
  }

  /** Whether every arch of the pin has an installable candidate of it. */
  #isWhole(version: VersionReport): boolean {
    return (
      this.archs.length > 0 &&
      this.archs.every((arch) =>
        version.candidates.some(
          (each) => each.arch === arch && !each.obstacle && this.#isOnAll(each, version),
        ),
      )
    );
  }

  missingNeeds(candidates: readonly Candidate[]): readonly string[] {
    const needs = this.#needs();
    return [...new Set(candidates.flatMap((each) => finish(needs.missing(each))))];
  }

  /** apko takes a package only if every arch has it at the same version. */
  #isOnAll({ package: own, provided }: Candidate, { candidates }: VersionReport): boolean {
    if (this.#tool === 'apk' || this.archs.length < 2) return true;
    // A package with the name itself has no other version.
    if (
      !provided &&
      this.archs.every((arch) => candidates.some((each) => each.arch === arch && !each.provided))
    )
      return true;
    return this.archs.every((arch) => this.#packagesOn(arch).has(`${own.name} ${own.version}`));
  }

  #packagesOn(arch: string): ReadonlySet<string> {
    if (!this.#packages) {
      const all = new Map<string, Set<string>>();
      for (const { candidates } of this.report.versions)
        for (const { arch: own, package: each } of candidates) {
          const known = all.get(own) ?? new Set<string>();
          all.set(own, known.add(`${each.name} ${each.version}`));
        }
      this.#packages = all;
    }
    return this.#packages.get(arch) ?? new Set();
  }
}

function isInstallable({ obstacle }: Candidate, meets: Meets): boolean {
  return obstacle === undefined || (meets === ANY && obstacle.reason === 'unversioned-provide');
}

/** A test of versions for the constraint of a pin; `undefined` if its version is invalid. */
export function meetsOf({ tool, operator, version }: AskedPin): Meets | undefined {
  if (operator === '' || operator.includes('><')) return ANY;
  if (tool === 'apko') return apkoMeets(operator, version);
  const constraint = parseConstraint(operator + version);
  if (!constraint) return undefined;
  return (text) => {
    const parsed = parseVersion(text);
    return parsed !== undefined && satisfies(parsed, constraint);
  };
}

/** The same, and no version is read twice. */
function remembering(meets: Meets): Meets {
  if (meets === ANY) return ANY;
  const known = new Map<string, boolean>();
  return (version) => {
    let met = known.get(version);
    if (met === undefined) known.set(version, (met = meets(version)));
    return met;
  };
}

/** The tags that an image gives repositories. */
export interface Tags {
  /** The same for the same tags. */
  readonly key: string;
  readonly of: (repository: string) => string | undefined;
}

export interface JudgeOptions {
  /** Unix milliseconds. */
  readonly now: number;
  readonly policy: Policy;
  /** Of the image. */
  readonly archs: readonly string[];
  readonly tags: Tags;
  /** The pin's whole image is known to resolve. */
  readonly isResolved: boolean;
}

export interface Judged {
  readonly judgment: Judgment;
  /** Of an exact pin that is fine, the packages that it needs in no exact version. */
  readonly floating: readonly string[];
}

function judge(pin: AskedPin, source: Source, options: JudgeOptions): Judged {
  const view = source.view(pin.name, pin.tool, options.archs);
  const datasource = source.name;
  if (view.report.versions.length === 0) {
    const close = source.closeNames(pin.name);
    const hint = close.length === 0 ? '' : `; there are ${close.join(', ')}`;
    const message = `${source.name} has no package ${pin.name}${hint}`;
    return { judgment: { datasource, problems: [{ rule: 'unknown-name', message }] }, floating: [] };
  }
  const constraint = meetsOf(pin);
  if (!constraint) return { judgment: { datasource, problems: [] }, floating: [] };
  const meets = remembering(constraint);
  const isExact = /^=+$/.test(pin.operator);
  const apko =
    pin.isLocked || pin.tool === 'apk'
      ? 'unknown'
      : options.isResolved
        ? 'none'
        : finish(source.obstacleByApko([pin], options));
  const broken =
    (apko === 'none' ? undefined : problemOf(pin, view, meets, isExact)) ??
    (typeof apko === 'object' ? unresolved(apko) : undefined);
  const problems = broken ? [broken] : [];
  if (!broken && apko === 'unknown') problems.push(...needsProblems(pin, view, meets));
  if (!broken && isExact && !pin.isRuntime)
    problems.push(...source.withdrawal(pin, view, meets, options.now));
  const raise = raised(pin, view, meets, { source, ...options });
  if (raise && !broken && pin.operator !== '' && !pin.isLocked && !pin.isRuntime && raise.newer.length > 0)
    problems.push(behind(raise, options.now));
  if (raise && !broken && raise.fixes.length > 0) problems.push(vulnerable(raise.fixes));
  const isFine = problems.every(({ rule }) => rule === 'behind');
  const judgment = {
    datasource,
    problems,
    ...(raise?.target !== undefined && { target: raise.target }),
    ...(raise && { newest: raise.newest.version }),
    ...(raise?.step !== undefined && { step: raise.step }),
  };
  const mayFloat = isExact && isFine && !pin.isRuntime && !pin.isLocked;
  return { judgment, floating: mayFloat ? floatingNeeds(view, meets) : [] };
}

function unresolved({ arch, fact }: { readonly arch: string; readonly fact: string }): Problem {
  return {
    rule: 'dependency-missing',
    message: `apko cannot resolve it on ${arch}: ${fact}`,
    archs: [arch],
  };
}

function unmetText({ dependency, conflictsWith }: Unmet): string {
  return conflictsWith === undefined
    ? `nothing has ${dependency}`
    : `${dependency} does not go with ${conflictsWith}`;
}

function floatingNeeds({ report }: View, meets: Meets): readonly string[] {
  const [chosen] =
    report.versions.findLast(({ version, chosenOn }) => meets(version) && chosenOn.length > 0)?.chosenOn ??
    [];
  return [...(chosen?.package.dependencies ?? [])]
    .filter(({ conflict, operator }) => !conflict && !/^=+$/.test(operator))
    .map(({ name }) => name);
}

function problemOf(pin: AskedPin, view: View, meets: Meets, isExact: boolean): Problem | undefined {
  const { archs, report } = view;
  const wanted = archs.length > 0 ? archs : report.archs;
  const lacking = wanted.filter((arch) => view.fitting(meets, arch).length === 0);
  if (lacking.length === 0) return undefined;
  const fitting = report.versions.filter(({ version }) => meets(version));
  const blocked = fitting
    .flatMap(({ candidates }) => candidates)
    .find(({ arch, obstacle }) => lacking.includes(arch) && obstacle?.reason === 'dependency-unmet');
  if (blocked?.obstacle?.reason === 'dependency-unmet') {
    const { dependency, conflictsWith } = blocked.obstacle;
    const how =
      conflictsWith === undefined ? 'which is not there' : `which does not go with ${conflictsWith}`;
    const message = `${textOf(blocked)} needs ${dependency} on ${blocked.arch}, ${how}`;
    return { rule: 'dependency-missing', message, archs: lacking };
  }
  const there = wanted.filter((arch) =>
    fitting.some(({ candidates }) => candidates.some((each) => each.arch === arch && !each.obstacle)),
  );
  if (there.length > 0)
    return { rule: 'missing-on-arch', message: missingMessage(pin, lacking, there, fitting), archs: lacking };
  const newest = report.versions.findLast(({ offered }) => offered)?.version;
  const now = newest === undefined ? '' : `; the newest is ${newest}`;
  const obstacle = fitting.flatMap(({ candidates }) => candidates).find((each) => each.obstacle)?.obstacle;
  if (
    obstacle?.reason === 'unversioned-provide' ||
    (isExact && report.versions.every((each) => each.candidates.every(isUnversioned)))
  )
    return {
      rule: 'unsatisfiable',
      message: `${pin.name} is only provided without a version, which no constraint accepts`,
      archs: lacking,
    };
  if (!isExact)
    return {
      rule: 'unsatisfiable',
      message: `no version of ${pin.name} fits ${pin.operator}${pin.version}${now}`,
      archs: lacking,
    };
  return { rule: 'withdrawn', message: `${pin.name} ${pin.version} is in no index${now}`, archs: lacking };
}

function isUnversioned({ obstacle }: Candidate): boolean {
  return obstacle?.reason === 'unversioned-provide';
}

function textOf({ package: each }: Candidate): string {
  return `${each.name}-${each.version}`;
}

function missingMessage(
  { name, text }: AskedPin,
  lacking: readonly string[],
  there: readonly string[],
  fitting: readonly VersionReport[],
): string {
  const archs = lacking.filter((arch) => !there.includes(arch));
  if (archs.length === 0)
    return `${text} is met by different packages on ${there.join(' and ')}; apko wants the same version of the same package`;
  const builtAt = Math.max(0, ...fitting.map((each) => each.builtAt ?? 0));
  const since = builtAt === 0 ? '' : ` since ${new Date(builtAt * 1000).toISOString().slice(0, 10)}`;
  return `nothing fits ${text} on ${archs.join(', ')}; ${there.join(', ')} has ${fitting.at(-1)?.version ?? name}${since}`;
}

function needsProblems(pin: AskedPin, view: View, meets: Meets): readonly Problem[] {
  if (pin.operator === '' || pin.isLocked) return [];
  const chosen = view.archs.flatMap((arch) => view.fitting(meets, arch).slice(-1));
  const missing = view.missingNeeds(chosen);
  if (missing.length === 0) return [];
  const some = missing.slice(0, 3).join(', ') + (missing.length > 3 ? ` and ${missing.length - 3} more` : '');
  return [
    {
      rule: 'dependency-missing',
      // A repository that is not configured may have it.
      level: 'warning',
      message: `${pin.name} needs ${some}, which nothing in its repositories has`,
    },
  ];
}

interface Raise {
  /** Versions newer than the pin, oldest first. */
  readonly newer: readonly VersionReport[];
  readonly newest: VersionReport;
  readonly target: string | undefined;
  readonly step: Step | undefined;
  /** The lowest versions that fix most of what is known at the pin. */
  readonly fixes: readonly Fix[];
}

function raised(
  pin: AskedPin,
  view: View,
  meets: Meets,
  { now, policy, source }: JudgeOptions & { readonly source: Source },
): Raise | undefined {
  const current = parseVersion(pin.version);
  const isTilde = pin.operator.includes('~') && !/[<>]/.test(pin.operator);
  const isExact = /^=+$/.test(pin.operator);
  if (pin.operator !== '' && (!current || (!isTilde && !isExact))) return undefined;
  const isEligible = ({ parsed, version }: VersionReport): boolean =>
    !current || (!meets(version) && compareVersions(parsed as Version, current) > 0);
  const stable = view.offered.filter(({ parsed }) => !isPreRelease(parsed as Version));
  const all = stable.length === 0 || (current && isPreRelease(current)) ? view.offered : stable;
  const newest = all.at(-1);
  if (!newest) return undefined;
  const newer = all.filter(isEligible);
  const isWithin = (version: Version): boolean =>
    !current || steps.indexOf(stepOf(current, version)) <= steps.indexOf(policy.within);
  const isOld = ({ builtAt = 0 }: VersionReport): boolean =>
    policy.minAge === 0 || (builtAt > 0 && now - builtAt * 1000 >= policy.minAge);
  const at = current && (all.findLast(({ version }) => meets(version))?.parsed ?? current);
  const versions = newer.map(({ parsed }) => parsed as Version);
  const fixes = at ? source.fixes(view, at, versions) : [];
  const urgent = (some: readonly Fix[]): readonly Fix[] => (at ? urgentFixes(at, some) : []);
  const safe = urgent(fixes.filter(({ version }) => isWithin(version))).at(-1)?.version;
  const target = policy.security
    ? newer.find(({ parsed }) => parsed === safe)
    : newer.findLast((each) => isWithin(each.parsed as Version) && isOld(each));
  return {
    newer,
    newest,
    target: target && (isTilde && current ? asPrecise(target.parsed as Version, current) : target.version),
    step: current && newer.length > 0 ? stepOf(current, newest.parsed as Version) : undefined,
    fixes: urgent(fixes),
  };
}

/** `~8` for `~8`, `~8.21` for `~8.12`. */
function asPrecise({ text }: Version, line: Version): string {
  const count = /^\d+(?:\.\d+)*/.exec(line.text)?.[0] ?? '';
  if (count !== line.text) return text;
  return (/^\d+(?:\.\d+)*/.exec(text)?.[0] ?? text).split('.').slice(0, count.split('.').length).join('.');
}

function stepOf(from: Version, to: Version): Step {
  const [a, b] = [numbersOf(from), numbersOf(to)];
  if (a[0] !== b[0]) return 'major';
  if (a[1] !== b[1]) return 'minor';
  return withoutRevision(from).text === withoutRevision(to).text ? 'rebuild' : 'patch';
}

function numbersOf({ text }: Version): readonly string[] {
  return (/^\d+(?:\.\d+)*/.exec(text)?.[0] ?? '').split('.');
}

function vulnerable(fixes: readonly Fix[]): Problem {
  const texts = fixes.map((fix) => {
    const count = countOf(fix.groups);
    const ids = identifiers(fix.groups).replaceAll(',', ', ');
    return `${fix.version.text} fixes ${count === 1 ? 'one' : count} (${ids})`;
  });
  return { rule: 'known-vulnerabilities', message: `known vulnerabilities: ${texts.join('; ')}` };
}

function behind({ newer, newest, step }: Raise, now: number): Problem {
  const count = newer.length === 1 ? 'one version' : `${newer.length} versions`;
  const first = newer[0]?.builtAt;
  const days = first === undefined ? 0 : Math.floor((now / 1000 - first) / 86_400);
  const age = days > 0 ? `, for ${days === 1 ? 'a day' : `${days} days`}` : '';
  return { rule: 'behind', message: `${newest.version} is there (${step}), ${count} behind${age}` };
}
