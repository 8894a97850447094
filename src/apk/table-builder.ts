/**
 * Builds the table for both index formats: rows of ids in string tables (docs/decisions/003). The readers intern the
 * fields of a package and add it. The builder applies apk's rules: identities, foreign archs, names that a package has
 * twice.
 */
import { IndexError } from '../errors.ts';
import { GrowingColumns, GrowingNumbers, IdentitySet, postings } from './growing-table.ts';
import { Arena } from './memory.ts';
import { hashIdentity } from './identity.ts';
import {
  Flag,
  IDENTITY_BYTES,
  PackageTable,
  parseDependency,
  tokens,
  unusableReasons,
} from './package-table.ts';
import type { Intruder, ParseReport, Unusable } from './packages.ts';
import { EMPTY, StringTable } from './string-table.ts';

export interface TableOptions {
  readonly maxPackages: number;
  /** The arch for which the index was requested; by default the one that most packages name. */
  readonly arch?: string | undefined;
  /** Without `arch`: the archs to read from a file that may have several. */
  readonly archs?: readonly string[] | undefined;
  /** Whether the sizes of packages are read as well; the service does without. */
  readonly withSizes?: boolean | undefined;
  /** Compressed size of the index: a hint for preallocation, affects speed only. */
  readonly compressedBytes?: number | undefined;
}

export interface ScannedIndex {
  readonly packages: PackageTable;
  /** The arch of most packages, apart from `noarch`; `undefined` if no package names one. */
  readonly arch: string | undefined;
  /** Build time of its newest package, in unix seconds; 0 if unknown. */
  readonly newestBuiltAt: number;
  readonly report: ParseReport;
}

/** The fields of a package; string ids except for the last seven. See `Columns`. */
export interface NewPackage {
  name: number;
  version: number;
  arch: number;
  origin: number;
  commit: number;
  url: number;
  provides: number;
  dependencies: number;
  builtAt: number;
  priority: number;
  packed: number;
  installed: number;
  /** See `Flag`. */
  flags: number;
  /** `IDENTITY_BYTES`, written in place; valid only with `hasIdentity`. */
  readonly identity: Uint8Array;
  hasIdentity: boolean;
}

/** A package without any fields. */
export function emptyPackage(): NewPackage {
  const made = { identity: new Uint8Array(IDENTITY_BYTES) } as NewPackage;
  clearPackage(made);
  return made;
}

export function clearPackage(old: NewPackage): void {
  old.name = old.version = old.arch = old.origin = old.commit = old.url = EMPTY;
  old.provides = old.dependencies = EMPTY;
  old.builtAt = old.priority = old.packed = old.installed = old.flags = 0;
  old.hasIdentity = false;
}

/** Limits for intruders and their conditions; no public index is known to have one. */
const MOST_INTRUDERS = 1000;
const MOST_CONDITION_BYTES = 4096;

const FOREIGN_ARCH = unusableReasons.indexOf('foreign-arch' satisfies Unusable);

export class TableBuilder {
  /** Names of packages and provides: everything that can be looked up. */
  readonly names: StringTable;
  /** All other strings. */
  readonly values: StringTable;
  /** In the form of `packCommit`. */
  readonly commits: StringTable;
  /** Reads the identity of the next package. */
  readonly identities: IdentitySet;
  readonly #options: TableOptions;
  readonly #arena: Arena;
  readonly #rows: GrowingColumns;
  readonly #rowArchs = new GrowingNumbers();
  readonly #sizes: readonly [GrowingNumbers, GrowingNumbers] | undefined;
  /** Pairs of a name and the row that provides it. */
  readonly #providedNames = new GrowingNumbers();
  readonly #providingRows = new GrowingNumbers();
  /** For each name, twice (its last row + 1), plus one if with a version. */
  readonly #lastCarrier = new GrowingNumbers();
  readonly #intruders: Intruder[] = [];
  #newestBuiltAt = 0;
  #badPackages = 0;
  #firstBad: string | undefined;
  #duplicateIdentities = 0;
  #incompletePackages = 0;

