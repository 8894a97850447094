/** Pins of an image that each resolve, and not together. */
import { describe, expect, test } from 'vitest';
import { Catalog } from '../../src/catalog/catalog.ts';
import { built, checked } from '../support/checks.ts';
import { catalogOf } from '../support/catalogs.ts';

const all = [
  ...['1-r0', '2-r0'].flatMap((version) => [
    built('lib', version),
    built('lib-dev', version, { D: `lib=${version}` }),
  ]),
  built('app', '1-r0', { D: 'lib=1-r0' }),
  built('wants', '1-r0', { D: 'lib>=2' }),
  built('hates', '1-r0', { D: '!app' }),
  built('deep', '1-r0', { D: 'app=1-r0' }),
  built('this', '1-r0', { p: 'choice=1' }),
  built('that', '1-r0', { p: 'choice=2' }),
];
const plain = catalogOf({ x86_64: [all], aarch64: [all] });
const complete = new Catalog({ sources: plain.sources, archs: plain.archs, complete: true });

const image = (pins: readonly string[], more = ''): string =>
  `${more}contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages: [${pins.map((pin) => `"${pin}"`).join(', ')}]\n`;
const contradictions = (files: Readonly<Record<string, string>>, wolfi: Catalog): readonly string[] =>
  checked(files, { catalogs: { wolfi } }).findings.flatMap(({ rule, pin, message, level }) =>
    level === 'error' ? [`${rule} ${pin}: ${message}`] : [],
  );
const exact = (names: readonly string[]): readonly string[] =>
  names.map((name) => (name.includes('=') ? name : `${name}=1-r0`));

test.each([
  [['app', 'lib-dev=2-r0'], 'lib=2-r0 conflicts with lib-1-r0'],
  [['deep', 'lib=2-r0'], 'app=1-r0 conflicts with lib-2-r0'],
  [['lib=1-r0', 'wants'], 'lib>=2 conflicts with lib-1-r0'],
  [['app', 'hates'], '!app conflicts with app-1-r0'],
  [['this', 'that'], 'that=1-r0 conflicts with this-1-r0'],
  [['app', 'lib-dev=1-r0', 'deep'], undefined],
  [['wants', 'lib-dev=2-r0', 'hates'], undefined],
] as const)('%j in an image: %s', (names, fact) => {
  const pins = exact(names);
  const asApko = contradictions({ 'i.yaml': image(pins) }, plain);
  const asApk = contradictions(
    {
      Dockerfile: `FROM cgr.dev/chainguard/wolfi-base\nRUN apk add ${pins.map((pin) => `'${pin}'`).join(' ')}\n`,
    },
    plain,
  );
  for (const found of [asApko, asApk]) {
    expect(found).toHaveLength(fact === undefined ? 0 : 1);
    if (fact !== undefined) {
      expect(found[0]).toMatch(/^contradicting-pins /);
      expect(found[0]).toContain(fact);
    }
  }
});

test.each(['tool@edge', 'tool@edge=1-r0'])(
  'pins that contradict each other beside %s, which is not looked up',
  (other) => {
    const pins = [other, ...exact(['app', 'lib=2-r0'])];
    const Dockerfile = `FROM cgr.dev/chainguard/wolfi-base\nRUN apk add ${pins.join(' ')}\n`;
    expect(contradictions({ Dockerfile }, plain)).toEqual([
      'contradicting-pins lib=2-r0: it cannot be installed with app=1-r0 on x86_64: lib=1-r0 conflicts with lib-2-r0',
    ]);
  },
);

test('pins that contradict each other on the last arch only', () => {
  const needing = (lib: string) => [...all, built('new', '1-r0', { D: `lib=${lib}` })];
  const skewed = catalogOf({ x86_64: [needing('1-r0')], aarch64: [needing('2-r0')] });
  const pins = exact(['app', 'new']);
  const found = [
    'contradicting-pins new=1-r0: it cannot be installed with app=1-r0 on aarch64: lib=2-r0 conflicts with lib-1-r0',
  ];
  expect(contradictions({ 'i.yaml': image(pins) }, skewed)).toEqual(found);
  expect(
    contradictions(
      { Dockerfile: `FROM cgr.dev/chainguard/wolfi-base\nRUN apk add ${pins.join(' ')}\n` },
      skewed,
    ),
  ).toEqual(found);
  expect(contradictions({ 'i.yaml': `${image(pins)}archs: [x86_64]\n` }, skewed)).toEqual([]);
});

test.each([
  ['lib=1', []],
  ['lib=2-r0', ['contradicting-pins lib=2-r0: lib=1-r0 is pinned as well, and one image holds one version']],
])('lib=1-r0 and %s in an image', (pin, problems) => {
  for (const wolfi of [plain, complete])
    expect(contradictions({ 'i.yaml': image(['lib=1-r0', pin]) }, wolfi)).toEqual(problems);
});

