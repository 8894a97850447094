/** A start from what an earlier process has read. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packIndex } from '../../src/apk/parsed-index.ts';
import { readIndex } from '../../src/apk/read-index.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';
import { startService, temporaryFolder, type TestService } from '../support/service.ts';
import { startUpstream } from '../support/repository-server.ts';

const signal = new AbortController().signal;

function serviceOf(url: string, cacheDir: string): Promise<TestService> {
  const repositories = [url];
  return startService({ cacheDir, config: { datasources: { wolfi: { repositories, archs: ['x86_64'] } } } });
}

async function latest(service: TestService): Promise<string> {
  return (await service.get('/wolfi/curl/latest')).body.trim();
}

/** A cache folder that a process has left, and what answers it gave. */
async function leftBehind(): Promise<{ cacheDir: string; url: string; parsed: string; archive: Buffer }> {
  await using upstream = await startUpstream();
  const archive = await signedIndex([pkg('curl', '8.20.0-r0')]);
  upstream.serve('x86_64', archive);
  const cacheDir = await temporaryFolder();
  await using service = await serviceOf(upstream.url, cacheDir);
  await service.beacon.refreshOnce(signal);
  const folder = join(cacheDir, 'indexes');
  const parsed = (await readdir(folder)).find((name) => name.endsWith('.parsed')) ?? '';
  return { cacheDir, url: upstream.url, parsed: join(folder, parsed), archive };
}

test('answers as before, and finds nothing to change when it reads the archive', async () => {
  const { cacheDir, url } = await leftBehind();
  await using service = await serviceOf(url, cacheDir);
  await service.beacon.restore(signal);
  const before = service.beacon.datasources[0]?.snapshot;
  expect(await latest(service)).toBe('8.20.0-r0');
  await service.beacon.recheck(signal);
  expect(service.beacon.datasources[0]?.snapshot).toBe(before);
});

test('what was made up in the cache folder is found out', async () => {
  const { cacheDir, url, parsed, archive } = await leftBehind();
  const [header = ''] = (await readFile(parsed, 'latin1')).split('\n', 1);
  const { terms } = JSON.parse(header) as { terms: string };
  const [, , limits] = JSON.parse(terms) as [number, boolean, never];
  const options = { keys: [testKey()], limits, arch: 'x86_64' };
  const { digest } = await readIndex(archive, options);
  const forged = await readIndex(await signedIndex([pkg('curl', '6.6.6-r6')]), options);
  await writeFile(parsed, Buffer.concat(await packIndex({ ...forged, digest }, archive, options)));

  await using service = await serviceOf(url, cacheDir);
  await service.beacon.restore(signal);
  expect(await latest(service)).toBe('6.6.6-r6');
  await service.beacon.recheck(signal);
  expect(await latest(service)).toBe('8.20.0-r0');
  expect(service.logs.join('')).toContain('the cached table was not that of the cached index');

  await using next = await serviceOf(url, cacheDir);
  await next.beacon.restore(signal);
  expect(await latest(next)).toBe('8.20.0-r0');
});

test.each(['', 'nonsense', '{}\n', '{"terms":1}\n'])(
  '%j in place of it costs nothing but time',
  async (content) => {
    const { cacheDir, url, parsed } = await leftBehind();
    await writeFile(parsed, content);
    await using service = await serviceOf(url, cacheDir);
    await service.beacon.restore(signal);
    expect(await latest(service)).toBe('8.20.0-r0');
  },
);
