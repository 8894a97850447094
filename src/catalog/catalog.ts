/**
 * What one datasource knows: the packages of its repositories on each of its archs, asked by name.
 *
 * A catalog is immutable and made anew for every refresh; nothing is merged in advance. For a name it gathers the
 * candidates of every arch – packages so named and packages that provide it – and says of each version whether it is
 * a release, and if not, why. The rules are those of apk (docs/decisions/004):
 *
 * - A provide counts with *its* version, not with its package's. Without a version it is no release.
 * - A package that has a name twice, at least once with a version, is refused as a whole.
 * - Of several packages apk takes one (`Reading.preferred`) and fails if that one cannot be installed: packages whose
 *   exact dependencies are not there, and those that need them (`Coherence`).
 * - A release exists on every arch that carries the name at all; apko refuses any other.
 */
import { compareVersions, type Version } from '../apk/version.ts';
import type { Package, Packages, Unusable } from '../apk/packages.ts';
import { Reading, type Carrier, type Rule } from './carriers.ts';
import { Coherence, dependencyText, meetsItself, type Unmet } from './coherence.ts';
import { finish, isStep, ITEMS_A_STEP, sortInSteps } from './steps.ts';

/** The index of one repository for one arch. */
export interface CatalogSource {
  /** What to call the repository in answers. */
  readonly repository: string;
  readonly arch: string;
  readonly packages: Packages;
  /** The operator's template for links to the recipes' history. */
  readonly changelog?: string | undefined;
  /** What the ledger knows of the packages; without it the build times count (docs/decisions/012). */
  readonly dates?: ReleaseDates | undefined;
}

/** When the packages of an index count as released, by row, in unix seconds. */
export interface ReleaseDates {
  readonly releasedAt: Uint32Array;
  /** Packages whose name and version another package had before them. */
  readonly republished: ReadonlyMap<number, Republished>;
}

export interface Republished {
  /** Identity of the package before. */
  readonly before: string;
}

export interface CatalogOptions {
  /** In the order of the repositories: of the same name and version, the first one's counts. */
  readonly sources: readonly CatalogSource[];
  readonly archs: readonly string[];
  /** apko's looser rule: a provide without a version counts with its package's version. */
  readonly unversionedProvides?: boolean;
  /** Everything its packages need is in the datasource; what needs something else is then not offered. */
  readonly complete?: boolean;
}

/** Why a candidate is no release. */
export type Obstacle =
  | { readonly reason: 'invalid-version' }
  | { readonly reason: 'unversioned-provide' }
  /** The package has a name twice, at least once with a version; apk then refuses it for all its names. */
  | { readonly reason: 'conflicting-provides' }
  | { readonly reason: Unusable }
  /** A dependency that is not there, or is there and not installable itself. */
  | ({ readonly reason: 'dependency-unmet' } & Unmet);

export type WithheldReason = Obstacle['reason'] | 'missing-on-arch';

/** A package that gives a name one version on one arch. */
export interface Candidate {
  readonly version: string;
  readonly arch: string;
  readonly repository: string;
  /** The repository's own template for links to the recipe's history. */
  readonly changelog: string | undefined;
  /** When the package counts as released, in unix seconds. */
  readonly releasedAt: number | undefined;
  /** The name and version were another package before. */
  readonly republished: Republished | undefined;
  readonly package: Package;
  /** The package has another name and provides this one. */
  readonly provided: boolean;
  readonly obstacle: Obstacle | undefined;
}

/** What is known of one version of a name. */
export interface VersionReport {
  readonly version: string;
  /** `undefined` where apk calls the version invalid. */
  readonly parsed: Version | undefined;
  readonly offered: boolean;
  /** The candidate that stands for the version: what apk takes, on the first arch where that can be installed. */
  readonly chosen: Candidate;
  /** What apk installs, one candidate an arch. */
  readonly chosenOn: readonly Candidate[];
  /** When the last arch's package was built, in unix seconds. */
  readonly builtAt: number | undefined;
  /** When the last arch got it, in unix seconds: first seen where the ledger knows, otherwise built. */
  readonly releasedAt: number | undefined;
  /** Archs that carry the name but no installable package of this version. */
  readonly missingOn: readonly string[];
  readonly candidates: readonly Candidate[];
}

/** Everything that is known of a name: oldest version first, invalid ones before all. */
export interface NameReport {
  readonly name: string;
  /** The archs that were asked about. */
  readonly archs: readonly string[];
  /** Those of them that carry the name at some valid version. */
  readonly carriedBy: readonly string[];
  readonly versions: readonly VersionReport[];
}

export class Catalog {
  readonly archs: readonly string[];
  readonly sources: readonly CatalogSource[];
  readonly #rule: Rule;
  #nameCount: number | undefined;
  /** Remembers what it found out, so that a survey of all names is quick; what it answers never changes. */
  readonly #coherence: Coherence;

