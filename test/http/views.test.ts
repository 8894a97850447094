/** `/wolfi@7d/…`: a datasource as if what is younger did not exist (docs/decisions/017). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const { signal } = new AbortController();
const DAY = 86_400_000;
const START = Date.UTC(2026, 6, 24, 6);
const BROWSER = 'text/html,application/xhtml+xml,*/*;q=0.8';

/** Built so many days before the start. */
const days = (age: number): Record<string, string> => ({ t: String((START - age * DAY) / 1000) });

const curl = pkg('curl', '8.0-r0', days(100));
const curlNew = pkg('curl', '8.1-r0', days(3));
const curlNewest = pkg('curl', '8.2-r0', days(1));
const stanzas = [
  curl,
  curlNew,
  curlNewest,
  // Old enough itself, but it needs something that is not.
  pkg('jq', '1.6-r0', days(100)),
  pkg('jq', '1.7-r0', { ...days(50), D: 'libjq=1.7-r0' }),
  pkg('libjq', '1.7-r0', { ...days(2), p: 'so:libjq.so.1=1' }),
  pkg('brandnew', '1-r0', days(1)),
  pkg('undated', '1-r0', { t: '' }),
];

interface Clock {
  now: number;
}

async function offer(
  upstream: Upstream,
  all: readonly Stanza[],
  archs: readonly string[] = ['x86_64', 'aarch64'],
): Promise<void> {
  for (const arch of archs)
    upstream.serve(arch, await signedIndex(all.map((each) => ({ ...each, A: arch }))));
}

async function serving(upstream: Upstream, clock: Clock, config: object = {}): Promise<TestService> {
  const service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url] } }, ...config },
    now: () => clock.now,
  });
  await service.beacon.refreshOnce(signal);
  return service;
}

async function started(): Promise<
  { clock: Clock; upstream: Upstream; service: TestService } & AsyncDisposable
