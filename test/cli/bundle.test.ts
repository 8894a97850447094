/** The bundle in a folder without dependencies, as it is deployed. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { addressOf, start, startProgram } from '../support/process.ts';
import { startUpstream } from '../support/repository-server.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';
import { listen } from '../support/upstream.ts';

const run = promisify(execFile);
let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  bundle = join(folder, 'apk-beacon.mjs');
  await run(process.execPath, ['scripts/build.ts', folder]);
});

test('it serves, logs, is alive and stops', async () => {
  await using upstream = await startUpstream();
  for (const arch of ['x86_64', 'aarch64']) {
    upstream.serve(arch, await signedIndex([pkg('curl', '8.21.0-r1', { A: arch })]));
  }
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  const options = ['--repository', upstream.url, '--key', key, '--cache-dir', join(folder, 'cache')];
  await using service = start(['--listen', '127.0.0.1:0', ...options], {}, bundle);
  const address = await addressOf(service);
  expect(await (await fetch(`${address}/curl`)).json()).toMatchObject({
    releases: [{ version: '8.21.0-r1' }],
  });
  expect(await (await fetch(`${address}/metrics`)).text()).toContain('apk_index_packages');
  const file = join(folder, 'image.yaml');
  await writeFile(
    file,
    `contents:\n  repositories: [${upstream.url}]\n  packages: [curl=8.20.0-r0]\narchs: [x86_64]\n`,
  );
  for (const [words, told] of [
    [['explain', 'curl=8.21.0-r1'], 'offered'],
    [['check', file, '--fail-on', 'never'], 'withdrawn'],
  ] satisfies [string[], string][]) {
    await using asking = start([...words, '--url', address], {}, bundle);
    expect(await asking.ended, asking.lines.join('\n')).toBe(0);
    expect(asking.lines.join('\n')).toContain(told);
  }
  await using ledger = start(['ledger', 'verify', ...options], {}, bundle);
  expect(await ledger.ended, ledger.lines.join()).toBe(0);
  await using health = start(['health', '--listen', new URL(address).host], {}, bundle);
  expect(await health.ended, health.lines.join()).toBe(0);
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
});

test('health names the address that is not alive', async () => {
  const broken = await listen(
    createServer((_request, response) => response.writeHead(500).end()),
    'http',
  );
  await using ill = start(['health', '--listen', broken.host], {}, bundle);
  expect(await ill.ended).toBe(1);
  expect(ill.lines).toEqual([`apk-beacon: not alive at 127.0.0.1:${broken.port}: status 500`]);
  await using gone = start(['health', '--listen', '127.0.0.1:1'], {}, bundle);
  expect(await gone.ended).toBe(1);
});

/** Node options that fake its version. An older version also lacks a feature. */
const claims = (version: string, isOlder: boolean): readonly string[] => {
  const text = `
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
    ${isOlder ? 'delete Promise.withResolvers;' : ''}`;
  return ['--import', `data:text/javascript,${encodeURIComponent(text)}`];
};

test.each(['18.20.8', '20.20.2', '22.18.0'])(
  'on Node %s it says in one line what it needs',
  async (version) => {
    await using old = startProgram(process.execPath, [...claims(version, true), bundle, 'version']);
    expect(await old.ended).toBe(2);
    expect(old.lines).toEqual([`apk-beacon: needs Node 22.19 or newer, this is ${version}`]);
    const { engines } = JSON.parse(await readFile('package.json', 'utf8')) as { engines: { node: string } };
    expect(engines.node).toBe('>=22.19');
  },
);

test.each(['22.19.0', '23.0.0', '24.21.0'])('on Node %s it goes on', async (version) => {
  await using fine = startProgram(process.execPath, [...claims(version, false), bundle, 'version']);
  expect(await fine.ended).toBe(0);
});
