/**
 * Which packages can be installed as far as their dependencies tell.
 *
 * Repositories publish packages before what they need exactly (`D:` with `=`). apk takes one package for each exact
 * dependency and gives up if that one cannot be installed, so this does the same: it takes what a package needs, and
 * what that needs, and looks for one that is not there or does not go with the others (`#together`). Where that is more
 * than `MOST_TOGETHER` packages, it is only found out what is not there (`#settle`), in time linear in what is needed.
 *
 * In a datasource that is `complete`, dependencies that leave a choice count, too: one that nothing installable meets.
 */
import { isExact, type Dependency, type Intruder, type Package } from '../apk/packages.ts';
import type { CatalogSource } from './catalog.ts';
import type { Carrier, PackageId, Reading } from './carriers.ts';
import { isStep, ITEMS_A_STEP } from './steps.ts';

/** Why a package cannot be installed. */
export interface Unmet {
  /** As written in the package's `D:`. */
  readonly dependency: string;
  /** The package that it, or what it needs, does not go with; `undefined` where something is not there. */
  readonly conflictsWith: string | undefined;
  /** A package that apk refuses and would install by itself beside what the dependency asks for. */
  readonly intruder?: string;
}

/** The most packages and names of packages that are looked at together. */
const MOST_TOGETHER = 64;
const MOST_NAMES = 4096;

/** A package that is not settled yet. */
interface Open {
  readonly dependencies: readonly Dependency[];
  /** What the dependencies ask for, in their order. */
  readonly needs: Need[];
  /** The needs that it meets itself while it stands. */
  readonly meets: Need[];
  fallen: boolean;
}

/** What packages of one arch need: a name, mostly at one version. */
interface Need {
  /** How many packages meet it and have not fallen. */
  standing: number;
  readonly neededBy: Open[];
}

export class Coherence {
  readonly #complete: boolean;
  /** By arch and the first name that they are installed with. */
  readonly #intruders: ReadonlyMap<string, readonly Intruder[]>;
  /** What was found out about packages with dependencies that count. */
  readonly #known = new Map<PackageId, Unmet | undefined>();
  /** The same as far as it is about what is not there. */
  readonly #settled = new Map<PackageId, Dependency | undefined>();

  /** Packages and names looked at since the last step. */
  #work = 0;

