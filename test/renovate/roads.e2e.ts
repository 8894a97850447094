/** The ways to the first merge request that README.md and docs/renovate.md describe, walked word for word. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { published, startBeacon, until, type Beacon } from './support/beacon.ts';
import { startGitea, type Gitea } from './support/gitea.ts';
import { allowInternal, extending } from './support/preset.ts';
import { lookUp } from './support/run.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const image = {
  'image.yaml':
    'contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n    - curl=8.19.0-r0\n',
};
/** The address in all documents. */
const ADDRESS = 'http://apk-beacon:3000';

let beacon: Beacon;
let gitea: Gitea;
beforeAll(async () => {
  beacon = await startBeacon({
    datasources: { wolfi: [published('curl=8.19.0-r0'), published('curl=8.20.0-r1')] },
  });
  gitea = await startGitea();
});
afterAll(async () => {
  await gitea[Symbol.asyncDispose]();
  await beacon[Symbol.asyncDispose]();
});

/** The first code block of that language behind a line of the document, for this service's address. */
async function block(file: string, language: string, behind: string): Promise<string> {
  const text = await readFile(join(root, file), 'utf8');
  const start = text.indexOf(behind);
  const found = new RegExp(`^ *\`\`\`${language}\\n([^]*?)^ *\`\`\``, 'm').exec(text.slice(start));
  if (start < 0 || !found) throw new Error(`${file}: no ${language} behind ${behind}`);
  return (found[1] ?? '').replaceAll(ADDRESS, beacon.url);
}

const openRequests = (): readonly string[] => gitea.mergeRequests.map(({ title }) => title);

test('a newcomer with GitLab: renovate.json of the README, the variables of the job that is included', async () => {
  const config = await block('README.md', 'json', '## Let Renovate use it');
  const [, text = ''] = (await readFile(join(root, 'deploy/gitlab/renovate.gitlab-ci.yml'), 'utf8')).split(
    /^---$/m,
  );
  const inputs: Record<string, string> = { port: new URL(beacon.url).port, onboarding: 'false' };
  const { renovate: job } = parse(
    text.replaceAll(/\$\[\[ inputs\.([\w-]+) \]\]/g, (whole, name: string) => inputs[name] ?? whole),
  ) as { renovate: { variables: Record<string, string>; script: string[] } };
  expect(job.script.at(-1)).toBe('renovate');
  // GitLab sets the ones with a $, and a Gitea stands for it. Its repository is named by the test.
  const { RENOVATE_ONBOARDING = '', RENOVATE_REQUIRE_CONFIG = '' } = job.variables;
  const RENOVATE_HOST_RULES = (job.variables['RENOVATE_HOST_RULES'] ?? '').replace('apk-beacon', '127.0.0.1');
  expect(RENOVATE_HOST_RULES).toContain(beacon.url);
  await gitea.create('newcomer', { ...image, 'renovate.json': config });
  await gitea.renovate('newcomer', {
    RENOVATE_ONBOARDING,
    RENOVATE_REQUIRE_CONFIG,
    RENOVATE_HOST_RULES,
    RENOVATE_INTERNAL_HOST_ACCESS: 'block',
  });
  expect(openRequests()).toEqual(['Update curl to 8.20.0-r1']);
});

test('a preset in a repository: apk-beacon preset > default.json, extends local>acme/presets', async () => {
  await until(async () => (await fetch(`${beacon.url}/readyz`)).ok);
  const { stdout: preset } = await promisify(execFile)(
    process.execPath,
    ['src/main.ts', 'preset', '--url', beacon.url],
    { cwd: root, env: { HOME: '/nonexistent', PATH: process.env['PATH'] } },
  );
  await gitea.create('presets', { 'default.json': preset });
  await gitea.create('images', { ...image, 'renovate.json': '{ "extends": ["local>acme/presets"] }' });
  const report = await gitea.renovate('images', {
    ...allowInternal(beacon.url),
    RENOVATE_DRY_RUN: 'lookup',
  });
  const [curl] = report.dependencies.get('image.yaml') ?? [];
  expect(curl?.updates.map(({ newValue }) => newValue)).toEqual(['8.20.0-r1']);
});

test('static files instead of the service: apk-beacon export, and the preset beside them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'apk-beacon-static-'));
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?', 1)[0] ?? '');
    const content = path === '/renovate.json' ? Promise.resolve(preset()) : readFile(join(folder, path));
    content.then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let printed = '';
  const preset = (): string => printed;
  const run = async (...args: string[]): Promise<string> => {
    const options = { cwd: root, env: { HOME: folder, PATH: process.env['PATH'] } };
    const command = ['src/main.ts', ...args, '--config', beacon.configFile];
    return (await promisify(execFile)(process.execPath, command, options)).stdout;
  };
  try {
    await run('export', '--out', join(folder, 'site'));
    printed = await run('preset', '--static', '--url', `${url}/site`);
    const report = await lookUp({
      files: { ...image, 'renovate.json': extending(url) },
      environment: allowInternal(url),
    });
    const [curl] = report.dependencies.get('image.yaml') ?? [];
    expect(curl?.updates.map(({ newValue }) => newValue)).toEqual(['8.20.0-r1']);
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
});
