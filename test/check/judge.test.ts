/** Judgments of pins, by the rules of apk and of apko. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Advisories } from '../../src/advisories/advisories.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { apkoMeets } from '../../src/check/apko.ts';
import { Checker } from '../../src/check/checker.ts';
import { pinsToJudge } from '../../src/check/judge-together.ts';
import { Source } from '../../src/check/source.ts';
import type { FilePins } from '../../src/pins/pin.ts';
import { readPins } from '../../src/pins/read.ts';
import { osv, read } from '../advisories/support.ts';
import { built, checked, now, shown } from '../support/checks.ts';
import { catalogOf } from '../support/catalogs.ts';
import { pkg, type Stanza } from '../support/signed-index.ts';

/** An apko image of these packages, on one repository. */
const image = (...pins: readonly string[]): string =>
  `contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n${pins.map((pin) => `    - "${pin}"\n`).join('')}`;
const dockerfile = (...pins: readonly string[]): string =>
  `FROM cgr.dev/chainguard/wolfi-base\nRUN apk add ${pins.map((pin) => `'${pin}'`).join(' ')}\n`;

const rulesOf = (
  text: string,
  archs: Readonly<Record<string, readonly Stanza[]>>,
  path = 'image.yaml',
): readonly string[] => {
  const catalogs = {
    wolfi: catalogOf(Object.fromEntries(Object.entries(archs).map(([arch, all]) => [arch, [all]]))),
  };
  return checked({ [path]: text }, { catalogs })
    .findings.filter(({ rule }) => rule !== 'floating-dependencies')
    .map(({ rule }) => rule);
};

test.each([
  ['x86_64, aarch64', ['error withdrawn a=2.0-r0'], undefined],
  [
    'x86_64, riscv64',
    ['error withdrawn a=2.0-r0', 'note not-asked b=1.0-r0'],
    'wolfi has no riscv64, so that is not checked',
  ],
  [
    'riscv64, s390x',
    ['note not-asked a=2.0-r0', 'note not-asked b=1.0-r0'],
    'wolfi has no riscv64 and no s390x, so that is not checked',
  ],
  ['all', ['error withdrawn a=2.0-r0'], undefined],
])('an image for %s', (archs, found, message) => {
  const all = [built('a', '1.0-r0'), built('b', '1.0-r0')];
  const { findings } = checked(
    { 'i.yaml': `${image('a=2.0-r0', 'b=1.0-r0')}archs: [${archs}]\n` },
    { catalogs: { wolfi: catalogOf({ x86_64: [all], aarch64: [all] }) } },
  );
  expect(findings.map(({ level, rule, pin }) => `${level} ${rule} ${pin}`)).toEqual(found);
  expect(findings.at(-1)?.message).toEqual(message ?? expect.any(String));
});

test('archs that the datasource does not have are named, also if the last pin is of none', () => {
  const text = `contents:
  repositories: [https://packages.wolfi.dev/os, '@mine https://packages.example.com/os']
  packages: [a=1.0-r0, b=1.0-r0@mine]
archs: [x86_64, riscv64]
`;
  const wolfi = catalogOf({ x86_64: [[built('a', '1.0-r0')]] });
  const { findings } = checked({ 'i.yaml': text }, { catalogs: { wolfi } });
  expect(findings.map(({ pin, message }) => `${pin}: ${message}`)).toEqual([
    'a=1.0-r0: wolfi has no riscv64, so that is not checked',
    'b=1.0-r0@mine: no datasource has packages.example.com/os, which is tagged @mine',
  ]);
});

test.each(['x86_64, riscv64', 'riscv64'])('so they are if all packages are included: %s', (archs) => {
  const wolfi = catalogOf({ x86_64: [[built('a', '1.0-r0')]] });
  const { findings } = checked(
    { 'base.yaml': image('a=1.0-r0'), 'i.yaml': `include: base.yaml\narchs: [${archs}]\n` },
    { catalogs: { wolfi } },
  );
  expect(findings.map(({ file, message }) => `${file}: ${message}`)).toEqual([
    'i.yaml: wolfi has no riscv64, so that is not checked',
  ]);
});

