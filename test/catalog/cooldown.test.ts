/** A catalog without what is too young answers as one that never had it, but waits for the archs that carry a name. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { simplePackages } from '../support/simple-packages.ts';
import { virtualIndex } from '../../src/answers/virtual-index.ts';
import { RowSet, type Packages } from '../../src/apk/packages.ts';
import { ageInWords, nameWith, parseWhen } from '../../src/catalog/age.ts';
import type { Catalog, NameReport, ReleaseDates } from '../../src/catalog/catalog.ts';
import { cooledInSteps, type Cooled } from '../../src/catalog/cooldown.ts';
import { finish } from '../../src/catalog/steps.ts';
import { catalog, catalogOf, offered, scanned } from '../support/catalogs.ts';
import {
  arch,
  packageNames,
  provided,
  SEED,
  type Repositories,
  optionPairs,
} from '../support/random-indexes.ts';
import { indexText, pkg } from '../support/signed-index.ts';

const cool = (from: Catalog, limit: number): Cooled => finish(cooledInSteps(from, limit));

/** All that a report says, but for the places of packages in their index. */
function facts({ versions, ...report }: NameReport): object {
  return {
    ...report,
    versions: versions.map((version) => ({
      ...version,
      parsed: version.parsed?.text,
      chosen: textOf(version.chosen),
      chosenOn: version.chosenOn.map(textOf),
      candidates: version.candidates.map(textOf),
    })),
  };
}

function textOf({ package: each, ...candidate }: NameReport['versions'][number]['chosen']): string {
  const { name, version, builtAt, dependencies, provides } = each;
  return JSON.stringify({ ...candidate, name, version, builtAt, dependencies: [...dependencies], provides });
}

function answers(from: Catalog): object {
  const names = [...new Set([...packageNames, ...provided, 'nothing'])];
  return {
    reports: names.map((name) => facts(from.report(name))),
    onOneArch: names.map((name) => facts(from.report(name, from.archs.slice(0, 1)))),
    has: names.map((name) => from.has(name)),
    names: [...from.names()].sort(),
    nameCount: from.nameCount,
    packageCount: from.packageCount,
    provided: from.sources.map(({ packages }) => [...packages.providedNames()].sort()),
    needed: from.sources.map(({ packages }) => [...finish(packages.neededNames())].sort()),
    index: [...virtualIndex(from, 'any')].join(''),
  };
}

describe.each(optionPairs)('with %j', (options) => {
  test('answers equal those of a catalog without the young packages', () => {
    const seen = { differences: 0, offered: 0 };
    fc.assert(
      fc.property(arch, fc.option(arch), fc.integer({ min: 0, max: 9 }), (first, second, hundreds) => {
        const archs = { x86_64: first, ...(second && { aarch64: second }) };
        const limit = hundreds * 100;
        const old = (repositories: Repositories): Repositories =>
          repositories.map((stanzas) => stanzas.filter(({ t }) => Number(t) <= limit));
        const all = catalogOf(archs, options);
        const expected = catalogOf(
          Object.fromEntries(Object.entries(archs).map(([name, each]) => [name, old(each)])),
          { ...options, whole: all },
        );
        const before = answers(all);
        const cooled = cool(all, limit);
        expect(answers(cooled.catalog)).toEqual(answers(expected));
        expect(all.packageCount - cooled.catalog.packageCount).toBe(
          cooled.hidden.reduce((sum, { size }) => sum + size, 0),
        );
        // The catalog that it was made of has not changed.
        expect(answers(all)).toEqual(before);
        seen.differences += Number(cooled.catalog.packageCount < all.packageCount);
        seen.offered += packageNames.flatMap((name) => offered(cooled.catalog, name)).length;
      }),
      { numRuns: 150, seed: SEED },
    );
    expect(seen.differences).toBeGreaterThan(100);
    expect(seen.offered).toBeGreaterThan(100);
  });
});

test('every method leaves out hidden rows, as in the simple implementation', () => {
  fc.assert(
    fc.property(arch, fc.integer({ min: 0, max: 255 }), ([stanzas = []], mask) => {
      const hidden = new RowSet(stanzas.length);
      for (const row of stanzas.keys()) if ((mask >> (row % 8)) & 1) hidden.add(row);
      const dump = (packages: Packages): object => ({
        ...packages,
        named: packageNames.map((name) => packages.named(name).map(({ row, version }) => [row, version])),
        providing: provided.map((name) => packages.providing(name).map(({ row }) => row)),
        names: [...packages.names()].sort(),
        counts: [packages.rowCount, packages.packageCount, packages.nameCount],
        autoInstalls: packages.autoInstalls,
      });
      const plain = simplePackages(indexText(stanzas), '').without(hidden);
      const { named, providing, names, counts, autoInstalls } = dump(plain) as ReturnType<typeof dump> &
        Record<string, unknown>;
      expect(dump(scanned(stanzas).without(hidden))).toMatchObject({
        named,
        providing,
        names,
        counts,
        autoInstalls,
      });
    }),
    { numRuns: 200, seed: SEED },
  );
});

