/** Mutants of ADB files, as in `mutants.ts`: of bytes, blocks or values, with or without a new signature. */
import { deflateRawSync, zstdCompressSync } from 'node:zlib';
import { adbFile, adbKey, block, indexValues, signatureBlock, words, type AdbPackage } from './adb.ts';
import { mutateBytes, type Change, type Mutant, type Original } from './mutants.ts';
import { adbText } from './simple-adb.ts';
import type { Random } from './random.ts';

export interface OriginalAdb extends Original {
  readonly values: Buffer;
}

/** A small index with something of everything, lists that packages share among it. */
export function originalAdb(): OriginalAdb {
  const packages: AdbPackage[] = Array.from({ length: 30 }, (_, i) => ({
    name: `package-${i % 20}`,
    version: `1.${i}-r${i % 3}`,
    builtAt: i % 7 === 0 ? 4_300_000_000 : 1_700_000_000 + i,
    origin: `origin-${i % 5}`,
    url: `https://example.com/${'x'.repeat(i * 10)}`,
    commit: i % 2 === 0 ? 'c'.repeat(40) : 'd'.repeat(64),
    priority: i,
    depends: ['so:libc.so.6', `package-${(i + 1) % 20}=1.${i}-r0`, '!conflict', 'other>=1', 'line~1'],
    provides: [`cmd:tool-${i}=1.${i}-r0`, 'virtual', `so:lib${i}.so.1=1`],
  }));
  const values = indexValues(packages);
  const bytes = adbFile([block(0, values), signatureBlock(values, adbKey())]);
  return { bytes, values, text: adbText(bytes) };
}

export function mutateAdb(original: OriginalAdb, random: Random): Mutant {
  switch (random.pick(['bytes', 'blocks', 'values', 'values', 'values', 'values'])) {
    case 'bytes': {
      const { bytes, how } = mutateBytes(enveloped(original.bytes, random), random);
      return { bytes, how: `bytes: ${how}`, trust: random.pick(['stale', 'unsigned']) };
    }
    case 'blocks': {
      const { bytes, how } = mutateBlocks(original, random);
      return {
        bytes: enveloped(bytes, random),
        how: `blocks: ${how}`,
        trust: random.pick(['stale', 'unsigned']),
      };
    }
    default: {
      const { bytes, how } = random.pick([mutateWords, mutateWords, mutateBytes])(original.values, random);
      const trust = random.pick(['stale', 'signed', 'unsigned', 'unsigned'] as const);
      const key = signatureBlock(trust === 'signed' ? bytes : original.values, adbKey());
      const file = adbFile(trust === 'unsigned' ? [block(0, bytes)] : [block(0, bytes), key]);
      return { bytes: enveloped(file, random), how: `values: ${how}`, trust };
    }
  }
}

function enveloped(file: Buffer, random: Random): Buffer {
  switch (random.pick(['none', 'none', 'none', 'deflate', 'zstd', 'stored'])) {
    case 'deflate':
      return Buffer.concat([Buffer.from('ADBd'), deflateRawSync(file)]);
    case 'zstd':
      return Buffer.concat([Buffer.from('ADBc\x02\x03'), zstdCompressSync(file)]);
    case 'stored':
      return Buffer.concat([Buffer.from('ADBc\0\0'), file]);
    default:
      return file;
  }
}

function mutateBlocks({ values }: OriginalAdb, random: Random): Change {
  const [content, good] = [block(0, values), signatureBlock(values, adbKey())];
  const odd = words([
    random.pick([0, 1, 3, 4, 0xffffffff, 0xc0000000, 0xc0000001, 0x40000004, 0x80000004]),
    0,
  ]);
  const ways: Record<string, readonly Buffer[]> = {
    'no signature': [content],
    'no values': [good],
    swapped: [good, content],
    'values twice': [content, content, good],
    'many signatures': [content, ...Array<Buffer>(20).fill(good)],
    'another first': [content, signatureBlock(Buffer.from('x'), adbKey()), good],
    'of another key': [content, signatureBlock(values, adbKey('other.pem'))],
    'data behind': [content, good, block(2, values)],
    'odd between': [content, odd, good],
    'odd first': [odd, content, good],
    'odd behind': [content, good, odd],
    nothing: [],
  };
  const how = random.pick(Object.keys(ways));
  return { bytes: adbFile(ways[how] ?? [], random.pick(['indx', 'indx', 'indx', 'pckg', '\0\0\0\0'])), how };
}

/** Changes words that stand for values: their kind, where they lead, what is counted. */
function mutateWords(original: Buffer, random: Random): Change {
  const bytes = Buffer.from(original);
  const all: string[] = [];
  for (let changes = 1 + random.integer(3); changes > 0; changes -= 1) {
    const at = 4 * (1 + random.integer(bytes.length / 4 - 1));
    const before = bytes.readUInt32LE(at);
    const kind = (of: number): number => (of * 2 ** 28 + (before % 2 ** 28)) >>> 0;
    const after = random.pick([
      0,
      1,
      0xffffffff,
      0x40000001,
      kind(random.integer(16)),
      14 * 2 ** 28 + at,
      8 * 2 ** 28 + at,
      15 * 2 ** 28 + 2,
      (before + 1) >>> 0,
      (before - 4) >>> 0,
      ((before >>> 28) * 2 ** 28 + random.integer(bytes.length + 8)) >>> 0,
      bytes.readUInt32LE(4 * random.integer(bytes.length / 4)),
    ]);
    bytes.writeUInt32LE(after, at);
    all.push(`${before.toString(16)} at ${at} is ${after.toString(16)}`);
  }
  return { bytes, how: all.join(', ') };
}
