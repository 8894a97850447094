import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arena, temporaryBytes, grown, release, reserve } from '../../src/apk/memory.ts';

describe('an arena', () => {
  test('arrays are zeroed and not shared, with and without room for them', () => {
    const wish = fc.record({ kind: fc.constantFrom('numbers', 'bytes'), count: fc.nat(200) });
    fc.assert(
      fc.property(fc.nat(4000), fc.array(wish, { maxLength: 30 }), (size, wishes) => {
        const arena = new Arena(size);
        const arrays = wishes.map(({ kind, count }) =>
          kind === 'numbers' ? arena.numbers(count) : arena.bytes(count),
        );
        for (const [i, array] of arrays.entries()) {
          expect(array).toHaveLength((wishes[i] as { count: number }).count);
          expect(array.every((value) => value === 0)).toBe(true);
          array.fill(i + 1);
        }
        for (const [i, array] of arrays.entries()) expect(array.every((value) => value === i + 1)).toBe(true);
      }),
    );
  });

  test('is one piece', () => {
    const arena = new Arena(1000);
    expect(arena.bytes(7).buffer).toBe(arena.numbers(100).buffer);
  });

  test('is released as a whole', () => {
    const arena = new Arena(1000);
    const arrays = [arena.bytes(7), arena.numbers(100)];
    arena.release();
    expect(arrays.map(({ length }) => length)).toEqual([0, 0]);
  });
});

test('large reservations are mapped separately', () => {
  expect(reserve(1000).byteLength).toBe(1000);
  expect(reserve(8_000_000).byteLength).toBeGreaterThan(32 * 1024 * 1024);
  expect(reserve(50_000_000).byteLength).toBe(50_000_000);
});

describe('memory is given back', () => {
  test.each([
    ['borrowed', temporaryBytes(100_000)],
    ['all of its buffer', new Uint8Array(100_000)],
  ])('that is %s', (_what, bytes) => {
    release(bytes);
    expect([bytes.length, bytes.buffer.byteLength]).toEqual([0, 0]);
  });

  test('but not that of a part, which others may use', () => {
    const buffer = new ArrayBuffer(1000);
    release(new Uint8Array(buffer, 0, 999));
    expect(buffer.byteLength).toBe(1000);
  });
});

test('a grown array keeps its content, followed by zeros', () => {
  expect(grown(Uint32Array.of(1, 2))).toEqual(Uint32Array.of(1, 2, 0, 0));
  expect(grown(Uint8Array.of(1), 5)).toEqual(Uint8Array.of(1, 0, 0, 0, 0));
});
