/**
 * The packages of one datasource: all its repositories and archs, looked up by name.
 *
 * A catalog is immutable and made again at each refresh; nothing is merged in advance. For a name it collects the
 * candidates of every arch: packages with the name and packages that provide it. For each version it decides whether it
 * is a release, and if not, why. The rules are apk's (docs/decisions/004):
 *
 * - A provide counts with *its* version, not that of its package. Without a version it is not a release.
 * - A package that has a name twice, at least once with a version, is refused as a whole.
 * - Of several packages apk takes one (`ProviderReader.preferred`) and fails if that one cannot be installed: an exact
 *   dependency is missing, or a package that it needs cannot be installed (`Coherence`), or apk would automatically
 *   install another one with it, which it refuses.
 * - A release exists on every arch that carries the name; apko refuses any other.
 */
import { cut } from '../errors.ts';
import { compareVersions, orderKey, type Version } from '../apk/version.ts';
import { isExact, type Package, type Packages, type RowSet, type Unusable } from '../apk/packages.ts';
import { ProviderReader, type Provider, type Rule } from './providers.ts';
import { Coherence, type Unmet } from './coherence.ts';
import { Needs } from './needs.ts';
import { finish, isStep, ITEMS_A_STEP, mapInSteps, sortInSteps } from './steps.ts';
import type { SourceWithdrawal } from './withdrawal.ts';

/** The index of one repository for one arch. */
export interface CatalogSource {
  /** The repository's name in answers. */
  readonly repository: string;
  readonly arch: string;
  readonly packages: Packages;
  /** The operator's template for changelog links. */
  readonly changelog?: string | undefined;
  /** The ledger's dates of the packages; without them the build times count (docs/decisions/016). */
  readonly dates?: ReleaseDates | undefined;
  /** None of its packages has a build time. */
  readonly undated?: boolean | undefined;
  /** How the repository withdraws versions, if known. */
  readonly withdrawal?: SourceWithdrawal | undefined;
}

/** When the packages of an index count as released, by row, in unix seconds; 0 if that is not known. */
export interface ReleaseDates {
  readonly releasedAt: Uint32Array;
  /** Packages whose name and version another package had before. */
  readonly republished: ReadonlyMap<number, Republished>;
  /** The ledger was unavailable; a later attempt may find earlier dates. */
  readonly isProvisional?: boolean;
}

export interface Republished {
  /** Identity of the previous package. */
  readonly before: string;
}

export interface CatalogOptions {
  /** In the order of the repositories; for the same name and version, the first one counts. */
  readonly sources: readonly CatalogSource[];
  readonly archs: readonly string[];
  /** apko's looser rule: a provide without a version has the version of its package. */
  readonly unversionedProvides?: boolean;
  /** The datasource has all dependencies: versions that need anything else are withheld. */
  readonly complete?: boolean;
  /**
   * For a catalog without some packages: the catalog with them. An arch that carries a name there also carries it here.
   */
  readonly whole?: Catalog | undefined;
}

/** Why a candidate is not a release. */
type Obstacle =
  | { readonly reason: 'invalid-version' }
  | { readonly reason: 'unversioned-provide' }
  /** The package has a name twice, at least once with a version; apk refuses it for all its names. */
  | { readonly reason: 'conflicting-provides' }
  | { readonly reason: Unusable }
  /** A dependency that is missing, or exists but cannot be installed. */
  | ({ readonly reason: 'dependency-unmet' } & Unmet);

export type WithheldReason = Obstacle['reason'] | 'missing-on-arch';

/** A package that gives a name one version on one arch. */
export interface Candidate {
  readonly version: string;
  /** The number of its source in the catalog. */
  readonly source: number;
  readonly arch: string;
  readonly repository: string;
  /** The repository's own template for changelog links. */
  readonly changelog: string | undefined;
  /** When the package counts as released, in unix seconds. */
  readonly releasedAt: number | undefined;
  /** Another package had this name and version before. */
  readonly republished: Republished | undefined;
  readonly package: Package;
  /** The package has another name and provides this one. */
  readonly provided: boolean;
  readonly obstacle: Obstacle | undefined;
}

