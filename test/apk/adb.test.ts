/** Indexes of apk 3: real ones, compared with apk-tools' own dump of them, and hostile ones made here. */
import { readFileSync } from 'node:fs';
import { gunzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Lookups } from '../../src/answers/lookup.ts';
import { parseLookupQuery } from '../../src/answers/query.ts';
import { ServedVersions } from '../../src/answers/served-versions.ts';
import { parseDependency, parseProvide, type PackageTable } from '../../src/apk/package-table.ts';
import { readAdbIndex } from '../../src/apk/adb-index.ts';
import {
  defaultReadLimits,
  readIndex,
  type ReadOptions,
  type VerifiedIndex,
} from '../../src/apk/read-index.ts';
import { parseKey, type TrustedKey } from '../../src/apk/signature.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { errorLine, IndexError } from '../../src/errors.ts';
import {
  adbFile,
  adbKey,
  AdbValues,
  block,
  indexValues,
  packageValue,
  signatureBlock,
  signedAdb,
  words,
  type AdbPackage,
} from '../support/adb.ts';
import { sharedData } from '../support/shared-data.ts';
import { indexBody, indexText, pkg, testKey } from '../support/signed-index.ts';

const folder = new URL('../fixtures/adb/', import.meta.url);
const fixture = (name: string): Buffer => readFileSync(new URL(name, folder));
const trusted = (name: string): TrustedKey => parseKey(name, fixture(name).toString());
const fixtureKeys = ['rsa.pub', 'ec.pub'].map(trusted);

function read(bytes: Uint8Array, options: Partial<ReadOptions> = {}): Promise<VerifiedIndex> {
  return readIndex(bytes, { keys: [adbKey(), ...fixtureKeys], limits: defaultReadLimits, ...options });
}

async function outcome(bytes: Uint8Array, options: Partial<ReadOptions> = {}): Promise<string> {
  try {
    const { packages } = await read(bytes, options);
    return `${packages.packageCount} packages`;
  } catch (error) {
    if (error instanceof IndexError) return error.code;
    throw error;
  }
}

/** A package as printed by apk. */
interface Dumped {
  readonly name: string;
  readonly version?: string;
  readonly hashes?: string;
  readonly arch?: string;
  readonly origin?: string;
  readonly url?: string;
  readonly 'repo-commit'?: string;
  readonly 'build-time'?: number;
  readonly 'provider-priority'?: number;
  readonly depends?: readonly string[];
  readonly provides?: readonly string[];
}

/** All fields that the reader keeps, from apk's output or from the reader. */
function fieldsOf(dumped: Dumped): unknown {
  const { name, version = '', hashes = '', origin = '', url = '', depends = [], provides = [] } = dumped;
  const time = dumped['build-time'] ?? 0;
  return {
    name,
    version,
    identity: `Q1${Buffer.from(hashes, 'hex').toString('base64', 0, 20)}`,
    origin,
    url,
    commit: dumped['repo-commit'] ?? '',
    builtAt: time > 0xffffffff ? undefined : time || undefined,
    priority: dumped['provider-priority'] ?? 0,
    dependencies: depends.map(parseDependency),
    provides: provides.map(parseProvide),
  };
}

function rowsOf(packages: PackageTable): unknown[] {
  return [...packages.names()]
    .flatMap((name) => packages.named(name))
    .toSorted((a, b) => a.row - b.row)
    .map(({ name, version, identity, origin, url, commit, builtAt, priority, dependencies, provides }) => ({
      name,
      version,
      identity,
      origin,
      url,
      commit,
      builtAt,
      priority,
      dependencies,
      provides,
    }));
}

