/**
 * Reads APKINDEX text from bytes as they are inflated.
 *
 * The text is lines `K:value`, K one letter. Each package is a stanza; an empty line separates stanzas. `Field` lists
 * the letters that are read, S and I only if asked for; T L m r q F M R Z a s f g are known and skipped. As in
 * apk-tools 3, other lower-case letters are ignored; any other character makes a package uninstallable, and so does a
 * dependency that it cannot read.
 * `p:`, `D:` and `i:` may be repeated and add up; for other fields the last line counts. Other tools refuse the whole
 * index for one bad line; this skips the stanza, counts it and reports the first. If most stanzas are bad, the index is
 * refused.
 *
 * Values are stored as ids of strings: JavaScript strings for everything would take several times as long and ten times
 * the memory (docs/decisions/003). `test/support/simple-packages.ts` is a simple version that must give the same
 * answers.
 */
import { IndexError } from '../errors.ts';
import { ByteBuffer, quoted } from './byte-buffer.ts';
import type { GrowingNumbers } from './growing-table.ts';
import { release } from './memory.ts';
import { addNumber, addToken, BLANK, isOperatorSign } from './lists.ts';
import { Flag, parseDependency, unusableReasons } from './package-table.ts';
import type { Unusable } from './packages.ts';
import { EMPTY } from './string-table.ts';
import {
  clearPackage,
  emptyPackage,
  TableBuilder,
  type ScannedIndex,
  type TableOptions,
} from './table-builder.ts';
import { parseVersion } from './version.ts';

/** The letters that are read, in ASCII. */
const Field = {
  name: 0x50, // P
  version: 0x56, // V
  arch: 0x41, // A
  builtAt: 0x74, // t
  origin: 0x6f, // o
  commit: 0x63, // c
  url: 0x55, // U
  provides: 0x70, // p
  depends: 0x44, // D
  installIf: 0x69, // i
  identity: 0x43, // C
  priority: 0x6b, // k
  packed: 0x53, // S
  installed: 0x49, // I
} as const;
/** Letters that apk knows; a package with any other that is not lower-case cannot be installed. */
const knownUpperCase = new Set([...'CPVASITULDFMRZ'].map((letter) => letter.charCodeAt(0)));

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const COLON = 0x3a;
/** Precedes a name that must not be installed. */
const CONFLICT = 0x21; // !
const EQUALS = 0x3d;
const [DOT, DASH, LETTER_R] = [0x2e, 0x2d, 0x72];
/** Precedes a tag, which an index cannot have. */
const AT = 0x40; // @
/** The largest size of a package. */
const MAX_BYTES = Number.MAX_SAFE_INTEGER;

const UNKNOWN_FIELD = unusableReasons.indexOf('unknown-field' satisfies Unusable);
/** Its bits include those of `UNKNOWN_FIELD`. */
const BROKEN_DEPENDENCY = unusableReasons.indexOf('broken-dependency' satisfies Unusable);

export interface ScanOptions extends TableOptions {
  /** The longest line, in bytes. Alpine's longest is 72 kB; apko stops at 1 MiB. */
  readonly maxLineBytes: number;
}

/** Marks the flags of a dependency that was read. */
const READ = 1 << 8;

/** Reads one APKINDEX pushed in chunks of any size. */
export class IndexScanner {
  readonly #maxLineBytes: number;
  readonly #table: TableBuilder;

  /** Input that is not read yet: a line without its end. */
  readonly #text = new ByteBuffer();
  #line = 0;

  // The stanza being read.
  #inStanza = false;
  #bad = '';
  readonly #package = emptyPackage();
  /** Tokens separated by blanks, of all lines of the field. */
  readonly #provides = new ByteBuffer();
  readonly #depends = new ByteBuffer();
  readonly #installIf = new ByteBuffer();

