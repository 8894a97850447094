/**
 * Growing columns, pairs and sets for a table of packages whose size is not known yet, and the final sort of rows by
 * key.
 */
import { IndexError } from '../errors.ts';
import type { ByteBuffer } from './byte-buffer.ts';
import { grown, release, type Arena } from './memory.ts';
import { IDENTITY_BYTES, type Columns, type Postings } from './package-table.ts';
import { MAX_PROBES } from './string-table.ts';

/** Columns whose length is not known yet. */
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

  /** Adds a row and returns its number. */
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
 * Identities seen so far, as two 32-bit hashes. Open addressing, because a `Set` takes many times the memory.
 */
export class IdentitySet {
  /** Pairs; the second is 0 in a free slot. */
  #slots: Uint32Array;
  #count = 0;
  // The identity of the package being read; the second number is 0 if it has none.
  #low = 0;
  #high = 0;

  constructor(expected: number) {
    this.#slots = new Uint32Array(2 * Math.max(2048, 2 ** Math.ceil(Math.log2(expected * 2))));
  }

  /**
   * Reads the identity `source[start..end)`. The halves use different factors and shifts, so that no difference between
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

  /** Adds the identity that was read; `false` if it is known. A package without an identity is always new. */
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

/** Adds a pair whose second number is not 0; `false` if it is already there. */
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

/** Pairs or keys handled in one step: less than a millisecond of work. */
const PAIRS_A_STEP = 2 ** 14;

/** A stable sort of rows by key; each row appears once per key. `rows` defaults to 0, 1, 2 … */
export function* postings(
  arena: Arena,
  keyCount: number,
  keys: Uint32Array,
  rows?: Uint32Array,
): Generator<undefined, Postings> {
  const starts = arena.numbers(keyCount + 1);
  // For each key, the last row counted plus one; later the position of its next row.
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
