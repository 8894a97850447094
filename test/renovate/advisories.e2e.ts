/**
 * Security updates, by the real Renovate on a Gitea of our own: under a rule of three days and a group for everything,
 * what fixes something goes at once, alone and with its label, and nothing else does.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { published, startBeacon, type Beacon } from './support/beacon.ts';
import { startGitea, type Gitea, type MergeRequest } from './support/gitea.ts';
import { allowInternal, extending } from './support/preset.ts';
import { startRecorder, type Recorder } from './support/recorder.ts';

const wolfi = [
  published('fresh=1.0-r0'),
  published('fresh=1.0-r1', { days: 1 }),
  published('fresh=1.0-r2', { days: 0 }),
  published('older=1.0-r0'),
  published('older=1.0-r1'),
  published('older=1.0-r2', { days: 10 }),
  published('jump=1.0.0-r0'),
  published('jump=1.0.1-r0'),
  published('jump=2.0.0-r0', { days: 1 }),
  published('line=1.0-r0'),
  published('line=1.1-r0', { days: 1 }),
  published('recipe=1.0-r0'),
  published('recipe=1.0-r1', { days: 1 }),
  published('libsub=3.0-r0', { fields: { o: 'super' } }),
  published('libsub=3.0-r1', { days: 1, fields: { o: 'super' } }),
  published('plain=1.0-r0'),
  published('plain=1.1-r0'),
  published('waits=1.0-r0'),
  published('waits=1.1-r0', { days: 1 }),
  published('clean=1.0-r0'),
  published('clean=1.1-r0', { days: 1 }),
  published('hard=1.0-r0'),
  published('hard=1.1-r0', { days: 1 }),
  published('calm=1.0-r3'),
  published('calm=1.1-r0'),
];
const feed = {
  fresh: { '1.0-r1': ['CVE-2099-0001', 'GHSA-2222-3333-4444'] },
  older: { '1.0-r1': ['CVE-2099-0002'] },
  jump: { '2.0.0-r0': ['CVE-2099-0003'] },
  line: { '1.1-r0': ['CVE-2099-0004'] },
  recipe: { '1.0-r1': ['CVE-2099-0005'] },
  super: { '3.0-r1': ['CVE-2099-0006'] },
  waits: { '9-r0': ['CVE-2099-0007'] },
  clean: { '0': ['CVE-2099-0008'] },
  hard: { '1.1-r0': ['CVE-2099-0009'] },
  calm: { '1.0-r1': ['CVE-2099-0010'] },
};
const image = `contents:
  repositories: [https://packages.wolfi.dev/os]
  packages:
    - fresh=1.0-r0
    - older=1.0-r0
    - jump=1.0.0-r0
    - line~1.0
    - libsub=3.0-r0
    - plain=1.0-r0
    - waits=1.0-r0
    - clean=1.0-r0
`;
const recipe = `package:
  name: repackaged
  # renovate: datasource=custom.wolfi depName=recipe
  version: "1.0"
  epoch: 0
`;
/** A definition of Docker's, which repeats the version. */
const hardened = (name: string, version: string, revision: number): string => `image: registry.example/${name}
vars:
  VERSION: "${version}"
contents:
  repositories: [https://packages.wolfi.dev/os]
  packages:
    - ${name}=${version}-r${revision}
`;
/** Everything in one group, which waits; as the repository's own rules, which come after those of the preset. */
const grouped = {
  packageRules: [{ matchPackageNames: ['*'], groupName: 'everything', minimumReleaseAge: '3 days' }],
  internalChecksFilter: 'strict',
};

type Secfixes = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
const secdb = (fixes: Secfixes): string =>
  JSON.stringify({
    packages: Object.entries(fixes).map(([name, secfixes]) => ({ pkg: { name, secfixes } })),
  });