  /** The dependencies of the previous package; the next version often has the same. */
  readonly #lastDepends = new ByteBuffer();
  #lastDependencies = EMPTY;
  /** `needsExactly` and `BROKEN_DEPENDENCY`, or 0. */
  #lastFlags = 0;
  readonly #tokenNumbers = new ByteBuffer();
  /** By the id of a dependency: its flags, and `READ`. */
  readonly #knownFlags: GrowingNumbers;

  constructor({ maxLineBytes, ...options }: ScanOptions) {
    this.#maxLineBytes = maxLineBytes;
    this.#table = new TableBuilder(options);
    this.#knownFlags = this.#table.numbers();
  }

  push(chunk: Uint8Array): void {
    const text = this.#text;
    const searched = text.length;
    text.addBytes(chunk);
    text.drop(this.#readLines(searched));
    if (text.length > this.#maxLineBytes) this.#refuseLine(this.#line + 1);
  }

  /** Throws `apkindex-malformed` when most stanzas were bad. */
  end(): ScannedIndex {
    const work = this.finish();
    for (;;) {
      const step = work.next();
      if (step.done) return step.value;
    }
  }

  /** The same in steps; see `TableBuilder`. */
  *finish(): Generator<undefined, ScannedIndex> {
    if (this.#text.length > 0) this.push(Uint8Array.of(NEWLINE));
    this.#endStanza();
    release(this.#text.bytes);
    return yield* this.#table.finish();
  }

  #refuseLine(line: number): never {
    throw new IndexError('apkindex-malformed', `line ${line}: longer than ${this.#maxLineBytes} bytes`);
  }

  /** Reads complete lines and returns the start of the incomplete one. There is no newline before `searched`. */
  #readLines(searched: number): number {
    const text = this.#text;
    const { bytes, length } = text;
    let start = 0;
    let end = text.indexOf(NEWLINE, searched, length);
    for (; end < length; end = text.indexOf(NEWLINE, start, length)) {
      this.#line += 1;
      if (end - start > this.#maxLineBytes) this.#refuseLine(this.#line);
      this.#readLine(start, end > start && bytes[end - 1] === RETURN ? end - 1 : end);
      start = end + 1;
    }
    return start;
  }

  #readLine(lineStart: number, end: number): void {
    const { bytes } = this.#text;
    const start = this.#line === 1 && startsWithByteOrderMark(bytes) ? lineStart + 3 : lineStart;
    if (end - start < 2) {
      // apk also treats any line of one character as a separator.
      this.#endStanza();
      return;
    }
    this.#inStanza = true;
    if (bytes[start + 1] !== COLON) {
      this.#reject(`expected "K:value", got ${quoted(bytes.subarray(start, end))}`);
      return;
    }
    this.#readField(bytes[start] as number, start + 2, end);
  }

  #readField(letter: number, start: number, end: number): void {
    const text = this.#text;
    switch (letter) {
      case Field.name:
        this.#package.name = this.#table.names.intern(text, start, end);
        break;
      case Field.version:
        this.#package.version = this.#table.values.intern(text, start, end);
        break;
      case Field.arch:
        this.#package.arch = this.#table.values.intern(text, start, end);
        break;
      case Field.origin:
        this.#package.origin = this.#table.values.intern(text, start, end);
        break;
      case Field.commit:
        this.#table.readCommit(text, start, end);
        break;
      case Field.url:
        this.#package.url = this.#table.values.intern(text, start, end);
        break;
      case Field.builtAt:
        this.#package.builtAt = parseNumber(text.bytes, start, end);
        break;
      case Field.provides:
        this.#readProvides(start, end);
        break;
      case Field.depends:
        this.#addTo(this.#depends, start, end);
        break;
      case Field.installIf:
        this.#addTo(this.#installIf, start, end);
        break;
      case Field.priority:
        this.#package.priority = parsePriority(text.bytes, start, end);
        break;
      case Field.packed:
        if (this.#table.hasSizes) this.#package.packed = parseNumber(text.bytes, start, end, MAX_BYTES);
        break;
      case Field.installed:
        if (this.#table.hasSizes) this.#package.installed = parseNumber(text.bytes, start, end, MAX_BYTES);
        break;
      case Field.identity:
        this.#table.readIdentity(text, start, end);
        break;
      default:
        if (!isLowerCase(letter) && !knownUpperCase.has(letter)) this.#package.flags = UNKNOWN_FIELD;
    }
  }

  /** The lines of a list together may be no longer than one line. */
  #addTo(list: ByteBuffer, start: number, end: number): void {
    if (list.length + end - start < this.#maxLineBytes) addToken(list, this.#text, start, end);
    else this.#reject(`a list of more than ${this.#maxLineBytes} bytes`);
  }

  /** Takes the tokens up to a malformed one: apk drops the rest of the line. It ignores a conflict sign. */
  #readProvides(start: number, lineEnd: number): void {
    const text = this.#text;
    if (this.#isPlain(start, lineEnd)) {
      this.#addTo(this.#provides, start, lineEnd);
      return;
    }
    for (let at = start; at < lineEnd;) {
      const end = text.indexOf(BLANK, at, lineEnd);
      if (isMalformed(text.bytes, at, end)) return;
      this.#addTo(this.#provides, text.bytes[at] === CONFLICT ? at + 1 : at, end);
      at = end + 1;
    }
  }

  /** Whether a list has no tags and no conflict signs, and a version behind each operator. */
  #isPlain(start: number, end: number): boolean {
    const text = this.#text;
    if (text.indexOf(AT, start, end) < end || text.indexOf(CONFLICT, start, end) < end) return false;
    for (let at = start; ; at += 1) {
      at = text.indexOf(BLANK, at, end);
      if (isOperatorSign(text.bytes[at - 1] as number)) return false;
      if (at === end) return true;
    }
  }

  /** Stores the tokens of `D:` as a list, and sets the flags of the list. */
  #internDependencies(): void {
    const list = this.#depends;
    const last = this.#lastDepends;
    if (list.length === last.length && list.equals(0, last, 0, last.length)) return;
    const numbers = this.#tokenNumbers;
    numbers.clear();
    this.#lastFlags = 0;
    for (let start = 0; start < list.length;) {
      const end = list.indexOf(BLANK, start, list.length);
      if (end > start) {
        const token = this.#table.values.intern(list, start, end);
        addNumber(numbers, token);
        this.#lastFlags |= this.#flagsOf(token, start, end);
        // apk reads a leading blank as a dependency on an empty name, which nothing meets.
      } else if (start === 0) this.#lastFlags = BROKEN_DEPENDENCY;
      start = end + 1;
    }
    this.#lastDependencies = this.#table.addList(numbers);
    last.clear();
    last.addBytes(list.bytes.subarray(0, list.length));
  }

