import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  Advisories,
  isFixedBetween,
  isOpenAt,
  listIds,
  type Group,
} from '../../src/advisories/advisories.ts';
import { parseVersion, type Version } from '../../src/apk/version.ts';
import { failure } from '../support/failure.ts';
import { sharedData } from '../support/shared-data.ts';
import { about, fixture, read, summary } from './support.ts';

const version = (text: string): Version => parseVersion(text) as Version;
const ids = (groups: readonly Group[], isMeant: (group: Group) => boolean): readonly string[] =>
  listIds(groups.filter(isMeant), Infinity).map(({ id }) => id);

type Row = [name: string, origin: string, pin: string, target: string, fixed: string[], open: string[]];

describe('finds what an update fixes and what is open at the pin, as libapk orders versions', async () => {
  const feed = await read(fixture('secdb.json'));
  const rows = JSON.parse(fixture('secdb-expected.json').toString()) as Row[];

  test.each(rows)('%s (%s) %s → %s', (name, origin, pin, target, fixed, open) => {
    const groups = about([feed], [...new Set([name, origin])]);
    expect(ids(groups, isFixedBetween(version(pin), version(target)))).toEqual(fixed);
    expect(ids(groups, isOpenAt(version(pin)))).toEqual(open);
  });
});

describe('odd feeds', () => {
  const odd = (name: string) => read(fixture(`odd/${name}.json`));
  const of = async (file: string, name = 'curl') => summary(about([await odd(file)], [name]));

  test.each([
    ['empty-file', /not JSON/],
    ['empty-object', /not an object with "packages"/],
    ['not-json', /not JSON/],
    ['cut-short', /not JSON/],
    ['top-level-list', /not an object with "packages"/],
  ])('%s is refused', async (file, message) => {
    const error = await failure(odd(file));
    expect(error).toMatchObject({
      code: 'feed-malformed',
      message: expect.stringMatching(message) as string,
    });
  });

  test('a hundred thousand brackets are refused, and no stack overflows', async () => {
    const deep = `{"packages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(await failure(read(deep))).toMatchObject({ code: 'feed-malformed' });
  });

  test.each(['packages-empty-list', 'packages-is-object', 'packages-null'])(
    '%s is a feed without packages',
    async (file) => {
      expect((await odd(file)).facts).toMatchObject({ packages: 0, pairs: 0, skipped: 0 });
    },
  );

  test('"0" is not affected', async () => {
    expect(await of('zero-only')).toEqual({ 'CVE-2020-0001': 'not affected' });
  });

  test.each(['null-secfixes', 'secfixes-is-list', 'pkg-without-name'])(
    '%s: the others are used',
    async (file) => {
      expect(await of(file)).toEqual({});
      expect(await of(file, 'git')).toEqual({ 'CVE-2020-0002': '2.40.0-r0' });
    },
  );

  test('entries without a name are counted', async () => {
    expect((await odd('pkg-without-name')).facts.skipped).toBe(4);
  });

  test('null for a list is passed over', async () => {
    expect(await of('null-ids')).toEqual({ 'CVE-2020-0003': '8.1.0-r0' });
  });

  test('a string for a list is skipped and counted', async () => {
    const { facts } = await odd('ids-is-string');
    expect(facts).toMatchObject({
      packages: 0,
      skipped: 1,
      firstSkipped: 'curl 8.0.0-r0: no list of identifiers',
    });
  });

  test('several identifiers in one string are several', async () => {
    expect(await of('several-ids-in-one-string', 'xen')).toEqual({
      'CVE-2016-6258': '4.7.0-r0',
      'XSA-182': '4.7.0-r0',
      'CVE-2016-6259': '4.7.0-r0',
      'XSA-183': '4.7.0-r0',
      'CVE-2016-9386': '4.7.1-r1',
      'XSA-191': '4.7.1-r1',
      'XSA-196': '4.7.1-r1',
    });
  });

  test('commas between identifiers belong to none', async () => {
    const pkg = { name: 'app', secfixes: { '1.0-r1': ['CVE-2099-0001, CVE-2099-0002,GHSA-2222-2222-2222'] } };
    const feed = await read(JSON.stringify({ packages: [{ pkg }] }));
    expect(about([feed], ['app']).map(({ ids }) => ids)).toEqual([
      'CVE-2099-0001 CVE-2099-0002 GHSA-2222-2222-2222',
    ]);
  });

  test('remarks are dropped, and identifiers of any kind are kept', async () => {
    expect(Object.keys(await of('remarks-in-ids', 'util-linux')).sort()).toEqual([
      'ALPINE-13661',
      'CVE-2017-2616',
      'CVE-2020-5',
      'CVE_2019-2426',
      'GHSL-2021-045',
      'GNUTLS-SA-2021-03-10',
      'TS-2022-005',
      'VSV00007',
      'ZBX-11023',
      'cve-2020-0004',
    ]);
  });

  test('versions that apk calls invalid fix nothing and are counted', async () => {
    expect(await of('invalid-versions', 'docker')).toEqual({ 'CVE-2021-41092': '20.10.9-r0' });
    expect(await of('invalid-versions', 'gcc')).toEqual({ 'CVE-2023-4039': '13.2.1_git20231014-r0' });
    expect(await of('invalid-versions')).toEqual({ 'CVE-2020-0009': '8.0.0' });
    expect((await odd('invalid-versions')).facts.skipped).toBe(5);
  });

  test('8.0.0 without a revision is older than 8.0.0-r0', async () => {
    const groups = about([await odd('invalid-versions')], ['curl']);
    expect(groups.some(isOpenAt(version('8.0.0-r0')))).toBe(false);
    expect(groups.some(isOpenAt(version('7.9-r0')))).toBe(true);
  });

  test('of several versions the highest counts, and each beats "0"', async () => {
    expect(await of('same-id-at-several-versions', 'intel-ucode')).toEqual({
      'CVE-2020-8694': '20201112-r0',
      'CVE-2020-8698': '20210216-r0',
    });
    expect(await of('same-id-at-several-versions', 'rsync')).toEqual({ 'CVE-2020-14387': '3.2.4-r0' });
    expect(await of('same-id-at-several-versions', 'jenkins')).toEqual({ 'CVE-2022-20612': '2.332.1-r0' });
  });

  test('packages that are listed twice are put together', async () => {
    expect(await of('duplicate-packages')).toEqual({
      'CVE-2020-0001': '8.0.0-r0',
      'CVE-2020-0003': '8.0.0-r0',
      'CVE-2020-0002': '8.1.0-r0',
    });
  });

  test('keys that are there twice do no harm', async () => {
    expect(await of('duplicate-keys')).toEqual({ 'CVE-2020-0002': '8.0.0-r0' });
  });

  test('names of prototypes are names like any other', async () => {
    expect(await of('prototype-names', 'constructor')).toEqual({ 'CVE-2020-0001': '1.0-r0' });
    expect(await of('prototype-names', '__proto__')).toEqual({ 'CVE-2020-0002': '1.0-r0' });
    expect(await of('prototype-names', 'toString')).toEqual({});
    expect({}).not.toHaveProperty('1.0-r0');
  });

  // Cut to Latin-1 the first two are `curl`.
  test.each(['\u{163}url', '\u{2063}url', '\u{e3}url', '', 'curl\t*:0'])(
    'nothing is known of %j',
    async (name) => {
      const feed = await odd('zero-only');
      expect(summary(about([feed], ['curl']))).not.toEqual({});
      expect(about([feed], [name])).toEqual([]);
      expect(new Advisories([feed]).knows(name)).toBe(false);
    },
  );

  test('nothing but identifiers comes out of hostile ones', async () => {
    expect(await of('hostile-ids')).toEqual({ 'CVE-2020-0003': '8.0.0-r0' });
  });

  test('a byte order mark and broken UTF-8 are accepted', async () => {
    expect(await of('bom')).toEqual({ 'CVE-2020-0001': '8.0.0-r0' });
    expect((await odd('utf8-broken')).facts.packages).toBe(0);
  });

  test('a feed names the repository that it is for', async () => {
    expect((await odd('wrong-reponame')).facts.repository).toBe('v3.99/community');
  });

  test('of a hundred thousand versions of one identifier the highest counts without comparing each with each', async () => {
    const secfixes = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, i) => [`1.${i + 1}-r0`, ['CVE-2099-1']]),
    );
    const feed = await read(JSON.stringify({ packages: [{ pkg: { name: 'linux', secfixes } }] }));
    expect(summary(about([feed], ['linux']))).toEqual({ 'CVE-2099-1': '1.100000-r0' });
  });

  test('of sixty thousand identifiers some are listed, and all are counted', async () => {
    const many = Array.from({ length: 60_000 }, (_, i) => `CVE-2099-${i + 40}`);
    const feed = await read(
      JSON.stringify({ packages: [{ pkg: { name: 'linux', secfixes: { '6.1-r0': many } } }] }),
    );
    for (const feeds of [[feed], [feed, feed]]) {
      const groups = about(feeds, ['linux']);
      expect(listIds(groups, 20)).toHaveLength(20);
      expect(groups.map(({ count }) => count)).toEqual([60_000]);
    }
  });
});

describe.skipIf(!sharedData)('all rows of the oracle', async () => {
  if (!sharedData) return;
  const security = `${sharedData}security/`;
  const feed = await read(readFileSync(`${security}wolfi-security.json`));

  test("Alpine's own feed is read without a loss", async () => {
    const { facts } = await read(readFileSync(`${security}alpine-v3.16/main.json`));
    expect(facts).toMatchObject({ repository: 'v3.16/main', packages: 67, skipped: 0 });
  });

  test("Wolfi's has as many identifiers as its list", () => {
    expect(feed.facts).toMatchObject({ packages: 1520, pairs: 32_700, skipped: 0 });
  });
});
