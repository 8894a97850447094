/**
 * Byte strings, each kept once and named by a small number. An index repeats its names, versions and commits many
 * times over; a table of 117,000 packages holds about 150,000 distinct strings, a few megabytes in one buffer
 * (docs/decisions/003). Strings are made of the bytes only when asked for.
 */

import { IndexError } from '../errors.ts';

/**
 * The longest way from the slot a hash leads to. By chance it is some hundreds in a table of millions; who computes
 * strings that collide could make it, and with it the time to read an index, as long as the table.
 */
export const MAX_PROBES = 2000;

/** The number of the empty string in every table. */
export const EMPTY = 0;

/** What a table consists of. */
export interface StringTableParts {
  readonly starts: Uint32Array;
  readonly hashes: Uint32Array;
  readonly slots: Uint32Array;
  readonly blob: Uint8Array;
}

export class StringTable {
  #blob: Buffer;
  #blobEnd = 0;
  /** Where the bytes of each id start; they end where those of the next id start. */
  #starts: Uint32Array;
  #hashes: Uint32Array;
  #count = 0;
  /** Open addressing: id + 1 of the string whose hash leads here, 0 where the slot is free. */
  #slots: Uint32Array;

  /** `expected` strings fit before anything has to grow. */
  constructor(expected = 64) {
    const capacity = Math.max(64, expected);
    this.#blob = Buffer.allocUnsafeSlow(capacity * 32);
    this.#starts = new Uint32Array(capacity + 1);
    this.#hashes = new Uint32Array(capacity);
    this.#slots = new Uint32Array(slotsFor(capacity));
    this.intern(this.#blob, 0, 0);
  }

  /** The table that `parts()` were taken of. */
  static of({ starts, hashes, slots, blob }: StringTableParts): StringTable {
    const table = new StringTable();
    table.#starts = starts;
    table.#hashes = hashes;
    table.#slots = slots;
    table.#blob = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
    table.#blobEnd = blob.byteLength;
    table.#count = hashes.length;
    return table;
  }

  /** What it consists of, as views that must not be changed. */
  parts(): StringTableParts {
    return {
      starts: this.#starts.subarray(0, this.#count + 1),
      hashes: this.#hashes.subarray(0, this.#count),
      slots: this.#slots,
      blob: this.#blob.subarray(0, this.#blobEnd),
    };
  }

  /** How many distinct strings there are; ids run from 0 to one less. */
  get count(): number {
    return this.#count;
  }

  /** Bytes held, for accounting. */
  get byteLength(): number {
    return this.#blob.length + this.#starts.byteLength + this.#hashes.byteLength + this.#slots.byteLength;
  }

  /** The id of `bytes[start..end)`, which is added if it is new. Throws `apkindex-malformed` for hash flooding. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const hash = hashOf(bytes, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    let probes = 0;
    for (let taken = this.#slots[slot] as number; taken !== 0; taken = this.#slots[slot] as number) {
      if (this.#hashes[taken - 1] === hash && this.#equals(taken - 1, bytes, start, end)) return taken - 1;
      slot = (slot + 1) & mask;
      probes += 1;
    }
    if (probes > MAX_PROBES) throw new IndexError('apkindex-malformed', 'its strings are made to collide');
    return this.#add(bytes, start, end, hash, slot);
  }

  /** The id of `text`, or `undefined` where it is not in the table. */
  find(text: string): number | undefined {
    const bytes = Buffer.from(text, 'utf8');
    const hash = hashOf(bytes, 0, bytes.length);
    const mask = this.#slots.length - 1;
    // Bounded, because the table may be one that was kept on disk.
    for (let slot = hash & mask, probes = 0; probes <= mask; slot = (slot + 1) & mask, probes += 1) {
      if (!this.#slots[slot]) return undefined;
      const id = (this.#slots[slot] as number) - 1;
      if (this.#hashes[id] === hash && this.#equals(id, bytes, 0, bytes.length)) return id;
    }
    return undefined;
  }

  text(id: number): string {
    return this.#blob.toString('utf8', this.#starts[id], this.#starts[id + 1]);
  }

  /** The bytes of `id`, as a view that must not be changed or kept. */
  bytes(id: number): Uint8Array {
    return this.#blob.subarray(this.#starts[id], this.#starts[id + 1]);
  }

  /**
   * Gives back what was reserved for strings that did not come, where that is most of it: memory that was never
   * written to is none yet, and copying what is used would need both at once.
   */
  trim(): void {
    if (this.#blobEnd < this.#blob.length / 2) this.#blob = copyOf(this.#blob, this.#blobEnd);
    if (this.#count > this.#hashes.length / 2) return;
    this.#starts = this.#starts.slice(0, this.#count + 1);
    this.#hashes = this.#hashes.slice(0, this.#count);
  }

  #add(bytes: Uint8Array, start: number, end: number, hash: number, slot: number): number {
    const id = this.#count;
    if (id === this.#hashes.length) this.#growIds();
    const length = end - start;
    if (this.#blobEnd + length > this.#blob.length) {
      this.#blob = copyOf(this.#blob, Math.max(this.#blob.length * 2, this.#blobEnd + length));
    }
    for (let i = 0; i < length; i += 1) this.#blob[this.#blobEnd + i] = bytes[start + i] as number;
    this.#blobEnd += length;
    this.#starts[id + 1] = this.#blobEnd;
    this.#hashes[id] = hash;
    this.#count = id + 1;
    this.#slots[slot] = id + 1;
    if (this.#count * 4 > this.#slots.length * 3) this.#growSlots();
    return id;
  }

  #equals(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const own = this.#starts[id] as number;
    if ((this.#starts[id + 1] as number) - own !== end - start) return false;
    for (let i = end - start - 1; i >= 0; i -= 1) if (this.#blob[own + i] !== bytes[start + i]) return false;
    return true;
  }

  #growIds(): void {
    const capacity = this.#hashes.length * 2;
    const starts = new Uint32Array(capacity + 1);
    starts.set(this.#starts);
    const hashes = new Uint32Array(capacity);
    hashes.set(this.#hashes);
    this.#starts = starts;
    this.#hashes = hashes;
  }

  #growSlots(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#count; id += 1) {
      let slot = (this.#hashes[id] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id + 1;
    }
    this.#slots = slots;
  }
}

/** A power of two that keeps a table of `count` strings under three quarters full. */
function slotsFor(count: number): number {
  return 2 ** Math.ceil(Math.log2((count * 4) / 3 + 1));
}

function copyOf(blob: Buffer, capacity: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(capacity);
  blob.copy(copy, 0, 0, Math.min(capacity, blob.length));
  return copy;
}

/** FNV-1a, finished so that the low bits, which choose the slot, depend on all of it. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash ^= hash >>> 15;
  return hash >>> 0;
}
