/** The guards in a service: which indexes are held, also across a restart, and how an operator accepts one. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LiveIndex } from '../../src/repository/live-index.ts';
import { addressOf, start } from '../support/process.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, temporaryFolder, type TestService } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const signal = new AbortController().signal;
let folder: string;
let upstream: Upstream;

beforeEach(async () => {
  folder = await temporaryFolder();
  upstream = await startUpstream();
});
afterEach(async () => {
  await upstream[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** `names` packages, the newest of them of that day. */
function index(day: number, names = 20): Promise<Buffer> {
  const others = Array.from({ length: names - 1 }, (_, i) => pkg(`other-${i}`, '1.0-r0', { t: '1' }));
  return signedIndex([...others, pkg('app', `${day}.0-r0`, { t: `${1_700_000_000 + day * 86_400}` })]);
}

function service(repository: object = {}, top: object = {}): Promise<TestService> {
  return startService({
    cacheDir: folder,
    config: {
      ...top,
      datasources: { wolfi: { archs: ['x86_64'], repositories: [{ url: upstream.url, ...repository }] } },
    },
  });
}

async function state(of: TestService): Promise<{ version: string; code: string | undefined; ready: number }> {
  await of.beacon.refreshOnce(signal);
  const { statusCode: ready, body } = await of.get('/readyz');
  const { datasources } = JSON.parse(body) as {
    datasources: { wolfi: { problems: { errorCode?: string }[] } };
  };
  const version = (await of.get('/app/latest')).body.trim();
  return { version, code: datasources.wolfi.problems[0]?.errorCode, ready };
}

test('an older index is held back, also after a restart, and metric and readiness say so', async () => {
  upstream.serve('x86_64', await index(2));
  {
    await using first = await service();
    expect(await state(first)).toEqual({ version: '2.0-r0', code: undefined, ready: 200 });
    upstream.serve('x86_64', await index(1));
    expect(await state(first)).toEqual({ version: '2.0-r0', code: 'index-rollback', ready: 200 });
    expect((await first.get('/metrics')).body).toMatch(
      /apk_index_rejected_total\{[^}]*reason="index-rollback"\} 1/,
    );
  }
  await using second = await service();
  await second.beacon.restore(signal);
  expect(await state(second)).toEqual({ version: '2.0-r0', code: 'index-rollback', ready: 200 });
  upstream.serve('x86_64', await index(3));
  expect(await state(second)).toEqual({ version: '3.0-r0', code: undefined, ready: 200 });
});

test('an index that lost most of its names is held back, one that lost some is not', async () => {
  await using running = await service();
  upstream.serve('x86_64', await index(1, 20));
  expect(await state(running)).toMatchObject({ version: '1.0-r0', code: undefined });
  upstream.serve('x86_64', await index(2, 12));
  expect(await state(running)).toMatchObject({ version: '2.0-r0', code: undefined });
  upstream.serve('x86_64', await index(3, 5));
  expect(await state(running)).toMatchObject({ version: '2.0-r0', code: 'index-shrunk' });
});

test('each policy is the repository’s own', async () => {
  await using running = await service({ rollback: 'accept', maxShrink: '90%' });
  upstream.serve('x86_64', await index(2, 20));
  expect(await state(running)).toMatchObject({ version: '2.0-r0' });
  upstream.serve('x86_64', await index(1, 3));
  expect(await state(running)).toMatchObject({ version: '1.0-r0', code: undefined });
});

test('a frozen index is reported, and makes the service unready only if configured', async () => {
  upstream.serve('x86_64', await index(1));
  for (const [frozen, status] of [
    ['warn', 200],
    ['fail', 503],
  ] as const) {
    await using running = await service({ maxAge: '30d' }, { frozen });
    await running.beacon.refreshOnce(signal);
    const ready = await running.get('/readyz');
    expect(ready.statusCode).toBe(status);
    expect(ready.json()).toMatchObject({ datasources: { wolfi: { problems: [{ frozen: true }] } } });
    const metrics = (await running.get('/metrics')).body;
    expect(metrics).toMatch(/apk_index_max_age_seconds\{[^}]*\} 2592000/);
    expect((await running.get('/app/latest')).body).toBe('1.0-r0\n');
  }
});