  constructor(complete: boolean, sources: readonly CatalogSource[]) {
    this.#complete = complete;
    const all = sources.flatMap(({ arch, packages }) =>
      packages.intruders.map((each) => ({ key: `${arch} ${each.installIf[0]?.name}`, each })),
    );
    this.#intruders = new Map(
      [...Map.groupBy(all, ({ key }) => key)].map(([key, some]) => [key, some.map(({ each }) => each)]),
    );
  }

  /** Is it still to be found out whether the carrier's package can be installed? */
  isOpen(carrier: Carrier): boolean {
    return this.#counts(carrier) && !this.#known.has(carrier.id);
  }

  /** Finds it out. */
  *settle(carrier: Carrier, reading: Reading): Generator<undefined, void> {
    this.#known.set(carrier.id, yield* this.#find(carrier, reading));
  }

  /** Why a package that is not open cannot be installed; `undefined` if it can. */
  unmet({ id }: Carrier): Unmet | undefined {
    return this.#known.get(id);
  }

  *#find(carrier: Carrier, reading: Reading): Generator<undefined, Unmet | undefined> {
    const needsExactly = carrier.package.needsExactly || this.#intruders.size > 0;
    const found = needsExactly && !this.#complete ? yield* this.#together(carrier, reading) : 'too-many';
    if (found !== 'too-many') return found;
    if (!this.#settled.has(carrier.id)) yield* this.#settle(carrier, reading);
    const missing = this.#settled.get(carrier.id);
    if (missing) return { dependency: dependencyText(missing), conflictsWith: undefined };
    const together = this.#complete && needsExactly ? yield* this.#together(carrier, reading) : undefined;
    return together === 'too-many' ? undefined : together;
  }

  /** Takes packages one after another as apk does, until all exact dependencies are met or one cannot be. */
  *#together(root: Carrier, reading: Reading): Generator<undefined, Unmet | 'too-many' | undefined> {
    const taken = new Together(reading);
    const waiting: { carrier: Carrier; because: Dependency | undefined }[] = [
      { carrier: root, because: undefined },
    ];
    const problem = (because: Dependency, conflictsWith?: Carrier): Unmet => ({
      dependency: dependencyText(because),
      conflictsWith: conflictsWith && `${conflictsWith.package.name}-${conflictsWith.package.version}`,
    });
    taken.add(root);
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      for (const dependency of next.carrier.package.bindingDependencies) {
        if (!isExact(dependency)) continue;
        const because = next.because ?? dependency;
        if (taken.meets(dependency, next.carrier)) continue;
        const other = taken.carrierOf(dependency.name);
        if (other) return problem(because, other);
        const [carrier] = yield* reading.meeting(dependency, root.source.arch);
        if (!carrier) return problem(because);
        const unfit = taken.add(carrier);
        if (unfit) return problem(because, unfit);
        if (taken.isTooLarge) return 'too-many';
        waiting.push({ carrier, because });
      }
    }
    this.#work += taken.size;
    if (this.#work > ITEMS_A_STEP) {
      this.#work = 0;
      yield;
    }
    const conflict = taken.conflict();
    if (conflict) return problem(conflict.dependency, conflict.other);
    return reading.rule === 'apk' ? taken.intrusion(this.#intruders) : undefined;
  }

  /** Settles what is not there for the package and all it needs. */
  *#settle(root: Carrier, reading: Reading): Generator<undefined, void> {
    const open = yield* this.#reach(root, reading);
    const falling = [...open.values()].filter(hasUnmetNeed);
    for (let next = falling.pop(), i = 0; next; next = falling.pop(), i += 1) {
      if (isStep(i)) yield;
      if (next.fallen) continue;
      next.fallen = true;
      for (const need of next.meets) {
        need.standing -= 1;
        if (need.standing === 0) for (const each of need.neededBy) falling.push(each);
      }
    }
    for (const [id, { dependencies, needs }] of open)
      this.#settled.set(id, dependencies[needs.findIndex(({ standing }) => standing === 0)]);
  }

  /**
   * The packages that `root` needs, directly or not, and that are not settled, with `root` itself. They may need each
   * other in circles, so all are taken to stand.
   */
  *#reach(root: Carrier, reading: Reading): Generator<undefined, ReadonlyMap<PackageId, Open>> {
    const open = new Map<PackageId, Open>([[root.id, this.#opened(root, reading)]]);
    const needs = new Map<string, Need>();
    const waiting = [root];
    for (let next = waiting.pop(), i = 0; next; next = waiting.pop()) {
      const { arch } = next.source;
      const own = open.get(next.id) as Open;
      for (const dependency of own.dependencies) {
        if (isStep((i += 1))) yield;
        const key = `${arch} ${dependencyText(dependency)}`;
        let need = needs.get(key);
        if (!need) {
          need = { standing: 0, neededBy: [] };
          needs.set(key, need);
          for (const carrier of yield* reading.meeting(dependency, arch)) {
            if (this.#settled.get(carrier.id)) continue;
            need.standing += 1;
            const known = open.get(carrier.id);
            if (known) known.meets.push(need);
            else if (!this.#settled.has(carrier.id) && this.#counts(carrier)) {
              const entered = this.#opened(carrier, reading);
              entered.meets.push(need);
              open.set(carrier.id, entered);
              waiting.push(carrier);
            }
          }
        }
        own.needs.push(need);
        need.neededBy.push(own);
      }
    }
    return open;
  }

  #counts({ package: each }: Carrier): boolean {
    return this.#complete || each.needsExactly || this.#intruders.size > 0;
  }

  /** With the dependencies that count and that it does not meet itself. */
  #opened(carrier: Carrier, reading: Reading): Open {
    const { package: owner } = carrier;
    const dependencies = (this.#complete ? owner.dependencies : owner.bindingDependencies).filter(
      (each) => !each.conflict && (this.#complete || isExact(each)) && !meetsItself(owner, each, reading),
    );
    return { dependencies, needs: [], meets: [], fallen: false };
  }
}

/** Packages that are installed together: no name with a version is had by two of them. */
class Together {
  readonly #reading: Reading;
  readonly #carriers: Carrier[] = [];
  readonly #holders = new Map<string, Holder[]>();

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** How many packages and names were looked at. */
  get size(): number {
    return this.#carriers.length + this.#holders.size;
  }

  get isTooLarge(): boolean {
    return this.#carriers.length > MOST_TOGETHER || this.#holders.size > MOST_NAMES;
  }

  /** Adds a package and returns the one that it does not go with. */
  add(carrier: Carrier): Carrier | undefined {
    this.#carriers.push(carrier);
    for (const { name, version } of this.#reading.namesOf(carrier)) {
      const holders = this.#holders.get(name) ?? [];
      const other = holders.find(
        (each) => each.carrier.id !== carrier.id && (version ?? each.version) !== undefined,
      );
      if (other) return other.carrier;
      this.#holders.set(name, [...holders, { carrier, version }]);
    }
    return undefined;
  }

  /** Does one of them meet the exact dependency of `owner`? */
  meets(dependency: Dependency, owner: Carrier): boolean {
    if (meetsItself(owner.package, dependency, this.#reading)) return true;
    const key = this.#reading.versionKey(dependency.version);
    return this.#versionsOf(dependency.name).some(({ version }) => this.#reading.versionKey(version) === key);
  }

  /** The one that has the name at some version. */
  carrierOf(name: string): Carrier | undefined {
    return this.#versionsOf(name)[0]?.carrier;
  }

  /** Of a dependency that rules others out (`!name`), with its owner: which of the others it rules out. */
  conflict(): { readonly dependency: Dependency; readonly other: Carrier } | undefined {
    for (const owner of this.#carriers) {
      for (const dependency of owner.package.bindingDependencies) {
        if (!dependency.conflict) continue;
        const other = this.#holdersOf(dependency.name).find(
          ({ carrier, version }) => carrier.id !== owner.id && this.#reading.fits(version, dependency),
        );
        if (other) return { dependency, other: other.carrier };
      }
    }
    return undefined;
  }

  /** A package that apk installs beside them (`install_if`) and refuses. */
  intrusion(intruders: ReadonlyMap<string, readonly Intruder[]>): Unmet | undefined {
    if (intruders.size === 0) return undefined;
    const arch = this.#carriers[0]?.source.arch;
    const isThere = (dependency: Dependency): boolean =>
      !dependency.conflict &&
      this.#holdersOf(dependency.name).some(({ version }) => this.#reading.fits(version, dependency));
    for (const name of this.#holders.keys()) {
      const found = intruders.get(`${arch} ${name}`)?.find(({ installIf }) => installIf.every(isThere));
      if (found) return { dependency: name, conflictsWith: undefined, intruder: found.package };
    }
    return undefined;
  }

  /** At which versions they have the name. apko gives a provide without one its package's, and a package one of its own name. */
  #versionsOf(name: string): readonly { readonly carrier: Carrier; readonly version: string }[] {
    const holders = this.#holdersOf(name);
    return holders.flatMap(({ carrier, version }) => {
      const own = carrier.package;
      if (this.#reading.rule === 'apk') return version === undefined ? [] : [{ carrier, version }];
      if (own.name === name) return [{ carrier, version: own.version }];
      if (version !== undefined) return [{ carrier, version }];
      const isVersioned = holders.some((each) => each.carrier === carrier && each.version !== undefined);
      return isVersioned ? [] : [{ carrier, version: own.version }];
    });
  }

  #holdersOf(name: string): readonly Holder[] {
    return this.#holders.get(name) ?? [];
  }
}

interface Holder {
  readonly carrier: Carrier;
  /** At which it has the name. */
  readonly version: string | undefined;
}

/** Whether the package has the name it needs itself, at that version; for apko a provide will do at any version. */
export function meetsItself(each: Package, dependency: Dependency, reading: Reading): boolean {
  if (each.name === dependency.name && reading.fits(each.version, dependency)) return true;
  const provided = each.provided(dependency.name);
  return reading.rule === 'apko'
    ? provided.length > 0
    : provided.some((version) => reading.fits(version, dependency));
}

function hasUnmetNeed({ needs }: Open): boolean {
  return needs.some(({ standing }) => standing === 0);
}

export function dependencyText({ name, operator, version, conflict }: Dependency): string {
  return `${conflict ? '!' : ''}${name}${operator}${version}`;
}
