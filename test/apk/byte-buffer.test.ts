import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteBuffer } from '../../src/apk/byte-buffer.ts';

/** A buffer whose spare bytes are not 0, as after long use. */
function holding(content: Uint8Array): ByteBuffer {
  const buffer = new ByteBuffer();
  buffer.addBytes(new Uint8Array(content.length + 8).fill(0x0a));
  buffer.clear();
  buffer.addBytes(content);
  return buffer;
}

/** A few different bytes, including those at the boundaries of word arithmetic. */
const byte = fc.constantFrom(0x00, 0x01, 0x09, 0x0a, 0x0b, 0x20, 0x3d, 0x7f, 0x80, 0x8a, 0xff);
const bytes = fc.array(byte, { maxLength: 24 }).map((values) => Uint8Array.from(values));

/** Bytes, and a start and an end within. */
const part = fc
  .tuple(bytes, fc.nat(24), fc.nat(24))
  .map(
    ([content, a, b]) =>
      [content, ...[a, b].map((each) => Math.min(each, content.length)).toSorted((x, y) => x - y)] as [
        Uint8Array,
        number,
        number,
      ],
  );

test('finds the first byte of a part, wherever words begin', () => {
  fc.assert(
    fc.property(part, byte, ([content, start, end], wanted) => {
      const found = content.subarray(start, end).indexOf(wanted);
      expect(holding(content).indexOf(wanted, start, end)).toBe(found < 0 ? end : start + found);
    }),
    { numRuns: 2000 },
  );
});

test('compares and hashes a part by its own bytes only', () => {
  fc.assert(
    fc.property(part, part, ([left, start, end], [right, from, to]) => {
      const [a, b] = [left.subarray(start, end), right.subarray(from, to)];
      const same = Buffer.compare(a, b) === 0;
      if (a.length === b.length) expect(holding(left).equals(start, holding(right), from, to)).toBe(same);
      if (same) expect(holding(left).hash(start, end)).toBe(holding(right).hash(from, to));
    }),
    { numRuns: 2000 },
  );
});

test('parts that differ in one byte have different hashes', () => {
  const hashes = new Set<number>();
  const content = Buffer.from('so:libfoo.so.1');
  for (let at = 0; at < content.length; at += 1) {
    for (let value = 0; value < 256; value += 1) {
      const changed = Buffer.from(content);
      changed[at] = value;
      hashes.add(holding(changed).hash(0, changed.length));
    }
  }
  // All 14 × 255 changes, and the unchanged content.
  expect(hashes.size).toBe(14 * 255 + 1);
});

test('holds what was added, while it grows and when its beginning is dropped', () => {
  const step = fc.oneof(
    part.map((added) => ({ added })),
    fc.nat(40).map((dropped) => ({ dropped })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const buffer = new ByteBuffer(new Uint8Array(0));
      let expected = Buffer.alloc(0);
      for (const each of steps) {
        if ('added' in each) {
          const [content, start, end] = each.added;
          buffer.add(holding(content), start, end);
          buffer.addByte(0x20);
          expected = Buffer.concat([expected, content.subarray(start, end), Buffer.from(' ')]);
        } else {
          const count = Math.min(each.dropped, expected.length);
          buffer.drop(count);
          expected = expected.subarray(count);
        }
        expect(buffer.bytes.subarray(0, buffer.length)).toEqual(expected);
      }
    }),
  );
});

test('holds a text in UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const buffer = new ByteBuffer();
      buffer.setText(text);
      expect(buffer.bytes.subarray(0, buffer.length)).toEqual(Buffer.from(text));
    }),
  );
});
