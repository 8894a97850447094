/**
 * Branches and merge requests, on a Gitea of our own. Guards §2.3 of what was measured: one run in which the service
 * answers 404, 5xx or a list without the newer version closes open merge requests and deletes their branches.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signedIndex, testKey } from '../support/signed-index.ts';
import { misbehave, published, stanzas, startBeacon, until, type Beacon } from './support/beacon.ts';
import { startGitea, type Gitea, type MergeRequest } from './support/gitea.ts';
import { allowInternal, extending } from './support/preset.ts';
import { startRecorder, type Recorder } from './support/recorder.ts';

const history = Array.from({ length: 20 }, (_, i) => published(`other-${i}=1.0-r0`));
const wolfi = [
  ...history,
  published('curl=8.19.0-r0'),
  published('curl=8.20.0-r1', { fields: { U: 'https://curl.se/', o: 'curl' } }),
  published('libstdc++=15.2.0-r9'),
  published('libstdc++=15.2.0-r10'),
];
const image =
  '# curl=8.19.0-r0 is what we want\ncontents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n    - curl=8.19.0-r0\n    - libstdc++=15.2.0-r9 # C++\n';

let beacon: Beacon;
let gitea: Gitea;
let recorder: Recorder;

beforeAll(async () => {
  beacon = await startBeacon({ datasources: { wolfi } });
  recorder = await startRecorder(beacon.url);
  gitea = await startGitea();
  await gitea.create('images', { 'image.yaml': image, 'renovate.json': extending(recorder.url) });
  await renovate();
});
afterAll(async () => {
  await gitea[Symbol.asyncDispose]();
  await recorder[Symbol.asyncDispose]();
  await beacon[Symbol.asyncDispose]();
});

const renovate = () => gitea.renovate('images', allowInternal(recorder.url));

const titles = ['Update curl to 8.20.0-r1', 'Update libstdc++ to 15.2.0-r10'];

function requestFor(name: string): MergeRequest {
  const found = gitea.mergeRequests.find(({ title }) => title.includes(` ${name} `));
  if (!found) throw new Error(`no merge request for ${name}`);
  return found;
}

/** The two there were, still open, and no other. */
function expectUnharmed(): void {
  expect(gitea.mergeRequests.map(({ title }) => title).sort()).toEqual(titles);
  expect(gitea.mergeRequests.map(({ state }) => state)).toEqual(['open', 'open']);
}

describe('merge requests', () => {
  test('are opened, with titles that name the version as it is ("note the ugly v", §5)', () => {
    expectUnharmed();
  });

  test('change one line each, and no comment', async () => {
    expect(await gitea.diff('images', requestFor('curl').branch)).toEqual([
      '-    - curl=8.19.0-r0',
      '+    - curl=8.20.0-r1',
    ]);
    expect(await gitea.diff('images', requestFor('libstdc++').branch)).toEqual([
      '-    - libstdc++=15.2.0-r9 # C++',
      '+    - libstdc++=15.2.0-r10 # C++',
    ]);
  });

  test('link to the homepage', () => {
    expect(requestFor('curl').body).toContain('[curl](https://curl.se/)');
  });
});

test.each([
  ['one datasource', {}],
  ['several', { alpine: history }],
])('with publicUrl and %s, "Change" links to the page that explains the pin', async (_, others) => {
  await using front = await startRecorder(beacon.url);
  await using named = await startBeacon({
    datasources: { wolfi, ...others },
    config: { publicUrl: front.url },
    routing: { wolfi: { includes: ['wolfi-base'] } },
  });
  front.retarget(named.url);
  await using own = await startGitea();
  const local = image.replace(/ {2}repositories:.*\n/, '');
  const text = `include: wolfi-base\n${local}`;
  await own.create('images', { 'image.yaml': text, 'renovate.json': extending(front.url) });
  await own.renovate('images', allowInternal(front.url));
  const body = own.mergeRequests.find(({ title }) => title === titles[0])?.body ?? '';
  const page = `${front.url}/wolfi/curl?current=8.19.0-r0`;
  expect(body).toContain(`[\`8.19.0-r0\` → \`8.20.0-r1\`](${page}), of 20`);
  const answer = await fetch(page, { headers: { accept: 'text/html' } });
  expect(answer.status).toBe(200);
  expect(await answer.text()).toContain('Renovate proposes <code>8.20.0-r1</code>');
});

