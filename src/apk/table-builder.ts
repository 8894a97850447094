/**
 * Builds the table for both index formats: rows of ids in string tables (docs/decisions/003). The readers intern the
 * fields of a package and add it. The builder applies apk's rules: identities, foreign archs, names that a package has
 * twice.
 */
import { IndexError } from '../errors.ts';
import type { ByteBuffer } from './byte-buffer.ts';
import { COMMIT_BYTES, decodeCommit } from './commit.ts';
import {
  GrowingColumns,
  GrowingNumbers,
  identitySlots,
  IdentitySet,
  postings,
  type Arenas,
} from './growing-table.ts';
import { decodeIdentity, hashIdentity, IDENTITY_BYTES } from './identity.ts';
import { readNumbers, writeNumber } from './lists.ts';
import { Arena } from './memory.ts';
import {
  Flag,
  PackageTable,
  parseDependency,
  tokens,
  unusableReasons,
  type SizeColumns,
} from './package-table.ts';
import type { RefusedAutoInstall, ParseReport, Unusable } from './packages.ts';
import { EMPTY, slotNumbers, StringTable, type StringCapacity } from './string-table.ts';

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
  /** The arch of most packages, apart from `noarch` and `all`; `undefined` if no package names one. */
  readonly arch: string | undefined;
  /** Build time of its newest package, in unix seconds; 0 if unknown. */
  readonly newestBuiltAt: number;
  readonly report: ParseReport;
}

/**
 * The fields of a package but its identity and commit; string ids except for the last five. See `Columns`.
 */
export interface NewPackage {
  name: number;
  version: number;
  arch: number;
  origin: number;
  url: number;
  provides: number;
  dependencies: number;
  builtAt: number;
  priority: number;
  packed: number;
  installed: number;
  /** See `Flag`. */
  flags: number;
}

/** A package without any fields. */
export function emptyPackage(): NewPackage {
  const made = {} as NewPackage;
  clearPackage(made);
  return made;
}

export function clearPackage(old: NewPackage): void {
  old.name = old.version = old.arch = old.origin = old.url = EMPTY;
  old.provides = old.dependencies = EMPTY;
  old.builtAt = old.priority = old.packed = old.installed = old.flags = 0;
}

/** Limits for these packages and their conditions; no public index is known to have one. */
const MAX_AUTO_INSTALLS = 1000;
const MAX_CONDITION_BYTES = 4096;
/** An index names a few. Hundreds of thousands would block requests while they are counted and sorted. */
const MAX_ARCHS = 1000;

const FOREIGN_ARCH = unusableReasons.indexOf('foreign-arch' satisfies Unusable);

export class TableBuilder {
  /** Names of packages and provides: everything that can be looked up. */
  readonly names: StringTable;
  /** All other strings. */
  readonly values: StringTable;
  readonly #options: TableOptions;
  readonly #arenas: Arenas;
  readonly #typical: number;
  readonly #rows: GrowingColumns;
  readonly #identities: IdentitySet;
  readonly #rowArchs: GrowingNumbers;
  readonly #sizes: Record<keyof SizeColumns, number[]> | undefined;
  /** Pairs of a name and the row that provides it. */
  readonly #providedNames: GrowingNumbers;
  readonly #providingRows: GrowingNumbers;
  /** For each name, twice (its last row + 1), plus one if with a version. */
  readonly #lastProvider: GrowingNumbers;
  /** The last list added. */
  #lastList = EMPTY;
  // The next package, whose identity and commit are written to the next row.
  #hasIdentity = false;
  #hasUsualCommit = false;
  #otherCommit = EMPTY;
  readonly #autoInstalls: RefusedAutoInstall[] = [];
  #newestBuiltAt = 0;
  #badPackages = 0;
  #firstBad: string | undefined;
  #incompletePackages = 0;

