/** The guards in a service: what is held back, across a restart, and how an operator lets it pass. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
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
function index(day: number, names = 20, version = `${day}.0-r0`): Promise<Buffer> {
  const others = Array.from({ length: names - 1 }, (_, i) => pkg(`other-${i}`, '1.0-r0', { t: '1' }));
  return signedIndex([...others, pkg('app', version, { t: `${1_700_000_000 + day * 86_400}` })]);
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

test('a frozen index is spoken of, and makes the service unready only if told so', async () => {
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

test('what was held back in a running service passes once it is accepted, and nothing else does', async () => {
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
  expect(again.lines).toEqual(['nothing of default is held back']);
});
