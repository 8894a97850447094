import { finish } from '../../src/catalog/steps.ts';
import { describe, expect, test } from 'vitest';
import { Catalog, type CatalogSource } from '../../src/catalog/catalog.ts';
import type { SourceWithdrawal } from '../../src/catalog/withdrawal.ts';
import { explain, type Explanation } from '../../src/answers/explain.ts';
import { parseLookupQuery } from '../../src/answers/query.ts';
import { describe as describeInText } from '../../src/answers/describe.ts';
import { catalog, catalogOf } from '../support/catalogs.ts';
import { pkg } from '../support/signed-index.ts';

function explained(from: Catalog, name: string, current?: string): Explanation {
  return explain(from.report(name), parseLookupQuery({ current }, from.archs), current, from);
}

const day = (text: string): string => String(Date.parse(text) / 1000);

describe('notes beyond the versions', () => {
  const series = catalog([
    pkg('grafana-12.3', '12.3.4-r2', { t: day('2026-02-28') }),
    pkg('grafana-12.4', '12.4.1-r0', { t: day('2026-07-01') }),
    pkg('grafana-13.0', '13.0.2-r0', { t: day('2026-07-24') }),
    pkg('grafana-13.0-dev', '13.0.2-r0', { t: day('2026-07-24') }),
    pkg('etcd-3.5', '3.5.1-r0'),
    pkg('etcd-3.6', '3.6.1-r0'),
    pkg('etcd-3.10', '3.10.1-r0'),
    pkg('nodejs-24', '24.1-r0', { p: 'nodejs=24.1-r0' }),
    pkg('old', '1-r0'),
    pkg('new', '2-r0', { p: 'old=2-r0' }),
  ]);

  test.each<[title: string, name: string, expected: string[] | undefined]>([
    [
      'a series that has stopped',
      'grafana-12.3',
      [
        'newer series: grafana-13.0, grafana-12.4; this one was last built on 2026-02-28, 146 days before grafana-13.0',
      ],
    ],
    ['a series that goes on beside a newer one', 'grafana-12.4', ['newer series: grafana-13.0']],
    ['the newest series', 'grafana-13.0', undefined],
    ['a name that has moved', 'etcd', ['no package etcd; its series are etcd-3.10, etcd-3.6, etcd-3.5']],
    ['a provided name', 'nodejs', ['no package of its own; provided by nodejs-24']],
    ['a name that was replaced', 'old', ['its newest release is 2-r0, which new provides']],
    ['an unknown name', 'nothing', undefined],
  ])('%s', (_, name, expected) => {
    expect(explained(series, name).notes).toEqual(expected);
  });
});

test('a version that needs another repository is offered and the need is listed, unless the datasource is complete', () => {
  const stanzas = [
    pkg('foo', '1-r0', { D: 'so:libc.so.6 bar>=2 bar~1 !baz cmd:sh=1', p: 'so:foo=1' }),
    pkg('bar', '1-r0', { D: 'foo so:foo' }),
    pkg('sh', '1-r0', { p: 'cmd:sh=1' }),
  ];
  const [foo] = explained(catalog(stanzas), 'foo').versions;
  expect(foo).toMatchObject({ offered: true, needsElsewhere: ['so:libc.so.6', 'bar>=2'] });
  expect(explained(catalog(stanzas), 'bar').versions[0]).not.toHaveProperty('needsElsewhere');
  const complete = catalog(stanzas, { complete: true });
  expect(explained(complete, 'foo').versions[0]).toMatchObject({
    offered: false,
    reasons: ['foo needs so:libc.so.6, which cannot be installed on x86_64'],
  });
  expect(explained(complete, 'bar').versions[0]?.offered).toBe(false);
  expect(explained(complete, 'sh').versions[0]?.offered).toBe(true);
});

test('one candidate per arch is chosen, and a version that apko refuses for all archs is marked', () => {
  const two = catalogOf({
    x86_64: [[pkg('a', '1-r1', { p: 'foo=1' }), pkg('b', '1-r0', { p: 'foo=1 bar=1' }), pkg('only', '1-r0')]],
    aarch64: [
      [pkg('a', '1-r0', { p: 'foo=1' }), pkg('b', '1-r0', { p: 'foo=1' }), pkg('c', '1', { p: 'bar=1' })],
    ],
  });
  const [foo] = explained(two, 'foo').versions;
  expect(foo?.candidates.map((each) => [each.arch, each.package, each.state])).toEqual([
    ['x86_64', 'a-1-r1', 'chosen'],
    ['x86_64', 'b-1-r0', 'duplicate'],
    ['aarch64', 'a-1-r0', 'chosen'],
    ['aarch64', 'b-1-r0', 'duplicate'],
  ]);
  // It takes `b`, which is on both.
  expect(foo).not.toHaveProperty('refusedByApko');
  expect(explained(two, 'bar').versions[0]?.refusedByApko).toBe('b-1-r0 is not on aarch64');
  expect(explained(two, 'only').versions[0]?.refusedByApko).toBe('only-1-r0 is not on aarch64');
  expect(explained(two, 'b').versions[0]).not.toHaveProperty('refusedByApko');
});

