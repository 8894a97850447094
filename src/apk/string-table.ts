/**
 * Byte strings, each named by a small number. An index repeats its names, versions and commits many times over: each is
 * kept once, its bytes in one buffer (docs/decisions/003), and becomes a string only when someone asks.
 */
import { IndexError } from '../errors.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { grown, release, type Arena } from './memory.ts';

/**
 * The longest way from the slot a hash leads to. By chance it is some hundreds in a table of millions; an attacker
 * could craft strings that collide; this bounds the time to read them.
 */
export const MAX_PROBES = 2000;

/** The number of the empty string everywhere. */
export const EMPTY = 0;

/** How much room to reserve; more is found when it is needed. */
export interface StringCapacity {
  readonly strings: number;
  readonly bytes: number;
}

/** Strings in the order they were added. */
export class StringList {
  /** Where the bytes of each id start; they end where those of the next id start. */
  #starts: Uint32Array;
  readonly #blob: ByteBuffer;
  #count = 1;

  /** Holds the empty string. */
  constructor(arena: Arena, { strings, bytes }: StringCapacity) {
    this.#starts = arena.numbers(Math.max(16, strings + 2));
    this.#blob = new ByteBuffer(arena.bytes(Math.max(64, bytes)));
  }

  /** How many strings there are; ids run from 0 to one less. */
  get count(): number {
    return this.#count;
  }

  text(id: number): string {
    return this.#blob.bytes.toString('utf8', this.#starts[id], this.#starts[id + 1]);
  }

  /** The bytes of `id`, as a view that must not be changed or kept. */
  bytes(id: number): Uint8Array {
    return this.#blob.bytes.subarray(this.#starts[id], this.#starts[id + 1]);
  }

  /** Is the byte among those of `id`? */
  includes(id: number, byte: number): boolean {
    const { bytes } = this.#blob;
    const end = this.#starts[id + 1] as number;
    for (let at = this.#starts[id] as number; at < end; at += 1) if (bytes[at] === byte) return true;
    return false;
  }

  /** The id of a new string, `source[start..end)`. */
  add(source: ByteBuffer, start: number, end: number): number {
    const id = this.#count;
    if (id + 1 === this.#starts.length) this.#starts = grown(this.#starts);
    this.#blob.add(source, start, end);
    this.#starts[id + 1] = this.#blob.length;
    this.#count = id + 1;
    return id;
  }

  equals(id: number, source: ByteBuffer, start: number, end: number): boolean {
    const own = this.#starts[id] as number;
    if ((this.#starts[id + 1] as number) - own !== end - start) return false;
    return this.#blob.equals(own, source, start, end);
  }
}

/** The string that `find` looks for. */
const sought = new ByteBuffer();

/** A list that holds each string once and knows its number. */
export class StringTable {
  readonly list: StringList;
  /** Open addressing, in pairs: a hash that leads here and the id of its string, 0 where the slot is free. */
  #slots: Uint32Array;

  static reserve(arena: Arena, capacity: StringCapacity): StringTable {
    return new StringTable(arena, capacity);
  }

  private constructor(arena: Arena, capacity: StringCapacity) {
    this.list = new StringList(arena, capacity);
    this.#slots = new Uint32Array(2 * slotsFor(capacity.strings));
  }

  /** The id of `source[start..end)`, which is added if it is new. Throws `apkindex-malformed` for hash flooding. */
  intern(source: ByteBuffer, start: number, end: number): number {
    if (start === end) return EMPTY;
    const hash = source.hash(start, end);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    let probes = 0;
    for (let id = slots[slot + 1] as number; id !== 0; id = slots[slot + 1] as number) {
      if (slots[slot] === hash && this.list.equals(id, source, start, end)) return id;
      slot = (slot + 2) & mask;
      probes += 1;
    }
    if (probes > MAX_PROBES) throw new IndexError('apkindex-malformed', 'its strings are made to collide');
    const id = this.list.add(source, start, end);
    slots[slot] = hash;
    slots[slot + 1] = id;
    if (id * 8 > slots.length * 3) this.#grow();
    return id;
  }

  /** The list alone, which nothing is added to any more. The table is of no use afterwards. */
  close(): StringList {
    release(this.#slots);
    return this.list;
  }

  /** The id of `text`, or `undefined` where it is not in the table. */
  find(text: string): number | undefined {
    if (text === '') return EMPTY;
    sought.setText(text);
    const hash = sought.hash(0, sought.length);
    const slots = this.#slots;
    const mask = slots.length - 1;
    // Bounded, because the table may be one that was kept on disk.
    for (let slot = (hash << 1) & mask, probes = 0; probes <= mask; slot = (slot + 2) & mask, probes += 1) {
      const id = slots[slot + 1];
      if (!id) return undefined;
      if (slots[slot] === hash && this.list.equals(id, sought, 0, sought.length)) return id;
    }
    return undefined;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let from = 0; from < this.#slots.length; from += 2) {
      const id = this.#slots[from + 1] as number;
      if (id === 0) continue;
      const hash = this.#slots[from] as number;
      let slot = (hash << 1) & mask;
      while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
      slots[slot] = hash;
      slots[slot + 1] = id;
    }
    this.#slots = slots;
  }
}

/** A power of two that keeps a table of `count` strings under three quarters full. */
function slotsFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(16, count) * (4 / 3) + 1));
}
