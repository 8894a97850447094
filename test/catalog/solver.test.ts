/** Compares offered versions with recorded results of real solvers (test/fixtures/solver). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compareVersions, parseVersion } from '../../src/apk/version.ts';
import { catalogOf, offered } from '../support/catalogs.ts';
import type { Stanza } from '../support/signed-index.ts';

interface SolverCase {
  readonly case: string;
  readonly repositories: readonly (readonly Stanza[])[];
  readonly pins: readonly { readonly pin: string; readonly apk3: boolean; readonly apko: boolean }[];
}

const cases = JSON.parse(
  readFileSync(new URL('../fixtures/solver/cases.json', import.meta.url), 'utf8'),
) as SolverCase[];

const rows = cases.flatMap(({ case: title, repositories, pins }) =>
  pins.flatMap(({ pin, apk3, apko }) => {
    const [, name, version] = /^(.+)=([^=]+)$/.exec(pin) ?? [];
    return name === undefined || version === undefined
      ? []
      : [{ title, repositories, pin, name, version, apk3, apko }];
  }),
);

function isSame(left: string, right: string): boolean {
  const [a, b] = [parseVersion(left), parseVersion(right)];
  return a !== undefined && b !== undefined && compareVersions(a, b) === 0;
}

describe('a pin is offered if the solver installs it', () => {
  test.each(rows)('$pin in $title', ({ repositories, name, version, apk3, apko }) => {
    const isOffered = (options: { complete: boolean; unversionedProvides: boolean }): boolean =>
      offered(catalogOf({ x86_64: repositories }, options), name).some((each) => isSame(each, version));
    expect(isOffered({ complete: true, unversionedProvides: false })).toBe(apk3);
    expect(isOffered({ complete: true, unversionedProvides: true })).toBe(apko);
  });
});

test('only exact dependencies count if the datasource is not complete', () => {
  const more = rows.filter(({ repositories, name, version, apk3 }) => {
    const isOffered = offered(catalogOf({ x86_64: repositories }), name).some((each) =>
      isSame(each, version),
    );
    return isOffered !== apk3;
  });
  expect(more.map(({ pin, title }) => `${pin} in ${title}`)).toEqual([
    'baz=1.0-r0 in 06-needs-exactly-a-self-conflicting-package',
    'foo=1.0-r0 in 09-plain-dependency-missing',
    'foo=1.0-r0 in 10-range-dependency-unmet',
    'foo=1.0-r0 in 10b-fuzzy-dependency-unmet',
    'a=1.0-r0 in 20-unversioned-dep-on-virtual-without-priority',
  ]);
});

/** Recorded without answers: what is offered under apk's rule and under apko's. */
test.each<[title: string, name: string, apk: string[], apko: string[]]>([
  ['27-apko-rule-exact-dep-on-unversioned-provide', 'a', [], ['1.0-r0']],
  ['27-apko-rule-exact-dep-on-unversioned-provide', 'v', [], ['1.0-r0']],
  ['27-apko-rule-exact-dep-on-unversioned-provide', 'e', [], ['1.0-r0']],
  ['28-invalid-for-apk3-valid-for-apk2', 'opensmtpd', [], []],
])('%s: %s', (title, name, apk, apko) => {
  const repositories = cases.find((each) => each.case === title)?.repositories ?? [];
  expect(offered(catalogOf({ x86_64: repositories }), name)).toEqual(apk);
  expect(offered(catalogOf({ x86_64: repositories }, { unversionedProvides: true }), name)).toEqual(apko);
});
