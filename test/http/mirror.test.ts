/** `/wolfi@7d/{arch}/…` as a repository that apk installs from (docs/decisions/019). */
import { EventEmitter, on, once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { defaultReadLimits, readIndex } from '../../src/apk/read-index.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { adbText } from '../support/simple-adb.ts';
import { indexText, pkg, signedIndex, testKey, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const { signal } = new AbortController();
const DAY = 86_400_000;
const START = Date.UTC(2026, 6, 24, 6);
const days = (age: number): Record<string, string> => ({ t: String((START - age * DAY) / 1000) });

// apk takes its provides up to the one without a version.
const libcurl = pkg('libcurl', '8.0-r0', { ...days(90), p: 'so:libcurl.so.4=4.8 so:x= so:y=1', o: 'curl' });
const curl = pkg('curl', '8.0-r0', {
  ...days(90),
  ...{ S: '12345', I: '5000000000', T: 'a tool', L: 'curl', o: 'curl', m: 'Jane <jane@example.org>', k: '7' },
  // For apk, repeated lists add up.
  ...{
    D: 'libcurl=8.0-r0 so:libcurl.so.4>=4.1\nD:!wget busybox~1.3',
    p: 'cmd:curl=8.0-r0\np:virtual',
    i: 'a b>=2',
  },
});
const stanzas = [
  curl,
  libcurl,
  // What apk reads of these numbers are the digits at their start.
  pkg('busybox', '1.36-r0', { ...days(100), S: '0x10', I: ' 7', k: '10abc' }),
  pkg('busybox', '1.37-r0', days(1)),
  // Its identity is written in hexadecimal digits.
  pkg('data', '1-r0', { ...days(100), A: 'noarch', C: `X1${'0123456789'.repeat(4)}` }),
  // Old enough itself, but what it needs is not; and what needs that, and what nothing here meets anyway.
  pkg('jq', '1.7-r0', { ...days(50), D: 'so:libjq.so.1' }),
  pkg('jq-tools', '1.7-r0', { ...days(50), D: 'jq' }),
  pkg('libjq', '1.7-r0', { ...days(2), p: 'so:libjq.so.1=1' }),
  pkg('outside', '1-r0', { ...days(50), D: 'so:of-another-repository.so' }),
  pkg('nodejs-22', '22.1-r0', { ...days(50), p: 'nodejs=22.1' }),
  pkg('..', '1-r0', days(50)),
  pkg('bell', '1-r0', { ...days(50), T: 'a \u0007' }),
];

async function serving(config: object, cacheDir?: string): Promise<TestService> {
  const key = testKey('beacon.rsa.pub');
  const service = await startService({
    ...(cacheDir !== undefined && { cacheDir }),
    config: { signingKey: { name: key.name, key: { env: 'SIGNING_KEY' } }, ...config },
    environment: {
      SIGNING_KEY: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      PASSWORD: 'secret',
      TOKEN: 'clients',
    },
    now: () => START,
  });
  await service.beacon.refreshOnce(signal);
  return service;
}

const names = [
  'busybox-1.36-r0',
  'curl-8.0-r0',
  'data-1-r0',
  'libcurl-8.0-r0',
  'nodejs-22-22.1-r0',
  'outside-1-r0',
];

async function textOf(service: TestService, path: string): Promise<string> {
  const { rawPayload, statusCode } = await service.get(path);
  expect(statusCode).toBe(200);
  return gunzipSync(rawPayload).toString();
}

test('the index of a view has the stanzas of the repository as they are, and is signed with our key', async () => {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex(stanzas));
  await using service = await serving({
    datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } },
  });
  const response = await service.get('/wolfi@7d/x86_64/APKINDEX.tar.gz');
  expect(response.headers).toMatchObject({ 'content-type': 'application/gzip' });
  const options = { keys: [testKey('beacon.rsa.pub')], limits: defaultReadLimits, arch: 'x86_64' };
  const index = await readIndex(response.rawPayload, options);
  expect(index).toMatchObject({ keyName: 'beacon.rsa.pub', report: { badStanzas: 0 } });
  const listed = [...index.packages.names()].flatMap((name) => index.packages.named(name));
  expect(listed.map(({ name, version }) => `${name}-${version}`).toSorted()).toEqual(names);
  const text = await textOf(service, '/wolfi@7d/x86_64/APKINDEX.tar.gz');
  for (const stanza of [curl, libcurl]) expect(text).toContain(indexText([stanza]));
  const etag = String(response.headers['etag']);
  expect((await service.get('/wolfi@7d/x86_64/APKINDEX.tar.gz', { 'if-none-match': etag })).statusCode).toBe(
    304,
  );

  const { rawPayload } = await service.get('/wolfi@7d/x86_64/Packages.adb');
  // apk installs a package of size 0 without its files.
  expect(adbText(rawPayload)).toContain('\nI:5000000000\nS:12345\nk:7\n');
  expect(adbText(rawPayload)).toContain('\nI:0\nS:0\nk:10\n');
  const adb = await readIndex(rawPayload, options);
  expect(adb).toMatchObject({ format: 'adb', keyName: 'beacon.rsa.pub', report: { incompletePackages: 0 } });
  const facts = ({ packages }: typeof index): unknown =>
    [...packages.names()].toSorted().map((name) =>
      packages
        .named(name)
        .map(({ version, identity, dependencies, provides, priority, origin, builtAt }) => ({
          ...{
            name,
            version,
            identity,
            dependencies: [...dependencies],
            provides,
            priority,
            origin,
            builtAt,
          },
        })),
    );
  expect(facts(adb)).toEqual(facts(index));
  // With no age it is for reading, as before: a record for what is provided, too.
  expect(await textOf(service, '/wolfi/x86_64/APKINDEX.tar.gz')).toContain('P:nodejs\n');
});