test('a held index of a running service passes once it is accepted, and no other index does', async () => {
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  const where = ['--cache-dir', folder, '--repository', upstream.url, '--key', key, '--arch', 'x86_64'];
  upstream.serve('x86_64', await index(3));
  await using running = start(['--listen', '127.0.0.1:0', ...where]);
  const address = await addressOf(running);
  await running.line(/loaded 20 packages/);
  upstream.serve('x86_64', await index(2));
  running.child.kill('SIGHUP');
  await running.line(/is held back: its newest package/);

  await using accepting = start(['accept', 'default', ...where]);
  expect(await accepting.ended).toBe(0);
  expect(accepting.lines[0]).toMatch(/^accepted http:\S+\/x86_64\/APKINDEX.tar.gz: its newest package/);

  // Another one than was accepted stays back.
  upstream.serve('x86_64', await index(1));
  running.child.kill('SIGHUP');
  await expect
    .poll(() => running.lines.filter((line) => line.includes('is held back')).length, { timeout: 10_000 })
    .toBeGreaterThanOrEqual(2);
  upstream.serve('x86_64', await index(2));
  running.child.kill('SIGHUP');
  await running.line(/changed: 1 added, 1 removed/);
  const answer = await fetch(`${address}/app/latest`);
  expect(await answer.text()).toBe('2.0-r0\n');

  await using again = start(['accept', 'default', ...where]);
  expect(await again.ended).toBe(0);
  expect(again.lines).toEqual(['no index of default is held back']);
});

test('an acceptance is for one index, once: a later replay of it is held back', async () => {
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  upstream.serve('x86_64', await index(2));
  await using running = await service();
  const accept = async (): Promise<void> => {
    const spec = running.beacon.datasources[0]?.indexes[0]?.spec as LiveIndex['spec'];
    const held = await running.beacon.store.heldBack(spec);
    await running.beacon.store.accept(spec, held?.digest ?? '', Date.now());
  };
  expect(await state(running)).toMatchObject({ version: '2.0-r0' });
  upstream.serve('x86_64', await index(1));
  expect(await state(running)).toMatchObject({ version: '2.0-r0', code: 'index-rollback' });
  await accept();
  expect(await state(running)).toMatchObject({ version: '1.0-r0', code: undefined });
  for (const replay of ['first', 'second']) {
    upstream.serve('x86_64', await index(3));
    expect(await state(running)).toMatchObject({ version: '3.0-r0', code: undefined });
    upstream.serve('x86_64', await index(1));
    expect(await state(running), replay).toMatchObject({ version: '3.0-r0', code: 'index-rollback' });
  }
  // Accepted, but another one came first.
  await accept();
  upstream.serve('x86_64', await index(4));
  expect(await state(running)).toMatchObject({ version: '4.0-r0', code: undefined });
  upstream.serve('x86_64', await index(1));
  expect(await state(running)).toMatchObject({ version: '4.0-r0', code: 'index-rollback' });
});

describe('an index accepted under one policy is not restored under another', () => {
  const lax = { rollback: 'accept' };
  const both = (strict: object, other: object): Promise<TestService> =>
    startService({
      cacheDir: folder,
      config: {
        datasources: {
          strict: { archs: ['x86_64'], repositories: [{ url: upstream.url, ...strict }] },
          lax: { archs: ['x86_64'], repositories: [{ url: upstream.url, ...other }] },
        },
      },
    });
  const latest = async (of: TestService, name: string): Promise<string> =>
    (await of.get(`/${name}/app/latest`)).body.trim();

  test('a rolled-back index', async () => {
    upstream.serve('x86_64', await index(2));
    {
      await using first = await both({}, lax);
      await first.beacon.refreshOnce(signal);
      upstream.serve('x86_64', await index(1));
      await first.beacon.refreshOnce(signal);
      expect([await latest(first, 'strict'), await latest(first, 'lax')]).toEqual(['2.0-r0', '1.0-r0']);
    }
    await using second = await both({}, lax);
    await second.beacon.restore(signal);
    expect([await latest(second, 'strict'), await latest(second, 'lax')]).toEqual(['2.0-r0', '1.0-r0']);
    await using stricter = await both({ maxShrink: '1%' }, {});
    await stricter.beacon.restore(signal);
    expect(stricter.beacon.datasources.map(({ snapshot }) => snapshot !== undefined)).toEqual([false, true]);
  });

  test('an index that only trust: none takes, which costs the other nothing', async () => {
    upstream.serve('x86_64', await index(2));
    {
      await using first = await both({}, { trust: 'none' });
      await first.beacon.refreshOnce(signal);
      const forged = await signedIndex(
        [
          pkg('app', '9.0-r0', { t: '1790000000' }),
          ...Array.from({ length: 19 }, (_, i) => pkg(`other-${i}`, '1')),
        ],
        [{ key: testKey('x.rsa.pub') }],
      );
      upstream.serve('x86_64', forged);
      await first.beacon.refreshOnce(signal);
      expect([await latest(first, 'strict'), await latest(first, 'lax')]).toEqual(['2.0-r0', '9.0-r0']);
      const changes = async (of: string): Promise<string> => (await first.get(`/${of}/-/changes`)).body;
      expect(await changes('lax')).toContain('9.0-r0');
      expect(await changes('strict')).toContain('"changes":[]');
    }
    await using second = await both({}, { trust: 'none' });
    await second.beacon.restore(signal);
    expect(await latest(second, 'strict')).toBe('2.0-r0');
  });
});

