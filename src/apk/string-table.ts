/**
 * Byte strings with small numeric ids. An index repeats its names, versions and commits many times. Each is stored
 * once, as bytes in one buffer (docs/decisions/003), and becomes a string only when it is read.
 */
import { IndexError } from '../errors.ts';
import { ByteBuffer } from './byte-buffer.ts';
import { grown, type Arena } from './memory.ts';

/**
 * The most slots to probe for a hash. Random strings need some hundreds in a table of millions. An attacker could craft
 * collisions; this bounds the time to read them.
 */
export const MAX_PROBES = 2000;

/** The id of the empty string in every table. */
export const EMPTY = 0;

/** A hint for preallocation; tables grow as needed. */
export interface StringCapacity {
  readonly strings: number;
  readonly bytes: number;
  /** How many of them are interned; by default all. */
  readonly interned?: number;
}

/** Strings in the order of addition. */
export class StringList {
  /** Start of the bytes of each id; they end at the start of the next id. */
  #starts: Uint32Array;
  readonly #blob: ByteBuffer;
  #count = 1;

  /** Starts with the empty string. */
  constructor(arena: Arena, { strings, bytes }: StringCapacity) {
    this.#starts = arena.numbers(Math.max(16, strings + 2));
    this.#blob = new ByteBuffer(arena.bytes(Math.max(64, bytes)));
  }

  /** The number of strings; ids are 0 to `count - 1`. */
  get count(): number {
    return this.#count;
  }

  text(id: number): string {
    return this.#blob.bytes.toString('utf8', this.#starts[id], this.#starts[id + 1]);
  }

  /** A view of the bytes of `id`; do not change or keep it. */
  bytes(id: number): Uint8Array {
    return this.#blob.bytes.subarray(this.#starts[id], this.#starts[id + 1]);
  }

  /** Whether `byte` occurs in the string `id`. */
  includes(id: number, byte: number): boolean {
    const { bytes } = this.#blob;
    const end = this.#starts[id + 1] as number;
    for (let at = this.#starts[id] as number; at < end; at += 1) if (bytes[at] === byte) return true;
    return false;
  }

  /** Adds the string `source[start..end)` and returns its id. */
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

/** The argument of `find`, in bytes. */
const searchKey = new ByteBuffer();

/** A list with each string once, and a hash table of ids. */
export class StringTable {
  readonly list: StringList;
  /** Open addressing, in pairs: the hash and the id of its string, 0 for a free slot. */
  #slots: Uint32Array;
  #used = 0;

  /** The hash table is in `slotArena`. */
  constructor(arena: Arena, capacity: StringCapacity, slotArena = arena) {
    this.list = new StringList(arena, capacity);
    this.#slots = slotArena.numbers(slotNumbers(capacity));
  }

  /** The id of `source[start..end)`; adds it if it is new. Throws `apkindex-malformed` for hash flooding. */
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
    if (probes > MAX_PROBES) throw new IndexError('apkindex-malformed', 'its strings are crafted to collide');
    const id = this.list.add(source, start, end);
    slots[slot] = hash;
    slots[slot + 1] = id;
    this.#used += 1;
    if (this.#used * 8 > slots.length * 3) this.#slots = rehashed(slots);
    return id;
  }

  /** The id of `text`; `undefined` if it is not in the table. */
  find(text: string): number | undefined {
    if (text === '') return EMPTY;
    searchKey.setText(text);
    const hash = searchKey.hash(0, searchKey.length);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    for (let id = slots[slot + 1] as number; id !== 0; id = slots[slot + 1] as number) {
      if (slots[slot] === hash && this.list.equals(id, searchKey, 0, searchKey.length)) return id;
      slot = (slot + 2) & mask;
    }
    return undefined;
  }
}

/** A hash table of pairs with twice the slots. */
export function rehashed(old: Uint32Array): Uint32Array<ArrayBuffer> {
  const slots = new Uint32Array(old.length * 2);
  const mask = slots.length - 1;
  for (let from = 0; from < old.length; from += 2) {
    const id = old[from + 1] as number;
    if (id === 0) continue;
    const hash = old[from] as number;
    let slot = (hash << 1) & mask;
    while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
    slots[slot] = hash;
    slots[slot + 1] = id;
  }
  return slots;
}

/** The length of the hash table: a power of two, of which less than three quarters are used. */
export function slotNumbers({ strings, interned = strings }: StringCapacity): number {
  return 2 * 2 ** Math.ceil(Math.log2(Math.max(16, interned) * (4 / 3) + 1));
}
