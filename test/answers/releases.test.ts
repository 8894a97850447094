import { describe, expect, test } from 'vitest';
import { newestRelease, type Release } from '../../src/answers/releases.ts';
import { CloseNames } from '../../src/answers/close-names.ts';
import { editDistance } from '../../src/edit-distance.ts';
import { explain } from '../../src/answers/explain.ts';
import { parseLookupQuery, QueryError, type QueryParameters } from '../../src/answers/query.ts';
import { newestInRange } from '../../src/answers/range.ts';
import { renderInSteps, type RenderOptions, type RenovateRelease } from '../../src/answers/render.ts';
import { finish } from '../../src/catalog/steps.ts';
import { catalog, catalogOf, releases } from '../support/catalogs.ts';
import { Random } from '../support/random.ts';
import { pkg } from '../support/signed-index.ts';

interface RenovateAnswer {
  readonly releases: readonly RenovateRelease[];
  readonly homepage?: string;
  readonly sourceUrl?: string;
  readonly changelogUrl?: string;
}

function renderAnswer(all: readonly Release[], options: RenderOptions): RenovateAnswer {
  return JSON.parse(finish(renderInSteps(all, options)).toString()) as RenovateAnswer;
}

const versions = ['1.34.2-r0', '1.35.0_rc1-r0', '1.35.0-r0', '1.35.0-r1', '1.35.4-r0', '1.350-r0'];
const foo = catalog(versions.map((version, i) => pkg('foo', version, { t: String((i + 1) * 86_400) })));

/** Versions listed, with `†` behind those that are withdrawn. */
function listed(parameters: QueryParameters, remembered: readonly string[] = []): readonly string[] {
  return releases(foo, 'foo', parameters, remembered).map(({ version, withdrawn }) =>
    withdrawn ? `${version.text}†` : version.text,
  );
}

function answer(parameters: QueryParameters = {}): RenovateAnswer {
  const query = parseLookupQuery(parameters, foo.archs);
  return renderAnswer(releases(foo, 'foo', parameters), {
    stripRevision: query.stripRevision,
    current: query.current?.version.text,
  });
}

describe('the current pin', () => {
  test.each<[title: string, current: string, expected: readonly string[]]>([
    ['is there: the plain answer', '1.35.4-r0', versions],
    [
      'is gone and something newer exists: it is listed',
      '1.35.2-r3',
      [...versions.slice(0, 4), '1.35.2-r3†', ...versions.slice(4)],
    ],
    ['is gone and newer than all: it is not, so that a rollback is offered', '2.0-r0', versions],
    ['is written as a constraint', '=1.35.4-r0', versions],
    [
      'is there, and Renovate would misplace a pre-release: that is left out',
      '1.35.0-r0',
      versions.toSpliced(1, 1),
    ],
    ['is no version: it does not count', 'latest', versions],
    ['is a line of which nothing is left: it is listed', '~1.33', ['1.33†', ...versions]],
    ['is a line that is there: the plain answer', '~1.34', versions],
  ])('%s', (_, current, expected) => {
    expect(listed({ current })).toEqual(expected);
  });

  test('a withdrawn version that was served before is listed as if it were the pin, if that is safe', () => {
    expect(listed({}, ['1.35.2-r3'])).toEqual(listed({ current: '1.35.2-r3' }));
    expect(listed({}, ['2.0-r0'])).toEqual(versions);
    expect(listed({}, ['1.35.0-r0'])).toEqual(versions);
  });

  test('a withdrawn version is deprecated and has no date', () => {
    expect(answer({ current: '1.35.2-r3' }).releases[4]).toEqual({
      version: '1.35.2-r3',
      isDeprecated: true,
      revision: 3,
    });
  });
});

