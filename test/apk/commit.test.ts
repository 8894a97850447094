import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commitText, packCommit } from '../../src/apk/commit.ts';

const roundTrip = (text: string): string => {
  const bytes = Buffer.from(`c:${text}\n`);
  return commitText(Buffer.from(packCommit(bytes, 2, bytes.length - 1)));
};

test('a commit takes 21 bytes', () => {
  const text = 'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2c2';
  expect(packCommit(Buffer.from(text), 0, 40)).toHaveLength(21);
  expect(roundTrip(text)).toBe(text);
});

test.each([
  '',
  'main',
  'D9F1D3F4717B447C985FAAA0E67B8C1BA87FE2C2',
  'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2c2-dirty',
  // As long as a packed one, once it is kept.
  'c'.repeat(19),
  'c'.repeat(20),
  '\u0001'.repeat(20),
])('%j comes back as it was', (text) => {
  expect(roundTrip(text)).toBe(text);
});

test('and so does any other text', () => {
  const hex = fc.stringMatching(/^[0-9a-f]{17,42}$/);
  fc.assert(
    fc.property(fc.oneof(hex, fc.string({ unit: 'binary' })), (text) => {
      expect(roundTrip(text.toWellFormed())).toBe(text.toWellFormed());
    }),
  );
});
