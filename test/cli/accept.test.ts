/** `accept` beside a running service, as with `kubectl exec`, where no signals can be sent. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addressOf, start } from '../support/process.ts';
import { startUpstream } from '../support/repository-server.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** An index whose newest package was built on this day of 2026. */
const index = (day: number): Promise<Uint8Array> =>
  signedIndex([pkg('app', `${day}.0-r0`, { t: String(1_767_225_600 + day * 86_400) })]);

test(
  'a running service notices an accepted index by itself; a replica with its own cache does not',
  { timeout: 90_000 },
  async () => {
    const folder = await temporaryDirectory();
    const key = join(folder, testKey().name);
    await writeFile(key, testKey().pem);
    await using upstream = await startUpstream();
    const source = ['--repository', upstream.url, '--key', key, '--arch', 'x86_64'];
    const where = ['--cache-dir', join(folder, 'one'), ...source];
    upstream.serve('x86_64', await index(3));
    await using running = start(['--listen', '127.0.0.1:0', ...where]);
    await using replica = start(['--listen', '127.0.0.1:0', '--cache-dir', join(folder, 'other'), ...source]);
    const addresses = [await addressOf(running), await addressOf(replica)];
    await Promise.all([running, replica].map((each) => each.line(/loaded 1 package /)));
    upstream.serve('x86_64', await index(2));
    for (const each of [running, replica]) {
      each.child.kill('SIGHUP');
      await each.line(/is held back: its newest package/);
    }

    await using accepting = start(['accept', 'default', ...where]);
    expect(await accepting.ended).toBe(0);
    expect(accepting.lines).toEqual([
      expect.stringMatching(/^accepted http:\S+\/x86_64\/APKINDEX.tar.gz: its newest package/),
      'the service with this cache directory refreshes within seconds; other replicas do not',
    ]);
    await running.line(/changed: 1 added, 1 removed/);
    const answers = addresses.map(async (address) => (await fetch(`${address}/app/latest`)).text());
    expect(await Promise.all(answers)).toEqual(['2.0-r0\n', '3.0-r0\n']);
  },
);

test.each([
  [['nope'], 'unknown datasource nope, expected one of default'],
  [['default', 'x86-64'], 'default has no index for x86-64, expected one of x86_64, aarch64'],
])('accept %j is an error, not nothing to accept', async (words, message) => {
  const folder = await temporaryDirectory();
  await using run = start(['accept', ...words, '--cache-dir', folder, '--repository', folder]);
  expect(await run.ended).toBe(2);
  expect(run.lines.join('\n')).toContain(message);
});