  constructor(options: TableOptions) {
    const { maxPackages, compressedBytes = 64 * 1024, withSizes = false } = options;
    const { typical, most } = expectedPackages(compressedBytes, maxPackages);
    const names: StringCapacity = { strings: typical / 4, bytes: compressedBytes / 2 };
    const values: StringCapacity = { strings: typical, interned: typical / 2, bytes: compressedBytes };
    // Room for ids, identities and commits of `most` packages in columns, starts and postings, and for the strings.
    const kept = new Arena(most * (4 * 13 + IDENTITY_BYTES + COMMIT_BYTES) + compressedBytes * 2);
    const slots = identitySlots(typical) + slotNumbers(values);
    const scratch = new Arena(4 * (slots + most * 4 + typical * 3));
    this.#options = options;
    this.#arenas = { kept, scratch };
    this.#typical = typical;
    this.#rows = new GrowingColumns(kept, most);
    this.names = new StringTable(kept, names);
    this.values = new StringTable(kept, values, scratch);
    this.#identities = new IdentitySet(scratch, typical);
    this.#lastProvider = new GrowingNumbers(scratch, typical);
    this.#rowArchs = new GrowingNumbers(scratch, most);
    this.#providedNames = new GrowingNumbers(scratch, most);
    this.#providingRows = new GrowingNumbers(scratch, most);
    this.#sizes = withSizes ? { packed: [], installed: [] } : undefined;
  }

  get hasSizes(): boolean {
    return this.#sizes !== undefined;
  }

