/**
 * What one datasource knows: the packages of its repositories on each of its archs, asked by name.
 *
 * A catalog is immutable and made anew for every refresh; nothing is merged in advance. For a name it gathers the
 * candidates of every arch – packages so named and packages that provide it – and says of each version whether it is
 * a release, and if not, why. The rules are those of apk (docs/decisions/004):
 *
 * - A provide counts with *its* version, not with its package's. Without a version it is no release.
 * - A package that has a name at several versions meets no exact pin on it.
 * - A release exists on every arch that carries the name at all; apko refuses any other.
 * - A release can be installed: packages whose exact dependencies are not there are none, nor are those that need them.
 */
import { compareVersions, parseVersion, type Version } from '../apk/version.ts';
import type { ExactDependency, Package, Packages, Unusable } from '../apk/packages.ts';

/** The index of one repository for one arch. */
export interface CatalogSource {
  /** What to call the repository in answers. */
  readonly repository: string;
  readonly arch: string;
  readonly packages: Packages;
  /** The operator's template for links to the recipes' history. */
  readonly changelog?: string | undefined;
}

export interface CatalogOptions {
  /** In the order of the repositories: of the same name and version, the first one's counts. */
  readonly sources: readonly CatalogSource[];
  readonly archs: readonly string[];
  /** apko's looser rule: a provide without a version counts with its package's version. */
  readonly unversionedProvides?: boolean;
}

/** Why a candidate is no release. */
export type Obstacle =
  | { readonly reason: 'invalid-version' }
  | { readonly reason: 'unversioned-provide' }
  /** The package has the name at several versions; apk then accepts none of them. */
  | { readonly reason: 'conflicting-provides' }
  | { readonly reason: Unusable }
  /** An exact dependency that is not there, or is there and not installable itself. */
  | { readonly reason: 'dependency-unmet'; readonly dependency: string };

export type WithheldReason = Obstacle['reason'] | 'missing-on-arch';

/** A package that gives a name one version on one arch. */
export interface Candidate {
  readonly version: string;
  readonly arch: string;
  readonly repository: string;
  /** The repository's own template for links to the recipe's history. */
  readonly changelog: string | undefined;
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
  /** The candidate that stands for the version: what apk would install, on the first arch. */
  readonly chosen: Candidate;
  /** When the last arch got it, in unix seconds. */
  readonly builtAt: number | undefined;
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
  readonly #unversionedProvides: boolean;
  #nameCount: number | undefined;
  /** What was found out about packages with exact dependencies: the unmet one, or that there is none. */
  readonly #dependencies = new Map<PackageId, ExactDependency | undefined>();

  /**
   * Who has a name, by arch and name, while one name is reported on: its versions need versions of another name, so
   * that the same is asked for hundreds of times.
   */
  readonly #providers = new Map<string, readonly Provider[]>();
  /** Versions by their texts, for as long: every arch has the same. */
  readonly #versions = new Map<string, Version | undefined>();

