import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { check, type CheckOptions } from '../src/library.ts';
import { temporaryFolder } from './support/service.ts';
import { pkg, signedIndex, testKey } from './support/signed-index.ts';

test('repositories are asked for pins of any image, those of a configuration are not', async () => {
  const folder = await temporaryFolder();
  try {
    const [key, repository] = [join(folder, testKey().name), join(folder, 'os')];
    await mkdir(join(repository, 'x86_64'), { recursive: true });
    await writeFile(join(repository, 'x86_64/APKINDEX.tar.gz'), await signedIndex([pkg('curl', '2.0-r0')]));
    await writeFile(key, testKey().pem);
    await writeFile(join(folder, 'Dockerfile'), 'FROM any\nRUN apk add curl=1.0-r0\n');
    const wolfi = { archs: ['x86_64'], keys: [key], repositories: [repository] };
    const environment = { APK_BEACON_CACHE_DIR: 'none' };
    const found = async (options: CheckOptions): Promise<readonly string[]> =>
      (await check({ root: folder, paths: ['Dockerfile'], environment, ...options })).findings.map(
        ({ rule }) => rule,
      );
    expect(await found({ repositories: [repository], keys: [key], archs: ['x86_64'] })).toEqual([
      'withdrawn',
    ]);
    expect(await found({ config: `${JSON.stringify({ datasources: { wolfi } })}\n` })).toEqual(['not-asked']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
