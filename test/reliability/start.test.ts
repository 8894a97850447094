/** Starts under bad conditions: hanging key servers, full disks, jumping clocks, early signals. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { addressOf, start } from '../support/process.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const signal = new AbortController().signal;
let folder: string;
let key: string;
let upstream: Upstream;

beforeEach(async () => {
  folder = await temporaryFolder();
  key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex([pkg('app', '1.0-r0')]));
});
afterEach(async () => {
  vi.useRealTimers();
  await upstream[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const common = ['--listen', '127.0.0.1:0', '--arch', 'x86_64'];
const text = async (url: string): Promise<string> => (await fetch(url)).text();

test('a key server that hangs delays no datasource but its own', async () => {
  const asked = Promise.withResolvers<void>();
  upstream.misbehave('keys', () => asked.resolve());
  const datasource = (keys: string): object => ({
    archs: ['x86_64'],
    repositories: [upstream.url],
    keys: [keys],
  });
  const file = join(folder, 'config.yaml');
  const sound = datasource(key);
  const config = { listen: '127.0.0.1:0', cacheDir: join(folder, 'cache') };
  await writeFile(file, stringify({ ...config, datasources: { sound } }));
  {
    await using first = start(['--config', file]);
    await first.line(/"datasource":"sound".*loaded 1 package /);
  }
  const hanging = datasource(`${upstream.url}/keys/a.rsa.pub`);
  await writeFile(file, stringify({ ...config, datasources: { hanging, sound } }));
  await using second = start(['--config', file]);
  const address = await addressOf(second);
  expect(await text(`${address}/sound/app/latest`)).toBe('1.0-r0\n');
  await asked.promise;
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s while nothing is loaded yet ends it with 0', async (name) => {
  const asked = Promise.withResolvers<void>();
  upstream.misbehave('x86_64', () => asked.resolve());
  await using service = start([...common, '--cache-dir', 'none', '--repository', upstream.url, '--key', key]);
  await asked.promise;
  service.child.kill(name);
  expect(await service.ended).toBe(0);
});

test('a port in use ends it, though a first refresh is on its way', async () => {
  upstream.misbehave('x86_64', () => undefined);
  const listen = ['--listen', new URL(upstream.url).host, '--arch', 'x86_64', '--cache-dir', 'none'];
  await using service = start([...listen, '--repository', upstream.url, '--key', key]);
  await service.line(/is in use by another process/);
  expect(await service.ended).toBe(1);
});

test('a file that cannot be written to its end is not kept, with one warning', async () => {
  // Larger than the shell's limit of a kilobyte a file, which stands for a full disk.
  const many = Array.from({ length: 300 }, (_, i) => pkg(`app-${i}`, '1.0-r0'));
  upstream.serve('x86_64', await signedIndex(many));
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const cacheDir = join(folder, 'cache');
  const args = [...common, '--cache-dir', cacheDir, '--repository', upstream.url, '--key', key];
  const child = spawn('bash', ['-c', 'ulimit -f 1; exec "$@" | cat', '-', process.execPath, main, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let output = '';
  for await (const piece of child.stdout) {
    output += String(piece);
    if (output.includes('cannot keep indexes') && output.includes('loaded 300 packages')) break;
  }
  const exited = once(child, 'exit');
  process.kill(-(child.pid as number), 'SIGKILL');
  await exited;
  expect(output.match(/cannot keep indexes/g)).toHaveLength(1);
  expect(await readdir(join(cacheDir, 'indexes'))).toEqual([]);
});

test('a clock that jumps by a day changes no answer', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const now = Date.now();
  upstream.serve('x86_64', await signedIndex([pkg('app', '1.0-r0', { t: String(Math.floor(now / 1000)) })]));
  await using service = await startService({
    cacheDir: folder,
    config: {
      frozen: 'fail',
      datasources: { wolfi: { archs: ['x86_64'], repositories: [{ url: upstream.url, maxAge: '2d' }] } },
    },
  });
  await service.beacon.refreshOnce(signal);
  for (const days of [1, -1, 0, -3650, 1]) {
    vi.setSystemTime(now + days * 86_400_000);
    await service.beacon.refreshOnce(signal);
    expect((await service.get('/app/latest')).body).toBe('1.0-r0\n');
    expect((await service.get('/readyz')).statusCode).toBe(200);
    const { indexes } = (await service.get('/wolfi')).json<{ indexes: { age: number; state: string }[] }>();
    expect(indexes[0]?.age).toBeGreaterThanOrEqual(0);
    expect(indexes[0]?.state).toBe('current');
  }
});