/** Everything known about one version of a name. */
export interface VersionReport {
  readonly version: string;
  /** `undefined` if apk calls the version invalid. */
  readonly parsed: Version | undefined;
  readonly offered: boolean;
  /** The candidate that represents the version: the one that apk takes, on the first arch that can install it. */
  readonly chosen: Candidate;
  /** What apk installs, one candidate per arch. */
  readonly chosenOn: readonly Candidate[];
  /** When the last arch's package was built, in unix seconds. */
  readonly builtAt: number | undefined;
  /**
   * When the last arch got it, in unix seconds: when it was first seen, or, without a ledger, built. Unknown if it is
   * for one arch.
   */
  readonly releasedAt: number | undefined;
  /** Archs that carry the name but cannot install this version. */
  readonly missingOn: readonly string[];
  readonly candidates: readonly Candidate[];
}

/** Everything known about a name: oldest version first, invalid ones before all. */
export interface NameReport {
  readonly name: string;
  /** The requested archs. */
  readonly archs: readonly string[];
  /** Those that carry the name at some valid version. */
  readonly carriedBy: readonly string[];
  readonly versions: readonly VersionReport[];
}

/** A package and the number of its source. */
export interface Taken {
  readonly source: number;
  readonly package: Package;
}

/** Packages with one name, over all archs, that can be compared in a second or two. The most in Wolfi are 514 an arch. */
const MAX_PROVIDERS = 40_000;

export class Catalog {
  readonly archs: readonly string[];
  readonly sources: readonly CatalogSource[];
  readonly isComplete: boolean;
  readonly #rule: Rule;
  readonly #whole: Catalog | undefined;
  #nameCount: number | undefined;
  /** Caches its results, so that a survey of all names is fast. Its answers never change. */
  readonly #coherence: Coherence;

  constructor({ sources, archs, unversionedProvides = false, complete = false, whole }: CatalogOptions) {
    this.sources = sources;
    this.archs = archs;
    this.isComplete = complete;
    this.#rule = unversionedProvides ? 'apko' : 'apk';
    this.#whole = whole;
    this.#coherence = new Coherence(complete, sources);
  }