  constructor({ sources, archs, unversionedProvides = false, complete = false }: CatalogOptions) {
    this.sources = sources;
    this.archs = archs;
    this.#rule = unversionedProvides ? 'apko' : 'apk';
    this.#coherence = new Coherence(complete);
  }

  /** How many packages there are, every arch and repository counted for itself. */
  get packageCount(): number {
    return this.sources.reduce((sum, { packages }) => sum + packages.packageCount, 0);
  }

  /** How many different package names there are. */
  get nameCount(): number {
    this.#nameCount ??= [...this.names()].length;
    return this.#nameCount;
  }

  /** All package names of all archs, each once. Provided names are not among them. */
  *names(): Iterable<string> {
    const seen = new Set<string>();
    for (const { packages } of this.sources) {
      for (const name of packages.names()) {
        if (seen.has(name)) continue;
        seen.add(name);
        yield name;
      }
    }
  }

  /** Is there any package of that name, or one that provides it? */
  has(name: string): boolean {
    return this.sources.some(
      ({ packages }) => packages.named(name).length + packages.providing(name).length > 0,
    );
  }

  /** What is known of `name`, on all archs of the datasource or on some of them. */
  report(name: string, archs: readonly string[] = this.archs): NameReport {
    return finish(this.reportInSteps(name, archs));
  }

