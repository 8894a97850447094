import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addressOf, start } from '../support/process.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { pkg, signedIndex, testKey, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const stanzas = [
  pkg('curl', '8.20.0-r0', { t: '1767225600', p: 'cmd:curl=8.20.0-r0' }),
  pkg('curl', '8.21.0-r1', { t: '1769904000', p: 'cmd:curl=8.21.0-r1' }),
  pkg('busybox', '1.37.0-r5', { p: '/bin/sh so:libbb.so.1=1' }),
  pkg('bin', '1-r0'),
  pkg('libstdc++', '16.1.0-r2', { p: '/usr/lib/x.so=1' }),
];

async function serveIndexes(upstream: Upstream, of: readonly Stanza[]): Promise<void> {
  for (const arch of ['x86_64', 'aarch64']) {
    upstream.serve(arch, await signedIndex(of.map((stanza) => ({ ...stanza, A: arch }))));
  }
}

interface Setup {
  readonly upstream: Upstream;
  readonly out: string;
  readonly arguments: readonly string[];
}

async function setUp(of: readonly Stanza[]): Promise<Setup & AsyncDisposable> {
  const folder = await temporaryDirectory();
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  const upstream = await startUpstream();
  await serveIndexes(upstream, of);
  return {
    upstream,
    out: join(folder, 'public'),
    arguments: [
      '--name',
      'wolfi',
      '--repository',
      upstream.url,
      '--key',
      key,
      '--cache-dir',
      join(folder, 'cache'),
    ],
    [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose](),
  };
}

async function exported(
  setup: Setup,
  ...flags: readonly string[]
): Promise<{ code: number | string; lines: readonly string[] }> {
  await using run = start(['export', '--out', setup.out, ...flags, ...setup.arguments]);
  return { code: await run.ended, lines: run.lines };
}

interface Manifest {
  readonly datasources: Record<string, { generation: string; names: number }>;
  readonly files: Record<string, { servedAt?: string }>;
}

