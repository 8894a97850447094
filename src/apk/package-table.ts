/**
 * The compact form of an index: a row per package, a column per field, values as ids in string tables
 * (docs/decisions/003). Lookups by name need no object per package.
 */
import { operatorSpan } from './constraint.ts';
import { readNumber, readNumbers } from './lists.ts';
import {
  isBinding,
  type Dependency,
  type RefusedAutoInstall,
  type Package,
  type Packages,
  type Provide,
  type RowSet,
  type Sizes,
  type Unusable,
} from './packages.ts';
import { COMMIT_BYTES, commitText } from './commit.ts';
import { IDENTITY_BYTES, identityText } from './identity.ts';
import type { StringList, StringTable } from './string-table.ts';

export const unusableReasons: readonly (Unusable | undefined)[] = [
  undefined,
  'foreign-arch',
  'unknown-field',
  'broken-dependency',
];

/** The bits of a byte in the column `flags`. */
export const Flag = {
  /** An index into `unusableReasons`. */
  unusable: 3,
  conflictsWithItself: 4,
  /** One of its dependencies asks for an exact version. */
  needsExactly: 8,
  /** Its commit is not 40 hexadecimal digits: the first four bytes are the id of a text. */
  hasOtherCommit: 16,
} as const;

/** The strings of a table. */
export interface TableStrings {
  /** Names of packages and provides. */
  readonly names: StringTable;
  /** All other strings. */
  readonly values: StringList;
}

/** Columns of as many packages. The first six hold ids of strings. */
export interface Columns {
  readonly name: Uint32Array;
  readonly version: Uint32Array;
  readonly origin: Uint32Array;
  readonly url: Uint32Array;
  /** The whole `p:` value. */
  readonly provides: Uint32Array;
  /** The tokens of `D:` as string ids, four bytes each, little-endian. Most packages of a name share a list. */
  readonly dependencies: Uint32Array;
  /** Unix seconds; 0 if unknown. */
  readonly builtAt: Uint32Array;
  readonly priority: Uint32Array;
  /** `IDENTITY_BYTES` per package, aligned for words. */
  readonly identity: Uint8Array;
  /** `COMMIT_BYTES` per package. */
  readonly commit: Uint8Array;
  /** See `Flag`. */
  readonly flags: Uint8Array;
}

/** Sizes by row. Few read them, so they are plain lists; some are above 32 bits. */
export interface SizeColumns {
  readonly packed: readonly number[];
  readonly installed: readonly number[];
}

interface TableExtras {
  readonly autoInstalls?: readonly RefusedAutoInstall[];
  readonly hidden?: RowSet;
  readonly sizes?: SizeColumns | undefined;
}

/** For each name id, its rows: `rows[starts[id]..starts[id + 1])`. */
export interface Postings {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  /** How many names have rows. */
  readonly usedKeys: number;
}

export class PackageTable implements Packages {
  readonly strings: TableStrings;
  readonly columns: Columns;
  readonly byName: Postings;
  readonly byProvide: Postings;
  readonly rowCount: number;
  readonly packageCount: number;
  readonly autoInstalls: readonly RefusedAutoInstall[];
  readonly #hidden: RowSet | undefined;
  readonly #sizes: SizeColumns | undefined;
  #nameCount: number | undefined;
  #neededNames: ReadonlySet<string> | undefined;
  /** The last long `p:` value that was read: lookups often ask for its names one after another. */
  #longList: { list: number; byName: ReadonlyMap<string, readonly Provide[]> } | undefined;

  constructor(
    strings: TableStrings,
    columns: Columns,
    { byName, byProvide }: { readonly byName: Postings; readonly byProvide: Postings },
    { autoInstalls = [], hidden, sizes }: TableExtras = {},
  ) {
    this.strings = strings;
    this.columns = columns;
    this.byName = byName;
    this.byProvide = byProvide;
    this.autoInstalls = autoInstalls;
    this.#hidden = hidden;
    this.#sizes = sizes;
    this.rowCount = columns.name.length;
    this.packageCount = this.rowCount - (hidden?.size ?? 0);
  }

  get nameCount(): number {
    this.#nameCount ??= this.#hidden ? this.#countNames() : this.byName.usedKeys;
    return this.#nameCount;
  }

  get buildTimes(): Uint32Array {
    return this.columns.builtAt;
  }

