/**
 * Reads the values of an ADB index into the same table as the text of apk 2.
 *
 * A value is a word. The upper 4 bits are its kind; the others are a number or an offset from the start of the values.
 *
 *   0  nothing, or a boolean       8, 9, 10  bytes at the offset: length in 1, 2 or 4 bytes, then the bytes
 *   1  the number itself           13, 14    list or object at the offset: count of words including this one, then
 *   2, 3  4 or 8 bytes of number             values; fields are numbered from 1, missing ones are nothing
 *   15  a value that the writer could not express
 *
 * Offsets are untrusted and may point anywhere. So the reader has a fixed depth (index, packages, package, list,
 * dependency) and expects one kind in each place. An offset outside the values makes its package bad; packages with a
 * value of kind 15 are counted. Packages share strings and lists, so results are cached by offset. Everything that is
 * read counts against one budget: otherwise a small file could expand to terabytes.
 */
import { IndexError } from '../errors.ts';
import { ByteBuffer, quoted } from './byte-buffer.ts';
import { COMMIT_BYTES } from './commit.ts';
import type { GrowingNumbers } from './growing-table.ts';
import { addNumber, BLANK, readNumbers, isOperatorSign } from './lists.ts';
import { Flag } from './package-table.ts';
import { EMPTY, type StringTable } from './string-table.ts';
import {
  clearPackage,
  emptyPackage,
  TableBuilder,
  type ScannedIndex,
  type TableOptions,
} from './table-builder.ts';

/** Upper 4 bits of a value. */
const Kind = {
  number: 1,
  number32: 2,
  number64: 3,
  bytes8: 8,
  bytes16: 9,
  bytes32: 10,
  list: 13,
  object: 14,
  error: 15,
};

const RootField = { description: 1, packages: 2 };
/** The fields of a package that are read. */
const Field = {
  name: 1,
  version: 2,
  hashes: 3,
  arch: 5,
  origin: 7,
  url: 9,
  commit: 10,
  builtAt: 11,
  installed: 12,
  packed: 13,
  priority: 14,
  depends: 15,
  provides: 16,
  installIf: 18,
};
const DependencyField = { name: 1, version: 2, match: 3 };

const CONFLICT = 16;
const EQUAL = 1;
/** The operator for a match without `CONFLICT`; combinations without a meaning in apk are missing. */
const operators: readonly (Buffer | undefined)[] = [
  ...['', '=', '<', '<=', '>', '>=', '><', undefined, '~', '~', undefined, '<~', undefined, '>~'].map(
    (text) => (text === undefined ? undefined : Buffer.from(text)),
  ),
];

const ROOT_AT = 4;
const [NEWLINE, EXCLAMATION] = [0x0a, 0x21];
const DESCRIPTION_BYTES = 4096;
/** The latest time and the largest size. */
const [MAX_SECONDS, MAX_BYTES] = [0xffffffff, Number.MAX_SAFE_INTEGER];
/** The cost of a list entry, in bytes of the budget: slightly more than an entry takes in text. */
const ENTRY_COST = 32;
/** The cost of a list in addition to its entries. */
const LIST_COST = 64;
/** Packages read in one step, and the budget after which a step ends earlier: less than a millisecond of work. */
const [PACKAGES_A_STEP, BUDGET_A_STEP] = [64, 64 * 1024];

export interface AdbIndexOptions extends TableOptions {
  /** The longest string, and the longest list as text. */
  readonly maxLineBytes: number;
  /** All strings and lists together, as text. */
  readonly maxInflatedBytes: number;
}

/** A list of dependencies or provides after reading. */
class List {
  /** The id of its string: the text for provides, the ids of the texts for dependencies. See `Columns`. */
  string = EMPTY;
  /** `needsExactly`, or 0. */
  flags = 0;
  /** Start of the provided names in `#provided`. */
  first = 0;
  last = 0;
  entries = 0;
  isIncomplete = false;

  clear(): void {
    this.string = EMPTY;
    this.flags = this.first = this.last = this.entries = 0;
    this.isIncomplete = false;
  }
}

export interface AdbIndex extends ScannedIndex {
  readonly description: string;
}

/** Reads verified values in steps. Throws `apkindex-malformed` or `archive-too-large`. */
export function* readAdbIndex(values: Buffer, options: AdbIndexOptions): Generator<undefined, AdbIndex> {
  return yield* new AdbReader(values, options).read();
}

