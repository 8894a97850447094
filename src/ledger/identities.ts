/** Finds the packages of one index in another by their identities, without creating strings. */
import { hashOfRow, IDENTITY_BYTES, isSameIdentity, wordsOf } from '../apk/identity.ts';
import { release } from '../apk/memory.ts';

/** Less than half a millisecond, even if every row waits for memory and V8 has optimised nothing. */
export const ROWS_A_STEP = 2 ** 9;

/** Open addressing over identities. The random `seed` prevents crafted collisions. */
export class IdentityTable {
  readonly #words: Uint32Array;
  readonly #slots: Uint32Array;
  readonly #seed: number;

  private constructor(identities: Uint8Array, seed: number) {
    const count = identities.length / IDENTITY_BYTES;
    this.#words = wordsOf(identities);
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(16, count * 2))));
    this.#seed = seed;
  }

  static *make(identities: Uint8Array, seed: number): Generator<undefined, IdentityTable> {
    const table = new IdentityTable(identities, seed);
    const count = identities.length / IDENTITY_BYTES;
    for (let row = 0; row < count; row += 1) {
      if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
      table.#add(row);
    }
    return table;
  }

  /** The first row with the identity of row `row` in `others`; -1 if there is none. */
  find(others: Uint32Array, row: number): number {
    const slot = this.#slots[this.#place(others, row)] as number;
    return slot - 1;
  }

  release(): void {
    release(this.#slots);
  }

  /** Adds a row, unless one with its identity is there. */
  #add(row: number): void {
    const place = this.#place(this.#words, row);
    if (this.#slots[place] === 0) this.#slots[place] = row + 1;
  }

  /** The slot of the identity, or the free slot for it. */
  #place(words: Uint32Array, row: number): number {
    const mask = this.#slots.length - 1;
    let place = hashOfRow(words, row, this.#seed) & mask;
    for (;;) {
      const slot = this.#slots[place] as number;
      if (slot === 0 || isSameIdentity(this.#words, slot - 1, words, row)) return place;
      place = (place + 1) & mask;
    }
  }
}

/** The identity of a row. */
export function identityAt(identities: Uint8Array, row: number): Uint8Array {
  return identities.subarray(row * IDENTITY_BYTES, (row + 1) * IDENTITY_BYTES);
}