const manifestOf = async (out: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8')) as Manifest;

test('every file has the bytes that the service answers at its path', async () => {
  await using setup = await setUp(stanzas);
  const { code, lines } = await exported(setup);
  expect(code).toBe(0);
  expect(lines.at(-1)).toMatch(/^exported 8 names of wolfi \([0-9a-f]{12}\): 17 files of 0\.0 MB/);
  const { files, datasources } = await manifestOf(setup.out);
  expect(Object.keys(files)).toContain('wolfi/cmd:curl');
  expect(files['wolfi/-/name/%2Fbin%2Fsh']?.servedAt).toBe('/wolfi//bin/sh');

  await using service = start([...setup.arguments, '--listen', '127.0.0.1:0']);
  const address = await addressOf(service);
  for (const [path, { servedAt = `/${path}` }] of Object.entries(files)) {
    if (path === '_redirects' || path === '-/no-opinion') continue;
    const answer = await fetch(address + servedAt);
    expect(answer.status, servedAt).toBe(200);
    expect(await readFile(join(setup.out, path), 'utf8'), servedAt).toBe(await answer.text());
  }
  const { headers } = await fetch(`${address}/wolfi/curl`);
  expect(headers.get('x-apk-beacon-generation')).toBe(datasources['wolfi']?.generation);
  const [latest, elsewhere] = await Promise.all(
    ['curl/latest', '-/latest/curl'].map(async (path) => (await fetch(`${address}/wolfi/${path}`)).text()),
  );
  expect(latest).toBe('8.21.0-r1\n');
  expect(elsewhere).toBe(latest);
});

/** Names that are awkward in file names, addresses or HTML. */
const awkward = ['page.html', 'page.html/below', 'c++', '50%', 'two words', '<b>"&\'', 'Große', 'index.html'];

test('--pages adds a page for each package; every link leads to a file, and nothing runs', async () => {
  await using setup = await setUp([
    ...stanzas,
    pkg('curl-dev', '8.21.0-r1', { o: 'curl', U: 'javascript:alert(1)' }),
    ...awkward.filter((name) => !/\s/.test(name)).map((name) => pkg(name, '1-r0', { o: 'c++' })),
    ...Array.from({ length: 600 }, (_, i) => pkg('busy', `1.${i}-r0`)),
    ...Array.from({ length: 7 }, (_, i) => pkg(`sh-${i}`, '1-r0', { p: 'so:libsh.so.1=1' })),
    ...Array.from({ length: 250 }, (_, i) => pkg(`zone-${1000 + i}`, '1-r0')),
  ]);
  const { code, lines } = await exported(setup, '--pages', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    datasources: { wolfi: { archs: ['x86_64', 'aarch64'] } },
    deleted: 0,
  });
  // Some packages are named like pages.
  const isPage = (path: string): boolean =>
    /^(index|wolfi\/-\/index|wolfi\/-\/(page|names)\/.+)\.html$/.test(path);
  const files = (await readdir(setup.out, { recursive: true })).filter(isPage);
  expect(files).toEqual(
    expect.arrayContaining([
      'index.html',
      'wolfi/-/index.html',
      'wolfi/-/names/c.html',
      'wolfi/-/names/commands.html',
      'wolfi/-/names/z.html',
      'wolfi/-/names/z-1.html',
      'wolfi/-/names/z-2.html',
      'wolfi/-/page/curl.html',
      'wolfi/-/page/libstdc++.html',
      'wolfi/-/page/-/name/page%2Ehtml.html',
    ]),
  );
  expect(files.filter((path) => path.includes(':'))).toEqual([]);
  const listed = new Set<string>();
  for (const path of files) {
    const text = await readFile(join(setup.out, path), 'utf8');
    expect(text, path).toContain('<meta http-equiv="content-security-policy" content="default-src');
    expect(text, path).not.toMatch(/<script|<b>|<style|javascript:/);
    const base = new URL(path.split('/').map(encodeURIComponent).join('/'), 'http://files/some/where/');
    for (const [, href = ''] of text.matchAll(/href="([^"]+)"/g)) {
      const { origin, pathname } = new URL(href, base);
      if (origin !== 'http://files') continue;
      expect(pathname.slice(0, 12), href).toBe('/some/where/');
      const target = decodeURIComponent(pathname.slice(12));
      expect((await stat(join(setup.out, target))).isFile(), `${path}: ${href}`).toBe(true);
      if (path.startsWith('wolfi/-/names/')) listed.add(target);
    }
  }
  for (const path of files) if (path.startsWith('wolfi/-/page/')) expect(listed, path).toContain(path);
  const page = await readFile(join(setup.out, 'wolfi/-/page/curl.html'), 'utf8');
  expect(page).toContain('<code>curl=8.21.0-r1</code>');
  expect(page).not.toContain(' ago<');
  // Explanations are not exported, so the page has every version.
  expect(await readFile(join(setup.out, 'wolfi/-/page/busy.html'), 'utf8')).toContain('1.0-r0');

  const list = async (name: string): Promise<string> =>
    (await readFile(join(setup.out, 'wolfi/-/names', name), 'utf8')).replaceAll(/<[^>]+>/g, '');
  expect(await list('commands.html')).toContain('cmd:curl: curl');
  expect(await list('libraries.html')).toMatch(/so:libsh\.so\.1: sh-0, sh-1, sh-2, sh-3, sh-4\s+and 2 more/);
  expect(await list('z.html')).toContain('zone-1125 to zone-1249');
  expect(await list('z-2.html')).toContain('Before: zone-1000 to zone-1124');
  expect(await list('provided.html')).toContain('/bin/sh: busybox');

  const again = await exported(setup, '--pages', '--json');
  expect(JSON.parse(again.lines.at(-1) ?? '')).toMatchObject({ written: 0, deleted: 0 });
  await exported(setup);
  expect(await readdir(setup.out)).toEqual(['-', '_redirects', 'manifest.json', 'wolfi']);
  expect(await readdir(join(setup.out, 'wolfi/-'))).toEqual(['latest', 'name']);
});