describe('shapes of pins', () => {
  test('a line ends at component borders', () => {
    expect(listed({ line: '1.35' })).toEqual(versions.slice(1, 5));
    expect(listed({ line: '1.35.0' })).toEqual(versions.slice(1, 4));
    expect(listed({ line: '9' })).toEqual([]);
  });

  test('without revisions each version is there once, with the newest revision apart and the age of the first', () => {
    expect(listed({ strip: 'revision' })).toEqual(['1.34.2', '1.35.0_rc1', '1.35.0', '1.35.4', '1.350']);
    expect(answer({ strip: 'revision' }).releases[2]).toEqual({
      version: '1.35.0',
      releaseTimestamp: '1970-01-04T00:00:00.000Z',
      revision: 1,
      digest: '1',
    });
  });

  test('a file that takes the revision gets its age, so that minimumReleaseAge applies to it', () => {
    const dates = (more: Readonly<Record<string, string>>): readonly unknown[] =>
      answer({ strip: 'revision', ...more }).releases.map(({ version, releaseTimestamp }) => [
        version,
        releaseTimestamp?.slice(0, 10),
      ]);
    expect(dates({ current: '1.35.0', revision: '0' })).toContainEqual(['1.35.0', '1970-01-05']);
    expect(dates({ current: '1.34.2', revision: '0' })).toContainEqual(['1.35.0', '1970-01-05']);
  });

  test('a version that repeats a pin has the age of the first revision, because the pin may get any', () => {
    const repeated = { strip: 'revision', kind: 'definition', current: '1.34.2', revision: '0' };
    expect(answer(repeated).releases[1]).toMatchObject({
      version: '1.35.0',
      releaseTimestamp: '1970-01-04T00:00:00.000Z',
    });
  });

  test('a provided line is offered as apk accepts it', () => {
    const kubectl = catalog([pkg('kubectl-1.36-default', '1.36.4-r1', { p: 'kubectl=1.36' })]);
    expect(releases(kubectl, 'kubectl', { current: '1.35' }).map(({ version }) => version.text)).toEqual([
      '1.35',
      '1.36',
    ]);
  });
});

describe('the answer as Renovate reads it', () => {
  test('has nothing that is null, and pre-releases are not stable', () => {
    expect(answer()).toEqual({
      releases: versions.map((version, i) => ({
        version,
        releaseTimestamp: `1970-01-0${i + 2}T00:00:00.000Z`,
        ...(version.includes('_rc') && { isStable: false }),
        revision: version.endsWith('r1') ? 1 : 0,
      })),
    });
  });

  test('a package that only has pre-releases stays usable', () => {
    const beta = catalog([pkg('foo', '1.0_beta1'), pkg('foo', '1.0_beta2')]);
    expect(
      renderAnswer(releases(beta, 'foo'), { stripRevision: false, current: undefined }).releases,
    ).toEqual([{ version: '1.0_beta1' }, { version: '1.0_beta2' }]);
    expect(finish(newestRelease(releases(beta, 'foo')))?.version.text).toBe('1.0_beta2');
  });

  test.each<[url: string, links: Omit<RenovateAnswer, 'releases'>]>([
    ['https://curl.se/', { homepage: 'https://curl.se/' }],
    ['https://github.com/a/b', { homepage: 'https://github.com/a/b', sourceUrl: 'https://github.com/a/b' }],
    [
      'https://gitlab.gnome.org/a',
      { homepage: 'https://gitlab.gnome.org/a', sourceUrl: 'https://gitlab.gnome.org/a' },
    ],
    ['curl', {}],
    ['javascript:alert(1)', {}],
    ['https://user:secret@host/', {}],
    ['', {}],
  ])('of an upstream page %s it takes what is a real address', (url, links) => {
    const { releases: _, ...rest } = renderAnswer(releases(catalog([pkg('foo', '1', { U: url })]), 'foo'), {
      stripRevision: false,
      current: undefined,
    });
    expect(rest).toEqual(links);
    expect(_).toHaveLength(1);
  });

  test.each<[repository: string, expected: string | undefined]>([
    [
      'https://packages.wolfi.dev/os',
      'https://github.com/wolfi-dev/os/commits/c0ffee/curl%2B.yaml?since=2026-01-01&until=2026-02-02',
    ],
    [
      'https://dl-cdn.alpinelinux.org/alpine/v3.22/community',
      'https://gitlab.alpinelinux.org/alpine/aports/-/commits/c0ffee/community/curl%2B',
    ],
    ['https://apks.example.com', undefined],
  ])('the changelog of %s leads to the recipe’s history', (repository, expected) => {
    const seconds = (date: string): string => String(Date.parse(date) / 1000);
    const { sources, archs } = catalog([
      pkg('foo', '1', { t: seconds('2026-01-01'), o: 'curl+', c: 'beef' }),
      pkg('foo', '2', { t: seconds('2026-02-01'), o: 'curl+', c: 'c0ffee' }),
    ]);
    const named = catalogOf({}, { sources: sources.map((source) => ({ ...source, repository })), archs });
    const rendered = renderAnswer(releases(named, 'foo', { current: '1' }), {
      stripRevision: false,
      current: '1',
    });
    expect(rendered.changelogUrl).toBe(expected);
  });
});