test('packages of a public repository are where they are, if the index lists them', async () => {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex(stanzas));
  await using service = await serving({
    datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } },
  });
  for (const name of names) {
    const { statusCode, headers } = await service.get(`/wolfi@7d/x86_64/${name}.apk`);
    expect([statusCode, headers['location']]).toEqual([302, `${upstream.url}/x86_64/${name}.apk`]);
  }
  for (const name of [
    'busybox-1.37-r0',
    'libjq-1.7-r0',
    'jq-1.7-r0',
    'jq-tools-1.7-r0',
    'curl-8.0-r1',
    'curl',
    'bell-1-r0',
    '..-1-r0',
    '%2e%2e%2fcurl-8.0-r0',
  ])
    expect((await service.get(`/wolfi@7d/x86_64/${name}.apk`)).statusCode, name).toBe(404);
  expect((await service.get('/wolfi@7d/aarch64/curl-8.0-r0.apk')).statusCode).toBe(404);
  // The younger one is there for those who wait less.
  expect((await service.get('/wolfi@12h/x86_64/busybox-1.37-r0.apk')).statusCode).toBe(302);
  expect((await service.get('/wolfi/x86_64/busybox-1.36-r0.apk')).statusCode).toBe(404);
});

test('any number may ask for one index and its packages at once, but not for those of many ages', async () => {
  await using upstream = await startUpstream();
  const hourly = Array.from({ length: 30 }, (_, i) => pkg(`hour-${i}`, '1-r0', days((i + 0.5) / 24)));
  upstream.serve('x86_64', await signedIndex([...stanzas, ...hourly]));
  await using service = await serving({
    datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } },
  });
  const statuses = async (paths: readonly string[]): Promise<ReadonlySet<number>> =>
    new Set((await Promise.all(paths.map((path) => service.get(path)))).map(({ statusCode }) => statusCode));
  const index = '/wolfi@7d/x86_64/APKINDEX.tar.gz';
  const same = names.map((name) => `/wolfi@7d/x86_64/${name}.apk`);
  expect(await statuses([...same, ...same, ...same])).toEqual(new Set([302]));
  expect(await statuses(Array<string>(30).fill(index))).toEqual(new Set([200]));
  const ages = Array.from({ length: 30 }, (_, i) => `/wolfi@${i + 1}h/x86_64/curl-8.0-r0.apk`);
  expect(await statuses(ages)).toEqual(new Set([302, 429]));
});

