import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultReadLimits, readIndex } from '../../src/apk/read-index.ts';
import { compareVersions, parseVersion } from '../../src/apk/version.ts';
import { Catalog, type CatalogSource } from '../../src/catalog/catalog.ts';
import { explain } from '../../src/answers/explain.ts';
import { catalog, catalogOf, offered, scanned } from '../support/catalogs.ts';
import { readOracle } from '../support/oracle.ts';
import { sharedData } from '../support/shared-data.ts';
import { indexText, pkg, type Stanza } from '../support/signed-index.ts';
import { simplePackages } from '../support/simple-packages.ts';

describe('provides', () => {
  /** The packager's fields, and the versions of `foo` that may be pinned. */
  test.each<[title: string, stanzas: Stanza[], expected: string[]]>([
    ['a package of that name', [pkg('foo', '1.0-r0'), pkg('foo', '1.1-r0')], ['1.0-r0', '1.1-r0']],
    ['a provide with the package’s version', [pkg('foo-1', '1.0-r0', { p: 'foo=1.0-r0' })], ['1.0-r0']],
    ['a provide with a version of its own', [pkg('foo-1', '1.36.4-r1', { p: 'foo=1.36' })], ['1.36']],
    ['a provide without a version', [pkg('foo-1', '1.0-r0', { p: 'foo' })], []],
    [
      'a package and a provider',
      [pkg('foo', '1.0-r0'), pkg('bar', '3.0-r0', { p: 'foo=2.0-r0' })],
      ['1.0-r0', '2.0-r0'],
    ],
    ['another operator in a provide', [pkg('bar', '3.0-r0', { p: 'foo>2.0-r0' })], ['2.0-r0']],
    ['a fuzzy provide', [pkg('bar', '3.0-r0', { p: 'foo~2.0' })], ['2.0']],
    ['an invalid provided version', [pkg('bar', '3.0-r0', { p: 'foo=latest' })], []],
    ['the name at two versions', [pkg('bar', '3.0-r0', { p: 'foo=2.0-r0 foo=1.0-r0' })], []],
    ['the name with and without a version', [pkg('bar', '3.0-r0', { p: 'foo=2.0-r0 foo' })], []],
    [
      'the name at two versions, beside one at one of them',
      [pkg('bar', '3.0-r0', { p: 'foo=2.0-r0 foo=1.0-r0', k: '9' }), pkg('foo', '2.0-r0')],
      ['2.0-r0'],
    ],
    [
      'the name with and without a version, beside one with it',
      [pkg('bar', '3.0-r0', { p: 'foo=2.0-r0 foo' }), pkg('foo', '2.0-r0')],
      ['2.0-r0'],
    ],
    [
      'its own name at an earlier version that exists',
      [pkg('foo', '3.0-r0', { p: 'foo=2.0-r0' }), pkg('foo', '2.0-r0')],
      ['2.0-r0'],
    ],
    ['its own name at another version', [pkg('foo', '3.0-r0', { p: 'foo=2.0-r0' })], []],
    ['its own name at its own version', [pkg('foo', '3.0-r0', { p: 'foo=3.0-r0' })], []],
    ['another name twice', [pkg('foo', '3.0-r0', { p: 'bar=1 bar' })], []],
    ['another name twice without a version', [pkg('foo', '3.0-r0', { p: 'bar bar' })], ['3.0-r0']],
    ['the same version twice', [pkg('foo', '1.0-r0'), pkg('foo', '1.0-r0', { t: '1' })], ['1.0-r0']],
    ['an invalid version', [pkg('foo', '1.0-beta'), pkg('foo', '0.9-r0')], ['0.9-r0']],
    ['a package of an unknown kind', [pkg('foo', '1.0-r0', { X: '1' }), pkg('foo', '0.9-r0')], ['0.9-r0']],
  ])('%s', (_, stanzas, expected) => {
    expect(offered(catalog(stanzas), 'foo')).toEqual(expected);
  });

  test('without a version they get the package’s version if so configured', () => {
    const stanzas = [pkg('foo-1', '1.0-r0', { p: 'foo' })];
    expect(offered(catalog(stanzas, { unversionedProvides: true }), 'foo')).toEqual(['1.0-r0']);
  });

  test.each([
    'so:libssl.so.3',
    'cmd:openssl',
    'pc:openssl',
    '/bin/sh',
    'constructor',
    '__proto__',
    'libstdc++',
  ])('%s is a name like any other', (name) => {
    expect(offered(catalog([pkg('a', '1', { p: `${name}=3-r1` })]), name)).toEqual(['3-r1']);
    expect(offered(catalog([pkg('a', '1')]), name)).toEqual([]);
  });
});

