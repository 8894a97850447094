import { describe, expect, test } from 'vitest';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { startService, type TestService } from '../support/service.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';

const signal = new AbortController().signal;

async function serveIndexes(
  upstream: Upstream,
  stanzas: readonly Stanza[],
  archs = ['x86_64', 'aarch64'],
): Promise<void> {
  for (const arch of archs) {
    upstream.serve(arch, await signedIndex(stanzas.map((stanza) => ({ ...stanza, A: arch }))));
  }
}

const curl = [
  pkg('curl', '8.20.0-r0', { t: '1767225600', U: 'https://curl.se/' }),
  pkg('curl', '8.21.0-r1', { t: '1769904000', U: 'https://curl.se/' }),
];

/** A service with the datasources `wolfi` and `other`, both of the same upstream, loaded. */
async function loaded(upstream: Upstream, stanzas: readonly Stanza[] = curl): Promise<TestService> {
  await serveIndexes(upstream, stanzas);
  const service = await startService({
    config: {
      datasources: {
        wolfi: { repositories: [upstream.url] },
        other: { repositories: [upstream.url], archs: ['x86_64'] },
      },
    },
  });
  await service.beacon.refreshOnce(signal);
  return service;
}

test('a parameter that is not for the route is refused: the answer would be to another question', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const name = '/wolfi/curl';
  for (const path of [
    `${name}?arhc=x86_64`,
    `${name}?Arch=x86_64`,
    `${name}?arch[]=x86_64`,
    `${name}?range=~8.20`,
    `${name}?current=8.20.0-r0&_=1`,
    `${name}/latest?current=8.20.0-r0`,
    `${name}/explain?range=~8.20`,
    `${name}/advisories?line=8`,
    `${name}/badge.svg?current=8.20.0-r0`,
    `/wolfi@7d/curl?lines=8`,
    '/wolfi/-/search?q=curl&arch=x86_64',
    '/wolfi/-/changes?until=7d',
  ]) {
    const { statusCode, body } = await service.get(path);
    expect(body, path).toMatch(/^\{"error":"[\w[\]]+: not a parameter here, expected some of \w+/);
    expect(statusCode, path).toBe(400);
  }
  const page = await service.get(`${name}?arhc=x86_64`, { accept: 'text/html' });
  expect(page.statusCode).toBe(400);
  expect(page.body).toContain('arhc: not a parameter here');
  // Another version of the preset may write others.
  expect((await service.get('/-/for/curl?kind=note&later=1')).statusCode).toBe(200);
});

describe('a lookup', () => {
  test('is answered in Renovate’s JSON, at the datasource and at the root for the default one', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    for (const path of [
      '/curl',
      '/wolfi/curl',
      '/other/curl',
      '/wolfi/curl/',
      '/wolfi/c%75rl',
      '/curl?',
      'http://apk-beacon:3000/wolfi/curl?arch=',
    ]) {
      const answer = await service.get(path);
      expect(answer.statusCode, path).toBe(200);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(answer.json()).toEqual({
        releases: [
          { version: '8.20.0-r0', releaseTimestamp: '2026-01-01T00:00:00.000Z', revision: 0 },
          { version: '8.21.0-r1', releaseTimestamp: '2026-02-01T00:00:00.000Z', revision: 1 },
        ],
        homepage: 'https://curl.se/',
      });
    }
  });

  test(
    'of a name that too many packages have is an error of its own: Renovate goes on with others',
    { timeout: 60_000 },
    async () => {
      const crowd = Array.from({ length: 20_001 }, (_, i) => pkg('crowd', `${i}-r0`));
      await using upstream = await startUpstream();
      await using service = await loaded(upstream, [...curl, ...crowd]);
      for (const path of [
        '/crowd',
        '/crowd/explain',
        '/crowd/latest',
        '/crowd?current=1',
        '/-/search?q=curl',
      ]) {
        const { statusCode, body } = await service.get(path);
        expect(statusCode, path).toBe(path.includes('crowd') ? 422 : 200);
        if (statusCode === 422) expect(body).toContain('crowd: 40002 packages have this name');
      }
      expect((await service.get('/curl')).statusCode).toBe(200);
    },
  );

  test('has an ETag, a 304, and HEAD', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const { headers } = await service.get('/curl');
    expect(headers['cache-control']).toBe('max-age=60');
    expect(headers['x-apk-beacon-generation']).toMatch(/^[0-9a-f]{12}$/);
    const again = await service.get('/curl', { 'if-none-match': `"other", ${String(headers['etag'])}` });
    expect([again.statusCode, again.body]).toEqual([304, '']);
    const head = await service.ask('HEAD', '/curl');
    expect([head.statusCode, head.body, head.headers['etag']]).toEqual([200, '', headers['etag']]);
  });

  test('of an unknown name is a 404 with the datasource that was searched and similar names', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const answer = await service.get('/wolfi/crul');
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toEqual({
      error: 'no package crul in wolfi (x86_64, aarch64)',
      datasource: 'wolfi',
      archs: ['x86_64', 'aarch64'],
      closeNames: ['curl'],
    });
  });

  test('of an unknown name without a sign of a pin is not listed as asked for', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    for (const path of ['/favicon.ico', '/robots.txt', '/health', '/.env', '/wp-login.php', '/wolfi/crul'])
      expect((await service.get(path)).statusCode, path).toBe(404);
    await service.get('/gone?current=1.0-r0');
    await service.get('/lost', {
      'user-agent': 'RenovateBot/44.121.2 (https://github.com/renovatebot/renovate)',
    });
    await service.get('/curl');
    const { unknown, known } = (await service.get('/-/asked')).json<Record<string, { name: string }[]>>();
    expect(unknown?.map(({ name }) => name)).toEqual(['gone', 'lost']);
    expect(known?.map(({ name }) => name)).toEqual(['curl']);
    expect((await service.get('/metrics')).body).toContain(
      'apk_asked_names{datasource="wolfi",state="unknown"} 2',
    );
  });

  test.each([
    ['libstdc++', '/wolfi/libstdc++'],
    ['libstdc++', '/wolfi/libstdc%2B%2B'],
    ['so:libssl.so.3', '/wolfi/so:libssl.so.3'],
    ['so:libssl.so.3', '/wolfi/so%3Alibssl.so.3'],
    ['/bin/sh', '/wolfi//bin/sh'],
    ['/bin/sh', '/wolfi/%2Fbin%2Fsh'],
    ['/bin/sh', '//bin/sh'],
    ['/bin/sh', '/%2Fbin%2Fsh/'],
    ['wolfi', '/wolfi/wolfi'],
    ['latest', '/wolfi/latest'],
    ['latest', '/latest'],
    ['constructor', '/constructor'],
    ['__proto__', '/wolfi/__proto__'],
    ['x'.repeat(256), `/wolfi/${'x'.repeat(256)}`],
  ])('of %s at %s is found', async (name, path) => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, [
      pkg('provider', '1', { p: `${name}=7-r7`, t: '1769904000' }),
    ]);
    const answer = await service.get(path);
    expect(answer.json()).toEqual({
      releases: [{ version: '7-r7', releaseTimestamp: '2026-02-01T00:00:00.000Z', revision: 7 }],
    });
  });

  test('of what cannot be a name is refused as JSON', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    for (const path of [
      '/wolfi/a%zz',
      '/%',
      `/wolfi/${'x'.repeat(257)}`,
      '/curl?line=x',
      '/curl?arch=x',
      '/curl?strip=x',
    ]) {
      const answer = await service.get(path);
      expect(answer.statusCode, path).toBe(400);
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
    }
    const post = await service.ask('POST', '/curl');
    expect([post.statusCode, post.headers['allow']]).toEqual([405, 'GET, HEAD']);
    for (const method of ['GET', 'HEAD', 'PUT', 'OPTIONS']) {
      const answer = await service.ask(method, '/-/check?x');
      expect([answer.statusCode, answer.headers['allow']], method).toEqual([405, 'POST']);
    }
  });

  test('may ask for the newest version as plain text', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const answer = await service.get('/curl/latest');
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    expect(answer.body).toBe('8.21.0-r1\n');
    expect((await service.get('/wolfi/curl/latest?range=~8.20')).body).toBe('8.20.0-r0\n');
    expect((await service.get('/wolfi/curl/latest?range=~9')).statusCode).toBe(404);
    expect((await service.get('/wolfi/curl/latest?range=banana')).statusCode).toBe(400);
    expect((await service.get('/wolfi/crul/latest')).statusCode).toBe(404);
  });

  test('that takes long is not joined with one for the same address in another form', async () => {
    await using upstream = await startUpstream();
    const many = Array.from({ length: 5000 }, (_, i) => ({ P: 'many', V: `${i}-r0` }));
    await using service = await loaded(upstream, many);
    const forms = ['application/json', 'text/plain', 'text/html'];
    const answers = await Promise.all(forms.map((accept) => service.get('/many/explain', { accept })));
    const alone = [];
    for (const accept of forms) alone.push(await service.get('/many/explain', { accept }));
    for (const [i, { headers, body }] of answers.entries()) {
      expect(headers['content-type']).toBe(alone[i]?.headers['content-type']);
      expect(body === alone[i]?.body, forms[i]).toBe(true);
    }
    expect(new Set(answers.map(({ headers }) => headers['content-type'])).size).toBe(2);
  });

  test('with several pins is about the last, and so is its explanation', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const query = 'current=1-r0&current=8.19.0-r0';
    const { releases } = (await service.get(`/curl?${query}`)).json<{ releases: { version: string }[] }>();
    expect(releases.map(({ version }) => version)).toEqual(['8.19.0-r0', '8.20.0-r0', '8.21.0-r1']);
    const { pin } = (await service.get(`/curl/explain?${query}`)).json<{ pin: object }>();
    expect(pin).toMatchObject({ current: '8.19.0-r0', state: 'gone', proposal: '8.21.0-r1' });
  });

  test('does not call withdrawn for all archs what was served for one', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    upstream.serve('x86_64', await signedIndex([...curl, pkg('curl', '8.20.5-r0')]));
    await service.beacon.refreshOnce(signal);
    const before = (await service.get('/curl')).body;
    expect((await service.get('/curl?arch=x86_64')).body).toContain('8.20.5-r0');
    // Another spelling, which is not cached.
    expect((await service.get('/curl?')).body).toBe(before);
  });

  test('remembers what it served: withdrawn versions are listed as deprecated', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    await service.get('/curl');
    await serveIndexes(upstream, [pkg('curl', '8.22.0-r0', { t: '1769905000' })]);
    await service.beacon.refreshOnce(signal);
    expect((await service.get('/curl')).json()).toEqual({
      releases: [
        { version: '8.20.0-r0', isDeprecated: true, revision: 0 },
        { version: '8.21.0-r1', isDeprecated: true, revision: 1 },
        { version: '8.22.0-r0', releaseTimestamp: expect.stringMatching(/^20/) as string, revision: 0 },
      ],
    });
  });

  test('names the address that the client wrote, also to a proxy with TLS', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    for (const [forwarded, address] of [
      [undefined, 'http://beacon.example/'],
      ['http', 'http://beacon.example/'],
      ['https', 'https://beacon.example/'],
      ['HTTPS, http', 'https://beacon.example/'],
    ] as const) {
      const headers = { host: 'beacon.example', ...(forwarded && { 'x-forwarded-proto': forwarded }) };
      expect((await service.get('/renovate.json', headers)).body).toContain(`"${address}wolfi/`);
      expect((await service.get('/-/for/curl', headers)).body).toContain(`"${address}-/asked"`);
    }
  });

  test('needs the token, where one is configured; probes do not', async () => {
    await using upstream = await startUpstream();
    await serveIndexes(upstream, curl);
    await using service = await startService({
      config: { clientToken: { env: 'TOKEN' }, datasources: { wolfi: { repositories: [upstream.url] } } },
      environment: { TOKEN: 'sesame' },
    });
    await service.beacon.refreshOnce(signal);
    const codes = async (path: string, headers = {}): Promise<number> =>
      (await service.get(path, headers)).statusCode;
    expect(await codes('/curl')).toBe(401);
    expect(await codes('/', { authorization: 'Bearer open' })).toBe(401);
    expect(await codes('/curl', { authorization: 'Bearer sesame' })).toBe(200);
    // Schemes are case-insensitive (RFC 9110, 11.1).
    expect(await codes('/curl', { authorization: 'bearer sesame' })).toBe(200);
    expect(await codes('/curl', { authorization: 'bearer SESAME' })).toBe(401);
    expect([await codes('/livez'), await codes('/readyz'), await codes('/metrics')]).toEqual([200, 200, 200]);
  });
});