describe('the newest release', () => {
  test.each<[range: string | undefined, expected: string | undefined]>([
    [undefined, '1.350-r0'],
    ['~1.35', '1.35.4-r0'],
    ['<1.35.4', '1.35.0-r1'],
    ['>=1.35.0_rc1 <1.35.0', '1.35.0_rc1-r0'],
    ['>=1.34,<1.35', '1.34.2-r0'],
    ['=1.35.0-r0', '1.35.0-r0'],
    ['1.35.0-r0', '1.35.0-r0'],
    ['1.35.0_rc1-r0', '1.35.0_rc1-r0'],
    ['^1.35.0-r0', '1.350-r0'],
    ['^1.34.0', '1.350-r0'],
    ['1.35.x', '1.35.4-r0'],
    ['1.34.x || 1.35.0', '1.35.0-r1'],
    ['>9', undefined],
  ])('in %s is %s', (range, expected) => {
    expect(finish(newestInRange(releases(foo, 'foo'), range))?.version.text).toBe(expected);
  });

  test.each(['banana', '>=', 'x'.repeat(300)])('%j is no range', (range) => {
    expect(() => finish(newestInRange(releases(foo, 'foo'), range))).toThrow(QueryError);
  });
});

test.each<[parameters: QueryParameters, message: string]>([
  [{ arch: 'mips' }, 'arch: unknown, expected some of x86_64'],
  [{ line: 'latest' }, 'line: expected the beginning of a version, such as 1.35'],
  [{ strip: 'all' }, 'strip: expected revision'],
])('%j is refused: %s', (parameters, message) => {
  expect(() => parseLookupQuery(parameters, ['x86_64'])).toThrow(new QueryError(message));
});

test('archs may be repeated or listed', () => {
  const known = ['x86_64', 'aarch64', 'armv7'];
  expect(parseLookupQuery({ arch: ['armv7', 'x86_64'] }, known).archs).toEqual(['x86_64', 'armv7']);
  expect(parseLookupQuery({ arch: 'armv7,x86_64' }, known).archs).toEqual(['x86_64', 'armv7']);
  expect(parseLookupQuery({ arch: '' }, known).archs).toBeUndefined();
});

test.each<[name: string, expected: readonly string[]]>([
  ['ngnix', ['nginx']],
  ['nodejs', ['nodejs-24', 'nodejs-22', 'nodejs-8']],
  ['crul', ['curl']],
  ['etcd', ['etcd-3.10', 'etcd-3.6', 'ed']],
  ['etc', []],
  ['libssl', ['libssl-dev']],
  ['NGINX', ['nginx']],
  ['libssl-DEV', ['libssl-dev']],
  ['libLLVM', ['libLLVM-22']],
  ['libllvm', ['libLLVM-22']],
  ['zzzzzz', []],
  ['x'.repeat(256), []],
])('names close to %s: %j', (name, expected) => {
  const known = [
    'curl',
    'nginx',
    'nodejs-24',
    'nodejs-8',
    'nodejs-22',
    'ed',
    'etcd-3.6',
    'etcd-3.10',
    'libssl-dev',
    'libLLVM-22',
  ];
  expect(finish(finish(CloseNames.of(known)).to(name))).toEqual(expected);
});

test('a name is found by whatever is at most three edits away, as a plain table of distances says', () => {
  const random = new Random(7);
  const word = (): string =>
    Array.from({ length: random.integer(6) }, () => random.pick(['a', 'b', '-'])).join('');
  for (let i = 0; i < 5000; i += 1) {
    const [a, b, limit] = [word(), word(), 1 + (i % 3)];
    const expected = alignmentDistance(a, b);
    expect(editDistance(a, b, limit), `${a} ${b}`).toBe(expected <= limit ? expected : undefined);
  }
});

/** Optimal string alignment by its definition. */
function alignmentDistance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const [restA, restB] = [a.slice(0, -1), b.slice(0, -1)];
  if (a.at(-1) === b.at(-1)) return alignmentDistance(restA, restB);
  const swapped = a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1);
  return (
    1 +
    Math.min(
      alignmentDistance(restA, b),
      alignmentDistance(a, restB),
      alignmentDistance(restA, restB),
      swapped ? alignmentDistance(a.slice(0, -2), b.slice(0, -2)) : Infinity,
    )
  );
}

