/** Renovate pointed at exported files behaves as with the service, but for what only a pin's own question brings. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { start } from '../support/process.ts';
import { testKey } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { listen } from '../support/upstream.ts';
import { archs, published, startBeacon, type Beacon } from './support/beacon.ts';
import { allowInternal, exampleFor } from './support/preset.ts';
import { lookUp } from './support/run.ts';

const wolfi = [
  published('curl=8.19.0-r0'),
  published('curl=8.20.0-r1'),
  published('libstdc++=15.2.0-r9'),
  published('libstdc++=15.2.0-r10'),
  published('openssl=3.5.1-r0', { fields: { p: 'so:libssl.so.3=3' } }),
  published('openssl=3.6.0-r0', { fields: { p: 'so:libssl.so.3=3.6' } }),
  published('stable=1.0-r0'),
  published('stable=1.1_beta1-r0'),
  published('skewed=1.0-r0'),
  published('skewed=1.1-r0', { archs: ['x86_64'] }),
];
const pins = [
  'curl=8.19.0-r0',
  'libstdc++=15.2.0-r9',
  'so:libssl.so.3=3',
  'stable=1.0-r0',
  'skewed=1.0-r0',
  'no-such=1.0-r0',
];
const image = `contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n${pins.map((pin) => `    - '${pin}'\n`).join('')}`;

/** Exports what `beacon` serves and serves it as a server of files does: no query, `//` as `/`. */
async function serveExport({ upstreams }: Beacon): Promise<string> {
  const folder = await temporaryDirectory();
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  const datasources = Object.fromEntries(
    Object.entries(upstreams).map(([name, { url }]) => [
      name,
      { repositories: [{ url, maxAge: 'never' }], archs: [...archs], keys: [key] },
    ]),
  );
  const config = stringify({ cacheDir: null, datasources });
  const out = join(folder, 'public');
  await using run = start(['export', '--out', out, '--config', config]);
  expect(await run.ended, run.lines.join('\n')).toBe(0);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://files');
    readFile(join(out, decodeURIComponent(pathname))).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  return (await listen(server, 'http')).href.replace(/\/$/, '');
}

/** What is proposed for each pin. */
async function proposals(url: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const { dependencies } = await lookUp({
    files: { 'image.yaml': image, 'renovate.json': exampleFor(url) },
    environment: allowInternal(url),
  });
  const all = dependencies.get('image.yaml') ?? [];
  return Object.fromEntries(
    all.map(({ depName, updates }) => [depName, updates.map(({ newValue }) => newValue)]),
  );
}

test('the same is proposed for every pin', async () => {
  await using beacon = await startBeacon({ datasources: { wolfi, alpine: [] } });
  const byService = await proposals(beacon.url);
  expect(byService).toMatchObject({
    curl: ['8.20.0-r1'],
    'libstdc++': ['15.2.0-r10'],
    'so:libssl.so.3': ['3.6'],
    stable: [],
    skewed: [],
    'no-such': [],
  });
  expect(await proposals(await serveExport(beacon))).toEqual(byService);
});
