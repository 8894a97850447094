/** Fixes do not wait (docs/decisions/019): which of the packages that are too young a view shows all the same. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Advisories } from '../../src/advisories/advisories.ts';
import { earlyFixes } from '../../src/answers/early-fixes.ts';
import { Views } from '../../src/answers/views.ts';
import { virtualIndex } from '../../src/answers/virtual-index.ts';
import { isExact, type RowSet } from '../../src/apk/packages.ts';
import { compareVersions, parseVersion } from '../../src/apk/version.ts';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { cooledInSteps } from '../../src/catalog/cooldown.ts';
import { finish } from '../../src/catalog/steps.ts';
import type { Snapshot } from '../../src/repository/live-datasource.ts';
import { osv, read } from '../advisories/support.ts';
import { catalogOf, offered } from '../support/catalogs.ts';
import {
  arch,
  optionPairs,
  packageNames,
  provided,
  SEED,
  type Repositories,
} from '../support/random-indexes.ts';
import { pkg, type Stanza } from '../support/signed-index.ts';

/** By name and fixed version the identifiers. */
type Fixes = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

async function advisoriesOf(fixes: Fixes): Promise<Advisories> {
  const packages = Object.entries(fixes).map(([name, secfixes]) => ({ pkg: { name, secfixes } }));
  return new Advisories([await read(JSON.stringify({ packages }))]);
}

/** The view of what was released until `limit`, and fixes. */
function viewOf(catalog: Catalog, advisories: Advisories | undefined, limit: number): Snapshot {
  const now = (limit + 3600) * 1000;
  const base = { catalog, advisories, generation: 'base' };
  return finish(new Views(() => now).of(base, { seconds: 3600, security: true }));
}