describe('several repositories', () => {
  const both = catalogOf({
    x86_64: [
      [pkg('foo', '1.0-r0', { t: '100', o: 'first' }), pkg('foo', '1.2-r0', { t: '120' })],
      [pkg('foo', '1.0-r0', { t: '900', o: 'second' }), pkg('foo', '1.1-r0', { t: '110' })],
    ],
  });

  test('make one list, each version once', () => {
    expect(offered(both, 'foo')).toEqual(['1.0-r0', '1.1-r0', '1.2-r0']);
  });

  test('of the same version the first repository’s counts, with its time', () => {
    const [first] = both.report('foo').versions;
    expect(first?.chosen.repository).toBe('repo0');
    expect(first?.chosen.package.origin).toBe('first');
    expect(first?.builtAt).toBe(100);
  });

  /** Which of the packages that have foo at 1.0-r0 is installed, whatever the order of the index. */
  test.each<[title: string, stanzas: Stanza[], expected: string]>([
    ['the later build', [pkg('foo', '1.0-r0', { t: '1' }), pkg('foo', '1.0-r0', { t: '2', o: 'it' })], 'it'],
    [
      'the highest version of one package',
      [
        pkg('bar', '2', { p: 'foo=1.0-r0', t: '1', o: 'it' }),
        pkg('bar', '1', { p: 'foo=1.0-r0', t: '2', k: '9' }),
      ],
      'it',
    ],
    [
      'the highest priority',
      [pkg('foo', '1.0-r0', { k: '5' }), pkg('zoo', '1', { p: 'foo=1.0-r0', k: '10', o: 'it' })],
      'it',
    ],
    [
      'the first by name',
      [pkg('foo', '1.0-r0'), pkg('bar', '1', { p: 'foo=1.0-r0', t: '1', o: 'it' })],
      'it',
    ],
  ])('of several packages %s is installed', (_, stanzas, expected) => {
    for (const order of [stanzas, stanzas.toReversed()]) {
      const [version] = catalog(order).report('foo').versions;
      expect(version?.chosen.package.origin).toBe(expected);
      expect(version?.builtAt).toBe(version?.chosen.package.builtAt);
      expect(version?.chosenOn).toEqual([version?.chosen]);
    }
  });

  test('the priority counts before the order of the repositories', () => {
    const two = catalogOf({
      x86_64: [[pkg('foo', '1')], [pkg('bar', '1', { p: 'foo=1', k: '1', o: 'it' })]],
    });
    expect(two.report('foo').versions[0]?.chosen.package.origin).toBe('it');
  });

  /** As apko 1.2.39 installs `foo=1`. */
  test.each<[title: string, repositories: Stanza[][], expected: string]>([
    [
      'the highest version',
      [[pkg('bar', '1', { p: 'foo=1' })], [pkg('zoo', '2', { p: 'foo=1', o: 'it' })]],
      'it',
    ],
    [
      'the first by name',
      [[pkg('zoo', '1', { p: 'foo=1' })], [pkg('bar', '1', { p: 'foo=1', o: 'it' })]],
      'it',
    ],
  ])(
    'to apko, %s of different packages counts before the order of the repositories',
    (_, repositories, expected) => {
      const two = catalogOf({ x86_64: repositories }, { unversionedProvides: true });
      expect(two.report('foo').versions[0]?.chosen.package.origin).toBe(expected);
    },
  );

  test('apko sorts its repositories', () => {
    const stanzas = [[pkg('foo', '1', { o: 'it' })], [pkg('foo', '1', { o: 'other' })]];
    const { sources } = catalogOf({ x86_64: stanzas });
    for (const unversionedProvides of [false, true]) {
      const turned = new Catalog({ sources: sources.toReversed(), archs: ['x86_64'], unversionedProvides });
      const [version] = turned.report('foo').versions;
      expect(version?.chosen.package.origin).toBe(unversionedProvides ? 'it' : 'other');
    }
  });

  test('nothing is offered if the package that apk takes cannot be installed', () => {
    const two = catalogOf({ x86_64: [[pkg('foo', '1', { D: 'gone=1' })], [pkg('foo', '1')]] });
    expect(offered(two, 'foo')).toEqual([]);
  });
});