describe('treats files as apk 3.0.6 does', () => {
  test.each([
    ['n.adb', '2 packages'],
    ['n0.adb', '2 packages'],
    ['h-cnone.adb', '2 packages'],
    ['h-deflate.adb', '2 packages'],
    ['h-zstd.adb', '2 packages'],
    ['h-zstd2.adb', '2 packages'],
    ['h-ext.adb', '2 packages'],
    ['h-sig2.adb', '2 packages'],
    ['h-unkfirst.adb', '2 packages'],
    ['h-badfirst.adb', '2 packages'],
    ['h-flip.adb', 'signature-bad'],
    ['h-badsig.adb', 'signature-bad'],
    ['h-ver.adb', 'signature-bad'],
    ['h-schema.adb', 'signature-bad'],
    ['h-compat.adb', 'signature-bad'],
    ['h-nosig.adb', 'signature-missing'],
    ['h-trail.adb', 'archive-malformed'],
    ['h-trail0.adb', 'archive-malformed'],
    ['h-trunc.adb', 'archive-malformed'],
    ['h-deflatetrail.adb', 'archive-malformed'],
    ['h-zlib.adb', 'archive-malformed'],
    ['h-gz.adb', 'signature-missing'],
  ])('%s: %s', async (name, expected) => {
    expect(await outcome(fixture(name))).toBe(expected);
  });

  test.each([
    ['openwrt.adb', 'openwrt-p256.pem', 7, ''],
    ['chimera.adb', 'chimera-rsa4096.rsa.pub', 5, ''],
    ['v3.adb', 'v3-rsa3072.rsa.pub', 7, 'v3 base x86_64'],
  ])('%s, as a distribution lays it out', async (name, key, count, description) => {
    const index = await read(fixture(name), { keys: [trusted(key)] });
    expect(index).toMatchObject({ format: 'adb', arch: 'x86_64', keyName: key, description });
    expect(index.packages.packageCount).toBe(count);
    expect(await outcome(fixture(name))).toBe('signature-untrusted');
  });

  test('a version with a hash is one, and its provides are found', async () => {
    const { packages } = await read(fixture('openwrt.adb'), { keys: [trusted('openwrt-p256.pem')] });
    expect(packages.named('kernel').map(({ version }) => version)).toEqual([
      '6.12.87~0a1b2c3d4e5f60718293a4b5c6d7e8f9-r1',
    ]);
    expect(packages.providing('kmod-usb-any').map(({ name }) => name)).toEqual(['kmod-usb-core']);
  });

  test('every stored field equals the output of `apk adbdump`', async () => {
    const dumped = JSON.parse(fixture('n.json').toString()) as { packages: Dumped[]; description: string };
    const { packages, description } = await read(fixture('n.adb'));
    expect(rowsOf(packages)).toEqual(dumped.packages.map(fieldsOf));
    expect(description).toBe(dumped.description);
  });

  test('has the sizes of packages if asked for them', async () => {
    const limits = { ...defaultReadLimits, withSizes: true };
    const sizes = async (options: Partial<ReadOptions>): Promise<readonly unknown[]> => {
      const { packages } = await read(fixture('n.adb'), options);
      return [...packages.names()].flatMap((name) => packages.named(name).map((each) => each.sizes));
    };
    expect(await sizes({ limits })).toEqual([
      { packed: 320, installed: 3 },
      { packed: 424, installed: 3 },
    ]);
    expect(await sizes({})).toEqual([undefined, undefined]);
  });

  test.each([2 ** 32, 2 ** 53 - 1, 2 ** 53])('of the size %i, the same as in text', async (size) => {
    const limits = { ...defaultReadLimits, withSizes: true };
    const values = new AdbValues();
    const sizes = { 12: values.number(7_000_000_000), 13: values.number(size) };
    const large = packageValue(values, { name: 'large', version: '1-r0', fields: sizes });
    const root = values.object({ 2: values.list([large]) });
    const text = indexText([pkg('large', '1-r0', { I: '7000000000', S: String(size) })]);
    // Larger ones would be rounded.
    const packed = size < 2 ** 53 ? size : 0;
    for (const bytes of [adbFile([block(0, values.done(root))]), await indexBody(text)]) {
      const { packages } = await read(bytes, { limits, keys: 'unverified' });
      expect(packages.named('large')[0]?.sizes).toEqual({ packed, installed: 7_000_000_000 });
    }
  });

  test('is refused if cut at any byte, except after a signature', async () => {
    const whole = fixture('h-sig2.adb');
    const taken: number[] = [];
    for (let length = 0; length <= whole.length; length += 1)
      if ((await outcome(whole.subarray(0, length))) === '2 packages') taken.push(length);
    expect(taken).toEqual([944, 1224]);
  });
});

