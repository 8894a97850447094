/** `/{datasource}/-/changes`: what the ledger tells of an upstream that changes. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changesAtom } from '../../src/http/atom.ts';
import { parseSince } from '../../src/ledger/changes.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const { signal } = new AbortController();

async function serving(
  upstream: Awaited<ReturnType<typeof startUpstream>>,
  history: readonly (readonly Stanza[])[],
): Promise<TestService> {
  const service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } } },
    cacheDir: await temporaryDirectory(),
  });
  for (const stanzas of history) {
    upstream.serve('x86_64', await signedIndex(stanzas));
    await service.beacon.refreshOnce(signal);
    await service.beacon.ledger.settled();
  }
  return service;
}

const curl = pkg('curl', '8.0-r0');
const rebuilt = pkg('curl', '8.0-r0', { T: 'rebuilt' });
const [zlib, jq] = [pkg('zlib', '1.3-r0'), pkg('jq', '1.7-r0')];

test('appeared, vanished and republished packages are listed, for all names or for one', async () => {
  await using upstream = await startUpstream();
  await using service = await serving(upstream, [
    [curl, zlib],
    [rebuilt, zlib, jq],
    [rebuilt, jq],
  ]);
  const all = (await service.get('/wolfi/-/changes')).json<{ changes: Record<string, string>[] }>();
  expect(all).toMatchObject({ datasource: 'wolfi', kept: true, more: false });
  expect(all.changes.map(({ kind, name, version, arch }) => [kind, name, version, arch])).toEqual(
    expect.arrayContaining([
      ['vanished', 'zlib', '1.3-r0', 'x86_64'],
      ['vanished', 'curl', '8.0-r0', 'x86_64'],
      ['republished', 'curl', '8.0-r0', 'x86_64'],
      ['appeared', 'jq', '1.7-r0', 'x86_64'],
    ]),
  );
  expect(all.changes).toHaveLength(4);
  const one = (await service.get('/-/changes/curl?since=1h')).json<{ changes: object[] }>();
  expect(one).toMatchObject({ package: 'curl' });
  expect(one.changes).toContainEqual(
    expect.objectContaining({ kind: 'republished', identity: rebuilt['C'], before: curl['C'] }),
  );
  expect(
    (await service.get('/wolfi/-/changes/zlib?since=2020-01-01')).json<typeof one>().changes,
  ).toHaveLength(1);
  expect((await service.get('/wolfi/-/changes?since=2099-01-01T00:00Z')).json<typeof one>().changes).toEqual(
    [],
  );
  const feed = await service.get('/wolfi/-/changes', { accept: 'application/atom+xml' });
  expect(feed.headers['content-type']).toMatch('application/atom+xml');
  expect(feed.body).toContain('<title>jq-1.7-r0 appeared (x86_64)</title>');
  expect(feed.body.match(/<entry>/g)).toHaveLength(4);
  const explained = await service.get('/wolfi/curl/explain');
  expect(explained.body).toContain(`"republishedFrom":"${curl['C']}"`);
});

describe('changes of the service, not of the repository', () => {
  const changesOf = async (service: TestService): Promise<readonly string[]> => {
    await service.beacon.restore(signal);
    await service.beacon.refreshOnce(signal);
    await service.beacon.ledger.settled();
    const { changes } = (await service.get('/wolfi/-/changes')).json<{ changes: Record<string, string>[] }>();
    return changes.map(({ kind, name }) => `${name} ${kind}`);
  };

  test('an index on disk that is older than the ledger, as after a policy was changed and changed back', async () => {
    await using upstream = await startUpstream();
    const cacheDir = await temporaryDirectory();
    const startWith = async (maxShrink: number): Promise<TestService> => {
      const repositories = [{ url: upstream.url, maxShrink }];
      const config = { datasources: { wolfi: { repositories, archs: ['x86_64'] } } };
      return await startService({ config, cacheDir });
    };
    for (const [maxShrink, stanzas, expected] of [
      [0.4, [curl], []],
      [0.5, [curl, jq], ['jq appeared']],
      [0.4, [curl, jq], ['jq appeared']],
    ] as const) {
      upstream.serve('x86_64', await signedIndex(stanzas));
      await using service = await startWith(maxShrink);
      expect(await changesOf(service)).toEqual(expected);
    }
  });

  test('an older index that a cache gives to the second of two datasources with one repository', async () => {
    await using upstream = await startUpstream();
    const wolfi = { repositories: [upstream.url], archs: ['x86_64'] };
    const config = { datasources: { wolfi, other: wolfi } };
    await using service = await startService({ config, cacheDir: await temporaryDirectory() });
    const [first, second] = service.beacon.datasources.flatMap(({ indexes }) => indexes);
    const madeAt = Math.floor(Date.now() / 1000);
    for (const [stanzas, age, readers] of [
      [[curl], 30, [first, second]],
      [[curl, jq, zlib], 10, [first]],
      [[curl, jq], 20, [second]],
    ] as const) {
      upstream.serve('x86_64', await signedIndex(stanzas, undefined, madeAt - age));
      for (const reader of readers)
        expect(await reader?.refresh(signal)).toMatchObject({ status: 'changed' });
      await service.beacon.ledger.settled();
    }
    upstream.serve('x86_64', await signedIndex([curl, jq, zlib], undefined, madeAt - 10));
    expect(await changesOf(service)).toEqual(['jq appeared', 'zlib appeared']);
  });

  test('an index made in the future does not make all later ones look older, for any observer', async () => {
    await using upstream = await startUpstream();
    const cacheDir = await temporaryDirectory();
    const config = { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } } };
    const now = Date.now() / 1000;
    for (const [stanzas, madeAt, expected] of [
      [[curl], now + 9e7, []],
      [[curl, jq], now, ['jq appeared']],
    ] as const) {
      upstream.serve('x86_64', await signedIndex(stanzas, undefined, Math.floor(madeAt)));
      await using service = await startService({ config, cacheDir });
      expect(await changesOf(service)).toEqual(expected);
      for (const folder of ['indexes', 'ledger/dates']) await rm(join(cacheDir, folder), { recursive: true });
    }
  });
});

test('a file without an arch keeps its ledger when it gets packages of one', async () => {
  await using upstream = await startUpstream();
  await using service = await startService({
    config: {
      datasources: { wolfi: { repositories: [`${upstream.url}/os/APKINDEX.tar.gz`], archs: ['x86_64'] } },
    },
    cacheDir: await temporaryDirectory(),
  });
  for (const stanzas of [
    [pkg('zlib', '1.3-r0', { A: 'noarch' })],
    [pkg('curl', '8.0-r0', { t: '1700000000' })],
  ]) {
    upstream.serve('os', await signedIndex(stanzas));
    await service.beacon.refreshOnce(signal);
    await service.beacon.ledger.settled();
  }
  const { changes } = (await service.get('/wolfi/-/changes')).json<{ changes: Record<string, string>[] }>();
  expect(changes.map(({ kind, name }) => `${name} ${kind}`)).toEqual(['curl appeared', 'zlib vanished']);
  expect((await service.get('/wolfi@7d/curl')).json()).toMatchObject({ releases: [] });
});

test('a ledger that cannot be read is a 429', async () => {
  const ledger = 'postgres://127.0.0.1:1/none';
  const wolfi = { repositories: ['http://127.0.0.1:1'], archs: ['x86_64'] };
  await using service = await startService({ config: { ledger, datasources: { wolfi } } });
  const { statusCode, headers, body } = await service.get('/wolfi/-/changes');
  expect([statusCode, headers['retry-after']]).toEqual([429, '15']);
  expect(body).toMatch(/the ledger cannot be read: no connection to PostgreSQL/);
});

test('a ledger in memory says that it keeps none', async () => {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex([curl]));
  await using service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } } },
  });
  await service.beacon.refreshOnce(signal);
  expect((await service.get('/wolfi/-/changes')).json()).toMatchObject({ kept: false, changes: [] });
  expect((await service.get('/wolfi')).json()).toMatchObject({
    ledger: { store: 'memory', kept: false, shared: false },
  });
});

describe('since', () => {
  const now = Date.UTC(2026, 6, 24, 6);
  test.each([
    ['24h', now - 86_400_000],
    ['7d', now - 7 * 86_400_000],
    ['2026-07-24', Date.UTC(2026, 6, 24)],
    ['2026-07-24T06:00Z', now],
    ['2026-07-24T08:00+02:00', now],
    ['2026-07-24T08:00 02:00', now],
    ['2026-07-24T08:00', undefined],
    ['2026-02-30x', undefined],
    ['yesterday', undefined],
  ])('%s', (text, expected) => {
    expect(parseSince(text, now)).toBe(expected);
  });

  test('one that is no time is refused', async () => {
    await using upstream = await startUpstream();
    await using service = await serving(upstream, [[curl]]);
    expect((await service.get('/wolfi/-/changes?since=soon')).statusCode).toBe(400);
  });
});

test('a feed is well-formed whatever a publisher writes', () => {
  const at = Date.UTC(2026, 6, 24);
  const change = { at, kind: 'appeared', arch: 'x86_64', repository: 'r', identity: 'Q1' } as const;
  const evil = { ...change, name: '<a>&"\u0007\ud800', version: ']]>' };
  const feed = { datasource: 'wolfi', url: 'http://h', self: 'http://h/x?a&b', now: at };
  const text = changesAtom({ changes: [evil], more: false }, feed, undefined);
  expect(text).toContain('<title>&lt;a&gt;&amp;&quot;\ufffd\ufffd-]]&gt; appeared (x86_64)</title>');
  expect(text).toContain('<id>http://h/x?a&amp;b</id>');
});