describe('why', () => {
  const two = catalogOf({
    x86_64: [
      [
        pkg('foo', '1.0-r0'),
        pkg('foo', '1.1-r0', { t: '86400' }),
        pkg('foo', '1.2-r0', { D: 'bar=9' }),
        pkg('foo', 'x'),
      ],
      [pkg('foo', '1.0-r0'), pkg('foo-ng', '3', { p: 'foo' })],
    ],
    aarch64: [[pkg('foo', '1.0-r0'), pkg('foo', '1.2-r0')]],
  });
  const explained = (current?: string) => {
    const query = parseLookupQuery({ current }, two.archs);
    return explain(two.report('foo'), query, current, two);
  };

  test('every version has its reason', () => {
    expect(explained().versions.map(({ version, reasons }) => [version, reasons])).toEqual([
      ['3', ['foo-ng provides it without a version, which no exact pin accepts on x86_64']],
      ['1.2-r0', ['foo needs bar=9, which cannot be installed on x86_64']],
      ['1.1-r0', ['missing on aarch64 since 1970-01-02, when another arch got it']],
      ['1.0-r0', undefined],
      ['x', ['apk calls the version invalid on x86_64']],
    ]);
  });

  test('per arch and repository', () => {
    const candidates = explained().versions.find(({ version }) => version === '1.0-r0')?.candidates;
    expect(candidates?.map(({ arch, repository, state }) => [arch, repository, state])).toEqual([
      ['x86_64', 'repo0', 'chosen'],
      ['x86_64', 'repo1', 'duplicate'],
      ['aarch64', 'repo0', 'chosen'],
    ]);
  });

  test.each<[pin: string, expected: object]>([
    ['1.0-r0', { state: 'offered', because: 'the pin is the newest release' }],
    ['0.9-r0', { state: 'gone', proposal: '1.0-r0', because: '1.0-r0 is the newest release' }],
    [
      '1.1-r0',
      {
        state: 'withheld',
        proposal: '1.0-r0',
        because: 'the pin is withheld and nothing newer exists, so this is a rollback',
      },
    ],
    [
      '2.0-r0',
      {
        state: 'gone',
        proposal: '1.0-r0',
        because: 'the pin is gone and nothing newer exists, so this is a rollback',
      },
    ],
    [
      '1.00-r0',
      {
        state: 'gone',
        because: '1.0-r0 is older and the newest release, but Renovate cannot distinguish the two',
      },
    ],
    [
      'latest',
      {
        state: 'invalid',
        because: 'the pin is neither an APK version nor a constraint such as ~1.2 or >=1 <2',
      },
    ],
    [
      '6.8.0p2-r4',
      { state: 'invalid', because: 'apk 3 calls the version invalid, only apk 2.14 accepts it' },
    ],
    ['~1', { state: 'offered', because: 'the newest release fits' }],
    ['>=1 <2', { state: 'offered', because: 'the newest release fits' }],
    [
      '~1.1',
      {
        state: 'withheld',
        proposal: '~1.0',
        because: 'no release fits, and nothing newer exists, so this is a rollback',
      },
    ],
    ['~0.9', { state: 'gone', proposal: '~1.0', because: 'no release fits; 1.0-r0 is newer' }],
    ['=~0', { state: 'gone', proposal: '=~1', because: 'no release fits; 1.0-r0 is newer' }],
    ['<1', { state: 'gone', because: 'no release fits; 1.0-r0 does not' }],
    ['~0.9@edge', { state: 'gone', proposal: '~1.0', because: 'no release fits; 1.0-r0 is newer' }],
  ])('for the pin %s', (pin, expected) => {
    expect(explained(pin).pin).toEqual({ current: pin, ...expected });
  });

  test.each<[parameters: QueryParameters, expected: object]>([
    [
      { current: '1.0', strip: 'revision' },
      { state: 'offered', because: 'the pin is the newest release' },
    ],
    [
      { current: '0.9', strip: 'revision' },
      { state: 'gone', proposal: '1.0', because: '1.0 is the newest release' },
    ],
    [
      { current: '1.1', strip: 'revision' },
      {
        state: 'withheld',
        proposal: '1.0',
        because: 'the pin is withheld and nothing newer exists, so this is a rollback',
      },
    ],
    [
      { current: '0.9-r0', line: '0.9' },
      { state: 'gone', because: 'no version is offered' },
    ],
    [
      { current: '~0.9', line: '0.9' },
      { state: 'gone', because: 'no version is offered' },
    ],
  ])('for the pin as %j lists it', (parameters, expected) => {
    const query = parseLookupQuery(parameters, two.archs);
    const { current } = parameters;
    const { pin } = explain(two.report('foo'), query, current as string, two);
    expect(pin).toEqual({ current, ...expected });
  });
});
