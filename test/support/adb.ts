/** Builds ADB files value by value, so that any part can be wrong. `src/apk/adb-*.ts` describes the format. */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { keyIds } from '../../src/apk/adb-signature.ts';
import { parseKey, type TrustedKey } from '../../src/apk/signature.ts';

export interface AdbKey extends TrustedKey {
  readonly pem: string;
  readonly privateKey: KeyObject;
}

const keys = new Map<string, AdbKey>();

/** A P-256 pair under that name, made once a run. */
export function adbKey(name = 'test.pem'): AdbKey {
  const known = keys.get(name);
  if (known) return known;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const key = { ...parseKey(name, pem), pem, privateKey };
  keys.set(name, key);
  return key;
}

/** Values one behind the other. What a method returns is the word that stands for the value. */
export class AdbValues {
  readonly #pieces: Buffer[] = [Buffer.alloc(8)];
  #length = 8;

  /** Where the next value goes. */
  get length(): number {
    return this.#length;
  }

  raw(bytes: Uint8Array): number {
    const at = this.#length;
    this.#pieces.push(Buffer.from(bytes));
    this.#length += bytes.length;
    return at;
  }

  bytes(content: Uint8Array | string): number {
    const bytes = Buffer.from(content);
    if (bytes.length === 0) return 0;
    const [kind, head] = lengthOf(bytes.length);
    return kind * 2 ** 28 + this.raw(Buffer.concat([head, bytes]));
  }

  number(value: number): number {
    if (value < 2 ** 28) return 2 ** 28 + value;
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return 3 * 2 ** 28 + this.raw(bytes);
  }

  /** A list or object of these words; `kind` 13 or 14. */
  list(values: readonly number[], kind = 14): number {
    if (values.length === 0) return 0;
    this.raw(Buffer.alloc((4 - (this.#length % 4)) % 4));
    return kind * 2 ** 28 + this.raw(words([values.length + 1, ...values]));
  }

  object(fields: Readonly<Record<number, number>>): number {
    const last = Math.max(0, ...Object.keys(fields).map(Number));
    return this.list(Array.from({ length: last }, (_, i) => fields[i + 1] ?? 0));
  }

  /** All values with that root. */
  done(root: number): Buffer {
    const all = Buffer.concat(this.#pieces);
    all.writeUInt32LE(root, 4);
    return all;
  }
}

function lengthOf(length: number): [kind: number, head: Buffer] {
  if (length < 2 ** 8) return [8, Buffer.of(length)];
  const head = Buffer.alloc(length < 2 ** 16 ? 2 : 4);
  head.writeUIntLE(length, 0, head.length);
  return [head.length === 2 ? 9 : 10, head];
}

export function words(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeUInt32LE(number, 4 * i);
  return bytes;
}

/** What a test says of a package; lists as in apk's text. */
export interface AdbPackage {
  readonly name: string;
  readonly version: string;
  readonly arch?: string;
  readonly hash?: Uint8Array;
  readonly builtAt?: number;
  readonly depends?: readonly string[];
  readonly provides?: readonly string[];
  readonly commit?: string;
  readonly origin?: string;
  readonly url?: string;
  readonly priority?: number;
  /** More fields, or others: the words by number. */
  readonly fields?: Readonly<Record<number, number>>;
}

const matches = ['', '=', '<', '<=', '>', '>=', '><', '?', '~'];

function dependency(values: AdbValues, text: string): number {
  const [, conflict = '', name = '', operator = '', version = ''] =
    /^(!?)([^<>=~]*)([<>=~]*)(.*)$/.exec(text) ?? [];
  const match = matches.indexOf(operator) + (conflict ? 16 : 0);
  return values.object({
    1: values.bytes(name),
    2: values.bytes(version),
    3: match === 1 || match === 0 ? 0 : values.number(match),
  });
}

export function packageValue(values: AdbValues, each: AdbPackage): number {
  const list = (texts: readonly string[] = []): number =>
    values.list(texts.map((text) => dependency(values, text)));
  const hash = each.hash ?? createHash('sha256').update(JSON.stringify(each)).digest();
  return values.object({
    1: values.bytes(each.name),
    2: values.bytes(each.version),
    3: values.bytes(hash),
    5: values.bytes(each.arch ?? 'x86_64'),
    7: values.bytes(each.origin ?? ''),
    9: values.bytes(each.url ?? ''),
    10: values.bytes(Buffer.from(each.commit ?? '', 'hex')),
    11: each.builtAt === undefined ? 0 : values.number(each.builtAt),
    14: each.priority === undefined ? 0 : values.number(each.priority),
    15: list(each.depends),
    16: list(each.provides),
    ...each.fields,
  });
}

/** The values of an index with these packages. */
export function indexValues(packages: readonly AdbPackage[]): Buffer {
  const values = new AdbValues();
  const list = values.list(packages.map((each) => packageValue(values, each)));
  return values.done(values.object({ 1: values.bytes('test'), 2: list }));
}

/** A block, filled up to the next one. */
export function block(type: number, content: Uint8Array): Buffer {
  const size = content.length + 4;
  return Buffer.concat([words([type * 2 ** 30 + size]), content, Buffer.alloc((8 - (size % 8)) % 8)]);
}

export function signatureBlock(values: Uint8Array, key: AdbKey, schema = 'indx'): Buffer {
  const head = Buffer.concat([Buffer.of(0, 4), Buffer.from(keyIds(key.key)[0] ?? '', 'hex')]);
  const digest = createHash('sha512').update(values).digest();
  const signed = Buffer.concat([Buffer.from(schema), head, digest]);
  return block(1, Buffer.concat([head, sign('sha512', signed, key.privateKey)]));
}

/** A file of these blocks in no envelope. */
export function adbFile(blocks: readonly Uint8Array[], schema = 'indx'): Buffer {
  return Buffer.concat([Buffer.from(`ADB.${schema}`), ...blocks]);
}

export function signedAdb(values: Uint8Array, key: AdbKey = adbKey()): Buffer {
  return adbFile([block(0, values), signatureBlock(values, key)]);
}