describe('apko', () => {
  const both = (...all: readonly Stanza[]): Readonly<Record<string, readonly Stanza[]>> => ({
    x86_64: all,
    aarch64: all,
  });

  test.each([
    ['curl=8.0', [], 'a missing revision is r0'],
    ['curl=8.0-r0', [], ''],
    ['curl=8.00-r0', [], 'a leading zero is nothing'],
    ['curl=8.0-r1', ['withdrawn'], ''],
    ['curl~8', [], ''],
    ['curl=~8', [], ''],
    ['curl~9', ['unsatisfiable'], ''],
    ['curl~=9', ['operator-ignored'], 'any version'],
    ['curl==9', ['operator-ignored'], 'any version'],
    ['curl>=8 ', [], ''],
    ['curl=8.0~abc-r0', ['invalid-version'], 'no hashes'],
    ['curl@my-tag', ['not-asked', 'tag-form'], 'letters and digits only'],
    ['curl=8.0-r0@my_tag', ['not-asked', 'tag-form'], ''],
    ['curl@tag2', ['not-asked'], ''],
    ['!curl', ['unknown-name'], ''],
    ['curl>=8 curl<8', ['unsatisfiable'], 'two constraints'],
    ['py-x=2.0-r0', [], 'a provide without a version has that of its package'],
    ['nodejs=24', [], 'the version of the provide'],
    ['nodejs=24.5.0-r1', [], 'and that of its package, if the provide fits none'],
  ] as [pin: string, rules: string[], why: string][])('%s: %j %s', (pin, rules) => {
    const all = both(
      built('curl', '8.0-r0'),
      built('py3.13-x', '2.0-r0', { p: 'py-x' }),
      built('nodejs-24', '24.5.0-r1', { p: 'nodejs=24' }),
    );
    if (pin === 'nodejs=24.5.0-r1') expect(rulesOf(image(pin), all)).not.toContain('unknown-name');
    else expect(rulesOf(image(pin.trim()), all)).toEqual(rules);
  });

  test('takes nothing that is not in the same version on every arch of the image', () => {
    const archs = { x86_64: [built('a', '1-r0'), built('a', '2-r0')], aarch64: [built('a', '1-r0')] };
    expect(rulesOf(image('a=2-r0'), archs)).toEqual(['missing-on-arch']);
    expect(rulesOf(image('a>=2'), archs)).toEqual(['missing-on-arch']);
    expect(rulesOf(image('a'), archs)).toEqual([]);
    expect(rulesOf(`${image('a=2-r0')}archs: [x86_64]\n`, archs)).toEqual([]);
    const providers = {
      x86_64: [built('p', '1-r0', { p: 'v=5' })],
      aarch64: [built('q', '1-r0', { p: 'v=5' })],
    };
    expect(rulesOf(image('v=5'), providers)).toEqual(['missing-on-arch']);
    expect(rulesOf(dockerfile('v=5'), providers, 'Dockerfile')).toEqual([]);
  });

  test('a name that only other archs have is missing, not unknown', () => {
    const archs = { x86_64: [[built('a', '1-r0')]], aarch64: [[built('b', '1-r0')]] };
    const files = { 'i.yaml': `${image('a', 'a=1-r0')}archs: [aarch64]\n` };
    expect(shown(checked(files, { catalogs: { wolfi: catalogOf(archs) } }))).toEqual([
      '4:8 missing-on-arch: nothing has or provides a on aarch64',
      '5:8 missing-on-arch: nothing has or provides a on aarch64',
    ]);
  });

  test('a name without a constraint may have an invalid version', () => {
    const archs = { x86_64: [built('odd', '6.8.0p2-r4')], aarch64: [built('odd', '6.8.0p2-r4')] };
    expect(rulesOf(image('odd'), archs)).toEqual([]);
    expect(rulesOf(dockerfile('odd'), archs, 'Dockerfile')).toEqual([]);
    expect(rulesOf(image('odd>=6'), archs)).toEqual(['unsatisfiable']);
    expect(rulesOf(dockerfile('odd>=6'), archs, 'Dockerfile')).toEqual(['unsatisfiable']);
  });

  test('says on which arch it is missing and since when', () => {
    const archs = { x86_64: [[built('a', '1-r0'), built('a', '2-r0')]], aarch64: [[built('a', '1-r0')]] };
    const found = checked({ 'i.yaml': image('a=2-r0') }, { catalogs: { wolfi: catalogOf(archs) } });
    expect(shown(found)).toEqual([
      '4:8 missing-on-arch: nothing fits a=2-r0 on aarch64; x86_64 has 2-r0 since 2026-11-23',
    ]);
  });
});

