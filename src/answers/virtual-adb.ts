/**
 * The virtual index in the format of apk 3, made from stanzas of apk 2. Their fields become values, each string once;
 * `apk/adb-file.ts` and `adb-index.ts` describe the format.
 */
import { createPublicKey, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw as deflateRawCallback } from 'node:zlib';
import { keyIds } from '../apk/adb-signature.ts';
import { hashOf } from '../apk/pieces.ts';
import { ByteBuffer } from '../apk/byte-buffer.ts';
import { parseDependency, tokens } from '../apk/package-table.ts';
import { createPause } from '../repository/pace.ts';

const deflateRaw = promisify(deflateRawCallback);

/** Upper 4 bits of a value; offsets and small numbers are the rest. */
const Kind = { number: 1, number32: 2, number64: 3, bytes8: 8, bytes16: 9, bytes32: 10, object: 14 };
const KIND_UNIT = 2 ** 28;
const [VALUES, SIGNATURE] = [0, 1];
const SHA512 = 4;

/** Collects values. Each method returns the word that refers to the added value. */
class AdbValues {
  readonly #bytes = new ByteBuffer();
  readonly #strings = new Map<string, number>();
  readonly #lists = new Map<string, number>();

  constructor() {
    this.#bytes.addBytes(Buffer.alloc(8));
  }

  string(text: string): number {
    const before = this.#strings.get(text);
    if (before !== undefined || text === '') return before ?? 0;
    const value = this.bytes(Buffer.from(text));
    this.#strings.set(text, value);
    return value;
  }

  bytes(content: Uint8Array): number {
    if (content.length === 0) return 0;
    const [kind, width] =
      content.length < 2 ** 8
        ? [Kind.bytes8, 1]
        : content.length < 2 ** 16
          ? [Kind.bytes16, 2]
          : [Kind.bytes32, 4];
    const head = Buffer.alloc(width);
    head.writeUIntLE(content.length, 0, width);
    const value = kind * KIND_UNIT + this.#bytes.length;
    this.#bytes.addBytes(head);
    this.#bytes.addBytes(content);
    return value;
  }

  /** Up to `Number.MAX_SAFE_INTEGER`; 0 (nothing) for others. */
  number(number: number): number {
    if (!(number > 0 && Number.isSafeInteger(number))) return 0;
    if (number < KIND_UNIT) return Kind.number * KIND_UNIT + number;
    const [low, high] = [number % 2 ** 32, Math.floor(number / 2 ** 32)];
    return high === 0
      ? Kind.number32 * KIND_UNIT + this.#words([low])
      : Kind.number64 * KIND_UNIT + this.#words([low, high], 8);
  }

  /** The same values give the same list. */
  list(values: readonly number[]): number {
    const key = values.join();
    const list = this.#lists.get(key) ?? this.object(values);
    this.#lists.set(key, list);
    return list;
  }

  /** A list, or an object whose fields are numbered from 1; trailing empty fields are omitted. */
  object(values: readonly number[]): number {
    const count = values.findLastIndex((value) => value !== 0) + 1;
    if (count === 0) return 0;
    return Kind.object * KIND_UNIT + this.#words([count + 1, ...values.slice(0, count)]);
  }

  /** All values, with that root. */
  finish(root: number): Buffer {
    this.#bytes.bytes.writeUInt32LE(root, 4);
    return this.#bytes.bytes.subarray(0, this.#bytes.length);
  }

  /** Adds the numbers at a multiple of `size` and returns the offset. */
  #words(numbers: readonly number[], size = 4): number {
    this.#bytes.addBytes(Buffer.alloc((size - (this.#bytes.length % size)) % size));
    const at = this.#bytes.length;
    const bytes = Buffer.alloc(4 * numbers.length);
    for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, 4 * i);
    this.#bytes.addBytes(bytes);
    return at;
  }
}

/** How a dependency's version is compared: `~` is also `=`. */
const EQUAL = 1;
const CONFLICT = 16;
const signs: readonly (readonly [sign: string, match: number])[] = [
  ['=', EQUAL],
  ['<', 2],
  ['>', 4],
  ['~', 8 + EQUAL],
];

