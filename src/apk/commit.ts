/**
 * Commits of recipes in half the space. Nearly every package has its own, so they take more than all other strings
 * together. 40 hexadecimal digits are stored as 20 bytes.
 */

export const COMMIT_BYTES = 20;

const hexValues = new Int8Array(256).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) hexValues[digit.charCodeAt(0)] = value;

/**
 * Decodes the commit in `bytes[start..end)` to `into[at..at + COMMIT_BYTES)`. `false` if it is not 40 lower-case
 * hexadecimal digits.
 */
export function decodeCommit(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (end - start !== 2 * COMMIT_BYTES) return false;
  for (let i = 0; i < COMMIT_BYTES; i += 1) {
    const high = hexValues[bytes[start + 2 * i] as number] as number;
    const low = hexValues[bytes[start + 2 * i + 1] as number] as number;
    if (high < 0 || low < 0) return false;
    into[at + i] = high * 16 + low;
  }
  return true;
}

/** The commit as written in an index. */
export function commitText({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('hex');
}
