import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  defaultReadLimits,
  readIndex,
  type ReadOptions,
  type VerifiedIndex,
} from '../../src/apk/read-index.ts';
import { parseKey } from '../../src/apk/signature.ts';
import { errorLine, IndexError } from '../../src/errors.ts';
import { failure } from '../support/failure.ts';
import { sharedData } from '../support/shared-data.ts';
import {
  changeHeader,
  indexBody,
  indexText,
  pkg,
  signatureFile,
  signatureMember,
  signedIndex,
  tar,
  testKey,
  type TarFile,
} from '../support/signed-index.ts';

const key = testKey();
const other = testKey('other.rsa.pub');
const text = indexText([pkg('foo', '1.0-r0'), pkg('bar', '2.0-r0')]);
const body = await indexBody(text);

function read(bytes: Uint8Array, options: Partial<ReadOptions> = {}): Promise<VerifiedIndex> {
  return readIndex(bytes, { keys: [key], limits: defaultReadLimits, ...options });
}

/** `ok`, or the code of the error. */
async function outcome(bytes: Uint8Array, options: Partial<ReadOptions> = {}): Promise<string> {
  try {
    const index = await read(bytes, options);
    return index.packages.packageCount === 2 ? 'ok' : `${index.packages.packageCount} packages`;
  } catch (error) {
    if (error instanceof IndexError) return error.code;
    throw error;
  }
}

const signed = (signatures: readonly TarFile[], marked = false): Promise<Buffer> =>
  tar(signatures, { marked }).then((archive) => Buffer.concat([gzipSync(archive), body]));
const good = signatureFile(body, { key });
const bad = { ...signatureFile(Buffer.from('something else'), { key }) };
const files = (...names: string[]): TarFile[] => names.map((name) => ({ name, content: text }));
const pax = (content: string): TarFile => ({ name: './PaxHeaders/x', content, type: 'pax-header' });
const half = gunzipSync(body).length >> 1;
const twoMembers = Buffer.concat([
  gzipSync(gunzipSync(body).subarray(0, half)),
  gzipSync(gunzipSync(body).subarray(half)),
]);
const signBody = async (member: Buffer): Promise<Buffer> =>
  Buffer.concat([await signatureMember(member, [{ key }]), member]);

