/** What a browser is sent, what everybody else is sent from the same addresses, and what is asked beside lookups. */
import { expect, test } from 'vitest';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';

const signal = new AbortController().signal;
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';

const stanzas = [
  pkg('curl', '8.20.0-r0', { t: '1767225600', U: 'https://curl.se/', o: 'curl' }),
  pkg('curl', '8.21.0-r1', { t: '1769904000', U: 'https://curl.se/', o: 'curl' }),
  pkg('curl-dev', '8.21.0-r1', { p: 'pc:libcurl=8.21.0 cmd:curl-config=8.21.0-r1', o: 'curl' }),
  pkg('libcurl', '8.21.0-r1', { o: 'curl', D: 'libnot=1' }),
  pkg('report.json', '1-r0'),
];

async function offer(upstream: Upstream, all: readonly Stanza[]): Promise<void> {
  for (const arch of ['x86_64', 'aarch64'])
    upstream.serve(arch, await signedIndex(all.map((stanza) => ({ ...stanza, A: arch }))));
}

async function loaded(
  upstream: Upstream,
  config: object = {},
  all: readonly Stanza[] = stanzas,
): Promise<TestService> {
  await offer(upstream, all);
  const service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url] } }, ...config },
    environment: { TOKEN: 'secret' },
  });
  await service.beacon.refreshOnce(signal);
  return service;
}

/** Seconds that may pass between two answers. */
const withoutAge = (body: string): string => body.replaceAll(/"age":\d+/g, '');

test.each(['/', '/wolfi', '/wolfi/curl', '/curl?current=8.20.0-r0', '/wolfi/-/search?q=curl'])(
  '%s is a page for browsers, and JSON for other clients',
  async (path) => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream);
    const plain = await service.get(path);
    const page = await service.get(path, { accept: BROWSER });
    expect(page.statusCode).toBe(200);
    expect(page.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      vary: 'accept',
    });
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
    expect(page.body).toMatch(/^<!doctype html><html lang="en">/);
    expect(page.body).not.toContain('<script');
    for (const accept of ['*/*', 'application/json', 'application/json, text/html', 'text/html;q=0, */*']) {
      const again = await service.get(path, { accept });
      expect(again.headers['content-type'], accept).toBe('application/json; charset=utf-8');
      expect(again.headers.vary, accept).toBe('accept');
      expect(withoutAge(again.body), accept).toBe(withoutAge(plain.body));
    }
    // Once more, now that ready answers are kept.
    const after = await service.get(path, { accept: BROWSER });
    expect(after.headers['content-type']).toBe('text/html; charset=utf-8');
  },
);

test.each(['/', '/wolfi', '/wolfi/curl', '/wolfi/nothing', '/wolfi/-/search?q=curl', '/-/'])(
  'links and forms of %s have the path of publicUrl',
  async (path) => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, { publicUrl: 'https://tools.example/beacon' });
    const { body } = await service.get(path, { accept: BROWSER });
    const targets = [...body.matchAll(/ (?:href|action)="(\/[^"]*)"/g)].map(([, target]) => target);
    expect(targets).toContain('/beacon/');
    for (const target of targets) expect(target).toMatch(/^\/beacon\//);
  },
);

test('a page does not count as a lookup', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  await service.get('/wolfi/curl', { accept: BROWSER });
  await service.get('/wolfi/gone?current=1-r0', { accept: BROWSER });
  expect((await service.get('/wolfi/-/asked')).json()).toEqual({
    datasource: 'wolfi',
    unknown: [],
    known: [],
    notAsked: [],
  });
});

test('the page of a package says what to pin, what becomes of a pin and why a version is withheld', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const { body } = await service.get('/wolfi/curl?current=8.20.0-r0', { accept: BROWSER });
  expect(body).toContain('curl=8.21.0-r1');
  expect(body).toContain('<strong>Renovate proposes <code>8.21.0-r1</code></strong>');
  const withheld = await service.get('/wolfi/libcurl', { accept: BROWSER });
  expect(withheld.body).toContain('No version can be pinned now');
  expect(withheld.body).toContain('libcurl needs libnot=1, which cannot be installed on x86_64');
  expect(withheld.body).toContain('<a href="/wolfi/curl">curl</a>');
});

test('a pin is checked for the archs and the line of the page', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const hidden = async (query: string): Promise<readonly unknown[]> => {
    const { body } = await service.get(`/wolfi/curl${query}`, { accept: BROWSER });
    return [...body.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)].map((match) =>
      match.slice(1),
    );
  };
  expect(await hidden('?current=8.20.0-r0')).toEqual([]);
  expect(await hidden('?arch=x86_64&line=8.20&strip=revision')).toEqual([
    ['arch', 'x86_64'],
    ['line', '8.20'],
    ['strip', 'revision'],
  ]);
});

