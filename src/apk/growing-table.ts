/**
 * What a table of packages is made in while its size is not known: columns, pairs and a set that grow, and the sorting
 * of rows by key at the end.
 */
import { IndexError } from '../errors.ts';
import type { Columns, Postings } from './package-table.ts';
import { MAX_PROBES } from './string-table.ts';

/** The columns while their length is not known. */
export class GrowingColumns {
  columns: Columns;
  arch: Uint32Array;
  count = 0;

  constructor(capacity: number) {
    const ids = (): Uint32Array => new Uint32Array(Math.max(16, capacity));
    this.columns = {
      name: ids(),
      version: ids(),
      origin: ids(),
      commit: ids(),
      url: ids(),
      provides: ids(),
      exactDependencies: ids(),
      builtAt: ids(),
      unusable: new Uint8Array(Math.max(16, capacity)),
    };
    this.arch = ids();
  }

  /** The number of a new row. */
  add(): number {
    if (this.count === this.arch.length) {
      this.columns = mapColumns(this.columns, grown);
      this.arch = grown(this.arch);
    }
    this.count += 1;
    return this.count - 1;
  }

  /** Memory that was reserved and never written to is none yet; only where most is, copying pays. */
  trimmed(): Columns {
    const isLoose = this.count < this.arch.length / 2;
    return mapColumns(this.columns, (column) =>
      isLoose
        ? (column.slice(0, this.count) as typeof column)
        : (column.subarray(0, this.count) as typeof column),
    );
  }
}

/** Pairs of a key and a row, in the order they were added. */
export class GrowingPairs {
  #keys: Uint32Array;
  #rows: Uint32Array;
  #count = 0;

  constructor(capacity: number) {
    this.#keys = new Uint32Array(Math.max(16, capacity));
    this.#rows = new Uint32Array(Math.max(16, capacity));
  }

  add(key: number, row: number): void {
    if (this.#count === this.#keys.length) {
      this.#keys = grown(this.#keys);
      this.#rows = grown(this.#rows);
    }
    this.#keys[this.#count] = key;
    this.#rows[this.#count] = row;
    this.#count += 1;
  }

  keys(): Uint32Array {
    return this.#keys.subarray(0, this.#count);
  }

  rows(): Uint32Array {
    return this.#rows.subarray(0, this.#count);
  }
}

/** Identities seen so far, as 52-bit hashes: open addressing, because a `Set` of numbers takes four times the room. */
export class IdentitySet {
  #slots: Float64Array;
  #count = 0;

  constructor(expected: number) {
    this.#slots = new Float64Array(Math.max(2048, 2 ** Math.ceil(Math.log2(expected * 2))));
  }

  /** Whether `identity` (not 0) is new. */
  add(identity: number): boolean {
    if (!insert(this.#slots, identity)) return false;
    this.#count += 1;
    if (this.#count * 2 > this.#slots.length) {
      const slots = new Float64Array(this.#slots.length * 4);
      for (const value of this.#slots) if (value !== 0) insert(slots, value);
      this.#slots = slots;
    }
    return true;
  }
}

function insert(slots: Float64Array, value: number): boolean {
  const mask = slots.length - 1;
  let slot = value % slots.length;
  for (let probes = 0; slots[slot] !== 0; slot = (slot + 1) & mask, probes += 1) {
    if (slots[slot] === value) return false;
    if (probes > MAX_PROBES) throw new IndexError('apkindex-malformed', 'its identities are made to collide');
  }
  slots[slot] = value;
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
    exactDependencies: change(columns.exactDependencies),
    builtAt: change(columns.builtAt),
    unusable: change(columns.unusable),
  };
}

function grown<T extends Uint32Array | Uint8Array>(column: T): T {
  const copy = new (column.constructor as new (length: number) => T)(column.length * 2);
  copy.set(column);
  return copy;
}

/** How many pairs or keys are handled between two steps; some milliseconds. */
const PAIRS_A_STEP = 2 ** 17;

/** Sorts rows by key, keeping their order and listing each row once a key. */
export function* postings(
  keyCount: number,
  keys: Uint32Array,
  rows: Uint32Array,
): Generator<undefined, Postings> {
  const starts = new Uint32Array(keyCount + 1);
  // Of each key, the last row counted plus one; then where its next row goes.
  const next = new Uint32Array(keyCount);
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as number;
    const row = rows[i] as number;
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
  const sorted = new Uint32Array(starts[keyCount] as number);
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as number;
    const row = rows[i] as number;
    const place = next[key] as number;
    if (i % PAIRS_A_STEP === 0) yield;
    if (place > (starts[key] as number) && sorted[place - 1] === row) continue;
    sorted[place] = row;
    next[key] = place + 1;
  }
  return { starts, rows: sorted };
}

/** Two 26-bit FNV-1a hashes side by side; never 0 for a value that is there. */
export function identityHash(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return 0;
  let low = 0x811c9dc5;
  let high = 0x01234567;
  for (let i = start; i < end; i += 1) {
    low = Math.imul(low ^ (bytes[i] as number), 0x01000193);
    high = Math.imul(high ^ (bytes[i] as number), 0x5bd1e995) ^ (high >>> 13);
  }
  return (high >>> 6) * 0x4000000 + (low >>> 6) || 1;
}
