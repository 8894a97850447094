/**
 * What Renovate proposes for each kind of pin, with the service's own preset. All in one run of the real thing; each
 * scenario names the statement about Renovate (docs/renovate.md) that it guards.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { published, startBeacon, type Beacon } from './support/beacon.ts';
import { allowInternal, extending } from './support/preset.ts';
import { lookUp, type Dependency, type Report } from './support/run.ts';

const provides = (names: string) => ({ fields: { p: names } });

const wolfi = [
  published('curl=8.19.0-r0'),
  published('curl=8.20.0-r1', {
    fields: { U: 'https://curl.se/', o: 'curl', c: 'da39a3ee5e6b4b0d3255bfef95601890afd80709' },
  }),
  published('bash=5.3-r2'),
  published('gone-newer=1.0-r0'),
  published('gone-newer=1.2-r0'),
  published('gone-older=1.0-r0'),
  published('gone-older=1.1-r0'),
  published('rust=1.94.0-r0'),
  published('rust=1.95.0-r0'),
  published('beta=2.0_rc1-r0'),
  published('beta=2.0_rc2-r0'),
  published('final=2.0_rc1-r0'),
  published('final=2.0-r0'),
  published('stable=1.0-r0'),
  published('stable=1.1_beta1-r0'),
  published('sudo=1.9.17-r3'),
  published('sudo=1.9.17_p2-r7'),
  published('perl-x=1.05-r0'),
  published('perl-x=1.1-r0'),
  published('dated=20251222-r1'),
  published('dated=20260722-r0'),
  published('aged=1.0-r0', { days: 30 }),
  published('aged=1.1-r0', { days: 10 }),
  published('aged=1.2-r0', { days: 1 }),
  published('kubectl-1.34=1.34.9-r0', provides('kubectl=1.34')),
  published('kubectl-1.35=1.35.4-r0', provides('kubectl=1.35')),
  published('nodejs-24=24.9.0-r0', provides('nodejs=24.9.0-r0')),
  published('nodejs-24=24.10.0-r0', provides('nodejs=24.10.0-r0')),
  published('libstdc++=15.2.0-r9'),
  published('libstdc++=15.2.0-r10'),
  published('openssl=3.5.1-r0', provides('so:libssl.so.3=3 cmd:openssl=3.5.1-r0')),
  published('openssl=3.6.0-r0', provides('so:libssl.so.3=3.6 cmd:openssl=3.6.0-r0')),
  published('skewed=1.0-r0'),
  published('skewed=1.1-r0'),
  published('skewed=1.2-r0', { archs: ['x86_64'] }),
  published('line=1.36.1-r0'),
  published('zeros=2025.03.31-r0'),
  published('zeros=2025.06.30-r0'),
];
const alpine = [published('linux-lts=6.18.43-r2'), published('kept=1.0-r3')];

const image = (...pins: string[]): string =>
  `contents:\n  repositories: [https://packages.wolfi.dev/os, '@edge https://packages.wolfi.dev/os', '@local ./x']\n  packages:\n${pins.map((pin) => `    - '${pin}'\n`).join('')}`;
const repackaged = (name: string, version: string, epoch: number): string =>
  `package:\n  name: x-${name}\n  # renovate: datasource=custom.alpine depName=${name}\n  version: ${version}\n  epoch: ${epoch}\n`;

const files = {
  'update.yaml': image('curl=8.19.0-r0', 'bash=5.3-r2', 'unheard-of=1.0-r0', 'dated=20251222-r1'),
  'withdrawn.yaml': image('gone-newer=1.1-r0', 'gone-older=1.2-r0'),
  'one.yaml': image('rust=1.94.0-r0'),
  'two.yaml': image('rust=1.93.0-r5'),
  'three.yaml': image('rust=1.96.0-r0'),
  'pre-releases.yaml': image('beta=2.0_rc1-r0', 'final=2.0_rc1-r0', 'stable=1.0-r0'),
  'order.yaml': image('sudo=1.9.17-r3', 'perl-x=1.05-r0'),
  'aged.yaml': image('aged=1.0-r0'),
  'provided.yaml': image('kubectl=1.34', 'nodejs=24.9.0-r0', 'libstdc++=15.2.0-r9', 'so:libssl.so.3=3'),
  'commands.yaml': image('cmd:openssl=3.5.1-r0'),
  'skewed.yaml': image('skewed=1.0-r0'),
  'operators.yaml': image(
    'line~1.35',
    'zeros~2025.03',
    'curl~8.19',
    'nodejs=~24',
    'rust@local=1.94.0-r0',
    'rust=1.94.0-r0@edge',
  ),
  'linux-lts.yaml': repackaged('linux-lts', '6.18.42', 1),
  'kept.yaml': repackaged('kept', '"1.0"', 2),
  'runtime.yaml': 'package:\n  name: x\n  dependencies:\n    runtime: [curl=8.19.0-r0]\n',
};

describe('lookups', () => {
  let beacon: Beacon;
  let report: Report;
  beforeAll(async () => {
    beacon = await startBeacon({ datasources: { wolfi, alpine } });
    report = await lookUp({
      files: {
        ...files,
        'renovate.json': extending(beacon.url, {
          packageRules: [{ matchFileNames: ['aged.yaml'], minimumReleaseAge: '7 days' }],
        }),
      },
      environment: allowInternal(beacon.url),
    });
  });
  afterAll(() => beacon[Symbol.asyncDispose]());

  function dependency(file: string, name: string): Dependency {
    const found = report.dependencies
      .get(file)
      ?.find(({ depName, datasource }) => depName === name && datasource?.startsWith('custom.'));
    if (!found) throw new Error(`${name} was not found in ${file}`);
    return found;
  }
  /** `minor 8.20.0-r1`, for each update. */
  const updates = (file: string, name: string): readonly string[] =>
    dependency(file, name).updates.map(({ updateType, newValue, newDigest }) =>
      [updateType, newValue, ...(newDigest === undefined ? [] : [newDigest])].join(' '),
    );

  describe('"newest stable version above the pin" (§1)', () => {
    test('an update', () => expect(updates('update.yaml', 'curl')).toEqual(['minor 8.20.0-r1']));
    test('nothing to do', () => expect(updates('update.yaml', 'bash')).toEqual([]));
    test('steps of more than 500, "exceeds maxMajorIncrement" (companion 0.3)', () =>
      expect(updates('update.yaml', 'dated')).toEqual(['major 20260722-r0']));
  });

  test('an unknown name is a warning about that name (§1, 404 is no-result)', () => {
    const { updates: none, warnings } = dependency('update.yaml', 'unheard-of');
    expect(none).toEqual([]);
    expect(warnings?.map(({ message }) => message).join()).toContain('unheard-of');
    expect(dependency('update.yaml', 'curl').warnings).toEqual([]);
  });

  describe('"no static setting is right" for withdrawn pins (companion 0.2)', () => {
    test('something newer is there: an update', () =>
      expect(updates('withdrawn.yaml', 'gone-newer')).toEqual(['minor 1.2-r0']));
    test('only older ones are there: a rollback to the newest', () =>
      expect(updates('withdrawn.yaml', 'gone-older')).toEqual(['rollback 1.1-r0']));
  });

  test('"the in-run cache key is not the pin" (§1): each file gets the answer for its own pin', () => {
    expect(updates('one.yaml', 'rust')).toEqual(['minor 1.95.0-r0']);
    expect(updates('two.yaml', 'rust')).toEqual(['minor 1.95.0-r0']);
    expect(updates('three.yaml', 'rust')).toEqual(['rollback 1.95.0-r0']);
  });

  describe('"pre-releases rank above releases" (§3)', () => {
    test('a pinned pre-release is led to the next one', () =>
      expect(updates('pre-releases.yaml', 'beta')).toEqual(['patch 2.0_rc2-r0']));
    test('and to its release', () => expect(updates('pre-releases.yaml', 'final')).toEqual(['patch 2.0-r0']));
    test('a pin on a stable version stays on stable versions', () =>
      expect(updates('pre-releases.yaml', 'stable')).toEqual([]));
  });

  test('"sudo=1.9.17-r3 is never raised to 1.9.17_p2-r7" (peers 0.5): it is', () => {
    expect(updates('order.yaml', 'sudo')).toEqual(['patch 1.9.17_p2-r7']);
    expect(updates('order.yaml', 'perl-x')).toEqual(['rollback 1.1-r0']);
  });

  test('"minimumReleaseAge needs older releases with timestamps" (§6): the newest old enough', () =>
    expect(updates('aged.yaml', 'aged')).toEqual(['minor 1.1-r0']));

  describe('"no provides" (§0): names that packages provide', () => {
    test('kubectl=1.34, a prefix pin', () =>
      expect(updates('provided.yaml', 'kubectl')).toEqual(['minor 1.35']));
    test('nodejs', () => expect(updates('provided.yaml', 'nodejs')).toEqual(['minor 24.10.0-r0']));
    test('so:', () => expect(updates('provided.yaml', 'so:libssl.so.3')).toEqual(['minor 3.6']));
    test('cmd:', () => expect(updates('commands.yaml', 'cmd:openssl')).toEqual(['minor 3.6.0-r0']));
  });

  test('"raw path, not encoded" (§2): libstdc++', () =>
    expect(updates('provided.yaml', 'libstdc++')).toEqual(['patch 15.2.0-r10']));

  test('"merge = UNION" (§0): what one arch lacks is not proposed', () =>
    expect(updates('skewed.yaml', 'skewed')).toEqual(['minor 1.1-r0']));

  describe('operators and tags (§3, §6)', () => {
    test('~ moves its line on', () => expect(updates('operators.yaml', 'curl')).toEqual(['minor ~8.20']));
    test('also when nothing of the line is left', () =>
      expect(updates('operators.yaml', 'line')).toEqual(['minor ~1.36']));
    test('a zero in front of a number stays', () =>
      expect(updates('operators.yaml', 'zeros')).toEqual(['minor ~2025.06']));
    test('=~ that still fits is left alone', () => expect(updates('operators.yaml', 'nodejs')).toEqual([]));
    test('a tag in front of the version or behind it, of a folder and of a repository', () => {
      const tagged = report.dependencies.get('operators.yaml')?.filter(({ depName }) => depName === 'rust');
      expect(tagged?.map(({ updates: all }) => all.map(({ newValue }) => newValue))).toEqual([
        [],
        ['1.95.0-r0'],
      ]);
    });
  });

  describe('"a same-version digest change gives a digest update" (§1): version and epoch', () => {
    test('are raised together', () => {
      const [update] = dependency('linux-lts.yaml', 'linux-lts').updates;
      expect(update).toMatchObject({ updateType: 'patch', newValue: '6.18.43', newDigest: '2' });
    });
    test('a new revision alone is seen', () =>
      expect(updates('kept.yaml', 'kept')).toEqual(['digest 1.0 3']));
  });

  test('runtime dependencies of recipes are an opt-in', () =>
    expect(dependency('runtime.yaml', 'curl').skipReason).toBe('disabled'));

  test('homepage and links come from the package (§1: a value that is no URL is dropped)', () => {
    expect(dependency('update.yaml', 'curl').homepage).toBe('https://curl.se/');
    expect(dependency('update.yaml', 'bash').homepage).toBeUndefined();
  });
});
