/** Lists in a table of packages: provides as text, dependencies as ids of texts. See `Columns`. */
import type { ByteBuffer } from './byte-buffer.ts';

/** Separates the tokens of a text. */
export const BLANK = 0x20;

// Signs of operators; `OLDER` to `NEWER` are consecutive.
const OLDER = 0x3c; // <
const NEWER = 0x3e; // >
const LINE = 0x7e; // ~

export function isOperatorSign(byte: number): boolean {
  return (byte >= OLDER && byte <= NEWER) || byte === LINE;
}

export function addNumber(list: ByteBuffer, number: number): void {
  for (let shift = 0; shift < 32; shift += 8) list.addByte((number >>> shift) & 0xff);
}

export function readNumbers(list: Uint8Array): readonly number[] {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  return Array.from({ length: list.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

/** Writes and reads one number, as in a list. */
export function writeNumber(bytes: Uint8Array, at: number, number: number): void {
  for (let i = 0; i < 4; i += 1) bytes[at + i] = (number >>> (8 * i)) & 0xff;
}

export function readNumber(bytes: Uint8Array, at: number): number {
  return readNumbers(bytes.subarray(at, at + 4))[0] as number;
}

/** Adds `source[start..end)` to a list whose items are separated by blanks. */
export function addToken(list: ByteBuffer, source: ByteBuffer, start: number, end: number): void {
  if (list.length > 0) list.addByte(BLANK);
  list.add(source, start, end);
}