describe('archs', () => {
  test('a release is there on every arch that carries the name', () => {
    const two = catalogOf({
      x86_64: [[pkg('foo', '1.0-r0', { t: '5' }), pkg('foo', '1.1-r0'), pkg('only', '1')]],
      aarch64: [[pkg('foo', '1.0-r0', { t: '9' }), pkg('foo', '0.9-r0')]],
    });
    expect(offered(two, 'foo')).toEqual(['1.0-r0']);
    expect(offered(two, 'foo', ['x86_64'])).toEqual(['1.0-r0', '1.1-r0']);
    expect(offered(two, 'only')).toEqual(['1']);
    expect(two.report('foo').versions.find(({ offered: is }) => is)?.builtAt).toBe(9);
  });

  test('one arch may have it from another repository', () => {
    const two = catalogOf({ x86_64: [[pkg('foo', '1')], []], aarch64: [[], [pkg('foo', '1')]] });
    expect(offered(two, 'foo')).toEqual(['1']);
  });

  test('agree with counting by hand on 1,000 pairs of indexes', () => {
    const stanza = fc.record({
      P: fc.constantFrom('a', 'b', 'c'),
      V: fc.constantFrom('1', '2', '3', 'latest'),
      p: fc.constantFrom('', '', 'a=1', 'b=2', 'a', 'c=latest'),
    });
    const index = fc.array(stanza, { maxLength: 6 });
    fc.assert(
      fc.property(index, index, (left, right) => {
        const two = catalogOf({ x86_64: [left], aarch64: [right] });
        for (const name of ['a', 'b', 'c']) {
          const sets = [left, right]
            .map((stanzas) => versionsByHand(stanzas, name))
            .flatMap(({ carries, offers }) => (carries ? [offers] : []));
          const all = [...(sets[0] ?? [])].filter((version) => sets.every((set) => set.has(version)));
          expect(offered(two, name)).toEqual(all.toSorted());
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** The versions that one index offers, and whether it carries the name. The first package by name is installed. */
function versionsByHand(
  stanzas: readonly Stanza[],
  name: string,
): { readonly carries: boolean; readonly offers: ReadonlySet<string> } {
  const found = stanzas.flatMap(({ P = '', V = '', p = '' }) => {
    const [provided = '', version] = p.split('=');
    const versions = [...(P === name ? [V] : []), ...(provided === name && version ? [version] : [])];
    const refused = provided === P;
    return versions.map((each) => ({ P, V, version: each, refused, eligible: !refused || version === V }));
  });
  const valid = found.filter(({ version }) => version !== 'latest');
  const rank = ({ P, V, refused }: (typeof found)[number]): string =>
    `${P} ${V === 'latest' ? 9 : 9 - Number(V)} ${refused ? 0 : 1}`;
  const order = valid.filter(({ eligible }) => eligible).toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const taken = [...Map.groupBy(order, ({ version }) => version).values()].flatMap(([first]) => first ?? []);
  return {
    carries: valid.some(({ refused }) => !refused),
    offers: new Set(taken.filter(({ refused }) => !refused).map(({ version }) => version)),
  };
}

describe('coherence', () => {
  const needs = (dependency: string): Stanza => ({ D: dependency });

  test.each<[title: string, stanzas: Stanza[], expected: string[]]>([
    [
      'an exact dependency that is there',
      [pkg('foo', '2', needs('glibc=2.43-r1')), pkg('glibc', '2.43-r1')],
      ['2'],
    ],
    [
      'one that is not',
      [pkg('foo', '1'), pkg('foo', '2', needs('glibc=2.43-r1')), pkg('glibc', '2.43-r0')],
      ['1'],
    ],
    [
      'one that a provide meets',
      [pkg('foo', '2', needs('libc=1')), pkg('glibc', '2', { p: 'libc=1' })],
      ['2'],
    ],
    [
      'one that a provide without a version does not meet',
      [pkg('foo', '2', needs('libc=1')), pkg('musl', '1', { p: 'libc' })],
      [],
    ],
    ['a version written another way', [pkg('foo', '2', needs('glibc=02')), pkg('glibc', '2')], ['2']],
    [
      'dependencies that leave a choice are not looked at',
      [pkg('foo', '2', needs('glibc>=9 so:x !bar=1 baz~3'))],
      ['2'],
    ],
    ['a need of a need', [pkg('foo', '2', needs('bar=1')), pkg('bar', '1', needs('baz=1'))], []],
    [
      'packages that need each other',
      [pkg('foo', '2', needs('bar=1')), pkg('bar', '1', needs('foo=2'))],
      ['2'],
    ],
    [
      'a circle of which one needs something else',
      [pkg('foo', '2', needs('bar=1')), pkg('bar', '1', needs('foo=2 gone=1'))],
      [],
    ],
    ['a need of an unusable package', [pkg('foo', '2', needs('bar=1')), pkg('bar', '1', { X: '1' })], []],
    [
      'of two providers the one that apk takes, if it can be installed',
      [pkg('foo', '2', needs('x=1')), pkg('b', '1', { p: 'x=1', D: 'gone=1' }), pkg('a', '1', { p: 'x=1' })],
      ['2'],
    ],
    [
      'of two providers the one that apk takes, if it cannot',
      [pkg('foo', '2', needs('x=1')), pkg('a', '1', { p: 'x=1', D: 'gone=1' }), pkg('b', '1', { p: 'x=1' })],
      [],
    ],
    ['a need it meets itself', [pkg('foo', '2', { p: 'x=1', D: 'x=1' }), pkg('a', '1', { p: 'x=1' })], ['2']],
    [
      'a need that what it needs as well rules out',
      [pkg('foo', '2', needs('a=1 b=1')), pkg('a', '1'), pkg('b', '1', needs('!a'))],
      [],
    ],
    [
      'a range that what it needs as well does not meet',
      [pkg('foo', '2', needs('a=1 b=1')), pkg('a', '1'), pkg('a', '2'), pkg('b', '1', needs('a>1'))],
      [],
    ],
    [
      'a line that what it needs as well does not meet',
      [pkg('foo', '2', needs('a=1 b~2')), pkg('a', '1', needs('b=1')), pkg('b', '1'), pkg('b', '2')],
      [],
    ],
    [
      'a range that what it needs as well meets',
      [pkg('foo', '2', needs('a=1 b=1')), pkg('a', '1', { p: 'x=3' }), pkg('b', '1', needs('x>2'))],
      ['2'],
    ],
    [
      'two that provide the same name',
      [pkg('foo', '2', needs('a=1 b=1')), pkg('a', '1', { p: 'x=1' }), pkg('b', '1', { p: 'x=2' })],
      [],
    ],
    [
      'a dependency without a name is met by nothing',
      [pkg('foo', '1.0-r0', { D: '=1', p: 'bar=1' }), pkg('foo', '0.9-r0', { p: 'bar =2' })],
      ['0.9-r0'],
    ],
    [
      'what comes along by itself and has a name twice',
      [pkg('foo', '2', needs('bar=1')), pkg('bar', '1'), pkg('doc', '1', { p: 'v v=1', i: 'foo=2 bar' })],
      [],
    ],
    [
      'what comes along with something else and has a name twice',
      [pkg('foo', '2', needs('bar=1')), pkg('bar', '1'), pkg('doc', '1', { p: 'v v=1', i: 'foo=1 bar' })],
      ['2'],
    ],
    [
      'what comes along only if something is not there',
      [pkg('foo', '2'), pkg('doc', '1', { p: 'v v=1', i: 'foo !bar' })],
      ['2'],
    ],
    ['one that rules out what has no name', [pkg('foo', '1.0-r0', { D: '!=1', p: 'bar=1' })], ['1.0-r0']],
  ])('%s', (_, stanzas, expected) => {
    for (const order of [stanzas, stanzas.toReversed()])
      expect(offered(catalog(order), 'foo')).toEqual(expected);
  });

  test.each<[title: string, provider: Stanza, others: Stanza[], expected: string[]]>([
    ['nobody needs by its name', {}, [], []],
    ['has a priority', { k: '1' }, [], ['1']],
    ['gives it a version', { p: 'v=1' }, [], ['1']],
    ['something needs by its name', {}, [pkg('base', '1', needs('b'))], ['1']],
    ['something rules out by its name', {}, [pkg('base', '1', needs('!b'))], []],
  ])('a name is met in a complete datasource by a package that %s', (_, provider, others, expected) => {
    const stanzas = [pkg('foo', '1', needs('v')), pkg('b', '1', { p: 'v', ...provider }), ...others];
    expect(offered(catalog(stanzas, { complete: true }), 'foo')).toEqual(expected);
    expect(offered(catalog(stanzas), 'foo')).toEqual(['1']);
    expect(offered(catalog(stanzas, { complete: true, unversionedProvides: true }), 'foo')).toEqual(['1']);
  });

  /** To apk, no version is older than any. */
  test.each([
    ['v<2', ['1']],
    ['v<=2', ['1']],
    ['v<~2', ['1']],
    ['v>2', []],
    ['v~2', []],
    ['v=2', []],
  ])('%s in a complete datasource is met without a version by %j', (D, expected) => {
    const provider = pkg('b', '9', { p: 'v', k: '1' });
    expect(offered(catalog([pkg('foo', '1', { D }), provider], { complete: true }), 'foo')).toEqual(expected);
    // Of many, versions that do not meet it among them, and of some that are never taken.
    const many = (k: string): readonly Stanza[] => [
      ...Array.from({ length: 100 }, (_, i) => pkg('c', `${i}`, { p: 'v=3' })),
      pkg('b', '9', { p: 'v', k }),
      pkg('foo', '1', { D }),
    ];
    expect(offered(catalog(many('1'), { complete: true }), 'foo')).toEqual(D === 'v>2' ? ['1'] : expected);
    expect(offered(catalog(many('0'), { complete: true }), 'foo')).toEqual(D === 'v>2' ? ['1'] : []);
  });

  test('what rules out older versions rules out what has the name without one', () => {
    const stanzas = ['!v', '!v<2', '!v>2'].map((D, i) => pkg('foo', `${i}`, { D: `b=9 ${D}` }));
    expect(offered(catalog([pkg('b', '9', { p: 'v' }), ...stanzas]), 'foo')).toEqual(['2']);
  });

  test('earlier lookups do not change an answer', () => {
    const stanzas = [
      pkg('a', '1', needs('b=1')),
      pkg('b', '1', needs('a=1 c=1')),
      pkg('c', '1', needs('d=1')),
      pkg('e', '1', needs('a=1')),
      pkg('f', '1', needs('g=1')),
      pkg('g', '1', needs('f=1')),
    ];
    const names = ['a', 'b', 'c', 'e', 'f', 'g'];
    for (const first of names) {
      const asked = catalog(stanzas);
      offered(asked, first);
      expect(names.map((name) => offered(asked, name))).toEqual([[], [], [], [], ['1'], ['1']]);
    }
  });

  test('another repository may have what is needed, another arch may not', () => {
    const stanzas = [pkg('foo', '2', needs('bar=1'))];
    const bar = [pkg('bar', '1')];
    expect(offered(catalogOf({ x86_64: [stanzas, bar] }), 'foo')).toEqual(['2']);
    expect(offered(catalogOf({ x86_64: [stanzas], aarch64: [bar] }), 'foo')).toEqual([]);
    expect(offered(catalogOf({ x86_64: [stanzas, bar], aarch64: [stanzas] }), 'foo')).toEqual([]);
  });
});

test('the order of records, archs and repositories’ arrival does not change an answer', () => {
  const stanza = fc.record({
    P: fc.constantFrom('foo', 'bar'),
    V: fc.constantFrom('1', '01', '2', '3-r1'),
    t: fc.constantFrom('1', '2'),
    p: fc.constantFrom('', 'foo=2', 'foo=9'),
    D: fc.constantFrom('', 'bar=1', 'foo=2'),
  });
  fc.assert(
    fc.property(fc.array(stanza, { maxLength: 8 }), fc.array(stanza, { maxLength: 8 }), (left, right) => {
      const facts = (from: Catalog): unknown =>
        from.report('foo').versions.map(({ version, offered: is, builtAt }) => [version, is, builtAt]);
      const straight = catalogOf({ x86_64: [left], aarch64: [right] });
      const turned = catalogOf({ aarch64: [right.toReversed()], x86_64: [left.toReversed()] });
      expect(facts(turned)).toEqual(facts(straight));
    }),
    { numRuns: 300 },
  );
});

describe('agrees with apk itself', () => {
  interface Case {
    readonly title: string;
    readonly repos: readonly (readonly Stanza[])[];
    readonly world: readonly string[];
    readonly archs?: unknown;
    readonly result: Record<'apk2' | 'apk3' | 'apko', { ok: boolean }>;
  }

  test('on what the recorded worlds pin', () => {
    const pin = /^([^=<>~@!]+)==?([^=<>~@]+)$/;
    const cases = readOracle<{ cases: Case[] }>('provides-resolution.json').cases.filter(
      ({ world, repos }) =>
        world.length === 1 &&
        pin.test(world[0] ?? '') &&
        repos.every((repo) => !repo.some((each) => Array.isArray(each)) && typeof repo[0] !== 'string'),
    );
    const disagreements = cases.filter(({ repos, world, result }) => {
      const [, name = '', version = ''] = pin.exec(world[0] ?? '') ?? [];
      const from = catalogOf({ x86_64: repos.map((repo) => repo.map((each) => ({ ...each }))) });
      return offered(from, name).includes(version) !== result.apk3.ok;
    });
    expect(cases.length).toBeGreaterThan(25);
    expect(disagreements.map(({ title, world }) => `${title}: ${world.join()}`)).toEqual([]);
  });
});

describe.skipIf(!sharedData)('on the real Wolfi pair', async () => {
  const folder = `${sharedData ?? ''}wolfi-2026-07-24`;
  const archs = ['x86_64', 'aarch64'];
  const bytes = (arch: string): Buffer =>
    sharedData ? readFileSync(`${folder}/${arch}/APKINDEX.tar.gz`) : Buffer.alloc(0);
  const load = async (arch: string): Promise<CatalogSource> => {
    const { packages } = await readIndex(bytes(arch), {
      keys: 'unverified',
      limits: defaultReadLimits,
      arch,
    });
    return { repository: 'wolfi', arch, packages };
  };
  const sources = sharedData ? await Promise.all(archs.map(load)) : [];
  const wolfi = new Catalog({ sources, archs });

  test('every pin that apk accepts is offered, and none that it refuses', () => {
    const pins = readOracle<Record<string, { yes: string[]; no: string[] }>>('pins.json');
    const x86 = new Catalog({ sources: sources.slice(0, 1), archs: ['x86_64'] });
    const wrong = Object.entries(pins).flatMap(([name, { yes, no }]) => {
      const versions = new Set(offered(x86, name));
      return [
        ...yes.filter((version) => !versions.has(version)),
        ...no.filter((version) => versions.has(version)),
      ];
    });
    expect(Object.keys(pins)).toHaveLength(150);
    expect(wrong).toEqual([]);
  });

  test('22 names that both archs carry differ, and nothing is offered that one lacks', () => {
    const differing = [...wolfi.names()].filter((name) => {
      const [x86 = '', arm = ''] = archs.map((arch) =>
        sources
          .find((each) => each.arch === arch)
          ?.packages.named(name)
          .map(({ version }) => version)
          .toSorted()
          .join(' '),
      );
      return x86 !== '' && arm !== '' && x86 !== arm;
    });
    expect(differing).toHaveLength(22);
    for (const name of differing) {
      const carriers = sources.filter(({ packages }) => packages.named(name).length > 0);
      for (const version of offered(wolfi, name)) {
        expect(
          carriers.every(({ packages }) => packages.named(name).some((each) => each.version === version)),
        ).toBe(true);
      }
    }
  });

  test('withholds versions with a missing dependency, and names it', () => {
    const report = explain(
      wolfi.report('ceph-20'),
      { archs: undefined, current: undefined, line: undefined, stripRevision: false },
      undefined,
      wolfi,
    );
    const withheld = report.versions.filter((version) => !version.offered);
    expect(withheld.map(({ version }) => version)).toContain('20.2.1-r0');
    expect(withheld[0]?.reasons?.[0]).toMatch(
      /needs ceph-20-[a-z-]+=20\.2\.\d-r\d+, which cannot be installed on x86_64/,
    );
  });

  test('answers as the simple implementation does, for every name', () => {
    const plainSources = archs.map((arch, i) => ({
      repository: 'wolfi',
      arch,
      packages: simplePackages(indexTextOf(bytes(arch)), arch),
      row: i,
    }));
    const plain = new Catalog({ sources: plainSources, archs });
    const facts = (from: Catalog, name: string): unknown =>
      from
        .report(name)
        .versions.map(({ version, offered: is, builtAt, missingOn }) => [version, is, builtAt, missingOn]);
    let names = 0;
    for (const name of wolfi.names()) {
      names += 1;
      expect(facts(wolfi, name), name).toEqual(facts(plain, name));
    }
    expect(names).toBe(15_045);
  }, 120_000);
});

/** The text of the APKINDEX file in an archive, extracted without the product's code. */
function indexTextOf(archive: Buffer): string {
  const tar = gunzipSync(archive);
  for (let offset = 0; offset < tar.length;) {
    const name = tar.toString('latin1', offset, offset + 8);
    const size = parseInt(tar.toString('latin1', offset + 124, offset + 136), 8);
    if (name === 'APKINDEX') return tar.toString('utf8', offset + 512, offset + 512 + size);
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error('no APKINDEX');
}

test('versions come oldest first, equal ones in one order', () => {
  const shuffled = ['1.10', '1.9', '01.9', '1.9_rc1', '2', 'latest'].map((version) => pkg('foo', version));
  const versions = catalog(shuffled)
    .report('foo')
    .versions.map(({ version }) => version);
  expect(versions).toEqual(['latest', '1.9_rc1', '01.9', '1.9', '1.10', '2']);
  const parsed = versions.flatMap((version) => parseVersion(version) ?? []);
  expect(parsed.toSorted(compareVersions)).toEqual(parsed);
});

test('an index that is empty or has one package named like a property works', () => {
  expect([...catalog([]).names()]).toEqual([]);
  expect(offered(catalog([pkg('constructor', '1')]), 'constructor')).toEqual(['1']);
  expect(scanned([pkg('toString', '1')]).named('valueOf')).toEqual([]);
  expect(indexText([])).toBe('');
});
