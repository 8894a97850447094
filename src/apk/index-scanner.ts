/**
 * APKINDEX text, read from bytes as they are inflated.
 *
 * The text is lines `K:value`, K one letter; stanzas are separated by an empty line, one a package. Of the letters,
 * this reads
 *
 *   P name   V version   A arch   t build time   o origin   c commit   U url   p provides   D depends   C identity
 *
 * and knows S I T L m i k r q F M R Z a s f g, which it skips. As in apk-tools 3, other lower case letters may be
 * ignored, while another upper case letter makes a package uninstallable. `p:` and `D:` may be repeated and add up;
 * of the others the last one counts. Where real tools give up the whole index over one line, this skips the stanza,
 * counts it and says which it was – unless most stanzas are bad, which is no index.
 *
 * Scanned by the byte and kept as numbers: making strings of everything would take several times as long and ten times
 * the memory (docs/decisions/003). `test/support/simple-packages.ts` is the plain way, which must give the same answers.
 */
import { IndexError } from '../errors.ts';
import { packCommit } from './commit.ts';
import { GrowingColumns, GrowingNumbers, IdentitySet, postings } from './growing-table.ts';
import { Arena } from './memory.ts';
import { isExactDependency, PackageTable, unusableReasons } from './package-table.ts';
import type { ParseReport, Unusable } from './packages.ts';
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

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BLANK = 0x20;
const COLON = 0x3a;
const EQUALS = 0x3d;
const letter = (text: string): number => text.charCodeAt(0);
const [C, P, V, A, T_BUILT, O, C_COMMIT, U, P_PROVIDES, D] = [...'CPVAtocUpD'].map(letter) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
const knownUpperCase = new Set([...'CPVASITULDmFMRZ'].map(letter));

const FOREIGN_ARCH = unusableReasons.indexOf('foreign-arch' satisfies Unusable);
const UNKNOWN_FIELD = unusableReasons.indexOf('unknown-field' satisfies Unusable);

export interface ScanOptions {
  readonly limits: ScanLimits;
  /** The arch the index was asked for; without it, the one most packages name. */
  readonly arch?: string | undefined;
  /** Without `arch`: the archs wanted of a file that may hold several. */
  readonly archs?: readonly string[] | undefined;
  /** How large the index is while it is compressed, to tell how much to reserve; any number is right. */
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

  /** The pieces of a line whose end has not come yet. */
  #rest: Uint8Array[] = [];
  #restBytes = 0;
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
  readonly #provides = new RepeatedField();
  readonly #exact = new RepeatedField();
  #builtAt = 0;
  #unusable = 0;

  // What stood there last, for a start.
  #lastName = EMPTY;
  #lastArch = EMPTY;
  #lastOrigin = EMPTY;
  #lastUrl = EMPTY;
  #lastProvided: number[] = [];

  #newestBuiltAt = 0;
  #badStanzas = 0;
  #firstBadStanza: string | undefined;
  #duplicateIdentities = 0;

  constructor({ limits, arch, archs = [], compressedBytes = 64 * 1024 }: ScanOptions) {
    const { typical, most } = expectedPackages(compressedBytes, limits.maxPackages);
    this.#limits = limits;
    this.#expectedArch = arch;
    this.#wantedArchs = archs;
    // Room for numbers of `most` packages, in columns, starts and postings, and for twice the compressed bytes.
    this.#arena = new Arena(most * 4 * 16 + compressedBytes * 2);
    this.#rows = new GrowingColumns(this.#arena, most);
    this.#names = StringTable.reserve(this.#arena, { strings: typical / 4, bytes: compressedBytes / 2 });
    this.#values = StringTable.reserve(this.#arena, { strings: typical, bytes: compressedBytes });
    this.#commits = StringTable.reserve(this.#arena, { strings: typical, bytes: compressedBytes / 2 });
    this.#identities = new IdentitySet(typical);
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    if (this.#restBytes > 0) {
      start = chunk.indexOf(NEWLINE) + 1;
      this.#keepRest(start === 0 ? chunk : chunk.subarray(0, start));
      if (start === 0) return;
      this.#readRest();
    }
    const bytes = chunk.subarray(start);
    this.#keepRest(bytes.subarray(this.#lines(bytes)));
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
    if (this.#restBytes > 0) {
      this.#keepRest(Buffer.of(NEWLINE));
      this.#readRest();
    }
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

  #keepRest(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#restBytes += piece.length;
    if (this.#restBytes > this.#limits.maxLineBytes) this.#refuseLine(this.#line + 1);
    // A copy, because the chunk's memory may be used again.
    this.#rest.push(new Uint8Array(piece));
  }

  #readRest(): void {
    const line = Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    this.#lines(line);
  }