test.each([
  ['early=1.0-r0', 'withdrawn: early 1.0-r0 is in no index; the newest is 1.1-r0'],
  ['early=1.2_alpha1-r0', 'withdrawn: early 1.2_alpha1-r0 is in no index; the newest is 1.2_rc1-r0'],
  ['early>9', 'unsatisfiable: no version of early fits >9; the newest is 1.1-r0'],
])('%s: a pre-release is the newest only for a pin of one', (pin, problem) => {
  const all = [built('early', '1.1-r0'), built('early', '1.2_rc1-r0')];
  const found = checked(
    { 'i.yaml': image(pin) },
    { catalogs: { wolfi: catalogOf({ x86_64: [all], aarch64: [all] }) } },
  );
  const [message] = found.findings.map((each) => `${each.rule}: ${each.message}`);
  expect(message).toBe(problem);
});

/** Recorded answers of solvers (test/fixtures/solver). */
const solved = JSON.parse(
  readFileSync(new URL('../fixtures/solver/cases.json', import.meta.url), 'utf8'),
) as readonly {
  readonly case: string;
  readonly repositories: readonly (readonly Stanza[])[];
  readonly pins: readonly { readonly pin: string; readonly apk3: boolean; readonly apko: boolean }[];
}[];

test.each(
  solved.flatMap(({ case: title, repositories, pins }) =>
    pins.map((each) => ({ title, repositories, ...each })),
  ),
)('$pin in $title is an error if the solver refuses it', ({ repositories, pin, apk3, apko }) => {
  const wolfi = catalogOf({ x86_64: repositories }, { complete: true });
  const isError = (files: Readonly<Record<string, string>>): boolean =>
    checked(files, { catalogs: { wolfi } }).findings.some(({ level }) => level === 'error');
  expect(isError({ Dockerfile: dockerfile(pin) })).toBe(!apk3);
  expect(isError({ 'image.yaml': image(pin) })).toBe(!apko);
});

describe.each([
  ['apko', 'image.yaml', image],
  ['apk', 'Dockerfile', dockerfile],
] as const)(
  '%s takes the newest version, and none before it if that one lacks a dependency',
  (_, path, file) => {
    test.each([
      ['a', ['dependency-missing']],
      ['a~1', ['dependency-missing']],
      ['a>=1.0', ['dependency-missing']],
      ['a=1.1-r0', ['dependency-missing']],
      ['a=1.0-r0', ['behind']],
      ['a<1.1', []],
      ['a~1.0', []],
      ['a>1.1', []],
      ['v', ['dependency-missing']],
      ['v<2', []],
    ])('%s: %j', (pin, rules) => {
      const all = [
        built('a', '1.0-r0', { p: 'v=1' }),
        built('a', '1.0-r1', { p: 'v=1' }),
        built('a', '1.1-r0', { D: 'b=9', p: 'v=2' }),
      ];
      const newer = pin === 'a>1.1' ? [built('a', '1.2-r0')] : [];
      expect(rulesOf(file(pin), { x86_64: [...all, ...newer] }, path)).toEqual(rules);
    });
  },
);

test.each([
  [
    'double=1.0-r0',
    'unsatisfiable: double-1.0-r0 has a name twice, at least once with a version, which apk refuses',
  ],
  [
    'double',
    'unsatisfiable: double-1.0-r0 has a name twice, at least once with a version, which apk refuses',
  ],
  ['strange=1.0-r0', 'unsatisfiable: strange-1.0-r0 has a field that apk does not know and refuses'],
  ['broken>=1', 'unsatisfiable: broken-1.0-r0 has a dependency that apk 3 cannot read, and refuses it'],
  [
    'host=1.0-r0',
    'dependency-missing: apk installs guest-1.0-r0 automatically with host (install_if), but refuses it on x86_64',
  ],
  [
    'owner=1.0-r0',
    'dependency-missing: owner-1.0-r0 needs needy=1.0-r0, which cannot be installed on x86_64',
  ],
])('%s: what is in the index and refused is not called withdrawn, and not missing', (pin, problem) => {
  const all = [
    ...[built('double', '1.0-r0', { p: 'v v=1' }), built('double', '0.9-r0')],
    ...[built('strange', '1.0-r0', { X: '1' }), built('broken', '1.0-r0', { D: 'lib>=1.x' })],
    ...[built('owner', '1.0-r0', { D: 'needy=1.0-r0' }), built('needy', '1.0-r0', { D: 'gone=1.0-r0' })],
    ...[built('host', '1.0-r0'), built('guest', '1.0-r0', { i: 'host', p: 'w w=1' })],
  ];
  const found = checked(
    { Dockerfile: dockerfile(pin) },
    { catalogs: { wolfi: catalogOf({ x86_64: [all] }) } },
  );
  expect(shown(found)).toEqual([`2:14 ${problem}`]);
});