/** For formats that apk knows, the result is the same as apk's. */
const variants: [title: string, bytes: Buffer, expected: string][] = [
  ['RSA (SHA-1)', Buffer.concat([await signatureMember(body, [{ key, algorithm: 'RSA' }]), body]), 'ok'],
  ['RSA256', await signed([good]), 'ok'],
  ['RSA512', Buffer.concat([await signatureMember(body, [{ key, algorithm: 'RSA512' }]), body]), 'ok'],
  ['an unknown key, then a known one', await signed([signatureFile(body, { key: other }), good]), 'ok'],
  [
    'an unknown algorithm, then a known one',
    await signed([{ ...good, name: `.SIGN.DSA.${key.name}` }, good]),
    'ok',
  ],
  ['two good signatures', await signed([good, signatureFile(body, { key, algorithm: 'RSA' })]), 'ok'],
  [
    'a bad and a good signature of one key',
    await signed([bad, { ...good, name: `.SIGN.RSA256.${key.name}` }]),
    'archive-malformed',
  ],
  [
    'a bad SHA-256 and a good SHA-1 signature',
    await signed([bad, signatureFile(body, { key, algorithm: 'RSA' })]),
    'signature-bad',
  ],
  [
    'two signature members',
    Buffer.concat([
      await signatureMember(body, [{ key: other }]),
      await signatureMember(body, [{ key }]),
      body,
    ]),
    'ok',
  ],
  ['a pax header before the signature', await signed([pax('13 comment=x\n'), good]), 'ok'],
  ['a body of two gzip members, both signed', await signBody(twoMembers), 'ok'],
  [
    'a body without end marker',
    await signBody(gzipSync(await tar(files('DESCRIPTION', 'APKINDEX'), { marked: false }))),
    'ok',
  ],
  [
    'APKINDEX before DESCRIPTION',
    await signBody(gzipSync(await tar(files('APKINDEX', 'DESCRIPTION')))),
    'ok',
  ],
  ['no DESCRIPTION', await signBody(gzipSync(await tar(files('APKINDEX')))), 'ok'],
  ['a future file beside the index', await signBody(gzipSync(await tar(files('APKINDEX', 'FUTURE')))), 'ok'],
  ['not signed', body, 'signature-missing'],
  [
    'an unknown key',
    Buffer.concat([await signatureMember(body, [{ key: other }]), body]),
    'signature-untrusted',
  ],
  [
    'another key under a known name',
    Buffer.concat([await signatureMember(body, [{ key: other, as: key.name }]), body]),
    'signature-bad',
  ],
  ['a signature of something else', await signed([bad]), 'signature-bad'],
  [
    'the signature of another algorithm',
    await signed([{ ...good, name: `.SIGN.RSA512.${key.name}` }]),
    'signature-bad',
  ],
  ['bytes behind the body', Buffer.concat([await signed([good]), Buffer.from('garbage')]), 'signature-bad'],
  ['a zero byte behind the body', Buffer.concat([await signed([good]), Buffer.alloc(1)]), 'signature-bad'],
  [
    'zero bytes behind the body, signed',
    await signBody(Buffer.concat([body, Buffer.alloc(512)])),
    'archive-malformed',
  ],
  [
    'garbage behind the body, signed',
    await signBody(Buffer.concat([body, Buffer.from('garbage')])),
    'archive-malformed',
  ],
  ['another gzip member behind the body', Buffer.concat([await signed([good]), body]), 'signature-bad'],
  [
    'an index in the unsigned signature member',
    await signed([good, ...files('APKINDEX')]),
    'archive-malformed',
  ],
  [
    'an index before the signature in its member',
    await signed([...files('APKINDEX'), good]),
    'signature-missing',
  ],
  ['a signature member with an end marker', await signed([good], true), 'archive-malformed'],
  [
    'a signature inside the body',
    await signBody(gzipSync(await tar([...files('APKINDEX'), good]))),
    'archive-malformed',
  ],
  ['nothing behind the signature', await signatureMember(body, [{ key }]), 'archive-malformed'],
  [
    'two APKINDEX files',
    await signBody(gzipSync(await tar(files('APKINDEX', 'APKINDEX')))),
    'archive-malformed',
  ],
  ['no APKINDEX', await signBody(gzipSync(await tar(files('DESCRIPTION')))), 'archive-malformed'],
  ['an empty body', await signBody(gzipSync(Buffer.alloc(1024))), 'archive-malformed'],
  ['a path', await signBody(gzipSync(await tar(files('../APKINDEX')))), 'archive-malformed'],
  ['an absolute path', await signBody(gzipSync(await tar(files('/APKINDEX')))), 'archive-malformed'],
  [
    'a link',
    await signBody(
      gzipSync(await tar([...files('DESCRIPTION'), { name: 'APKINDEX', content: '', type: 'symlink' }])),
    ),
    'archive-malformed',
  ],
  [
    'a folder',
    await signBody(
      gzipSync(await tar([{ name: 'x', content: '', type: 'directory' }, ...files('APKINDEX')])),
    ),
    'archive-malformed',
  ],
  [
    'a pax header that renames',
    await signBody(gzipSync(await tar([pax('17 path=APKINDEX\n'), { name: 'x', content: text }]))),
    'archive-malformed',
  ],
  ['plain text', Buffer.from(text), 'archive-malformed'],
  ['an empty file', Buffer.alloc(0), 'archive-malformed'],
  ['a gzip of nothing', gzipSync(''), 'signature-missing'],
  ['a cut signature member', (await signed([good])).subarray(0, 100), 'archive-malformed'],
];

