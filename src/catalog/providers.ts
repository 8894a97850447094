/** The packages that have a name, and which of them apk would take. */
import { satisfies } from '../apk/constraint.ts';
import { isExact, type Dependency, type Package, type Provide } from '../apk/packages.ts';
import { canonicalText, compareVersions, parseVersion, type Version } from '../apk/version.ts';
import { compareTexts, countBefore } from '../sorted.ts';
import type { CatalogSource } from './catalog.ts';
import { filterInSteps, isStep, sortInSteps } from './steps.ts';

/** A number, because a hundred thousand of them are cached. */
export type PackageId = number;

/** A package that has a name, its own or a provided one; apk calls both providers. */
export interface Provider {
  /** Of the package, unique in the catalog. */
  readonly id: PackageId;
  readonly package: Package;
  readonly source: CatalogSource;
  /** The number of the source; of sources with the same arch, the repository listed first has the lowest. */
  readonly rank: number;
  /** It provides the name and has another name itself. */
  readonly provided: boolean;
  /** Every version at which it has the name: its own, and those of its provides (`undefined`: without one). */
  readonly versions: readonly (string | undefined)[];
}

/** `apko` counts a provide without a version with the package's version, and lets a package have a name twice. */
export type Rule = 'apk' | 'apko';

interface ReadVersion {
  readonly parsed: Version | undefined;
  /** The same for texts that apk calls equal. */
  readonly key: string;
}

/**
 * Caches the providers and versions read for one report. Versions of a name often need versions of one other name, and
 * all archs have the same versions. It is dropped with the report.
 */
export class ProviderReader {
  readonly rule: Rule;
  readonly #sources: readonly CatalogSource[];
  readonly #versions = new Map<string, ReadVersion>();
  /** By arch, then by name. */
  readonly #ofNames = new Map<string, Map<string, ProvidersOfName>>();
  readonly #names = new Map<PackageId, readonly Provide[]>();
  #providerCount = 0;

  constructor(sources: readonly CatalogSource[], rule: Rule) {
    this.#sources = sources;
    this.rule = rule;
  }

  /** How many providers and versions it has read. */
  get size(): number {
    return this.#providerCount + this.#versions.size;
  }

  parse(text: string): Version | undefined {
    return this.read(text).parsed;
  }

  /** A key of the version `text`, the same for texts that apk calls equal. */
  versionKey(text: string): string {
    return this.read(text).key;
  }

  read(text: string): ReadVersion {
    const known = this.#versions.get(text);
    if (known) return known;
    const parsed = parseVersion(text);
    // A valid version never begins with a blank.
    const read = { parsed, key: parsed ? canonicalText(parsed) : ` ${text}` };
    this.#versions.set(text, read);
    return read;
  }

