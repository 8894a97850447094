import { expect, test } from 'vitest';
import { IndexError } from '../../src/errors.ts';
import { ByteBuffer } from '../../src/apk/byte-buffer.ts';
import { Arena } from '../../src/apk/memory.ts';
import { StringTable } from '../../src/apk/string-table.ts';

const source = new ByteBuffer();

test('strings crafted to collide are refused before they cost time', () => {
  const table = new StringTable(new Arena(0), { strings: 64, bytes: 2048 });
  const addColliding = (): void => {
    for (let i = 0, added = 0; added < 3000; i += 1) {
      source.setText(i.toString(36));
      if ((source.hash(0, source.length) & 0xfff) !== 0) continue;
      table.intern(source, 0, source.length);
      added += 1;
    }
  };
  expect(addColliding).toThrow(IndexError);
  expect(table.list.count).toBeLessThan(3000);
});

test('a million strings that happen to be there do not', () => {
  const table = new StringTable(new Arena(0), { strings: 64, bytes: 2048 });
  for (let i = 0; i < 1_000_000; i += 1) {
    source.setText(`package-${i}`);
    table.intern(source, 0, source.length);
  }
  expect(table.list.count).toBe(1_000_001);
  expect(table.list.text(table.find('package-777777') ?? 0)).toBe('package-777777');
});
