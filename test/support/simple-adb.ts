/**
 * A simple ADB reader: it makes objects of everything and converts them to the text of apk 2. Too slow and too large
 * for the service, but easy to verify. The fast reader must give the same answers.
 */
import { inflateRawSync, zstdDecompressSync } from 'node:zlib';

/** The APKINDEX text of an ADB that was accepted. Signatures are not looked at. */
export function adbText(bytes: Buffer): string {
  const file = unwrapped(bytes);
  const isLong = file.readUInt32LE(8) >>> 30 === 3;
  const start = isLong ? 24 : 12;
  const end = 8 + (isLong ? Number(file.readBigUInt64LE(16)) : file.readUInt32LE(8) & 0x3fffffff);
  return new PlainReader(file.subarray(start, end)).text();
}

function unwrapped(bytes: Buffer): Buffer {
  const kind = bytes.toString('latin1', 0, 4);
  const algorithm = kind === 'ADB.' ? 0 : kind === 'ADBd' ? 1 : bytes[4];
  const body = bytes.subarray(kind === 'ADB.' ? 0 : kind === 'ADBd' ? 4 : 6);
  if (algorithm === 0) return body;
  return algorithm === 1 ? inflateRawSync(body) : zstdDecompressSync(body);
}

const signs = ['', '=', '<', '<=', '>', '>=', '><', '?', '~', '~', '?', '<~', '?', '>~', '?', '?'];

class PlainReader {
  readonly #values: Buffer;

  constructor(values: Buffer) {
    this.#values = values;
  }

  text(): string {
    const [, , packages = 0] = this.#words(this.#values.readUInt32LE(4));
    return this.#words(packages)
      .slice(1)
      .map((value) => this.#stanza(value))
      .join('');
  }

  /** Nothing for a package that cannot be used. */
  #stanza(value: number): string {
    try {
      const fields = this.#words(value);
      const at = (field: number): number => fields[field] ?? 0;
      const hash = this.#bytes(at(3));
      const [name, version] = [this.#line(at(1)), this.#line(at(2))];
      if (name === '' || version === '' || ![20, 32, 64].includes(hash.length)) return '';
      const lines = {
        C: `Q1${hash.toString('base64', 0, 20)}`,
        P: name,
        V: version,
        A: this.#line(at(5)),
        o: this.#line(at(7)),
        U: this.#line(at(9)),
        c: this.#bytes(at(10)).toString('hex'),
        t: String(this.#number(at(11))),
        I: this.#size(at(12)),
        S: this.#size(at(13)),
        k: String(this.#number(at(14))),
        D: this.#list(at(15), false),
        p: this.#list(at(16), true),
      };
      return `${Object.entries(lines)
        .map(([key, text]) => `${key}:${text}\n`)
        .join('')}\n`;
    } catch (error) {
      if (error instanceof RangeError) return '';
      throw error;
    }
  }

  /** Sizes are not read by the service, so a broken one makes no package bad. */
  #size(value: number): string {
    try {
      return String(this.#number(value));
    } catch {
      return '0';
    }
  }

  #list(value: number, areProvides: boolean): string {
    const tokens = this.#words(value)
      .slice(1)
      .map((each) => this.#token(each, areProvides));
    return tokens.filter((token) => token !== '').join(' ');
  }

  #token(value: number, isProvide: boolean): string {
    const fields = this.#words(value);
    const name = this.#bytes(fields[1] ?? 0).toString('latin1');
    const version = this.#bytes(fields[2] ?? 0).toString('latin1');
    const match = this.#number(fields[3] ?? 0);
    const isConflict = (match & 16n) !== 0n;
    const asked = Number(match - (isConflict ? 16n : 0n));
    const sign = version === '' ? '' : isProvide || asked === 0 ? '=' : (signs[asked] ?? '?');
    if (sign === '?' || !/^[^!\n <=>~][^\n <=>~]*$/.test(name)) return '';
    if (!/^$|^[^\n <=>~][^\n ]*$/.test(version)) return '';
    return `${isConflict ? '!' : ''}${name}${sign}${version}`;
  }

  /**
   * The words of a list or object, the count first; none for anything else. Throws a `RangeError` outside, as all here.
   */
  #words(value: number): readonly number[] {
    const [kind, at] = [Math.floor(value / 2 ** 28), value % 2 ** 28];
    if (kind !== 13 && kind !== 14) return [];
    const count = this.#values.readUInt32LE(at);
    if (count === 0 || at + 4 * count > this.#values.length) throw new RangeError('outside');
    return Array.from({ length: count }, (_, i) => this.#values.readUInt32LE(at + 4 * i));
  }

  #bytes(value: number): Buffer {
    const [kind, at] = [Math.floor(value / 2 ** 28), value % 2 ** 28];
    const width = { 8: 1, 9: 2, 10: 4 }[kind];
    if (width === undefined) return Buffer.alloc(0);
    const end = at + width + this.#values.readUIntLE(at, width);
    if (end > this.#values.length) throw new RangeError('outside');
    return this.#values.subarray(at + width, end);
  }

  #line(value: number): string {
    const text = this.#bytes(value).toString('latin1');
    if (text.includes('\n')) throw new RangeError('not a line');
    return text;
  }

  #number(value: number): bigint {
    const [kind, at] = [Math.floor(value / 2 ** 28), value % 2 ** 28];
    if (kind === 2) return BigInt(this.#values.readUInt32LE(at));
    if (kind === 3) return this.#values.readBigUInt64LE(at);
    return kind === 1 ? BigInt(at) : 0n;
  }
}
