import { expect, test } from 'vitest';
import { compare } from '../../src/ledger/dates.ts';
import { finish } from '../../src/catalog/steps.ts';

const identities = (...bytes: number[]): Uint8Array =>
  Buffer.concat(bytes.map((byte) => Buffer.alloc(20, byte)));

test('a comparison has the rows that appeared and vanished, and the dates of the others', () => {
  const before = { identities: identities(1, 2, 6), releasedAt: Uint32Array.of(10, 20, 60) };
  expect(finish(compare(before, identities(3, 2, 4, 6), 7))).toEqual({
    releasedAt: Uint32Array.of(0, 20, 0, 60),
    appeared: [0, 2],
    vanished: [0],
  });
});

test('the first index of all appears as a whole', () => {
  const nothing = { identities: identities(), releasedAt: Uint32Array.of() };
  expect(finish(compare(nothing, identities(5, 6), 7))).toMatchObject({
    appeared: [0, 1],
    vanished: [],
  });
  expect(finish(compare(nothing, identities(), 7))).toMatchObject({
    appeared: [],
    vanished: [],
  });
});