> {
  const upstream = await startUpstream();
  await offer(upstream, stanzas);
  const clock = { now: START };
  const service = await serving(upstream, clock);
  return {
    clock,
    upstream,
    service,
    async [Symbol.asyncDispose]() {
      await service[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

async function versions({ get }: TestService, path: string): Promise<readonly string[]> {
  const body = (await get(path)).json<{ releases: { version: string; isDeprecated?: true }[] }>();
  return body.releases.map(({ version, isDeprecated }) => (isDeprecated ? `${version} (gone)` : version));
}

test('younger versions do not exist, and versions that need one of them exactly are withheld', async () => {
  await using all = await started();
  const { service } = all;
  expect(await versions(service, '/wolfi/curl')).toEqual(['8.0-r0', '8.1-r0', '8.2-r0']);
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0']);
  expect(await versions(service, '/wolfi@2d/curl')).toEqual(['8.0-r0', '8.1-r0']);
  expect(await versions(service, '/wolfi@48h/curl')).toEqual(['8.0-r0', '8.1-r0']);
  expect(await versions(service, '/wolfi%407d/curl')).toEqual(['8.0-r0']);
  expect((await service.get('/wolfi@7d/curl/latest')).body).toBe('8.0-r0\n');
  expect((await service.get('/wolfi@7d/-/latest/curl')).body).toBe('8.0-r0\n');
  expect((await service.get('/wolfi@7d/curl/badge.svg')).body).toContain('8.0-r0');
  expect(await versions(service, '/wolfi@7d/x86_64/curl.json')).toEqual(['8.0-r0']);
  expect(await versions(service, '/wolfi/jq')).toEqual(['1.6-r0', '1.7-r0']);
  expect(await versions(service, '/wolfi@7d/jq')).toEqual(['1.6-r0']);
  expect(await versions(service, '/wolfi@7d/so:libjq.so.1')).toEqual([]);
  const search = (await service.get('/wolfi@7d/-/search?q=brandnew')).json<{ hits: object[] }>();
  expect(search).toMatchObject({ datasource: 'wolfi@7d', hits: [] });
  expect((await service.get('/wolfi@12h/-/search?q=brandnew')).json<typeof search>().hits).toHaveLength(1);
});

test('a release keeps its date', async () => {
  await using all = await started();
  const [release] = (await all.service.get('/wolfi@7d/curl')).json<{ releases: object[] }>().releases;
  expect(release).toEqual({
    version: '8.0-r0',
    revision: 0,
    releaseTimestamp: new Date(START - 100 * DAY).toISOString(),
  });
});

test('packages become visible when the time comes, without a refresh', async () => {
  await using all = await started();
  const { service, clock } = all;
  const ask = async (): Promise<readonly [readonly string[], unknown, unknown]> => {
    const { headers } = await service.get('/wolfi@7d/curl');
    return [await versions(service, '/wolfi@7d/curl'), headers['x-apk-beacon-generation'], headers.etag];
  };
  const base = (await service.get('/wolfi/curl')).headers['x-apk-beacon-generation'];
  const first = await ask();
  expect(first[0]).toEqual(['8.0-r0']);
  expect(first[1]).not.toBe(base);
  clock.now = START + 4 * DAY - 1000;
  expect(await ask()).toEqual(first);
  expect((await service.get('/wolfi@7d')).json()).toMatchObject({
    heldBack: { nextAt: new Date(START + 4 * DAY).toISOString() },
  });
  clock.now = START + 4 * DAY;
  const second = await ask();
  expect(second[0]).toEqual(['8.0-r0', '8.1-r0']);
  expect(second[1]).not.toBe(first[1]);
  expect(second[2]).not.toBe(first[2]);
  const unchanged = await service.get('/wolfi@7d/curl', { 'if-none-match': second[2] as string });
  expect(unchanged.statusCode).toBe(304);
  // A clock that was ahead and is put right shows no more than it should.
  clock.now = START;
  expect(await ask()).toEqual(first);
  clock.now = START + 30 * DAY;
  expect((await ask())[0]).toEqual(['8.0-r0', '8.1-r0', '8.2-r0']);
});

test('two services with the same index and dates give the same answers', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, stanzas);
  await using one = await serving(upstream, { now: START });
  await using other = await serving(upstream, { now: START + 3_600_000 });
  const [a, b] = [await one.get('/wolfi@7d/curl'), await other.get('/wolfi@7d/curl')];
  expect(a.headers['x-apk-beacon-generation']).toBe(b.headers['x-apk-beacon-generation']);
  expect(a.body).toBe(b.body);
  expect(a.headers.etag).toBe(b.headers.etag);
});

test('a refresh is seen at once, and what it brings counts from then', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, [curl]);
  const clock = { now: START };
  await using service = await serving(upstream, clock);
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0']);
  // Backdated by its publisher.
  await offer(upstream, [curl, pkg('curl', '8.1-r0', days(90)), pkg('zlib', '1-r0', days(90))]);
  clock.now += DAY;
  await service.beacon.refreshOnce(signal);
  expect(await versions(service, '/wolfi/curl')).toEqual(['8.0-r0', '8.1-r0']);
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0']);
  clock.now += 7 * DAY;
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0', '8.1-r0']);
  await offer(upstream, [pkg('curl', '8.1-r0', days(90))]);
  await service.beacon.refreshOnce(signal);
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0 (gone)', '8.1-r0']);
});

test('the age of a version counts from when the last arch got it', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, [curl, curlNew], ['x86_64']);
  await offer(upstream, [curl], ['aarch64']);
  const clock = { now: START };
  await using service = await serving(upstream, clock);
  clock.now = START + 2 * DAY;
  await offer(upstream, [curl, curlNew], ['aarch64']);
  await service.beacon.refreshOnce(signal);
  clock.now = START + 5 * DAY;
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0']);
  expect(await versions(service, '/wolfi@7d/curl?arch=x86_64')).toEqual(['8.0-r0', '8.1-r0']);
  clock.now = START + 9 * DAY;
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0', '8.1-r0']);
});

