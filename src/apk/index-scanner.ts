/**
 * APKINDEX text, read from bytes as they are inflated.
 *
 * The text is lines `K:value`, K one letter; stanzas are separated by an empty line, one a package. `Field` lists the
 * letters that are read; S I T L m r q F M R Z a s f g are known and skipped. As in apk-tools 3, other lower case
 * letters may be ignored, while another upper case letter makes a package uninstallable. `p:`, `D:` and `i:` may be repeated and add up;
 * of the others the last one counts. Where real tools give up the whole index over one line, this skips the stanza,
 * counts it and says which it was – unless most stanzas are bad, which is no index.
 *
 * Values are kept as numbers of strings: making JavaScript strings of everything would take several times as long and
 * ten times the memory (docs/decisions/003). `test/support/simple-packages.ts` is the plain way, which must give the same answers.
 */
import { IndexError } from '../errors.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { packCommit } from './commit.ts';
import { decodeIdentity, hashIdentity } from './identity.ts';
import { GrowingColumns, GrowingNumbers, IdentitySet, postings } from './growing-table.ts';
import { Arena, release } from './memory.ts';
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

export interface ScanLimits {
  /** The longest line, in bytes. Alpine's longest is 72 kB; apko stops at 1 MiB. */
  readonly maxLineBytes: number;
  readonly maxPackages: number;
}

export interface ScannedIndex {
  readonly packages: PackageTable;
  /** The arch most packages are for; what `A:` says, `noarch` aside. `undefined` if none says. */
  readonly arch: string | undefined;
  /** When its newest package was built, in unix seconds; 0 where none tells. */
  readonly newestBuiltAt: number;
  readonly report: ParseReport;
}

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
} as const;
/** Letters that apk knows; a package with any other upper case letter cannot be installed. */
const knownUpperCase = new Set([...'CPVASITULDFMRZ'].map((letter) => letter.charCodeAt(0)));

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BLANK = 0x20;
const COLON = 0x3a;
/** In front of a name that must not be there. */
const CONFLICT = 0x21; // !
// Signs of operators; `OLDER` to `NEWER` are one after the other.
const OLDER = 0x3c; // <
const EQUALS = 0x3d;
const NEWER = 0x3e; // >
const LINE = 0x7e; // ~

/** Of intruders so many are kept, and of their conditions so much; none has been seen in a public index. */
const MOST_INTRUDERS = 1000;
const MOST_CONDITION_BYTES = 4096;

const FOREIGN_ARCH = unusableReasons.indexOf('foreign-arch' satisfies Unusable);
const UNKNOWN_FIELD = unusableReasons.indexOf('unknown-field' satisfies Unusable);

export interface ScanOptions {
  readonly limits: ScanLimits;
  /** The arch the index was asked for; without it, the one most packages name. */
  readonly arch?: string | undefined;
  /** Without `arch`: the archs wanted of a file that may hold several. */
  readonly archs?: readonly string[] | undefined;
  /** Size of the index while it is compressed: a hint for preallocation, affects speed only. */
  readonly compressedBytes?: number;
}

/** Reads one APKINDEX pushed in chunks of any size. */
export class IndexScanner {
  readonly #limits: ScanLimits;
  readonly #arena: Arena;
  /** Names of packages and what they provide: what can be looked up. */
  readonly #names: StringTable;
  /** All other strings. */
  readonly #values: StringTable;
  readonly #commits: StringTable;
  readonly #rows: GrowingColumns;
  readonly #rowArchs = new GrowingNumbers();
  /** Pairs of a name and the row that provides it. */
  readonly #providedNames = new GrowingNumbers();
  readonly #providingRows = new GrowingNumbers();
  readonly #expectedArch: string | undefined;
  readonly #wantedArchs: readonly string[];
  readonly #identities: IdentitySet;
  readonly #archs = new Map<number, number>();

  /** What was pushed and not read yet: a line whose end has not come. */
  readonly #text = new ByteBuffer();
  #line = 0;