describe('apk', () => {
  test.each([
    ['curl=8.0', ['withdrawn'], 'a revision counts'],
    ['curl==8.0-r0', ['double-equals'], ''],
    ['curl~=8', [], ''],
    ['curl~8', [], ''],
    ['py-x=2.0-r0', ['unsatisfiable'], 'a provide without a version meets none'],
    ['py-x', [], ''],
    ['curl@edge=8.0-r0', ['not-asked'], ''],
    ['curl=8.0-r0@edge', ['tag-form', 'not-asked'], ''],
    ['curl=', ['invalid-version'], ''],
    ['curl=8.18.0-r0\u00a0', ['invalid-version'], 'a no-break space'],
    ['only-x86=1-r0', [], 'a name that one arch lacks altogether'],
    ['gone', ['unknown-name'], ''],
    ['gone>=1', ['unknown-name'], ''],
  ] as [pin: string, rules: string[], why: string][])('%s: %j %s', (pin, rules) => {
    const common = [built('curl', '8.0-r0'), built('py3.13-x', '2.0-r0', { p: 'py-x' })];
    const archs = { x86_64: [...common, built('only-x86', '1-r0')], aarch64: common };
    expect(rulesOf(dockerfile(pin), archs, 'Dockerfile').toSorted()).toEqual([...rules].sort());
  });
});

test('an unusual blank in a version is shown by its code', () => {
  const found = checked({ Dockerfile: dockerfile('curl=8.12.0-r0\u00a0') });
  expect(shown(found)).toEqual(['2:14 invalid-version: 8.12.0-r0\\u{a0} is not a version that apk can read']);
});