test('a version that one arch got at an unknown time has no date, however old it is on the others', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, [curl, curlNew], ['x86_64']);
  await offer(upstream, [curl], ['aarch64']);
  const clock = { now: START };
  await using service = await serving(upstream, clock);
  await offer(upstream, [curl, curlNew], ['aarch64']);
  // A clock that was never set.
  clock.now = 0;
  await service.beacon.refreshOnce(signal);
  const { releases } = (await service.get('/wolfi/curl')).json<{ releases: object[] }>();
  expect(releases[1]).toEqual({ version: '8.1-r0', revision: 0 });
});

describe('a pin', () => {
  test.each([
    // It stays, whatever its age.
    ['8.2-r0', ['8.0-r0', '8.2-r0'], 'offered', undefined],
    ['8.1-r0', ['8.0-r0', '8.1-r0'], 'offered', undefined],
    ['8.0-r0', ['8.0-r0'], 'offered', undefined],
    ['~8.2', ['8.0-r0', '8.2-r0'], 'offered', undefined],
    // Gone from the repositories.
    ['7.0-r0', ['7.0-r0 (gone)', '8.0-r0'], 'gone', '8.0-r0'],
  ])('%s is not taken back to an older version', async (pin, listed, state, proposal) => {
    await using all = await started();
    const { service } = all;
    expect(await versions(service, `/wolfi@7d/curl?current=${encodeURIComponent(pin)}`)).toEqual(listed);
    const explained = (await service.get(`/wolfi@7d/curl/explain?current=${encodeURIComponent(pin)}`)).json<{
      pin: object;
    }>();
    expect(explained.pin).toMatchObject({ state });
    expect((explained.pin as { proposal?: string }).proposal).toBe(proposal);
  });

  test('on a version whose dependency is held back stays as well', async () => {
    await using all = await started();
    expect(await versions(all.service, '/wolfi@7d/jq?current=1.7-r0')).toEqual(['1.6-r0', '1.7-r0']);
  });

  test.each([
    ['8.0', '0', '8.0', '0'],
    ['8.0', '1', '8.0', '1'],
    // A revision that the repository does not have.
    ['8.1', '5', '8.1', '0'],
  ])('of a recipe with %s and revision %s is not taken back', async (current, revision, version, digest) => {
    await using upstream = await startUpstream();
    await offer(upstream, [curl, pkg('curl', '8.0-r1', days(1)), curlNew]);
    await using service = await serving(upstream, { now: START });
    const path = `/wolfi@7d/curl?strip=revision&current=${current}&revision=${revision}`;
    const { releases } = (await service.get(path)).json<{ releases: object[] }>();
    expect(releases.at(-1)).toMatchObject({ version, digest });
  });

  test('is not taken for withdrawn because a younger version was served without an age', async () => {
    await using all = await started();
    await all.service.get('/wolfi/curl');
    expect(await versions(all.service, '/wolfi@7d/curl')).toEqual(['8.0-r0']);
  });

  test('of a name without any version that is old enough opens and closes nothing', async () => {
    await using all = await started();
    const answer = await all.service.get('/wolfi@7d/brandnew?current=0.9-r0', { host: 'beacon:3000' });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      releases: [],
      homepage: 'http://beacon:3000/wolfi@7d/brandnew',
      heldBack: 'no matching release is known to be 7 days old',
    });
    expect((await all.service.get('/wolfi@7d/brandnew/latest')).statusCode).toBe(404);
    expect((await all.service.get('/wolfi@7d/brandnew/badge.svg')).body).toContain('brandnew: none on offer');
    expect((await all.service.get('/wolfi@7d/nothing')).json()).toMatchObject({
      error: 'no package nothing in wolfi@7d (x86_64, aarch64)',
    });
  });

  test('of such a name with very many versions links to the address that each client used', async () => {
    await using upstream = await startUpstream();
    const many = Array.from({ length: 5000 }, (_, i) => pkg('many', `${i}-r0`, days(1)));
    await offer(upstream, many);
    await using service = await serving(upstream, { now: START });
    // The view is there when both ask.
    await service.get('/wolfi@7d/few');
    const hosts = ['beacon:3000', 'other:3000'];
    const answers = await Promise.all(hosts.map((host) => service.get('/wolfi@7d/many', { host })));
    expect(answers.map((answer) => answer.json<{ homepage: string }>().homepage)).toEqual(
      hosts.map((host) => `http://${host}/wolfi@7d/many`),
    );
  });

  test.each(['brandnew.json', 'x86_64/brandnew', 'aarch64/brandnew.json'])(
    'of such a name at the path of a similar service, %s, is the same',
    async (path) => {
      await using all = await started();
      const own = await all.service.get('/wolfi@7d/brandnew');
      for (const accept of ['application/json', BROWSER]) {
        const answer = await all.service.get(`/wolfi@7d/${path}`, { accept });
        expect([answer.statusCode, answer.body]).toEqual([200, own.body]);
      }
    },
  );
});

