/**
 * A strict reader for the tar inside an APKINDEX.tar.gz: a flat archive of two or three plain files. It accepts ustar,
 * GNU and pre-POSIX headers and skips pax headers. It refuses everything that two readers might read differently:
 * links, folders, paths, duplicate names, pax sizes or paths. It reads bytes as they are inflated and buffers only one
 * header block.
 */
import { cut, IndexError } from '../errors.ts';

const BLOCK = 512;
const NEWLINE = 0x0a;
const MAX_PAX_BYTES = 64 * 1024;
/** Headers of any kind. An index has two or three files, plus a signature and a pax header per key. */
const MAX_HEADERS = 1000;
/** The last second that a `Date` can represent. */
const MAX_SECONDS = 8.64e12;

export interface TarEntry {
  readonly name: string;
  /** Content length in bytes. */
  readonly size: number;
  /** Unix seconds; 0 if absent or impossible. */
  readonly modifiedAt: number;
}

export interface TarHandler {
  /** A file begins; `false` skips its content. */
  readonly entry: (entry: TarEntry) => boolean;
  /** The next piece of the file's content, valid only during the call. */
  readonly data: (chunk: Uint8Array) => void;
  /** The file is complete. */
  readonly done: (entry: TarEntry) => void;
}

type Body = { entry: TarEntry; use: 'read' | 'skip' | 'pax'; remaining: number };

export class TarReader {
  readonly #handler: TarHandler;
  readonly #header = new Uint8Array(BLOCK);
  #headerBytes = 0;
  #body: Body | undefined;
  #padding = 0;
  #zeroBlocks = 0;
  #headers = 0;
  #pax: Uint8Array[] = [];
  readonly #names = new Set<string>();

  constructor(handler: TarHandler) {
    this.#handler = handler;
  }

