import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { defaultReadLimits, readIndex } from '../../src/apk/read-index.ts';
import { Catalog, type CatalogSource, type ReleaseDates } from '../../src/catalog/catalog.ts';
import { SeriesIndex } from '../../src/catalog/series.ts';
import { finish } from '../../src/catalog/steps.ts';
import {
  withdrawalsIn,
  type Withdrawal,
  type WithdrawalOptions,
  type WithdrawalPolicy,
  type WithdrawalRule,
} from '../../src/catalog/withdrawal.ts';
import { scanned } from '../support/catalogs.ts';
import { sharedData } from '../support/shared-data.ts';
import { pkg, type Stanza } from '../support/signed-index.ts';

const DAY = 86_400_000;
const wolfi: WithdrawalPolicy = { kind: 'collected', age: 184 * DAY, days: [13, 23] };
const seconds = (text: string): number => Date.parse(text) / 1000;

interface Setting {
  readonly policy?: WithdrawalPolicy;
  readonly asOf?: string;
  readonly dates?: ReleaseDates;
}

/** One repository with these stanzas for each arch. */
function catalogOf(
  archs: Readonly<Record<string, readonly Stanza[]>>,
  { policy = wolfi, asOf = '2026-07-24', dates }: Setting = {},
): Catalog {
  const withdrawal = { policy, asOf: seconds(asOf) };
  const sources = Object.entries(archs).map(([arch, stanzas]) => ({
    repository: 'os',
    arch,
    packages: scanned(stanzas.map((stanza) => ({ ...stanza, A: arch }))),
    withdrawal,
    dates,
  }));
  return new Catalog({ sources, archs: Object.keys(archs) });
}

/** By version. */
function expected(from: Catalog, name = 'a', options: WithdrawalOptions = {}): Record<string, Withdrawal> {
  const found = finish(withdrawalsIn(from.report(name), from.sources, options));
  return Object.fromEntries([...found].map(([{ version }, each]) => [version, each]));
}

/** Packages of the name `a`, with versions 1, 2, 3 … built on these days. */
function versions(built: readonly string[]): readonly Stanza[] {
  return built.map((day, i) => pkg('a', `${i + 1}-r0`, { t: String(seconds(day)) }));
}

const on = (
  built: readonly string[],
  setting?: Setting,
  options?: WithdrawalOptions,
): (string | undefined)[] => {
  const found = expected(catalogOf({ x86_64: versions(built) }, setting), 'a', options);
  return built.map((_, i) => {
    const each = found[`${i + 1}-r0`];
    return each && `${each.expectedOn ?? '?'} ${each.rule}`;
  });
};