test('explain lists the versions that are held back, and until when', async () => {
  await using all = await started();
  const { service } = all;
  const explained = (await service.get('/wolfi@7d/curl/explain')).json<Record<string, unknown>>();
  expect(explained['notes']).toContain(
    '2 versions are not known to be 7 days old; the next is 8.1-r0, from 2026-07-28T06:00Z',
  );
  expect(explained['younger']).toEqual([
    { version: '8.1-r0', releasedAt: '2026-07-21T06:00:00.000Z', visibleFrom: '2026-07-28T06:00:00.000Z' },
    { version: '8.2-r0', releasedAt: '2026-07-23T06:00:00.000Z', visibleFrom: '2026-07-30T06:00:00.000Z' },
  ]);
  expect((await service.get('/wolfi/curl/explain')).json()).not.toHaveProperty('younger');
  const text = await service.get('/wolfi@7d/brandnew/explain', { 'user-agent': 'curl/8' });
  expect(text.body).toBe(
    'brandnew on x86_64, aarch64\n  no version is old enough\n' +
      '  1 version is not known to be 7 days old; the next is 1-r0, from 2026-07-30T06:00Z\n',
  );
});

test('a name that the view hides and the datasource withholds is not called unknown', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, [
    pkg('erl-rebar3', '1-r0', { ...days(1), p: 'rebar3' }),
    pkg('rebar2', '1-r0', days(9)),
  ]);
  await using service = await serving(upstream, { now: START });
  const text = await service.get('/wolfi@7d/rebar3/explain', { 'user-agent': 'curl/8' });
  expect(text.body).toBe('rebar3 on x86_64, aarch64\n  no version is old enough\n');
  expect((await service.get('/wolfi@7d/rebar3', { accept: BROWSER })).body).toContain(
    'No version is old enough for wolfi@7d.',
  );
});

test('a package without a date counts from the first sight, and is hidden until then', async () => {
  await using all = await started();
  const { service, clock } = all;
  expect((await service.get('/wolfi@7d/undated/explain')).json()).toMatchObject({
    younger: [{ version: '1-r0', visibleFrom: new Date(START + 7 * DAY).toISOString() }],
  });
  clock.now = START + 7 * DAY;
  expect(await versions(service, '/wolfi@7d/undated')).toEqual(['1-r0']);
});

test('packages first seen by a clock that was never set are hidden, and the status says so', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, [pkg('undated', '1-r0', { t: '1700000000' })]);
  const clock = { now: Date.UTC(2020, 0, 1) };
  await using service = await serving(upstream, clock);
  clock.now = START;
  expect((await service.get('/wolfi@7d')).json()).toMatchObject({
    heldBack: { packages: 2, withoutDate: 2 },
  });
  const explained = (await service.get('/wolfi@7d/undated/explain')).json<{ notes: string[] }>();
  expect(explained).toMatchObject({ younger: [{ version: '1-r0' }] });
  expect(explained.notes).toEqual(['1 version is not known to be 7 days old; none of them has a date']);
});

