import { expect, test } from 'vitest';
import { IndexError } from '../../src/errors.ts';
import { Arena } from '../../src/apk/memory.ts';
import { StringTable } from '../../src/apk/string-table.ts';

/** FNV-1a as the table computes it. */
function hash(bytes: Uint8Array): number {
  let value = 0x811c9dc5;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193);
  return (value ^ (value >>> 15)) >>> 0;
}

test('strings that were made to collide are refused before they cost time', () => {
  const table = StringTable.reserve(new Arena(0), { strings: 64, bytes: 2048 });
  const addColliding = (): void => {
    for (let i = 0, added = 0; added < 3000; i += 1) {
      const bytes = Buffer.from(i.toString(36));
      if ((hash(bytes) & 0xfff) !== 0) continue;
      table.intern(bytes, 0, bytes.length);
      added += 1;
    }
  };
  expect(addColliding).toThrow(IndexError);
  expect(table.list.count).toBeLessThan(3000);
});

test('a million strings that happen to be there do not', () => {
  const table = StringTable.reserve(new Arena(0), { strings: 64, bytes: 2048 });
  for (let i = 0; i < 1_000_000; i += 1) {
    const bytes = Buffer.from(`package-${i}`);
    table.intern(bytes, 0, bytes.length);
  }
  expect(table.list.count).toBe(1_000_001);
  expect(table.list.text(table.find('package-777777') ?? 0)).toBe('package-777777');
});