describe('variants of one signed index', () => {
  test.each(variants)('%s', async (_, bytes, expected) => {
    expect(await outcome(bytes)).toBe(expected);
  });

  test('the key file need not end in .rsa.pub', async () => {
    const plain = testKey('artifactory');
    expect(
      await outcome(await signedIndex([pkg('a', '1'), pkg('b', '1')], [{ key: plain }]), { keys: [plain] }),
    ).toBe('ok');
  });

  test('an index taken unverified still has to be whole', async () => {
    expect(await outcome(body, { keys: 'unverified' })).toBe('ok');
    expect(await outcome(await signed([bad]), { keys: 'unverified' })).toBe('ok');
    expect(await outcome(body.subarray(0, -3), { keys: 'unverified' })).toBe('archive-malformed');
    expect(await outcome(Buffer.concat([body, Buffer.alloc(3)]), { keys: 'unverified' })).toBe(
      'archive-malformed',
    );
  });

  test('cut at any byte it is refused', async () => {
    const whole = await signed([good]);
    for (let length = 0; length < whole.length; length += 1) {
      const code = await outcome(whole.subarray(0, length), { keys: 'unverified' });
      expect(code, `${length} of ${whole.length} bytes`).toBe('archive-malformed');
    }
  });

  test('the digest of an index does not depend on its signer', async () => {
    const [first, second] = await Promise.all([
      read(await signed([good])),
      read(body, { keys: 'unverified' }),
    ]);
    expect(first.digest).toBe(second.digest);
    expect([first.keyName, second.keyName]).toEqual([key.name, undefined]);
    expect(first.description).toBe('test');
  });
});

describe('tar headers made by hand', () => {
  /** The tar of one APKINDEX with a changed header and a correct checksum. */
  async function archive(change: (header: Buffer) => void): Promise<Buffer> {
    const bytes = await tar(files('APKINDEX'));
    changeHeader(bytes, 0, change);
    return gzipSync(bytes);
  }
  const octal = (size: number): string => size.toString(8).padStart(11, '0');

  test.each<[title: string, change: (header: Buffer) => void, expected: string]>([
    ['a NUL as type', (header) => header.fill(0, 156, 157), 'ok'],
    ['no ustar magic', (header) => header.fill(0, 257, 265), 'ok'],
    [
      'a size in base 256',
      (header) => {
        header.fill(0, 124, 136);
        header[124] = 0x80;
        header.writeUInt32BE(Buffer.byteLength(text), 132);
      },
      'ok',
    ],
    [
      'a size that overflows',
      (header) => header.fill(0xff, 125, 136).fill(0x80, 124, 125),
      'archive-malformed',
    ],
    ['a negative size', (header) => header.fill(0xff, 124, 136), 'archive-malformed'],
    ['a size of 8 GiB', (header) => header.write(octal(8 * 2 ** 30 - 1), 124), 'archive-malformed'],
    [
      'a size larger than the archive',
      (header) => header.write(octal(Buffer.byteLength(text) + 4096), 124),
      'archive-malformed',
    ],
    ['a size that is no number', (header) => header.write('abcdefghijk', 124), 'archive-malformed'],
    ['a prefix', (header) => header.write('a/b', 345), 'archive-malformed'],
    ['no name', (header) => header.fill(0, 0, 100), 'archive-malformed'],
    ['a device', (header) => header.write('3', 156), 'archive-malformed'],
  ])('%s: %s', async (_, change, expected) => {
    expect(await outcome(await archive(change), { keys: 'unverified' })).toBe(expected);
  });

  test('a wrong checksum', async () => {
    const bytes = await tar(files('APKINDEX'));
    bytes[0] = 0x42;
    expect(await outcome(gzipSync(bytes), { keys: 'unverified' })).toBe('archive-malformed');
  });
});