class AdbReader {
  readonly #options: AdbIndexOptions;
  readonly #view: DataView;
  /** The same bytes, to intern strings from. */
  readonly #text: ByteBuffer;
  readonly #length: number;
  readonly #table: TableBuilder;
  readonly #knownNames = new Cache();
  readonly #knownValues = new Cache();
  readonly #knownProvides = new ListCache();
  readonly #knownDepends = new ListCache();
  /** For each dependency, twice the id of its text, plus one if it asks for an exact version. */
  readonly #knownTokens = new Cache();
  /** Names in lists of provides: twice the id, plus one if provided with a version. */
  readonly #provided: GrowingNumbers;
  #budget: number;

  // The package being read.
  readonly #package = emptyPackage();
  readonly #depends = new List();
  readonly #provides = new List();
  readonly #installIf = new List();
  readonly #fields = new Int32Array(Field.installIf + 1);
  #bad = '';
  #isIncomplete = false;
  // The bytes that `#locate` found.
  #start = 0;
  #end = 0;
  // The dependency that `#write` wrote last.
  #nameValue = 0;
  #hasVersion = false;
  readonly #token = new ByteBuffer();
  readonly #line = new ByteBuffer();

  constructor(values: Buffer, options: AdbIndexOptions) {
    this.#options = options;
    this.#view = new DataView(values.buffer, values.byteOffset, values.length);
    this.#text = new ByteBuffer(values, values.length);
    this.#length = values.length;
    this.#budget = options.maxInflatedBytes;
    this.#table = new TableBuilder(options);
    this.#provided = this.#table.numbers();
  }