test.each([
  ['lib~2', 'it cannot be installed with lib=1-r0 on x86_64: one image holds one version'],
  ['lib>=1.5@edge', 'it cannot be installed with lib=1-r0 on x86_64: one image holds one version'],
  ['lib~2@unknown', 'it cannot be installed with lib=1-r0 on x86_64: one image holds one version'],
  ['lib~1', undefined],
  ['lib<2', undefined],
  ['lib', undefined],
])('lib=1-r0 and the range %s in an image of an incomplete datasource', (pin, problem) => {
  const wolfi = 'https://packages.wolfi.dev/os';
  const tagged = `  repositories: ["${wolfi}", "@edge ${wolfi}", "@unknown https://apks.example.com/os"]\n`;
  const text = image(['lib=1-r0', pin]).replace(/ {2}repositories: .*\n/, tagged);
  expect(contradictions({ 'i.yaml': text }, plain)).toEqual(
    problem === undefined ? [] : [`contradicting-pins ${pin}: ${problem}`],
  );
  expect(
    contradictions(
      {
        Dockerfile: `FROM cgr.dev/chainguard/wolfi-base\nRUN apk add 'lib=1-r0' '${pin.replace(/@.*/, '')}'\n`,
      },
      plain,
    ),
  ).toEqual([]);
});

test('an exact pin is not raised beyond a range of the same image', () => {
  const { judgments } = checked(
    {
      'base.yaml': 'contents:\n  packages: ["lib<2"]\n',
      'i.yaml': image(['lib=1-r0'], 'include: base.yaml\n'),
    },
    { catalogs: { wolfi: plain } },
  );
  const [, pin] = judgments[1] ?? [];
  expect(pin).not.toHaveProperty('target');
  expect(pin?.heldBecause).toMatch(/^2-r0 cannot be installed with lib<2 on x86_64: /);
});

test('a complete datasource is asked as apko does it, with names and ranges as well', () => {
  expect(contradictions({ 'i.yaml': image(['app', 'jq', 'lib~2']) }, complete)).toHaveLength(1);
  expect(contradictions({ 'i.yaml': image(['app', 'deep', 'lib~2']) }, complete)).toEqual([
    'contradicting-pins lib~2: it cannot be installed with deep on x86_64: no remaining candidate meets lib=1-r0',
  ]);
  expect(contradictions({ 'i.yaml': image(['app', 'lib~1']) }, complete)).toEqual([]);
});

test('a conflict in an image of more than a hundred packages is found as well', () => {
  const more = Array.from({ length: 100 }, (_, i) => `more${i}`);
  const { sources } = catalogOf({ x86_64: [[...all, ...more.map((name) => built(name, '1-r0'))]] });
  const large = new Catalog({ sources, archs: ['x86_64'], complete: true });
  expect(contradictions({ 'i.yaml': image([...more, 'app=1-r0', 'lib=2-r0']) }, large)).toEqual([
    'contradicting-pins lib=2-r0: it cannot be installed with 101 others on x86_64: no remaining candidate meets lib=1-r0',
  ]);
});

test('what only resolves with the others is no problem', () => {
  const broken = catalogOf({
    x86_64: [[...all, built('lib', '3-r0', { D: 'nowhere' }), built('any', '1-r0', { D: 'lib' })]],
  });
  const whole = new Catalog({ sources: broken.sources, archs: ['x86_64'], complete: true });
  expect(contradictions({ 'i.yaml': image(['any']) }, whole)).toHaveLength(1);
  expect(contradictions({ 'i.yaml': image(['any', 'lib=2-r0']) }, whole)).toEqual([]);
});

test('the same in an incomplete datasource, if the image needs nothing else', () => {
  const halfPublished = [...all, built('lib-dev', '3-r0', { D: 'lib=3-r0' })];
  const wolfi = catalogOf({ x86_64: [halfPublished], aarch64: [halfPublished] });
  const base = 'contents:\n  packages: [lib-dev]\n';
  const broken =
    'dependency-missing lib-dev: lib-dev-3-r0 needs lib=3-r0, which cannot be installed on aarch64';
  const inImage = (pins: readonly string[]): readonly string[] =>
    contradictions({ 'base.yaml': base, 'i.yaml': image(pins, 'include: base.yaml\n') }, wolfi);
  expect(inImage(['lib'])).toEqual([broken]);
  expect(inImage(['lib-dev=2-r0'])).toEqual([]);
  expect(inImage(['lib-dev=2-r0', 'wants=1-r0'])).toEqual([]);
  expect(inImage(['lib-dev=1-r0', 'wants=1-r0'])).toContain(broken);
});