  /** A catalog of other sources with the same rules. */
  withSources(sources: readonly CatalogSource[], whole?: Catalog): Catalog {
    const { archs, isComplete: complete } = this;
    return new Catalog({ sources, archs, complete, unversionedProvides: this.#rule === 'apko', whole });
  }

  /**
   * A catalog without some packages, given as a set of rows for each source. The archs that carry a name stay the same:
   * a version also waits for an arch whose packages of that name are all hidden.
   */
  without(hidden: readonly RowSet[]): Catalog {
    const sources = this.sources.map((source, i) => {
      const rows = hidden[i];
      return rows && rows.size > 0 ? { ...source, packages: source.packages.without(rows) } : source;
    });
    return this.withSources(sources, this);
  }

  /** The number of packages, counted for each arch and repository. */
  get packageCount(): number {
    return this.sources.reduce((sum, { packages }) => sum + packages.packageCount, 0);
  }

  /** The number of different package names. */
  get nameCount(): number {
    this.#nameCount ??= [...this.names()].length;
    return this.#nameCount;
  }

  /** All package names of all archs, each once, without provided names. */
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

  /** Whether a package has the name or provides it. */
  has(name: string): boolean {
    return this.sources.some(({ packages }) => packages.has(name));
  }

  /**
   * Everything known about `name`, on all archs of the datasource or on some of them. Throws `CrowdedNameError` if too
   * many packages have it.
   */
  report(name: string, archs: readonly string[] = this.archs): NameReport {
    return finish(this.reportInSteps(name, archs));
  }

  /** The same in steps of about a millisecond: a name may have as many versions as an index has packages. */
  *reportInSteps(name: string, archs: readonly string[] = this.archs): Generator<undefined, NameReport> {
    const providers = this.#countProviders(name, archs);
    if (providers > MAX_PROVIDERS) throw new CrowdedNameError(name, providers);
    return yield* this.#compare(name, archs);
  }

  /** The same for one of many names; `undefined` for a crowded one, so that the others can be processed. */
  *reportUnlessCrowded(
    name: string,
    archs: readonly string[] = this.archs,
  ): Generator<undefined, NameReport | undefined> {
    const isCrowded = this.#countProviders(name, archs) > MAX_PROVIDERS;
    return isCrowded ? undefined : yield* this.#compare(name, archs);
  }

  /** How many packages have the name or provide it on these archs. */
  #countProviders(name: string, archs: readonly string[]): number {
    const sources = this.sources.filter(({ arch }) => archs.includes(arch));
    return sources.reduce((sum, { packages }) => sum + packages.countOf(name), 0);
  }

  *#compare(name: string, archs: readonly string[]): Generator<undefined, NameReport> {
    const reader = new ProviderReader(this.sources, this.#rule);
    /** By version key. */
    const groups = new Map<string, Group>();
    const carriedBy = new Set<string>();
    let candidates = 0;
    for (const arch of archs) {
      for (const provider of (yield* reader.providersOf(name, arch)).providers) {
        if (this.#coherence.isUndecided(provider)) yield* this.#coherence.settle(provider, reader);
        const { versions, obstacle } = this.#claims(provider);
        for (const version of versions) {
          if (isStep((candidates += 1))) yield;
          const added = this.#addCandidate(groups, provider, version, { obstacle, reader });
          if (!added.obstacle || added.obstacle.reason === 'dependency-unmet') carriedBy.add(arch);
        }
      }
    }
    if (this.#whole && groups.size > 0 && carriedBy.size < archs.length)
      for (const arch of (yield* this.#whole.#compare(name, archs)).carriedBy) carriedBy.add(arch);
    const carryingArchs = archs.filter((arch) => carriedBy.has(arch));
    const versions: VersionReport[] = [];
    for (const [i, group] of (yield* byVersion([...groups.values()])).entries()) {
      if (isStep(i)) yield;
      const chosen = takenAlone(group) ?? (yield* takenOf(group, reader));
      const { parsed, candidates: all } = group;
      const known = { parsed, candidates: all, chosen, carriedBy: carryingArchs };
      const version = onlyText(group);
      if (version === undefined) yield* addSpellings(versions, known, reader);
      else versions.push(reportVersion(version, known));
    }
    return { name, archs, carriedBy: carryingArchs, versions };
  }

  /**
   * Which of these versions (by index) cannot be installed together on an arch although each alone can, and why.
   * Versions that do not exist are ignored.
   */
  *conflict(
    asked: readonly { readonly name: string; readonly version: string }[],
    arch: string,
  ): Generator<undefined, { readonly asked: readonly number[]; readonly unmet: Unmet } | undefined> {
    const reader = new ProviderReader(this.sources, this.#rule);
    const roots = new Map<Provider, number>();
    for (const [i, { name, version }] of asked.entries()) {
      const provider = yield* reader.taken(name, version, arch);
      if (provider) roots.set(provider, i);
    }
    const found = yield* this.#coherence.conflict([...roots.keys()], reader);
    if (!found) return undefined;
    const places = [found.root, found.other].flatMap((root) => (root && roots.get(root)) ?? []);
    return { asked: places, unmet: found.unmet };
  }

  /**
   * Finds dependencies that the catalog does not meet. For many names, pass the last result: it is reused until it is
   * full.
   */
  needs(last?: Needs): Needs {
    return last && !last.isFull ? last : new Needs(new ProviderReader(this.sources, this.#rule));
  }

  /** The packages that apk takes for the exact dependencies of a package, each with the number of its source. */
  *takenFor(each: Package, arch: string): Generator<undefined, readonly Taken[]> {
    const reader = new ProviderReader(this.sources, this.#rule);
    const taken: Taken[] = [];
    for (const dependency of each.bindingDependencies) {
      if (!isExact(dependency)) continue;
      const providers = yield* reader.meeting(dependency, arch);
      for (const { rank, package: needed } of providers) taken.push({ source: rank, package: needed });
    }
    return taken;
  }

  #addCandidate(
    groups: Map<string, Group>,
    provider: Provider,
    version: string,
    { obstacle, reader }: { readonly obstacle: Obstacle | undefined; readonly reader: ProviderReader },
  ): Candidate {
    const { parsed, key } = reader.read(version);
    const against = obstacle ?? obstacleOf(provider, parsed) ?? this.#unmet(provider);
    const candidate = toCandidate(provider, version, against);
    const group = groups.get(key);
    if (group) {
      group.providers = appended(group.providers, provider);
      group.candidates = appended(group.candidates, candidate);
    } else groups.set(key, { parsed, providers: [provider], candidates: [candidate] });
    return candidate;
  }

  /** The versions that a provider claims: one, or several unusable ones. */
  #claims({ package: each, versions: given }: Provider): {
    versions: readonly string[];
    obstacle?: Obstacle;
  } {
    // Nearly every package has a name at only one version.
    const versions =
      given.length === 1 && given.every(isDefined) ? given : [...new Set(given)].filter(isDefined);
    if (versions.length === 0)
      return { versions: [each.version], obstacle: { reason: 'unversioned-provide' } };
    if (versions.length > 1 || (this.#rule === 'apk' && each.conflictsWithItself))
      return { versions, obstacle: { reason: 'conflicting-provides' } };
    return { versions };
  }

  #unmet(provider: Provider): Obstacle | undefined {
    const unmet = this.#coherence.unmet(provider);
    return unmet && { reason: 'dependency-unmet', ...unmet };
  }
}

/** A name that too many packages have. */
class CrowdedNameError extends Error {
  override readonly name = 'CrowdedNameError';
  /** An error of the lookup, not of the service, so Renovate continues with other names. */
  readonly statusCode = 422;

  constructor(name: string, count: number) {
    super(`${cut(name)}: ${count} packages have this name, more than the ${MAX_PROVIDERS} that are compared`);
  }
}

function isDefined(version: string | undefined): version is string {
  return version !== undefined;
}

/** The obstacle that concerns the package itself. */
function obstacleOf({ package: each }: Provider, version: Version | undefined): Obstacle | undefined {
  if (each.unusable) return { reason: each.unusable };
  return version ? undefined : { reason: 'invalid-version' };
}

function toCandidate(
  { package: each, source, rank, provided }: Provider,
  version: string,
  obstacle: Obstacle | undefined,
): Candidate {
  const { arch, repository, changelog, dates } = source;
  return {
    version,
    source: rank,
    arch,
    repository,
    changelog,
    releasedAt: dates ? dates.releasedAt[each.row] || undefined : each.builtAt,
    republished: dates?.republished.get(each.row),
    package: each,
    provided,
    obstacle,
  };
}

/** All candidates with versions that apk calls equal, arch by arch, with their owners. */
interface Group {
  readonly parsed: Version | undefined;
  providers: Provider[];
  candidates: Candidate[];
}

/** Most groups have few candidates, and `push` would reserve room for sixteen more. */
function appended<T>(items: T[], item: T): T[] {
  if (items.length < 4) return [...items, item];
  items.push(item);
  return items;
}

/** The candidates of the packages that apk takes, in the order of the archs. */
function* takenOf(
  { parsed, providers, candidates }: Group,
  reader: ProviderReader,
): Generator<undefined, readonly Candidate[]> {
  const taken: Candidate[] = [];
  for (let start = 0, end; parsed && start < providers.length; start = end) {
    end = endOfArch(providers, start);
    const rivals: Provider[] = [];
    for (let i = start; i < end; i += 1)
      if (canBeTaken(candidates[i] as Candidate) && reader.isEligible(providers[i] as Provider))
        rivals.push(providers[i] as Provider);
    const best = rivals.length > 1 ? yield* reader.preferred(rivals) : rivals[0];
    for (let i = start; i < end; i += 1)
      if (providers[i]?.id === best?.id) taken.push(candidates[i] as Candidate);
  }
  return taken;
}

/** The same if no arch has more than one candidate, the usual case; otherwise `undefined`. */
function takenAlone({ parsed, candidates }: Group): readonly Candidate[] | undefined {
  for (let i = 1; i < candidates.length; i += 1)
    if (candidates[i]?.arch === candidates[i - 1]?.arch) return undefined;
  return parsed ? candidates.filter(canBeTaken) : [];
}

/** Start of the providers of the next arch. */
function endOfArch(providers: readonly Provider[], start: number): number {
  const arch = providers[start]?.source.arch;
  let end = start + 1;
  while (providers[end]?.source.arch === arch) end += 1;
  return end;
}

function canBeTaken({ package: each, obstacle }: Candidate): boolean {
  return !each.unusable && obstacle?.reason !== 'unversioned-provide';
}

/** The text of the version: texts that apk calls equal are rarely spelled in two ways. */
function onlyText({ candidates }: Group): string | undefined {
  const text = candidates[0]?.version;
  return candidates.every(({ version }) => version === text) ? text : undefined;
}

/** One report per text, in their order. */
function* addSpellings(
  versions: VersionReport[],
  known: Known,
  reader: ProviderReader,
): Generator<undefined, void> {
  const byText = Map.groupBy(known.candidates, ({ version }) => version);
  for (const [i, version] of [...byText.keys()].sort().entries()) {
    if (isStep(i)) yield;
    const candidates = byText.get(version) as readonly Candidate[];
    versions.push(reportVersion(version, { ...known, parsed: reader.parse(version), candidates }));
  }
}

/** The input of a version's report. */
interface Known {
  readonly parsed: Version | undefined;
  readonly candidates: readonly Candidate[];
  /** The candidates that apk takes for the version, one per arch, in the order of the archs. */
  readonly chosen: readonly Candidate[];
  readonly carriedBy: readonly string[];
}

function reportVersion(version: string, { parsed, candidates, chosen, carriedBy }: Known): VersionReport {
  const installable = chosen.filter(({ obstacle }) => !obstacle);
  const missingOn = carriedBy.filter((arch) => !installable.some((each) => each.arch === arch));
  return {
    version,
    parsed,
    offered: carriedBy.length > 0 && missingOn.length === 0,
    chosen: installable[0] ?? chosen[0] ?? (candidates[0] as Candidate),
    chosenOn: installable,
    builtAt: Math.max(0, ...installable.map((each) => each.package.builtAt ?? 0)) || undefined,
    releasedAt: lastReleaseOf(installable),
    missingOn,
    candidates,
  };
}

/** Unknown if that of one is unknown: it may be the last. */
function lastReleaseOf(candidates: readonly Candidate[]): number | undefined {
  const last = Math.max(0, ...candidates.map(({ releasedAt = Infinity }) => releasedAt));
  return last > 0 && last < Infinity ? last : undefined;
}

/** Oldest first; invalid versions come before them, sorted by text. */
function* byVersion(groups: Group[]): Generator<undefined, readonly Group[]> {
  if (groups.length <= ITEMS_A_STEP) return groups.sort(compareGroups);
  const keyed = yield* mapInSteps(groups, (group) => ({
    group,
    // A valid version never begins with a blank.
    key: group.parsed ? orderKey(group.parsed) : ` ${group.candidates[0]?.version}`,
  }));
  const sorted = yield* sortInSteps([...keyed], (a, b) => (a.key < b.key ? -1 : 1));
  return yield* mapInSteps(sorted, ({ group }) => group);
}

function compareGroups(a: Group, b: Group): number {
  if (a.parsed && b.parsed) return compareVersions(a.parsed, b.parsed);
  if (a.parsed ?? b.parsed) return a.parsed ? 1 : -1;
  return (a.candidates[0] as Candidate).version < (b.candidates[0] as Candidate).version ? -1 : 1;
}
