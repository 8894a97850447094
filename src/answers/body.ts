/** Bodies of answers and their ETags, made in steps: a name with very many versions has tens of megabytes. */
import { createHash, hash } from 'node:crypto';
import { finish, ITEMS_A_STEP } from '../catalog/steps.ts';

/** A string if it is short. */
export type Body = string | Buffer;

const ITEMS_A_TEXT = 64;
const TEXTS_A_STEP = 512;
const BYTES_A_STEP = 256 * 1024;

/** `begin`, the texts with `separator` between them, `end`. */
export function* joinInSteps(
  texts: readonly string[],
  { begin = '', separator, end = '' }: { begin?: string; separator: string; end?: string },
): Generator<undefined, Body> {
  if (texts.length <= TEXTS_A_STEP) return `${begin}${texts.join(separator)}${end}`;
  const pieces = [Buffer.from(begin)];
  for (let start = 0; start < texts.length; start += TEXTS_A_STEP) {
    const text = texts.slice(start, start + TEXTS_A_STEP).join(separator);
    pieces.push(Buffer.from(start === 0 ? text : separator + text));
    yield;
  }
  pieces.push(Buffer.from(end));
  const body = Buffer.allocUnsafeSlow(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
    if (at % BYTES_A_STEP < piece.length) yield;
  }
  return body;
}

/** The texts of JSON lists that together hold all items as `toValue` makes them; to be joined by commas. */
export function* jsonInSteps<T>(
  items: readonly T[],
  toValue: (item: T) => object,
): Generator<undefined, readonly string[]> {
  const texts: string[] = [];
  for (let start = 0; start < items.length; start += ITEMS_A_TEXT) {
    texts.push(JSON.stringify(items.slice(start, start + ITEMS_A_TEXT).map(toValue)).slice(1, -1));
    if (start % ITEMS_A_STEP === ITEMS_A_STEP - ITEMS_A_TEXT) yield;
  }
  return texts;
}

/** A strong tag: the same for the same bytes. */
export function etagOf(body: Body): string {
  return finish(etagInSteps(body));
}

export function* etagInSteps(body: Body): Generator<undefined, string> {
  if (typeof body === 'string') return `"${hash('sha1', body, 'base64url')}"`;
  const whole = createHash('sha1');
  for (let at = 0; at < body.length; at += BYTES_A_STEP) {
    whole.update(body.subarray(at, at + BYTES_A_STEP));
    yield;
  }
  return `"${whole.digest('base64url')}"`;
}