test('packages of a folder are sent from there', async () => {
  const folder = await temporaryDirectory();
  await mkdir(join(folder, 'x86_64'));
  const { pem, name } = testKey();
  await writeFile(join(folder, name), pem);
  await writeFile(join(folder, 'x86_64/APKINDEX.tar.gz'), await signedIndex(stanzas));
  const bytes = Buffer.alloc(3_000_000, 'apk');
  await writeFile(join(folder, 'x86_64/curl-8.0-r0.apk'), bytes);
  await using service = await serving({
    datasources: { wolfi: { repositories: [folder], keys: [join(folder, name)], archs: ['x86_64'] } },
  });
  const { url, close } = await listening(service);
  const whole = await fetch(`${url}/wolfi@7d/x86_64/curl-8.0-r0.apk`);
  expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);
  const head = await fetch(`${url}/wolfi@7d/x86_64/curl-8.0-r0.apk`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '3000000']);
  // The index lists it, but the repository has no such file any more.
  expect((await fetch(`${url}/wolfi@7d/x86_64/libcurl-8.0-r0.apk`)).status).toBe(404);
  // Other sites may read both, as any answer; and while stopping both end their connection.
  service.stop();
  for (const name of ['curl-8.0-r0', 'libcurl-8.0-r0']) {
    const { headers } = await service.get(`/wolfi@7d/x86_64/${name}.apk`);
    expect([headers['access-control-allow-origin'], headers['connection']], name).toEqual(['*', 'close']);
  }
  await close();
});

async function listening({ server }: TestService): Promise<{ url: string; close: () => Promise<void> }> {
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url, close: () => server.close() };
}

test('packages of a private repository are forwarded in pieces to clients with the token', async () => {
  await using upstream = await startUpstream();
  const index = await signedIndex(stanzas);
  const piece = Buffer.alloc(65_536, 'x');
  const gone = Promise.withResolvers<void>();
  let authorized = 0;
  upstream.misbehave('x86_64', (request, response) => {
    if (request.headers.authorization !== `Basic ${Buffer.from('ci:secret').toString('base64')}`) {
      response.writeHead(401).end();
      return;
    }
    authorized += 1;
    if (request.url?.endsWith('APKINDEX.tar.gz')) response.end(index);
    else if (request.url?.endsWith('/curl-8.0-r0.apk'))
      response.writeHead(200, { 'content-length': 3, 'set-cookie': 'a=b' }).end('apk');
    else if (request.url?.endsWith('data-1-r0.apk')) {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(piece));
      };
      response.on('drain', more).on('close', gone.resolve);
      more();
    } else response.writeHead(404).end();
  });
  const credentials = { basic: { username: 'ci', password: { env: 'PASSWORD' } } };
  const datasources = { acme: { repositories: [{ url: upstream.url, credentials }], archs: ['x86_64'] } };
  await using open = await serving({ datasources });
  const refused = await open.get('/acme@7d/x86_64/curl-8.0-r0.apk');
  expect([refused.statusCode, refused.json<{ error: string }>().error]).toEqual([
    403,
    'curl-8.0-r0.apk is in a private repository: it is forwarded only if clientToken is set',
  ]);

  await using service = await serving({ datasources, clientToken: { env: 'TOKEN' } });
  const { url, close } = await listening(service);
  const ask = (path: string, authorization?: string): Promise<Response> =>
    fetch(`${url}/acme@7d/x86_64/${path}`, authorization === undefined ? {} : { headers: { authorization } });
  const basic = (password: string): string => `Basic ${Buffer.from(`apk:${password}`).toString('base64')}`;
  const before = authorized;
  for (const wrong of [undefined, 'Bearer other', basic('other'), basic('')])
    expect((await ask('curl-8.0-r0.apk', wrong)).status).toBe(401);
  expect(authorized).toBe(before);
  for (const right of ['Bearer clients', basic('clients')]) {
    const answer = await ask('curl-8.0-r0.apk', right);
    expect([answer.status, await answer.text(), answer.headers.get('content-length')]).toEqual([
      200,
      'apk',
      '3',
    ]);
    expect(answer.headers.get('set-cookie')).toBeNull();
  }
  expect((await ask('libcurl-8.0-r0.apk', basic('clients'))).status).toBe(404);
  expect((await ask('busybox-1.37-r0.apk', basic('clients'))).status).toBe(404);

  // A client that goes takes the request upstream with it.
  const request = get(`${url}/acme@7d/x86_64/data-1-r0.apk`, {
    headers: { authorization: basic('clients') },
  });
  const [endless] = (await once(request, 'response')) as [IncomingMessage];
  await once(endless, 'data');
  endless.destroy();
  await gone.promise;
  await close();
});