test('errors are pages, too: an unknown name with similar ones, an invalid parameter, an unknown path', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const unknown = await service.get('/wolfi/culr', { accept: BROWSER });
  expect(unknown.statusCode).toBe(404);
  expect(unknown.body).toContain('<a href="/wolfi/curl">curl</a>');
  for (const path of ['/wolfi/curl?arch=pdp11', `/wolfi/${'x'.repeat(300)}`, '/wolfi/-/nothing']) {
    const answer = await service.get(path, { accept: BROWSER });
    expect(answer.statusCode, path).toBe(400);
    expect(answer.headers['content-type'], path).toBe('text/html; charset=utf-8');
  }
});

test('a page of a datasource that is not loaded says so and when to come back', async () => {
  await using service = await startService({
    config: { datasources: { wolfi: { repositories: ['http://127.0.0.1:1'] } } },
  });
  const answer = await service.get('/wolfi/curl', { accept: BROWSER });
  expect(answer.statusCode).toBe(429);
  expect(answer.headers['retry-after']).toBe('15');
  expect(answer.body).toContain('wolfi is not loaded yet');
  expect((await service.get('/wolfi', { accept: BROWSER })).body).toContain('Not loaded yet');
});

test('the page of a datasource shows what a refresh changed, what is withheld and what is missed', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  await offer(upstream, [...stanzas.slice(1), pkg('curl', '8.22.0-r0', { t: '1772000000' })]);
  await service.beacon.refreshOnce(signal);
  await service.get('/wolfi/lost?current=1-r0');
  await service.get('/wolfi', { accept: BROWSER });
  await service.surveyor.idle();
  const { body } = await service.get('/wolfi', { accept: BROWSER });
  expect(body).toMatch(/1 added, 1 removed in\s+http/);
  expect(body).toContain('<a href="/wolfi/curl">curl-8.22.0-r0</a>');
  expect(body).toContain('a dependency cannot be installed');
  expect(body).toContain('<a href="/wolfi/-/search?q=lost">lost</a>');
});

test('hostile fields are text', async () => {
  const name = '"><script>alert(1)</script>';
  await using upstream = await startUpstream();
  const hostile = pkg(name, '1-r0', { U: 'javascript:alert(1)', o: '</h1><img src=x>\u202etxt' });
  await using service = await loaded(upstream, {}, [hostile]);
  const path = `/wolfi/${encodeURIComponent(name)}`;
  for (const each of [path, `/wolfi/-/search?q=${encodeURIComponent(name)}`]) {
    const { body, statusCode } = await service.get(each, { accept: BROWSER });
    expect(statusCode).toBe(200);
    expect(body).not.toMatch(/<script|<img|javascript:|\u202e/);
  }
  const badge = await service.get(`${path}/badge.svg`);
  expect(badge.body).not.toContain('<script');
  expect(badge.body).toContain('&lt;script>');
});

test('search finds names, then their beginnings, parts and typing errors, packages before provided names', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const found = async (query: string): Promise<string[]> =>
    (await service.get(`/wolfi/-/search?q=${encodeURIComponent(query)}`))
      .json<{ hits: { name: string; match: string }[] }>()
      .hits.map(({ name, match }) => `${name} ${match}`);
  expect(await found('curl')).toEqual([
    'curl exact',
    'curl-dev prefix',
    'libcurl substring',
    'pc:libcurl substring',
    'cmd:curl-config substring',
  ]);
  expect(await found('CRUL')).toEqual(['curl typo']);
  expect(await found('')).toEqual([]);
  expect((await service.get('/wolfi/-/search?q=a&q=b')).statusCode).toBe(400);
});

test('explain is text for curl and for clients that prefer text, and JSON for others', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const path = '/wolfi/curl/explain?current=8.20.0-r0';
  const json = await service.get(path);
  expect(json.json()).toMatchObject({ name: 'curl', pin: { proposal: '8.21.0-r1' } });
  for (const headers of [
    { accept: 'text/plain' },
    { accept: '*/*', 'user-agent': 'curl/8.14.1' },
    { 'user-agent': 'curl/8.14.1' },
  ]) {
    const text = await service.get(path, headers);
    expect(text.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      vary: 'accept, user-agent',
    });
    expect(text.body.split('\n')).toEqual([
      'curl on x86_64, aarch64',
      '  + 8.20.0-r0  2026-01-01',
      '  + 8.21.0-r1  2026-02-01',
      '  pin 8.20.0-r0 (offered): propose 8.21.0-r1, because 8.21.0-r1 is the newest release',
      '',
    ]);
  }
  for (const headers of [
    { accept: 'application/json', 'user-agent': 'curl/8.14.1' },
    { accept: 'application/json, text/plain, */*' },
    { accept: BROWSER },
  ])
    expect((await service.get(path, headers)).body).toBe(json.body);
  expect((await service.get('/wolfi/culr/explain', { accept: 'text/plain' })).body).toContain(
    'no index knows it; did you mean curl?',
  );
});

