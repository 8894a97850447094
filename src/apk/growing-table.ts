/**
 * What a table of packages is made in while its size is not known: columns, pairs and a set that grow, and the sorting
 * of rows by key at the end.
 */
import { IndexError } from '../errors.ts';
import type { ByteBuffer } from './byte-buffer.ts';
import { grown, release, type Arena } from './memory.ts';
import { IDENTITY_BYTES, type Columns, type Postings } from './package-table.ts';
import { MAX_PROBES } from './string-table.ts';

/** The columns while their length is not known. */
export class GrowingColumns {
  columns: Columns;
  count = 0;

  constructor(arena: Arena, capacity: number) {
    const rows = Math.max(16, capacity);
    this.columns = {
      name: arena.numbers(rows),
      version: arena.numbers(rows),
      origin: arena.numbers(rows),
      commit: arena.numbers(rows),
      url: arena.numbers(rows),
      provides: arena.numbers(rows),
      dependencies: arena.numbers(rows),
      builtAt: arena.numbers(rows),
      priority: arena.numbers(rows),
      flags: arena.bytes(rows),
      identity: arena.bytes(rows * IDENTITY_BYTES),
    };
  }

  /** The number of a new row. */
  add(): number {
    if (this.count === this.columns.name.length) this.columns = mapColumns(this.columns, grown);
    this.count += 1;
    return this.count - 1;
  }

  finished(): Columns {
    const finished = mapColumns(this.columns, (column) => column.subarray(0, this.count) as typeof column);
    return { ...finished, identity: this.columns.identity.subarray(0, this.count * IDENTITY_BYTES) };
  }
}

/** Numbers in the order they were added. */
export class GrowingNumbers {
  #numbers = new Uint32Array(1024);
  #count = 0;

  add(number: number): void {
    if (this.#count === this.#numbers.length) this.#numbers = grown(this.#numbers);
    this.#numbers[this.#count] = number;
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  all(): Uint32Array {
    return this.#numbers.subarray(0, this.#count);
  }

  /** 0 where nothing was set. */
  at(index: number): number {
    return this.#numbers[index] ?? 0;
  }

  set(index: number, number: number): void {
    if (index >= this.#numbers.length) this.#numbers = grown(this.#numbers, index + 1);
    this.#numbers[index] = number;
  }

  release(): void {
    release(this.#numbers);
  }
}

/**
 * Identities seen so far, as hashes of twice 32 bits: open addressing, because a `Set` takes many times the room.
 */
export class IdentitySet {
  /** Pairs; in a free place the second is 0. */
  #slots: Uint32Array;
  #count = 0;
  // The identity of the package being read; the second number is 0 while it has none.
  #low = 0;
  #high = 0;

  constructor(expected: number) {
    this.#slots = new Uint32Array(2 * Math.max(2048, 2 ** Math.ceil(Math.log2(expected * 2))));
  }

  /**
   * Reads the identity `source[start..end)`. The halves mix with different factors and shifts, so that no difference of
   * two identities cancels out in both.
   */
  read(source: ByteBuffer, start: number, end: number): void {
    let low = 0x811c9dc5;
    let high = 0x01234567;
    for (let i = start; i < end; i += 4) {
      const word = source.word(i, end);
      low = Math.imul(low ^ word, 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high ^ word, 0x5bd1e995);
      high ^= high >>> 13;
    }
    this.#low = low >>> 0;
    this.#high = start === end ? 0 : high >>> 0 || 1;
  }

  clear(): void {
    this.#high = 0;
  }

  /** Adds what was read. `false` if it was there before; without an identity a package is always new. */
  add(): boolean {
    if (this.#high === 0) return true;
    if (!insert(this.#slots, this.#low, this.#high)) return false;
    this.#count += 1;
    if (this.#count * 4 > this.#slots.length) this.#grow();
    return true;
  }

  release(): void {
    release(this.#slots);
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 4);
    for (let place = 0; place < this.#slots.length; place += 2) {
      const high = this.#slots[place + 1] as number;
      if (high !== 0) insert(slots, this.#slots[place] as number, high);
    }
    this.#slots = slots;
  }
}

/** Adds a pair whose second number is not 0; `false` if it is there. */
function insert(slots: Uint32Array, low: number, high: number): boolean {
  const mask = slots.length - 1;
  let place = (low << 1) & mask;
  for (let probes = 0; slots[place + 1] !== 0; place = (place + 2) & mask, probes += 1) {
    if (slots[place] === low && slots[place + 1] === high) return false;
    if (probes > MAX_PROBES) throw new IndexError('apkindex-malformed', 'its identities are made to collide');
  }
  slots[place] = low;
  slots[place + 1] = high;
  return true;
}

function mapColumns(columns: Columns, change: <T extends Uint32Array | Uint8Array>(column: T) => T): Columns {
  return {
    name: change(columns.name),
    version: change(columns.version),
    origin: change(columns.origin),
    commit: change(columns.commit),
    url: change(columns.url),
    provides: change(columns.provides),
    dependencies: change(columns.dependencies),
    builtAt: change(columns.builtAt),
    priority: change(columns.priority),
    flags: change(columns.flags),
    identity: change(columns.identity),
  };
}

/** How many pairs or keys are handled between two steps: less than a millisecond's worth. */
const PAIRS_A_STEP = 2 ** 14;

/** Sorts rows by key, keeping their order and listing each row once a key. `rows` may be left out: 0, 1, 2 … */
export function* postings(
  arena: Arena,
  keyCount: number,
  keys: Uint32Array,
  rows?: Uint32Array,
): Generator<undefined, Postings> {
  const starts = arena.numbers(keyCount + 1);
  // Of each key, the last row counted plus one; then where its next row goes.
  const next = new Uint32Array(keyCount);
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as number;
    const row = rows ? (rows[i] as number) : i;
    if (i % PAIRS_A_STEP === 0) yield;
    if (next[key] === row + 1) continue;
    next[key] = row + 1;
    starts[key + 1] = (starts[key + 1] as number) + 1;
  }
  for (let key = 0; key < keyCount; key += 1) {
    if (key % PAIRS_A_STEP === 0) yield;
    next[key] = starts[key] as number;
    starts[key + 1] = (starts[key + 1] as number) + (starts[key] as number);
  }
  const sorted = arena.numbers(starts[keyCount] as number);
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as number;
    const row = rows ? (rows[i] as number) : i;
    const place = next[key] as number;
    if (i % PAIRS_A_STEP === 0) yield;
    if (place > (starts[key] as number) && sorted[place - 1] === row) continue;
    sorted[place] = row;
    next[key] = place + 1;
  }
  return { starts, rows: sorted };
}