test('a package that several repositories have comes from the one whose stanza is listed', async () => {
  await using first = await startUpstream();
  await using second = await startUpstream();
  const own: Stanza = pkg('curl', '8.0-r0', { ...days(90), T: 'ours' });
  first.serve('x86_64', await signedIndex([own]));
  second.serve('x86_64', await signedIndex([pkg('curl', '8.0-r0', days(90)), pkg('jq', '1-r0', days(90))]));
  await using service = await serving({
    datasources: { both: { repositories: [first.url, second.url], archs: ['x86_64'] } },
  });
  const text = await textOf(service, '/both@7d/x86_64/APKINDEX.tar.gz');
  expect(text.match(/^P:.*$/gm)).toEqual(['P:curl', 'P:jq']);
  expect(text).toContain('T:ours');
  const places = await Promise.all(
    ['curl-8.0-r0', 'jq-1-r0'].map(
      async (name) => (await service.get(`/both@7d/x86_64/${name}.apk`)).headers['location'],
    ),
  );
  expect(places).toEqual([`${first.url}/x86_64/curl-8.0-r0.apk`, `${second.url}/x86_64/jq-1-r0.apk`]);
});

test('datasources with the same indexes and other rules have mirrors of their own', async () => {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex(stanzas));
  const source = { repositories: [upstream.url], archs: ['x86_64'] };
  await using service = await serving({
    datasources: { plain: { ...source, default: true }, whole: { ...source, complete: true } },
  });
  const lists = async (datasource: string): Promise<boolean> =>
    (await textOf(service, `/${datasource}@7d/x86_64/APKINDEX.tar.gz`)).includes('P:outside\n');
  expect([await lists('plain'), await lists('whole'), await lists('plain')]).toEqual([true, false, true]);
});

describe('where the index on disk is another one, as a replica that shares the folder is further', () => {
  const first = [pkg('curl', '8.0-r0', days(90))];
  const second = [...first, pkg('jq', '1-r0', days(90))];
  const index = '/wolfi@7d/x86_64/APKINDEX.tar.gz';
  const file = '/wolfi@7d/x86_64/curl-8.0-r0.apk';

  /** A service that read the first index, and a folder and a repository that have the second. */
  async function outdated(config = {}): Promise<{ upstream: Upstream; service: TestService }> {
    const upstream = await startUpstream();
    onTestFinished(() => upstream[Symbol.asyncDispose]());
    upstream.serve('x86_64', await signedIndex(first));
    const cacheDir = await temporaryDirectory();
    const whole = { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } }, ...config };
    const service = await serving(whole, cacheDir);
    onTestFinished(() => service[Symbol.asyncDispose]());
    upstream.serve('x86_64', await signedIndex(second));
    await using replica = await serving(whole, cacheDir);
    expect((await replica.get('/jq')).statusCode).toBe(200);
    return { upstream, service };
  }

  test('a file that is kept of the past is used', async () => {
    const { service } = await outdated({ keepIndexes: '1d' });
    expect(await textOf(service, index)).toContain('P:curl\n');
    expect((await service.get(file)).statusCode).toBe(302);
  });

  test('it is fetched again', async () => {
    const { upstream, service } = await outdated();
    upstream.serve('x86_64', await signedIndex(first));
    expect((await service.get(file)).statusCode).toBe(302);
  });

  test('if the repository has another one, too, the answer is 429, and the index is refreshed at once', async () => {
    const { upstream, service } = await outdated();
    const refreshed = new EventEmitter();
    service.beacon.onRefresh(() => refreshed.emit('refresh'));
    const refreshes = on(refreshed, 'refresh');
    const stop = new AbortController();
    upstream.serve('x86_64', await signedIndex(first));
    const running = service.beacon.keepFresh(stop.signal);
    await refreshes.next();
    upstream.serve('x86_64', await signedIndex(second));
    const { statusCode, headers } = await service.get(index);
    expect([statusCode, headers['retry-after']]).toEqual([429, '15']);
    await refreshes.next();
    expect((await service.get(index)).statusCode).toBe(200);
    stop.abort();
    await running;
  });

  test('if that cannot be loaded, the answer says why', async () => {
    const { upstream, service } = await outdated();
    upstream.serve('x86_64', Buffer.from('a login page'));
    await service.beacon.refreshOnce(signal);
    const { statusCode, body } = await service.get(index);
    expect([statusCode, body]).toEqual([502, expect.stringMatching(/has changed since it was read: .*gzip/)]);
  });
});