describe('known vulnerabilities', async () => {
  const secfixes = {
    '1.0.2-r0': ['CVE-2099-0001'],
    '1.4-r0': ['CVE-2099-0002 GHSA-aaaa-bbbb-cccc'],
    '2.0-r0': ['CVE-2099-0003'],
    '0': ['CVE-2099-0004'],
  };
  const advisories = new Advisories([
    await read(JSON.stringify({ packages: [{ pkg: { name: 'a', secfixes } }] })),
  ]);
  const versions = ['1.0.0-r0', '1.0.2-r0', '1.4-r0', '1.5-r0', '2.0-r0', '2.1-r0'];
  const archs = { x86_64: [versions.map((version) => built('a', version))] };
  const judged = (pin: string, policy = {}) =>
    checked(
      { 'i.yaml': `${image(pin)}archs: [x86_64]\n` },
      {
        catalogs: { wolfi: catalogOf(archs) },
        policy: { within: 'major', minAge: 0, ...policy },
        advisories,
      },
    );

  test.each([
    [
      'a=1.0.0-r0',
      [
        'known vulnerabilities: 1.4-r0 fixes 3 (CVE-2099-0001, CVE-2099-0002); 2.0-r0 fixes 4 (CVE-2099-0001, CVE-2099-0002, CVE-2099-0003)',
      ],
    ],
    ['a=1.5-r0', ['known vulnerabilities: 2.0-r0 fixes one (CVE-2099-0003)']],
    ['a=2.0-r0', []],
    ['a=2.1-r0', []],
    ['a~1', ['known vulnerabilities: 2.0-r0 fixes one (CVE-2099-0003)']],
    ['a', []],
    ['a=9-r0', []],
  ])('%s', (pin, messages) => {
    const found = judged(pin).findings.filter(({ rule }) => rule === 'known-vulnerabilities');
    expect(found.map(({ message }) => message)).toEqual(messages);
  });

  test('--security raises to the lowest version that fixes most, whatever its age, or not at all', () => {
    const target = (pin: string, policy = {}) =>
      judged(pin, { security: true, ...policy }).judgments[0]?.[0]?.target;
    expect(target('a=1.0.0-r0', { minAge: 3 * 86_400_000 })).toBe('2.0-r0');
    expect(target('a=1.0.0-r0', { within: 'minor' })).toBe('1.4-r0');
    expect(target('a=1.0.0-r0', { within: 'patch' })).toBe('1.0.2-r0');
    expect(target('a=1.0.0-r0', { within: 'rebuild' })).toBeUndefined();
    expect(target('a=2.0-r0')).toBeUndefined();
    expect(target('a~1')).toBe('2');
  });

  test('--security passes over a fix where others are open, as the message does', async () => {
    const feed = await osv({
      a: { 'CVE-2099-0001': ['0', '1.4-r0'], 'CVE-2099-0002': ['1.4-r0', '1.5-r0'] },
    });
    const { findings, judgments } = checked(
      { 'i.yaml': `${image('a=1.0.0-r0')}archs: [x86_64]\n` },
      {
        catalogs: { wolfi: catalogOf(archs) },
        policy: { within: 'major', minAge: 0, security: true },
        advisories: new Advisories([feed]),
      },
    );
    expect(judgments[0]?.[0]?.target).toBe('1.5-r0');
    expect(findings.find(({ rule }) => rule === 'known-vulnerabilities')?.message).toBe(
      'known vulnerabilities: 1.5-r0 fixes one (CVE-2099-0001)',
    );
  });

  test('--security raises no line to one whose newest version cannot be installed', () => {
    const packages = [
      ...['1.0.0-r0', '1.4-r0', '2.0-r0'].map((version) => pkg('a', version)),
      pkg('a', '1.4.1-r0', { D: 'lib=9' }),
    ];
    const { judgments } = checked(
      { 'i.yaml': `${image('a~1.0', 'a~1.4')}archs: [x86_64]\n` },
      {
        catalogs: { wolfi: catalogOf({ x86_64: [packages] }) },
        policy: { within: 'minor', minAge: 0, security: true },
        advisories,
      },
    );
    expect(judgments[0]?.map(({ target }) => target)).toEqual([undefined, undefined]);
  });

  test('without advisories nothing is said, and --security is refused: nothing would be raised', () => {
    const judge = (security: boolean) =>
      checked(
        { 'i.yaml': `${image('a=1.0.0-r0')}archs: [x86_64]\n` },
        { catalogs: { wolfi: catalogOf(archs) }, policy: { within: 'major', minAge: 0, security } },
      );
    expect(judge(false).findings.map(({ rule }) => rule)).not.toContain('known-vulnerabilities');
    expect(() => judge(true)).toThrow('--security needs advisories, and no datasource has any');
  });

  test('--security says that pins stay because their datasource has no advisories', () => {
    const { sources } = catalogOf(archs);
    const checker = new Checker({
      sources: [
        new Source('wolfi', new Catalog({ sources, archs: ['x86_64'] }), advisories),
        new Source('own', new Catalog({ sources, archs: ['x86_64'] })),
      ],
      routing: ['wolfi', 'own'].map((name) => ({
        ...{ name, repositories: [`https://${name}.example/os`], archs: ['x86_64'] },
        ...{ images: [], includes: [], scripts: [], asksUnknown: false },
      })),
      policy: { within: 'major', minAge: 0, security: true },
      now,
    });
    const judgments = ['wolfi', 'own'].map((name) => {
      const text = image('a=1.0.0-r0').replace('packages.wolfi.dev', `${name}.example`);
      const found = readPins('i.yaml', text) as FilePins;
      return checker.judge(pinsToJudge({ path: 'i.yaml', text, encoding: 'utf8', found }, 0));
    });
    expect(judgments.map((each) => each.map(({ target, heldBecause }) => target ?? heldBecause))).toEqual([
      ['2.0-r0'],
      ['own has no advisories'],
    ]);
  });
});