describe('an image that apko refuses in a datasource that is not complete', () => {
  const wolfi = 'https://packages.wolfi.dev/os';
  const warned = (text: string, more: Readonly<Record<string, string>> = {}): readonly string[] => {
    const { sources, archs } = catalogOf({ x86_64: [[...all, built('needy', '1-r0', { D: 'elsewhere' })]] });
    const catalog = new Catalog({ sources: sources.map((each) => ({ ...each, repository: wolfi })), archs });
    return checked({ 'i.yaml': text, ...more }, { catalogs: { wolfi: catalog } }).findings.flatMap(
      ({ rule, level, pin, message }) =>
        /^(?:contradicting-pins|dependency-missing)$/.test(rule)
          ? [`${level} ${rule} ${pin}: ${message}`]
          : [],
    );
  };

  test('gets a warning if the datasource has every repository that it lists', () => {
    expect(warned(image(['app', 'lib']))).toEqual([]);
    expect(warned(image(['app', 'lib-dev']))).toEqual([
      'warning contradicting-pins lib-dev: it cannot be installed with app on x86_64: no remaining candidate meets lib=2-r0',
    ]);
    expect(warned(image(['needy', 'lib']))).toEqual([
      'warning dependency-missing needy: it cannot be installed on x86_64: nothing provides elsewhere',
    ]);
  });

  test.each([
    [
      'it lists another repository, too',
      image(['app', 'lib-dev']).replace(wolfi, `${wolfi}, "@own https://o.example/os"`),
      {},
    ],
    [
      'a package is built by the files',
      image(['app', 'lib-dev', 'own']),
      {
        'own.yaml':
          'package:\n  name: own\n  version: 1\n  epoch: 0\nenvironment:\n  contents:\n    packages: [lib]\n',
      },
    ],
    ['a missing dependency is reported already', image(['needy=1-r0', 'app', 'lib-dev']), {}],
  ])('gets none if %s', (_, text, more) => {
    const found = warned(text, more);
    expect(found.filter((each) => !each.includes('nothing in its repositories has'))).toEqual([]);
  });
});

test('a pin whose operator apko ignores contradicts no other', () => {
  const files = { 'i.yaml': image(['lib==1-r0', 'lib>=2']) };
  for (const catalog of [plain, complete]) expect(contradictions(files, catalog)).toEqual([]);
});

test('a dependency of a package that apko does not choose is not missed', () => {
  const needy = [...all, built('other', '1-r0', { p: 'choice=3', D: 'elsewhere' })];
  const found = (pins: readonly string[]): readonly string[] =>
    checked({ 'i.yaml': image(pins) }, { catalogs: { wolfi: catalogOf({ x86_64: [needy] }) } }).findings.map(
      ({ rule, level, pin }) => `${level} ${rule} ${pin}`,
    );
  expect(found(['choice>=1'])).toEqual(['warning dependency-missing choice>=1']);
  expect(found(['choice>=1', 'this'])).toEqual([]);
});

test('a warning about one pin does not hide that others contradict each other', () => {
  const needy = [...all, built('needy', '1-r0', { D: 'elsewhere' })];
  const found = checked(
    { 'i.yaml': image(exact(['needy', 'app', 'lib=2-r0'])) },
    { catalogs: { wolfi: catalogOf({ x86_64: [needy], aarch64: [needy] }) } },
  ).findings.map(({ rule, level, pin }) => `${level} ${rule} ${pin}`);
  expect(found).toEqual(
    expect.arrayContaining(['warning dependency-missing needy=1-r0', 'error contradicting-pins lib=2-r0']),
  );
});

test('packages of an included file are in the image as well', () => {
  const base = image(['app=1-r0']);
  const child = image(['lib=2-r0'], 'include: base.yaml\n');
  for (const catalog of [plain, complete]) {
    const found = contradictions({ 'base.yaml': base, 'child.yaml': child }, catalog);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^contradicting-pins lib=2-r0: /);
  }
});

test('an image may have nothing but packages of an included file', () => {
  const base = 'contents:\n  packages: [app=1-r0, lib=2-r0]\n';
  const child = 'include: base.yaml\ncontents:\n  repositories: [https://packages.wolfi.dev/os]\n';
  for (const catalog of [plain, complete])
    expect(contradictions({ 'base.yaml': base, 'child.yaml': child }, catalog)).toHaveLength(1);
});

test('commands of one stage do not contradict each other', () => {
  const text =
    'FROM cgr.dev/chainguard/wolfi-base\nRUN apk add app=1-r0\nRUN apk del app && apk add lib=2-r0\n';
  expect(contradictions({ Dockerfile: text }, plain)).toEqual([]);
});

test('a tag of Wolfi is not one of a private repository at the path of a mirror', () => {
  const { sources } = catalogOf({ x86_64: [[built('curl', '1-r0')], [built('app', '1-r0')]] });
  const repositories = ['https://packages.wolfi.dev/os', 'https://apks.example.com/os'];
  const catalog = new Catalog({
    sources: sources.map((source, i) => ({ ...source, repository: repositories[i] as string })),
    archs: ['x86_64'],
    complete: true,
  });
  const text = `contents:\n  repositories: ["@wolfi ${repositories[0]}", "${repositories[1]}"]\n  packages: [app=1-r0, curl=1-r0@wolfi]\narchs: [x86_64]\n`;
  const { findings } = checked(
    { 'i.yaml': text },
    { catalogs: { both: catalog }, routing: { repositories } },
  );
  expect(findings).toEqual([]);
});
