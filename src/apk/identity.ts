/**
 * Identities of packages (`C:`): `Q1` and the base64 of a SHA-1 over the control segment, which contains the hash of
 * the data. So an identity names one build, in any repository. apk also reads a SHA-256 (`Q2`) and hexadecimal digits
 * (`X1`, `X2`), and compares the first 20 bytes. Other texts are hashed, so that all take 20 bytes.
 */
import { createHash } from 'node:crypto';

/** A SHA-1. */
export const IDENTITY_BYTES = 20;
/** Identities are compared by words of four bytes. */
export const IDENTITY_WORDS = IDENTITY_BYTES / 4;

const [Q, ONE, TWO, PADDING] = [0x51, 0x31, 0x32, 0x3d] as const;
/** `Q1`, 27 digits and `=`; for a SHA-256, the digits of its other bytes may follow. */
const LENGTH = 30;
/** `Q2`, 43 digits and `=`. */
const LENGTH_SHA256 = 46;
const HEX = /^X(?:1[0-9a-f]{40}|2[0-9a-f]{64})/i;

/** The value of each base64 digit; -1 for other characters. */
const digits = new Int8Array(256).fill(-1);
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries())
  digits[digit.charCodeAt(0)] = value;

/**
 * Decodes the identity in `bytes[start..end)` to `into[at..at + IDENTITY_BYTES)`.
 */
export function decodeIdentity(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const length = bytes[start + 1] === ONE ? LENGTH : bytes[start + 1] === TWO ? LENGTH_SHA256 : Infinity;
  const isBase64 = bytes[start] === Q && end - start >= length && bytes[start + length - 1] === PADDING;
  if (isBase64 && decode(into, at, bytes, start + 2)) return;
  const text = Buffer.from(bytes.subarray(start, end));
  const isHex = HEX.test(text.toString('latin1', 0, 66));
  const hex = text.toString('latin1', 2, 2 + 2 * IDENTITY_BYTES);
  into.set(isHex ? Buffer.from(hex, 'hex') : hashIdentity(text), at);
}

/** The same identity as `identityText` writes it. */
export function normalIdentity(text: string): string {
  const [bytes, identity] = [Buffer.from(text), new Uint8Array(IDENTITY_BYTES)];
  decodeIdentity(identity, 0, bytes, 0, bytes.length);
  return identityText(identity);
}

/** Decodes 27 digits: six times four for three bytes, then three for two. */
function decode(into: Uint8Array, at: number, bytes: Uint8Array, start: number): boolean {
  let from = start;
  let to = at;
  for (; to < at + 18; to += 3, from += 4) {
    const bits = (threeDigits(bytes, from) << 6) | (digits[bytes[from + 3] as number] as number);
    if (bits < 0) return false;
    into[to] = bits >> 16;
    into[to + 1] = bits >> 8;
    into[to + 2] = bits;
  }
  const bits = threeDigits(bytes, from);
  into[to] = bits >> 10;
  into[to + 1] = bits >> 2;
  return bits >= 0;
}

/** 18 bits; negative if a character is no digit. */
function threeDigits(bytes: Uint8Array, at: number): number {
  const first = digits[bytes[at] as number] as number;
  const second = digits[bytes[at + 1] as number] as number;
  return (first << 12) | (second << 6) | (digits[bytes[at + 2] as number] as number);
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