describe('of packages that are too young, a view with +security shows', () => {
  const old = { t: '100' };
  const young = { t: '900' };
  const shown = async (
    stanzas: readonly Stanza[],
    fixes: Fixes,
    names: readonly string[] = ['curl'],
  ): Promise<readonly string[]> => {
    const { catalog } = viewOf(catalogOf({ x86_64: [stanzas] }), await advisoriesOf(fixes), 500);
    return names.flatMap((name) => offered(catalog, name).map((version) => `${name}-${version}`));
  };
  const versions = [
    pkg('curl', '8.0-r0', old),
    pkg('curl', '8.0-r1', young),
    pkg('curl', '8.0-r2', young),
    pkg('curl', '8.1-r0', young),
    pkg('curl', '9.0-r0', young),
  ];

  test('the lowest that fixes all that is open', async () => {
    expect(await shown(versions, { curl: { '8.0-r2': ['CVE-2090-1'] } })).toEqual([
      'curl-8.0-r0',
      'curl-8.0-r2',
    ]);
    expect(await shown(versions, { curl: { '8.0-r1': ['CVE-2090-1'], '8.1-r0': ['CVE-2090-2'] } })).toEqual([
      'curl-8.0-r0',
      'curl-8.1-r0',
    ]);
  });

  test('one of another major version besides, if that fixes more', async () => {
    const both = { curl: { '8.0-r1': ['CVE-2090-1'], '9.0-r0': ['CVE-2090-2'] } };
    expect(await shown(versions, both)).toEqual(['curl-8.0-r0', 'curl-8.0-r1', 'curl-9.0-r0']);
  });

  test.each<[string, Parameters<typeof osv>[0], readonly string[]]>([
    ['open', { curl: { 'CVE-2090-2': ['8.0-r1', '8.1-r0'] } }, ['curl-8.1-r0']],
    ['open at all of them', { curl: { 'CVE-2090-2': ['8.0-r1', '9-r0'] } }, ['curl-8.0-r1']],
    [
      'open, as few as possible,',
      { curl: { 'CVE-2090-2': ['8.0-r1', '9-r0'], 'CVE-2090-3': ['8.0-r1', '8.0-r2'] } },
      ['curl-8.0-r2'],
    ],
    ['open before', { curl: { 'CVE-2090-2': ['0', '9.0-r1'] } }, ['curl-8.0-r1']],
    [
      'nobody has looked at',
      { curl: { 'CVE-2090-2': ['8.0-r1', { status: 'detection' }] } },
      ['curl-8.0-r1'],
    ],
    ['open by another origin', { new: { 'CVE-2090-2': ['0', '8.0-r2'] } }, ['curl-8.0-r2']],
  ])('of the fixes the lowest where no other identifier is: %s', async (_, others, fixes) => {
    const stanzas = versions.map((each, i) => ({ ...each, o: i === 0 ? 'curl' : 'new' }));
    const curl = { 'CVE-2090-1': ['0', '8.0-r1'] as const, ...others['curl'] };
    const feed = await osv({ ...others, curl });
    const { catalog } = viewOf(catalogOf({ x86_64: [stanzas] }), new Advisories([feed]), 500);
    expect(offered(catalog, 'curl').map((version) => `curl-${version}`)).toEqual(['curl-8.0-r0', ...fixes]);
  });

  test('no pre-release, unless one is on offer and no stable version fixes it', async () => {
    const fix = { curl: { '8.1_rc1-r0': ['CVE-2090-1'] } };
    const pre = pkg('curl', '8.1_rc1-r0', young);
    expect(await shown([...versions, pre], fix)).toEqual(['curl-8.0-r0', 'curl-8.1-r0']);
    expect(await shown([...versions.slice(0, 3), pre], fix)).toEqual(['curl-8.0-r0']);
    const beta = pkg('curl', '8.1_beta1-r0', old);
    expect(await shown([beta, pre], fix)).toEqual(['curl-8.1_beta1-r0', 'curl-8.1_rc1-r0']);
    expect(await shown([...versions, beta, pre], fix)).toEqual([
      'curl-8.0-r0',
      'curl-8.1_beta1-r0',
      'curl-8.1-r0',
    ]);
    // The pre-release on offer has the fix, the stable version has not.
    expect(await shown([...versions, beta], { curl: { '8.0-r1': ['CVE-2090-1'] } })).toEqual([
      'curl-8.0-r0',
      'curl-8.0-r1',
      'curl-8.1_beta1-r0',
    ]);
  });

  test('nothing if no vulnerability is open in the offered versions', async () => {
    const alone = ['curl-8.0-r0'];
    expect(await shown(versions, {})).toEqual(alone);
    expect(await shown(versions, { curl: { '8.0-r0': ['CVE-2090-1'], '0': ['CVE-2090-2'] } })).toEqual(alone);
    // Of what no version fixes, and of another package.
    expect(
      await shown(versions, { curl: { '99-r0': ['CVE-2090-1'] }, wget: { '8.1-r0': ['CVE-2090-2'] } }),
    ).toEqual(alone);
    expect(await shown([pkg('new', '1-r0', young)], { new: { '1-r0': ['CVE-2090-1'] } }, ['new'])).toEqual(
      [],
    );
  });

  test('nothing if a version that is old enough fixes it', async () => {
    const stanzas = [...versions, pkg('curl', '8.0-r3', old)];
    expect(await shown(stanzas, { curl: { '8.0-r3': ['CVE-2090-1'] } })).toEqual([
      'curl-8.0-r0',
      'curl-8.0-r3',
    ]);
  });

  test('a fix for each major version that is offered', async () => {
    const lines = [
      pkg('java', '17.1-r0', old),
      pkg('java', '21.1-r0', old),
      pkg('java', '17.2-r0', young),
      pkg('java', '21.2-r0', young),
      pkg('java', '25.0-r0', young),
    ];
    expect(await shown(lines, { java: { '17.2-r0': ['CVE-2090-1'] } }, ['java'])).toEqual([
      'java-17.1-r0',
      'java-17.2-r0',
      'java-21.1-r0',
    ]);
  });

  test('what a build needs exactly, and the other packages of the build', async () => {
    const build = (version: string, t: object): readonly Stanza[] => [
      pkg('curl', version, { ...t, o: 'curl', D: `libcurl=${version}` }),
      pkg('libcurl', version, { ...t, o: 'curl', D: `data=${version}` }),
      pkg('curl-doc', version, { ...t, o: 'curl' }),
      pkg('data', version, { ...t, o: 'other' }),
    ];
    const stanzas = [...build('8.0-r0', old), ...build('8.0-r1', young), ...build('8.0-r2', young)];
    const names = ['curl', 'libcurl', 'curl-doc', 'data', 'unrelated'];
    const all = names.slice(0, 4).flatMap((name) => [`${name}-8.0-r0`, `${name}-8.0-r1`]);
    for (const known of ['curl', 'libcurl'])
      expect(
        await shown(
          [...stanzas, pkg('unrelated', '8.0-r1', young)],
          { [known]: { '8.0-r1': ['CVE-2090-1'] } },
          names,
        ),
      ).toEqual(all);
  });

  test('no fix that an arch does not have', async () => {
    const [first, fix] = versions as [Stanza, Stanza];
    const catalog = catalogOf({ x86_64: [[first, fix]], aarch64: [[first]] });
    const advisories = await advisoriesOf({ curl: { '8.0-r1': ['CVE-2090-1'] } });
    expect(offered(viewOf(catalog, advisories, 500).catalog, 'curl')).toEqual(['8.0-r0']);
  });

  test('nothing if no advisories are configured', () => {
    const view = viewOf(catalogOf({ x86_64: [versions] }), undefined, 500);
    expect(offered(view.catalog, 'curl')).toEqual(['8.0-r0']);
    expect(view.view).toMatchObject({ early: 0, hidden: 4 });
  });

  test('a fix without a date, too, and it is counted', async () => {
    const stanzas = [
      pkg('curl', '8.0-r0', old),
      pkg('curl', '8.0-r1', { t: '' }),
      pkg('jq', '1-r0', { t: '' }),
    ];
    const advisories = await advisoriesOf({ curl: { '8.0-r1': ['CVE-2090-1'] } });
    const { catalog, view, generation } = viewOf(catalogOf({ x86_64: [stanzas] }), advisories, 500);
    expect(offered(catalog, 'curl')).toEqual(['8.0-r0', '8.0-r1']);
    expect(view).toMatchObject({ early: 1, hidden: 1, undated: 1 });
    expect(generation).not.toBe(viewOf(catalogOf({ x86_64: [stanzas] }), undefined, 500).generation);
  });
});

