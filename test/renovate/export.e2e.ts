/** With exported files Renovate behaves as with the service, except for answers that depend on the pin. */
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
import { renovatePreset } from '../../src/renovate/preset.ts';

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
async function proposals(url: string, preset: object): Promise<Readonly<Record<string, readonly string[]>>> {
  const { dependencies } = await lookUp({
    files: { 'image.yaml': image, 'renovate.json': JSON.stringify(preset) },
    environment: allowInternal(url),
  });
  const all = dependencies.get('image.yaml') ?? [];
  return Object.fromEntries(
    all.map(({ depName, updates }) => [depName, updates.map(({ newValue }) => newValue)]),
  );
}

const names = ['wolfi', 'alpine-3.22'];
const statics = names.map((name) => ({
  name,
  repositories: [name === 'wolfi' ? 'http://127.0.0.1/os' : 'http://127.0.0.1/alpine/v3.22/main'],
  archs,
  images: name === 'wolfi' ? ['ghcr.io/acme/base'] : [],
  includes: name === 'wolfi' ? ['wolfi-base.yaml'] : [],
  scripts: [],
  asksUnknown: false,
}));

test('the same is proposed for every pin', async () => {
  await using beacon = await startBeacon({ datasources: { wolfi, alpine: [published('other=1.0-r0')] } });
  const byService = await proposals(beacon.url, JSON.parse(exampleFor(beacon.url)) as object);
  expect(byService).toMatchObject({
    curl: ['8.20.0-r1'],
    'libstdc++': ['15.2.0-r10'],
    'so:libssl.so.3': ['3.6'],
    stable: [],
    skewed: [],
    'no-such': [],
  });
  const url = await serveExport(beacon);
  expect(await proposals(url, renovatePreset({ url, names, isPart: false, statics }))).toEqual(byService);
});

test('a pin is looked up in the datasource that its file names, or in none', async () => {
  const folder = 'http://127.0.0.1:1';
  const files = {
    'wolfi.yaml':
      'contents: { repositories: [https://packages.wolfi.dev/os/], packages: [a=1.0-r0, b=1.0-r0@edge] }\n',
    'tags.yaml':
      'contents: { repositories: ["@edge https://dl-cdn.alpinelinux.org/alpine/v3.22/main", "@local ./x"], packages: [c@edge=1.0-r0, d=1.0-r0@local] }\n',
    'included.yaml': 'include: base/wolfi-base.yaml\ncontents: { packages: [e=1.0-r0] }\n',
    'other.yaml':
      'contents: { repositories: [https://packages.wolfi.dev/os, https://x.example.com], packages: [f=1.0-r0] }\n',
    'none.yaml': 'contents: { packages: [g=1.0-r0] }\n',
    Dockerfile:
      'ARG A=alpine:3.22\nFROM alpine:3.22.1 AS base\nRUN apk add h=1.0-r0 i@x=1.0-r0\nFROM base\nRUN apk add j=1.0-r0\nFROM $A\nRUN apk add k=1.0-r0\n' +
      'FROM node:24-alpine3.22\nRUN apk add l=1.0-r0 && apk add -X https://x m=1.0-r0 && apk add -UX https://x v=1.0-r0\nFROM ghcr.io/acme/base:1\nRUN apk add n=1.0-r0\nFROM cgr.dev/chainguard/node\nRUN apk add o=1.0-r0\n' +
      'FROM alpine:3.2\nRUN apk add p=1.0-r0\n# renovate: datasource=custom.wolfi depName=q\nARG Q=1.0-r0\n',
    'Dockerfile.hardened':
      'FROM dhi.io/node:24-alpine3.22-dev\nRUN apk add w=1.0-r0\nFROM acme/dhi-node:24-alpine3.22-dev\nRUN apk add x=1.0-r0\n',
    'Dockerfile.copied': 'FROM alpine:3.22\nCOPY repositories /etc/apk/\nRUN apk add r=1.0-r0\n',
    'Dockerfile.listed':
      'FROM alpine:3.22\nRUN cd /etc/apk && cat /tmp/list >> repositories && apk add s=1.0-r0\n',
    'Dockerfile.cached': 'FROM alpine:3.22\nRUN --mount=type=cache,target=/etc/apk/cache apk add t=1.0-r0\n',
    'Dockerfile.written':
      'FROM cgr.dev/chainguard/node\nRUN cat > Dockerfile <<EOF\nFROM alpine:3.22\nEOF\nRUN apk add u=1.0-r0\n',
  };
  const { dependencies } = await lookUp({
    files: {
      ...files,
      'renovate.json': JSON.stringify(renovatePreset({ url: folder, names, isPart: false, statics })),
    },
    environment: { RENOVATE_DRY_RUN: 'extract' },
  });
  const asked = [...dependencies.values()]
    .flat()
    .filter(({ datasource }) => datasource?.startsWith('custom.'))
    .map(
      ({ depName, registryUrls }) =>
        `${depName} ${registryUrls?.[0]?.slice(folder.length).replace(/\?.*/, '')}`,
    );
  expect(asked.sort()).toEqual([
    'a /wolfi/a',
    'b /-/no-opinion',
    'c /alpine-3.22/c',
    'd /-/no-opinion',
    'e /wolfi/e',
    'f /-/no-opinion',
    'g /-/no-opinion',
    'h /alpine-3.22/h',
    'i /-/no-opinion',
    'j /-/no-opinion',
    'k /-/no-opinion',
    'l /alpine-3.22/l',
    'm /-/no-opinion',
    'n /wolfi/n',
    'o /wolfi/o',
    'p /-/no-opinion',
    'q /wolfi/q',
    'r /-/no-opinion',
    's /-/no-opinion',
    't /alpine-3.22/t',
    'u /-/no-opinion',
    'v /-/no-opinion',
    'w /-/no-opinion',
    'x /-/no-opinion',
  ]);
});