describe('a monthly collection', () => {
  test.each<[title: string, built: readonly string[], expected: (string | undefined)[], setting?: Setting]>([
    [
      'takes what is old and not the newest',
      ['2026-02-01', '2026-07-01'],
      ['2026-08-13 old-build', undefined],
    ],
    ['keeps the newest, however old', ['2026-02-01'], [undefined]],
    [
      'takes what was built before its hour',
      ['2026-02-10T06:28Z', '2026-07-01'],
      ['2026-08-13 old-build', undefined],
    ],
    ['not what was built later', ['2026-02-10T10:00Z', '2026-07-01'], ['2026-08-14 old-build', undefined]],
    ['comes on a day of the month', ['2026-03-20', '2026-07-01'], ['2026-09-20 old-build', undefined]],
    ['or in the next month', ['2026-03-25', '2026-07-01'], ['2026-10-13 old-build', undefined]],
    ['also in the next year', ['2026-06-25', '2026-07-01'], ['2027-01-13 old-build', undefined]],
    [
      'may still come in this month',
      ['2026-02-01', '2026-07-01'],
      ['2026-08-13 old-build', undefined],
      { asOf: '2026-08-23' },
    ],
    [
      'is over on the day after the last',
      ['2026-02-01', '2026-07-01'],
      ['2026-09-13 old-build', undefined],
      { asOf: '2026-08-24' },
    ],
    [
      'has kept what is overdue for more than a month, and so what is of the same name',
      ['2025-11-01', '2026-02-01', '2026-07-01'],
      ['2026-08-13 kept-before', '2026-08-13 old-build-of-kept-name', undefined],
    ],
    [
      'has kept nothing that was the newest until now',
      ['2025-11-01', '2026-07-20'],
      ['2026-08-13 old-build', undefined],
    ],
    ['is expected to keep what it has kept for long', ['2025-01-01', '2025-02-01'], [undefined, undefined]],
  ])('%s', (_, built, expectation, setting) => {
    expect(on(built, setting)).toEqual(expectation);
  });

  test('says nothing of builds without a time', () => {
    const stanzas = [pkg('a', '1-r0', { t: '0' }), pkg('a', '2-r0', { t: String(seconds('2026-07-01')) })];
    expect(expected(catalogOf({ x86_64: stanzas }))).toEqual({});
  });

  test('takes the newest of a series only after the next one was built, and unless it has kept it', () => {
    const nextSeriesBuiltAt = () => seconds('2026-07-01');
    expect(on(['2026-02-01'], {}, { nextSeriesBuiltAt })).toEqual(['2026-08-13 ended-series']);
    expect(on(['2026-07-02'], {}, { nextSeriesBuiltAt })).toEqual([undefined]);
    expect(on(['2025-12-01'], {}, { nextSeriesBuiltAt })).toEqual([undefined]);
  });

  test('counts from the first sight of a package without a build time', () => {
    const releasedAt = Uint32Array.of(seconds('2026-03-20'), seconds('2026-07-01'));
    const dates = { releasedAt, republished: new Map() };
    const expectedOn = (t: number): string | undefined => {
      const stanzas = ['1-r0', '2-r0'].map((version) => pkg('a', version, { t: String(t) }));
      return expected(catalogOf({ x86_64: stanzas }, { dates }))['1-r0']?.expectedOn;
    };
    expect(expectedOn(0)).toBe('2026-09-20');
    expect(expectedOn(seconds('2026-02-01'))).toBe('2026-08-13');
  });

  test('ends a release where the first arch loses it', () => {
    const from = catalogOf({
      x86_64: versions(['2026-03-20', '2026-07-01']),
      aarch64: versions(['2026-02-01', '2026-07-01']),
    });
    expect(expected(from)).toEqual({
      '1-r0': { expectedOn: '2026-08-13', rule: 'old-build', likelihood: 0.96 },
    });
  });

  test('goes by the versions of the package that provides the name', () => {
    const stanzas = [
      pkg('b', '1-r0', { p: 'a=1', t: String(seconds('2026-02-01')) }),
      pkg('c', '2-r0', { p: 'a=2', t: String(seconds('2026-02-01')) }),
      pkg('c', '3-r0', { p: 'a=3', t: String(seconds('2026-07-01')) }),
    ];
    expect(Object.keys(expected(catalogOf({ x86_64: stanzas })))).toEqual(['2']);
  });
});

test('if only the newest stays, it goes with the next version, and older ones at once', () => {
  const setting: Setting = { policy: { kind: 'replaced' } };
  expect(on(['2026-02-01', '2026-07-01'], setting)).toEqual(['2026-07-24 replaced', '? replaced']);
});

test('nothing is expected of a repository whose rules are not known', () => {
  const packages = scanned(versions(['2020-01-01', '2026-07-01']));
  const from = new Catalog({ sources: [{ repository: 'os', arch: 'x86_64', packages }], archs: ['x86_64'] });
  expect(expected(from)).toEqual({});
});

/** Builds that were withdrawn or kept, and by which rule they were expected to go. */
class Tally {
  readonly byRule = new Map<WithdrawalRule | 'none', { builds: number; withdrawn: number }>();
  /** The likelihood in the expectation. */
  readonly told = new Map<WithdrawalRule, number | undefined>();