describe('limits', () => {
  const limited = (limits: Partial<ReadOptions['limits']>): Partial<ReadOptions> => ({
    keys: 'unverified',
    limits: { ...defaultReadLimits, ...limits },
  });

  test('an inflated size beyond the limit is refused', async () => {
    expect(await outcome(body, limited({ maxInflatedBytes: 1000 }))).toBe('archive-too-large');
  });

  test('a gzip bomb is refused by its ratio', async () => {
    const bomb = gzipSync(await tar([{ name: 'APKINDEX', content: Buffer.alloc(64 * 1024 * 1024, '\n') }]));
    expect(await outcome(bomb, limited({}))).toBe('archive-too-large');
  });

  test('a signature member that swells is refused', async () => {
    const swollen = await tar([{ ...good, content: Buffer.alloc(10_000_000) }], { marked: false });
    expect(await outcome(Buffer.concat([gzipSync(swollen), body]))).toBe('archive-malformed');
  });

  test('hundreds of signature members are refused', async () => {
    const member = await signatureMember(body, [{ key: other }]);
    expect(await outcome(Buffer.concat([...Array<Buffer>(300).fill(member), body]))).toBe(
      'archive-malformed',
    );
  });

  test('an aborted read ends', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(read(await signed([good]), { signal })).rejects.toThrow('enough');
  });
});

describe.skipIf(!sharedData)('real indexes', () => {
  const folder = sharedData ?? '';
  const alpine = (id: string): string => `real/keys/alpine-devel@lists.alpinelinux.org-${id}.rsa.pub`;
  test.each<[index: string, key: string, packages: number]>([
    ['wolfi-2026-07-24/x86_64', 'wolfi-2026-07-24/keys/wolfi-replica.rsa.pub', 116_876],
    ['wolfi-2026-07-24/aarch64', 'wolfi-2026-07-24/keys/wolfi-replica.rsa.pub', 116_710],
    ['real/alpine-3.16-main-x86_64', alpine('6165ee59'), 4929],
    ['real/alpine-3.17-main-aarch64', alpine('616ae350'), 5004],
    [
      'real/apko-signing-multi',
      'real/keys/chainguard-0106f58bac88057c2ff5c2829850df492717a876ed700443550353c7ab23f5a0.rsa.pub',
      16,
    ],
    ['real/wolfictl-dag', 'real/keys/wolfi-signing.rsa.pub', 47],
  ])('%s is verified and has all its packages', async (index, keyFile, expected) => {
    const keyName = keyFile.slice(keyFile.lastIndexOf('/') + 1);
    const keys = [parseKey(keyName, readFileSync(folder + keyFile, 'utf8'))];
    const bytes = readFileSync(`${folder}${index}/APKINDEX.tar.gz`);
    const result = await readIndex(bytes, { keys, limits: defaultReadLimits });
    const independent = gunzipSync(bytes).toString('latin1').split('\nP:').length - 1;
    expect(result.packages.packageCount).toBe(expected);
    expect(result.packages.packageCount).toBe(independent);
    expect(result.keyName).toBe(keyName);
    expect(result.report).toEqual({
      badStanzas: 0,
      firstBadStanza: undefined,
      incompletePackages: 0,
    });
  });
});

describe('foreign text in errors is truncated', () => {
  const message = async (bytes: Uint8Array, options: Partial<ReadOptions> = {}): Promise<string> => {
    const error = await failure(read(bytes, options));
    expect(error).toBeInstanceOf(IndexError);
    return errorLine(error);
  };

  test('sixteen signature members with long names', async () => {
    const member = async (): Promise<Buffer> => {
      const names = Array.from({ length: 60 }, (_, i) => `.SIGN.RSA256.${'k'.repeat(80)}${i}`);
      return gzipSync(
        await tar(
          names.map((name) => ({ name, content: 'x' })),
          { marked: false },
        ),
      );
    };
    const members = await Promise.all(Array.from({ length: 16 }, member));
    const line = await message(Buffer.concat([...members, body]));
    expect(line).toContain('956 more');
    expect(line.length).toBeLessThan(700);
  });

  test('a pax keyword of 60 KB', async () => {
    const record = `GNU.sparse.${'x'.repeat(60_000)}=1\n`;
    const content = `${record.length + 6} ${record}`;
    const whole = gzipSync(await tar([pax(content), { name: 'APKINDEX', content: text }]));
    const line = await message(whole, { keys: 'unverified' });
    expect(line).toContain('pax header sets GNU.sparse.');
    expect(line).toMatch(/\(6\d{4} characters\)$/);
    expect(line.length).toBeLessThan(300);
  });

  test.each([
    ['<!DOCTYPE html><p>secret', 'HTML or XML'],
    ['{"AccessKeyId": "secret"}', 'JSON'],
    ['secret', 'text'],
    ['\x7fELFsecret', 'binary data'],
  ])('of %j only what kind of thing it is', async (content, kind) => {
    const line = await message(Buffer.from(content, 'latin1'));
    expect(line).toContain(`not gzip at byte 0: ${kind}`);
    expect(line).not.toContain('secret');
  });
});

