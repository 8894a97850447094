import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteBuffer } from '../../src/apk/byte-buffer.ts';
import { commitText, packCommit } from '../../src/apk/commit.ts';

const packed = new ByteBuffer();
const source = new ByteBuffer();

const kept = (text: string): Uint8Array => {
  source.setText(`c:${text}\n`);
  packCommit(packed, source, 2, source.length - 1);
  return packed.bytes.subarray(0, packed.length);
};
const roundTrip = (text: string): string => commitText(kept(text));

test('a commit takes 21 bytes', () => {
  const text = 'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2c2';
  expect(kept(text)).toHaveLength(21);
  expect(roundTrip(text)).toBe(text);
});

test.each([
  '',
  'main',
  'D9F1D3F4717B447C985FAAA0E67B8C1BA87FE2C2',
  'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2c2-dirty',
  // As long in its stored form as a packed commit.
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