const secfixes = fc.dictionary(
  fc.constantFrom('foo', 'foo-libs', 'bar', 'zoo'),
  fc.dictionary(
    fc.constantFrom('0', '1.0-r1', '1.1-r0', '2.0_rc1-r0'),
    fc.array(fc.constantFrom('CVE-2090-1', 'CVE-2090-2', 'CVE-2090-3'), { minLength: 1, maxLength: 2 }),
    { minKeys: 1, maxKeys: 3 },
  ),
  { minKeys: 2 },
);

/** What is open at a version by the highest fix of each identifier. */
function openAt(fixes: Fixes, names: readonly string[], version: string): ReadonlySet<string> {
  const at = parseVersion(version)!;
  const open = names.flatMap((name) =>
    Object.entries(fixes[name] ?? {}).flatMap(([fixed, ids]) =>
      fixed !== '0' && compareVersions(at, parseVersion(fixed)!) < 0 ? ids : [],
    ),
  );
  return new Set(open);
}

/** The versions that do not wait, found by trying all. */
function urgent(all: Catalog, old: Catalog, fixes: Fixes, name: string): readonly string[] {
  const names = [name, name.split('-', 1)[0]!];
  const major = (version: string): string => version.split('.', 1)[0]!;
  const offered = (from: Catalog, name: string): readonly string[] =>
    from
      .report(name)
      .versions.filter((each) => each.offered && !each.chosen.provided)
      .map(({ version }) => version);
  const shown = offered(old, name);
  const fixedBy = (from: string, to: string): readonly string[] =>
    [...openAt(fixes, names, from)].filter((id) => !openAt(fixes, names, to).has(id));
  const lowestBest = (from: string, targets: readonly string[]): string | undefined => {
    const counts = targets.map((to) => fixedBy(from, to).length);
    const most = Math.max(0, ...counts);
    return most === 0 ? undefined : targets[counts.indexOf(most)];
  };
  const isPre = (version: string): boolean => version.includes('_rc');
  const newest = new Map(shown.map((version) => [`${major(version)} ${isPre(version)}`, version]));
  return [...newest.values()].flatMap((from) => {
    const above = offered(all, name).filter(
      (each) => compareVersions(parseVersion(each)!, parseVersion(from)!) > 0,
    );
    const stable = above.filter((each) => !isPre(each));
    const isFixedByStable = stable.some((to) => fixedBy(from, to).length > 0);
    const newer = isPre(from) && !isFixedByStable ? above : stable;
    const minor = lowestBest(
      from,
      newer.filter((each) => major(each) === major(from)),
    );
    const other = lowestBest(
      from,
      newer.filter((each) => major(each) !== major(from)),
    );
    const more =
      other !== undefined &&
      fixedBy(from, other).some((id) => minor === undefined || !fixedBy(from, minor).includes(id));
    return [...(minor === undefined ? [] : [minor]), ...(more ? [other] : [])].filter(
      (each) => !shown.includes(each),
    );
  });
}

interface Wanted {
  readonly name: string;
  readonly version: string;
}