  /** The flags of the dependency at `[start..end)`. Few are different, so each is read once. */
  #flagsOf(token: number, start: number, end: number): number {
    const { bytes } = this.#depends;
    if (this.#knownFlags.at(token) === 0) {
      const exact = isExactDependency(bytes, start, end) ? Flag.needsExactly : 0;
      const broken = isBrokenDependency(bytes, start, end) ? BROKEN_DEPENDENCY : 0;
      this.#knownFlags.set(token, READ | exact | broken);
    }
    return this.#knownFlags.at(token) & ~READ;
  }

  #reject(fact: string): void {
    if (this.#bad === '') this.#bad = `line ${this.#line}: ${fact}`;
  }

  #endStanza(): void {
    if (!this.#inStanza) return;
    const { name, version } = this.#package;
    if (name === EMPTY) this.#reject('package without P:');
    else if (version === EMPTY) {
      this.#reject(`package ${quoted(this.#table.names.list.bytes(name))} without V:`);
    }
    if (this.#bad !== '') this.#table.skip(this.#bad);
    else this.#addPackage();
    this.#inStanza = false;
    this.#bad = '';
    clearPackage(this.#package);
    this.#provides.clear();
    this.#depends.clear();
    this.#installIf.clear();
  }

  #addPackage(): void {
    const added = this.#package;
    added.provides = this.#table.addList(this.#provides);
    this.#internDependencies();
    added.dependencies = this.#lastDependencies;
    added.flags |= this.#lastFlags;
    const row = this.#table.add(added);
    if (row === undefined) return;
    this.#noteProvidedNames(row);
    const { bytes, length } = this.#installIf;
    if (length > 0) this.#table.installIf(row, length, () => bytes.toString('utf8', 0, length));
  }

  #noteProvidedNames(row: number): void {
    const list = this.#provides;
    for (let start = 0; start < list.length;) {
      const end = list.indexOf(BLANK, start, list.length);
      const nameEnd = endOfName(list.bytes, start, end);
      if (nameEnd > start)
        this.#table.provide(row, this.#table.names.intern(list, start, nameEnd), nameEnd < end);
      start = end + 1;
    }
  }
}

