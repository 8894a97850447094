import { expect, test } from 'vitest';
import { COMMIT_BYTES, commitText, decodeCommit } from '../../src/apk/commit.ts';

const decode = (text: string, into = new Uint8Array(COMMIT_BYTES + 2)): Uint8Array | undefined => {
  const bytes = Buffer.from(`c:${text}\n`);
  return decodeCommit(into, 1, bytes, 2, bytes.length - 1) ? into : undefined;
};

test('40 digits are kept as 20 bytes and nothing beside them is touched', () => {
  const text = 'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2c2';
  const kept = decode(text, new Uint8Array(COMMIT_BYTES + 2).fill(7)) as Uint8Array;
  expect(commitText(kept.subarray(1, 1 + COMMIT_BYTES))).toBe(text);
  expect([kept[0], kept.at(-1)]).toEqual([7, 7]);
});

test.each([
  '',
  'main',
  'D9F1D3F4717B447C985FAAA0E67B8C1BA87FE2C2',
  'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2c2-dirty',
  'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2c',
  'd9f1d3f4717b447c985faaa0e67b8c1ba87fe2cg',
  'ü'.repeat(20),
])('%j is not of that form', (text) => {
  expect(decode(text)).toBeUndefined();
});