  /** The packages that have `name` on `arch`. */
  *providersOf(name: string, arch: string): Generator<undefined, ProvidersOfName> {
    const ofArch = this.#ofNames.get(arch) ?? new Map<string, ProvidersOfName>();
    this.#ofNames.set(arch, ofArch);
    let found = ofArch.get(name);
    if (!found) {
      found = new ProvidersOfName(yield* this.#providers(name, arch), this);
      ofArch.set(name, found);
    }
    return found;
  }

  /** The provider apk takes for `name=version` on `arch`, whether or not it can be installed. */
  *taken(name: string, version: string, arch: string): Generator<undefined, Provider | undefined> {
    const found = yield* this.providersOf(name, arch);
    return yield* found.taken(this.versionKey(version));
  }

  /**
   * The providers that meet `dependency` on `arch`: for an exact one only the one that apk takes, otherwise all.
   */
  *meeting(dependency: Dependency, arch: string): Generator<undefined, readonly Provider[]> {
    if (isExact(dependency)) {
      const taken = yield* this.taken(dependency.name, dependency.version, arch);
      return taken && !this.isRefused(taken) ? [taken] : [];
    }
    const meeting: Provider[] = [];
    const { providers } = yield* this.providersOf(dependency.name, arch);
    for (const [i, provider] of providers.entries()) {
      if (isStep(i)) yield;
      if (!this.isInstallable(provider)) continue;
      const fitting = provider.versions.filter((version) => this.fits(version, dependency));
      if (fitting.some((version) => version !== undefined)) meeting.push(provider);
      else if (fitting.length > 0 && (yield* this.isTakenUnversioned(provider))) meeting.push(provider);
    }
    return meeting;
  }

  #isThere(name: string, arch: string): boolean {
    const isUsable = ({ unusable }: Package): boolean => !unusable;
    return this.#sources.some(
      (source) =>
        source.arch === arch &&
        (source.packages.named(name).some(isUsable) || source.packages.providing(name).some(isUsable)),
    );
  }

  /** The same for an exact dependency, if it was read before. */
  knownMeeting({ name, version }: Dependency, arch: string): Provider | undefined {
    const taken = this.#ofNames.get(arch)?.get(name)?.knownTaken(this.versionKey(version));
    return taken && !this.isRefused(taken) ? taken : undefined;
  }

  /** Whether any provider meets `dependency`. If a name has many versions, they are sorted at the first call. */
  *isMet(dependency: Dependency, arch: string): Generator<undefined, boolean> {
    if (this.rule === 'apko' && dependency.operator === '') return this.#isThere(dependency.name, arch);
    const found = yield* this.providersOf(dependency.name, arch);
    if (isExact(dependency) || found.providers.length <= FEW)
      return (yield* this.meeting(dependency, arch)).length > 0;
    return yield* found.areFitting(dependency);
  }

  /**
   * Whether apk takes the package for a name that it provides without a version: only if it has a provider priority
   * or is needed by its own name. Here it is enough that any package of the arch needs it.
   */
  *isTakenUnversioned({ package: each, source }: Provider): Generator<undefined, boolean> {
    if (this.rule === 'apko' || each.priority > 0) return true;
    for (const { arch, packages } of this.#sources)
      if (arch === source.arch && (yield* packages.neededNames()).has(each.name)) return true;
    return false;
  }

  /**
   * Whether a name at `version` (`undefined`: without one) meets the dependency, or is what a conflict excludes.
   */
  fits(version: string | undefined, { operator, version: bound }: Dependency): boolean {
    // `><` asks for one build by its identity, which is not compared here.
    if (operator === '' || (operator.includes('<') && operator.includes('>'))) return true;
    // For apk, a missing version is older than any other.
    if (version === undefined) return this.rule === 'apk' && operator.includes('<');
    if (version === bound) return operator.includes('=') || operator.includes('~');
    const [parsed, parsedBound] = [this.parse(version), this.parse(bound)];
    return (
      parsed !== undefined &&
      parsedBound !== undefined &&
      satisfies(parsed, { operator, version: parsedBound })
    );
  }

  /** The names of a package with the versions at which it has them, its own first. */
  namesOf({ id, package: each }: Provider): readonly Provide[] {
    let names = this.#names.get(id);
    if (!names) {
      names = [{ name: each.name, version: each.version }, ...each.provides];
      this.#names.set(id, names);
    }
    return names;
  }

  /** Whether apk would install the package, regardless of its dependencies. */
  isInstallable(provider: Provider): boolean {
    return !provider.package.unusable && !this.isRefused(provider);
  }

  /** Whether apk always refuses the package, because it has a name twice. */
  isRefused({ package: each }: Provider): boolean {
    return this.rule === 'apk' && each.conflictsWithItself;
  }

  /**
   * Whether a package can be taken for a version of the name. If it has the name at several, one of them never fits, and
   * solvers take another package.
   */
  isEligible({ versions }: Provider): boolean {
    if (versions.length === 1) return true;
    return new Set(versions.map((text) => text && this.versionKey(text))).size === 1;
  }

  /**
   * Of providers with the same version of the name, the one apk takes: among packages of one name the highest version;
   * among several names the highest provider priority (`k:`), then the repository listed first, then the first by
   * name, as the index is sorted. apko compares the packages' own versions instead of their repositories.
   */
  *preferred(providers: readonly Provider[]): Generator<undefined, Provider | undefined> {
    if (providers.length < 2) return providers[0];
    const best = new Map<string, Provider>();
    for (const [i, each] of providers.entries()) {
      if (isStep(i)) yield;
      const { name } = each.package;
      const before = best.get(name);
      if (!before || this.#compareBuilds(each, before) > 0) best.set(name, each);
    }
    let taken: Provider | undefined;
    for (const each of best.values()) if (!taken || this.#compare(each, taken) > 0) taken = each;
    return taken;
  }

  /**
   * Compares two packages of one name. If apk sees no difference, it takes the first in the index. To offer nothing
   * that apk might refuse, a refused package wins here, then the later build, then the text of the packages.
   */
  #compareBuilds(a: Provider, b: Provider): number {
    return (
      this.#compareOwnVersions(a, b) ||
      a.package.priority - b.package.priority ||
      this.#compareRepositories(a, b) ||
      Number(this.isRefused(a)) - Number(this.isRefused(b)) ||
      (a.package.builtAt ?? 0) - (b.package.builtAt ?? 0) ||
      compareTexts(textOf(a.package), textOf(b.package))
    );
  }

  /** Compares two packages of different names. */
  #compare(a: Provider, b: Provider): number {
    return (
      a.package.priority - b.package.priority ||
      (this.rule === 'apko' ? this.#compareOwnVersions(a, b) : this.#compareRepositories(a, b)) ||
      -compareTexts(a.package.name, b.package.name)
    );
  }

  /** apko sorts its repositories. */
  #compareRepositories(a: Provider, b: Provider): number {
    const order = this.rule === 'apko' ? compareTexts(b.source.repository, a.source.repository) : 0;
    return order || b.rank - a.rank;
  }

  #compareOwnVersions({ package: a }: Provider, { package: b }: Provider): number {
    const [left, right] = [this.parse(a.version), this.parse(b.version)];
    return left && right ? compareVersions(left, right) : Number(!!left) - Number(!!right);
  }

  *#providers(name: string, arch: string): Generator<undefined, readonly Provider[]> {
    const providers: Provider[] = [];
    for (const [rank, source] of this.#sources.entries())
      if (source.arch === arch) yield* this.#addProviders(providers, rank, name);
    return providers;
  }

  *#addProviders(providers: Provider[], rank: number, name: string): Generator<undefined, void> {
    const source = this.#sources[rank] as CatalogSource;
    const named = source.packages.named(name);
    const providing = source.packages.providing(name);
    const add = (each: Package, provided: boolean, versions: Provider['versions']): void => {
      const id = each.row * this.#sources.length + rank;
      providers.push({ id, package: each, source, rank, provided, versions });
      this.#providerCount += 1;
    };
    // Hardly any package provides its own name, so its provides are not read. apko never reads them.
    const mayBeBoth = this.rule === 'apk' && named.length > 0 && providing.length > 0;
    const rows = mayBeBoth ? new Set(providing.map(({ row }) => row)) : undefined;
    for (const [i, each] of named.entries()) {
      if (isStep(i)) yield;
      const isBoth = rows?.has(each.row) === true;
      add(each, false, isBoth ? [each.version, ...each.provided(name)] : [each.version]);
    }
    for (const [i, each] of providing.entries()) {
      if (isStep(i)) yield;
      if (each.name !== name) add(each, true, this.#versionsProvided(each, name));
    }
  }

  #versionsProvided(each: Package, name: string): Provider['versions'] {
    const versions = each.provided(name);
    if (this.rule === 'apk' || !versions.includes(undefined)) return versions;
    const versioned = versions.filter((version) => version !== undefined);
    return versioned.length > 0 ? versioned : [each.version];
  }
}

