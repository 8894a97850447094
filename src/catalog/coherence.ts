/**
 * Decides from dependencies which packages can be installed.
 *
 * Repositories publish packages before their exact dependencies (`D:` with `=`). apk takes one package for each exact
 * dependency and gives up if that one cannot be installed. This does the same: it follows the dependencies of a package
 * and looks for one that is missing or conflicts with the others (`#together`). A range counts if one of them has the
 * name at a version that does not fit. Above `MAX_TOGETHER` packages it only looks for missing ones (`#findMissing`), in
 * linear time.
 *
 * In a `complete` datasource, other dependencies count too, if no installable package meets them.
 */
import { isExact, type Dependency, type RefusedAutoInstall, type Package } from '../apk/packages.ts';
import type { CatalogSource } from './catalog.ts';
import type { Provider, PackageId, ProviderReader } from './providers.ts';
import { eachInSteps, isStep, ITEMS_A_STEP } from './steps.ts';

/** Why a package cannot be installed. */
export interface Unmet {
  /** As written in the package's `D:`. */
  readonly dependency: string;
  /** The package with which it or one of its dependencies conflicts; `undefined` if something is missing. */
  readonly conflictsWith: string | undefined;
  /** A package that apk refuses but would install automatically with the dependency. */
  readonly autoInstall?: string;
}

/** The most packages that are examined together. */
const MAX_TOGETHER = 64;
/** The same for an image. */
const MAX_IN_IMAGE = 1024;
const MAX_NAMES = 4096;

/** A package that cannot be installed with others. */
interface Incompatible {
  /** The requested package that needs it, and the requested package that needs the conflicting one. */
  readonly root: Provider;
  readonly other: Provider | undefined;
  readonly unmet: Unmet;
}

const State = { undecided: 0, met: 1, unmet: 2 } as const;

/** A package for which it is not yet known whether it can be installed. */
interface Undecided {
  readonly dependencies: readonly Dependency[];
  /** The needs of the dependencies, in their order. */
  readonly needs: Need[];
  /** The needs of others that it meets, unless it turns out not to be installable. */
  readonly meets: Need[];
  rejected: boolean;
}

/** What packages of one arch need: a name, mostly at one version. */
interface Need {
  /** The number of packages that meet it and may be installable. */
  remaining: number;
  readonly neededBy: Undecided[];
}

export class Coherence {
  readonly #complete: boolean;
  /** By arch and the first name that they are installed with. */
  readonly #autoInstalls: ReadonlyMap<string, readonly RefusedAutoInstall[]>;
  /** Results for packages with dependencies that count; a byte each, because there are a hundred thousand. */
  readonly #states: Uint8Array;
  readonly #unmet = new Map<PackageId, Unmet>();
  /** The results about missing dependencies only. */
  readonly #missing = new Map<PackageId, Dependency | undefined>();

  /** Packages and names examined since the last step. */
  #work = 0;

