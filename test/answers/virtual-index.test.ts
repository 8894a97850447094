import { describe, expect, test } from 'vitest';
import { defaultReadLimits, readIndex, type VerifiedIndex } from '../../src/apk/read-index.ts';
import { virtualIndex } from '../../src/answers/virtual-index.ts';
import { catalogOf } from '../support/catalogs.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { adbText } from '../support/simple-adb.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

/** `name=version` of each stanza. */
function records(stanzas: Iterable<string | undefined>): readonly string[] {
  return [...stanzas]
    .filter((text) => text !== undefined)
    .map((text) => `${/^P:(.*)$/m.exec(text)?.[1]}=${/^V:(.*)$/m.exec(text)?.[1]}`);
}

const catalog = catalogOf({
  x86_64: [
    [
      pkg('curl', '8.20.0-r0', { t: '1700000000', o: 'curl', U: 'https://curl.se/', c: 'abc' }),
      pkg('curl', '8.21.0-r0'),
      pkg('kubectl-1.35', '1.35.4-r0', { p: 'kubectl=1.35 cmd:kubectl=1.35.4-r0 so:x.so=1 unversioned' }),
      pkg('broken', '1.0-r0', { D: 'missing=1.0-r0' }),
    ],
  ],
  aarch64: [
    [pkg('curl', '8.20.0-r0', { t: '1700000900' }), pkg('kubectl-1.35', '1.35.4-r0', { p: 'kubectl=1.35' })],
  ],
});

describe('the virtual index', () => {
  test('of any arch has what all archs have, provided names among it, nothing incoherent', () => {
    expect(records(virtualIndex(catalog, 'any'))).toEqual([
      'curl=8.20.0-r0',
      'kubectl=1.35',
      'kubectl-1.35=1.35.4-r0',
    ]);
  });

  test('of one arch has what that arch has', () => {
    expect(records(virtualIndex(catalog, 'x86_64'))).toEqual([
      'curl=8.20.0-r0',
      'curl=8.21.0-r0',
      'kubectl=1.35',
      'kubectl-1.35=1.35.4-r0',
    ]);
  });

  test('omits values with control characters and invalid names', () => {
    const hostile = catalogOf({
      x86_64: [
        [
          pkg('curl', '1-r0', { o: 'a\u001b[31m', U: 'https://x/\u0007', c: 'abc\u0000' }),
          pkg('e\u001b]0;vil', '1-r0'),
          pkg('e\u009bvil', '1-r0'),
          pkg('sp ace', '1-r0'),
        ],
      ],
    });
    const text = [...virtualIndex(hostile, 'x86_64')].join('');
    expect(text.match(/^P:.*$/gm)).toEqual(['P:curl']);
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect([...virtualIndex(hostile, 'x86\n64')]).toEqual([]);
  });

  test('has the fields that readers need, and the time when the last arch got the version', () => {
    const curl = [...virtualIndex(catalog, 'any')].find((each) => each !== undefined);
    expect(curl).toMatch(/^C:Q1[A-Za-z0-9+/]{27}=\nP:curl\nV:8\.20\.0-r0\nA:noarch\n/);
    expect(curl).toContain('\nU:https://curl.se/\n');
    expect(curl).toContain('\nt:1700000900\n');
    expect(curl).not.toContain('undefined');
  });
});

const key = testKey('beacon.rsa.pub');

/** A service with a repository that was read, and the key. */
async function startSigning(url: string): Promise<TestService> {
  const service = await startService({
    config: {
      datasources: { wolfi: { repositories: [url], archs: ['x86_64'] } },
      signingKey: { name: key.name, key: { env: 'SIGNING_KEY' } },
    },
    environment: { SIGNING_KEY: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  return service;
}

/** Reads an index as one who trusts the key. */
function read(bytes: Uint8Array): Promise<VerifiedIndex> {
  return readIndex(bytes, { keys: [key], limits: defaultReadLimits, arch: 'x86_64' });
}

describe('GET /{datasource}/{arch}/APKINDEX.tar.gz', () => {
  test('is an index that verifies with the operator’s key', async () => {
    await using upstream = await startUpstream();
    upstream.serve('x86_64', await signedIndex([pkg('curl', '8.20.0-r0'), pkg('curl', '8.21.0-r0')]));
    await using service = await startSigning(upstream.url);

    const response = await service.get('/wolfi/x86_64/APKINDEX.tar.gz');
    expect(response.statusCode).toBe(200);
    const index = await read(response.rawPayload);
    expect(index.keyName).toBe('beacon.rsa.pub');
    expect(index.packages.named('curl').map(({ version }) => version)).toEqual(['8.20.0-r0', '8.21.0-r0']);
    expect(index.report.badStanzas).toBe(0);

    const etag = String(response.headers['etag']);
    expect((await service.get('/wolfi/x86_64/APKINDEX.tar.gz', { 'if-none-match': etag })).statusCode).toBe(
      304,
    );
    expect((await service.get('/wolfi/any/APKINDEX.tar.gz')).statusCode).toBe(200);
    expect((await service.get('/wolfi/riscv64/APKINDEX.tar.gz')).json()).toEqual({
      error: 'no arch riscv64 in wolfi, expected one of x86_64, any',
    });
  });

  test('is the same as Packages.adb, in the format of apk 3', async () => {
    await using upstream = await startUpstream();
    const stanzas = Array.from({ length: 300 }, (_, i) =>
      pkg(`name-${i % 40}`, `1.${i}-r0`, {
        t: `${1_700_000_000 + i}`,
        o: `origin-${i % 7}`,
        // Lengths of one, two and four bytes.
        U: `https://example.com/${'x'.repeat(i === 299 ? 70_000 : i)}`,
        c: i % 2 === 0 ? 'ab'.repeat(20) : 'none',
      }),
    );
    upstream.serve('x86_64', await signedIndex(stanzas));
    await using service = await startSigning(upstream.url);
    const [text, adb] = await Promise.all(
      ['APKINDEX.tar.gz', 'Packages.adb'].map((name) => service.get(`/wolfi/x86_64/${name}`)),
    );
    expect(adb?.headers).toMatchObject({ 'content-type': 'application/octet-stream' });
    const [v2, v3] = await Promise.all(
      [text, adb].map((response) => read(response?.rawPayload ?? Buffer.alloc(0))),
    );
    expect([v2?.format, v3?.format, v3?.keyName]).toEqual(['v2', 'adb', 'beacon.rsa.pub']);
    expect(v3?.description).toBe(v2?.description);
    const all = (index: typeof v2): unknown =>
      [...(index?.packages.names() ?? [])].toSorted().map((name) =>
        index?.packages.named(name).map(({ version, builtAt, origin, url, commit }) => ({
          version,
          builtAt,
          origin,
          url,
          // What is no commit has no place in this format.
          commit: commit === 'none' ? '' : commit,
        })),
      );
    expect(all(v3)).toEqual(all(v2));
    // The plain reader of this format, which is written apart from the service, reads it so, too.
    expect(adbText(adb?.rawPayload ?? Buffer.alloc(0)).match(/^P:/gm)).toHaveLength(300);
  });

  test('is a 429 with Retry-After while nothing is loaded', async () => {
    await using service = await startService({
      config: { datasources: { wolfi: { repositories: ['http://127.0.0.1:1/os'] } } },
    });
    const response = await service.get('/wolfi/any/APKINDEX.tar.gz');
    expect(response.statusCode).toBe(429);
    expect(response.headers['retry-after']).toBe('15');
  });
});