const foo: AdbPackage = { name: 'foo', version: '1.0-r0' };
const bar: AdbPackage = { name: 'bar', version: '2.0-r0' };
const values = indexValues([foo, bar]);
const extended = (type: number, size: bigint, content: Uint8Array): Buffer => {
  const head = Buffer.alloc(16);
  head.writeUInt32LE((3 * 2 ** 30 + type) >>> 0);
  head.writeBigUInt64LE(size, 8);
  return Buffer.concat([head, content, Buffer.alloc((8 - (content.length % 8)) % 8)]);
};
const good = signatureBlock(values, adbKey());
const zstd = (...frames: Uint8Array[]): Buffer => Buffer.concat([Buffer.from('ADBc\x02\x03'), ...frames]);
const skippable = Buffer.concat([words([0x184d2a50, 3]), Buffer.from('abc')]);
const signed = signedAdb(values);
const unknownVersion = Buffer.from(good).fill(1, 4, 5);

describe('frames and signatures', () => {
  test.each<[string, Uint8Array, string]>([
    ['as it should be', signed, '2 packages'],
    ['a long header', adbFile([extended(0, BigInt(values.length) + 16n, values), good]), '2 packages'],
    ['a size of 2^40', adbFile([extended(0, 2n ** 40n, values), good]), 'archive-malformed'],
    ['a size of 2^64 - 1', adbFile([extended(0, 2n ** 64n - 1n, values), good]), 'archive-malformed'],
    ['a size below the header', adbFile([block(0, values), words([2 ** 30 + 3, 0])]), 'archive-malformed'],
    ['a size of 0', adbFile([words([0, 0])]), 'archive-malformed'],
    ['no block', adbFile([]), 'archive-malformed'],
    ['a data block', adbFile([block(0, values), good, block(2, values)]), 'archive-malformed'],
    ['values twice', adbFile([block(0, values), block(0, values), good]), 'archive-malformed'],
    ['a signature first', adbFile([good, block(0, values), good]), 'archive-malformed'],
    ['values of 8 bytes', adbFile([block(0, Buffer.alloc(8))]), 'archive-malformed'],
    ['an empty signature', adbFile([block(0, values), block(1, Buffer.alloc(0)), good]), '2 packages'],
    ['a signature of another version', adbFile([block(0, values), unknownVersion]), 'signature-untrusted'],
    ['a signature of 200 kB', adbFile([block(0, values), block(1, Buffer.alloc(200_000)), good]), 'archive-malformed'],
    ['500 bad ones before the good', adbFile([block(0, values), ...Array<Buffer>(500).fill(signatureBlock(Buffer.from('x'), adbKey())), good]), '2 packages'],
    ['5,000 signatures', adbFile([block(0, values), ...Array<Buffer>(5000).fill(good)]), 'archive-malformed'],
    ['a signature with bytes behind', adbFile([block(0, values), block(1, Buffer.concat([good.subarray(4), Buffer.alloc(3)]))]), 'signature-bad'],
    ['an unknown key', signedAdb(values, adbKey('other.pem')), 'signature-untrusted'],
    ['no key', adbFile([block(0, values)]), 'signature-missing'],
    ['a signed package', adbFile([block(0, values), signatureBlock(values, adbKey(), 'pckg')], 'pckg'), 'archive-malformed'],
    ['signed values of a later format', signedAdb(Buffer.from(values).fill(1, 0, 1)), 'index-unsupported'],
    ['an envelope of an unknown kind', Buffer.from('ADBx........'), 'index-unsupported'],
    ['an unknown compression', Buffer.from('ADBc\x03\x00........'), 'index-unsupported'],
    ['an envelope in an envelope', Buffer.concat([Buffer.from('ADBc\0\0'), fixture('h-deflate.adb')]), 'archive-malformed'],
    ['two zstd frames', zstd(zstdCompressSync(signed.subarray(0, 30)), zstdCompressSync(signed.subarray(30))), '2 packages'],
    ['a frame to skip', zstd(skippable, zstdCompressSync(signed), skippable), '2 packages'],
    ['bytes behind zstd', zstd(zstdCompressSync(signed), Buffer.from('xx')), 'archive-malformed'],
    ['a cut zstd frame', zstd(zstdCompressSync(signed).subarray(0, -3)), 'archive-malformed'],
    ['nothing in zstd', zstd(), 'archive-malformed'],
  ])('%s: %#', async (_, bytes, expected) => {
    expect(await outcome(bytes)).toBe(expected);
  }); // prettier-ignore

  test.each<[string, Uint8Array, string]>([
    ['the first bytes of an envelope', Buffer.from('ADBc'), 'an ADB of only 4 bytes'],
    ['a cut frame to skip', zstd(zstdCompressSync(signed), skippable.subarray(0, -1)), 'its last zstd frame is truncated'],
    ['2,000 empty frames', zstd(...Array<Buffer>(2000).fill(zstdCompressSync(''))), 'more than 1024 zstd frames'],
    ['a signature of another version', adbFile([block(0, values), unknownVersion]), '(unknown: version 1, digest 4); trusted keys: test.pem'],
    ['a signature over a SHA-1', adbFile([block(0, values), Buffer.from(good).fill(2, 5, 6)]), '(unknown: version 0, digest 2); trusted keys: test.pem'],
    ['an empty signature', adbFile([block(0, values), block(1, Buffer.alloc(0))]), 'signed by keys with the ids nothing;'],
  ])('%s is refused, and the error says so', async (_, bytes, fact) => {
    await expect(read(bytes)).rejects.toThrow(fact);
  }); // prettier-ignore

  test('a bomb is refused by its size and its ratio', async () => {
    const bomb = zstd(zstdCompressSync(Buffer.alloc(30 * 1024 * 1024)));
    expect(await outcome(bomb)).toBe('archive-too-large');
    expect(
      await outcome(bomb, { limits: { ...defaultReadLimits, maxRatio: 1e6, maxInflatedBytes: 1e6 } }),
    ).toBe('archive-too-large');
  });

  test('a key of a curve does not vouch for an APKINDEX, nor is one of another curve a key', async () => {
    const { signedIndex, pkg } = await import('../support/signed-index.ts');
    const index = await signedIndex([pkg('foo', '1')], [{ key: testKey(), as: adbKey().name }]);
    expect(await outcome(index)).toBe('signature-untrusted');
  });

  test('the digest of an index does not depend on its signer', async () => {
    const other = await read(signedAdb(values, adbKey('other.pem')), { keys: [adbKey('other.pem')] });
    const { digest, keyName } = await read(signed);
    expect(other.digest).toBe(digest);
    expect(keyName).toBe('test.pem');
    expect((await read(adbFile([block(0, values)]), { keys: 'unverified' })).keyName).toBeUndefined();
  });
});

