/**
 * Broken indexes: one or a few mutations of a good one, in its compressed bytes, in the tar inside a member, or in the
 * text inside the tar. Changes in the inner layers are compressed again, so that a reader reaches them, and are either
 * signed again or keep the old signature.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { changeHeader, indexText, pkg, signatureMember, tar, testKey, type Stanza } from './signed-index.ts';
import type { Random } from './random.ts';

export interface Mutant {
  readonly bytes: Buffer;
  /** The mutation, for debugging. */
  readonly how: string;
  /** `stale`: under the signature of the original. `signed`: signed anew. `unsigned`: to be read without keys. */
  readonly trust: 'stale' | 'signed' | 'unsigned';
}

export interface Original {
  readonly bytes: Buffer;
  /** What the packages of it are, as the text of apk 2. */
  readonly text: string;
}

export interface OriginalArchive extends Original {
  readonly signature: Buffer;
  readonly body: Buffer;
}

/** A small index with something of everything: provides, dependencies, repeated fields, times, odd arches. */
export async function originalIndex(): Promise<OriginalArchive> {
  const stanzas: Stanza[] = Array.from({ length: 30 }, (_, i) =>
    pkg(`package-${i % 20}`, `1.${i}-r${i % 3}`, {
      t: `${1_700_000_000 + i}`,
      o: `origin-${i % 5}`,
      c: 'c'.repeat(40),
      D: `so:libc.so.6 package-${(i + 1) % 20}=1.${i}-r0 !conflict`,
      p: `cmd:tool-${i}=1.${i}-r0 virtual so:lib${i}.so.1=1`,
    }),
  );
  const text = indexText(stanzas);
  const body = gzipSync(await bodyTar(text));
  const signature = await signatureMember(body, [{ key: testKey() }]);
  return { bytes: Buffer.concat([signature, body]), signature, body, text };
}

function bodyTar(text: string | Buffer): Promise<Buffer> {
  return tar([
    { name: 'DESCRIPTION', content: 'v1.0' },
    { name: 'APKINDEX', content: text },
  ]);
}

export async function mutate(original: OriginalArchive, random: Random): Promise<Mutant> {
  const layer = random.pick(['bytes', 'members', 'tar', 'tar', 'text', 'text', 'signature']);
  switch (layer) {
    case 'bytes': {
      const { bytes, how } = mutateBytes(original.bytes, random);
      return { bytes, how: `bytes: ${how}`, trust: random.pick(['stale', 'unsigned']) };
    }
    case 'members': {
      const { bytes, how } = mutateMembers(original, random);
      return { bytes, how: `members: ${how}`, trust: random.pick(['stale', 'unsigned']) };
    }
    case 'signature': {
      const { bytes, how } = mutateTar(gunzipSync(original.signature), random);
      const whole = Buffer.concat([gzipSync(bytes), original.body]);
      return { bytes: whole, how: `signature: ${how}`, trust: random.pick(['stale', 'unsigned']) };
    }
    case 'tar': {
      const { bytes, how } = mutateTar(gunzipSync(original.body), random);
      return under(original, gzipSync(bytes), `tar: ${how}`, random);
    }
    default: {
      const { bytes, how } = mutateText(Buffer.from(original.text), random);
      return under(original, gzipSync(await bodyTar(bytes)), `text: ${how}`, random);
    }
  }
}

async function under(original: OriginalArchive, body: Buffer, how: string, random: Random): Promise<Mutant> {
  const trust = random.pick(['stale', 'signed', 'unsigned', 'unsigned'] as const);
  const signature =
    trust === 'signed' ? await signatureMember(body, [{ key: testKey() }]) : original.signature;
  return { bytes: trust === 'unsigned' ? body : Buffer.concat([signature, body]), how, trust };
}

export interface Change {
  readonly bytes: Buffer;
  readonly how: string;
}

export function mutateBytes(original: Buffer, random: Random): Change {
  const at = random.integer(original.length);
  const length = 1 + random.integer(64);
  const how = (what: string): string => `${what} at ${at}`;
  switch (random.pick(['flip', 'flips', 'cut', 'insert', 'remove', 'fill', 'append'])) {
    case 'flip':
      return { bytes: flipped(original, random, 1), how: 'one bit flipped' };
    case 'flips':
      return { bytes: flipped(original, random, 2 + random.integer(30)), how: 'bits flipped' };
    case 'cut':
      return { bytes: original.subarray(0, at), how: how('cut') };
    case 'insert':
      return { bytes: spliced(original, at, 0, noise(random, length)), how: how(`${length} bytes inserted`) };
    case 'remove':
      return { bytes: spliced(original, at, length, Buffer.alloc(0)), how: how(`${length} bytes removed`) };
    case 'fill': {
      const bytes = Buffer.from(original);
      return {
        bytes: bytes.fill(random.pick([0, 0xff]), at, Math.min(bytes.length, at + length)),
        how: how('filled'),
      };
    }
    default: {
      const tail = random.pick([Buffer.alloc(length), noise(random, length), original]);
      return { bytes: Buffer.concat([original, tail]), how: `${tail.length} bytes appended` };
    }
  }
}