  /** The same in steps of about a millisecond: a name may have as many versions as an index has packages. */
  *reportInSteps(name: string, archs: readonly string[] = this.archs): Generator<undefined, NameReport> {
    const reading = new Reading(this.sources, this.#rule);
    /** By version key. */
    const groups = new Map<string, Group>();
    const carriedBy = new Set<string>();
    for (const arch of archs) {
      const { carriers } = yield* reading.holders(name, arch);
      for (let start = 0; start < carriers.length; start += ITEMS_A_STEP) {
        const some = carriers.length <= ITEMS_A_STEP ? carriers : carriers.slice(start, start + ITEMS_A_STEP);
        for (const carrier of some)
          if (this.#coherence.isOpen(carrier)) yield* this.#coherence.settle(carrier, reading);
        if (this.#addCandidates(groups, some, reading)) carriedBy.add(arch);
        if (some.length === ITEMS_A_STEP) yield;
      }
    }
    const carryingArchs = archs.filter((arch) => carriedBy.has(arch));
    const versions: VersionReport[] = [];
    for (const group of groups.values()) {
      if (isStep(versions.length)) yield;
      const chosen = takenAlone(group) ?? (yield* takenOf(group, reading));
      addReports(versions, group, { chosen, carriedBy: carryingArchs, reading });
    }
    return { name, archs, carriedBy: carryingArchs, versions: yield* sortInSteps(versions, byVersion) };
  }

  /**
   * Tells of packages what they need and no usable package of the catalog meets: plain names, ranges, exact versions.
   * For many packages at once, because they need much the same.
   */
  missingNeeds(): (candidate: Pick<Candidate, 'package' | 'arch'>) => readonly string[] {
    const known = new Map<string, boolean>();
    return ({ package: each, arch }) =>
      each.dependencies.flatMap((dependency) => {
        if (dependency.conflict) return [];
        const text = dependencyText(dependency);
        const key = `${arch} ${text}`;
        // Made anew, because it would keep everything it has read.
        const reading = new Reading(this.sources, this.#rule);
        let isMet = known.get(key);
        if (isMet === undefined) {
          isMet = finish(reading.meeting(dependency, arch)).length > 0;
          known.set(key, isMet);
        }
        return isMet || meetsItself(each, dependency, reading) ? [] : text;
      });
  }

  /** Returns whether one of the carriers has the name at a valid version. */
  #addCandidates(groups: Map<string, Group>, carriers: readonly Carrier[], reading: Reading): boolean {
    let areCarrying = false;
    for (const carrier of carriers) {
      const { versions, obstacle } = this.#claims(carrier);
      for (const version of versions) {
        const { parsed, key } = reading.read(version);
        const against = obstacle ?? obstacleOf(carrier, parsed) ?? this.#unmet(carrier);
        const candidate = toCandidate(carrier, version, against);
        areCarrying ||= against === undefined || against.reason === 'dependency-unmet';
        const group = groups.get(key);
        if (group) {
          group.carriers.push(carrier);
          group.candidates.push(candidate);
        } else groups.set(key, { parsed, carriers: [carrier], candidates: [candidate] });
      }
    }
    return areCarrying;
  }

  /** The versions to which a carrier lays claim: one, or several that are all unusable. */
  #claims({ package: each, versions: given }: Carrier): { versions: readonly string[]; obstacle?: Obstacle } {
    const versions = given.length > 1 ? [...new Set(given)].filter(isTold) : given.filter(isTold);
    if (versions.length === 0)
      return { versions: [each.version], obstacle: { reason: 'unversioned-provide' } };
    if (versions.length > 1 || (this.#rule === 'apk' && each.conflictsWithItself))
      return { versions, obstacle: { reason: 'conflicting-provides' } };
    return { versions };
  }

  #unmet(carrier: Carrier): Obstacle | undefined {
    const unmet = this.#coherence.unmet(carrier);
    return unmet && { reason: 'dependency-unmet', ...unmet };
  }
}

function isTold(version: string | undefined): version is string {
  return version !== undefined;
}

/** What stands against the package itself. */
function obstacleOf({ package: each }: Carrier, version: Version | undefined): Obstacle | undefined {
  if (each.unusable) return { reason: each.unusable };
  return version ? undefined : { reason: 'invalid-version' };
}

function toCandidate(
  { package: each, source, provided }: Carrier,
  version: string,
  obstacle: Obstacle | undefined,
): Candidate {
  const { arch, repository, changelog, dates } = source;
  return {
    version,
    arch,
    repository,
    changelog,
    releasedAt: dates?.releasedAt[each.row] ?? each.builtAt,
    republished: dates?.republished.get(each.row),
    package: each,
    provided,
    obstacle,
  };
}

/** All candidates with versions that apk calls equal, arch by arch, and whose they are. */
interface Group {
  readonly parsed: Version | undefined;
  readonly carriers: Carrier[];
  readonly candidates: Candidate[];
}

/** The candidates of the packages that apk takes, in the order of the archs. */
function* takenOf(
  { parsed, carriers, candidates }: Group,
  reading: Reading,
): Generator<undefined, readonly Candidate[]> {
  const taken: Candidate[] = [];
  for (let start = 0, end; parsed && start < carriers.length; start = end) {
    end = endOfArch(carriers, start);
    const rivals: Carrier[] = [];
    for (let i = start; i < end; i += 1)
      if (canBeTaken(candidates[i] as Candidate)) rivals.push(carriers[i] as Carrier);
    const best = rivals.length > 1 ? yield* reading.preferred(rivals) : rivals[0];
    for (let i = start; i < end; i += 1)
      if (carriers[i]?.id === best?.id) taken.push(candidates[i] as Candidate);
  }
  return taken;
}

/** The same where no arch has more than one candidate, as nearly everywhere; `undefined` elsewhere. */
function takenAlone({ parsed, candidates }: Group): readonly Candidate[] | undefined {
  for (let i = 1; i < candidates.length; i += 1)
    if (candidates[i]?.arch === candidates[i - 1]?.arch) return undefined;
  return parsed ? candidates.filter(canBeTaken) : [];
}

/** Where the carriers of another arch than that of `start` begin. */
function endOfArch(carriers: readonly Carrier[], start: number): number {
  const arch = carriers[start]?.source.arch;
  let end = start + 1;
  while (carriers[end]?.source.arch === arch) end += 1;
  return end;
}

function canBeTaken({ package: each, obstacle }: Candidate): boolean {
  return !each.unusable && obstacle?.reason !== 'unversioned-provide';
}

/** A report for each text: versions that apk calls equal are hardly ever spelled in two ways. */
function addReports(
  versions: VersionReport[],
  { candidates }: Group,
  { reading, ...known }: Pick<Known, 'chosen' | 'carriedBy'> & { readonly reading: Reading },
): void {
  const add = (version: string, own: readonly Candidate[]): void => {
    const { parsed } = reading.read(version);
    versions.push(reportVersion({ version, parsed, candidates: own, ...known }));
  };
  const text = (candidates[0] as Candidate).version;
  if (candidates.every(({ version }) => version === text)) add(text, candidates);
  else for (const [version, own] of Map.groupBy(candidates, (each) => each.version)) add(version, own);
}

/** What is known of a version when its report is made. */
interface Known {
  readonly version: string;
  readonly parsed: Version | undefined;
  readonly candidates: readonly Candidate[];
  /** The candidates that apk takes for the version, one an arch, in the order of the archs. */
  readonly chosen: readonly Candidate[];
  readonly carriedBy: readonly string[];
}

function reportVersion({ version, parsed, candidates, chosen, carriedBy }: Known): VersionReport {
  const installable = chosen.filter(({ obstacle }) => !obstacle);
  const missingOn = carriedBy.filter((arch) => !installable.some((each) => each.arch === arch));
  return {
    version,
    parsed,
    offered: carriedBy.length > 0 && missingOn.length === 0,
    chosen: installable[0] ?? chosen[0] ?? (candidates[0] as Candidate),
    chosenOn: installable,
    builtAt: Math.max(0, ...installable.map((each) => each.package.builtAt ?? 0)) || undefined,
    releasedAt: Math.max(0, ...installable.map((each) => each.releasedAt ?? 0)) || undefined,
    missingOn,
    candidates,
  };
}

/** Invalid versions first, by their text; versions that apk calls equal by their text. */
function byVersion(a: VersionReport, b: VersionReport): number {
  if (a.parsed && b.parsed) {
    const order = compareVersions(a.parsed, b.parsed);
    if (order !== 0) return order;
  } else if (a.parsed ?? b.parsed) return a.parsed ? 1 : -1;
  return a.version < b.version ? -1 : 1;
}