  without(hidden: RowSet): PackageTable {
    const { strings, columns, byName, byProvide } = this;
    const autoInstalls = this.autoInstalls.filter(({ row }) => !hidden.has(row));
    return new PackageTable(
      strings,
      columns,
      { byName, byProvide },
      { autoInstalls, hidden, sizes: this.#sizes },
    );
  }

  commit(row: number): string {
    const { flags, commit } = this.columns;
    const start = row * COMMIT_BYTES;
    const isOther = ((flags[row] as number) & Flag.hasOtherCommit) !== 0;
    return isOther
      ? this.strings.values.text(readNumber(commit, start))
      : commitText(commit.subarray(start, start + COMMIT_BYTES));
  }

  sizes(row: number): Sizes | undefined {
    const { packed, installed } = this.#sizes ?? {};
    return packed && installed && { packed: packed[row] ?? 0, installed: installed[row] ?? 0 };
  }

  names(): Iterable<string> {
    return this.#keys(this.byName);
  }

  providedNames(): Iterable<string> {
    return this.#keys(this.byProvide);
  }

  has(name: string): boolean {
    const id = this.strings.names.find(name);
    return id !== undefined && (this.#isUsed(this.byName, id) || this.#isUsed(this.byProvide, id));
  }

  at(row: number): Package {
    return new TablePackage(this, row);
  }

  named(name: string): readonly Package[] {
    return this.#lookUp(this.byName, name);
  }

  providing(name: string): readonly Package[] {
    return this.#lookUp(this.byProvide, name);
  }

  /** The ids of the tokens in list `number`. */
  dependencyIds(number: number): readonly number[] {
    return readNumbers(this.strings.values.bytes(number));
  }

  *neededNames(): Generator<undefined, ReadonlySet<string>> {
    if (this.#neededNames) return this.#neededNames;
    const needed = new Set<string>();
    const lists = new Set<number>();
    const seen = new Set<number>();
    for (let row = 0; row < this.rowCount; row += 1) {
      if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
      if (this.#hidden?.has(row)) continue;
      const list = this.columns.dependencies[row] as number;
      if (lists.has(list)) continue;
      lists.add(list);
      for (const token of this.dependencyIds(list)) {
        if (seen.has(token)) continue;
        seen.add(token);
        const { name, conflict } = parseDependency(this.strings.values.text(token));
        if (!conflict && !name.includes(':')) needed.add(name);
      }
    }
    this.#neededNames = needed;
    return needed;
  }

  /** The versions of `name` in the `p:` value with id `list`. */
  versionsProvided(list: number, name: string): readonly (string | undefined)[] {
    const bytes = this.strings.values.bytes(list);
    if (bytes.length < LONG_LIST) return versionsProvided(bytes, name);
    if (this.#longList?.list !== list) {
      const provides = tokens(this.strings.values.text(list)).map(parseProvide);
      this.#longList = { list, byName: Map.groupBy(provides, (provide) => provide.name) };
    }
    return (this.#longList.byName.get(name) ?? []).map(({ version }) => version);
  }

  *#keys(postings: Postings): Iterable<string> {
    for (let id = 0; id + 1 < postings.starts.length; id += 1) {
      if (this.#isUsed(postings, id)) yield this.strings.names.list.text(id);
    }
  }

  #countNames(): number {
    let used = 0;
    for (let id = 0; id + 1 < this.byName.starts.length; id += 1)
      if (this.#isUsed(this.byName, id)) used += 1;
    return used;
  }

  countOf(name: string): number {
    const id = this.strings.names.find(name);
    if (id === undefined) return 0;
    return [this.byName, this.byProvide].reduce(
      (sum, { starts }) => sum + (starts[id + 1] as number) - (starts[id] as number),
      0,
    );
  }

  /** Whether the name with this id has a row that is not hidden. */
  #isUsed({ starts, rows }: Postings, id: number): boolean {
    const end = starts[id + 1] as number;
    let place = starts[id] as number;
    if (this.#hidden) while (place < end && this.#hidden.has(rows[place] as number)) place += 1;
    return place < end;
  }

  #lookUp(postings: Postings, name: string): readonly Package[] {
    const id = this.strings.names.find(name);
    if (id === undefined) return [];
    const packages: Package[] = [];
    const end = postings.starts[id + 1] as number;
    for (let place = postings.starts[id] as number; place < end; place += 1) {
      const row = postings.rows[place] as number;
      if (!this.#hidden?.has(row)) packages.push(new TablePackage(this, row));
    }
    return packages;
  }
}

/** A row. Most lookups read two or three fields, so each is decoded when it is read. */
class TablePackage implements Package {
  readonly #table: PackageTable;
  readonly row: number;

  constructor(table: PackageTable, row: number) {
    this.#table = table;
    this.row = row;
  }

  get name(): string {
    return this.#table.strings.names.list.text(this.#table.columns.name[this.row] as number);
  }
  get version(): string {
    return this.#text('version');
  }
  get origin(): string {
    return this.#text('origin');
  }
  get commit(): string {
    return this.#table.commit(this.row);
  }
  get url(): string {
    return this.#text('url');
  }
  get builtAt(): number | undefined {
    return this.#table.columns.builtAt[this.row] || undefined;
  }
  get provides(): readonly Provide[] {
    return tokens(this.#text('provides')).map(parseProvide);
  }
  provided(name: string): readonly (string | undefined)[] {
    return this.#table.versionsProvided(this.#table.columns.provides[this.row] as number, name);
  }
  get dependencies(): Iterable<Dependency> {
    const { values } = this.#table.strings;
    const ids = this.#dependencyIds();
    const read = (id: number): Dependency => parseDependency(values.text(id));
    return ids.length < MANY_DEPENDENCIES ? ids.map(read) : ids.values().map(read);
  }
  get bindingDependencies(): Iterable<Dependency> {
    const { values } = this.#table.strings;
    const ids = this.#dependencyIds();
    const mayBind = (id: number): boolean => values.includes(id, EQUALS) || values.includes(id, EXCLAMATION);
    const read = (id: number): Dependency => parseDependency(values.text(id));
    return ids.length < MANY_DEPENDENCIES
      ? ids.filter(mayBind).map(read).filter(isBinding)
      : ids.values().filter(mayBind).map(read).filter(isBinding);
  }
  get needsExactly(): boolean {
    return ((this.#table.columns.flags[this.row] as number) & Flag.needsExactly) !== 0;
  }
  get identity(): string {
    const start = this.row * IDENTITY_BYTES;
    return identityText(this.#table.columns.identity.subarray(start, start + IDENTITY_BYTES));
  }
  get priority(): number {
    return this.#table.columns.priority[this.row] as number;
  }
  get conflictsWithItself(): boolean {
    return ((this.#table.columns.flags[this.row] as number) & Flag.conflictsWithItself) !== 0;
  }
  get sizes(): Sizes | undefined {
    return this.#table.sizes(this.row);
  }
  get unusable(): Unusable | undefined {
    return unusableReasons[(this.#table.columns.flags[this.row] as number) & Flag.unusable];
  }

  #dependencyIds(): readonly number[] {
    return this.#table.dependencyIds(this.#table.columns.dependencies[this.row] as number);
  }

  #text(column: 'version' | 'origin' | 'url' | 'provides'): string {
    return this.#table.strings.values.text(this.#table.columns[column][this.row] as number);
  }
}

/** Tokens are separated by blanks; a tab is part of a token, as in apk. */
export function tokens(list: string): readonly string[] {
  return list === '' ? [] : list.split(' ').filter((token) => token !== '');
}

export function parseProvide(token: string): Provide {
  const { start, end } = operatorSpan(token);
  return { name: token.slice(0, start), version: start === end ? undefined : token.slice(end) };
}

const [BLANK, EXCLAMATION, EQUALS] = [0x20, 0x21, 0x3d] as const;
/** About a millisecond's work. */
const ROWS_A_STEP = 256;
/** From this many on, dependencies are read one by one, so that the reader can pause. */
const MANY_DEPENDENCIES = 1000;
/** From this many bytes on, a `p:` value is parsed as a whole instead of searched. */
const LONG_LIST = 64 * 1024;

/** The versions of `name` in a `p:` value. Reads only the tokens with the name. */
function versionsProvided(list: Uint8Array, name: string): readonly (string | undefined)[] {
  // A dependency such as `=1` has an empty name, which would match everywhere.
  if (name === '') return [];
  const bytes = Buffer.from(list.buffer, list.byteOffset, list.byteLength);
  const versions: (string | undefined)[] = [];
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + name.length)) {
    if (at > 0 && bytes[at - 1] !== BLANK) continue;
    const blank = bytes.indexOf(BLANK, at);
    const provide = parseProvide(bytes.toString('utf8', at, blank < 0 ? bytes.length : blank));
    if (provide.name === name) versions.push(provide.version);
  }
  return versions;
}

/** A token of `D:`: `name`, `name>=1.0`, `!name`. */
export function parseDependency(token: string): Dependency {
  const conflict = token.startsWith('!');
  const { start, end } = operatorSpan(token);
  return {
    name: token.slice(conflict ? 1 : 0, start),
    operator: token.slice(start, end),
    version: token.slice(end),
    conflict,
  };
}