test('a badge shows the newest version, or that there is none', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const texts = async (name: string): Promise<string[]> => {
    const { body, headers, statusCode } = await service.get(`/wolfi/${name}/badge.svg`);
    expect([statusCode, headers['content-type']]).toEqual([200, 'image/svg+xml; charset=utf-8']);
    return [...body.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text = '']) => text);
  };
  expect(await texts('curl')).toEqual(['curl', '8.21.0-r1']);
  expect(await texts('libcurl')).toEqual(['libcurl', 'none on offer']);
  expect(await texts('culr')).toEqual(['culr', 'not found']);
});

test('the data that a page links to is of its archs, its line and its pin', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream, {}, [pkg('curl', '8.21.0-r1')]);
  upstream.serve('x86_64', await signedIndex([pkg('curl', '9-r0'), pkg('curl', '8.21.0-r1')]));
  await service.beacon.refreshOnce(signal);
  const query = '?arch=x86_64&line=9&current=%3C9.1';
  const { body } = await service.get(`/wolfi/curl${query}`, { accept: BROWSER });
  const data = [...body.matchAll(/href="([^"]*\/curl(?:\.json|\/explain|\/badge\.svg)[^"]*)"/g)];
  const [releases, explain, picture] = data.map(([, href = '']) => href.replaceAll('&amp;', '&'));
  expect((await service.get(releases ?? '')).body).toBe((await service.get(`/wolfi/curl${query}`)).body);
  const explained = (await service.get(explain ?? '')).json<object>();
  expect(explained).toMatchObject({ archs: ['x86_64'], pin: { current: '<9.1' } });
  expect((await service.get(picture ?? '')).body).toContain('9-r0');
  expect((await service.get('/wolfi/curl/badge.svg')).body).not.toContain('9-r0');
});

test('paths of similar services are answered, and are never in the way of a name', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  const own = (await service.get('/wolfi/curl')).body;
  for (const path of [
    '/curl.json',
    '/wolfi/curl.json',
    '/x86_64/curl',
    '/aarch64/curl.json',
    '/wolfi/x86_64/curl.json',
  ])
    expect((await service.get(path)).body, path).toBe(own);
  expect((await service.get('/wolfi/curl.json', { accept: BROWSER })).body).toBe(own);
  const why = (await service.get('/wolfi/curl/explain')).body;
  expect((await service.get('/wolfi/curl.json/explain')).body).toBe(why);
  const explained = (await service.get('/wolfi/x86_64/curl/explain')).json<object>();
  expect(explained).toMatchObject({ name: 'curl', archs: ['x86_64'] });
  expect((await service.get('/report.json')).json()).toMatchObject({ releases: [{ version: '1-r0' }] });
  for (const path of ['/culr.json', '/x86_64/culr', '/pdp11/curl.json', '/.json', '/x86_64/.json'])
    expect((await service.get(path)).statusCode, path).toBe(404);
});

test('one arch asked for in the path is one arch answered for, whatever came before', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream, {}, [pkg('curl', '8.21.0-r1')]);
  upstream.serve('x86_64', await signedIndex([pkg('curl', '9-r0'), pkg('curl', '8.21.0-r1')]));
  await service.beacon.refreshOnce(signal);
  const versions = async (path: string): Promise<string[]> =>
    (await service.get(path))
      .json<{ releases: { version: string }[] }>()
      .releases.map(({ version }) => version);
  for (let round = 0; round < 2; round += 1) {
    expect(await versions('/wolfi/curl')).toEqual(['8.21.0-r1']);
    expect(await versions('/wolfi/x86_64/curl.json')).toEqual(['8.21.0-r1', '9-r0']);
    expect(await versions('/wolfi/curl.json')).toEqual(['8.21.0-r1']);
    expect(await versions('/wolfi/x86_64/curl?arch=x86_64')).toEqual(['8.21.0-r1', '9-r0']);
    const { statusCode, body } = await service.get('/wolfi/x86_64/curl?arch=aarch64');
    expect([statusCode, body]).toEqual([400, '{"error":"arch: the path has x86_64"}']);
  }
});