/** Up to this many packages of a name are examined one by one. */
const FEW = 64;

/** The versions at which installable packages have a name. */
interface Installable {
  /** Whether a package that apk takes has the name without a version. */
  readonly isUnversioned: boolean;
  readonly texts: ReadonlySet<string>;
  /** Oldest first; those that apk calls valid. */
  readonly sorted: readonly Version[];
}

/** The packages that have one name on one arch. */
class ProvidersOfName {
  /** All of them, in the order of the repositories. */
  readonly providers: readonly Provider[];
  readonly #reader: ProviderReader;
  /**
   * By version key: the usable and eligible providers of that version, or, after the first request, the one that apk
   * takes.
   */
  #byVersion: Map<string, Provider | Provider[]> | undefined;
  #installable: Installable | undefined;

  constructor(providers: readonly Provider[], reader: ProviderReader) {
    this.providers = providers;
    this.#reader = reader;
  }

  /** The one apk takes for the version, whether or not it can be installed. */
  *taken(versionKey: string): Generator<undefined, Provider | undefined> {
    this.#byVersion ??= yield* this.#indexByVersion();
    const found = this.#byVersion.get(versionKey);
    if (!Array.isArray(found)) return found;
    const taken = yield* this.#reader.preferred(found);
    if (taken) this.#byVersion.set(versionKey, taken);
    return taken;
  }

