/**
 * Identities of packages (`C:`): `Q1` and the base64 of a SHA-1 over the control segment, which contains the hash of
 * the data. So an identity names one build, in any repository. Other texts are hashed, so that all take 20 bytes.
 */
import { createHash } from 'node:crypto';

/** A SHA-1. */
export const IDENTITY_BYTES = 20;
/** Identities are compared by words of four bytes. */
export const IDENTITY_WORDS = IDENTITY_BYTES / 4;

const [Q, ONE, PADDING] = [0x51, 0x31, 0x3d] as const;
/** `Q1`, 27 digits and `=`. */
const LENGTH = 30;

/** The value of each base64 digit; 255 for other characters. */
const digits = new Uint8Array(256).fill(255);
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries())
  digits[digit.charCodeAt(0)] = value;

/**
 * Decodes the identity in `bytes[start..end)` to `into[at..at + IDENTITY_BYTES)`. Other texts than the usual ones are
 * hashed.
 */
export function decodeIdentity(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const isUsual =
    end - start === LENGTH && bytes[start] === Q && bytes[start + 1] === ONE && bytes[end - 1] === PADDING;
  if (!isUsual || !decode(into, at, bytes, start + 2, end - 1))
    into.set(hashIdentity(bytes.subarray(start, end)), at);
}

function decode(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): boolean {
  let bits = 0;
  let count = 0;
  let to = at;
  for (let i = start; i < end; i += 1) {
    const digit = digits[bytes[i] as number] as number;
    if (digit === 255) return false;
    bits = ((bits << 6) | digit) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    into[to] = (bits >> count) & 0xff;
    to += 1;
  }
  return true;
}

export function hashIdentity(text: Uint8Array | string): Uint8Array {
  return createHash('sha1').update(text).digest();
}

/** Identities as words: the same memory where it is aligned. */
export function wordsOf(identities: Uint8Array): Uint32Array {
  const aligned = identities.byteOffset % 4 === 0 ? identities : Uint8Array.from(identities);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/**
 * A 32-bit hash of the identity of `row`. An identity is a hash already, but a made-up one may differ in any of its
 * words, so all count.
 */
export function hashOfRow(words: Uint32Array, row: number, seed: number): number {
  const start = row * IDENTITY_WORDS;
  let hash = seed;
  for (let i = 0; i < IDENTITY_WORDS; i += 1) {
    hash = Math.imul(hash ^ (words[start + i] as number), 0x5bd1e995);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/** Whether a row of `words` has the identity of a row of `others`. */
export function isSameIdentity(
  words: Uint32Array,
  row: number,
  others: Uint32Array,
  otherRow: number,
): boolean {
  const start = row * IDENTITY_WORDS;
  const otherStart = otherRow * IDENTITY_WORDS;
  for (let i = 0; i < IDENTITY_WORDS; i += 1) if (words[start + i] !== others[otherStart + i]) return false;
  return true;
}

/** The identity as written in an index. */
export function identityText(identity: Uint8Array): string {
  return `Q1${Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength).toString('base64')}`;
}
