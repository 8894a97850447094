/** The effect of an unreachable apk-beacon on a repository's other updates and open merge requests. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { published, startBeacon, until, type Beacon } from './support/beacon.ts';
import { startGitea, type Gitea } from './support/gitea.ts';
import { extending } from './support/preset.ts';

const files = {
  'image.yaml': 'contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages: [curl=8.19.0-r0]\n',
  'package.json': '{ "dependencies": { "left-pad": "1.0.0" } }',
};
const wolfi = [published('curl=8.19.0-r0'), published('curl=8.20.0-r1')];
const CURL = 'Update curl to 8.20.0-r1';
const LEFT_PAD = 'Update dependency left-pad to v1.1.0';

let gitea: Gitea;
let npm: Server;
let npmUrl: string;
let beacon: Beacon;

beforeAll(async () => {
  gitea = await startGitea();
  const versions = Object.fromEntries(
    ['1.0.0', '1.1.0'].map((version) => [version, { name: 'left-pad', version }]),
  );
  npm = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name: 'left-pad', versions, 'dist-tags': { latest: '1.1.0' } }));
  });
  npm.listen(0, '127.0.0.1');
  await once(npm, 'listening');
  npmUrl = `http://127.0.0.1:${(npm.address() as AddressInfo).port}/`;
  beacon = await startBeacon({ datasources: { wolfi } });
  await until(async () => (await fetch(`${beacon.url}/readyz`)).ok);
});
afterAll(async () => {
  await gitea[Symbol.asyncDispose]();
  npm.close();
  await beacon[Symbol.asyncDispose]();
});

const administrator = (url: string): Record<string, string> => ({
  RENOVATE_HOST_RULES: JSON.stringify(
    [`${url}/`, npmUrl].map((matchHost) => ({ matchHost, allowInternal: true })),
  ),
  RENOVATE_NPMRC: `registry=${npmUrl}`,
});

const open = ({ mergeRequests }: Gitea): readonly string[] =>
  mergeRequests
    .filter(({ state }) => state === 'open')
    .map(({ title }) => title)
    .toSorted();

describe('while apk-beacon is down', () => {
  test('a repository that extends its address gets no update at all; open merge requests stay', async () => {
    await using other = await startBeacon({ datasources: { wolfi } });
    await until(async () => (await fetch(`${other.url}/readyz`)).ok);
    await using forge = await startGitea();
    await forge.create('direct', { ...files, 'renovate.json': extending(other.url) });
    await forge.renovate('direct', administrator(other.url));
    expect(open(forge)).toEqual([CURL, LEFT_PAD]);

    other.process.child.kill('SIGTERM');
    await other.process.ended;
    const { log, dependencies } = await forge.renovate('direct', administrator(other.url));
    expect(log.map(({ msg }) => msg)).toContain('Repository has invalid config');
    expect([...dependencies.keys()]).toEqual([]);
    expect(open(forge)).toEqual([CURL, LEFT_PAD]);
  }, 360_000);

  test('with a committed preset other updates go on; merge requests of APK pins stay open only with RENOVATE_PRUNE_STALE_BRANCHES=false', async () => {
    const preset = await (await fetch(`${beacon.url}/renovate.json`)).text();
    await gitea.create('presets', { 'default.json': preset });
    await gitea.create('images', { ...files, 'renovate.json': '{ "extends": ["local>acme/presets"] }' });
    await gitea.renovate('images', administrator(beacon.url));
    expect(open(gitea)).toEqual([CURL, LEFT_PAD]);

    beacon.process.child.kill('SIGTERM');
    await beacon.process.ended;
    await gitea.renovate('images', { ...administrator(beacon.url), RENOVATE_PRUNE_STALE_BRANCHES: 'false' });
    expect(open(gitea)).toEqual([CURL, LEFT_PAD]);

    await gitea.renovate('images', administrator(beacon.url));
    expect(open(gitea)).toEqual([LEFT_PAD]);
  }, 360_000);
});
