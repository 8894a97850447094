import { expect, test } from 'vitest';
import { ByteBuffer } from '../../src/apk/byte-buffer.ts';
import { IdentitySet } from '../../src/apk/growing-table.ts';

/** A false duplicate would drop a package. */
test.each([
  ['counted up', (i: number) => `Q1${String(i).padStart(26, '0')}=`],
  ['counted up in front', (i: number) => `Q1${String(i).padEnd(26, '0')}=`],
  ['a number alone', (i: number) => i.toString(36)],
])('identities that are alike are not taken for one another: %s', (_, identity) => {
  const identities = new IdentitySet(1000);
  const source = new ByteBuffer();
  const isNew = (i: number): boolean => {
    source.setText(identity(i));
    identities.read(source, 0, source.length);
    return identities.add();
  };
  let added = 0;
  // 10, padded with zeros, is 1.
  for (let i = 1; i <= 400_000; i += 1) if (i % 10 !== 0 && isNew(i)) added += 1;
  expect(added).toBe(360_000);
  expect(isNew(399_999)).toBe(false);
});
