import { expect, test } from 'vitest';
import { compare } from '../../src/ledger/dates.ts';
import { finish } from '../../src/catalog/steps.ts';

const identities = (...bytes: number[]): Uint8Array =>
  Buffer.concat(bytes.map((byte) => Buffer.alloc(20, byte)));

test('an identity that an index has twice appears once', () => {
  const before = { identities: identities(1, 2), releasedAt: Uint32Array.of(10, 20) };
  expect(finish(compare(before, { identities: identities(3, 2, 4, 3, 2, 4, 4) }, 7))).toEqual({
    releasedAt: Uint32Array.of(0, 20, 0, 0, 20, 0, 0),
    appeared: [0, 2],
    vanished: [0],
  });
});

test('an identity that the old index had twice vanishes once, or stays', () => {
  const before = { identities: identities(1, 1, 2, 2), releasedAt: Uint32Array.of(10, 0, 20, 20) };
  expect(finish(compare(before, { identities: identities(1, 1, 3) }, 7))).toEqual({
    releasedAt: Uint32Array.of(10, 10, 0),
    appeared: [2],
    vanished: [2],
  });
});

test('distinct identities are compared with the same result', () => {
  const before = { identities: identities(1, 2, 6), releasedAt: Uint32Array.of(10, 20, 60) };
  const after = identities(3, 2, 4, 6);
  const expected = { releasedAt: Uint32Array.of(0, 20, 0, 60), appeared: [0, 2], vanished: [0] };
  for (const areDistinct of [true, false])
    expect(finish(compare(before, { identities: after, areDistinct }, 7))).toEqual(expected);
});

test('the first index of all appears as a whole', () => {
  const nothing = { identities: identities(), releasedAt: Uint32Array.of() };
  expect(finish(compare(nothing, { identities: identities(5, 6) }, 7))).toMatchObject({
    appeared: [0, 1],
    vanished: [],
  });
  expect(finish(compare(nothing, { identities: identities() }, 7))).toMatchObject({
    appeared: [],
    vanished: [],
  });
});