function mutateMembers({ signature, body }: OriginalArchive, random: Random): Change {
  const half = 1 + random.integer(gunzipSync(body).length - 1);
  const inflated = gunzipSync(body);
  const halves = [gzipSync(inflated.subarray(0, half)), gzipSync(inflated.subarray(half))] as const;
  const ways: Record<string, readonly Buffer[]> = {
    'no signature': [body],
    'no body': [signature],
    swapped: [body, signature],
    'signature twice': [signature, signature, body],
    'body twice': [signature, body, body],
    'signature around': [signature, body, signature],
    'body split': [signature, ...halves],
    'first half only': [signature, halves[0]],
    'second half only': [signature, halves[1]],
    'halves swapped': [signature, halves[1], halves[0]],
    'empty member between': [signature, gzipSync(''), body],
    'zeros member between': [signature, gzipSync(Buffer.alloc(1024)), body],
    'gzip in gzip': [gzipSync(Buffer.concat([signature, body]))],
    'tar without gzip': [inflated],
    nothing: [],
  };
  const how = random.pick(Object.keys(ways));
  return { bytes: Buffer.concat(ways[how] as Buffer[]), how };
}

const sizes = [
  '77777777777\0', '00000000000\0', '-0000000001\0', '8\0', '\0', '            ', '0x10\0', '00000000777 ', '1e3\0',
  '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff', '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
  '\x80\0\0\0\0\0\0\0\0\0\x02\0', '\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff',
]; // prettier-ignore
const names = [
  'APKINDEX', 'DESCRIPTION', '../../etc/passwd', '/etc/passwd', './APKINDEX', 'APKINDEX/', '', '.', '..', 'a/APKINDEX',
  'apkindex', 'APKINDEX\n', 'A'.repeat(100), '.SIGN.RSA256.test.rsa.pub', '.SIGN.', '.SIGN.RSA256.', '\u202eXEDNIKPA',
]; // prettier-ignore
const types = ['\0', '0', '1', '2', '3', '4', '5', '6', '7', 'x', 'g', 'L', 'K', 'S', 'V', 'N', 'X', '\xff'];

/** `original` is a tar that is in order. */
function mutateTar(original: Buffer, random: Random): Change {
  const offsets = headerOffsets(original);
  const at = random.pick(offsets);
  const bytes = Buffer.from(original);
  const field = (what: string, change: (header: Buffer) => void): Change => {
    changeHeader(bytes, at, change);
    return { bytes, how: `${what} at ${at}` };
  };
  switch (
    random.pick(['type', 'size', 'name', 'prefix', 'magic', 'time', 'sum', 'entry', 'block', 'flip', 'cut'])
  ) {
    case 'type': {
      const type = random.pick(types);
      return field(`type ${JSON.stringify(type)}`, (header) => header.write(type, 156, 'latin1'));
    }
    case 'size': {
      const size = random.pick(sizes);
      return field(`size ${JSON.stringify(size)}`, (header) =>
        header.fill(0, 124, 136).write(size, 124, 12, 'latin1'),
      );
    }
    case 'name': {
      const name = random.pick(names);
      return field(`name ${JSON.stringify(name)}`, (header) => header.fill(0, 0, 100).write(name, 0, 100));
    }
    case 'prefix':
      return field('prefix', (header) => header.write(random.pick(['..', '/', 'a', 'a/b']), 345));
    case 'magic':
      return field('magic', (header) =>
        header.write(random.pick(['ustar  \0', 'xstar\x0000', '\0\0\0\0\0\0\0\0']), 257),
      );
    case 'time':
      return field('time', (header) => header.write(random.pick(sizes), 136, 12, 'latin1'));
    case 'sum':
      bytes.write(random.pick(['000000\0 ', '777777\0 ', '        ', '-00001\0 ']), at + 148);
      return { bytes, how: `checksum at ${at}` };
    case 'entry': {
      const extra = extraEntry(random);
      return { bytes: spliced(original, at, 0, extra.bytes), how: `${extra.how} before ${at}` };
    }
    case 'block': {
      const block = 512 * random.integer(original.length / 512);
      const insert = random.pick([Buffer.alloc(0), Buffer.alloc(512), original.subarray(block, block + 512)]);
      const removed = random.pick([0, 512]);
      return { bytes: spliced(original, block, removed, insert), how: `block at ${block}` };
    }
    case 'cut': {
      const end = random.integer(original.length);
      return { bytes: original.subarray(0, end), how: `cut at ${end}` };
    }
    default:
      return { bytes: flipped(original, random, 1 + random.integer(4)), how: 'bits flipped' };
  }
}