  *read(): Generator<undefined, AdbIndex> {
    const root = this.#list(this.#value(ROOT_AT));
    const packages = this.#list(this.#field(root, RootField.packages));
    if (this.#isIncomplete) this.#reject('has a value of the wrong kind in place of its packages');
    this.#locate(this.#field(root, RootField.description));
    if (this.#bad !== '') throw new IndexError('apkindex-malformed', `the index ${this.#bad}`);
    const isShort = this.#end - this.#start <= DESCRIPTION_BYTES;
    const description = isShort ? this.#text.bytes.toString('utf8', this.#start, this.#end).trim() : '';
    const count = packages < 0 ? 0 : this.#view.getUint32(packages, true) - 1;
    const { maxPackages } = this.#options;
    if (count > maxPackages) throw new IndexError('apkindex-malformed', `more than ${maxPackages} packages`);
    let stepEnd = this.#budget - BUDGET_A_STEP;
    for (let number = 1; number <= count; number += 1) {
      this.#readPackage(this.#value(packages + 4 * number), number);
      if (number % PACKAGES_A_STEP > 0 && this.#budget > stepEnd) continue;
      yield;
      stepEnd = this.#budget - BUDGET_A_STEP;
    }
    return { ...(yield* this.#table.finish()), description };
  }

  #readPackage(value: number, number: number): void {
    this.#bad = '';
    this.#isIncomplete = false;
    const { names, values } = this.#table;
    const fields = this.#readFields(value);
    const added = this.#package;
    clearPackage(added);
    added.name = this.#string(fields[Field.name] as number, names, this.#knownNames);
    if (added.name === EMPTY) this.#reject('has no name');
    added.version = this.#string(fields[Field.version] as number, values, this.#knownValues);
    if (added.version === EMPTY) this.#reject('has no version');
    this.#readIdentity(fields[Field.hashes] as number);
    added.arch = this.#string(fields[Field.arch] as number, values, this.#knownValues);
    added.origin = this.#string(fields[Field.origin] as number, values, this.#knownValues);
    added.url = this.#string(fields[Field.url] as number, values, this.#knownValues);
    this.#readCommit(fields[Field.commit] as number);
    added.builtAt = this.#numberUpTo(MAX_SECONDS, fields[Field.builtAt] as number);
    added.priority = this.#number16(fields[Field.priority] as number);
    if (this.#table.hasSizes) {
      added.packed = this.#numberUpTo(MAX_BYTES, fields[Field.packed] as number);
      added.installed = this.#numberUpTo(MAX_BYTES, fields[Field.installed] as number);
    }
    this.#readList(this.#depends, fields[Field.depends] as number, this.#knownDepends);
    this.#readList(this.#provides, fields[Field.provides] as number, this.#knownProvides);
    this.#readList(this.#installIf, fields[Field.installIf] as number, this.#knownDepends);
    if (this.#bad !== '') {
      const name = added.name === EMPTY ? '' : ` ${quoted(names.list.bytes(added.name))}`;
      this.#table.skip(`package ${number}${name} ${this.#bad}`);
      return;
    }
    added.dependencies = this.#depends.string;
    added.flags = this.#depends.flags;
    added.provides = this.#provides.string;
    const row = this.#table.add(added);
    if (row === undefined) return;
    if (this.#isIncomplete) this.#table.noteIncomplete();
    for (let at = this.#provides.first; at < this.#provides.last; at += 1) {
      const name = this.#provided.at(at);
      this.#table.provide(row, name >>> 1, (name & 1) !== 0);
    }
    if (this.#installIf.entries > 0) this.#addCondition(row, this.#installIf);
  }

  #addCondition(row: number, { string, entries }: List): void {
    const { list } = this.#table.values;
    this.#table.installIf(row, entries, () =>
      readNumbers(list.bytes(string))
        .map((token) => list.text(token))
        .join(' '),
    );
  }

  /** Marks the package being read as unusable; the first reason is kept. */
  #reject(fact: string): void {
    if (this.#bad === '') this.#bad = fact;
  }

  #spend(cost: number): void {
    this.#budget -= cost;
    if (this.#budget >= 0) return;
    const most = this.#options.maxInflatedBytes;
    throw new IndexError('archive-too-large', `its strings and lists exceed ${most} bytes of text`);
  }

  /** The word at `at`, as a signed number: V8 would store larger ones as objects. */
  #value(at: number): number {
    return this.#view.getInt32(at, true);
  }

  /** The offset of the list or object, -1 for nothing. All of it lies inside the values. */
  #list(value: number): number {
    const kind = value >>> 28;
    const at = value & 0x0fffffff;
    if (kind !== Kind.list && kind !== Kind.object) {
      this.#noteWrongKind(value);
      return -1;
    }
    const count = at + 4 <= this.#length ? this.#view.getUint32(at, true) : 0;
    if (count > 0 && at + 4 * count <= this.#length) return at;
    this.#reject('has an offset outside the values');
    return -1;
  }

  /** The fields of a package, up to the last one needed; all 0 for nothing. */
  #readFields(value: number): Int32Array {
    const at = this.#list(value);
    const count = at < 0 ? 0 : this.#view.getUint32(at, true);
    const fields = this.#fields;
    for (let i = 1; i < fields.length; i += 1) fields[i] = i < count ? this.#value(at + 4 * i) : 0;
    return fields;
  }

  /** A field of the object at `object`, which may be nothing. */
  #field(object: number, field: number): number {
    if (object < 0 || field >= this.#view.getUint32(object, true)) return 0;
    return this.#value(object + 4 * field);
  }

  /** A value of the wrong kind counts as absent, as in apk. */
  #noteWrongKind(value: number): void {
    if (value !== 0) this.#isIncomplete = true;
  }

  /** Sets start and end to the bytes of the value; both are 0 for nothing. */
  #locate(value: number): void {
    this.#start = this.#end = 0;
    const kind = value >>> 28;
    const at = value & 0x0fffffff;
    if (kind < Kind.bytes8 || kind > Kind.bytes32) {
      this.#noteWrongKind(value);
      return;
    }
    const start = at + (1 << (kind - Kind.bytes8));
    const end = start > this.#length ? Infinity : start + this.#lengthAt(kind, at);
    if (end > this.#length) this.#reject('has an offset outside the values');
    else if (end - start > this.#options.maxLineBytes) this.#reject('has a string that is too long');
    else {
      this.#start = start;
      this.#end = end;
    }
  }

  #lengthAt(kind: number, at: number): number {
    if (kind === Kind.bytes8) return this.#view.getUint8(at);
    return kind === Kind.bytes16 ? this.#view.getUint16(at, true) : this.#view.getUint32(at, true);
  }

  /** The id of a string in `table`. A string that is impossible in a line of text makes the package bad. */
  #string(value: number, table: StringTable, known: Cache): number {
    if (value === 0) return EMPTY;
    const before = known.get(value);
    if (before >= 0) return before;
    this.#locate(value);
    const start = this.#start;
    const end = this.#end;
    this.#spend(end - start);
    if (this.#text.indexOf(NEWLINE, start, end) < end) {
      this.#reject('has a string with a line break');
      return EMPTY;
    }
    const id = table.intern(this.#text, start, end);
    if (id !== EMPTY) known.set(value, id);
    return id;
  }

  /** apk distinguishes packages by the first bytes of their hash. */
  #readIdentity(value: number): void {
    this.#locate(value);
    const length = this.#end - this.#start;
    if (length !== 20 && length !== 32 && length !== 64) {
      this.#reject('has no hash that apk accepts');
      return;
    }
    this.#table.copyIdentity(this.#text, this.#start);
  }

