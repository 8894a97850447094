/**
 * Commits of recipes in half the space. Nearly every package has its own, so they take more than all other strings
 * together. 40 hexadecimal digits are stored as 20 bytes; the first byte distinguishes them from other text.
 */
import type { ByteBuffer } from './byte-buffer.ts';

const COMMIT_BYTES = 20;
const HEX = 1;
const TEXT = 0;

const hexValues = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) hexValues[digit.charCodeAt(0)] = value;

/** Sets `packed` to the stored form of the commit `source[start..end)`; empty for an empty one. */
export function packCommit(packed: ByteBuffer, source: ByteBuffer, start: number, end: number): void {
  packed.clear();
  if (start === end || packHex(packed, source, start, end)) return;
  packed.addByte(TEXT);
  packed.add(source, start, end);
}

/** The same for a commit in bytes. `false` if it has the wrong length. */
export function packCommitBytes(packed: ByteBuffer, source: ByteBuffer, start: number, end: number): boolean {
  if (end - start !== COMMIT_BYTES) return false;
  packed.clear();
  packed.addByte(HEX);
  packed.add(source, start, end);
  return true;
}

/** The reverse of `packCommit`. */
export function commitText(kept: Uint8Array): string {
  const bytes = Buffer.from(kept.buffer, kept.byteOffset, kept.length);
  return bytes.toString(kept[0] === HEX ? 'hex' : 'utf8', 1);
}

/** Returns whether it is 40 lower-case hexadecimal digits. */
function packHex(packed: ByteBuffer, { bytes }: ByteBuffer, start: number, end: number): boolean {
  if (end - start !== 2 * COMMIT_BYTES) return false;
  packed.reserve(1 + COMMIT_BYTES);
  packed.bytes[0] = HEX;
  for (let i = 0; i < COMMIT_BYTES; i += 1) {
    const high = hexValues[bytes[start + 2 * i] as number] as number;
    const low = hexValues[bytes[start + 2 * i + 1] as number] as number;
    if (high < 0 || low < 0) return false;
    packed.bytes[1 + i] = high * 16 + low;
  }
  packed.length = 1 + COMMIT_BYTES;
  return true;
}
