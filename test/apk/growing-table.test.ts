import { expect, test } from 'vitest';
import { IndexError } from '../../src/errors.ts';
import { IdentitySet } from '../../src/apk/growing-table.ts';
import { Arena } from '../../src/apk/memory.ts';

const WORDS = 5;

/** A false duplicate would drop a package. */
test.each([0, 1, 2, 3, 4])(
  'identities that differ in word %d alone are not taken for one another',
  (word) => {
    const rows = 100_000;
    const words = new Uint32Array((rows + 1) * WORDS);
    for (let row = 0; row < rows; row += 1) words[row * WORDS + word] = row;
    words.copyWithin(rows * WORDS, 777 * WORDS, 778 * WORDS);
    const identities = new IdentitySet(new Arena(0), 1000);
    for (let row = 0; row < rows; row += 1) expect(identities.add(words, row)).toBe(true);
    expect(identities.add(words, rows)).toBe(false);
  },
);

/** What a word does to the hash. */
function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x5bd1e995);
  return product ^ (product >>> 15);
}

test('identities crafted to collide are refused before they cost time', () => {
  const rows = 5000;
  const words = new Uint32Array(rows * WORDS);
  // The last word undoes what the others do.
  for (let row = 0; row < rows; row += 1)
    words.set([row, 0, 0, 0, [row, 0, 0, 0].reduce(mixed, 0)], row * WORDS);
  const identities = new IdentitySet(new Arena(0), 1000);
  const addAll = (): void => {
    for (let row = 0; row < rows; row += 1) identities.add(words, row);
  };
  expect(addAll).toThrow(IndexError);
});