  push(chunk: Uint8Array): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#body && this.#body.remaining > 0) position += this.#takeContent(chunk.subarray(position));
      else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - position);
        this.#padding -= skipped;
        position += skipped;
      } else position += this.#takeHeader(chunk.subarray(position));
    }
  }

  /** Throws if the archive ends inside a file or block. Returns whether it had an end-of-archive marker. */
  end(): { readonly marked: boolean } {
    if (this.#body) fail(`ends inside ${this.#body.entry.name}`);
    if (this.#headerBytes > 0 || this.#padding > 0) fail('ends inside a block');
    return { marked: this.#zeroBlocks > 0 };
  }

  #takeContent(bytes: Uint8Array): number {
    const body = this.#body as Body;
    const piece = bytes.subarray(0, body.remaining);
    body.remaining -= piece.length;
    if (body.use === 'read') this.#handler.data(piece);
    if (body.use === 'pax') this.#pax.push(new Uint8Array(piece));
    if (body.remaining === 0) this.#finishBody(body);
    return piece.length;
  }

  #finishBody(body: Body): void {
    this.#body = undefined;
    if (body.use === 'pax') {
      refuseOverrides(Buffer.concat(this.#pax));
      this.#pax = [];
    } else this.#handler.done(body.entry);
  }

  #takeHeader(bytes: Uint8Array): number {
    const piece = bytes.subarray(0, BLOCK - this.#headerBytes);
    this.#header.set(piece, this.#headerBytes);
    this.#headerBytes += piece.length;
    if (this.#headerBytes === BLOCK) {
      this.#headerBytes = 0;
      this.#startEntry();
    }
    return piece.length;
  }

  #startEntry(): void {
    if (this.#header.every((byte) => byte === 0)) {
      this.#zeroBlocks += 1;
      return;
    }
    if (this.#zeroBlocks > 0) fail('continues after its end-of-archive marker');
    this.#headers += 1;
    if (this.#headers > MAX_HEADERS) fail(`more than ${MAX_HEADERS} entries`);
    const { type, ...entry } = parseHeader(this.#header);
    const { name, size } = entry;
    if (type === 'x' || type === 'g') {
      if (size > MAX_PAX_BYTES) fail(`pax header ${name} of ${size} bytes is larger than ${MAX_PAX_BYTES}`);
      this.#body = { entry, use: 'pax', remaining: size };
    } else {
      if (type !== '0' && type !== '\0') fail(`${name} is of type ${JSON.stringify(type)}, not a plain file`);
      if (name === '' || name === '.' || name === '..' || name.includes('/'))
        fail(`${name} is not a plain file name`);
      if (this.#names.has(name)) fail(`${name} occurs twice`);
      this.#names.add(name);
      this.#body = { entry, use: this.#handler.entry(entry) ? 'read' : 'skip', remaining: size };
    }
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) this.#finishBody(this.#body);
  }
}

function parseHeader(header: Uint8Array): TarEntry & { readonly type: string } {
  const name = quotable(text(header, 0, 100));
  let sum = 0;
  for (let i = 0; i < BLOCK; i += 1) sum += i >= 148 && i < 156 ? 0x20 : (header[i] as number);
  if (parseNumber(header, 148, 8) !== sum) fail(`header of ${name} has a wrong checksum`);
  const size = parseNumber(header, 124, 12);
  if (size === undefined) fail(`size of ${name} is not a number`);
  if (size > Number.MAX_SAFE_INTEGER || size < 0) fail(`size of ${name} is out of range`);
  const modifiedAt = parseNumber(header, 136, 12) ?? 0;
  const isUstar = text(header, 257, 6) === 'ustar';
  const prefix = isUstar ? text(header, 345, 155) : '';
  return {
    name: prefix === '' ? name : quotable(`${prefix}/${name}`),
    size,
    modifiedAt: modifiedAt >= 0 && modifiedAt <= MAX_SECONDS ? modifiedAt : 0,
    type: String.fromCharCode(header[156] as number),
  };
}

/** A number field: octal digits that end with NUL or blank, or base-256 if the first bit is set. */
function parseNumber(header: Uint8Array, start: number, length: number): number | undefined {
  const first = header[start] as number;
  if (first >= 0x80) {
    let value = first === 0xff ? -1 : first & 0x7f;
    for (let i = 1; i < length; i += 1) value = value * 256 + (header[start + i] as number);
    return value;
  }
  const digits = text(header, start, length).trim();
  return digits !== '' && [...digits].every((digit) => digit >= '0' && digit <= '7')
    ? parseInt(digits, 8)
    : undefined;
}

function text(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const nul = field.indexOf(0);
  return Buffer.from(nul < 0 ? field : field.subarray(0, nul)).toString('latin1');
}

/** Names appear in error messages and logs, so they may have no control characters. */
function quotable(name: string): string {
  return JSON.stringify(name).slice(1, -1);
}

/**
 * Refuses pax records that rename or resize the next file, and any that are not a sequence of `LENGTH KEYWORD=VALUE\n`:
 * readers differ in how they treat them.
 */
function refuseOverrides(pax: Buffer): void {
  for (let start = 0; start < pax.length;) {
    const blank = pax.indexOf(' ', start);
    const digits = pax.toString('latin1', start, Math.max(start, blank));
    const end = start + (/^[1-9]\d{0,5}$/.test(digits) ? Number(digits) : NaN);
    if (!(end > blank + 1 && end <= pax.length) || pax[end - 1] !== NEWLINE) fail('pax header is malformed');
    const record = pax.toString('latin1', blank + 1, end - 1);
    const keyword = record.split('=', 1)[0] ?? '';
    if (['path', 'size', 'linkpath'].includes(keyword) || keyword.startsWith('GNU.sparse.'))
      fail(`pax header sets ${quotable(keyword)}`);
    start = end;
  }
}

function fail(fact: string): never {
  throw new IndexError('archive-malformed', `tar: ${cut(fact, 200)}`);
}
