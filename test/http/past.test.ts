/** `/wolfi@2026-07-24T06:00Z/…`: a datasource as it was (docs/decisions/018). */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, testKey, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const { signal } = new AbortController();
const DAY = 86_400_000;
const HOUR = DAY / 24;
const START = Date.UTC(2026, 6, 24, 6);
const BROWSER = 'text/html,application/xhtml+xml,*/*;q=0.8';
const ARCHS = ['x86_64', 'aarch64'];

const at = (milliseconds: number): string => new Date(milliseconds).toISOString();
const days = (age: number): Record<string, string> => ({ t: String((START - age * DAY) / 1000) });

const curl = pkg('curl', '8.0-r0', days(100));
const curlNew = pkg('curl', '8.1-r0', days(0));
const curlNewest = pkg('curl', '8.2-r0', days(0));
const zlib = pkg('zlib', '1.3-r0', days(50));

/** What is there from the start on, one day later, and so on. */
const history: readonly (readonly Stanza[])[] = [
  [curl, zlib],
  [curl, curlNew, zlib],
  [curlNew, curlNewest, zlib],
  [curlNewest],
];

class Scene implements AsyncDisposable {
  now = START;
  readonly upstream: Upstream;
  readonly cacheDir: string;
  readonly config: Record<string, unknown>;
  service!: TestService;

  constructor(upstream: Upstream, cacheDir: string, config: object) {
    this.upstream = upstream;
    this.cacheDir = cacheDir;
    this.config = {
      keepIndexes: '30d',
      datasources: { wolfi: { repositories: [{ url: upstream.url, rollback: 'accept' }] } },
      ...config,
    };
  }

  static async begin(config: object = {}): Promise<Scene> {
    const upstream = await startUpstream();
    const scene = new Scene(upstream, await temporaryDirectory(), config);
    await scene.start();
    return scene;
  }

  /** One with a past of several days. */
  static async aged(config: object = {}): Promise<Scene> {
    const scene = await Scene.begin(config);
    for (const [day, stanzas] of history.entries()) {
      scene.now = START + day * DAY;
      await scene.offer(stanzas);
    }
    scene.now = START + history.length * DAY;
    return scene;
  }

  async start(config: Record<string, unknown> = this.config): Promise<void> {
    this.service = await startService({ config, cacheDir: this.cacheDir, now: () => this.now });
  }

  async restart(config?: Record<string, unknown>): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    await this.start(config);
    await this.service.beacon.restore(signal);
  }

  async offer(stanzas: readonly Stanza[], archs = ARCHS, key = testKey()): Promise<void> {
    for (const arch of archs) {
      const own = stanzas.map((each) => ({ ...each, A: arch }));
      this.upstream.serve(arch, await signedIndex(own, [{ key }]));
    }
    await this.service.beacon.refreshOnce(signal);
    await this.service.beacon.ledger.settled();
  }

  async versions(path: string): Promise<readonly string[]> {
    const body = (await this.service.get(path)).json<{ releases?: { version: string }[]; error?: string }>();
    return body.releases?.map(({ version }) => version) ?? [body.error ?? ''];
  }

  async files(): Promise<readonly string[]> {
    return await readdir(join(this.cacheDir, 'past')).catch(() => []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
    await this.upstream[Symbol.asyncDispose]();
  }
}

test('an index that only trust: none takes does not replace the signed file of the same packages', async () => {
  await using scene = await Scene.begin();
  const { url } = scene.upstream;
  await scene.restart({
    ...scene.config,
    datasources: {
      signed: { repositories: [url] },
      open: { repositories: [{ url, trust: 'none' }] },
    },
  });
  const forger = testKey('forger.rsa.pub');
  await scene.offer([curl], ARCHS, forger);
  await scene.offer([curl]);
  await scene.offer([curl], ARCHS, forger);
  scene.now += DAY;
  await scene.offer([curl, curlNew]);
  for (const name of ['signed', 'open'])
    expect(await scene.versions(`/${name}@${at(START)}/curl`), name).toEqual(['8.0-r0']);
});