/** Builds an ADB. `make` returns the list of packages or, with `asRoot`, the root value. */
function made(make: (values: AdbValues) => number, { asRoot = false } = {}): Buffer {
  const all = new AdbValues();
  const value = make(all);
  return signedAdb(all.done(asRoot ? value : all.object({ 1: all.bytes('test'), 2: value })));
}

const out = 8 * 2 ** 28 + 0x0ffffff;
const error = 15 * 2 ** 28 + 2;
/** An index with foo and bar, and between them foo again with other fields. */
const beside = (change: (values: AdbValues) => Readonly<Record<number, number>>): Buffer =>
  made((all) =>
    all.list([
      packageValue(all, foo),
      packageValue(all, { name: 'odd', version: '1', fields: change(all) }),
      packageValue(all, bar),
    ]),
  );

describe('values', () => {
  test.each<[string, Uint8Array, string]>([
    ['nothing at the root', made(() => 0, { asRoot: true }), 'archive-malformed'],
    ['no packages', signedAdb(indexValues([])), '0 packages'],
    ['a number at the root', made((all) => (all.raw(Buffer.alloc(8)), 2 ** 28), { asRoot: true }), 'apkindex-malformed'],
    ['a root outside', made((all) => (all.raw(Buffer.alloc(8)), 14 * 2 ** 28 + 4000), { asRoot: true }), 'apkindex-malformed'],
    ['a root of 0 fields', made((all) => 14 * 2 ** 28 + all.raw(Buffer.alloc(8)), { asRoot: true }), 'apkindex-malformed'],
    ['packages outside', made(() => 14 * 2 ** 28 + 4000), 'apkindex-malformed'],
    ['packages beyond the end', made((all) => 14 * 2 ** 28 + all.raw(words([0x40000001, 0]))), 'apkindex-malformed'],
    ['2^32 - 1 packages', made((all) => 14 * 2 ** 28 + all.raw(words([0xffffffff, 0]))), 'apkindex-malformed'],
    ['packages that could not be written', made(() => error), 'apkindex-malformed'],
    ['a list of the other kind', made((all) => all.list([packageValue(all, foo)], 13)), '1 packages'],
    ['numbers for packages', made((all) => all.list([1, 2, 3].map((n) => all.number(n)))), 'apkindex-malformed'],
    ['itself as package', made((all) => 14 * 2 ** 28 + all.raw(words([3, 14 * 2 ** 28 + all.length, 14 * 2 ** 28 + all.length]))), 'apkindex-malformed'],
    ['a million times one package', made((all) => all.list(Array<number>(1_000_000).fill(packageValue(all, foo)))), '1 packages'],
    ['more packages than allowed', made((all) => all.list(Array<number>(5_000_001).fill(0))), 'apkindex-malformed'],
    ['3,000 packages with 20,000 provides', made((all) => {
      const provides = all.list(Array.from({ length: 20_000 }, (_, i) => all.object({ 1: all.bytes(`p${i}`) })));
      return all.list(Array.from({ length: 3000 }, (_, i) => packageValue(all, { name: `n${i}`, version: '1', fields: { 16: provides } })));
    }), 'archive-too-large'],
    ['a million overlapping strings', made((all) => {
      const start = all.raw(Buffer.alloc(1_100_000, 0x7f));
      return all.list(Array.from({ length: 200_000 }, (_, i) => packageValue(all, { name: 'x', version: '1', hash: words([i, 0, 0, 0, 0]), fields: { 7: 9 * 2 ** 28 + start + i } })));
    }), 'archive-too-large'],
  ])('%s: %#', async (_, bytes, expected) => {
    expect(await outcome(bytes)).toBe(expected);
  }); // prettier-ignore

  test.each<[string, (values: AdbValues) => Readonly<Record<number, number>>]>([
    ['a description that could not be written', () => ({ 1: error })],
    ['a number for a description', (all) => ({ 1: all.number(7) })],
    ['a specification of file names that could not be written', () => ({ 3: error })],
  ])('an index with %s is used without it', async (_, change) => {
    const root = (all: AdbValues): number =>
      all.object({ 2: all.list([packageValue(all, foo)]), ...change(all) });
    const index = await read(made(root, { asRoot: true }));
    expect([index.packages.packageCount, index.description]).toEqual([1, '']);
    expect(index.report).toMatchObject({ badStanzas: 0, incompletePackages: 0 });
  });

  test.each([
    ['a description outside', { 1: out }, 'the index has an offset outside the values'],
    ['packages that could not be written', { 2: error }, 'the index has a value of the wrong kind in place of its packages'],
  ])('an index with %s is refused, and the error says so', async (_, fields, fact) => {
    const root = (all: AdbValues): number => all.object({ 2: all.list([packageValue(all, foo)]), ...fields });
    await expect(read(made(root, { asRoot: true }))).rejects.toThrow(fact);
  }); // prettier-ignore

  test.each<[string, (values: AdbValues) => Readonly<Record<number, number>>]>([
    ['no name', () => ({ 1: 0 })],
    ['a name that could not be written', () => ({ 1: error })],
    ['a name with a line break', (all) => ({ 1: all.bytes('a\nb') })],
    ['no version', () => ({ 2: 0 })],
    ['a version that could not be written', () => ({ 2: error })],
    ['no hash', () => ({ 3: 0 })],
    ['a hash of 21 bytes', (all) => ({ 3: all.bytes(Buffer.alloc(21)) })],
    ['a string outside', () => ({ 7: out })],
    ['a string that ends outside', (all) => ({ 9: 10 * 2 ** 28 + all.raw(words([0x7fffffff])) })],
    ['a number outside', () => ({ 11: 3 * 2 ** 28 + 0x0fffffff })],
    ['dependencies outside', () => ({ 15: 14 * 2 ** 28 + 0x0ffffff })],
    ['a dependency outside', (all) => ({ 15: all.list([14 * 2 ** 28 + 0x0ffffff]) })],
    ['a provided name outside', (all) => ({ 16: all.list([all.object({ 1: out })]) })],
  ])('a package with %s is skipped, the others stay', async (_, change) => {
    const { packages, report } = await read(beside(change));
    expect([...packages.names()].toSorted()).toEqual(['bar', 'foo']);
    expect(report).toMatchObject({
      badStanzas: 1,
      firstBadStanza: expect.stringMatching(/^package 2 /) as unknown,
    });
  });

  test.each<[string, (values: AdbValues) => Readonly<Record<number, number>>]>([
    ['an origin that could not be written', () => ({ 7: error })],
    ['a number for a string', (all) => ({ 7: all.number(7) })],
    ['a string for a number', (all) => ({ 14: all.bytes('7') })],
    ['a dependency that could not be written', () => ({ 15: error })],
    ['a dependency in the list that could not be', (all) => ({ 15: all.list([error]) })],
    ['a dependency that is nothing', (all) => ({ 15: all.list([0, 0]) })],
    ['a dependency without a name', (all) => ({ 15: all.list([all.object({ 2: all.bytes('1') })]) })],
    ['a match that means nothing', (all) => ({ 15: all.list([all.object({ 1: all.bytes('m'), 2: all.bytes('1'), 3: all.number(7) })]) })],
    ['a match above those that mean something', (all) => ({ 15: all.list([all.object({ 1: all.bytes('m'), 2: all.bytes('1'), 3: all.number(33) })]) })],
    ['a name with a blank in it', (all) => ({ 16: all.list([all.object({ 1: all.bytes('a b') })]) })],
    ['a name with a sign in it', (all) => ({ 16: all.list([all.object({ 1: all.bytes('a=b') })]) })],
    ['a version with a blank in it', (all) => ({ 16: all.list([all.object({ 1: all.bytes('a'), 2: all.bytes('1 b') })]) })],
    ['a list that is a string', (all) => ({ 16: all.bytes('a') })],
  ])('a package with %s is used without it, and counted', async (_, change) => {
    const { packages, report } = await read(beside(change));
    const [odd] = packages.named('odd');
    expect([odd?.origin, odd?.priority, odd?.dependencies, odd?.provides]).toEqual(['', 0, [], []]);
    expect(report).toMatchObject({ badStanzas: 0, incompletePackages: 1 });
    expect(packages.providing('a')).toEqual([]);
  }); // prettier-ignore

  test.each([
    [0, '=1'],
    [1, '=1'],
    [2, '<1'],
    [3, '<=1'],
    [4, '>1'],
    [5, '>=1'],
    [6, '><1'],
    [8, '~1'],
    [9, '~1'],
    [11, '<~1'],
    [13, '>~1'],
  ])('match %i is written %s', async (match, written) => {
    const dependency = (all: AdbValues, more: number): number =>
      all.object({ 1: all.bytes('m'), 2: all.bytes('1'), 3: all.number(match + more) });
    const { packages } = await read(
      beside((all) => ({ 15: all.list([dependency(all, 0), dependency(all, 16)]) })),
    );
    const [odd] = packages.named('odd');
    expect(odd?.dependencies).toEqual([`m${written}`, `!m${written}`].map(parseDependency));
    expect(odd?.needsExactly).toBe(written === '=1');
  });

  test('of a match the conflict counts without a version, and nothing in a provide', async () => {
    const { packages, report } = await read(
      beside((all) => {
        const [name, version] = [all.bytes('m'), all.bytes('1')];
        const matches = [7, 32, 48, 2 ** 40].map((match) => all.object({ 1: name, 3: all.number(match) }));
        const provides = [33, 2 ** 40].map((match) =>
          all.object({ 1: name, 2: version, 3: all.number(match) }),
        );
        return { 15: all.list(matches), 16: all.list(provides) };
      }),
    );
    const [odd] = packages.named('odd');
    expect(odd?.dependencies).toEqual(['m', 'm', '!m', 'm'].map(parseDependency));
    expect(odd?.provides).toEqual(['m=1', 'm=1'].map(parseProvide));
    expect(report.incompletePackages).toBe(0);
  });

  test('a list that packages share counts for each of them, also when it is odd', async () => {
    const { packages, report } = await read(
      made((all) => {
        const provides = all.list([all.object({ 1: all.bytes('v'), 2: all.bytes('3') }), error]);
        return all.list(
          ['a', 'b', 'v'].map((name) => packageValue(all, { name, version: '1', fields: { 16: provides } })),
        );
      }),
    );
    expect(packages.providing('v').map(({ name }) => name)).toEqual(['a', 'b', 'v']);
    expect(packages.named('v').map((each) => each.conflictsWithItself)).toEqual([true]);
    expect(packages.named('a').map((each) => each.conflictsWithItself)).toEqual([false]);
    expect(report.incompletePackages).toBe(3);
  });

  test.each([15, 16])(
    'a list %i of more entries than a text could have makes its package bad',
    async (field) => {
      const lists = (entries: number): Uint8Array =>
        beside((all) => ({
          [field]: all.list(Array<number>(entries).fill(all.object({ 2: all.bytes('1') }))),
        }));
      const limits = { ...defaultReadLimits, maxLineBytes: 400 };
      expect((await read(lists(100), { limits })).report.badStanzas).toBe(0);
      const { badStanzas, firstBadStanza } = (await read(lists(101), { limits })).report;
      expect([badStanzas, firstBadStanza]).toEqual([1, 'package 2 "odd" has a list that is too long']);
    },
  );

  test('packages with much to read are read one in a step', () => {
    const origin = 'x'.repeat(100_000);
    const packages = Array.from({ length: 20 }, (_, i) => ({
      name: 'a',
      version: '1',
      origin: `${origin}${i}`,
    }));
    const work = readAdbIndex(indexValues(packages), defaultReadLimits);
    let steps = 0;
    while (!work.next().done) steps += 1;
    expect(steps).toBeGreaterThanOrEqual(packages.length);
  });

  test('of packages with the same first 20 bytes of a hash the first one counts', async () => {
    const [twenty, more] = [Buffer.alloc(20, 1), Buffer.concat([Buffer.alloc(20, 1), Buffer.alloc(12, 2)])];
    const { packages } = await read(
      signedAdb(
        indexValues([
          { ...foo, hash: twenty },
          { ...bar, hash: more },
          { ...bar, hash: Buffer.alloc(64) },
        ]),
      ),
    );
    expect(rowsOf(packages)).toMatchObject([{ name: 'foo' }, { name: 'bar' }]);
  });

  test('a provide that is a conflict is the provide of its name, as in apk', async () => {
    const made = { name: 'a', version: '9-r0', provides: ['!foo=1.2-r0', '!bar'] };
    const { packages } = await read(signedAdb(indexValues([made])));
    expect(packages.named('a')[0]?.provides).toEqual([
      { name: 'foo', version: '1.2-r0' },
      { name: 'bar', version: undefined },
    ]);
    expect(packages.providing('foo')[0]?.provided('foo')).toEqual(['1.2-r0']);
  });

  test('a package with install_if that conflicts with itself would be installed automatically, as in text', async () => {
    const twice = ['odd=1', 'odd'];
    const { packages } = await read(
      made((all) => {
        const condition = all.list([
          all.object({ 1: all.bytes('bar'), 2: all.bytes('1'), 3: all.number(5) }),
        ]);
        const odd = { name: 'odd', version: '1', provides: twice, fields: { 18: condition } };
        return all.list([odd, { ...odd, name: 'fine', provides: [] }].map((each) => packageValue(all, each)));
      }),
    );
    expect(packages.autoInstalls).toEqual([
      { row: 0, package: 'odd-1', installIf: [parseDependency('bar>=1')] },
    ]);
  });

  test('the provider priority has 16 bits', async () => {
    const priorities = [65_535, 65_536, 2 ** 32 + 10];
    const values = new AdbValues();
    values.raw(Buffer.from('0300ffffffffffff', 'hex'));
    const far = packageValue(values, { name: 'a', version: '3-r0', fields: { 14: 3 * 2 ** 28 + 8 } });
    const made = priorities.map((priority, i) => ({ name: 'a', version: `${i}-r0`, priority }));
    const { packages } = await read(signedAdb(indexValues(made)));
    expect(packages.named('a').map(({ priority }) => priority)).toEqual([65_535, 0, 10]);
    const file = adbFile([block(0, values.done(values.object({ 2: values.list([far]) })))]);
    expect((await read(file, { keys: 'unverified' })).packages.named('a')[0]?.priority).toBe(3);
  });

  test('times and commits', async () => {
    const index = await read(
      signedAdb(
        indexValues([
          { ...foo, builtAt: 1_700_000_000, commit: 'ab'.repeat(20) },
          { ...bar, builtAt: 4_300_000_000, commit: 'cd'.repeat(32) },
        ]),
      ),
    );
    expect(rowsOf(index.packages)).toMatchObject([
      { builtAt: 1_700_000_000, commit: 'ab'.repeat(20) },
      { builtAt: undefined, commit: 'cd'.repeat(32) },
    ]);
    expect(index).toMatchObject({ newestBuiltAt: 1_700_000_000, madeAt: 0 });
  });

  test('packages of another arch are there and not installable, `all` among them', async () => {
    const index = await read(
      signedAdb(
        indexValues([
          foo,
          bar,
          { name: 'a', version: '1', arch: 'all' },
          { name: 'n', version: '1', arch: 'noarch' },
        ]),
      ),
    );
    expect(index.arch).toBe('x86_64');
    const unusable = ['foo', 'a', 'n'].map((name) => index.packages.named(name)[0]?.unusable);
    expect(unusable).toEqual([undefined, 'foreign-arch', undefined]);
  });

  test.each([{ arch: 'x86_64' }, { archs: ['x86_64'] }, {}])(
    'an index of packages for `all` is one, though apk installs none of them: %o',
    async (wanted) => {
      const made = [
        { name: 'a', version: '1', arch: 'all' },
        { name: 'b', version: '1', arch: 'all' },
        { name: 'n', version: '1', arch: 'noarch' },
      ];
      const { arch, packages } = await read(signedAdb(indexValues(made)), wanted);
      expect(arch).toBe(wanted.arch);
      const unusable = ['a', 'b', 'n'].map((name) => packages.named(name)[0]?.unusable);
      expect(unusable).toEqual(['foreign-arch', 'foreign-arch', undefined]);
    },
  );

  test('mostly bad packages are no index', async () => {
    await expect(
      read(signedAdb(indexValues([foo, { name: '', version: '1' }, { name: '', version: '2' }]))),
    ).rejects.toThrow('2 of 3 packages are bad: package 2 has no name');
  });

  test.each<[string, (values: AdbValues) => Readonly<Record<number, number>>]>([
    ['package 2 "odd" has an offset outside the values', () => ({ 7: out })],
    [`package 2 "${'n'.repeat(60)}…" has no version`, (all) => ({ 1: all.bytes('n'.repeat(100)), 2: 0 })],
    ['package 2 has no name', () => ({ 1: 0 })],
  ])('a skipped package is named: %s', async (fact, change) => {
    expect((await read(beside(change))).report.firstBadStanza).toBe(fact);
  });

  test('an error is one line and names the cause', async () => {
    const caught: unknown = await read(signedAdb(values, adbKey('other.pem'))).catch((each: unknown) => each);
    expect(errorLine(caught)).toMatch(
      /^signed by keys with the ids [0-9a-f]{32}; trusted keys: test.pem \([0-9a-f]{32}\)/,
    );
  });
});

