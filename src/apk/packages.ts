/** The interface of one index in memory, for the catalog. */

/** Why apk refuses to install a package of an index in any case. */
export type Unusable = 'foreign-arch' | 'unknown-field' | 'broken-dependency';

/** One stanza: a name at one version for one arch. Values are decoded on access. */
export interface Package {
  /** Its row in the index, unique there. */
  readonly row: number;
  readonly name: string;
  readonly version: string;
  /** Build time in unix seconds (`t:`); `undefined` if absent or 0. */
  readonly builtAt: number | undefined;
  /** The source package it was built from; empty if unknown. */
  readonly origin: string;
  /** Commit of the recipe; empty if unknown. */
  readonly commit: string;
  /** Upstream's page (`U:`); empty if unknown. */
  readonly url: string;
  readonly provides: readonly Provide[];
  /**
   * The versions at which it provides `name`, in the order of `provides`; `undefined` for a provide without a version.
   */
  provided(name: string): readonly (string | undefined)[];
  /** Dependencies and conflicts, in the order of `D:`. */
  readonly dependencies: Iterable<Dependency>;
  /** The dependencies that ask for an exact version, and the conflicts, in the same order. */
  readonly bindingDependencies: Iterable<Dependency>;
  /** Whether a dependency asks for an exact version. */
  readonly needsExactly: boolean;
  /** `C:` as `Q1…`, by which apk verifies downloads. If absent, computed from what the package has. */
  readonly identity: string;
  /** `k:`, the provider priority: of several providers, apk prefers the highest; 0 if absent. */
  readonly priority: number;
  /** It has a name twice, at least once with a version. apk then never installs it. */
  readonly conflictsWithItself: boolean;
  readonly unusable: Unusable | undefined;
  /** Only of indexes that were read with sizes. */
  readonly sizes?: Sizes | undefined;
}

/** In bytes; 0 if unknown. */
export interface Sizes {
  /** `S:`, the package as it is downloaded. */
  readonly packed: number;
  /** `I:`, its files. */
  readonly installed: number;
}

/** A virtual name. apk reads the text after any operator as its version. */
export interface Provide {
  readonly name: string;
  readonly version: string | undefined;
}

/** A needed package or, with `conflict` (`!name`), one that must not be installed. */
export interface Dependency {
  readonly name: string;
  /** Such as `>=`; empty if any version will do. */
  readonly operator: string;
  /** Empty without an operator. */
  readonly version: string;
  readonly conflict: boolean;
}

/** Whether it needs exactly one version of the name (`=` or `==`). */
export function isExact({ operator, conflict }: Dependency): boolean {
  return !conflict && (operator === '=' || /^=+$/.test(operator));
}

export function isBinding(dependency: Dependency): boolean {
  return dependency.conflict || isExact(dependency);
}

/** A package that apk would install automatically once all of `installIf` (`i:`) is met, but refuses. */
export interface RefusedAutoInstall {
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

  /** Ascending. */
  *rows(): Iterable<number> {
    for (const [i, byte] of this.bits.entries())
      if (byte !== 0) for (let row = 8 * i; row < 8 * i + 8; row += 1) if (this.has(row)) yield row;
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
  /** Whether a package has the name or provides it. */
  has(name: string): boolean;
  /** The number of packages with the name plus the number that provide it, hidden ones included. */
  countOf(name: string): number;
  /** The package in that row, hidden or not. */
  at(row: number): Package;
  /** Packages with that name, in the order of the index. */
  named(name: string): readonly Package[];
  /** Packages that provide `name`, with or without a version, in the order of the index. */
  providing(name: string): readonly Package[];
  /** Names that packages depend on, at any version, if they are possible names of packages; built on first use. */
  neededNames(): Generator<undefined, ReadonlySet<string>>;
  /** Empty in nearly all indexes. */
  readonly autoInstalls: readonly RefusedAutoInstall[];
  /** Build times by row, in unix seconds; 0 if unknown. */
  readonly buildTimes: Uint32Array;
  /** The whole index without some packages; the others keep their rows. Copies nothing. */
  without(hidden: RowSet): Packages;
}

/** Defects of an index that is used nevertheless. */
export interface ParseReport {
  /** Packages skipped because they cannot be read or have no name or version. */
  readonly badStanzas: number;
  /** The first bad stanza: its place in the index and the reason. */
  readonly firstBadStanza: string | undefined;
  /** Packages that are used although a field or dependency could not be read; only in ADB. */
  readonly incompletePackages: number;
}