describe('a key under another name than in the signature', () => {
  test('is named in the error', async () => {
    const bytes = await signedIndex([], [{ key, as: 'replica.rsa.pub' }]);
    const error = await failure(read(bytes, { keys: [other, key] }));
    expect(error.message).toContain(
      'signed by replica.rsa.pub (RSA256); trusted keys: other.rsa.pub, test.rsa.pub',
    );
    expect(error.message).toContain('key test.rsa.pub matches if its file is named replica.rsa.pub');
  });

  test('is not named where it did not sign', async () => {
    const error = await failure(read(await signedIndex([], [{ key: other }])));
    expect(error.message).not.toContain('fits');
  });
});

describe('a key that anyone could sign for is refused by name', () => {
  const made = (bits: number, exponent: number): string =>
    generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: exponent })
      .publicKey.export({ type: 'spki', format: 'pem' })
      .toString();
  /** The key with a different exponent. */
  const withExponent = (e: string): string => {
    const { n } = createPublicKey(made(2048, 65_537)).export({ format: 'jwk' });
    const jwk = { kty: 'RSA', n, e };
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
  };

  test.each([
    ['of 1024 bits', made(1024, 65_537), 'has 1024 bits, expected at least 2048'],
    ['with the exponent 1', withExponent('AQ'), 'has the public exponent 1'],
    ['with an even exponent', withExponent('Ag'), 'has the public exponent 2'],
  ])('%s', (_what, pem, fact) => {
    expect(() => parseKey('weak.rsa.pub', pem)).toThrow(`key weak.rsa.pub ${fact}`);
  });

  test('others are not', () => expect(parseKey('a.rsa.pub', made(2048, 3)).name).toBe('a.rsa.pub'));
});

describe('a file with packages of several archs', () => {
  const several = (...archs: string[]): Promise<Buffer> =>
    signedIndex(archs.map((arch, i) => pkg('tool', `2.${i}-r0`, { A: arch })));
  const archOf = async (archs: readonly string[], ...held: string[]): Promise<string | undefined> =>
    (await read(await several(...held), { archs })).arch;

  test('is read for the one that is wanted of it', async () => {
    const index = await read(await several('aarch64', 'x86', 'x86_64'), { archs: ['x86_64'] });
    expect(index.arch).toBe('x86_64');
    expect(index.packages.named('tool').map(({ unusable }) => unusable)).toEqual([
      'foreign-arch',
      'foreign-arch',
      undefined,
    ]);
    expect(await archOf(['x86_64', 'aarch64'], 'aarch64', 'x86', 'x86')).toBe('aarch64');
    expect(await archOf(['x86_64', 'aarch64'], 'aarch64', 'aarch64', 'x86_64')).toBe('aarch64');
    expect(await archOf(['x86_64', 'aarch64'], 'riscv64')).toBe('riscv64');
  });

  test('is refused if two archs are wanted and neither prevails', async () => {
    const error = await failure(
      read(await several('aarch64', 'x86', 'x86_64'), { archs: ['x86_64', 'aarch64'] }),
    );
    expect(error.message).toBe(
      'packages for x86_64 and aarch64 in one file: list them under archs of the repository',
    );
  });

  test('in the folder of one arch is refused', async () => {
    const error = await failure(read(await several('aarch64', 'x86', 'x86_64'), { arch: 'x86_64' }));
    expect(error.message).toContain('most packages are for aarch64, expected x86_64');
  });
});