const real = sharedData === undefined ? undefined : new URL(`file://${sharedData}adb/`);

describe.skipIf(!real)('real indexes', () => {
  const file = (name: string): Buffer => readFileSync(new URL(name, real));

  test.each(['none', 'deflate', 'zstd'])(
    'Alpine 3.17 in the envelope %s is what apk dumps',
    async (envelope) => {
      const dump = gunzipSync(file('alpine-3.17-main-aarch64.adbdump.json.gz')).toString();
      const dumped = (JSON.parse(dump) as { packages: Dumped[] }).packages;
      const { packages, report } = await read(file(`alpine-3.17-main-aarch64.${envelope}.adb`));
      // One package has a version that apk 3 could not write.
      expect(report).toMatchObject({
        badStanzas: 1,
        firstBadStanza: 'package 196 "aspell-ru" has no version',
      });
      expect(rowsOf(packages)).toEqual(dumped.filter((_, i) => i !== 195).map(fieldsOf));
    },
  );

  test('every answer of Wolfi is the same of both formats', { timeout: 300_000 }, async () => {
    const v2 = readFileSync(`${sharedData}wolfi-2026-07-24/x86_64/APKINDEX.tar.gz`);
    const indexes = await Promise.all(
      [v2, file('wolfi-2026-07-24-x86_64.adb')].map((bytes) =>
        read(bytes, { keys: 'unverified', arch: 'x86_64' }),
      ),
    );
    const [fromText, fromAdb] = indexes.map(answers);
    const names = new Set(
      indexes.flatMap(({ packages }) => [...packages.names(), ...packages.providedNames()]),
    );
    const different = [...names].filter((name) => fromText?.(name) !== fromAdb?.(name));
    expect(names.size).toBeGreaterThan(15_000);
    expect(different).toEqual([]);
  });
});

function answers({ packages }: VerifiedIndex): (name: string) => string {
  const catalog = new Catalog({
    sources: [{ repository: 'os', arch: 'x86_64', packages }],
    archs: ['x86_64'],
  });
  const lookups = new Lookups(new ServedVersions(undefined));
  const query = parseLookupQuery({}, catalog.archs);
  return (name) =>
    String(
      lookups.answer({ datasource: 'wolfi', snapshot: { catalog, generation: '' }, name, query }).answer.body,
    );
}