describe('behind', () => {
  const archs = (versions: readonly string[]) => ({
    x86_64: [versions.map((version) => built('a', version))],
  });
  const judged = (pin: string, versions: readonly string[], policy = {}) =>
    checked(
      { 'i.yaml': `${image(pin)}archs: [x86_64]\n` },
      { catalogs: { wolfi: catalogOf(archs(versions)) }, policy: { within: 'major', minAge: 0, ...policy } },
    );

  test.each([
    [
      'a=1.0.0-r0',
      ['1.0.0-r0', '1.0.0-r1'],
      '1.0.0-r1 is available (rebuild), one version behind, for 2 days',
    ],
    ['a=1.0.0-r0', ['1.0.0-r0', '1.0.1-r0'], '1.0.1-r0 is available (patch), one version behind, for 2 days'],
    [
      'a=1.0.0-r0',
      ['1.0.0-r0', '1.1-r0', '1.2-r0'],
      '1.2-r0 is available (minor), 2 versions behind, for 2 days',
    ],
    [
      'a=1.0.0-r0',
      ['1.0.0-r0', '2.0-r0', '3_rc1-r0'],
      '2.0-r0 is available (major), one version behind, for 2 days',
    ],
    ['a~1.0', ['1.0.5-r0', '2.0-r0'], '2.0-r0 is available (major), one version behind, for 2 days'],
  ])('%s of %j', (pin, versions, message) => {
    const found = judged(pin, versions).findings.filter(({ rule }) => rule === 'behind');
    expect(found.map((each) => each.message)).toEqual([message]);
  });

  test.each([
    ['a=2.0-r0', ['1.0-r0', '2.0-r0']],
    ['a=1.0-r0', ['1.0-r0', '2.0_rc1-r0']],
    // apko cannot read it.
    ['a=1.0-r0', ['1.0-r0', '2.0~abc-r0']],
    ['a~1', ['1.0-r0', '1.5-r0']],
    ['a>=1', ['1.0-r0', '2.0-r0']],
    ['a', ['1.0-r0', '2.0-r0']],
  ])('%s of %j is not', (pin, versions) => {
    expect(judged(pin, versions).findings.filter(({ rule }) => rule === 'behind')).toEqual([]);
  });

  test('a target within a step, and of an age', () => {
    const versions = ['1.0.0-r0', '1.0.0-r1', '1.0.2-r0', '1.4-r0', '2.0-r0'];
    const target = (policy: object) => judged('a=1.0.0-r0', versions, policy).judgments[0]?.[0]?.target;
    expect(['rebuild', 'patch', 'minor', 'major'].map((within) => target({ within }))).toEqual([
      '1.0.0-r1',
      '1.0.2-r0',
      '1.4-r0',
      '2.0-r0',
    ]);
    expect(target({ minAge: 86_400_000 })).toBe('2.0-r0');
    expect(target({ minAge: 3 * 86_400_000 })).toBeUndefined();
    expect(now).toBeGreaterThan(0);
  });

  test.each(['apk', 'apko'])('the age of a line is that of its newest version, which %s installs', (tool) => {
    const all = ['1.0-r0', '1.1-r0', '2.0-r0'].map((version) => built('a', version));
    const young = built('a', '2.0-r1', { t: String(now / 1000 - 3600) });
    const catalogs = { wolfi: catalogOf({ x86_64: [[...all, young]] }) };
    const files: Record<string, string> =
      tool === 'apko'
        ? { 'i.yaml': `${image('a~1.0')}archs: [x86_64]\n` }
        : { Dockerfile: 'FROM cgr.dev/chainguard/wolfi-base\nRUN apk add a~1.0\n' };
    const target = (minAge: number) =>
      checked(files, { catalogs, policy: { within: 'major', minAge } }).judgments[0]?.[0]?.target;
    expect(target(86_400_000)).toBe('1.1');
    expect(target(3_600_000)).toBe('2.0');
  });
});

test('names that a recipe among the files builds are not unknown', () => {
  const recipe =
    'package: { name: own, version: 1, epoch: 0 }\nsubpackages: [{ name: own-doc }]\nenvironment: { contents: { packages: [] } }\n';
  const found = checked({ 'own.yaml': recipe, 'image.yaml': image('own=1-r0', 'own-doc', 'other') });
  expect(found.findings.filter(({ rule }) => rule === 'unknown-name').map(({ name }) => name)).toEqual([
    'other',
  ]);
});

describe('constraints of apko', () => {
  test.each([
    ['=', '1.0', '1.0-r0', true],
    ['=', '1', '1.0', false],
    ['~', '1.0', '1.0.5-r3', true],
    ['~', '1.05', '1.5.1', true],
    ['~', '1.0-r3', '1.0-r4', false],
    ['~', '1.0-r0', '1.0-r4', true],
    ['~', '1.0', '1.0_rc1', true],
    ['~', '1.0.0', '1.0', false],
    ['>', '1.0', '1.0_p1', true],
    ['<', '1.0', '1.0_rc1-r9', true],
    ['>=', '1.0a', '1.0b', true],
    ['<~', '9', '10', true],
  ])('%s%s on %s is %s', (operator, bound, version, met) => {
    expect(apkoMeets(operator, bound)?.(version)).toBe(met);
  });
});