  #readCommit(value: number): void {
    if (value === 0) return;
    this.#locate(value);
    this.#spend(this.#end - this.#start);
    if (this.#end - this.#start === COMMIT_BYTES) {
      this.#table.copyCommit(this.#text, this.#start);
      return;
    }
    this.#line.setText(this.#text.bytes.toString('hex', this.#start, this.#end));
    this.#table.readCommit(this.#line, 0, this.#line.length);
  }

  /** 0 for nothing and for numbers above `most`, as in text. */
  #numberUpTo(most: number, value: number): number {
    const number = this.#number(value);
    return number > most ? 0 : number;
  }

  /** The lower 16 bits, as apk takes them. For a number above 2^53 only these bits are read. */
  #number16(value: number): number {
    const number = this.#number(value);
    const isRounded = number > Number.MAX_SAFE_INTEGER;
    return (isRounded ? this.#view.getUint16(value & 0x0fffffff, true) : number) & 0xffff;
  }

  #number(value: number): number {
    const kind = value >>> 28;
    const at = value & 0x0fffffff;
    if (kind === Kind.number) return at;
    if (kind !== Kind.number32 && kind !== Kind.number64) {
      this.#noteWrongKind(value);
      return 0;
    }
    if (at + (kind === Kind.number32 ? 4 : 8) > this.#length) {
      this.#reject('has an offset outside the values');
      return 0;
    }
    const high = kind === Kind.number32 ? 0 : this.#view.getUint32(at + 4, true);
    return high * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** Sets `list` to the dependencies or provides at `value`; `known` is the cache for its field. */
  #readList(list: List, value: number, known: ListCache): void {
    list.clear();
    if (value === 0) return;
    if (!known.get(value, list)) this.#readNewList(list, value, known);
    this.#spend(LIST_COST + list.entries * ENTRY_COST);
    if (list.isIncomplete) this.#isIncomplete = true;
  }

  #readNewList(list: List, value: number, known: ListCache): void {
    const at = this.#list(value);
    list.entries = at < 0 ? 0 : this.#view.getUint32(at, true) - 1;
    this.#spend(list.entries * ENTRY_COST);
    if (4 * list.entries > this.#options.maxLineBytes) {
      this.#reject('has a list that is too long');
      return;
    }
    const isIncomplete = this.#isIncomplete;
    this.#isIncomplete = at < 0;
    const areProvides = known === this.#knownProvides;
    list.first = this.#provided.count;
    const line = this.#line;
    line.clear();
    for (let i = 1; i <= list.entries && this.#bad === ''; i += 1) {
      const entry = this.#value(at + 4 * i);
      if (areProvides) this.#addProvide(line, entry);
      else list.flags |= this.#addDependency(line, entry);
      if (line.length > this.#options.maxLineBytes) this.#reject('has a list that is too long');
    }
    list.string = this.#table.addList(line);
    list.last = this.#provided.count;
    list.isIncomplete = this.#isIncomplete;
    this.#isIncomplete = isIncomplete;
    if (this.#bad === '') known.set(value, list);
  }

  /**
   * Adds the text of a provide, and its name to `#provided`. The operator and a conflict are ignored: it always means
   * this version.
   */
  #addProvide(line: ByteBuffer, value: number): void {
    const length = line.length;
    if (length > 0) line.addByte(BLANK);
    if (this.#write(line, value, true) < 0) line.length = length;
    else {
      const name = this.#string(this.#nameValue, this.#table.names, this.#knownNames);
      this.#provided.add(2 * name + Number(this.#hasVersion));
    }
  }

  /** Adds the id of a dependency's text; returns the flag `needsExactly` or 0. */
  #addDependency(line: ByteBuffer, value: number): number {
    let known = value === 0 ? -1 : this.#knownTokens.get(value);
    if (known < 0) {
      const token = this.#token;
      token.clear();
      const match = this.#write(token, value, false);
      if (match < 0) return 0;
      known = 2 * this.#table.values.intern(token, 0, token.length) + Number(match === EQUAL);
      if (!this.#isIncomplete && this.#bad === '') this.#knownTokens.set(value, known);
    }
    addNumber(line, known >>> 1);
    return known & 1 ? Flag.needsExactly : 0;
  }

  /** Adds a dependency as text and returns its match: 0 without a version, -1 if it cannot be written. */
  #write(to: ByteBuffer, value: number, isProvide: boolean): number {
    const fields = this.#list(value);
    this.#nameValue = this.#field(fields, DependencyField.name);
    this.#locate(this.#nameValue);
    const nameStart = this.#start;
    const nameEnd = this.#end;
    const told = this.#number(this.#field(fields, DependencyField.match));
    this.#locate(this.#field(fields, DependencyField.version));
    this.#hasVersion = this.#end > this.#start;
    const isConflict = (told & CONFLICT) !== 0;
    this.#spend(nameEnd - nameStart + this.#end - this.#start);
    const asked = told - (isConflict ? CONFLICT : 0);
    const sign = this.#hasVersion ? (isProvide ? EQUAL : asked || EQUAL) : 0;
    const operator = operators[sign];
    const isName = this.#isName(nameStart, nameEnd);
    if (operator === undefined || !isName || !this.#isVersion(this.#start, this.#end)) {
      this.#isIncomplete = true;
      return -1;
    }
    if (isConflict && !isProvide) to.addByte(EXCLAMATION);
    to.add(this.#text, nameStart, nameEnd);
    to.addBytes(operator);
    to.add(this.#text, this.#start, this.#end);
    return isConflict ? CONFLICT | sign : sign;
  }

  /** Whether a name is possible in a list of text: not empty, no separators, no conflict sign. */
  #isName(start: number, end: number): boolean {
    const { bytes } = this.#text;
    if (start === end || bytes[start] === EXCLAMATION) return false;
    for (let i = start; i < end; i += 1) if (endsName(bytes[i] as number)) return false;
    return true;
  }

  /** Whether a version is possible after an operator; an empty one is. */
  #isVersion(start: number, end: number): boolean {
    const { bytes } = this.#text;
    if (start < end && isOperatorSign(bytes[start] as number)) return false;
    for (let i = start; i < end; i += 1) if (bytes[i] === BLANK || bytes[i] === NEWLINE) return false;
    return true;
  }
}