test('says when the pinned version is expected to be withdrawn', async () => {
  const old = published('curl=8.19.0-r0', { days: 150, fields: { U: 'https://curl.se/' } });
  const packages = [...history, old, published('curl=8.20.0-r1', { fields: { U: 'https://curl.se/' } })];
  await using aging = await startBeacon({
    datasources: { wolfi: [...packages, published('libstdc++=15.2.0-r9')] },
    repository: { withdrawal: { age: '184d', days: [13, 23] } },
  });
  await using own = await startGitea();
  await own.create('images', { 'image.yaml': image, 'renovate.json': extending(aging.url) });
  await own.renovate('images', allowInternal(aging.url));
  const explained = await fetch(`${aging.url}/wolfi/curl/explain`);
  const { versions } = (await explained.json()) as { versions: { withdrawal?: { expectedOn: string } }[] };
  const { expectedOn } = versions.at(-1)?.withdrawal ?? {};
  expect(expectedOn).toMatch(/^\d{4}-\d\d-\d\d$/);
  expect(own.mergeRequests.map(({ title }) => title)).toEqual(titles.slice(0, 1));
  expect(own.mergeRequests[0]?.body).toContain(
    `\`curl\` \`8.19.0-r0\` is expected to be withdrawn on or after ${expectedOn}, by rule old-build.`,
  );
});

/** In this order: each leaves the service as the next one needs it. */
describe('no merge request is closed by', () => {
  test('a half-published arch', async () => {
    const upstream = beacon.upstreams['wolfi'];
    const newer = [...wolfi, published('curl=8.21.0-r0', { archs: ['x86_64'] })];
    await beacon.publish('wolfi', newer);
    upstream?.misbehave('aarch64', (_request, response) => response.writeHead(404).end());
    await beacon.refreshed('wolfi');
    await renovate();
    expectUnharmed();
    upstream?.misbehave('aarch64', undefined);
  });

  test('an index that is rejected: shrunken, or signed by a stranger', async () => {
    const upstream = beacon.upstreams['wolfi'];
    const few = await signedIndex(stanzas(history.slice(0, 2), 'x86_64'));
    const strange = await signedIndex(stanzas(history, 'aarch64'), [{ key: testKey('stranger.rsa.pub') }]);
    upstream?.serve('x86_64', few);
    upstream?.serve('aarch64', strange);
    beacon.process.child.kill('SIGHUP');
    await beacon.process.line(/x86_64.*cannot refresh/);
    await beacon.process.line(/aarch64.*cannot refresh/);
    await renovate();
    expectUnharmed();
  });

  test('an outage upstream', async () => {
    misbehave(beacon.upstreams['wolfi'], (_request, response) => response.writeHead(503).end());
    beacon.process.child.kill('SIGHUP');
    await beacon.process.line(/cannot refresh.*answered 503/);
    await renovate();
    expectUnharmed();
  });

  test('a restart while upstream is still away', async () => {
    await using again = await beacon.restart();
    recorder.retarget(again.url);
    await renovate();
    expectUnharmed();
  });

  test('a first load in progress', async () => {
    await using fresh = await startBeacon({
      datasources: { wolfi },
      before: (upstreams) =>
        misbehave(upstreams['wolfi'], (_request, response) => response.writeHead(503).end()),
    });
    recorder.retarget(fresh.url);
    const before = recorder.paths.length;
    const done = renovate();
    await until(() => Promise.resolve(recorder.paths.slice(before).some((path) => path.includes('/curl?'))));
    misbehave(fresh.upstreams['wolfi'], undefined);
    fresh.process.child.kill('SIGHUP');
    await done;
    expectUnharmed();
  });
});

test('an answer of 404 does close them: what all this is for', async () => {
  await using empty = await startBeacon({ datasources: { wolfi: history } });
  recorder.retarget(empty.url);
  await renovate();
  expect(gitea.mergeRequests.map(({ state }) => state)).toEqual(['closed', 'closed']);
});
