/**
 * Growing columns, pairs and sets for a table of packages whose size is not known yet, and the final sort of rows by
 * key.
 */
import { IndexError } from '../errors.ts';
import { COMMIT_BYTES } from './commit.ts';
import { hashOfRow, IDENTITY_WORDS, isSameIdentity, wordsOf } from './identity.ts';
import { grown, type Arena } from './memory.ts';
import type { Columns, Postings } from './package-table.ts';
import { MAX_PROBES, rehashed } from './string-table.ts';

/** The memory of a table, and the memory that only building it takes. */
export interface Arenas {
  readonly kept: Arena;
  readonly scratch: Arena;
}

/** Columns whose length is not known yet. */
export class GrowingColumns {
  columns: Columns;
  count = 0;
  /** The column of identities, as words. */
  identityWords: Uint32Array;

  constructor(arena: Arena, capacity: number) {
    const rows = Math.max(16, capacity);
    this.columns = {
      name: arena.numbers(rows),
      version: arena.numbers(rows),
      origin: arena.numbers(rows),
      url: arena.numbers(rows),
      provides: arena.numbers(rows),
      dependencies: arena.numbers(rows),
      builtAt: arena.numbers(rows),
      priority: arena.numbers(rows),
      identity: asBytes(arena.numbers(rows * IDENTITY_WORDS)),
      commit: arena.bytes(rows * COMMIT_BYTES),
      flags: arena.bytes(rows),
    };
    this.identityWords = wordsOf(this.columns.identity);
  }

  /** Room for one more row, which is row `count`. */
  reserve(): Columns {
    if (this.count === this.columns.name.length) {
      this.columns = mapColumns(this.columns, grown);
      this.identityWords = wordsOf(this.columns.identity);
    }
    return this.columns;
  }

  finished(): Columns {
    const { count } = this;
    const rows = this.columns.name.length;
    return mapColumns(
      this.columns,
      (column) => column.subarray(0, (column.length / rows) * count) as typeof column,
    );
  }
}

/** Numbers in the order they were added. */
export class GrowingNumbers {
  #numbers: Uint32Array;
  #count = 0;

  constructor(arena: Arena, capacity: number) {
    this.#numbers = arena.numbers(Math.max(16, capacity));
  }

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
}

/** The rows with different identities. Open addressing, because a `Set` takes many times the memory. */
export class IdentitySet {
  /** In pairs: the hash of an identity and its row plus one; 0 in a free slot. */
  #slots: Uint32Array;
  #count = 0;

  constructor(arena: Arena, expected: number) {
    this.#slots = arena.numbers(identitySlots(expected));
  }

  /**
   * Adds `row`; `false` if another row has its identity. `words` are the identities of all rows. Throws
   * `apkindex-malformed` for hash flooding.
   */
  add(words: Uint32Array, row: number): boolean {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const hash = hashOfRow(words, row, 0);
    let slot = (hash << 1) & mask;
    let probes = 0;
    for (let taken = slots[slot + 1] as number; taken !== 0; taken = slots[slot + 1] as number) {
      if (slots[slot] === hash && isSameIdentity(words, row, words, taken - 1)) return false;
      slot = (slot + 2) & mask;
      probes += 1;
    }
    if (probes > MAX_PROBES)
      throw new IndexError('apkindex-malformed', 'its identities are crafted to collide');
    slots[slot] = hash;
    slots[slot + 1] = row + 1;
    this.#count += 1;
    if (this.#count * 8 > slots.length * 3) this.#slots = rehashed(slots);
    return true;
  }
}

/** The length of the hash table: a power of two, of which half is used if as many are added as expected. */
export function identitySlots(expected: number): number {
  return 2 * 2 ** Math.ceil(Math.log2(Math.max(1024, expected) * 2));
}

function asBytes({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function mapColumns(columns: Columns, change: <T extends Uint32Array | Uint8Array>(column: T) => T): Columns {
  return {
    name: change(columns.name),
    version: change(columns.version),
    origin: change(columns.origin),
    url: change(columns.url),
    provides: change(columns.provides),
    dependencies: change(columns.dependencies),
    builtAt: change(columns.builtAt),
    priority: change(columns.priority),
    identity: change(columns.identity),
    commit: change(columns.commit),
    flags: change(columns.flags),
  };
}

/** Pairs or keys handled in one step: some tens of microseconds, and less than a millisecond before V8 optimises it. */
const PAIRS_A_STEP = 2 ** 10;

/** A stable sort of rows by the key beside them; each row appears once per key. `rows` is in order. */
export function* postings(
  { kept, scratch }: Arenas,
  keyCount: number,
  keys: Uint32Array,
  rows: Uint32Array,
): Generator<undefined, Postings> {
  const sort = new RowSort(keys, rows, kept.numbers(keyCount + 1), scratch.numbers(keyCount));
  yield* inRanges(keys.length, (from, to) => sort.count(from, to));
  yield* inRanges(keyCount, (from, to) => sort.addUp(from, to));
  const sorted = kept.numbers(sort.starts[keyCount] as number);
  yield* inRanges(keys.length, (from, to) => sort.place(sorted, from, to));
  return { starts: sort.starts, rows: sorted, usedKeys: sort.usedKeys };
}

/** Calls `work` for ranges of `count` items. V8 optimises a function that is called often sooner than one long loop. */
function* inRanges(count: number, work: (from: number, to: number) => void): Generator<undefined, void> {
  for (let from = 0; from < count; from += PAIRS_A_STEP) {
    work(from, Math.min(count, from + PAIRS_A_STEP));
    yield;
  }
}

/** The passes of `postings`. */
class RowSort {
  usedKeys = 0;
  /** Where the rows of each key start; while they are counted, their number, one key further. */
  readonly starts: Uint32Array;
  /** The last row counted for each key, plus one; later the position of its next row. */
  readonly #next: Uint32Array;
  readonly #keys: Uint32Array;
  readonly #rows: Uint32Array;

  constructor(keys: Uint32Array, rows: Uint32Array, starts: Uint32Array, next: Uint32Array) {
    this.starts = starts;
    this.#next = next;
    this.#keys = keys;
    this.#rows = rows;
  }

  count(from: number, to: number): void {
    const [keys, rows, starts, last] = [this.#keys, this.#rows, this.starts, this.#next];
    for (let i = from; i < to; i += 1) {
      const key = keys[i] as number;
      const row = rows[i] as number;
      if (last[key] === row + 1) continue;
      last[key] = row + 1;
      starts[key + 1] = (starts[key + 1] as number) + 1;
    }
  }

  addUp(from: number, to: number): void {
    const [starts, next] = [this.starts, this.#next];
    for (let key = from; key < to; key += 1) {
      if (starts[key + 1] !== 0) this.usedKeys += 1;
      next[key] = starts[key] as number;
      starts[key + 1] = (starts[key + 1] as number) + (starts[key] as number);
    }
  }

  place(sorted: Uint32Array, from: number, to: number): void {
    const [keys, rows, starts, next] = [this.#keys, this.#rows, this.starts, this.#next];
    for (let i = from; i < to; i += 1) {
      const key = keys[i] as number;
      const row = rows[i] as number;
      const at = next[key] as number;
      if (at > (starts[key] as number) && sorted[at - 1] === row) continue;
      sorted[at] = row;
      next[key] = at + 1;
    }
  }
}
