/**
 * The compact form of an index: one row a package, one column a field, numbers into a string table (docs/decisions/003).
 * It answers by name without ever having made an object for every package.
 */
import { operatorSpan } from './constraint.ts';
import type { ExactDependency, Package, Packages, Provide, Unusable } from './packages.ts';
import { commitText } from './commit.ts';
import type { StringList, StringTable } from './string-table.ts';

export const unusableReasons: readonly (Unusable | undefined)[] = [
  undefined,
  'foreign-arch',
  'unknown-field',
];

/** The strings of a table. */
export interface TableStrings {
  /** Of packages and of what they provide. */
  readonly names: StringTable;
  /** As `packCommit` has made them. */
  readonly commits: StringList;
  /** All others. */
  readonly values: StringList;
}

/** Columns of equal length; all but `builtAt` and `unusable` hold numbers of strings. */
export interface Columns {
  readonly name: Uint32Array;
  readonly version: Uint32Array;
  readonly origin: Uint32Array;
  readonly commit: Uint32Array;
  readonly url: Uint32Array;
  /** The whole `p:` value. */
  readonly provides: Uint32Array;
  /** The tokens of `D:` that need one exact version, separated by blanks. */
  readonly exactDependencies: Uint32Array;
  /** Unix seconds; 0 for not told. */
  readonly builtAt: Uint32Array;
  /** An index into `unusableReasons`. */
  readonly unusable: Uint8Array;
}

/** For each number of a name, the rows it leads to: `rows[starts[id]..starts[id + 1])`. */
export interface Postings {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

export class PackageTable implements Packages {
  readonly strings: TableStrings;
  readonly columns: Columns;
  readonly byName: Postings;
  readonly byProvide: Postings;
  readonly packageCount: number;
  readonly nameCount: number;

  constructor(
    strings: TableStrings,
    columns: Columns,
    { byName, byProvide }: { readonly byName: Postings; readonly byProvide: Postings },
  ) {
    this.strings = strings;
    this.columns = columns;
    this.byName = byName;
    this.byProvide = byProvide;
    this.packageCount = columns.name.length;
    this.nameCount = countUsed(byName);
  }

  names(): Iterable<string> {
    return this.#keys(this.byName);
  }

  providedNames(): Iterable<string> {
    return this.#keys(this.byProvide);
  }

  named(name: string): readonly Package[] {
    return this.#lookUp(this.byName, name);
  }

  providing(name: string): readonly Package[] {
    return this.#lookUp(this.byProvide, name);
  }

  *#keys(postings: Postings): Iterable<string> {
    for (let id = 0; id + 1 < postings.starts.length; id += 1) {
      if (postings.starts[id] !== postings.starts[id + 1]) yield this.strings.names.list.text(id);
    }
  }

  #lookUp(postings: Postings, name: string): readonly Package[] {
    const id = this.strings.names.find(name);
    if (id === undefined) return [];
    const packages: Package[] = [];
    const end = postings.starts[id + 1] as number;
    for (let place = postings.starts[id] as number; place < end; place += 1)
      packages.push(new TablePackage(this, postings.rows[place] as number));
    return packages;
  }
}

/** A row. Most lookups read two or three of its fields, so each is decoded on its own. */
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
    return commitText(this.#table.strings.commits.bytes(this.#table.columns.commit[this.row] as number));
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
  get exactDependencies(): readonly ExactDependency[] {
    return tokens(this.#text('exactDependencies')).map(parseExactDependency);
  }
  get unusable(): Unusable | undefined {
    return unusableReasons[this.#table.columns.unusable[this.row] as number];
  }

  #text(column: 'version' | 'origin' | 'url' | 'provides' | 'exactDependencies'): string {
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

/** A token such as `name=1.0-r0`, of those that the scanner keeps. */
export function parseExactDependency(token: string): ExactDependency {
  const { start, end } = operatorSpan(token);
  return { name: token.slice(0, start), version: token.slice(end) };
}

function countUsed({ starts }: Postings): number {
  let used = 0;
  for (let id = 0; id + 1 < starts.length; id += 1) if (starts[id] !== starts[id + 1]) used += 1;
  return used;
}