/**
 * A direct-mapped cache of what was read at a value. Colliding values evict each other and are read again, so the size
 * is fixed and crafted values do no harm. Slots follow offsets: neighbours in the file, such as packages of one name,
 * are neighbours here.
 */
class Cache {
  /** Pairs of a value and its result. */
  readonly #slots = new Int32Array(2 * CACHE_PLACES);

  /** -1 for a miss. No value is 0. */
  get(value: number): number {
    const slot = 2 * placeOf(value);
    return this.#slots[slot] === value ? (this.#slots[slot + 1] as number) : -1;
  }

  set(value: number, result: number): void {
    const slot = 2 * placeOf(value);
    this.#slots[slot] = value;
    this.#slots[slot + 1] = result;
  }
}

/** The same for lists. An object for each would take more memory than the table. */
class ListCache {
  /** Values, each with the fields of its list. */
  readonly #slots = new Int32Array(LIST_WORDS * CACHE_PLACES);

  /** Sets `list` to the cached list; `false` for a miss. */
  get(value: number, list: List): boolean {
    const slots = this.#slots;
    const slot = LIST_WORDS * placeOf(value);
    if (slots[slot] !== value) return false;
    list.string = slots[slot + 1] as number;
    list.flags = slots[slot + 2] as number;
    list.first = slots[slot + 3] as number;
    list.last = slots[slot + 4] as number;
    list.entries = slots[slot + 5] as number;
    list.isIncomplete = slots[slot + 6] === 1;
    return true;
  }

  set(value: number, { string, flags, first, last, entries, isIncomplete }: List): void {
    const fields = [value, string, flags, first, last, entries, Number(isIncomplete)];
    this.#slots.set(fields, LIST_WORDS * placeOf(value));
  }
}

/** A power of two. */
const CACHE_PLACES = 2 ** 13;
const LIST_WORDS = 7;

function placeOf(value: number): number {
  return (value >>> 2) & (CACHE_PLACES - 1);
}

function endsName(byte: number): boolean {
  return byte === BLANK || byte === NEWLINE || isOperatorSign(byte);
}
