/** Reads the plain files of tar and zip archives, as far as feeds need it. */
import { constants, inflateRawSync } from 'node:zlib';
import { malformed } from './input.ts';

export interface ArchiveFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Larger files are skipped: a record has a few kilobytes; the archive also has lists of all records. */
const MAX_FILE = 4 * 1024 * 1024;
const BLOCK = 512;

/** Reads a tar as it arrives. Skips larger files, folders, links and extended headers. */
export class TarFiles {
  #rest: Buffer = Buffer.alloc(0);
  #passOver = 0;

  /** The files that are complete with this piece. */
  *push(piece: Buffer): Generator<ArchiveFile> {
    let bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    for (;;) {
      const passed = Math.min(this.#passOver, bytes.length);
      this.#passOver -= passed;
      bytes = bytes.subarray(passed);
      if (bytes.length < BLOCK) break;
      if (bytes[0] === 0) {
        bytes = bytes.subarray(BLOCK);
        continue;
      }
      const size = sizeOf(bytes);
      const padded = Math.ceil(size / BLOCK) * BLOCK;
      const isFile = bytes[156] === 0x30 || bytes[156] === 0;
      if (!isFile || size > MAX_FILE) this.#passOver = BLOCK + padded;
      else if (bytes.length < BLOCK + padded) break;
      else {
        yield { name: nameOf(bytes), bytes: bytes.subarray(BLOCK, BLOCK + size) };
        bytes = bytes.subarray(BLOCK + padded);
      }
    }
    // A copy: the rest may be a small part of a large piece.
    this.#rest = Buffer.from(bytes);
  }

  /** Throws if the archive ends inside a file. */
  end(): void {
    if (this.#rest.length > 0 || this.#passOver > 0) throw malformed('tar: truncated');
  }
}

function nameOf(header: Buffer): string {
  const end = header.indexOf(0);
  return header.toString('latin1', 0, end < 0 ? 100 : Math.min(end, 100));
}

function sizeOf(header: Buffer): number {
  const digits = /^ *([0-7]{1,11})[ \0]/.exec(header.toString('latin1', 124, 136))?.[1];
  if (digits === undefined) throw malformed('tar: a header is damaged');
  return parseInt(digits, 8);
}

/** `length` bytes of a file from `position` on; fewer at its end. */
export type ReadAt = (position: number, length: number) => Buffer;

const END = 0x06054b50;
const END_64 = 0x06064b50;
const CENTRAL = 0x02014b50;
/** Instead of a 32-bit number: the number is in the extra field. */
const IN_EXTRA = 0xffffffff;
/** Size of the end record with the longest comment, and of the locator before it. */
const TAIL = 22 + 65_535 + 20;

/** A zip of `size` bytes (APPNOTE.TXT), in the order of its directory. */
export function* zipFiles(size: number, read: ReadAt): Generator<ArchiveFile> {
  const directory = zipDirectory(size, read);
  const at = buffered(read);
  let position = directory.start;
  let used = 0;
  for (let i = 0; i < directory.entries; i += 1) {
    const head = at(position, 46);
    if (head.length < 46 || head.readUInt32LE() !== CENTRAL) throw malformed('zip: the directory is damaged');
    const method = head.readUInt16LE(10);
    const [name, extra, comment] = [head.readUInt16LE(28), head.readUInt16LE(30), head.readUInt16LE(32)];
    const rest = at(position + 46, name + extra);
    const short = [head.readUInt32LE(24), head.readUInt32LE(20), head.readUInt32LE(42)] as const;
    const [plain, packed, start] = inFull(short, rest.subarray(name));
    position += 46 + name + extra + comment;
    if (plain > MAX_FILE || packed > MAX_FILE) continue;
    used += packed;
    // Files that share their bytes: a small zip could inflate to terabytes.
    if (used > size) throw malformed('zip: its files have more bytes than it');
    yield { name: rest.toString('latin1', 0, name), bytes: unpack(read, start, { method, packed }) };
  }
}

function zipDirectory(size: number, read: ReadAt): { start: number; entries: number } {
  const tailStart = Math.max(0, size - TAIL);
  const tail = read(tailStart, TAIL);
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(END);
  const end = tail.lastIndexOf(mark);
  if (end < 0 || end + 22 > tail.length) throw malformed('zip: truncated');
  const [entries, start] = [tail.readUInt16LE(end + 10), tail.readUInt32LE(end + 16)];
  if (entries !== 0xffff && start !== 0xffffffff) return { start, entries };
  if (end < 20) throw malformed('zip: truncated');
  const record = read(Number(tail.readBigUInt64LE(end - 20 + 8)), 56);
  if (record.length < 56 || record.readUInt32LE() !== END_64) throw malformed('zip: the end is damaged');
  return { entries: Number(record.readBigUInt64LE(32)), start: Number(record.readBigUInt64LE(48)) };
}

/** Size, packed size and offset. The extra field 0x0001 holds, in this order, those that are not in the short ones. */
function inFull(short: readonly [number, number, number], extra: Buffer): readonly [number, number, number] {
  if (!short.includes(IN_EXTRA)) return short;
  let at = 0;
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2);
  at += 4;
  const full = (value: number): number => {
    if (value !== IN_EXTRA) return value;
    if (at + 8 > extra.length) throw malformed('zip: the directory is damaged');
    at += 8;
    return Number(extra.readBigUInt64LE(at - 8));
  };
  return [full(short[0]), full(short[1]), full(short[2])];
}

function unpack(read: ReadAt, start: number, { method, packed }: { method: number; packed: number }): Buffer {
  const head = read(start, 30);
  if (head.length < 30) throw malformed('zip: truncated');
  const bytes = read(start + 30 + head.readUInt16LE(26) + head.readUInt16LE(28), packed);
  if (bytes.length < packed) throw malformed('zip: truncated');
  if (method === 0) return bytes;
  if (method !== 8) throw malformed(`zip: compression method ${method}`);
  try {
    return inflateRawSync(bytes, { maxOutputLength: MAX_FILE, finishFlush: constants.Z_FINISH });
  } catch (cause) {
    throw malformed(`zip: a file is damaged (${String(cause)})`);
  }
}

/** Reads ahead, because the directory is read in small pieces. */
function buffered(read: ReadAt): ReadAt {
  const AHEAD = 256 * 1024;
  let from = 0;
  let bytes: Buffer = Buffer.alloc(0);
  return (position, length) => {
    if (position < from || position + length > from + bytes.length) {
      from = position;
      bytes = read(position, Math.max(AHEAD, length));
    }
    return bytes.subarray(position - from, position - from + length);
  };
}