/** Something more for an archive: a header block and what it announces. */
function extraEntry(random: Random): Change {
  const [type, content] = random.pick<readonly [string, string]>([
    ['x', '21 path=../APKINDEX.x\n'],
    ['x', '11 size=99\n'],
    ['x', '13 comment=x\n'],
    ['x', '99 comment=x\n'],
    ['x', '12 comment=x15 path=APKINDE\n'],
    ['x', '-1 size=99\n'],
    ['g', '11 size=99\n'],
    ['g', '13 comment=x\n'],
    ['L', `${'A'.repeat(300)}\0`],
    ['L', 'APKINDEX\0'],
    ['K', 'APKINDEX\0'],
    ['0', 'P:evil\nV:6.6.6-r0\n\n'],
    ['\0', 'P:evil\nV:6.6.6-r0\n\n'],
    ['2', ''],
  ]);
  const name = random.pick(['APKINDEX', 'DESCRIPTION', 'FUTURE', './PaxHeaders/x', '././@LongLink']);
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  block.write('ustar\x0000', 257);
  changeHeader(block, 0, (header) => header.write(type, 156, 'latin1'));
  const body = Buffer.alloc(512 * Math.ceil(content.length / 512));
  body.write(content);
  return { bytes: Buffer.concat([block, body]), how: `${JSON.stringify(type)} ${name}` };
}

const lines = [
  '', '\n', '\n\n', ' ', 'P:', 'V:', 'P:__proto__', 'V:1..2', 'V:9999999999999999999999-r0', 'A:aarch64', 't:-1', 't:1e9',
  't:99999999999999999999', 'C:', 'C:Q1', 'D:==', 'D:a==b= c>=<1', 'p:=', 'p:= =1 a=', `p:${'x '.repeat(500)}`, 'Z:1', 'B:1',
  'no colon', ':', '\r', 'P:a\rV:1', 'P:\0', 'P:<script>', `P:${'n'.repeat(70_000)}`, 'p:a=1\np:a=2', 'D:package-1=1.0-r0',
]; // prettier-ignore

function mutateText(original: Buffer, random: Random): Change {
  const at = random.integer(original.length);
  const lineStart = original.lastIndexOf(0x0a, at) + 1;
  const lineEnd = original.indexOf(0x0a, at) + 1;
  switch (random.pick(['line', 'line', 'drop', 'double', 'byte', 'cut', 'remove', 'crlf'])) {
    case 'line': {
      const line = random.pick(lines);
      const bytes = spliced(original, lineStart, 0, Buffer.from(`${line}\n`));
      return { bytes, how: `${JSON.stringify(line.slice(0, 40))} inserted at ${lineStart}` };
    }
    case 'drop':
      return {
        bytes: spliced(original, lineStart, lineEnd - lineStart),
        how: `line at ${lineStart} dropped`,
      };
    case 'double': {
      const line = original.subarray(lineStart, lineEnd);
      return { bytes: spliced(original, lineStart, 0, line), how: `line at ${lineStart} doubled` };
    }
    case 'byte': {
      const byte = random.integer(128);
      return { bytes: spliced(original, at, 1, Buffer.of(byte)), how: `byte ${byte} at ${at}` };
    }
    case 'cut':
      return { bytes: original.subarray(0, at), how: `cut at ${at}` };
    case 'remove':
      return { bytes: spliced(original, at, 1 + random.integer(500)), how: `removed at ${at}` };
    default:
      return { bytes: Buffer.from(original.toString().replaceAll('\n', '\r\n')), how: 'CRLF' };
  }
}

function headerOffsets(archive: Buffer): readonly number[] {
  const offsets: number[] = [];
  for (let offset = 0; offset + 512 <= archive.length && archive[offset] !== 0;) {
    offsets.push(offset);
    offset +=
      512 + 512 * Math.ceil(parseInt(archive.toString('latin1', offset + 124, offset + 135), 8) / 512);
  }
  return offsets;
}

function flipped(original: Buffer, random: Random, bits: number): Buffer {
  const bytes = Buffer.from(original);
  for (let i = 0; i < bits; i += 1) {
    const at = random.integer(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << random.integer(8));
  }
  return bytes;
}

function spliced(original: Buffer, at: number, removed: number, inserted: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([original.subarray(0, at), inserted, original.subarray(at + removed)]);
}

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.integer(256)));
}