  add(rule: WithdrawalRule | 'none', withdrawn: number, builds = 1): void {
    const sum = this.byRule.get(rule) ?? { builds: 0, withdrawn: 0 };
    this.byRule.set(rule, { builds: sum.builds + builds, withdrawn: sum.withdrawn + withdrawn });
  }

  get withdrawn(): number {
    return [...this.byRule.values()].reduce((sum, each) => sum + each.withdrawn, 0);
  }

  share(rule: WithdrawalRule): number {
    const { builds, withdrawn } = this.byRule.get(rule) ?? { builds: 0, withdrawn: 0 };
    return withdrawn / builds;
  }

  /** Recall: the expected share of the withdrawn builds. Precision: the withdrawn share of the expected builds. */
  score(rules: readonly WithdrawalRule[]): { recall: number; precision: number } {
    const sums = rules.flatMap((rule) => this.byRule.get(rule) ?? []);
    const hits = sums.reduce((sum, { withdrawn }) => sum + withdrawn, 0);
    const builds = sums.reduce((sum, each) => sum + each.builds, 0);
    return { recall: hits / this.withdrawn, precision: hits / builds };
  }
}

function merged(tallies: readonly Tally[]): Tally {
  const whole = new Tally();
  for (const { byRule, told } of tallies) {
    for (const [rule, { builds, withdrawn }] of byRule) whole.add(rule, withdrawn, builds);
    for (const [rule, likelihood] of told) whole.told.set(rule, likelihood);
  }
  return whole;
}

const likely: readonly WithdrawalRule[] = ['old-build', 'old-build-of-kept-name', 'ended-series'];
const allRules: readonly WithdrawalRule[] = [...likely, 'kept-before'];

/**
 * Compares the expectations for the collection of 2026-08-13 with the builds that were withdrawn. `byAge` is the result
 * of age alone: 184 days and not the newest of its name.
 */
function backtest(
  from: Catalog,
  names: readonly string[],
  wasWithdrawn: (name: string, version: string) => boolean,
  byAge = new Tally(),
): Tally {
  const tally = new Tally();
  const series = finish(SeriesIndex.of(from.names()));
  for (const name of names) {
    const report = from.report(name);
    const nextSeriesBuiltAt = (): number | undefined => {
      const [next] = series.newerThan(name);
      return next && Math.max(...from.report(next.name).versions.map(({ builtAt = 0 }) => builtAt));
    };
    const found = finish(withdrawalsIn(report, from.sources, { nextSeriesBuiltAt }));
    const own = report.versions.filter(({ candidates }) => candidates.some(({ provided }) => !provided));
    for (const [i, version] of own.entries()) {
      const { expectedOn, rule, likelihood } = found.get(version) ?? {};
      const isGone = Number(wasWithdrawn(name, version.version));
      const isDue = expectedOn !== undefined && expectedOn <= '2026-08-13';
      tally.add(rule && isDue ? rule : 'none', isGone);
      if (rule) tally.told.set(rule, likelihood);
      const builtAt = version.candidates.find(({ arch }) => arch === from.archs[0])?.package.builtAt ?? 0;
      const isOld = builtAt * 1000 + 184 * DAY <= Date.parse('2026-08-13T08:00Z');
      byAge.add(isOld && i < own.length - 1 ? 'old-build' : 'none', isGone);
    }
  }
  return tally;
}