describe('before the first index is there', () => {
  const config = (url: string): Record<string, unknown> => ({
    datasources: { wolfi: { repositories: [url] } },
  });

  test('a lookup waits for it', async () => {
    await using upstream = await startUpstream();
    await using service = await startService({ config: { ...config(upstream.url), hold: '30s' } });
    const early = service.get('/curl/latest');
    await serveIndexes(upstream, curl);
    await service.beacon.refreshOnce(signal);
    expect((await early).body).toBe('8.21.0-r1\n');
  });

  test('a lookup that waited long enough gets a 429 with Retry-After, which Renovate repeats', async () => {
    await using upstream = await startUpstream();
    await serveIndexes(upstream, curl, ['x86_64']);
    await using service = await startService({ config: config(upstream.url) });
    await service.beacon.refreshOnce(signal);
    const answer = await service.get('/curl');
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '15']);
    const url = `${upstream.url}/aarch64/APKINDEX.tar.gz`;
    expect(answer.json()).toMatchObject({ missing: [{ index: url, error: `${url} answered 404` }] });
    const ready = await service.get('/readyz');
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toMatchObject({
      ready: false,
      datasources: { wolfi: { problems: [{ index: url, state: 'missing', error: `${url} answered 404` }] } },
    });
    expect((await service.get('/livez')).statusCode).toBe(200);
  });

  test('an index that is not required is not waited for', async () => {
    await using upstream = await startUpstream();
    await serveIndexes(upstream, curl);
    const repositories = [upstream.url, { url: `${upstream.url}/gone`, required: false }];
    await using service = await startService({ config: { datasources: { wolfi: { repositories } } } });
    await service.beacon.refreshOnce(signal);
    expect((await service.get('/curl')).statusCode).toBe(200);
    expect((await service.get('/readyz')).statusCode).toBe(200);
  });

  test('stopping ends the wait', async () => {
    await using upstream = await startUpstream();
    await using service = await startService({ config: { ...config(upstream.url), hold: '30s' } });
    const early = service.get('/curl');
    service.stop();
    expect((await early).statusCode).toBe(429);
    expect((await service.get('/readyz')).statusCode).toBe(503);
  });
});