test('text ends with the verdict, after the newest versions', () => {
  const from = catalog(Array.from({ length: 14 }, (_, i) => pkg('foo', `${i}-r0`, { t: '86400' })));
  const lines = finish(describeInText(explained(from, 'foo', '1-r0'), []));
  expect(lines.slice(0, 4)).toEqual([
    'foo on x86_64',
    '  3 older versions, shown by --all',
    '  + 1-r0   1970-01-02',
    '  + 4-r0   1970-01-02',
  ]);
  expect(lines.at(-1)).toContain('pin 1-r0 (offered): propose 13-r0, because 13-r0 is the newest release');
  expect(lines).toHaveLength(2 + 11 + 1);
  expect(finish(describeInText(explained(from, 'foo', '1-r0'), [], { all: true }))).toHaveLength(1 + 14 + 1);
});

test.each([
  ['2.0-r0', '1', { state: 'other-line', proposal: '1.2-r0' }],
  ['1.2-r0', '2', { state: 'other-line', proposal: '2.0-r0' }],
  ['~2', '1', { state: 'other-line', proposal: '~1' }],
  ['1.2-r0', '1', { state: 'offered' }],
  ['2.1-r0', '1', { state: 'withheld', proposal: '1.2-r0' }],
  ['2.2-r0', '1', { state: 'gone', proposal: '1.2-r0' }],
])('the pin %s beside the line %s: %j', (current, line, expected) => {
  const broken = pkg('foo', '2.1-r0', { D: 'nowhere=1-r0' });
  const from = catalog([pkg('foo', '1.2-r0'), pkg('foo', '2.0-r0'), broken]);
  const query = parseLookupQuery({ current, line }, from.archs);
  const { pin } = explain(from.report('foo'), query, current, from);
  expect(pin).toMatchObject(expected);
  if (!('proposal' in expected)) expect(pin).not.toHaveProperty('proposal');
});

describe('names that are no longer built', () => {
  const built = (name: string, version: string, t: string, o = 'opus') =>
    pkg(name, version, { o, t: day(t) });
  const from = catalog([
    built('opus', '1.6-r0', '2026-01-01'),
    built('opus', '1.6.1-r2', '2026-07-01'),
    built('opus-doc', '1.6-r0', '2026-01-01'),
    built('opus-dev', '1.6.1-r2', '2026-07-01'),
    built('opus-tools', '0.2-r0', '2026-01-01', 'opus-tools'),
  ]);

  test('a package that its origin is no longer built with', () => {
    expect(explained(from, 'opus-doc').notes).toEqual([
      'last built on 2026-01-01, 181 days before opus-1.6.1-r2 of the same origin',
    ]);
  });

  test.each(['opus', 'opus-dev', 'opus-tools'])('not %s', (name) => {
    expect(explained(from, name)).not.toHaveProperty('notes');
  });

  test('a name that was served before and is in no index now', () => {
    const { notes } = explain(from.report('gone'), parseLookupQuery({}, from.archs), undefined, from, {
      served: ['2-r0', '1-r0'],
    });
    expect(notes).toEqual(['the name is no longer in the repositories; 2-r0 was served before']);
    expect(explained(from, 'gone')).not.toHaveProperty('notes');
  });
});

test('an expected withdrawal is in the text and in the data', () => {
  const stanzas = [
    pkg('foo', '1-r0', { t: day('2025-11-01') }),
    pkg('foo', '2-r0', { t: day('2026-03-01') }),
    pkg('foo', '3-r0', { t: day('2026-07-24') }),
  ];
  const [{ arch, packages, repository }] = catalog(stanzas).sources as [CatalogSource];
  const withdrawal: SourceWithdrawal = {
    policy: { kind: 'collected', age: 184 * 86_400_000, days: [13, 23] },
    asOf: Number(day('2026-07-24')),
  };
  const from = new Catalog({ sources: [{ arch, packages, repository, withdrawal }], archs: [arch] });
  const explanation = explained(from, 'foo');
  expect(explanation.versions.map(({ version, withdrawal: each }) => [version, each])).toEqual([
    ['3-r0', undefined],
    ['2-r0', { expectedOn: '2026-09-13', rule: 'old-build-of-kept-name', likelihood: 0.57 }],
    ['1-r0', { expectedOn: '2026-08-13', rule: 'kept-before', likelihood: 0.18 }],
  ]);
  expect(finish(describeInText(explanation, []))).toEqual([
    'foo on x86_64',
    '  + 1-r0  2025-11-01  (may be withdrawn on or after 2026-08-13, by rule kept-before)',
    '  + 2-r0  2026-03-01  (expected to be withdrawn on or after 2026-09-13, by rule old-build-of-kept-name)',
    '  + 3-r0  2026-07-24',
  ]);
});