  constructor(complete: boolean, sources: readonly CatalogSource[]) {
    this.#complete = complete;
    const rows = Math.max(0, ...sources.map(({ packages }) => packages.rowCount));
    this.#states = new Uint8Array(rows * sources.length);
    const all = sources.flatMap(({ arch, packages }) =>
      packages.autoInstalls.map((each) => ({ key: `${arch} ${each.installIf[0]?.name}`, each })),
    );
    this.#autoInstalls = new Map(
      [...Map.groupBy(all, ({ key }) => key)].map(([key, some]) => [key, some.map(({ each }) => each)]),
    );
  }

  /** Whether it is not yet known if the provider's package can be installed. */
  isUndecided(provider: Provider): boolean {
    return this.#counts(provider) && this.#states[provider.id] === State.undecided;
  }

  /** Decides whether the provider's package can be installed. */
  *settle(provider: Provider, reader: ProviderReader): Generator<undefined, void> {
    const unmet = yield* this.#find(provider, reader);
    this.#states[provider.id] = unmet ? State.unmet : State.met;
    if (unmet) this.#unmet.set(provider.id, unmet);
  }

  /** Why a package that is decided cannot be installed; `undefined` if it can. */
  unmet({ id }: Provider): Unmet | undefined {
    return this.#states[id] === State.unmet ? this.#unmet.get(id) : undefined;
  }

  *#find(provider: Provider, reader: ProviderReader): Generator<undefined, Unmet | undefined> {
    const needsExactly = provider.package.needsExactly || this.#autoInstalls.size > 0;
    const found = needsExactly && !this.#complete ? yield* this.#together(provider, reader) : 'too-many';
    if (found !== 'too-many') return found;
    if (!this.#missing.has(provider.id)) yield* this.#findMissing(provider, reader);
    const missing = this.#missing.get(provider.id);
    if (missing) return { dependency: dependencyText(missing), conflictsWith: undefined };
    const together = this.#complete && needsExactly ? yield* this.#together(provider, reader) : undefined;
    return together === 'too-many' ? undefined : together;
  }

  /** Which of some packages cannot be installed with the others, although each alone can, and why. */
  *conflict(
    roots: readonly Provider[],
    reader: ProviderReader,
  ): Generator<undefined, Incompatible | undefined> {
    const misfit = yield* this.#take(roots, reader, MAX_IN_IMAGE);
    return misfit === 'too-many' ? undefined : misfit;
  }

  *#together(root: Provider, reader: ProviderReader): Generator<undefined, Unmet | 'too-many' | undefined> {
    const misfit = yield* this.#take([root], reader, MAX_TOGETHER);
    return typeof misfit === 'object' ? misfit.unmet : misfit;
  }

  /** Takes packages one after another as apk does, until all exact dependencies are met or one cannot be. */
  *#take(
    asked: readonly Provider[],
    reader: ProviderReader,
    most: number,
  ): Generator<undefined, Incompatible | 'too-many' | undefined> {
    const arch = asked[0]?.source.arch ?? '';
    const taken = new InstallSet(reader, most);
    const waiting: { provider: Provider; because: Dependency | undefined; root: Provider }[] = [];
    const roots = asked.length > 1 ? new Map<PackageId, Provider>() : undefined;
    const problem = (root: Provider, because: Dependency, conflictsWith?: Provider): Incompatible => ({
      root,
      other: conflictsWith && roots?.get(conflictsWith.id),
      unmet: {
        dependency: dependencyText(because),
        conflictsWith: conflictsWith && `${conflictsWith.package.name}-${conflictsWith.package.version}`,
      },
    });
    for (const root of asked) {
      const unfit = taken.add(root);
      roots?.set(root.id, root);
      const { name, version } = root.package;
      if (unfit) return problem(root, { name, operator: '=', version, conflict: false }, unfit);
      waiting.push({ provider: root, because: undefined, root });
    }
    for (const { provider: owner, because: reason, root } of waiting) {
      for (const dependency of owner.package.bindingDependencies) {
        if ((this.#work += 1) >= ITEMS_A_STEP) {
          this.#work = 0;
          yield;
        }
        if (dependency.conflict) taken.addExclusion(dependency, { owner, root });
        if (!isExact(dependency)) continue;
        const because = reason ?? dependency;
        if (taken.meets(dependency, owner)) continue;
        const other = taken.providerOf(dependency.name);
        if (other) return problem(root, because, other);
        const provider =
          reader.knownMeeting(dependency, arch) ?? (yield* reader.meeting(dependency, arch))[0];
        if (!provider) return problem(root, because);
        const unfit = taken.add(provider);
        if (unfit) return problem(root, because, unfit);
        if (taken.isTooLarge) return 'too-many';
        roots?.set(provider.id, root);
        waiting.push({ provider, because, root });
      }
    }
    this.#work += taken.size;
    if (this.#work > ITEMS_A_STEP) {
      this.#work = 0;
      yield;
    }
    const conflict = taken.conflict();
    if (conflict) return problem(conflict.root, conflict.dependency, conflict.other);
    for (const { provider, because, root } of waiting)
      for (const dependency of provider.package.dependencies) {
        if (isStep((this.#work += 1))) yield;
        if (dependency.conflict || dependency.operator === '' || isExact(dependency)) continue;
        const other = taken.mismatch(dependency);
        if (other && !meetsItself(provider.package, dependency, reader))
          return problem(root, because ?? dependency, other);
      }
    const refusedAutoInstall =
      reader.rule === 'apk' ? taken.refusedAutoInstall(this.#autoInstalls, arch) : undefined;
    return refusedAutoInstall && { root: asked[0] as Provider, other: undefined, unmet: refusedAutoInstall };
  }

  /** Decides for the package and all its dependencies whether something is missing. */
  *#findMissing(root: Provider, reader: ProviderReader): Generator<undefined, void> {
    const undecided = yield* this.#reach(root, reader);
    const rejecting = [...undecided.values()].filter(hasUnmetNeed);
    for (let next = rejecting.pop(), i = 0; next; next = rejecting.pop(), i += 1) {
      if (isStep(i)) yield;
      if (next.rejected) continue;
      next.rejected = true;
      for (const need of next.meets) {
        need.remaining -= 1;
        if (need.remaining === 0) for (const each of need.neededBy) rejecting.push(each);
      }
    }
    for (const [id, { dependencies, needs }] of undecided)
      this.#missing.set(id, dependencies[needs.findIndex(({ remaining }) => remaining === 0)]);
  }

  /**
   * `root` and the undecided packages that it needs, directly or indirectly. Dependencies may be circular, so all are
   * assumed to be installable at first.
   */
  *#reach(root: Provider, reader: ProviderReader): Generator<undefined, ReadonlyMap<PackageId, Undecided>> {
    const undecided = new Map<PackageId, Undecided>([[root.id, yield* this.#undecided(root, reader)]]);
    const needs = new Map<string, Need>();
    const waiting = [root];
    for (let next = waiting.pop(), i = 0; next; next = waiting.pop()) {
      const { arch } = next.source;
      const own = undecided.get(next.id) as Undecided;
      for (const dependency of own.dependencies) {
        if (isStep((i += 1))) yield;
        const key = `${arch} ${dependencyText(dependency)}`;
        let need = needs.get(key);
        if (!need) {
          need = { remaining: 0, neededBy: [] };
          needs.set(key, need);
          for (const provider of yield* reader.meeting(dependency, arch)) {
            if (this.#missing.get(provider.id)) continue;
            need.remaining += 1;
            const known = undecided.get(provider.id);
            if (known) known.meets.push(need);
            else if (!this.#missing.has(provider.id) && this.#counts(provider)) {
              const entered = yield* this.#undecided(provider, reader);
              entered.meets.push(need);
              undecided.set(provider.id, entered);
              waiting.push(provider);
            }
          }
        }
        own.needs.push(need);
        need.neededBy.push(own);
      }
    }
    return undecided;
  }

  #counts({ package: each }: Provider): boolean {
    return this.#complete || each.needsExactly || this.#autoInstalls.size > 0;
  }

  /** The package with the dependencies that count and that it does not meet itself. */
  *#undecided({ package: owner }: Provider, reader: ProviderReader): Generator<undefined, Undecided> {
    const dependencies: Dependency[] = [];
    yield* eachInSteps(this.#complete ? owner.dependencies : owner.bindingDependencies, (each) => {
      if (each.conflict || !(this.#complete || isExact(each)) || meetsItself(owner, each, reader)) return;
      dependencies.push(each);
    });
    return { dependencies, needs: [], meets: [], rejected: false };
  }
}

/** Packages to be installed together: no two of them may have the same name if one has it with a version. */
class InstallSet {
  readonly #reader: ProviderReader;
  /** By name, the first that has it. */
  readonly #entries = new Map<string, NameEntry>();
  readonly #ruledOut: (Exclusion & { readonly dependency: Dependency })[] = [];
  readonly #most: number;
  #providerCount = 0;

  constructor(reader: ProviderReader, most: number) {
    this.#reader = reader;
    this.#most = most;
  }

  /** How many packages and names were examined. */
  get size(): number {
    return this.#providerCount + this.#entries.size;
  }

  get isTooLarge(): boolean {
    return this.#providerCount > this.#most || this.#entries.size > MAX_NAMES;
  }

  /** Adds a package and returns the one that it conflicts with. */
  add(provider: Provider): Provider | undefined {
    this.#providerCount += 1;
    for (const { name, version } of this.#reader.namesOf(provider)) {
      const added: NameEntry = { provider, version, next: undefined };
      let last = this.#entries.get(name);
      if (!last) {
        this.#entries.set(name, added);
        continue;
      }
      const isOther = (each: NameEntry): boolean =>
        each.provider.id !== provider.id && (version ?? each.version) !== undefined;
      const isKnown = (each: NameEntry): boolean =>
        each.provider.id === provider.id && each.version === version;
      for (; !isOther(last) && !isKnown(last) && last.next; last = last.next);
      if (isOther(last)) return last.provider;
      if (!isKnown(last)) last.next = added;
    }
    return undefined;
  }

  /** Whether one of them meets the exact dependency of `owner`, which is one of them. */
  meets(dependency: Dependency, owner: Provider): boolean {
    if (this.#reader.rule === 'apko' && meetsItself(owner.package, dependency, this.#reader)) return true;
    const { name, version: wanted } = dependency;
    const isSame = (entry: NameEntry): boolean => {
      const version = this.#versionOf(name, entry);
      if (version === undefined || version === wanted) return version === wanted;
      return this.#reader.versionKey(version) === this.#reader.versionKey(wanted);
    };
    return this.#find(name, isSame) !== undefined;
  }

  /** The package that has the name at some version. */
  providerOf(name: string): Provider | undefined {
    return this.#find(name, (entry) => this.#versionOf(name, entry) !== undefined);
  }

  /** Records a conflict (`!name`). */
  addExclusion(dependency: Dependency, exclusion: Exclusion): void {
    this.#ruledOut.push({ dependency, ...exclusion });
  }

  /** A package that has the name of the dependency, if none has it at a version that fits. */
  mismatch(dependency: Dependency): Provider | undefined {
    const { name } = dependency;
    const isFit = (entry: NameEntry): boolean => this.#reader.fits(this.#versionOf(name, entry), dependency);
    return this.#find(name, isFit) ? undefined : this.providerOf(name);
  }

  /** The first conflict that excludes one of them. */
  conflict():
    { readonly dependency: Dependency; readonly other: Provider; readonly root: Provider } | undefined {
    for (const { dependency, owner, root } of this.#ruledOut) {
      const other = this.#find(
        dependency.name,
        ({ provider, version }) => provider.id !== owner.id && this.#reader.fits(version, dependency),
      );
      if (other) return { dependency, other, root };
    }
    return undefined;
  }

  /** A package that apk would install automatically with them (`install_if`), but refuses. */
  refusedAutoInstall(
    autoInstalls: ReadonlyMap<string, readonly RefusedAutoInstall[]>,
    arch: string,
  ): Unmet | undefined {
    if (autoInstalls.size === 0) return undefined;
    const isThere = (dependency: Dependency): boolean =>
      !dependency.conflict &&
      this.#find(dependency.name, ({ version }) => this.#reader.fits(version, dependency)) !== undefined;
    for (const name of this.#entries.keys()) {
      const found = autoInstalls.get(`${arch} ${name}`)?.find(({ installIf }) => installIf.every(isThere));
      if (found) return { dependency: name, conflictsWith: undefined, autoInstall: found.package };
    }
    return undefined;
  }

  /**
   * The version at which it has the name. apko uses the package's version for its own name and for provides without a
   * version.
   */
  #versionOf(name: string, { provider, version }: NameEntry): string | undefined {
    if (this.#reader.rule === 'apk') return version;
    const own = provider.package;
    if (own.name === name) return own.version;
    if (version !== undefined) return version;
    const isVersioned = (each: NameEntry): boolean =>
      each.provider.id === provider.id && each.version !== undefined;
    return this.#find(name, isVersioned) ? undefined : own.version;
  }

  #find(name: string, isWanted: (entry: NameEntry) => boolean): Provider | undefined {
    for (let each = this.#entries.get(name); each; each = each.next) if (isWanted(each)) return each.provider;
    return undefined;
  }
}

/** The package that declares a conflict (`!name`), and the requested package that needs it. */
interface Exclusion {
  readonly owner: Provider;
  readonly root: Provider;
}

/** A package that has a name, and the next one that has it. */
interface NameEntry {
  readonly provider: Provider;
  /** The version at which it has the name. */
  readonly version: string | undefined;
  next: NameEntry | undefined;
}

/** Whether the package itself meets its dependency; for apko, a provide of any version does. */
export function meetsItself(each: Package, dependency: Dependency, reader: ProviderReader): boolean {
  if (each.name === dependency.name && reader.fits(each.version, dependency)) return true;
  const provided = each.provided(dependency.name);
  return reader.rule === 'apko'
    ? provided.length > 0
    : provided.some((version) => reader.fits(version, dependency));
}

function hasUnmetNeed({ needs }: Undecided): boolean {
  return needs.some(({ remaining }) => remaining === 0);
}

export function dependencyText({ name, operator, version, conflict }: Dependency): string {
  return `${conflict ? '!' : ''}${name}${operator}${version}`;
}