  /** The same, if it was computed before. */
  knownTaken(versionKey: string): Provider | undefined {
    const found = this.#byVersion?.get(versionKey);
    return Array.isArray(found) ? undefined : found;
  }

  /** Whether an installable package meets a dependency that is not exact. Fast for many packages. */
  *areFitting(dependency: Dependency): Generator<undefined, boolean> {
    const { operator, version: bound } = dependency;
    const reader = this.#reader;
    this.#installable ??= yield* this.#readInstallable();
    const { isUnversioned, texts, sorted } = this.#installable;
    if (isUnversioned && reader.fits(undefined, dependency)) return true;
    // A constraint that a text without a valid version meets is met by all.
    if (texts.size > 0 && reader.fits('', dependency)) return true;
    if (texts.has(bound) && reader.fits(bound, dependency)) return true;
    const parsed = reader.parse(bound);
    if (!parsed) return false;
    // Versions of one line are contiguous, and its bound is among them.
    const older = countBefore(sorted.length, (i) => compareVersions(sorted[i] as Version, parsed) < 0);
    return [sorted[0], sorted[older - 1], sorted[older], sorted.at(-1)].some(
      (version) => version && satisfies(version, { operator, version: parsed }),
    );
  }

  *#readInstallable(): Generator<undefined, Installable> {
    const providers = yield* filterInSteps(this.providers, (each) => this.#reader.isInstallable(each));
    const texts = new Set<string>();
    for (const [i, { versions }] of providers.entries()) {
      if (isStep(i)) yield;
      for (const [j, version] of versions.entries()) {
        if (isStep(j)) yield;
        if (version !== undefined) texts.add(version);
      }
    }
    const parsed: Version[] = [];
    for (const text of texts) {
      const version = this.#reader.parse(text);
      if (version) parsed.push(version);
      if (isStep(parsed.length)) yield;
    }
    let isUnversioned = false;
    for (const [i, each] of providers.entries()) {
      if (isStep(i)) yield;
      isUnversioned ||= each.versions.includes(undefined) && (yield* this.#reader.isTakenUnversioned(each));
    }
    return { isUnversioned, texts, sorted: yield* sortInSteps(parsed, compareVersions) };
  }

  *#indexByVersion(): Generator<undefined, Map<string, Provider | Provider[]>> {
    const byVersion = new Map<string, Provider | Provider[]>();
    for (const [i, provider] of this.providers.entries()) {
      if (isStep(i)) yield;
      if (provider.package.unusable || !this.#reader.isEligible(provider)) continue;
      for (const key of this.#versionKeys(provider)) {
        const before = byVersion.get(key);
        if (before === undefined) byVersion.set(key, provider);
        else if (Array.isArray(before)) before.push(provider);
        else byVersion.set(key, [before, provider]);
      }
    }
    return byVersion;
  }

  /** The keys of the versions at which a provider has the name, each once. */
  #versionKeys({ versions }: Provider): Iterable<string> {
    const [only] = versions;
    if (versions.length === 1) return only === undefined ? [] : [this.#reader.versionKey(only)];
    return new Set(versions.flatMap((text) => (text === undefined ? [] : this.#reader.versionKey(text))));
  }
}

function textOf({ dependencies, provides }: Package): string {
  return JSON.stringify([[...dependencies], provides]);
}
