/** One index in memory, as the catalog sees it. */

/** Why apk itself would not install a package of an index, whatever the request. */
export type Unusable = 'foreign-arch' | 'unknown-field';

/** One stanza: a name at one version for one arch. Values are decoded when they are read. */
export interface Package {
  /** Its place in the index, unique there. */
  readonly row: number;
  readonly name: string;
  readonly version: string;
  /** Build time in unix seconds (`t:`), or `undefined` where the index does not tell or says 0. */
  readonly builtAt: number | undefined;
  /** The source package it was built from; empty where not told. */
  readonly origin: string;
  /** Commit of the recipe; empty where not told. */
  readonly commit: string;
  /** Upstream's page (`U:`); empty where not told. */
  readonly url: string;
  readonly provides: readonly Provide[];
  /** The versions at which it provides `name`, in the order of `provides`; `undefined` for without one. */
  provided(name: string): readonly (string | undefined)[];
  /** What it needs and what must not be there, in the order of `D:`. */
  readonly dependencies: Iterable<Dependency>;
  /** Those dependencies that ask for an exact version or rule something out, in the same order. */
  readonly bindingDependencies: Iterable<Dependency>;
  /** One of the dependencies asks for an exact version. */
  readonly needsExactly: boolean;
  /** `C:`, by which apk verifies what it downloads, as `Q1…`; made of name, version and time where not told. */
  readonly identity: string;
  /** `k:`, which of several providers apk prefers; 0 where not told. */
  readonly priority: number;
  /** It has a name twice, at least once with a version. apk then installs it for none of its names. */
  readonly conflictsWithItself: boolean;
  readonly unusable: Unusable | undefined;
}

/** A virtual name. Whatever operator stands behind it, apk reads what follows as its version. */
export interface Provide {
  readonly name: string;
  readonly version: string | undefined;
}

/** Another package that is needed, or with `conflict` (`!name`) that must not be there. */
export interface Dependency {
  readonly name: string;
  /** Such as `>=`; empty where any version will do. */
  readonly operator: string;
  /** Empty without an operator. */
  readonly version: string;
  readonly conflict: boolean;
}

/** Is exactly one version (`=` or `==`) of the name needed? */
export function isExact({ operator, conflict }: Dependency): boolean {
  return !conflict && (operator === '=' || /^=+$/.test(operator));
}

export function isBinding(dependency: Dependency): boolean {
  return dependency.conflict || isExact(dependency);
}

/** A package that apk refuses and installs by itself where all of `installIf` (`i:`) is met. */
export interface Intruder {
  /** Of the package. */
  readonly row: number;
  /** `name-version`. */
  readonly package: string;
  readonly installIf: readonly Dependency[];
}

/** A set of rows: a bit each. */
export class RowSet {
  readonly bits: Uint8Array;
  #size = 0;

  constructor(rowCount: number) {
    this.bits = new Uint8Array(Math.ceil(rowCount / 8));
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a row that is not in it. */
  add(row: number): void {
    this.bits[row >>> 3] = (this.bits[row >>> 3] as number) | (1 << (row & 7));
    this.#size += 1;
  }

  has(row: number): boolean {
    return ((this.bits[row >>> 3] as number) & (1 << (row & 7))) !== 0;
  }
}

/** All packages of one APKINDEX, or some of them. */
export interface Packages {
  /** Every row is below it. */
  readonly rowCount: number;
  /** Usable and unusable packages. */
  readonly packageCount: number;
  /** Distinct package names. */
  readonly nameCount: number;
  /** Package names, in no particular order. */
  names(): Iterable<string>;
  /** Names that packages provide, in no particular order; a package name may be among them. */
  providedNames(): Iterable<string>;
  /** Is there a package of that name, or one that provides it? */
  has(name: string): boolean;
  /** Packages of that name, in the order of the index. */
  named(name: string): readonly Package[];
  /** Packages that provide `name`, with or without a version, in the order of the index. */
  providing(name: string): readonly Package[];
  /** Names that packages need, at whatever version, as far as a package can be called so; made when first asked for. */
  neededNames(): Generator<undefined, ReadonlySet<string>>;
  /** Hardly any index has one. */
  readonly intruders: readonly Intruder[];
  /** When the packages were built, by row, in unix seconds; 0 where not told. */
  readonly buildTimes: Uint32Array;
  /** The whole index without some packages; the others keep their rows. Copies nothing. */
  without(hidden: RowSet): Packages;
}

/** What was odd about an index that is used nevertheless. */
export interface ParseReport {
  /** Packages skipped because they cannot be read or have no name or version. */
  readonly badStanzas: number;
  /** The first of them: its place in the index and the fact. */
  readonly firstBadStanza: string | undefined;
  /** Packages dropped because another one before them has the same identity, as in apk. */
  readonly duplicateIdentities: number;
  /** Packages that are used although a field or a dependency of them could not be read; only ADB has such. */
  readonly incompletePackages: number;
}