  constructor(options: TableOptions) {
    const { maxPackages, compressedBytes = 64 * 1024 } = options;
    const { typical, most } = expectedPackages(compressedBytes, maxPackages);
    this.#options = options;
    // Room for ids and identities of `most` packages in columns, starts and postings, and twice the compressed bytes.
    this.#arena = new Arena(most * (4 * 16 + IDENTITY_BYTES) + compressedBytes * 2);
    this.#rows = new GrowingColumns(this.#arena, most);
    this.names = StringTable.reserve(this.#arena, { strings: typical / 4, bytes: compressedBytes / 2 });
    this.values = StringTable.reserve(this.#arena, { strings: typical, bytes: compressedBytes });
    this.commits = StringTable.reserve(this.#arena, { strings: typical, bytes: compressedBytes / 2 });
    this.identities = new IdentitySet(typical);
    this.#sizes = options.withSizes ? [new GrowingNumbers(), new GrowingNumbers()] : undefined;
  }

  get hasSizes(): boolean {
    return this.#sizes !== undefined;
  }

  /** Counts a package that cannot be used; `fact` is the reason. */
  skip(fact: string): void {
    this.#badPackages += 1;
    this.#firstBad ??= fact;
    this.identities.clear();
  }

  /** Counts a package that is added although a field or dependency could not be read. */
  noteIncomplete(): void {
    this.#incompletePackages += 1;
  }

  /** Adds a package and returns its row; `undefined` if an earlier one has the same identity. */
  add(added: NewPackage): number | undefined {
    const isNew = this.identities.add();
    this.identities.clear();
    if (!isNew) {
      this.#duplicateIdentities += 1;
      return undefined;
    }
    if (this.#rows.count >= this.#options.maxPackages) {
      throw new IndexError('apkindex-malformed', `more than ${this.#options.maxPackages} packages`);
    }
    const row = this.#rows.add();
    const to = this.#rows.columns;
    to.name[row] = added.name;
    to.version[row] = added.version;
    to.origin[row] = added.origin;
    to.commit[row] = added.commit;
    to.url[row] = added.url;
    to.provides[row] = added.provides;
    to.dependencies[row] = added.dependencies;
    to.builtAt[row] = added.builtAt;
    to.priority[row] = added.priority;
    to.flags[row] = added.flags;
    this.#sizes?.[0].add(added.packed);
    this.#sizes?.[1].add(added.installed);
    to.identity.set(added.hasIdentity ? added.identity : this.#substitute(added), row * IDENTITY_BYTES);
    if (added.builtAt > this.#newestBuiltAt) this.#newestBuiltAt = added.builtAt;
    this.#rowArchs.add(added.arch);
    this.#lastCarrier.set(added.name, carrier(row, true));
    return row;
  }

  /** The identity of a package that has none in the index. */
  #substitute({ name, version, builtAt }: NewPackage): Uint8Array {
    const texts = [this.names.list.text(name), this.values.list.text(version)];
    return hashIdentity(JSON.stringify([...texts, builtAt]));
  }

  /** Adds a provide of the last added package, at `row`. apk does not install a package that has a name twice. */
  provide(row: number, name: number, hasVersion: boolean): void {
    const [before, now] = [this.#lastCarrier.at(name), carrier(row, hasVersion)];
    const isAgain = before >> 1 === now >> 1;
    this.#lastCarrier.set(name, isAgain ? before | now : now);
    if (isAgain && ((before | now) & 1) !== 0) {
      const { flags } = this.#rows.columns;
      flags[row] = (flags[row] as number) | Flag.conflictsWithItself;
    }
    this.#providedNames.add(name);
    this.#providingRows.add(row);
  }

  /**
   * Adds the `install_if` of the package at `row`. It matters only for packages that apk cannot install, so call this
   * after all its provides are added. `list` returns the text, which has at least `size` bytes.
   */
  installIf(row: number, size: number, list: () => string): void {
    const { flags, name, version } = this.#rows.columns;
    if (((flags[row] as number) & Flag.conflictsWithItself) === 0 || size > MOST_CONDITION_BYTES) return;
    const text = list();
    if (this.#intruders.length >= MOST_INTRUDERS || text.length > MOST_CONDITION_BYTES) return;
    const texts = [this.names.list.text(name[row] as number), this.values.list.text(version[row] as number)];
    const intruder = { row, package: texts.join('-'), installIf: tokens(text).map(parseDependency) };
    this.#intruders.push(intruder);
  }

  /**
   * In steps, because sorting a million packages would block requests. Throws `apkindex-malformed` if most packages
   * were bad.
   */
  *finish(): Generator<undefined, ScannedIndex> {
    const total = this.#badPackages + this.#rows.count;
    if (this.#badPackages > this.#rows.count) {
      throw new IndexError(
        'apkindex-malformed',
        `${this.#badPackages} of ${total} packages are bad: ${this.#firstBad ?? ''}`,
      );
    }
    const arch = this.#settleArch();
    return {
      arch,
      newestBuiltAt: this.#newestBuiltAt,
      packages: yield* this.#makeTable(),
      report: {
        badStanzas: this.#badPackages,
        firstBadStanza: this.#firstBad,
        duplicateIdentities: this.#duplicateIdentities,
        incompletePackages: this.#incompletePackages,
      },
    };
  }

  /**
   * Marks the packages that name another arch, which apk 3 refuses. Throws `apkindex-malformed` if most packages do:
   * the index is in the wrong folder.
   */
  #settleArch(): string | undefined {
    const { archs = [] } = this.#options;
    const ids = countsOf(this.#rowArchs.all());
    const counts = new Map([...ids].map(([id, count]) => [this.values.list.text(id), count]));
    counts.delete('');
    counts.delete('noarch');
    const [mostNamed] = [...counts.keys()].toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
    const wanted = archs.filter((each) => counts.has(each));
    const chosen = wanted.toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0))[0];
    const arch = this.#options.arch ?? chosen ?? mostNamed;
    const own = counts.get(arch ?? '') ?? 0;
    const foreign = counts.values().reduce((sum, count) => sum + count, 0) - own;
    if (wanted.length > 1 && foreign >= own) {
      const fact = `packages for ${wanted.join(' and ')} in one file: name them in archs of the repository`;
      throw new IndexError('apkindex-malformed', fact);
    }
    if (chosen === undefined && mostNamed !== undefined && foreign > this.#rows.count / 2) {
      throw new IndexError(
        'apkindex-malformed',
        `most packages are for ${escaped(mostNamed.slice(0, 60))}, expected ${this.#options.arch ?? (archs.join(' or ') || 'one arch')}`,
      );
    }
    if (foreign > 0) this.#markForeign(arch ?? '', ids.keys());
    return arch;
  }

  #markForeign(own: string, archs: Iterable<number>): void {
    const { list } = this.values;
    const foreign = new Set([...archs].filter((id) => !['', 'noarch', own].includes(list.text(id))));
    const { flags } = this.#rows.columns;
    for (const [row, id] of this.#rowArchs.all().entries())
      if (foreign.has(id)) flags[row] = ((flags[row] as number) & ~Flag.unusable) | FOREIGN_ARCH;
  }

  *#makeTable(): Generator<undefined, PackageTable> {
    const columns = this.#rows.finished();
    const names = this.names.list.count;
    const byName = yield* postings(this.#arena, names, columns.name);
    const byProvide = yield* postings(
      this.#arena,
      names,
      this.#providedNames.all(),
      this.#providingRows.all(),
    );
    const strings = { names: this.names, values: this.values.close(), commits: this.commits.close() };
    for (const done of [
      this.identities,
      this.#rowArchs,
      this.#providedNames,
      this.#providingRows,
      this.#lastCarrier,
    ])
      done.release();
    const isUsable = (row: number): boolean => ((columns.flags[row] as number) & Flag.unusable) === 0;
    const intruders = this.#intruders.filter(({ row }) => isUsable(row));
    const sizes = this.#sizes && { packed: this.#sizes[0].all(), installed: this.#sizes[1].all() };
    return new PackageTable(strings, columns, { byName, byProvide }, { intruders, sizes });
  }
}

/** Estimates the number of packages. Wolfi's index takes 70 compressed bytes per package; none takes half of that. */
function expectedPackages(compressedBytes: number, limit: number): { typical: number; most: number } {
  const packages = (bytesEach: number): number => Math.min(limit, Math.ceil(compressedBytes / bytesEach));
  return { typical: packages(70), most: packages(32) };
}

/** Counts each number. Most are the same as the previous one. */
function countsOf(numbers: Uint32Array): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (let start = 0, end = 0; start < numbers.length; start = end) {
    const number = numbers[start] as number;
    while (end < numbers.length && numbers[end] === number) end += 1;
    counts.set(number, (counts.get(number) ?? 0) + end - start);
  }
  return counts;
}

/** The value in `lastCarrier` for a name of `row`. */
function carrier(row: number, hasVersion: boolean): number {
  return 2 * (row + 1) + (hasVersion ? 1 : 0);
}

/** Text for messages, without control characters. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
