/**
 * Bytes that are read four at a time, as words. The fields of an index are short; searching, hashing, comparing and
 * copying them by words takes half the time. The last word of a field may go beyond its end, so a buffer has four spare
 * bytes after its content, and the bytes beyond the end are masked out.
 */
import { grown } from './memory.ts';

const WORD = 4;

/** A growing buffer. */
export class ByteBuffer {
  /** Content, then spare bytes. Valid until bytes are added. */
  bytes: Buffer;
  /** Bytes of content. */
  length: number;
  #words: DataView;

  constructor(memory: Uint8Array = new Uint8Array(64), length = 0) {
    this.bytes = asBuffer(memory);
    this.#words = wordsOf(memory);
    this.length = length;
  }

  clear(): void {
    this.length = 0;
  }

  addByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length] = byte;
    this.length += 1;
  }

  /** Adds any bytes. */
  addBytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Adds `source[start..end)`, which should be short. */
  add(source: ByteBuffer, start: number, end: number): void {
    const length = end - start;
    this.reserve(length);
    const [to, from] = [this.#words, source.#words];
    for (let i = 0; i < length; i += WORD) to.setInt32(this.length + i, from.getInt32(start + i, true), true);
    this.length += length;
  }

  /** Copies `[start..end)`, which should be short, to `to[at..)`. */
  copyTo(to: Uint8Array, at: number, start: number, end: number): void {
    const { bytes } = this;
    for (let i = start; i < end; i += 1) to[at + i - start] = bytes[i] as number;
  }

  /** Replaces the content by `text` in UTF-8. */
  setText(text: string): void {
    this.length = 0;
    // UTF-8 needs at most three bytes per UTF-16 unit.
    this.reserve(text.length * 3);
    this.length = this.bytes.write(text, 'utf8');
  }

  /** Removes the first `count` bytes. */
  drop(count: number): void {
    if (count === 0) return;
    this.bytes.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** The first position of `byte` in `[start..end)`; `end` if there is none. */
  indexOf(byte: number, start: number, end: number): number {
    const words = this.#words;
    const pattern = Math.imul(byte, 0x01010101);
    for (let i = start; i < end; i += WORD) {
      // A byte of `difference` is 0 where the byte is found. The lowest bit set in `found` is the top bit of the first
      // such byte (Hacker's Delight, 6-1).
      const difference = words.getInt32(i, true) ^ pattern;
      const found = (difference - 0x01010101) & ~difference & 0x80808080;
      if (found !== 0) return Math.min(end, i + ((31 - Math.clz32(found & -found)) >> 3));
    }
    return end;
  }

  /** A 32-bit hash. */
  hash(start: number, end: number): number {
    const words = this.#words;
    let hash = 0x811c9dc5;
    let i = start;
    for (; i + WORD <= end; i += WORD) hash = mix(hash, words.getInt32(i, true));
    return mix(hash, words.getInt32(i, true) & firstBytes(end - i)) >>> 0;
  }

  /** Whether the bytes from `start` equal `other[otherStart..otherEnd)`. */
  equals(start: number, other: ByteBuffer, otherStart: number, otherEnd: number): boolean {
    const [own, others] = [this.#words, other.#words];
    const offset = start - otherStart;
    let i = otherStart;
    for (; i + WORD <= otherEnd; i += WORD)
      if (own.getInt32(offset + i, true) !== others.getInt32(i, true)) return false;
    const difference = own.getInt32(offset + i, true) ^ others.getInt32(i, true);
    return (difference & firstBytes(otherEnd - i)) === 0;
  }

  /** The word at `i`; bytes from `end` on are 0. */
  word(i: number, end: number): number {
    const word = this.#words.getInt32(i, true);
    return i + WORD <= end ? word : word & firstBytes(end - i);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count + WORD;
    if (needed <= this.bytes.length) return;
    const memory = grown(this.bytes, needed);
    this.bytes = asBuffer(memory);
    this.#words = wordsOf(memory);
  }
}

/** A mask for the first `count` bytes of a word, 0 to 3. */
function firstBytes(count: number): number {
  return (1 << (8 * count)) - 1;
}

/** FNV-1a by words, with the upper bits folded down: multiplication alone only moves bits up. */
function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x01000193);
  return product ^ (product >>> 15);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A view up to the end of the memory behind `bytes`; only reads go beyond `bytes`. */
function wordsOf({ buffer, byteOffset }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset);
}

/** Foreign text for a message: the beginning, in quotes. */
export function quoted(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, 60)).toString('latin1');
  return JSON.stringify(bytes.length > 60 ? `${shown}…` : shown);
}