function matchOf(operator: string): number {
  return signs.reduce((match, [sign, bits]) => (operator.includes(sign) ? match | bits : match), 0);
}

/** A provide with a tag, or with an operator and no version. */
const MALFORMED = /^[^<>=~]*(?:@|[<>=~]+$)/;

/** The provides that apk reads from text: it ignores a malformed one and the rest of the line. */
function readable(provides: readonly string[]): readonly string[] {
  const end = provides.findIndex((token) => MALFORMED.test(token));
  return end < 0 ? provides : provides.slice(0, end);
}

/** Writes an ADB from the stanzas of a virtual index, added one by one. */
export class AdbWriter {
  readonly #values = new AdbValues();
  readonly #packages: number[] = [];
  readonly #dependencies = new Map<string, number>();

  add(stanza: string): void {
    const lines = stanza.split('\n').map((line) => [line.slice(0, 1), line.slice(2)] as const);
    const fields = new Map(lines);
    const values = this.#values;
    const string = (letter: string): number => values.string(fields.get(letter) ?? '');
    // The digits at its start, as in apk.
    const number = (letter: string): number =>
      values.number(Number(/^\d*/.exec(fields.get(letter) ?? '')?.[0]));
    const commit = fields.get('c') ?? '';
    const identity = fields.get('C') ?? '';
    // Repeated lists add up, as in apk.
    const texts = (letter: string): readonly (readonly string[])[] =>
      lines.flatMap(([each, text]) => (each === letter ? [tokens(text)] : []));
    const list = (all: readonly string[]): number => values.list(all.map((token) => this.#dependency(token)));
    this.#packages.push(
      values.object([
        string('P'),
        string('V'),
        values.bytes(Buffer.from(identity.slice(2), identity.startsWith('X') ? 'hex' : 'base64')),
        string('T'),
        string('A'),
        string('L'),
        string('o'),
        string('m'),
        string('U'),
        /^[0-9a-f]{40}$/.test(commit) ? values.bytes(Buffer.from(commit, 'hex')) : 0,
        number('t'),
        number('I'),
        number('S'),
        number('k'),
        list(texts('D').flat()),
        list(texts('p').flatMap(readable)),
        0,
        list(texts('i').flat()),
      ]),
    );
  }

  #dependency(token: string): number {
    const known = this.#dependencies.get(token);
    if (known !== undefined) return known;
    const { name, operator, version, conflict } = parseDependency(token);
    const [values, match] = [this.#values, matchOf(operator) + (conflict ? CONFLICT : 0)];
    const value = values.object([
      values.string(name),
      values.string(version),
      match === EQUAL ? 0 : values.number(match),
    ]);
    this.#dependencies.set(token, value);
    return value;
  }

  /** The file, signed if there is a private key (PEM). */
  async file(description: string, privateKey: string | undefined): Promise<Buffer> {
    const root = this.#values.object([this.#values.string(description), this.#values.object(this.#packages)]);
    const values = this.#values.finish(root);
    const blocks = [block(VALUES, values)];
    if (privateKey !== undefined) blocks.push(block(SIGNATURE, await signatureOf(values, privateKey)));
    return Buffer.concat([
      Buffer.from('ADBd'),
      await deflateRaw(Buffer.concat([Buffer.from('ADB.indx'), ...blocks])),
    ]);
  }
}

/** Padded, because the next block starts at a multiple of 8. */
function block(type: number, content: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(((type << 30) >>> 0) + 4 + content.length);
  return Buffer.concat([head, content, Buffer.alloc((8 - ((4 + content.length) % 8)) % 8)]);
}

async function signatureOf(values: Uint8Array, privateKey: string): Promise<Buffer> {
  const [keyId = ''] = keyIds(createPublicKey(privateKey));
  const head = Buffer.concat([Buffer.of(0, SHA512), Buffer.from(keyId, 'hex')]);
  const digest = await hashOf(values, 'sha512', createPause());
  const signed = Buffer.concat([Buffer.from('indx'), head, digest]);
  return Buffer.concat([head, sign('sha512', signed, privateKey)]);
}
