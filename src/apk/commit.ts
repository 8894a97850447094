/**
 * Commits of recipes in half the room. Nearly every package has one of its own, so they take more than all other strings
 * together; 40 hexadecimal digits are kept as the 20 bytes they stand for. A first byte tells those from any other text.
 */
const COMMIT_BYTES = 20;
const HEX = 1;
const TEXT = 0;

const hexValues = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) hexValues[digit.charCodeAt(0)] = value;

const packed = new Uint8Array(1 + COMMIT_BYTES);
packed[0] = HEX;

/** The commit `bytes[start..end)` as it is kept, valid until the next call; empty for an empty one. */
export function packCommit(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start === end) return packed.subarray(0, 0);
  if (end - start === 2 * COMMIT_BYTES && packHex(bytes, start)) return packed;
  const text = new Uint8Array(1 + end - start);
  text[0] = TEXT;
  text.set(bytes.subarray(start, end), 1);
  return text;
}

/** The text of what `packCommit` has made. */
export function commitText(kept: Uint8Array): string {
  const bytes = Buffer.from(kept.buffer, kept.byteOffset, kept.length);
  return bytes.toString(kept[0] === HEX ? 'hex' : 'utf8', 1);
}

function packHex(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < COMMIT_BYTES; i += 1) {
    const high = hexValues[bytes[start + 2 * i] as number] as number;
    const low = hexValues[bytes[start + 2 * i + 1] as number] as number;
    if (high < 0 || low < 0) return false;
    packed[1 + i] = high * 16 + low;
  }
  return true;
}