test('/healthz is /livez', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream, { clientToken: { env: 'TOKEN' } });
  expect((await service.get('/healthz')).body).toBe('ok\n');
});

test('pages of other sites may read answers, unless a token is needed for them', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream);
  for (const path of ['/wolfi/curl', '/wolfi/culr', '/readyz', '/wolfi/curl/badge.svg'])
    expect((await service.get(path)).headers['access-control-allow-origin'], path).toBe('*');
  await using closed = await loaded(upstream, { clientToken: { env: 'TOKEN' } });
  const headers = { authorization: 'Bearer secret' };
  const answer = await closed.get('/wolfi/curl', headers);
  expect(answer.statusCode).toBe(200);
  expect(answer.headers['access-control-allow-origin']).toBeUndefined();
});

test('a page says from when a version is expected to be withdrawn, by the rule that is configured', async () => {
  await using upstream = await startUpstream();
  const repositories = [{ url: upstream.url, withdrawal: { age: '100d', days: [13, 23] } }];
  await using service = await loaded(upstream, { datasources: { wolfi: { repositories } } });
  const { body } = await service.get('/wolfi/curl', { accept: BROWSER });
  expect(body.match(/expected to be withdrawn on or after [\d-]+, by rule [\w-]+/g)).toEqual([
    'expected to be withdrawn on or after 2026-04-13, by rule old-build',
  ]);
  const { versions } = (await service.get('/wolfi/curl/explain')).json<{ versions: object[] }>();
  expect(versions).toMatchObject([
    { version: '8.21.0-r1' },
    { version: '8.20.0-r0', withdrawal: { expectedOn: '2026-04-13', rule: 'old-build', likelihood: 0.96 } },
  ]);
  expect(versions[0]).not.toHaveProperty('withdrawal');
});

test('only the answer for such a pin has it too, after the link to the changes', async () => {
  await using upstream = await startUpstream();
  const repositories = [{ url: upstream.url, withdrawal: { age: '100d', days: [13, 23] } }];
  await using service = await loaded(upstream, { datasources: { wolfi: { repositories } } });
  const linkFor = async (query: string): Promise<string> =>
    (await service.get(`/wolfi/curl${query}`)).json<{ changelogUrl?: string }>().changelogUrl ?? '';
  const mark = '#withdrawal=2026-04-13,old-build';
  expect(await linkFor('?current=8.20.0-r0')).toContain(mark);
  expect(await linkFor('?strip=revision&current=8.20.0&revision=0')).toContain(mark);
  expect(await linkFor('?current=%3D8.20.0-r0')).toContain(mark);
  for (const other of ['', '?current=8.21.0-r1', '?current=8.19.0-r0', '?current=~8'])
    expect(await linkFor(other), other).not.toContain('#');
});

test('a page of a name that has left the repositories says so', async () => {
  await using upstream = await startUpstream();
  await using service = await loaded(upstream, {
    datasources: { wolfi: { repositories: [{ url: upstream.url, maxShrink: 1 }] } },
  });
  await service.get('/wolfi/curl-dev');
  await offer(
    upstream,
    stanzas.filter(({ P }) => P !== 'curl-dev').concat(pkg('new', '1-r0', { t: '1769904001' })),
  );
  await service.beacon.refreshOnce(signal);
  const { body, statusCode } = await service.get('/wolfi/curl-dev', { accept: BROWSER });
  expect(statusCode).toBe(404);
  expect(body).toContain('the name is no longer in the repositories; 8.21.0-r1 was served before');
  const { notes } = (await service.get('/wolfi/curl-dev/explain')).json<{ notes: string[] }>();
  expect(notes).toEqual(['the name is no longer in the repositories; 8.21.0-r1 was served before']);
});

test('a build time in the future makes nothing overdue', async () => {
  await using upstream = await startUpstream();
  const repositories = [{ url: upstream.url, withdrawal: { age: '100d', days: [1, 31] } }];
  const daysAgo = (days: number): string => String(Math.floor(Date.now() / 1000) - days * 86_400);
  await using service = await loaded(upstream, { datasources: { wolfi: { repositories } } }, [
    pkg('curl', '1-r0', { t: daysAgo(110) }),
    pkg('curl', '2-r0', { t: daysAgo(10) }),
    pkg('future', '1-r0', { t: daysAgo(-3650) }),
  ]);
  const { versions } = (await service.get('/wolfi/curl/explain')).json<{ versions: object[] }>();
  expect(versions[1]).toMatchObject({ version: '1-r0', withdrawal: { rule: 'old-build' } });
});