test('thirteen names of Wolfi, and what was withdrawn of them', () => {
  const file = new URL('../fixtures/withdrawn/wolfi-2026-08-13.txt', import.meta.url);
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('#'));
  const rows = lines.map(
    (line) => line.split(' ') as [name: string, version: string, t: string, fate: string],
  );
  const stanzas = rows.map(([name, version, t]) =>
    pkg(name, version, { t: t === '-' ? '0' : String(seconds(t)) }),
  );
  const withdrawn = new Set(
    rows.filter(([, , , fate]) => fate === 'withdrawn').map(([name, version]) => `${name} ${version}`),
  );
  const from = catalogOf({ x86_64: stanzas }, { asOf: '2026-07-24T17:29Z' });
  const tally = backtest(from, [...from.names()], (name, version) => withdrawn.has(`${name} ${version}`));
  expect(Object.fromEntries(tally.byRule)).toEqual({
    'old-build': { builds: 6, withdrawn: 6 },
    'old-build-of-kept-name': { builds: 18, withdrawn: 2 },
    'ended-series': { builds: 1, withdrawn: 1 },
    'kept-before': { builds: 21, withdrawn: 5 },
    none: { builds: 131, withdrawn: 2 },
  });
});

describe.skipIf(!sharedData)('what Wolfi withdrew on 2026-08-13', { timeout: 300_000 }, async () => {
  const folder = sharedData ?? '';
  const load = async (arch: string): Promise<CatalogSource> => {
    const bytes = readFileSync(`${folder}wolfi-2026-07-24/${arch}/APKINDEX.tar.gz`);
    const { packages } = await readIndex(bytes, { keys: 'unverified', arch, limits: defaultReadLimits });
    return {
      repository: 'os',
      arch,
      packages,
      withdrawal: { policy: wolfi, asOf: seconds('2026-07-24T17:29Z') },
    };
  };
  const sources = sharedData ? await Promise.all(['x86_64', 'aarch64'].map(load)) : [];
  const from = new Catalog({ sources, archs: sources.map(({ arch }) => arch) });
  const originOf = (name: string): string =>
    sources.flatMap(({ packages }) => packages.named(name))[0]?.origin ?? '';

  /** By the first digit of the origin's SHA-1. The list has the origins below 8; of the others nothing is known. */
  const files = new Set(
    sharedData ? readFileSync(`${folder}withdrawn/wolfi-2026-08-13-dev.txt`, 'utf8').trim().split('\n') : [],
  );
  const parts = Map.groupBy(from.names(), (name) =>
    parseInt(createHash('sha1').update(originOf(name)).digest('hex').charAt(0), 16),
  );
  const tallies = [0, 1, 2, 3, 4, 5, 6, 7].map((digit) => {
    const byAge = new Tally();
    const wasWithdrawn = (name: string, version: string): boolean => files.has(`${name}-${version}.apk`);
    return { digit, byAge, tally: backtest(from, parts.get(digit) ?? [], wasWithdrawn, byAge) };
  });
  const whole = merged(tallies.map(({ tally }) => tally));

  test('recall 99.4 %, precision 84.8 %; for likely ones 97.6 % and 91.2 %; by age alone 98.7 % and 83.3 %', () => {
    expect(whole.score(allRules)).toEqual({
      recall: expect.closeTo(0.994, 3),
      precision: expect.closeTo(0.848, 3),
    });
    expect(whole.score(likely)).toEqual({
      recall: expect.closeTo(0.976, 3),
      precision: expect.closeTo(0.912, 3),
    });
    const byAge = merged(tallies.map((each) => each.byAge)).score(['old-build']);
    expect(byAge).toEqual({ recall: expect.closeTo(0.987, 3), precision: expect.closeTo(0.833, 3) });
    expect(whole.withdrawn).toBe(files.size);
  });

  test.each(tallies)(
    'is found better than by age alone in part $digit of the origins',
    ({ tally, byAge }) => {
      const [own, other] = [tally.score(allRules), byAge.score(['old-build'])];
      expect(own.recall).toBeGreaterThan(other.recall);
      expect(own.precision).toBeGreaterThan(other.precision);
    },
  );

  test.each(allRules)('rule %s has the stated likelihood', (rule) => {
    expect(whole.share(rule)).toBeCloseTo(whole.told.get(rule) ?? NaN, 2);
  });
});