describe('refreshing', () => {
  test('an unchanged index is not fetched again, and keeps the generation', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const { headers } = await service.get('/curl');
    await service.beacon.refreshOnce(signal);
    expect((await service.get('/curl')).headers['x-apk-beacon-generation']).toBe(
      headers['x-apk-beacon-generation'],
    );
    const metrics = (await service.get('/metrics')).body;
    expect(metrics).toMatch(
      /apk_index_fetch_total\{datasource="wolfi",repository="[^"]+",arch="aarch64",result="unchanged"\} 1/,
    );
  });

  test('an answer that the new index did not change keeps its ETag', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const before = (await service.get('/curl')).headers;
    await serveIndexes(upstream, [...curl, pkg('new', '1', { t: '1769904001' })]);
    await service.beacon.refreshOnce(signal);
    const after = (await service.get('/curl')).headers;
    expect(after['etag']).toBe(before['etag']);
    expect(after['x-apk-beacon-generation']).not.toBe(before['x-apk-beacon-generation']);
  });

  test('an index that fails keeps its last good state, and the others are refreshed', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    upstream.misbehave('aarch64', (_, response) => void response.writeHead(500).end());
    await serveIndexes(upstream, [...curl, pkg('new', '1', { t: '1769904001' })], ['x86_64']);
    await service.beacon.refreshOnce(signal);
    expect((await service.get('/curl/latest')).body).toBe('8.21.0-r1\n');
    expect((await service.get('/other/new/latest')).body).toBe('1\n');
    const ready = await service.get('/readyz');
    expect(ready.statusCode).toBe(200);
    expect(ready.json()).toMatchObject({ datasources: { wolfi: { problems: [{ state: 'failing' }] } } });
    upstream.misbehave('aarch64', undefined);
    await service.beacon.refreshOnce(signal);
    expect((await service.get('/readyz')).json()).toMatchObject({ datasources: { wolfi: { problems: [] } } });
  });

  test('logs what changed, in one line', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const before = service.logs.length;
    await serveIndexes(upstream, [...curl.slice(1), pkg('new', '1', { t: '1769904001' })], ['aarch64']);
    await service.beacon.refreshOnce(signal);
    const lines = service.logs.slice(before).map((line) => JSON.parse(line) as object);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      datasource: 'wolfi',
      added: 1,
      removed: 1,
      newest: ['new-1'],
      packages: 2,
    });
  });
});