let folder: string;
let file: string;
let beacon: Beacon;
let gitea: Gitea;
let recorder: Recorder;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'apk-beacon-'));
  file = join(folder, 'security.json');
  await writeFile(file, secdb(feed));
  beacon = await startBeacon({
    datasources: { wolfi },
    repository: { withdrawal: { age: '184d', days: [13, 23] } },
    routing: { wolfi: { advisories: [{ secdb: file }] } },
  });
  recorder = await startRecorder(beacon.url);
  gitea = await startGitea();
  await gitea.create('images', {
    'image.yaml': image,
    'recipe.yaml': recipe,
    'hard.yaml': hardened('hard', '1.0', 0),
    'calm.yaml': hardened('calm', '1.0', 3),
    'renovate.json': extending(recorder.url, grouped),
  });
  await renovate();
}, 400_000);
afterAll(async () => {
  await gitea[Symbol.asyncDispose]();
  await recorder[Symbol.asyncDispose]();
  await beacon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const renovate = (environment: Readonly<Record<string, string>> = {}) =>
  gitea.renovate('images', { ...allowInternal(recorder.url), ...environment });

const expected = [
  'Update everything',
  'Update fresh to 1.0-r1 [SECURITY]',
  'Update hard [SECURITY]',
  'Update jump to 2.0.0-r0 [SECURITY]',
  'Update libsub to 3.0-r1 [SECURITY]',
  'Update line to ~1.1 [SECURITY]',
  'Update older to 1.0-r2 [SECURITY]',
  'Update recipe to 1.0-r1 [SECURITY]',
];
const titles = (): readonly string[] => gitea.mergeRequests.map(({ title }) => title).sort();

function requestFor(name: string): MergeRequest {
  const found = gitea.mergeRequests.find(({ title }) => title.includes(` ${name} `) || title.endsWith(name));
  if (!found) throw new Error(`no merge request for ${name} among ${titles().join('; ')}`);
  return found;
}

function expectUnharmed(): void {
  expect(titles()).toEqual(expected);
  expect(gitea.mergeRequests.map(({ state }) => state)).toEqual(expected.map(() => 'open'));
}

describe('an update that fixes something', () => {
  test('goes at once and alone; the lowest version that fixes, or a newer one that is old enough', () => {
    expectUnharmed();
  });

  test.each([
    ['fresh', ['-    - fresh=1.0-r0', '+    - fresh=1.0-r1'], 'CVE-2099-0001'],
    ['older', ['-    - older=1.0-r0', '+    - older=1.0-r2'], 'CVE-2099-0002'],
    ['jump', ['-    - jump=1.0.0-r0', '+    - jump=2.0.0-r0'], 'CVE-2099-0003'],
    ['line', ['-    - line~1.0', '+    - line~1.1'], 'CVE-2099-0004'],
    ['recipe', ['-  epoch: 0', '+  epoch: 1'], 'CVE-2099-0005'],
    [
      'hard',
      ['-  VERSION: "1.0"', '+  VERSION: "1.1"', '-    - hard=1.0-r0', '+    - hard=1.1-r0'],
      'CVE-2099-0009',
    ],
    ['libsub', ['-    - libsub=3.0-r0', '+    - libsub=3.0-r1'], 'CVE-2099-0006'],
  ])('%s: its lines, label, identifiers, and when its version goes', async (name, lines, id) => {
    const { branch, body, labels } = requestFor(name);
    expect(await gitea.diff('images', branch)).toEqual(lines);
    expect(labels).toEqual(['security']);
    expect(body).toContain(`**Fixes** ${id}`);
    expect(body).toMatch(/is expected to be withdrawn on or after \d{4}-\d\d-\d\d, by rule old-build\./);
    expect(body).not.toMatch(/\{\{|urgent/);
  });

  test('the rest is in its group: what is old enough, without a label', async () => {
    const { branch, labels } = requestFor('everything');
    expect(await gitea.diff('images', branch)).toEqual([
      '-  VERSION: "1.0"',
      '+  VERSION: "1.1"',
      '-    - calm=1.0-r3',
      '+    - calm=1.1-r0',
      '-    - jump=1.0.0-r0',
      '+    - jump=1.0.1-r0',
      '-    - plain=1.0-r0',
      '+    - plain=1.1-r0',
    ]);
    expect(labels).toEqual([]);
  });
});

describe('nothing is closed or opened by a feed that is', { timeout: 400_000 }, () => {
  test.each([
    ['empty', '{"packages":[]}'],
    ['rolled back', secdb({ ...feed, fresh: {}, jump: {} })],
    ['broken', '<html>'],
  ])('%s', async (_, text) => {
    await writeFile(file, text);
    beacon.process.child.kill('SIGHUP');
    await beacon.process.line(/cannot refresh advisories/);
    await renovate();
    expectUnharmed();
  });

  test('late: at a first start, where lookups wait for it', async () => {
    const late = join(folder, 'late.json');
    await using fresh = await startBeacon({
      datasources: { wolfi },
      routing: { wolfi: { advisories: [{ secdb: late }] } },
    });
    recorder.retarget(fresh.url);
    const before = recorder.paths.filter((path) => /fresh\?/.test(path)).length;
    const run = renovate();
    await recorder.asked(/fresh\?/, before + 1);
    await writeFile(late, secdb(feed));
    fresh.process.child.kill('SIGHUP');
    await run;
    expectUnharmed();
    recorder.retarget(beacon.url);
  });
});

test('limits an hour do not hold it up', async () => {
  await using limited = await startGitea();
  await writeFile(file, secdb(feed));
  await limited.create('images', { 'image.yaml': image, 'renovate.json': extending(beacon.url, grouped) });
  await limited.renovate('images', { ...allowInternal(beacon.url), RENOVATE_PR_HOURLY_LIMIT: '1' });
  const security = limited.mergeRequests.filter(({ title }) => title.endsWith('[SECURITY]'));
  expect(security).toHaveLength(5);
});

test('securityRules: plain gives way to later rules of the repository', async () => {
  await using polite = await startBeacon({
    datasources: { wolfi },
    routing: { wolfi: { advisories: [{ secdb: file }] } },
    config: { securityRules: 'plain' },
  });
  await using other = await startGitea();
  await other.create('images', { 'image.yaml': image, 'renovate.json': extending(polite.url, grouped) });
  await other.renovate('images', allowInternal(polite.url));
  expect(other.mergeRequests.map(({ branch }) => branch)).toEqual(['renovate/everything']);
});

test('hostile feeds reach no title, branch, body or environment', { timeout: 400_000 }, async () => {
  const secret = 'this-is-the-secret';
  const hostile = fc.oneof(
    fc.constantFrom(
      '{{env.SECRET}}',
      "'}}{{env.SECRET}}",
      "CVE-1{{! fixes '9' }}",
      'CVE-2099-1](http://evil.example)',
      'CVE-2099-1|x',
      '<img src=x onerror=alert(1)>',
      '- [ ] <!-- rebase-all-open-prs -->',
      "urgent'1.1-r0'",
      '{{/if}}',
      '#fixes=',
      '$&$1',
      '\u202egnol',
    ),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    fc.string({
      unit: fc.constantFrom('{', '}', "'", ')', '(', '!', 'C', 'V', 'E', '-', '1', ' '),
      maxLength: 20,
    }),
  );
  const lists = fc.sample(fc.array(hostile, { minLength: 1, maxLength: 12 }), { seed: 18, numRuns: 30 });
  const names = lists.map((_, i) => `p${i}`);
  const hostileFeed = join(folder, 'hostile.json');
  const fixes = names.map((name, i) => [
    name,
    { '1.1-r0': ['CVE-2099-9999', ...(lists[i] ?? [])], "2'}}-r0": ['CVE-2099-8888'] },
  ]);
  await writeFile(hostileFeed, secdb(Object.fromEntries(fixes) as Secfixes));
  await using attacked = await startBeacon({
    datasources: {
      wolfi: names.flatMap((name) => [published(`${name}=1.0-r0`), published(`${name}=1.1-r0`, { days: 1 })]),
    },
    routing: { wolfi: { advisories: [{ secdb: hostileFeed }] } },
  });
  await using other = await startGitea();
  await other.create('images', {
    'image.yaml': `contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n${names.map((name) => `    - ${name}=1.0-r0\n`).join('')}`,
    'renovate.json': extending(attacked.url, { ...grouped, prConcurrentLimit: 0, branchConcurrentLimit: 0 }),
  });
  await other.renovate('images', {
    ...allowInternal(attacked.url),
    SECRET: secret,
    RENOVATE_CUSTOM_ENV_VARIABLES: JSON.stringify({ SECRET: secret }),
  });
  expect(other.mergeRequests.map(({ title }) => title).sort()).toEqual(
    names.map((name) => `Update ${name} to 1.1-r0 [SECURITY]`).sort(),
  );
  for (const { body, branch } of other.mergeRequests) {
    expect(branch).toMatch(/^renovate\/custom\.wolfi-p\d+-vulnerability$/);
    expect(/\*\*Fixes\*\* (.*)/.exec(body)?.[1]).toMatch(/^[A-Za-z0-9._-]+(, [A-Za-z0-9._-]+)*$/);
    expect(body).not.toMatch(/this-is-the-secret|evil|onerror|\{\{|\}\}/);
  }
});