  #refuseLine(line: number): never {
    throw new IndexError(
      'apkindex-malformed',
      `line ${line}: longer than ${this.#limits.maxLineBytes} bytes`,
    );
  }

  /** Reads the whole lines in `bytes` and returns where the unfinished one begins. */
  #lines(bytes: Uint8Array): number {
    let start = 0;
    for (;;) {
      let end = start;
      while (end < bytes.length && bytes[end] !== NEWLINE) end += 1;
      if (end === bytes.length) return start;
      this.#line += 1;
      if (end - start > this.#limits.maxLineBytes) this.#refuseLine(this.#line);
      this.#readLine(bytes, start, end > start && bytes[end - 1] === RETURN ? end - 1 : end);
      start = end + 1;
    }
  }

  #readLine(bytes: Uint8Array, lineStart: number, end: number): void {
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
    this.#readField(bytes[start] as number, bytes, start + 2, end);
  }

  #readField(field: number, bytes: Uint8Array, start: number, end: number): void {
    switch (field) {
      case P:
        this.#name = this.#lastName = this.#names.intern(bytes, start, end, this.#lastName);
        break;
      case V:
        this.#version = this.#values.intern(bytes, start, end);
        break;
      case A:
        this.#arch = this.#lastArch = this.#values.intern(bytes, start, end, this.#lastArch);
        break;
      case O:
        this.#origin = this.#lastOrigin = this.#values.intern(bytes, start, end, this.#lastOrigin);
        break;
      case C_COMMIT:
        this.#commit = this.#internCommit(bytes, start, end);
        break;
      case U:
        this.#url = this.#lastUrl = this.#values.intern(bytes, start, end, this.#lastUrl);
        break;
      case T_BUILT:
        this.#builtAt = parseSeconds(bytes, start, end);
        break;
      case P_PROVIDES:
        this.#provides.add(this.#values, bytes, start, end);
        break;
      case D:
        this.#readDepends(bytes, start, end);
        break;
      case C:
        this.#identities.read(bytes, start, end);
        break;
      default:
        if (field >= 0x41 && field <= 0x5a && !knownUpperCase.has(field)) this.#unusable = UNKNOWN_FIELD;
    }
  }

  #internCommit(bytes: Uint8Array, start: number, end: number): number {
    const commit = packCommit(bytes, start, end);
    return this.#commits.intern(commit, 0, commit.length);
  }

  /** Few packages ask for exact versions; the others' lines are passed over. */
  #readDepends(bytes: Uint8Array, start: number, end: number): void {
    let equals = start;
    while (equals < end && bytes[equals] !== EQUALS) equals += 1;
    if (equals === end) return;
    const exact = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
      .toString('utf8')
      .split(' ')
      .filter(isExactDependency);
    if (exact.length === 0) return;
    const list = Buffer.from(exact.join(' '));
    this.#exact.add(this.#values, list, 0, list.length);
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
    this.#exact.clear();
    this.#identities.clear();
    this.#builtAt = this.#unusable = 0;
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
    const provides = this.#provides.intern(this.#values);
    rows.columns.provides[row] = provides;
    rows.columns.exactDependencies[row] = this.#exact.intern(this.#values);
    rows.columns.builtAt[row] = this.#builtAt;
    rows.columns.unusable[row] = this.#unusable;
    if (this.#builtAt > this.#newestBuiltAt) this.#newestBuiltAt = this.#builtAt;
    this.#rowArchs.add(this.#arch);
    this.#archs.set(this.#arch, (this.#archs.get(this.#arch) ?? 0) + 1);
    if (provides !== EMPTY) this.#noteProvidedNames(provides, row);
  }

  #noteProvidedNames(provides: number, row: number): void {
    const list = this.#values.list.bytes(provides);
    const provided: number[] = [];
    for (let start = 0; start < list.length;) {
      let end = start;
      let nameEnd = -1;
      for (; end < list.length && list[end] !== BLANK; end += 1) {
        if (nameEnd < 0 && isOperatorSign(list[end] as number)) nameEnd = end;
      }
      const until = nameEnd < 0 ? end : nameEnd;
      if (until > start) {
        const id = this.#names.intern(list, start, until, this.#lastProvided[provided.length]);
        provided.push(id);
        this.#providedNames.add(id);
        this.#providingRows.add(row);
      }
      start = end + 1;
    }
    this.#lastProvided = provided;
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
    for (const [row, id] of this.#rowArchs.all().entries())
      if (foreign.has(id)) this.#rows.columns.unusable[row] = FOREIGN_ARCH;
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
    for (const done of [this.#identities, this.#rowArchs, this.#providedNames, this.#providingRows])
      done.release();
    return new PackageTable(strings, columns, { byName, byProvide });
  }
}

/**
 * The value of a list field, which adds up where the field is repeated. Only the whole list becomes a string of the
 * table: of a field repeated a million times the partial lists would take all memory.
 */
class RepeatedField {
  #first = EMPTY;
  #list = new Uint8Array();
  #length = 0;

  add(strings: StringTable, bytes: Uint8Array, start: number, end: number): void {
    if (this.#first === EMPTY) {
      this.#first = strings.intern(bytes, start, end);
      return;
    }
    if (this.#length === 0) this.#append(strings.list.bytes(this.#first));
    this.#append(Uint8Array.of(BLANK));
    this.#append(bytes.subarray(start, end));
  }

  /** The id of the whole list. */
  intern(strings: StringTable): number {
    return this.#length === 0 ? this.#first : strings.intern(this.#list, 0, this.#length);
  }

  clear(): void {
    this.#first = EMPTY;
    this.#length = 0;
  }

  #append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#list.length) {
      const list = new Uint8Array(Math.max(1024, 2 * (this.#length + bytes.length)));
      list.set(this.#list.subarray(0, this.#length));
      this.#list = list;
    }
    this.#list.set(bytes, this.#length);
    this.#length += bytes.length;
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

function isOperatorSign(byte: number): boolean {
  return byte === 0x3c || byte === EQUALS || byte === 0x3e || byte === 0x7e;
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
