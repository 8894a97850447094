import { watch } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { addressOf, start } from '../support/process.ts';
import { startUpstream } from '../support/repository-server.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const ROUNDS = 6;

/** Some megabytes that do not compress, so that writing them takes a while. */
function index(state: number): Promise<Buffer> {
  const noise = Array.from({ length: 8000 }, (_, i) =>
    pkg(`noise-${i}`, '1.0-r0', { T: randomBytes(300).toString('hex') }),
  );
  return signedIndex([...noise, pkg('app', `${state}.0-r0`, { t: String(1_700_000_000 + state) })]);
}

test(`killed ${ROUNDS} times in the middle of keeping an index, it starts from a whole one each time`, async () => {
  const folder = await temporaryFolder();
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  const indexes = join(folder, 'cache', 'indexes');
  await mkdir(indexes, { recursive: true });
  await using upstream = await startUpstream();
  const args = [
    '--listen', '127.0.0.1:0', '--arch', 'x86_64', '--cache-dir', join(folder, 'cache'), '--repository', upstream.url, '--key', key,
  ]; // prettier-ignore
  let kept = 0;
  let interrupted = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    upstream.serve('x86_64', await index(round));
    upstream.misbehave('x86_64', undefined);
    {
      await using doomed = start(args);
      const writing = Promise.withResolvers<void>();
      const watcher = watch(indexes, (_event, name) => {
        if (name?.endsWith('.new')) writing.resolve();
      });
      await writing.promise;
      doomed.child.kill('SIGKILL');
      expect(await doomed.ended).toBe('SIGKILL');
      watcher.close();
    }
    const names = await readdir(indexes);
    if (names.some((name) => name.endsWith('.new'))) interrupted += 1;
    await Promise.all(names.filter((name) => name.endsWith('.new')).map((name) => rm(join(indexes, name))));
    const isKept = names.some((name) => name.endsWith('.apkindex'));

    upstream.misbehave('x86_64', (_, response) => void response.destroy());
    await using next = start(args);
    const address = await addressOf(next);
    await next.line(/cannot refresh/);
    expect(next.lines.filter((line) => line.includes('ignoring'))).toEqual([]);
    if (isKept) {
      expect(await (await fetch(`${address}/app/latest`)).text()).toMatch(/^\d+\.0-r0\n$/);
      kept += 1;
    } else expect((await fetch(`${address}/readyz`)).status).toBe(503);

    // Once an index is kept whole, all later rounds replace it.
    if (!isKept) {
      upstream.misbehave('x86_64', undefined);
      next.child.kill('SIGHUP');
      await next.line(/loaded 8001 packages/);
      next.child.kill('SIGTERM');
      expect(await next.ended).toBe(0);
    }
  }
  process.stdout.write(
    `${interrupted} of ${ROUNDS} kills in the middle of a write, ${kept} starts from what was kept\n`,
  );
  expect(interrupted).toBeGreaterThan(0);
  expect(kept).toBeGreaterThanOrEqual(ROUNDS - 1);
  await rm(folder, { recursive: true, force: true });
});