test('the status of a datasource describes its indexes', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const summary = (await service.get('/wolfi')).json<{ indexes: object[] }>();
  expect(summary).toMatchObject({
    datasource: 'wolfi',
    ready: true,
    archs: ['x86_64', 'aarch64'],
    names: 1,
    versions: 4,
  });
  expect(summary.indexes[0]).toMatchObject({
    repository: upstream.url,
    arch: 'x86_64',
    state: 'current',
    packages: 2,
    verifiedBy: 'test.rsa.pub',
    source: 'upstream',
  });
  expect((await service.get('/')).json()).toEqual({
    service: 'apk-beacon',
    default: 'wolfi',
    datasources: ['wolfi', 'other'],
  });
});

test('/explain says why a version is or is not offered', async () => {
  await using upstream = await startUpstream();
  await serveIndexes(upstream, curl, ['x86_64']);
  await serveIndexes(upstream, curl.slice(0, 1), ['aarch64']);
  await using service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url] } } },
  });
  await service.beacon.refreshOnce(signal);
  const why = (await service.get('/wolfi/curl/explain?current=8.21.0-r1')).json();
  expect(why).toMatchObject({
    versions: [
      {
        version: '8.21.0-r1',
        offered: false,
        reasons: ['missing on aarch64 since 2026-02-01, when another arch got it'],
      },
      { version: '8.20.0-r0', offered: true },
    ],
    pin: { state: 'withheld', proposal: '8.20.0-r0' },
  });
});