test('a time is answered with what was there then', async () => {
  await using scene = await Scene.aged();
  expect(await scene.versions(`/wolfi@${at(START)}/curl`)).toEqual(['8.0-r0']);
  expect(await scene.versions(`/wolfi@${at(START + DAY - 1)}/curl`)).toEqual(['8.0-r0']);
  expect(await scene.versions(`/wolfi@${at(START + DAY)}/curl`)).toEqual(['8.0-r0', '8.1-r0']);
  expect(await scene.versions(`/wolfi@2026-07-26T06:00Z/curl`)).toEqual(['8.1-r0', '8.2-r0']);
  expect(await scene.versions(`/wolfi@2026-07-27T06:00Z/curl`)).toEqual(['8.2-r0']);
  expect(await scene.versions(`/wolfi@${at(scene.now)}/curl`)).toEqual(['8.2-r0']);
  // A name that is gone was there, and one that came was not.
  expect(await scene.versions('/wolfi@2026-07-25T06:00Z/zlib')).toEqual(['1.3-r0']);
  const gone = await scene.service.get('/wolfi@2026-07-27T12:00Z/zlib');
  expect(gone.statusCode).toBe(404);
  expect(gone.json()).toMatchObject({
    error: 'no package zlib in wolfi@2026-07-27T06:00Z (x86_64, aarch64)',
  });
  // And today's answers are today's.
  expect(await scene.versions('/wolfi/curl')).toEqual(['8.2-r0']);
});