describe('a time limit', () => {
  const versions = ['1.0-r0', '1.1-r0', '1.2-r0'];
  const stanzas = versions.map((version, i) => pkg('curl', version, { t: String((i + 1) * 100) }));

  test('says for which others the result is the same', () => {
    const all = catalog(stanzas);
    expect(cool(all, 250)).toMatchObject({ from: 200, until: 300, undated: 0 });
    expect(cool(all, 50)).toMatchObject({ from: -Infinity, until: 100 });
    expect(cool(all, 300)).toMatchObject({ from: 300, until: Infinity });
    expect(offered(cool(all, 250).catalog, 'curl')).toEqual(['1.0-r0', '1.1-r0']);
    // Of exactly that age.
    expect(offered(cool(all, 200).catalog, 'curl')).toEqual(['1.0-r0', '1.1-r0']);
    expect(offered(cool(all, 199).catalog, 'curl')).toEqual(['1.0-r0']);
  });

  test('counts from when a package was first seen, where that is known', () => {
    const [source] = catalog(stanzas).sources;
    const dates: ReleaseDates = { releasedAt: Uint32Array.of(100, 900, 300), republished: new Map() };
    const all = catalog(stanzas).withSources([{ ...source!, dates }]);
    expect(offered(cool(all, 500).catalog, 'curl')).toEqual(['1.0-r0', '1.2-r0']);
  });

  test('hides versions of unknown age', () => {
    const all = catalog([...stanzas, pkg('curl', '1.3-r0', { t: '' })]);
    const cooled = cool(all, 1000);
    expect(cooled).toMatchObject({ undated: 1, from: 300, until: Infinity });
    expect(offered(cooled.catalog, 'curl')).toEqual(versions);
  });

  test('hides a version that needs a younger one exactly', () => {
    const all = catalog([
      pkg('curl', '1.0-r0', { t: '100', D: 'libcurl=1.0-r0' }),
      pkg('libcurl', '1.0-r0', { t: '200' }),
    ]);
    expect(offered(all, 'curl')).toEqual(['1.0-r0']);
    expect(offered(cool(all, 150).catalog, 'curl')).toEqual([]);
    expect(offered(cool(all, 200).catalog, 'curl')).toEqual(['1.0-r0']);
  });

  test('hides a version that one arch got too late', () => {
    const late = pkg('curl', '1.1-r0', { t: '300' });
    const all = catalogOf({ x86_64: [stanzas.slice(0, 2)], aarch64: [[stanzas[0]!, late]] });
    expect(offered(cool(all, 250).catalog, 'curl')).toEqual(['1.0-r0']);
    expect(offered(cool(all, 300).catalog, 'curl')).toEqual(['1.0-r0', '1.1-r0']);
  });

  test('hides a version that one arch got too late even if it has no other one, as on Alpine', () => {
    const all = catalogOf({
      x86_64: [[pkg('curl', '1.1-r0', { t: '100' })]],
      aarch64: [[pkg('curl', '1.1-r0', { t: '300' })]],
    });
    expect(offered(cool(all, 250).catalog, 'curl')).toEqual([]);
    expect(offered(cool(all, 250).catalog, 'curl', ['x86_64'])).toEqual(['1.1-r0']);
    expect(offered(cool(all, 300).catalog, 'curl')).toEqual(['1.1-r0']);
  });
});

describe('an age', () => {
  test.each([
    ['1h', 3600, 'wolfi@1h', '1 hour'],
    ['24h', 86_400, 'wolfi@1d', '1 day'],
    ['36h', 129_600, 'wolfi@36h', '36 hours'],
    ['7d', 604_800, 'wolfi@7d', '7 days'],
    ['365d', 31_536_000, 'wolfi@365d', '365 days'],
    ['8760h', 31_536_000, 'wolfi@365d', '365 days'],
  ])('%s', (text, seconds, name, words) => {
    for (const security of [false, true]) {
      const parsed = { seconds, security };
      expect(parseWhen(security ? `${text}+security` : text)).toEqual({ age: parsed });
      expect(nameWith('wolfi', { age: parsed })).toBe(security ? `${name}+security` : name);
      expect(ageInWords(parsed)).toBe(words);
    }
  });

  test('with a plus sign that a client took for a blank is the same', () => {
    expect(parseWhen('7d security')).toEqual(parseWhen('7d+security'));
  });

  test.each([
    '7d+',
    '7d-security',
    '7d++security',
    '7d+Security',
    '7d+security+',
    '+security',
    '',
    '0d',
    '07d',
    '366d',
    '8761h',
    '7x',
    '7',
    'd',
    '-1d',
    '1.5d',
    '7d@3d',
    '99999999999d',
  ])('%j is none', (text) => {
    expect(parseWhen(text)).toEqual({ fact: expect.stringContaining('expected an age') as string });
  });
});