/** By source and row: the fixes, and what is of their build or needed exactly. */
function reached(
  all: Catalog,
  hidden: readonly RowSet[],
  wanted: readonly Wanted[],
): ReadonlyMap<string, 'a fix' | 'with it'> {
  const everything = all.sources.flatMap(({ packages, arch: on, repository }, source) =>
    Array.from({ length: packages.rowCount }, (_, row) => {
      const isHidden = hidden[source]!.has(row);
      return { key: `${source} ${row}`, source, on, repository, isHidden, each: packages.at(row) };
    }),
  );
  type Entry = (typeof everything)[number];
  const isFix = ({ each, on, repository }: Entry): boolean =>
    wanted.some(({ name, version }) =>
      all
        .report(name)
        .versions.some(
          (report) =>
            report.version === version &&
            report.chosenOn.some(
              ({ package: { row }, arch: of, repository: from }) =>
                row === each.row && of === on && from === repository,
            ),
        ),
    );
  const found = new Map<string, 'a fix' | 'with it'>();
  for (const one of everything) if (isFix(one)) found.set(one.key, 'a fix');
  const isOfBuild = (one: Entry, other: Entry): boolean =>
    other.isHidden &&
    other.source === one.source &&
    other.each.origin === one.each.origin &&
    other.each.version === one.each.version;
  const isNeeded = (one: Entry, other: Entry): boolean =>
    other.on === one.on &&
    [...other.each.dependencies].some(
      (need) => isExact(need) && (need.name === one.each.name || one.each.provided(need.name).length > 0),
    );
  for (let size = -1; size < found.size;) {
    size = found.size;
    const known = everything.filter(({ key }) => found.has(key));
    for (const one of everything)
      if (!found.has(one.key) && known.some((other) => isOfBuild(one, other) || isNeeded(one, other)))
        found.set(one.key, 'with it');
  }
  return found;
}

/** All that is answered of the names. */
function answers(from: Catalog): object {
  return {
    offered: [...packageNames, ...provided].map((name) => [
      name,
      from.archs.map((one) => offered(from, name, [one])),
      offered(from, name),
    ]),
    index: [...virtualIndex(from, 'any')].join(''),
    names: [...from.names()].sort(),
    packageCount: from.packageCount,
  };
}

describe.each(optionPairs)('with %j', (options) => {
  test('a view is a catalog of what is old enough, of fixes and of what belongs to them', async () => {
    const seen = { early: 0, along: 0 };
    await fc.assert(
      fc.asyncProperty(
        arch,
        fc.option(arch),
        secfixes,
        fc.integer({ min: 2, max: 6 }),
        async (first, second, fixes, hundreds) => {
          const withOrigin = (repositories: Repositories): Repositories =>
            repositories.map((stanzas) =>
              stanzas.map((each) => ({ ...each, o: each['P']!.split('-', 1)[0]! })),
            );
          const archs = { x86_64: withOrigin(first), ...(second && { aarch64: withOrigin(second) }) };
          const limit = hundreds * 100;
          const all = catalogOf(archs, options);
          const cooled = finish(cooledInSteps(all, limit));
          const advisories = await advisoriesOf(fixes);
          const early = finish(earlyFixes({ catalog: all, advisories, generation: '' }, cooled));
          const { catalog } = viewOf(all, advisories, limit);

          // As if the others had never been there.
          const kept = (one: string, repositories: Repositories): Repositories =>
            repositories.map((stanzas, i) => {
              const source = all.sources.findIndex(
                (each) => each.arch === one && each.repository === `repo${i}`,
              );
              return stanzas.filter(({ t }, row) => Number(t) <= limit || early[source]?.has(row));
            });
          expect(answers(catalog)).toEqual(
            answers(
              catalogOf(
                Object.fromEntries(Object.entries(archs).map(([one, each]) => [one, kept(one, each)])),
                { ...options, whole: all },
              ),
            ),
          );

          const wanted = packageNames.flatMap((name) =>
            urgent(all, cooled.catalog, fixes, name).map((version) => ({ name, version })),
          );
          if (!options.complete)
            for (const { name, version } of wanted) expect(offered(catalog, name)).toContain(version);
          // Nothing is early without a reason.
          const reasons = reached(all, cooled.hidden, wanted);
          for (const [source, rows] of early.entries())
            for (const row of rows.rows()) {
              expect([...reasons.keys()]).toContain(`${source} ${row}`);
              if (reasons.get(`${source} ${row}`) === 'with it') seen.along += 1;
            }
          seen.early += wanted.length;
        },
      ),
      { numRuns: 500, seed: SEED },
    );
    expect(seen.early).toBeGreaterThan(4);
    expect(seen.along).toBeGreaterThan(1);
  });
});