test('a first index without packages is not ready until it is accepted', async () => {
  upstream.serve('x86_64', await signedIndex([]));
  await using running = await service();
  await running.beacon.refreshOnce(signal);
  expect((await running.get('/readyz')).statusCode).toBe(503);
  expect((await running.get('/app')).statusCode).toBe(429);
  expect((await running.get('/app')).body).toContain('no packages, and there was no index before it');
  const spec = running.beacon.datasources[0]?.indexes[0]?.spec as LiveIndex['spec'];
  const held = await running.beacon.store.heldBack(spec);
  await running.beacon.store.accept(spec, held?.digest ?? '', Date.now());
  await running.beacon.refreshOnce(signal);
  expect((await running.get('/readyz')).statusCode).toBe(200);
  expect((await running.get('/app')).statusCode).toBe(404);
});

test('a key whose file is removed is trusted no more, without a restart', async () => {
  const keys = join(folder, 'keys');
  await mkdir(keys);
  const next = testKey('next.rsa.pub');
  for (const each of [testKey(), next]) await writeFile(join(keys, each.name), each.pem);
  upstream.serve('x86_64', await index(1));
  await using running = await service({ keys: [keys] });
  expect(await state(running)).toMatchObject({ version: '1.0-r0', code: undefined });
  await rm(join(keys, testKey().name));
  // Also the index that is served: upstream says nothing newer is there, and it is verified anew.
  expect(await state(running)).toMatchObject({ version: '1.0-r0', code: 'signature-untrusted' });
  upstream.serve('x86_64', await index(2));
  expect(await state(running)).toMatchObject({ version: '1.0-r0', code: 'signature-untrusted' });
  const app = pkg('app', '3.0-r0', { t: '1790000000' });
  upstream.serve(
    'x86_64',
    await signedIndex(
      [app, ...Array.from({ length: 19 }, (_, i) => pkg(`other-${i}`, '1'))],
      [{ key: next }],
    ),
  );
  expect(await state(running)).toMatchObject({ version: '3.0-r0', code: undefined });
});

test('one file with packages of several archs serves each that is asked for', async () => {
  const archs = ['aarch64', 'x86', 'x86_64'];
  upstream.misbehave('one.tar.gz', (_, response) => void response.end(several));
  const several = await signedIndex(archs.map((A, i) => pkg('tool', `2.${i}.0-r0`, { A })));
  const url = `${upstream.url}/one.tar.gz`;
  await using running = await startService({
    config: {
      datasources: {
        one: { archs: ['x86_64'], repositories: [url] },
        both: { repositories: [{ url, archs: ['x86_64', 'aarch64'] }] },
        none: { repositories: [{ url, archs: ['riscv64'] }] },
        unclear: { repositories: [url] },
      },
    },
  });
  await running.beacon.refreshOnce(signal);
  expect((await running.get('/one/tool/latest')).body).toBe('2.2.0-r0\n');
  expect((await running.get('/both/tool?arch=aarch64')).body).toContain('2.0.0');
  expect((await running.get('/both/tool?arch=x86_64')).body).toContain('2.2.0');
  expect((await running.get('/none/tool')).body).toContain('most packages are for aarch64, expected riscv64');
  expect((await running.get('/unclear/tool')).body).toContain('list them under archs of the repository');
});