  constructor({ sources, archs, unversionedProvides = false }: CatalogOptions) {
    this.sources = sources;
    this.archs = archs;
    this.#unversionedProvides = unversionedProvides;
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
    const candidates: Candidate[] = [];
    for (const arch of archs) this.#addCandidates(candidates, arch, name);
    const carriedBy = archs.filter((arch) =>
      candidates.some(
        (each) => each.arch === arch && (!each.obstacle || each.obstacle.reason === 'dependency-unmet'),
      ),
    );
    const versions: VersionReport[] = [];
    for (const [version, group] of Map.groupBy(candidates, (each) => each.version))
      versions.push(reportVersion(version, this.#parse(version), group, carriedBy));
    this.#providers.clear();
    this.#versions.clear();
    return { name, archs, carriedBy, versions: versions.sort(byVersion) };
  }

  #addCandidates(candidates: Candidate[], arch: string, name: string): void {
    for (const [index, source] of this.sources.entries()) {
      if (source.arch !== arch) continue;
      for (const { each, provided, given } of carriersOf(source.packages, name)) {
        const { versions, obstacle } = this.#versionsGiven(each, given);
        for (const version of versions) {
          candidates.push({
            version,
            arch,
            repository: source.repository,
            changelog: source.changelog,
            package: each,
            provided,
            obstacle: obstacle ?? this.#obstacle(version, each, index),
          });
        }
      }
    }
  }

  /** The versions to which a package lays claim: one, or several that are all unusable. */
  #versionsGiven(
    each: Package,
    given: Carrier['given'],
  ): { versions: readonly string[]; obstacle?: Obstacle } {
    const [only] = given;
    if (given.length === 1 && only !== undefined) return { versions: [only] };
    const versions = new Set(given.filter((version) => version !== undefined));
    if (versions.size === 0) {
      if (this.#unversionedProvides) return { versions: [each.version] };
      return { versions: [each.version], obstacle: { reason: 'unversioned-provide' } };
    }
    if (versions.size === 1 && !given.includes(undefined)) return { versions: [...versions] };
    return { versions: [...versions], obstacle: { reason: 'conflicting-provides' } };
  }

  #obstacle(version: string, each: Package, sourceIndex: number): Obstacle | undefined {
    if (each.unusable) return { reason: each.unusable };
    if (!this.#parse(version)) return { reason: 'invalid-version' };
    const unmet = this.#unmetDependency(each, sourceIndex);
    return unmet && { reason: 'dependency-unmet', dependency: `${unmet.name}=${unmet.version}` };
  }

  /**
   * The exact dependency of `each` that nothing installable meets. Packages may need each other in circles, so this
   * takes all that can be reached from `each`, and strikes out what cannot be met until nothing more falls.
   */
  #unmetDependency(each: Package, sourceIndex: number): ExactDependency | undefined {
    if (each.exactDependencies.length === 0) return undefined;
    const root = this.#idOf(sourceIndex, each);
    if (this.#dependencies.has(root)) return this.#dependencies.get(root);

    const open = this.#reachable(each, sourceIndex);
    const unmet = new Map<PackageId, ExactDependency>();
    const isMet = ({ providers }: Need): boolean =>
      providers.some((key) => !unmet.has(key) && this.#dependencies.get(key) === undefined);
    for (let before = -1; before < unmet.size;) {
      before = unmet.size;
      for (const [key, needs] of open) {
        if (unmet.has(key)) continue;
        const missing = needs.find((need) => !isMet(need));
        if (missing) unmet.set(key, missing.dependency);
      }
    }
    for (const key of open.keys()) this.#dependencies.set(key, unmet.get(key));
    return unmet.get(root);
  }

  /** Packages with exact dependencies that `each` needs, directly or not, and that are not settled yet. */
  #reachable(each: Package, sourceIndex: number): Map<PackageId, readonly Need[]> {
    const open = new Map<PackageId, readonly Need[]>();
    const waiting: Pick<Provider, 'each' | 'sourceIndex'>[] = [{ each, sourceIndex }];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const key = this.#idOf(next.sourceIndex, next.each);
      if (open.has(key) || this.#dependencies.has(key)) continue;
      const arch = this.sources[next.sourceIndex]?.arch ?? '';
      const needs = next.each.exactDependencies.map((dependency) => {
        const providers = this.#providersOf(dependency, arch);
        for (const provider of providers)
          if (provider.each.exactDependencies.length > 0) waiting.push(provider);
        return {
          dependency,
          providers: providers.map((provider) => this.#idOf(provider.sourceIndex, provider.each)),
        };
      });
      open.set(key, needs);
    }
    return open;
  }

  /** The usable packages on `arch` that meet `dependency`, their own dependencies aside. */
  #providersOf({ name, version }: ExactDependency, arch: string): readonly Provider[] {
    const key = `${arch} ${name}`;
    const providers = this.#providers.get(key) ?? this.#allProvidersOf(name, arch);
    this.#providers.set(key, providers);
    const wanted = this.#parse(version);
    return providers.filter(({ given }) => given.every((each) => isSameVersion(each, version, wanted)));
  }

  #idOf(sourceIndex: number, { row }: Package): PackageId {
    return row * this.sources.length + sourceIndex;
  }