  // The stanza being read; numbers of strings, EMPTY for what it has not said.
  #inStanza = false;
  #bad = '';
  #name = EMPTY;
  #version = EMPTY;
  #arch = EMPTY;
  #origin = EMPTY;
  #commit = EMPTY;
  #url = EMPTY;
  /** Tokens separated by blanks. Of a field repeated a million times, only the whole list becomes a string. */
  readonly #provides = new ByteBuffer();
  readonly #depends = new ByteBuffer();
  readonly #installIf = new ByteBuffer();
  readonly #packedCommit = new ByteBuffer();
  readonly #identity = new Uint8Array(IDENTITY_BYTES);
  #hasIdentity = false;
  #builtAt = 0;
  #priority = 0;
  #unusable = 0;

  /** The dependencies of the package before, which the next version of it often has, too. */
  readonly #lastDepends = new ByteBuffer();
  #lastDependencies = EMPTY;
  #lastNeedsExactly = 0;
  readonly #tokenNumbers = new ByteBuffer();
  /** Of each name, twice the number of the last row that has it plus one, and one more if with a version. */
  readonly #lastCarrier = new GrowingNumbers();

  readonly #intruders: { readonly row: number; readonly intruder: Intruder }[] = [];
  #newestBuiltAt = 0;
  #badStanzas = 0;
  #firstBadStanza: string | undefined;
  #duplicateIdentities = 0;

  constructor({ limits, arch, archs = [], compressedBytes = 64 * 1024 }: ScanOptions) {
    const { typical, most } = expectedPackages(compressedBytes, limits.maxPackages);
    this.#limits = limits;
    this.#expectedArch = arch;
    this.#wantedArchs = archs;
    // Room for numbers and identities of `most` packages, in columns, starts and postings, and for twice the compressed bytes.
    this.#arena = new Arena(most * (4 * 16 + IDENTITY_BYTES) + compressedBytes * 2);
    this.#rows = new GrowingColumns(this.#arena, most);
    this.#names = StringTable.reserve(this.#arena, { strings: typical / 4, bytes: compressedBytes / 2 });
    this.#values = StringTable.reserve(this.#arena, { strings: typical, bytes: compressedBytes });
    this.#commits = StringTable.reserve(this.#arena, { strings: typical, bytes: compressedBytes / 2 });
    this.#identities = new IdentitySet(typical);
  }

