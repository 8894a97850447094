/** Answers with everything that may be in them: `startService` checks each against `/openapi.json`. */
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openApi } from '../../src/http/openapi.ts';
import { checkDescribed } from '../support/contract.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const { signal } = new AbortController();
const ARCHS = ['x86_64', 'aarch64'];
const BUILT = String(Date.UTC(2026, 0, 1) / 1000);

const ofAll: readonly Stanza[] = [
  pkg('curl', '8.19.0-r0', { t: BUILT, U: 'https://github.com/curl/curl', o: 'curl' }),
  pkg('curl', '8.20.0_rc1-r0', { t: BUILT, U: 'https://github.com/curl/curl', o: 'curl' }),
  pkg('curl', '8.20.0-r0', { t: BUILT, U: 'https://github.com/curl/curl', o: 'curl', D: '/bin/sh' }),
  pkg('odd', '1-r0', { D: 'curl=9-r9' }),
  pkg('odd', '1.x'),
  pkg('odd', '2-r0', { p: 'odd=3-r0' }),
  pkg('odd', '3-r0', { M: 'x' }),
  pkg('odd', '4-r0', { D: 'bash (>= 4)' }),
  pkg('free', '1-r0', { p: 'so:free.so.1=1 odd cmd:free=1-r0' }),
  pkg('free', '2-r0', { p: 'cmd:free=1-r0' }),
  pkg('', '1-r0'),
  ...['1-r0', '2-r0'].flatMap((version) => [pkg('kept', version), pkg('needs', version, { D: 'kept=1-r0' })]),
];

const young = pkg('curl', '8.21.0-r0', { t: BUILT });
const rebuilt = pkg('odd', '1.x', { T: 'again' });

async function indexOf(arch: string, shared: readonly Stanza[] = ofAll): Promise<Buffer> {
  const own =
    arch === 'x86_64'
      ? [pkg('half', '1-r0', { p: 'whole=1-r0' })]
      : [pkg('other', '1-r0', { p: 'whole=1-r0' })];
  const stanzas = [
    ...shared.map((stanza) => ({ ...stanza, A: arch })),
    ...own.map((each) => ({ ...each, A: arch })),
  ];
  return signedIndex([...stanzas, pkg('odd', '5-r0', { A: 'riscv64' })]);
}

/** Fields of what this service does not have: receivers, an odd clock, an index of apk 3, a past, feeds in OSV. */
const elsewhere = [
  ...[
    'notifications',
    'receiver',
    'pending',
    'oldestPending',
    'lastDelivered',
    'delivered',
    'failed',
    'givenUp',
  ],
  ...['clockBehind', 'lost', 'incompletePackages', 'buildTimes', 'digest', 'newestRecord', 'status', 'level'],
];

const pin = (version: string, more: object = {}): object => ({
  ...{ text: `curl=${version}`, name: 'curl', operator: '=', version, tagIsBehind: false, tool: 'apk' },
  ...{ isRuntime: false, isLocked: false, context: 0, world: '0:0', ...more },
});

async function check(service: TestService, pins: readonly object[]): Promise<string> {
  await service.server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = service.server.server.address() as AddressInfo;
  const headers = { 'content-type': 'application/json' };
  const asked = request({ host: '127.0.0.1', port, method: 'POST', path: '/-/check', headers });
  asked.end(
    JSON.stringify({
      ...{ policy: { within: 'major', minAge: 0 }, built: [], pins },
      contexts: [{ kind: 'definition', repositories: 'https://packages.wolfi.dev/os' }, {}],
    }),
  );
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const body = await text(answer);
  checkDescribed('check', { statusCode: answer.statusCode ?? 0, headers: answer.headers, body });
  return body;
}

test('every field of every body is in some answer', async () => {
  await using upstream = await startUpstream();
  const cacheDir = await temporaryDirectory();
  for (const arch of ARCHS) upstream.serve(arch, await indexOf(arch));
  const feed = join(cacheDir, 'feed.json');
  const secfixes = {
    '8.20.0-r0': ['CVE-2026-0001'],
    '9-r0': ['CVE-2026-0002'],
    '0': ['CVE-2026-0003'],
    x: ['y'],
  };
  await writeFile(
    feed,
    JSON.stringify({
      distroversion: 'v3.99',
      reponame: 'community',
      urlprefix: 'https://example.org',
      packages: [{ pkg: { name: 'curl', secfixes } }],
    }),
  );
  const config = {
    datasources: {
      wolfi: {
        repositories: [{ url: upstream.url, withdrawal: { age: '30d', days: [1, 28] } }],
        advisories: [{ secdb: feed }],
      },
    },
  };
  const bodies: string[] = [];
  {
    await using service = await startService({ config, cacheDir });
    const ask = async (...paths: string[]): Promise<void> => {
      for (const path of paths) bodies.push((await service.get(path)).body);
    };
    await ask('/', '/curl', '/readyz', '/wolfi');
    await service.beacon.refreshOnce(signal);
    await service.beacon.ledger.settled();
    await ask(
      '/curl?current=8.19.0-r0',
      '/crul',
      '/curl/latest',
      '/curl?line=9&strip=revision',
      '/-/for/curl',
      '/-/for/curl?only=other',
    );
    await ask(
      '/curl/explain?current=8.19.0-r0',
      '/curl/explain?current=x',
      '/odd/explain',
      '/cmd:free/explain',
    );
    await ask('/whole/explain', '/curl/advisories', '/curl/advisories?current=8.19.0-r0');
    await ask('/curl/advisories?current=8.19.0-r0&target=8.20.0-r0', '/curl?arch=pdp11', '/renovate.json');
    await ask('/-/asked', '/-/changes', '/-/changes/curl', '/-/search?q=cur', '/wolfi@7d', '/wolfi@7d/curl');
    await ask('/wolfi@7d/curl/explain', '/wolfi@2020-01-01/curl');
    const [withdrawn, ...kept] = ofAll;
    expect(withdrawn).toMatchObject({ P: 'curl' });
    for (const arch of ARCHS) upstream.serve(arch, await indexOf(arch, [...kept, young, rebuilt]));
    await service.beacon.refreshOnce(signal);
    await service.beacon.ledger.settled();
    await ask('/curl?current=8.19.0-r0', '/odd/explain', '/-/changes', '/wolfi@7d/curl/explain');
    const apart = ['kept', 'needs'].map((name) => pin('1-r0', { name, text: `${name}=1-r0` }));
    bodies.push(
      await check(service, [pin('8.19.0-r0'), pin('8.18-r0'), pin('1', { operator: '?' }), ...apart]),
    );
    for (const arch of ARCHS) upstream.misbehave(arch, (_, response) => response.writeHead(500).end());
    await rm(feed);
    await service.beacon.refreshOnce(signal);
    service.stop();
    await ask('/wolfi', '/readyz', '/livez', '/metrics');
  }
  const shown = bodies.join('\n');
  const { components } = openApi() as { components: { schemas: Record<string, object> } };
  const { CheckRequest: asked, OpenApi: itself, ...answered } = components.schemas;
  expect(asked && itself).toBeDefined();
  const missing = [...fieldsIn(answered)].filter((field) => !shown.includes(`"${field}":`));
  expect(missing.toSorted()).toEqual(elsewhere.toSorted());
});

/** The names in `properties` at any depth. */
function fieldsIn(schema: object): ReadonlySet<string> {
  const own = 'properties' in schema ? Object.keys(schema.properties as object) : [];
  const inner = Object.values(schema).filter((each) => typeof each === 'object' && each !== null);
  return new Set([...own, ...inner.flatMap((each) => [...fieldsIn(each as object)])]);
}