test('a name that vanishes is deleted; a version that vanishes stays listed as deprecated', async () => {
  await using setup = await setUp([pkg('gone', '1-r0'), pkg('curl', '8.20.0-r0'), pkg('kept', '1-r0')]);
  await exported(setup);
  await serveIndexes(setup.upstream, [pkg('curl', '8.21.0-r1'), pkg('kept', '1-r0')]);
  const { code } = await exported(setup);
  expect(code).toBe(0);
  expect(await readdir(join(setup.out, 'wolfi'))).toEqual(['-', 'curl', 'kept']);
  expect(JSON.parse(await readFile(join(setup.out, 'wolfi/curl'), 'utf8'))).toEqual({
    releases: [
      { version: '8.20.0-r0', isDeprecated: true, revision: 0 },
      { version: '8.21.0-r1', releaseTimestamp: expect.any(String) as string, revision: 1 },
    ],
  });
});

test.each([
  [
    'cannot be fetched',
    (upstream: Upstream) => {
      upstream.misbehave('aarch64', (_, response) => void response.writeHead(403).end());
      return Promise.resolve();
    },
  ],
  [
    'is not signed by a trusted key',
    async (upstream: Upstream) =>
      upstream.serve('aarch64', await signedIndex(stanzas, [{ key: testKey('evil.rsa.pub') }])),
  ],
  ['has lost its packages', async (upstream: Upstream) => upstream.serve('aarch64', await signedIndex([]))],
])('an index that %s fails the export and leaves the old one', async (_, spoil) => {
  await using setup = await setUp(stanzas);
  await exported(setup);
  const before = await readFile(join(setup.out, 'manifest.json'), 'utf8');
  await spoil(setup.upstream);
  const { code, lines } = await exported(setup);
  expect(code).toBe(1);
  expect(lines.at(-1)).toMatch(/^apk-beacon: .*aarch64/);
  expect(await readFile(join(setup.out, 'manifest.json'), 'utf8')).toBe(before);
  expect(await readdir(setup.out)).toEqual(['-', '_redirects', 'manifest.json', 'wolfi']);
});

test('without --out it prints its usage', async () => {
  await using run = start(['export']);
  expect(await run.ended).toBe(2);
  expect(run.lines).toEqual([
    'apk-beacon: usage: export --out DIR [--brotli] [--advisories] [--pages] [--json]',
  ]);
});
test('advisories are left out, and written if they are asked for', async () => {
  await using setup = await setUp(stanzas);
  const [key = ''] = setup.arguments.slice(setup.arguments.indexOf('--key') + 1);
  const config = JSON.stringify({
    cacheDir: null,
    datasources: {
      wolfi: {
        keys: [key],
        repositories: [{ url: setup.upstream.url, maxAge: 'never' }],
        advisories: [{ secdb: 'test/fixtures/advisories/odd/null-ids.json' }],
      },
    },
  });
  const filesAfter = async (...flags: string[]): Promise<readonly string[]> => {
    await using run = start(['export', '--out', setup.out, ...flags, '--config', `${config}\n`]);
    expect(await run.ended, run.lines.join('\n')).toBe(0);
    return await readdir(join(setup.out, 'wolfi', '-'));
  };
  expect(await filesAfter()).not.toContain('advisories');
  const before = await readFile(join(setup.out, 'wolfi', 'curl'), 'utf8');
  expect(await filesAfter('--advisories')).toContain('advisories');
  expect(await readFile(join(setup.out, 'wolfi', 'curl'), 'utf8')).toBe(before);
  expect(await readdir(join(setup.out, 'wolfi', '-', 'advisories'))).toEqual(['cmd:curl', 'curl']);
  const text = await readFile(join(setup.out, 'wolfi', '-', 'advisories', 'curl'), 'utf8');
  expect(JSON.parse(text)).toMatchObject({
    datasource: 'wolfi',
    name: 'curl',
    advisories: [{ id: 'CVE-2020-0003', fixedIn: '8.1.0-r0' }],
  });
});