test('the status and the pages are those of the view', async () => {
  await using all = await started();
  const { service } = all;
  const base = (await service.get('/wolfi')).json<Record<string, unknown>>();
  const view = (await service.get('/wolfi@7d')).json<Record<string, unknown>>();
  expect(base).not.toHaveProperty('heldBack');
  expect(view).toMatchObject({
    datasource: 'wolfi@7d',
    ready: true,
    names: 2,
    versions: 6,
    heldBack: {
      releasedAfter: '2026-07-17T06:00:00.000Z',
      packages: 10,
      withoutDate: 0,
      nextAt: '2026-07-28T06:00:00.000Z',
    },
  });
  expect(view['generation']).not.toBe(base['generation']);
  const status = await service.get('/wolfi@7d', { accept: BROWSER });
  expect(status.body).toContain('<h1>wolfi@7d</h1>');
  expect(status.body).toContain('Held back: 10 packages released after 2026-07-17 06:00 UTC.');
  const page = await service.get('/wolfi@7d/curl?current=8.0-r0', { accept: BROWSER });
  expect(page.statusCode).toBe(200);
  expect(page.body).toContain('curl=8.0-r0');
  expect(page.body).toContain('2 versions are not known to be 7 days old');
  expect(page.body).toContain('href="/wolfi@7d/curl/explain?current=8.0-r0"');
  expect(page.body).not.toContain('Renovate proposes <code>');
  const young = await service.get('/wolfi@7d/brandnew', { accept: BROWSER });
  expect(young.statusCode).toBe(404);
  expect(young.body).toContain('No version is old enough for wolfi@7d.');
  const search = await service.get('/wolfi@7d/-/search?q=curl', { accept: BROWSER });
  expect(search.body).toContain('href="/wolfi@7d/curl"');
});

test('the virtual index has what the view offers', async () => {
  await using all = await started();
  const text = gunzipSync((await all.service.get('/wolfi@7d/any/APKINDEX.tar.gz')).rawPayload).toString();
  expect([...text.matchAll(/^([PV]:.*)$/gm)].map(([, line]) => line)).toEqual([
    ...['P:curl', 'V:8.0-r0', 'P:jq', 'V:1.6-r0'],
  ]);
  const whole = gunzipSync((await all.service.get('/wolfi/any/APKINDEX.tar.gz')).rawPayload).toString();
  expect(whole).toContain('P:brandnew');
  expect((await all.service.get('/wolfi@7d/x86_64/Packages.adb')).statusCode).toBe(200);
});

test('the preset of a view asks the view', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, stanzas);
  const datasources = {
    wolfi: { repositories: [upstream.url] },
    other: { repositories: [upstream.url] },
  };
  await using service = await serving(
    upstream,
    { now: START },
    { datasources, publicUrl: 'https://beacon.example' },
  );
  const plain = (await service.get('/renovate.json')).body;
  for (const path of ['/@7d/renovate.json', '/wolfi@7d/renovate.json']) {
    const preset = await service.get(path);
    expect(preset.statusCode, path).toBe(200);
    const addresses = preset.body.match(/https:\/\/beacon\.example[^"\\]*/g) ?? [];
    expect(addresses.length, path).toBeGreaterThan(5);
    expect(addresses.filter((each) => !each.startsWith('https://beacon.example/@7d'))).toEqual([]);
  }
  // But for the age, nothing differs.
  expect(
    (await service.get('/@168h/renovate.json')).body.replaceAll('beacon.example/@7d', 'beacon.example'),
  ).toBe(plain);
  const note = encodeURIComponent('# renovate: datasource=custom.other depName=curl');
  const query = `curl?current=8.0-r0&kind=note&note=${note}`;
  expect(await versions(service, `/-/for/${query}`)).toEqual(['8.0-r0', '8.1-r0', '8.2-r0']);
  expect(await versions(service, `/@7d/-/for/${query}`)).toEqual(['8.0-r0']);
  const routed = await service.get(`/@7d/-/for/${query}`);
  expect(routed.headers['x-apk-beacon-datasource']).toBe('other');
  expect(routed.json<{ changelogUrl: string }>().changelogUrl).toBe(
    'https://beacon.example/other@7d/curl{{! other }}',
  );
});