  /** Working memory for a reader: about one number per package. Freed when the table is finished. */
  numbers(): GrowingNumbers {
    return new GrowingNumbers(this.#arenas.scratch, this.#typical);
  }

  /**
   * The id of a list of provides or dependencies. Versions of a package often have the same list, one after the other;
   * others hardly ever do, so a list is only compared with the last one.
   */
  addList(list: ByteBuffer): number {
    if (list.length === 0) return EMPTY;
    const { list: all } = this.values;
    if (!all.equals(this.#lastList, list, 0, list.length)) this.#lastList = all.add(list, 0, list.length);
    return this.#lastList;
  }

  /** Sets the identity of the next package from the text of an index; an empty one is none. */
  readIdentity({ bytes }: ByteBuffer, start: number, end: number): void {
    this.#hasIdentity = end > start;
    if (this.#hasIdentity)
      decodeIdentity(this.#rows.reserve().identity, this.#place(IDENTITY_BYTES), bytes, start, end);
  }

  /** Sets the identity of the next package from its `IDENTITY_BYTES` bytes. */
  copyIdentity(from: ByteBuffer, start: number): void {
    this.#hasIdentity = true;
    const { identity } = this.#rows.reserve();
    from.copyTo(identity, this.#place(IDENTITY_BYTES), start, start + IDENTITY_BYTES);
  }

  /** Sets the commit of the next package from the text of an index. */
  readCommit(text: ByteBuffer, start: number, end: number): void {
    const { commit } = this.#rows.reserve();
    this.#hasUsualCommit = decodeCommit(commit, this.#place(COMMIT_BYTES), text.bytes, start, end);
    if (!this.#hasUsualCommit) this.#otherCommit = this.values.intern(text, start, end);
  }

  /** Sets the commit of the next package from its `COMMIT_BYTES` bytes. */
  copyCommit(from: ByteBuffer, start: number): void {
    this.#hasUsualCommit = true;
    from.copyTo(this.#rows.reserve().commit, this.#place(COMMIT_BYTES), start, start + COMMIT_BYTES);
  }

  /** Counts a package that cannot be used; `fact` is the reason. */
  skip(fact: string): void {
    this.#badPackages += 1;
    this.#firstBad ??= fact;
    this.#clearNext();
  }

  /** Counts a package that is added although a field or dependency could not be read. */
  noteIncomplete(): void {
    this.#incompletePackages += 1;
  }

  /** Adds a package and returns its row; `undefined` if an earlier one has the same identity. */
  add(added: NewPackage): number | undefined {
    const to = this.#rows.reserve();
    const row = this.#rows.count;
    if (!(this.#hasIdentity ? this.#isNew(row) : this.#isNewWithoutIdentity(added, row))) {
      this.#clearNext();
      return undefined;
    }
    if (row >= this.#options.maxPackages) {
      throw new IndexError('apkindex-malformed', `more than ${this.#options.maxPackages} packages`);
    }
    this.#rows.count += 1;
    to.name[row] = added.name;
    to.version[row] = added.version;
    to.origin[row] = added.origin;
    // Few packages have one, and pages that are not written to take no memory.
    if (added.url !== EMPTY) to.url[row] = added.url;
    to.provides[row] = added.provides;
    to.dependencies[row] = added.dependencies;
    to.builtAt[row] = added.builtAt;
    to.priority[row] = added.priority;
    to.flags[row] = added.flags | (this.#hasUsualCommit ? 0 : Flag.hasOtherCommit);
    if (!this.#hasUsualCommit) writeNumber(to.commit, row * COMMIT_BYTES, this.#otherCommit);
    this.#sizes?.packed.push(added.packed);
    this.#sizes?.installed.push(added.installed);
    if (added.builtAt > this.#newestBuiltAt) this.#newestBuiltAt = added.builtAt;
    this.#rowArchs.add(added.arch);
    this.#lastProvider.set(added.name, provider(row, true));
    this.#clearNext();
    return row;
  }

  #clearNext(): void {
    this.#hasIdentity = this.#hasUsualCommit = false;
    this.#otherCommit = EMPTY;
  }

  /** Where the next row begins in a column of `bytes` bytes a row. */
  #place(bytes: number): number {
    return this.#rows.count * bytes;
  }

  /** Whether no package before `row` has its identity. */
  #isNew(row: number): boolean {
    return this.#identities.add(this.#rows.identityWords, row);
  }

  /** The same for a package without one: it gets one of name, version and time or, if another has it, of more. */
  #isNewWithoutIdentity(
    { name, version, arch, builtAt, priority, ...lists }: NewPackage,
    row: number,
  ): boolean {
    const { list } = this.values;
    const isNew = (facts: readonly unknown[]): boolean => {
      this.#rows.columns.identity.set(hashIdentity(JSON.stringify(facts)), row * IDENTITY_BYTES);
      return this.#isNew(row);
    };
    const facts = [this.names.list.text(name), list.text(version), builtAt];
    if (isNew(facts)) return true;
    const needs = readNumbers(list.bytes(lists.dependencies)).map((id) => list.text(id));
    return isNew([...facts, list.text(arch), priority, tokens(list.text(lists.provides)), needs]);
  }

  /** Adds a provide of the last added package, at `row`. apk does not install a package that has a name twice. */
  provide(row: number, name: number, hasVersion: boolean): void {
    const [before, now] = [this.#lastProvider.at(name), provider(row, hasVersion)];
    const isAgain = before >> 1 === now >> 1;
    this.#lastProvider.set(name, isAgain ? before | now : now);
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
    if (((flags[row] as number) & Flag.conflictsWithItself) === 0 || size > MAX_CONDITION_BYTES) return;
    const text = list();
    if (this.#autoInstalls.length >= MAX_AUTO_INSTALLS || text.length > MAX_CONDITION_BYTES) return;
    const texts = [this.names.list.text(name[row] as number), this.values.list.text(version[row] as number)];
    const autoInstall = { row, package: texts.join('-'), installIf: tokens(text).map(parseDependency) };
    this.#autoInstalls.push(autoInstall);
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
    const arch = this.#decideArch();
    return {
      arch,
      newestBuiltAt: this.#newestBuiltAt,
      packages: yield* this.#makeTable(),
      report: {
        badStanzas: this.#badPackages,
        firstBadStanza: this.#firstBad,
        incompletePackages: this.#incompletePackages,
      },
    };
  }

  /**
   * Marks the packages that name another arch, which apk 3 refuses. Throws `apkindex-malformed` if most packages do:
   * the index is in the wrong folder. `all`, which early OpenWrt has in place of `noarch`, is no arch of any folder; apk
   * refuses its packages, too. Throws the same for more than `MAX_ARCHS`.
   */
  #decideArch(): string | undefined {
    const { archs = [] } = this.#options;
    const ids = countsOf(this.#rowArchs.all());
    const counts = new Map([...ids].map(([id, count]) => [this.values.list.text(id), count]));
    for (const none of ['', 'noarch', 'all']) counts.delete(none);
    const [mostNamed] = [...counts.keys()].toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
    const wanted = archs.filter((each) => counts.has(each));
    const chosen = wanted.toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0))[0];
    const arch = this.#options.arch ?? chosen ?? mostNamed;
    const own = counts.get(arch ?? '') ?? 0;
    const foreign = counts.values().reduce((sum, count) => sum + count, 0) - own;
    if (wanted.length > 1 && foreign >= own) {
      const fact = `packages for ${wanted.join(' and ')} in one file: list them under archs of the repository`;
      throw new IndexError('apkindex-malformed', fact);
    }
    if (chosen === undefined && mostNamed !== undefined && foreign > this.#rows.count / 2) {
      throw new IndexError(
        'apkindex-malformed',
        `most packages are for ${escaped(mostNamed.slice(0, 60))}, expected ${this.#options.arch ?? (archs.join(' or ') || 'one arch')}`,
      );
    }
    this.#markForeign(arch ?? '', ids.keys());
    return arch;
  }

  #markForeign(own: string, archs: Iterable<number>): void {
    const { list } = this.values;
    const foreign = new Set([...archs].filter((id) => !['', 'noarch', own].includes(list.text(id))));
    if (foreign.size === 0) return;
    const { flags } = this.#rows.columns;
    for (const [row, id] of this.#rowArchs.all().entries())
      if (foreign.has(id)) flags[row] = ((flags[row] as number) & ~Flag.unusable) | FOREIGN_ARCH;
  }

  #everyRow(): Uint32Array {
    const rows = this.#arenas.scratch.numbers(this.#rows.count);
    for (let row = 0; row < rows.length; row += 1) rows[row] = row;
    return rows;
  }

  *#makeTable(): Generator<undefined, PackageTable> {
    const columns = this.#rows.finished();
    const names = this.names.list.count;
    const byName = yield* postings(this.#arenas, names, columns.name, this.#everyRow());
    const byProvide = yield* postings(
      this.#arenas,
      names,
      this.#providedNames.all(),
      this.#providingRows.all(),
    );
    this.#arenas.scratch.release();
    const strings = { names: this.names, values: this.values.list };
    const isUsable = (row: number): boolean => ((columns.flags[row] as number) & Flag.unusable) === 0;
    const autoInstalls = this.#autoInstalls.filter(({ row }) => isUsable(row));
    return new PackageTable(strings, columns, { byName, byProvide }, { autoInstalls, sizes: this.#sizes });
  }
}

/** Estimates the number of packages. Wolfi's index takes 70 compressed bytes per package; none takes half of that. */
function expectedPackages(compressedBytes: number, limit: number): { typical: number; most: number } {
  const packages = (bytesEach: number): number => Math.min(limit, Math.ceil(compressedBytes / bytesEach));
  return { typical: packages(70), most: packages(32) };
}

/** Counts each arch, given by its id. Most are the same as the previous one. */
function countsOf(numbers: Uint32Array): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (let start = 0, end = 0; start < numbers.length; start = end) {
    const number = numbers[start] as number;
    while (end < numbers.length && numbers[end] === number) end += 1;
    counts.set(number, (counts.get(number) ?? 0) + end - start);
    if (counts.size > MAX_ARCHS) throw new IndexError('apkindex-malformed', `more than ${MAX_ARCHS} archs`);
  }
  return counts;
}

/** The value in `lastProvider` for a name of `row`. */
function provider(row: number, hasVersion: boolean): number {
  return 2 * (row + 1) + (hasVersion ? 1 : 0);
}

/** Text for messages, without control characters. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