test('every form of an answer is that of the time', async () => {
  await using scene = await Scene.aged({ publicUrl: 'https://beacon.example' });
  const { service } = scene;
  const then = 'wolfi@2026-07-25T06:00Z';
  expect((await service.get(`/${then}/curl/latest`)).body).toBe('8.1-r0\n');
  expect((await service.get(`/${then}/-/latest/curl`)).body).toBe('8.1-r0\n');
  expect((await service.get(`/${then}/curl/badge.svg`)).body).toContain('8.1-r0');
  expect(await scene.versions(`/${then}/x86_64/curl.json`)).toEqual(['8.0-r0', '8.1-r0']);
  expect((await service.get(`/${then}/-/search?q=zlib`)).json()).toMatchObject({
    datasource: then,
    hits: [{ name: 'zlib' }],
  });
  const explained = (await service.get(`/${then}/curl/explain?current=8.2-r0`)).json<{
    versions: { version: string }[];
    notes?: string[];
  }>();
  expect(explained.versions.map(({ version }) => version)).toEqual(['8.1-r0', '8.0-r0']);
  const archive = await service.get(`/${then}/any/APKINDEX.tar.gz`);
  const text = gunzipSync(archive.rawPayload).toString();
  expect([...text.matchAll(/^V:(.*)$/gm)].map(([, version]) => version)).toEqual([
    '8.0-r0',
    '8.1-r0',
    '1.3-r0',
  ]);
  expect((await service.get(`/${then}/x86_64/Packages.adb`)).statusCode).toBe(200);
  const page = await service.get(`/${then}/curl`, { accept: BROWSER });
  expect(page.statusCode).toBe(200);
  expect(page.body).toContain('8.1-r0');
  expect(page.body).not.toContain('8.2-r0');
  expect(page.body).toContain(`href="/${then}/curl/explain"`);
  expect((await service.get(`/${then}/gone`, { accept: BROWSER })).statusCode).toBe(404);
  for (const path of ['/@2026-07-25T06:00Z/renovate.json', `/${then}/renovate.json`]) {
    const addresses = (await service.get(path)).body.match(/https:\/\/beacon\.example[^"\\]*/g) ?? [];
    expect(addresses.length).toBeGreaterThan(3);
    const others = addresses.filter((each) => !each.startsWith('https://beacon.example/@2026-07-25T06:00Z'));
    expect(others).toEqual([]);
  }
  const note = encodeURIComponent('# renovate: datasource=custom.wolfi depName=curl');
  expect(
    await scene.versions(`/@2026-07-25T06:00Z/-/for/curl?current=8.0-r0&kind=note&note=${note}`),
  ).toEqual(['8.0-r0', '8.1-r0']);
});

test('a release has the date that was known then', async () => {
  await using scene = await Scene.begin();
  const backdated = pkg('curl', '8.1-r0', days(300));
  await scene.offer([curl]);
  scene.now += DAY;
  await scene.offer([curl, backdated]);
  scene.now += DAY;
  // Another package takes its name and version, which counts anew; then the first one returns.
  await scene.offer([curl, pkg('curl', '8.1-r0', days(1))]);
  scene.now += DAY;
  await scene.offer([curl, backdated]);
  scene.now += DAY;
  const dates = async (time: number): Promise<readonly unknown[]> => {
    const path = `/wolfi@${at(time)}/curl`;
    const { releases } = (await scene.service.get(path)).json<{ releases: { releaseTimestamp: string }[] }>();
    return releases.map(({ releaseTimestamp }) => (Date.parse(releaseTimestamp) - START) / DAY);
  };
  expect(await dates(START)).toEqual([-100]);
  expect(await dates(START + DAY)).toEqual([-100, 1]);
  expect(await dates(START + 2 * DAY)).toEqual([-100, 2]);
  // The day on which it was away does not count.
  expect(await dates(START + 3 * DAY)).toEqual([-100, 2]);
  const explained = async (time: number): Promise<string> =>
    (await scene.service.get(`/wolfi@${at(time)}/curl/explain`)).body;
  expect(await explained(START + DAY)).not.toContain('republishedFrom');
  expect(await explained(START + 2 * DAY)).toContain(`"republishedFrom":"${backdated['C']}"`);
});

test('two times of one generation have the same answer, and another has another', async () => {
  await using scene = await Scene.aged();
  const tags = async (time: number): Promise<readonly unknown[]> => {
    const { headers } = await scene.service.get(`/wolfi@${at(time)}/curl`);
    return [headers['etag'], headers['x-apk-beacon-generation']];
  };
  const first = await tags(START + 1);
  expect(await tags(START + 23 * HOUR)).toEqual(first);
  const second = await tags(START + DAY);
  expect(second[0]).not.toBe(first[0]);
  expect(second[1]).not.toBe(first[1]);
  const [tag] = first;
  const again = await scene.service.get(`/wolfi@${at(START + 2)}/curl`, { 'if-none-match': String(tag) });
  expect(again.statusCode).toBe(304);
  // The same index at another time is another generation: its packages have other dates.
  await scene.offer(history[0] ?? []);
  scene.now += DAY;
  expect((await tags(scene.now - HOUR))[1]).not.toBe(first[1]);
});

test('archs that change at different times are combined as they were', async () => {
  await using scene = await Scene.begin();
  await scene.offer([curl]);
  scene.now += HOUR;
  await scene.offer([curl, curlNew], ['x86_64']);
  scene.now += HOUR;
  await scene.offer([curl, curlNew], ['aarch64']);
  scene.now += HOUR;
  expect(await scene.versions(`/wolfi@${at(START + HOUR)}/curl`)).toEqual(['8.0-r0']);
  expect(await scene.versions(`/wolfi@${at(START + HOUR)}/curl?arch=x86_64`)).toEqual(['8.0-r0', '8.1-r0']);
  expect(await scene.versions(`/wolfi@${at(START + 2 * HOUR)}/curl`)).toEqual(['8.0-r0', '8.1-r0']);
});

test('the status and its page say which indexes they were', async () => {
  await using scene = await Scene.aged();
  const status = (await scene.service.get('/wolfi@2026-07-25T08:00Z')).json<{ indexes: object[] }>();
  expect(status).toMatchObject({
    datasource: 'wolfi@2026-07-25T08:00Z',
    ready: true,
    since: at(START + DAY),
    names: 2,
    versions: 6,
  });
  expect(status.indexes).toEqual(
    ARCHS.map((arch) => ({
      repository: String(scene.upstream.url),
      arch,
      index: expect.stringContaining(arch) as string,
      state: 'past',
      required: true,
      packages: 3,
      names: 2,
      verifiedBy: 'test.rsa.pub',
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      confirmedAt: at(START + DAY),
      frozen: false,
    })),
  );
  const page = await scene.service.get('/wolfi@2026-07-25T08:00Z', { accept: BROWSER });
  expect(page.body).toContain('<h1>wolfi@2026-07-25T08:00Z</h1>');
  expect(page.body).toContain('The state at that time, unchanged since 2026-07-25 06:00 UTC.');
});

test('a lookup at a past time is not listed as asked, and its versions are not remembered as served', async () => {
  await using scene = await Scene.aged();
  const { service } = scene;
  await service.get('/wolfi@2026-07-24T06:00Z/curl?current=7.0-r0');
  await service.get('/wolfi@2026-07-24T06:00Z/curl?current=7.0-r0');
  await service.get('/wolfi@2026-07-24T06:00Z/curl');
  await service.get('/wolfi@2026-07-24T06:00Z/missing?current=1-r0');
  expect((await service.get('/wolfi/-/asked')).json()).toMatchObject({ known: [], unknown: [] });
  expect(service.served.recall('wolfi', 'curl')).toEqual([]);
  await service.get('/wolfi/curl');
  // Nor is what was served later listed as withdrawn.
  expect(await scene.versions('/wolfi@2026-07-24T06:00Z/curl')).toEqual(['8.0-r0']);
});

describe('requests that cannot be answered', () => {
  test.each([
    ['/wolfi@2026-07-24T05:59:59Z/curl', 410, /^the ledger of \S+ begins at 2026-07-24T06:00Z$/],
    ['/wolfi@0000-01-01/curl', 410, 'begins at 2026-07-24T06:00Z'],
    ['/wolfi@2026-07-28T06:00:00.001Z/curl', 400, 'is in the future: here it is 2026-07-28T06:00Z'],
    ['/wolfi@9999-12-31T23:59Z/curl', 400, 'is in the future'],
    ['/wolfi@2026-07-24T06:00/curl', 400, 'expected a time with its zone'],
    ['/wolfi@2026-02-30T06:00Z/curl', 400, 'expected a time with its zone'],
    ['/wolfi@2026-07-24T24:00Z/curl', 400, 'expected a time with its zone'],
    ['/wolfi@2026-07-24T06:00Z@7d/curl', 400, 'expected a time with its zone'],
    ['/wolfi@yesterday/curl', 400, 'or a time such as wolfi@2026-07-24T06:00Z'],
    ['/@2026-07-24T06:00Z/curl', 400, 'expected a datasource'],
    ['/wolfi@2026-07-24T06:00Z/-/changes', 400, 'without an age or time: /wolfi/-/changes'],
    ['/wolfi@2026-07-24T06:00Z/-/asked', 400, 'without an age or time'],
    [
      '/wolfi@2026-07-24T06:00Z/curl/advisories',
      400,
      'there are no past advisories; the current ones are at /wolfi/curl/advisories',
    ],
  ])('%s is a %i', async (path, status, reason) => {
    await using scene = await Scene.aged();
    const answer = await scene.service.get(path);
    expect(answer.statusCode, answer.body).toBe(status);
    expect(answer.json<{ error: string }>().error).toMatch(reason);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  test.each([
    ['2026-07-25T08:00+02:00', ['8.0-r0', '8.1-r0']],
    ['2026-07-25T08%3A00%2B02%3A00', ['8.0-r0', '8.1-r0']],
    ['2026-07-25T07:59:59+02:00', ['8.0-r0']],
    ['2026-07-24T23:59:60Z', ['8.0-r0']],
    ['2026-07-26T12:00-12:00', ['8.0-r0', '8.1-r0', '8.2-r0'].slice(1)],
    ['2026-07-26', ['8.0-r0', '8.1-r0']],
  ])('%s can be', async (time, expected) => {
    await using scene = await Scene.aged();
    expect(await scene.versions(`/wolfi@${time}/curl`)).toEqual(expected);
    expect(await scene.versions(`/wolfi%40${time}/curl`)).toEqual(expected);
  });

  test('a browser gets a page that says so', async () => {
    await using scene = await Scene.aged();
    const page = await scene.service.get('/wolfi@2026-07-20/curl', { accept: BROWSER });
    expect(page.statusCode).toBe(410);
    expect(page.body).toContain('begins at 2026-07-24T06:00Z');
    for (const path of ['curl/latest', 'curl/explain', 'curl/badge.svg', 'x86_64/APKINDEX.tar.gz']) {
      const { statusCode } = await scene.service.get(`/wolfi@2026-07-20/${path}`, { accept: BROWSER });
      expect(statusCode, path).toBe(410);
    }
  });

  test('a file that is no longer kept is named, and from when on files are', async () => {
    await using scene = await Scene.aged({ keepIndexes: '36h' });
    const gone = await scene.service.get('/wolfi@2026-07-24T08:00Z/curl');
    expect(gone.statusCode).toBe(410);
    expect(gone.json<{ error: string }>().error).toBe(
      `${scene.upstream.url}/x86_64/APKINDEX.tar.gz of 2026-07-24T06:00Z is not kept; files are kept from 2026-07-25T06:00Z on`,
    );
    expect(await scene.versions('/wolfi@2026-07-25T06:00Z/curl')).toEqual(['8.0-r0', '8.1-r0']);
  });

  test('without keepIndexes only the current index can answer', async () => {
    await using scene = await Scene.aged({ keepIndexes: undefined });
    expect(await scene.files()).toEqual([]);
    expect(await scene.versions('/wolfi@2026-07-24T08:00Z/curl')).toEqual([
      expect.stringContaining('past indexes are kept if keepIndexes is set'),
    ]);
    expect(await scene.versions('/wolfi@2026-07-27T08:00Z/curl')).toEqual(['8.2-r0']);
  });

  test('a ledger in memory knows no other time', async () => {
    await using upstream = await startUpstream();
    for (const arch of ARCHS) upstream.serve(arch, await signedIndex([{ ...curl, A: arch }]));
    const config = { datasources: { wolfi: { repositories: [upstream.url] } } };
    await using service = await startService({ config, now: () => START });
    await service.beacon.refreshOnce(signal);
    const answer = await service.get('/wolfi@2026-07-24T06:00Z/curl');
    expect(answer.statusCode).toBe(410);
    expect(answer.json()).toEqual({
      error: 'wolfi keeps no ledger (cacheDir), so past times are unknown',
    });
  });

  test('a datasource that is not loaded says so', async () => {
    await using scene = await Scene.begin();
    expect((await scene.service.get('/wolfi@2026-07-24T06:00Z/curl')).statusCode).toBe(429);
    expect((await scene.service.get('/wolfi@2026-07-24T06:00Z')).json()).toMatchObject({ ready: false });
  });

  test('a ledger that cannot be read may be asked again', async () => {
    await using scene = await Scene.aged();
    const database = await scene.service.beacon.ledger.database();
    await database?.transaction((query) => query('DROP TABLE ledger_generation'));
    const answer = await scene.service.get('/wolfi@2026-07-24T06:00Z/curl');
    expect(answer.statusCode).toBe(429);
    expect(answer.headers['retry-after']).toBe('15');
    expect(answer.json<{ error: string }>().error).toContain('the ledger cannot be read');
  });
});

describe('files', () => {
  test('are kept by digest, counted in metrics, and removed when they are too old', async () => {
    await using scene = await Scene.aged({ keepIndexes: '36h' });
    // For each arch the current index, and those that newer ones replaced less than 36 hours ago.
    const files = await scene.files();
    expect(files).toHaveLength(6);
    const metrics = (await scene.service.get('/metrics')).body;
    expect(metrics).toMatch(/^apk_kept_indexes 6$/m);
    expect(Number(/^apk_kept_indexes_bytes (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThan(6 * 500);
    // Not by a clock that jumps.
    scene.now += 30 * DAY;
    await scene.service.beacon.refreshOnce(signal);
    expect(await scene.files()).toHaveLength(6);
    scene.now -= 30 * DAY;
    for (let day = 0; day < 3; day += 1) {
      await scene.service.beacon.refreshOnce(signal);
      scene.now += DAY;
    }
    expect(await scene.files()).toHaveLength(2);
  });

  test('stay where the current index does not change for long', async () => {
    await using scene = await Scene.begin({ keepIndexes: '2d' });
    await scene.offer([curl]);
    for (let day = 0; day < 5; day += 1) {
      scene.now += DAY;
      await scene.service.beacon.refreshOnce(signal);
    }
    await scene.offer([curlNew]);
    scene.now += DAY;
    await scene.service.beacon.refreshOnce(signal);
    expect(await scene.versions(`/wolfi@${at(START)}/curl`)).toEqual(['8.0-r0']);
  });

  test('survive a restart, and are kept from the first start with the key on', async () => {
    await using scene = await Scene.aged({ keepIndexes: undefined });
    await scene.restart({ ...scene.config, keepIndexes: '30d' });
    expect(await scene.files()).toHaveLength(2);
    scene.now += DAY;
    await scene.offer([curlNew]);
    scene.now += DAY;
    expect(await scene.versions(`/wolfi@${at(START + 4 * DAY)}/curl`)).toEqual(['8.2-r0']);
    await scene.restart({ ...scene.config, keepIndexes: '30d' });
    expect(await scene.versions(`/wolfi@${at(START + 4 * DAY)}/curl`)).toEqual(['8.2-r0']);
  });

  test('are verified again: what was changed is refused', async () => {
    await using scene = await Scene.aged();
    for (const file of await scene.files()) await writeFile(join(scene.cacheDir, 'past', file), 'no index');
    const answer = await scene.service.get(`/wolfi@${at(START)}/curl`);
    expect(answer.statusCode).toBe(410);
    expect(answer.json<{ error: string }>().error).toContain('cannot be read');
  });

  test('of another index are refused, though they are signed', async () => {
    await using scene = await Scene.aged();
    const other = await signedIndex([pkg('curl', '6.6.6-r0')]);
    for (const file of await scene.files()) await writeFile(join(scene.cacheDir, 'past', file), other);
    const answer = await scene.service.get(`/wolfi@${at(START)}/curl`);
    expect(answer.statusCode).toBe(410);
    expect(answer.json<{ error: string }>().error).toContain('belongs to another index');
  });

  test('signed by a key that is no longer trusted are refused', async () => {
    const old = testKey('old.rsa.pub');
    const folder = await temporaryDirectory();
    const keyFile = join(folder, old.name);
    await writeFile(keyFile, old.pem);
    const keys = (trusted: readonly string[]): object => ({
      datasources: { wolfi: { repositories: [{ url: upstream.url, keys: trusted }] } },
    });
    const own = join(folder, testKey().name);
    await writeFile(own, testKey().pem);
    await using upstream = await startUpstream();
    const scene = new Scene(upstream, folder, keys([keyFile, own]));
    await scene.start();
    await scene.offer([curl], ARCHS, old);
    scene.now += DAY;
    await scene.offer([curlNew]);
    scene.now += DAY;
    expect(await scene.versions(`/wolfi@${at(START)}/curl`)).toEqual(['8.0-r0']);
    await rm(keyFile);
    await scene.restart({ ...scene.config, ...keys([own]) });
    await scene.service.beacon.refreshOnce(signal);
    const answer = await scene.service.get(`/wolfi@${at(START)}/curl`);
    expect(answer.statusCode).toBe(410);
    expect(answer.json<{ error: string }>().error).toContain('old.rsa.pub');
    await scene.service[Symbol.asyncDispose]();
  });
});

test('a repository that moved goes on with its past if the old address is named', async () => {
  await using scene = await Scene.aged();
  await using moved = await startUpstream();
  for (const arch of ARCHS) moved.serve(arch, await signedIndex([{ ...curlNewest, A: arch }]));
  const wolfi = (formerly: object): object => ({
    datasources: { wolfi: { repositories: [{ url: moved.url, ...formerly }] } },
  });
  await scene.restart({ ...scene.config, ...wolfi({ formerly: [scene.upstream.url] }) });
  await scene.service.beacon.refreshOnce(signal);
  expect(await scene.versions(`/wolfi@${at(START)}/curl`)).toEqual(['8.0-r0']);
});

test('a repository that moved without formerly has a past from then on', async () => {
  await using scene = await Scene.aged();
  await using moved = await startUpstream();
  for (const arch of ARCHS) moved.serve(arch, await signedIndex([{ ...curlNewest, A: arch }]));
  await scene.restart({ ...scene.config, datasources: { wolfi: { repositories: [moved.url] } } });
  await scene.service.beacon.refreshOnce(signal);
  await scene.service.beacon.ledger.settled();
  expect(await scene.versions(`/wolfi@${at(START)}/curl`)).toEqual([
    expect.stringMatching(/^the ledger of .* begins at 2026-07-28T06:00Z$/),
  ]);
});

test('an optional repository that came later was not there', async () => {
  await using scene = await Scene.aged();
  await using extra = await startUpstream();
  for (const arch of ARCHS) extra.serve(arch, await signedIndex([pkg('extra', '1-r0', { A: arch })]));
  const repositories = [scene.upstream.url, { url: extra.url, required: false }];
  await scene.restart({ ...scene.config, datasources: { wolfi: { repositories } } });
  await scene.service.beacon.refreshOnce(signal);
  await scene.service.beacon.ledger.settled();
  expect((await scene.service.get('/wolfi/extra')).statusCode).toBe(200);
  expect((await scene.service.get(`/wolfi@${at(START)}/extra`)).statusCode).toBe(404);
  expect(await scene.versions(`/wolfi@${at(START)}/curl`)).toEqual(['8.0-r0']);
});

test('a clock that is set back changes no answer for a time', async () => {
  await using scene = await Scene.aged();
  const before = await scene.versions('/wolfi@2026-07-25T06:00Z/curl');
  // Two days back: what is taken now is recorded as not earlier than what is known.
  scene.now -= 2 * DAY;
  await scene.offer([curl]);
  expect(await scene.versions('/wolfi@2026-07-25T06:00Z/curl')).toEqual(before);
  // By this clock the last day is in the future.
  expect((await scene.service.get('/wolfi@2026-07-27T06:00Z/curl')).statusCode).toBe(400);
  scene.now += 2 * DAY;
  expect(await scene.versions('/wolfi@2026-07-26T12:00Z/curl')).toEqual(['8.1-r0', '8.2-r0']);
  expect(await scene.versions('/wolfi@2026-07-27T06:00Z/curl')).toEqual(['8.0-r0']);
});

test('any time may be asked for, by many at once, and memory stays bounded', async () => {
  await using scene = await Scene.aged();
  const { service } = scene;
  const times = Array.from({ length: 40 }, (_, i) => START + i * 2 * HOUR);
  const paths = times.map((time) => `/wolfi@${at(time)}/curl`);
  const answers = await Promise.all(paths.map((path) => service.get(path)));
  const statuses = answers.map(({ statusCode }) => statusCode);
  expect([...new Set(statuses)].sort()).toEqual([200, 429]);
  const refused = answers.find(({ statusCode }) => statusCode === 429);
  expect(refused?.headers['retry-after']).toBe('15');
  for (const path of paths) expect((await service.get(path)).statusCode).toBe(200);
  // Many lookups of one time share its load.
  await scene.restart();
  const shared = await Promise.all(
    Array.from({ length: 50 }, () => service200(scene, '/wolfi@2026-07-25/curl')),
  );
  expect(new Set(shared)).toEqual(new Set([200]));
});

async function service200({ service }: Scene, path: string): Promise<number> {
  return (await service.get(path)).statusCode;
}