/** 0 for anything but a plain number of at most `most`. */
function parseNumber(bytes: Uint8Array, start: number, end: number, most = 0xffffffff): number {
  let number = 0;
  for (let i = start; i < end; i += 1) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    number = number * 10 + digit;
    if (number > most) return 0;
  }
  return number;
}

/** The leading digits as a number of 16 bits, as in apk: larger ones wrap. */
function parsePriority(bytes: Uint8Array, start: number, end: number): number {
  let number = 0;
  for (let i = start; i < end && isDigit(bytes[i] as number); i += 1)
    number = (number * 10 + (bytes[i] as number) - 0x30) & 0xffff;
  return number;
}

function isLowerCase(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether the token asks for exactly one version (`=` or `==`) and is not a conflict. */
function isExactDependency(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] === CONFLICT) return false;
  const operator = endOfName(bytes, start, end);
  let i = operator;
  while (i < end && bytes[i] === EQUALS) i += 1;
  return i > operator && !(i < end && isOperatorSign(bytes[i] as number));
}

/** Whether apk cannot read the token: an operator without a version, or a name with a tag. */
function isMalformed(bytes: Uint8Array, start: number, end: number): boolean {
  const operator = endOfName(bytes, start, end);
  for (let i = start; i < operator; i += 1) if (bytes[i] === AT) return true;
  let i = operator;
  while (i < end && isOperatorSign(bytes[i] as number)) i += 1;
  return operator < end && i === end;
}

/** Whether apk 3 does not install a package with the dependency. `><` asks for a hash instead of a version. */
function isBrokenDependency(bytes: Buffer, start: number, end: number): boolean {
  const sign = endOfName(bytes, start, end);
  if (isMalformed(bytes, start, end)) return true;
  if (sign === end || (bytes[sign] === EQUALS && isSimpleVersion(bytes, sign + 1, end))) return false;
  const { operator, version } = parseDependency(bytes.toString('latin1', start, end));
  const isHash = operator.includes('<') && operator.includes('>');
  return operator !== '' && !isHash && parseVersion(version) === undefined;
}

/** Whether it consists of dotted numbers and an optional `-rN`. Such versions are valid and need not be parsed. */
function isSimpleVersion(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  for (; i < end; i += 1) {
    const isDot = bytes[i] === DOT && i > start && isDigit(bytes[i - 1] as number);
    if (!isDot && !isDigit(bytes[i] as number)) break;
  }
  if (i === start || !isDigit(bytes[i - 1] as number)) return false;
  if (i === end) return true;
  if (bytes[i] !== DASH || bytes[i + 1] !== LETTER_R || i + 2 >= end) return false;
  for (i += 2; i < end; i += 1) if (!isDigit(bytes[i] as number)) return false;
  return true;
}

/** Start of the operator in a token such as `name>=1.0`; `end` if there is none. */
function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && !isOperatorSign(bytes[i] as number)) i += 1;
  return i;
}

function startsWithByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