test('lookups count for the datasource, whatever the age', async () => {
  await using all = await started();
  const { service } = all;
  for (const age of ['1d', '2d', '3d', '7d']) await service.get(`/wolfi@${age}/curl?current=8.0-r0`);
  await service.get('/wolfi@7d/brandnew?current=0.9-r0');
  const asked = (await service.get('/wolfi/-/asked')).json<{ known: { name: string; count: number }[] }>();
  expect(asked).toMatchObject({
    unknown: [],
    known: [
      { name: 'brandnew', count: 1 },
      { name: 'curl', count: 4 },
    ],
  });
  const metrics = (await service.get('/metrics')).body;
  expect(metrics).toMatch(/datasource="wolfi",result="found"\} 5\b/);
  expect(metrics).not.toMatch(/@\d|"\d+d"/);
  expect(service.served.recall('wolfi', 'curl')).toContain('8.0-r0');
});

test('any age may be asked for, and memory stays bounded', async () => {
  await using all = await started();
  const { service } = all;
  const before = await versions(service, '/wolfi@7d/curl');
  for (let hours = 1; hours <= 200; hours += 1)
    expect(await versions(service, `/wolfi@${hours}h/curl`)).toContain('8.0-r0');
  expect(await versions(service, '/wolfi@7d/curl')).toEqual(before);
});

test('searches and virtual indexes of many ages at once are refused, and later answered', async () => {
  await using all = await started();
  const { service } = all;
  const paths = Array.from({ length: 30 }, (_, i) => [
    `/wolfi@${i + 1}h/any/APKINDEX.tar.gz`,
    `/wolfi@${i + 1}h/-/search?q=curl`,
  ]).flat();
  const answers = await Promise.all(paths.map((path) => service.get(path)));
  const statuses = new Set(answers.map(({ statusCode }) => statusCode));
  expect([...statuses].sort()).toEqual([200, 429]);
  const refused = answers.find(({ statusCode }) => statusCode === 429);
  expect(refused?.headers['retry-after']).toBe('15');
  for (const path of paths) expect((await service.get(path)).statusCode).toBe(200);
});