  push(chunk: Uint8Array): void {
    const text = this.#text;
    const searched = text.length;
    text.addBytes(chunk);
    text.drop(this.#readLines(searched));
    if (text.length > this.#limits.maxLineBytes) this.#refuseLine(this.#line + 1);
  }

  /** Throws `apkindex-malformed` when most stanzas were bad. */
  end(): ScannedIndex {
    const work = this.finish();
    for (;;) {
      const step = work.next();
      if (step.done) return step.value;
    }
  }

  /** The same in steps: sorting a million packages takes longer than others should have to wait. */
  *finish(): Generator<undefined, ScannedIndex> {
    if (this.#text.length > 0) this.push(Uint8Array.of(NEWLINE));
    this.#endStanza();
    if (this.#badStanzas > this.#rows.count) {
      const total = this.#badStanzas + this.#rows.count;
      throw new IndexError(
        'apkindex-malformed',
        `${this.#badStanzas} of ${total} stanzas are bad: ${this.#firstBadStanza ?? ''}`,
      );
    }
    const arch = this.#settleArch();
    return {
      arch,
      newestBuiltAt: this.#newestBuiltAt,
      packages: yield* this.#makeTable(),
      report: {
        badStanzas: this.#badStanzas,
        firstBadStanza: this.#firstBadStanza,
        duplicateIdentities: this.#duplicateIdentities,
      },
    };
  }

  #refuseLine(line: number): never {
    throw new IndexError(
      'apkindex-malformed',
      `line ${line}: longer than ${this.#limits.maxLineBytes} bytes`,
    );
  }

  /** Reads all whole lines and returns where the unfinished one begins. Before `searched` there is no newline. */
  #readLines(searched: number): number {
    const text = this.#text;
    const { bytes, length } = text;
    let start = 0;
    let end = text.indexOf(NEWLINE, searched, length);
    for (; end < length; end = text.indexOf(NEWLINE, start, length)) {
      this.#line += 1;
      if (end - start > this.#limits.maxLineBytes) this.#refuseLine(this.#line);
      this.#readLine(start, end > start && bytes[end - 1] === RETURN ? end - 1 : end);
      start = end + 1;
    }
    return start;
  }

  #readLine(lineStart: number, end: number): void {
    const { bytes } = this.#text;
    const start = this.#line === 1 && startsWithByteOrderMark(bytes) ? lineStart + 3 : lineStart;
    if (end - start < 2) {
      // apk takes any line of one character for a separator, too.
      this.#endStanza();
      return;
    }
    this.#inStanza = true;
    if (bytes[start + 1] !== COLON) {
      this.#reject(`expected "K:value", got ${quote(bytes, start, end)}`);
      return;
    }
    this.#readField(bytes[start] as number, start + 2, end);
  }

  #readField(letter: number, start: number, end: number): void {
    const text = this.#text;
    switch (letter) {
      case Field.name:
        this.#name = this.#names.intern(text, start, end);
        break;
      case Field.version:
        this.#version = this.#values.intern(text, start, end);
        break;
      case Field.arch:
        this.#arch = this.#values.intern(text, start, end);
        break;
      case Field.origin:
        this.#origin = this.#values.intern(text, start, end);
        break;
      case Field.commit:
        packCommit(this.#packedCommit, text, start, end);
        this.#commit = this.#commits.intern(this.#packedCommit, 0, this.#packedCommit.length);
        break;
      case Field.url:
        this.#url = this.#values.intern(text, start, end);
        break;
      case Field.builtAt:
        this.#builtAt = parseSeconds(text.bytes, start, end);
        break;
      case Field.provides:
        addToken(this.#provides, text, start, end);
        break;
      case Field.depends:
        addToken(this.#depends, text, start, end);
        break;
      case Field.installIf:
        addToken(this.#installIf, text, start, end);
        break;
      case Field.priority:
        this.#priority = parsePrefix(text.bytes, start, end);
        break;
      case Field.identity:
        this.#identities.read(text, start, end);
        this.#hasIdentity = decodeIdentity(this.#identity, text.bytes, start, end);
        break;
      default:
        if (letter >= 0x41 && letter <= 0x5a && !knownUpperCase.has(letter)) this.#unusable = UNKNOWN_FIELD;
    }
  }

  /** The number of the list of tokens in `D:`, and the flag of whether one of them asks for an exact version. */
  #internDependencies(): void {
    const list = this.#depends;
    const last = this.#lastDepends;
    if (list.length === last.length && list.equals(0, last, 0, last.length)) return;
    const numbers = this.#tokenNumbers;
    numbers.clear();
    this.#lastNeedsExactly = 0;
    for (let start = 0; start < list.length;) {
      const end = list.indexOf(BLANK, start, list.length);
      if (end > start) addNumber(numbers, this.#values.intern(list, start, end));
      if (isExactDependency(list.bytes, start, end)) this.#lastNeedsExactly = Flag.needsExactly;
      start = end + 1;
    }
    this.#lastDependencies = this.#values.intern(numbers, 0, numbers.length);
    last.clear();
    last.addBytes(list.bytes.subarray(0, list.length));
  }

  #reject(fact: string): void {
    if (this.#bad === '') this.#bad = `line ${this.#line}: ${fact}`;
  }

  #endStanza(): void {
    if (!this.#inStanza) return;
    if (this.#name === EMPTY) this.#reject('package without P:');
    else if (this.#version === EMPTY) {
      const name = this.#names.list.bytes(this.#name);
      this.#reject(`package ${quote(name, 0, name.length)} without V:`);
    }
    if (this.#bad !== '') {
      this.#badStanzas += 1;
      this.#firstBadStanza ??= this.#bad;
    } else if (this.#identities.add()) this.#addPackage();
    else this.#duplicateIdentities += 1;
    this.#inStanza = false;
    this.#bad = '';
    this.#name = this.#version = this.#arch = this.#origin = this.#commit = EMPTY;
    this.#url = EMPTY;
    this.#provides.clear();
    this.#depends.clear();
    this.#installIf.clear();
    this.#identities.clear();
    this.#hasIdentity = false;
    this.#builtAt = this.#priority = this.#unusable = 0;
  }

  #addPackage(): void {
    const rows = this.#rows;
    if (rows.count >= this.#limits.maxPackages) {
      throw new IndexError(
        'apkindex-malformed',
        `line ${this.#line}: more than ${this.#limits.maxPackages} packages`,
      );
    }
    const row = rows.add();
    rows.columns.name[row] = this.#name;
    rows.columns.version[row] = this.#version;
    rows.columns.origin[row] = this.#origin;
    rows.columns.commit[row] = this.#commit;
    rows.columns.url[row] = this.#url;
    rows.columns.provides[row] = this.#values.intern(this.#provides, 0, this.#provides.length);
    this.#internDependencies();
    rows.columns.dependencies[row] = this.#lastDependencies;
    rows.columns.builtAt[row] = this.#builtAt;
    rows.columns.priority[row] = this.#priority;
    rows.columns.identity.set(this.#identityOr(), row * IDENTITY_BYTES);
    if (this.#builtAt > this.#newestBuiltAt) this.#newestBuiltAt = this.#builtAt;
    this.#rowArchs.add(this.#arch);
    this.#archs.set(this.#arch, (this.#archs.get(this.#arch) ?? 0) + 1);
    const conflictsWithItself = this.#noteProvidedNames(row) ? Flag.conflictsWithItself : 0;
    rows.columns.flags[row] = this.#unusable | conflictsWithItself | this.#lastNeedsExactly;
    if (conflictsWithItself && this.#installIf.length > 0) this.#addIntruder(row);
  }

  #addIntruder(row: number): void {
    const { bytes, length } = this.#installIf;
    if (this.#intruders.length >= MOST_INTRUDERS || length > MOST_CONDITION_BYTES) return;
    const intruder = {
      package: `${this.#names.list.text(this.#name)}-${this.#values.list.text(this.#version)}`,
      installIf: tokens(Buffer.from(bytes.subarray(0, length)).toString()).map(parseDependency),
    };
    this.#intruders.push({ row, intruder });
  }

  /** The identity, or what stands for it. */
  #identityOr(): Uint8Array {
    if (this.#hasIdentity) return this.#identity;
    const [name, version] = [this.#names.list.text(this.#name), this.#values.list.text(this.#version)];
    return hashIdentity(JSON.stringify([name, version, this.#builtAt]));
  }

  /** Whether the package has a name twice, at least once with a version. */
  #noteProvidedNames(row: number): boolean {
    const list = this.#provides;
    if (list.length === 0) return false;
    let isDouble = false;
    this.#lastCarrier.set(this.#name, 2 * (row + 1) + 1);
    for (let start = 0; start < list.length;) {
      const end = list.indexOf(BLANK, start, list.length);
      const nameEnd = endOfName(list.bytes, start, end);
      if (nameEnd > start) {
        const name = this.#names.intern(list, start, nameEnd);
        const [before, now] = [this.#lastCarrier.at(name), 2 * (row + 1) + (nameEnd < end ? 1 : 0)];
        if (before >> 1 === row + 1 && (before & 1 || now & 1)) isDouble = true;
        this.#lastCarrier.set(name, before >> 1 === row + 1 ? before | now : now);
        this.#providedNames.add(name);
        this.#providingRows.add(row);
      }
      start = end + 1;
    }
    return isDouble;
  }

  /**
   * Marks the packages that name another arch, which apk 3 refuses. Throws `apkindex-malformed` where that is most
   * of them: an index in the wrong folder.
   */
  #settleArch(): string | undefined {
    const counts = new Map([...this.#archs].map(([id, count]) => [this.#values.list.text(id), count]));
    counts.delete('');
    counts.delete('noarch');
    const [mostNamed] = [...counts.keys()].toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0));
    const wanted = this.#wantedArchs.filter((each) => counts.has(each));
    const chosen = wanted.toSorted((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0))[0];
    const arch = this.#expectedArch ?? chosen ?? mostNamed;
    const own = counts.get(arch ?? '') ?? 0;
    const foreign = counts.values().reduce((sum, count) => sum + count, 0) - own;
    if (wanted.length > 1 && foreign >= own) {
      const fact = `packages for ${wanted.join(' and ')} in one file: name them in archs of the repository`;
      throw new IndexError('apkindex-malformed', fact);
    }
    if (chosen === undefined && mostNamed !== undefined && foreign > this.#rows.count / 2) {
      throw new IndexError(
        'apkindex-malformed',
        `most packages are for ${escaped(mostNamed.slice(0, 60))}, expected ${this.#expectedArch ?? (this.#wantedArchs.join(' or ') || 'one arch')}`,
      );
    }
    if (foreign > 0) this.#markForeign(arch ?? '');
    return arch;
  }

  #markForeign(own: string): void {
    const { list } = this.#values;
    const foreign = new Set(
      [...this.#archs.keys()].filter((id) => !['', 'noarch', own].includes(list.text(id))),
    );
    const { flags } = this.#rows.columns;
    for (const [row, id] of this.#rowArchs.all().entries())
      if (foreign.has(id)) flags[row] = ((flags[row] as number) & ~Flag.unusable) | FOREIGN_ARCH;
  }

  *#makeTable(): Generator<undefined, PackageTable> {
    const columns = this.#rows.finished();
    const names = this.#names.list.count;
    const byName = yield* postings(this.#arena, names, columns.name);
    const byProvide = yield* postings(
      this.#arena,
      names,
      this.#providedNames.all(),
      this.#providingRows.all(),
    );
    const strings = { names: this.#names, values: this.#values.close(), commits: this.#commits.close() };
    release(this.#text.bytes);
    for (const done of [
      this.#identities,
      this.#rowArchs,
      this.#providedNames,
      this.#providingRows,
      this.#lastCarrier,
    ])
      done.release();
    const isUsable = (row: number): boolean => ((columns.flags[row] as number) & Flag.unusable) === 0;
    const intruders = this.#intruders.flatMap(({ row, intruder }) => (isUsable(row) ? intruder : []));
    return new PackageTable(strings, columns, { byName, byProvide }, intruders);
  }
}

/** How many packages an index of so many compressed bytes holds: Wolfi's takes 70 a package, and none half of that. */
function expectedPackages(compressedBytes: number, limit: number): { typical: number; most: number } {
  const packages = (bytesEach: number): number => Math.min(limit, Math.ceil(compressedBytes / bytesEach));
  return { typical: packages(70), most: packages(32) };
}

/** Unix seconds; 0 for anything that is no plain number or does not fit. */
function parseSeconds(bytes: Uint8Array, start: number, end: number): number {
  let seconds = 0;
  for (let i = start; i < end; i += 1) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    seconds = seconds * 10 + digit;
    if (seconds > 0xffffffff) return 0;
  }
  return seconds;
}

/** The digits it begins with, as apk reads numbers; 0 without. */
function parsePrefix(bytes: Uint8Array, start: number, end: number): number {
  let digits = start;
  while (digits < end && isDigit(bytes[digits] as number)) digits += 1;
  return parseSeconds(bytes, start, digits);
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function addNumber(list: ByteBuffer, number: number): void {
  for (let shift = 0; shift < 32; shift += 8) list.addByte((number >>> shift) & 0xff);
}

/** Adds `source[start..end)` to a list whose items are separated by blanks. */
function addToken(list: ByteBuffer, source: ByteBuffer, start: number, end: number): void {
  if (list.length > 0) list.addByte(BLANK);
  list.add(source, start, end);
}

/** Does the token ask for exactly one version (`=` or `==`) of a name that must be there? */
function isExactDependency(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] === CONFLICT) return false;
  const operator = endOfName(bytes, start, end);
  let i = operator;
  while (i < end && bytes[i] === EQUALS) i += 1;
  return i > operator && !(i < end && isOperatorSign(bytes[i] as number));
}

/** Where the operator of a token such as `name>=1.0` starts; `end` where there is none. */
function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && !isOperatorSign(bytes[i] as number)) i += 1;
  return i;
}

function isOperatorSign(byte: number): boolean {
  return (byte >= OLDER && byte <= NEWER) || byte === LINE;
}

function startsWithByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** Fit for a message: no control characters. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function quote(bytes: Uint8Array, start: number, end: number): string {
  const shown = Buffer.from(bytes.subarray(start, Math.min(end, start + 60))).toString('latin1');
  return JSON.stringify(end - start > 60 ? `${shown}…` : shown);
}