  #allProvidersOf(name: string, arch: string): Provider[] {
    return this.sources.flatMap((source, sourceIndex) => {
      if (source.arch !== arch) return [];
      return carriersOf(source.packages, name)
        .filter(({ each }) => !each.unusable)
        .map(({ each, given }) => ({
          each,
          sourceIndex,
          given: given.map((text) => ({ text, parsed: this.#parse(text ?? '') })),
        }));
    });
  }

  #parse(text: string): Version | undefined {
    if (this.#versions.has(text)) return this.#versions.get(text);
    const version = parseVersion(text);
    this.#versions.set(text, version);
    return version;
  }
}

/** A package that has a name, by being called so or by providing it. */
interface Carrier {
  readonly each: Package;
  /** It is called otherwise. */
  readonly provided: boolean;
  /** Every version at which it has the name: its own, and those of its provides (`undefined`: without one). */
  readonly given: readonly (string | undefined)[];
}

function carriersOf(packages: Packages, name: string): readonly Carrier[] {
  const providing = packages.providing(name);
  const providers = new Set(providing.map(({ row }) => row));
  const carriers: Carrier[] = [];
  for (const each of packages.named(name)) {
    // Hardly any package provides its own name, so what it provides is not even looked at.
    const given = providers.has(each.row) ? [each.version, ...versionsProvided(each, name)] : [each.version];
    carriers.push({ each, provided: false, given });
  }
  for (const each of providing)
    if (each.name !== name) carriers.push({ each, provided: true, given: versionsProvided(each, name) });
  return carriers;
}

function versionsProvided(each: Package, name: string): readonly (string | undefined)[] {
  return each.provides.filter((provide) => provide.name === name).map(({ version }) => version);
}

/** A package that has a name, at these versions. */
interface Provider {
  readonly each: Package;
  readonly sourceIndex: number;
  readonly given: readonly GivenVersion[];
}

interface GivenVersion {
  /** `undefined` for a provide without a version. */
  readonly text: string | undefined;
  readonly parsed: Version | undefined;
}

/** A package of any source; a number, because there are a hundred thousand with exact dependencies. */
type PackageId = number;

/** An exact dependency and the packages that could meet it. */
interface Need {
  readonly dependency: ExactDependency;
  readonly providers: readonly PackageId[];
}

function isSameVersion(
  { text, parsed }: GivenVersion,
  wanted: string,
  wantedParsed: Version | undefined,
): boolean {
  if (text === undefined || text === wanted) return text === wanted;
  return parsed !== undefined && wantedParsed !== undefined && compareVersions(parsed, wantedParsed) === 0;
}

function reportVersion(
  version: string,
  parsed: Version | undefined,
  group: readonly Candidate[],
  carriedBy: readonly string[],
): VersionReport {
  const best = new Map<string, Candidate>();
  for (const each of group) {
    const before = best.get(each.arch);
    if (!each.obstacle && (!before || isPreferred(each, before))) best.set(each.arch, each);
  }
  const missingOn = carriedBy.filter((arch) => !best.has(arch));
  const times = [...best.values()].map((each) => each.package.builtAt ?? 0);
  return {
    version,
    parsed,
    offered: carriedBy.length > 0 && missingOn.length === 0,
    chosen: best.values().next().value ?? (group[0] as Candidate),
    builtAt: Math.max(0, ...times) || undefined,
    missingOn,
    candidates: group,
  };
}

/**
 * Of two installable candidates on one arch: the first repository's, as apk chooses; within a repository the real
 * package before one that provides the name; then the one built last, which is what would be installed now.
 */
function isPreferred(each: Candidate, before: Candidate): boolean {
  if (each.repository !== before.repository) return false;
  if (each.provided !== before.provided) return before.provided;
  return (each.package.builtAt ?? 0) > (before.package.builtAt ?? 0);
}

/** Invalid versions first, by their text; versions that apk calls equal by their text. */
function byVersion(a: VersionReport, b: VersionReport): number {
  if (a.parsed && b.parsed) {
    const order = compareVersions(a.parsed, b.parsed);
    if (order !== 0) return order;
  } else if (a.parsed ?? b.parsed) return a.parsed ? 1 : -1;
  return a.version < b.version ? -1 : 1;
}