describe('with +security', () => {
  const secdb = (secfixes: object): string =>
    JSON.stringify({ packages: [{ pkg: { name: 'curl', secfixes } }] });

  test('fixes do not wait, wherever it is asked', async () => {
    await using upstream = await startUpstream();
    await offer(upstream, stanzas);
    const feed = join(await temporaryDirectory(), 'security.json');
    await writeFile(feed, secdb({ '8.1-r0': ['CVE-2090-1'] }));
    const datasources = {
      wolfi: { repositories: [upstream.url], advisories: [{ secdb: feed }] },
      plain: { repositories: [upstream.url] },
    };
    await using service = await serving(upstream, { now: START }, { datasources });
    expect(await versions(service, '/wolfi@7d/curl')).toEqual(['8.0-r0']);
    for (const age of ['7d+security', '7d%2Bsecurity', '7d%20security', '168h+security'])
      expect(await versions(service, `/wolfi@${age}/curl`), age).toEqual(['8.0-r0', '8.1-r0']);
    expect((await service.get('/wolfi@7d+security/curl/latest')).body).toBe('8.1-r0\n');
    expect(await versions(service, '/@7d+security/wolfi/curl')).toEqual(['8.0-r0', '8.1-r0']);
    expect((await service.get('/wolfi@7d/brandnew/advisories')).json()).toEqual({
      error: 'neither the indexes nor the advisories of wolfi@7d know brandnew',
    });
    // Without advisories nothing is known to be a fix.
    expect(await versions(service, '/plain@7d+security/curl')).toEqual(['8.0-r0']);

    const lookup = (
      await service.get('/wolfi@7d+security/curl?current=8.0-r0', { host: 'beacon:3000' })
    ).json<{
      changelogUrl: string;
    }>();
    expect(lookup.changelogUrl).toContain("{{! urgent '8.1-r0' }}");
    const explained = (await service.get('/wolfi@7d+security/curl/explain')).json<{ notes: string[] }>();
    expect(explained.notes).toContain('8.1-r0 did not wait 7 days: as a fix, or because a fix needs it');
    expect(explained).toMatchObject({ younger: [{ version: '8.2-r0' }] });
    expect((await service.get('/wolfi@7d+security')).json()).toMatchObject({
      datasource: 'wolfi@7d+security',
      heldBack: { packages: 8, early: 2 },
    });
    const status = await service.get('/wolfi@7d+security', { accept: BROWSER });
    expect(status.body).toContain('Shown early, as fixes or because a fix needs them: 2.');
    const page = await service.get('/wolfi@7d+security/curl', { accept: BROWSER });
    expect(page.body).toContain('href="/wolfi@7d+security/curl/explain"');
    const search = (await service.get('/wolfi@7d+security/-/search?q=curl')).json<{ hits: object[] }>();
    expect(search).toMatchObject({ datasource: 'wolfi@7d+security', hits: [{ name: 'curl' }] });
    const index = gunzipSync(
      (await service.get('/wolfi@7d+security/any/APKINDEX.tar.gz')).rawPayload,
    ).toString();
    expect(index.match(/^V:8.*$/gm)).toEqual(['V:8.0-r0', 'V:8.1-r0']);

    const preset = (await service.get('/@7d+security/renovate.json')).body;
    expect(preset.replaceAll('/@7d+security', '/@7d')).toBe((await service.get('/@7d/renovate.json')).body);
    expect(preset).toContain('/@7d+security/-/for/');

    // What the feed says next counts at once.
    const before = (await service.get('/wolfi@7d+security')).json<{ generation: string }>().generation;
    await writeFile(feed, secdb({ '8.1-r0': ['CVE-2090-1'], '8.2-r0': ['CVE-2090-2'] }));
    await service.beacon.refreshOnce(signal);
    expect(await versions(service, '/wolfi@7d+security/curl')).toEqual(['8.0-r0', '8.2-r0']);
    expect((await service.get('/wolfi@7d+security')).json<{ generation: string }>().generation).not.toBe(
      before,
    );
  });

  test('nothing is answered before the feed is there', async () => {
    await using upstream = await startUpstream();
    await offer(upstream, stanzas);
    const datasources = {
      wolfi: { repositories: [upstream.url], advisories: [{ secdb: '/nowhere/security.json' }] },
    };
    await using service = await serving(upstream, { now: START }, { datasources });
    for (const path of ['curl', 'any/APKINDEX.tar.gz', '-/search?q=curl'])
      expect((await service.get(`/wolfi@7d+security/${path}`)).statusCode, path).toBe(429);
  });
});

describe('an address', () => {
  test.each([
    ['/wolfi@0d/curl', 400, 'expected an age'],
    ['/wolfi@366d/curl', 400, 'expected an age'],
    ['/wolfi@7x/curl', 400, 'expected an age'],
    ['/wolfi@7d@3d/curl', 400, 'expected an age'],
    ['/wolfi@/curl', 400, 'expected an age'],
    ['/@7d/curl', 400, 'after /@7d/, expected a datasource'],
    ['/@7d', 400, 'after /@7d/, expected a datasource'],
    ['/wolfi@7d/-/asked', 400, 'without an age or time: /wolfi/-/asked'],
    ['/wolfi@7d/-/changes', 400, 'without an age or time: /wolfi/-/changes'],
    ['/other@7d/curl', 404, 'no package other@7d/curl'],
    ['/wolfi@7d/sparc/APKINDEX.tar.gz', 404, 'no arch sparc'],
  ])('%s is answered with %i and a reason', async (path, status, reason) => {
    await using all = await started();
    const answer = await all.service.get(path);
    expect(answer.statusCode).toBe(status);
    expect(answer.json<{ error: string }>().error).toContain(reason);
  });

  test('with the age in front is the same', async () => {
    await using all = await started();
    expect(await versions(all.service, '/@7d/wolfi/curl')).toEqual(['8.0-r0']);
  });
});

test('a datasource that is not loaded says so', async () => {
  await using upstream = await startUpstream();
  await using service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url] } } },
  });
  expect((await service.get('/wolfi@7d/curl')).statusCode).toBe(429);
  expect((await service.get('/wolfi@7d')).json()).toMatchObject({ datasource: 'wolfi@7d', ready: false });
});
