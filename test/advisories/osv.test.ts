import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { ZipFile, type EndOptions, type Options } from 'yazl';
import { isOpenAt, isUnreviewedAt } from '../../src/advisories/advisories.ts';
import { TarFiles, type ArchiveFile } from '../../src/advisories/archive.ts';
import type { Feed } from '../../src/advisories/feed.ts';
import { reduceFeed } from '../../src/advisories/reduce.ts';
import { parseVersion, type Version } from '../../src/apk/version.ts';
import { failure } from '../support/failure.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { about, fixture, osv, pieces, read, scratch, summary } from './support.ts';

type Expected = Record<
  string,
  Record<string, Record<string, { fixed?: string; open?: true; status?: string[]; notAffected?: true }>>
>;
const expected = JSON.parse(fixture('osv-v3-expected.json').toString()) as Expected;

describe("Chainguard's feed v3", async () => {
  const feed = await read(fixture('osv-v3.tar.gz'), 'osv', ['Wolfi']);

  test.each(Object.entries(expected))('%s', (name, archs) => {
    for (const [arch, own] of Object.entries(archs)) {
      const found = summary(about([feed], [name], [arch]));
      for (const [id, { fixed, status, notAffected }] of Object.entries(own)) {
        const state = notAffected ? 'not affected' : (fixed ?? ['open', ...(status ?? [])].join(' '));
        expect([id, found[id]]).toEqual([id, state]);
      }
    }
  });

  test('has no other package', () => {
    expect([...feed.names()].sort()).toEqual(Object.keys(expected).sort());
  });

  test('is the same as plain tar, and with the other ecosystem', async () => {
    const plain = await read(gunzipSync(fixture('osv-v3.tar.gz')), 'osv', ['Wolfi']);
    expect(plain.facts).toEqual(feed.facts);
    const other = await read(fixture('osv-v3.tar.gz'), 'osv', ['Chainguard']);
    expect(other.facts.pairs).toBe(feed.facts.pairs);
    const none = await read(fixture('osv-v3.tar.gz'), 'osv', ['MinimOS']);
    expect(none.facts).toMatchObject({ packages: 0, records: feed.facts.records });
  });

  test('has the time of its newest record', () => {
    expect(feed.facts.newest).toMatch(/^2026-/);
  });

  const prism = (archs: readonly string[]) => summary(about([feed], ['prism'], archs));

  test('with several archs the later fix counts; an arch that is not mentioned gets the fix of the others', () => {
    expect(prism(['aarch64'])['CVE-2099-0002']).toBe('5.14.3-r1');
    expect(prism(['aarch64', 'x86_64'])['CVE-2099-0002']).toBe('5.14.3-r8');
    expect(prism(['riscv64'])['CVE-2099-0002']).toBe('5.14.3-r8');
    expect(prism(['aarch64'])['CVE-2099-0003']).toBe('open pending_upstream_fix');
  });

  test('own name and origin both count: the later fix, and what only one of them has', () => {
    const both = summary(about([feed], ['libcrypto3', 'openssl']));
    expect(both).toMatchObject({ 'CVE-2099-0007': '3.3.3-r0', 'CVE-2099-0008': '3.3.3-r0' });
    expect(summary(about([feed], ['openssl']))['CVE-2099-0007']).toBe('3.3.2-r1');
  });

  test('that a list of records is no tar is found out once, not for each piece', async () => {
    const joined = vi.spyOn(Buffer, 'concat');
    const list = JSON.stringify(Array.from({ length: 2000 }, (_, i) => ({ id: `CVE-2099-${i}` })));
    expect((await read(list, 'osv', ['Wolfi'])).facts.records).toBe(2000);
    expect(joined.mock.calls.length).toBeLessThan(10);
    joined.mockRestore();
  });

  test.each([1, 10, 50, 99])('cut at %i per cent it is refused', async (percent) => {
    const bytes = fixture('osv-v3.tar.gz');
    const cut = bytes.subarray(0, (bytes.length * percent) / 100);
    expect(await failure(read(cut, 'osv'))).toMatchObject({ code: 'feed-malformed' });
  });

  test('a tar that stops in the middle of a file is refused', async () => {
    const bytes = gunzipSync(fixture('osv-v3.tar.gz')).subarray(0, 100_000);
    expect(await failure(read(bytes, 'osv'))).toMatchObject({ code: 'feed-malformed' });
  });
});

test.each(['gnu', 'pax'])(
  'records in a tar (%s) whose names are longer than a header holds count',
  async (format) => {
    const folder = await temporaryDirectory();
    const names = [99, 100, 101, 150].map((length) => 'a/'.repeat(40) + 'x'.repeat(length - 85) + '.json');
    await mkdir(join(folder, 'a/'.repeat(40)), { recursive: true });
    for (const [i, name] of names.entries())
      await writeFile(join(folder, name), JSON.stringify({ id: `CVE-2099-${i}`, affected: [] }));
    const tar = execFileSync('tar', [`--format=${format}`, '--directory', folder, '-c', 'a']);
    expect((await read(tar, 'osv')).facts).toMatchObject({ records: names.length, skipped: 0 });
  },
);

test('a feed that inflates beyond the limit is refused, as a tar and as a zip', async () => {
  const tar = fixture('osv-v3.tar.gz');
  const files = [...new TarFiles().push(gunzipSync(tar))];
  const [zip, size] = [await zipOf(files), files.reduce((sum, { bytes }) => sum + bytes.length, 0)];
  const reduced = (bytes: Buffer, most: number): Promise<Buffer> =>
    reduceFeed(pieces(bytes), { kind: 'osv', latest: Infinity }, scratch, most);
  for (const [bytes, inflated] of [
    [tar, gunzipSync(tar).length],
    [zip, size],
  ] as const) {
    expect((await reduced(bytes, inflated)).length).toBeGreaterThan(0);
    expect(await failure(reduced(bytes, inflated - 1))).toMatchObject({
      code: 'feed-malformed',
      message: `inflates to more than ${inflated - 1} bytes`,
    });
  }
});

describe('the newest record', () => {
  const latest = Date.parse('2026-07-24T06:00:00Z');
  test.each<[what: string, modified: readonly unknown[], newest: string | undefined]>([
    ['of several', ['2026-07-01T00:00:00Z', '2026-07-02T00:00:00Z'], '2026-07-02T00:00:00.000Z'],
    [
      'is not one of the future',
      ['2026-07-01T00:00:00Z', '2062-07-02T00:00:00Z'],
      '2026-07-01T00:00:00.000Z',
    ],
    ['with fractions', ['2026-07-01T00:00:00.5Z', '2026-07-01T00:00:00Z'], '2026-07-01T00:00:00.500Z'],
    ['with offsets', ['2026-07-01T09:00:00+09:00', '2026-07-01T01:00:00Z'], '2026-07-01T01:00:00.000Z'],
    ['on a day', ['2026-07-01'], '2026-07-01T00:00:00.000Z'],
    ['of no zone', ['2026-07-01T00:00:00'], undefined],
    ['at no time', ['soon', '2026-13-01T00:00:00Z', 2026, null], undefined],
  ])('%s', async (_, modified, newest) => {
    const records = modified.map((each, i) => ({ id: `CVE-2099-000${i}`, modified: each }));
    const { facts } = await read(JSON.stringify(records), 'osv', ['Wolfi'], latest);
    expect(facts.newest).toBe(newest);
  });
});

describe("OSV.dev's archives, which are zips", async () => {
  const feed = await read(fixture('osv-v3.tar.gz'), 'osv', ['Wolfi']);
  const files = [...new TarFiles().push(gunzipSync(fixture('osv-v3.tar.gz')))];

  test.each([
    ['packed', {}],
    ['stored', { compress: false }],
    ['of the 64-bit format', { forceZip64Format: true }],
  ] satisfies [string, Parameters<typeof zipOf>[1]][])('%s: the same as the tar', async (_, options) => {
    const zipped = await read(await zipOf(files, options), 'osv', ['Wolfi']);
    expect(zipped.facts).toEqual(feed.facts);
    expect([...zipped.names()].sort()).toEqual([...feed.names()].sort());
  });

  test('a comment and a file that is too large to be a record do no harm', async () => {
    const large = { name: 'all.json', bytes: Buffer.alloc(5 * 1024 * 1024, 0x20) };
    const zipped = await read(await zipOf([large, ...files], { comment: 'x'.repeat(5000) }), 'osv', [
      'Wolfi',
    ]);
    expect(zipped.facts).toEqual(feed.facts);
  });

  test.each([1, 10, 50, 99])('cut at %i per cent it is refused', async (percent) => {
    const bytes = await zipOf(files);
    const cut = bytes.subarray(0, (bytes.length * percent) / 100);
    expect(await failure(read(cut, 'osv'))).toMatchObject({ code: 'feed-malformed' });
  });

  const record = (size: number): Buffer => Buffer.from('{"id":"CVE-2099-0001"}'.padEnd(size));
  /** Where the entries of the directory are. */
  const entriesOf = (bytes: Buffer): readonly number[] =>
    [...bytes.toString('latin1').matchAll(/PK\x01\x02/g)].map(({ index }) => index);

  test('files that share their bytes are refused, because a small zip could inflate to terabytes', async () => {
    const several = ['a', 'b', 'c'].map((name) => ({ name: `${name}.json`, bytes: record(30) }));
    const all = [{ name: 'large.json', bytes: record(100_000) }, ...several];
    const bytes = await zipOf(all, { compress: false });
    expect((await read(bytes, 'osv')).facts.records).toBe(4);
    const [first = 0, ...others] = entriesOf(bytes);
    for (const entry of others) {
      bytes.copyWithin(entry + 20, first + 20, first + 28);
      bytes.copyWithin(entry + 42, first + 42, first + 46);
    }
    expect((await failure(read(bytes, 'osv'))).message).toBe('zip: its files have more bytes than it');
  });

  test('a file that has more bytes than a record is skipped, whatever size the directory states', async () => {
    const all = [5 * 1024 * 1024, 30].map((size) => ({ name: `${size}.json`, bytes: record(size) }));
    const bytes = await zipOf(all, { compress: false });
    const [first = 0] = entriesOf(bytes);
    bytes.writeUInt32LE(30, first + 24);
    expect((await read(bytes, 'osv')).facts.records).toBe(1);
  });

  test('a damaged file is refused', async () => {
    const bytes = await zipOf(files);
    bytes.fill(0xff, 2000, 2400);
    expect(await failure(read(bytes, 'osv'))).toMatchObject({ code: 'feed-malformed' });
  });
});

describe('an unreviewed result of a scanner', () => {
  const id = 'CVE-2099-0001';
  const states = (feeds: readonly Feed[]): readonly (readonly [boolean, boolean])[] =>
    ['1.0-r0', '1.2-r0'].map((text) => {
      const version = parseVersion(text) as Version;
      const groups = about(feeds, ['app']);
      return [groups.some(isOpenAt(version)), groups.some(isUnreviewedAt(version))];
    });
  const [unreviewed, open] = [
    [false, true],
    [true, false],
  ] as const;

  test.each<[string, Parameters<typeof osv>[0][], unknown]>([
    ['alone', [{ app: { [id]: ['0', { status: 'detection' }] } }], [unreviewed, unreviewed]],
    [
      'beside a fix in another feed',
      [{ app: { [id]: ['0', { status: 'detection' }] } }, { app: { [id]: ['0', '1.2-r0'] } }],
      [open, unreviewed],
    ],
    [
      'beside what is open for no reason given',
      [{ app: { [id]: ['0', { status: 'detection' }] } }, { app: { [id]: ['0', { status: '' }] } }],
      [open, open],
    ],
  ])('%s', async (_, feeds, expected) => {
    expect(states(await Promise.all(feeds.map(osv)))).toEqual(expected);
  });

  test.each<[string, object, unknown]>([
    ['a fix', { ranges: rangeOf('1.2-r0') }, [open, unreviewed]],
    ['what is not affected', { ranges: rangeOf('0') }, [unreviewed, unreviewed]],
    ['what has no fix', openFor('pending_upstream_fix'), [open, open]],
    [
      'another one, with a fixed range',
      { ...openFor('detection'), ranges: [...rangeOf(), ...rangeOf('1.1-r0')] },
      [open, unreviewed],
    ],
  ])('beside %s in another record', async (_, other, expected) => {
    const records = [other, openFor('detection')].map((each, i) => ({
      id: `CGA-0000-0000-000${i}`,
      upstream: [id],
      affected: [{ package: { ecosystem: 'Wolfi', name: 'app' }, ...each }],
    }));
    expect(states([await read(JSON.stringify(records), 'osv')])).toEqual(expected);
  });
});

function rangeOf(fixed?: string): readonly object[] {
  return [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, ...(fixed === undefined ? [] : [{ fixed }])] }];
}

function openFor(status: string): object {
  return { ranges: rangeOf(), ecosystem_specific: { components: [{ latest_event_status: status }] } };
}

test.each<[what: string, record: object, ids: readonly string[]]>([
  ['of its own', { id: 'CVE-2099-0001' }, ['CVE-2099-0001']],
  [
    'of a record with aliases',
    { id: 'CVE-2099-0001', aliases: ['GHSA-2222-2222-2222'], related: ['CVE-2099-0002'] },
    ['CVE-2099-0001', 'GHSA-2222-2222-2222'],
  ],
  [
    'of a record with what is related',
    { id: 'GHSA-2222-2222-2222', related: ['CVE-2099-0002'] },
    ['GHSA-2222-2222-2222'],
  ],
  ["of a distribution's record", { id: 'CGA-2222-2222-2222', related: ['CVE-2099-0001'] }, ['CVE-2099-0001']],
  [
    "of a distribution's record with upstream ones",
    {
      id: 'CGA-2222-2222-2222',
      upstream: ['CVE-2099-0001'],
      aliases: ['MINI-1'],
      related: ['CVE-2099-0002'],
    },
    ['CVE-2099-0001'],
  ],
])('the identifiers %s', async (_, record, ids) => {
  const affected = [{ package: { ecosystem: 'Wolfi', name: 'app' }, ranges: rangeOf('1.2-r0') }];
  const feed = await read(JSON.stringify([{ ...record, affected }]), 'osv');
  expect(Object.keys(summary(about([feed], ['app'])))).toEqual(ids);
});

test('records for all archs count for an arch that no other record names', async () => {
  const record = (fixed: string, purl: string): object => ({
    id: 'CVE-2099-0001',
    affected: [{ package: { ecosystem: 'Wolfi', name: 'app', purl }, ranges: rangeOf(fixed) }],
  });
  const records = [record('1.1-r0', 'pkg:apk/wolfi/app'), record('1.2-r0', 'pkg:apk/wolfi/app?arch=x86_64')];
  const feed = await read(JSON.stringify(records), 'osv');
  const fixOn = (arch: string) => summary(about([feed], ['app'], [arch]))['CVE-2099-0001'];
  expect([fixOn('x86_64'), fixOn('aarch64')]).toEqual(['1.2-r0', '1.1-r0']);
});

describe('odd records', async () => {
  const files = readdirSync(new URL('../fixtures/advisories/odd/osv/', import.meta.url));
  const records = files.map((file) => fixture(`odd/osv/${file}`).toString());
  const feed = await read(`[${records.join()}]`, 'osv');
  const openAt = (text: string): readonly string[] =>
    about([feed], ['curl'])
      .filter(isOpenAt(parseVersion(text) as Version))
      .flatMap(({ ids }) => ids.split(' '))
      .sort();

  test('ignores withdrawn and unusable records', () => {
    expect(Object.keys(summary(about([feed], ['curl']))).sort()).toEqual([
      'CVE-2020-0002',
      'CVE-2020-0003',
      'CVE-2020-0004',
      'CVE-2020-0006',
    ]);
    expect(feed.facts.packages).toBe(1);
  });

  test('several ranges, the last affected version and events out of order', () => {
    expect(openAt('7.0.0-r0')).toEqual(['CVE-2020-0002', 'CVE-2020-0003', 'CVE-2020-0004', 'CVE-2020-0006']);
    expect(openAt('7.6.0-r0')).toEqual(['CVE-2020-0003', 'CVE-2020-0004', 'CVE-2020-0006']);
    expect(openAt('8.0.0-r3')).toEqual(['CVE-2020-0002', 'CVE-2020-0003', 'CVE-2020-0006']);
    expect(openAt('8.0.0-r4')).toEqual(['CVE-2020-0002', 'CVE-2020-0006']);
    expect(openAt('8.1.0-r0')).toEqual(['CVE-2020-0002', 'CVE-2020-0006']);
    expect(openAt('8.2.0-r0')).toEqual(['CVE-2020-0006']);
    expect(openAt('9.0.0-r0')).toEqual([]);
  });
});

describe('OSV.dev', () => {
  const record = (events: object[], more: object = {}): string =>
    JSON.stringify({
      id: 'ALPINE-CVE-2020-0001',
      modified: '2026-01-01T00:00:00Z',
      upstream: ['CVE-2020-0001'],
      affected: [
        {
          package: { ecosystem: 'Alpine:v3.22', name: 'expat', purl: 'pkg:apk/alpine/expat?arch=source' },
          ranges: [{ type: 'ECOSYSTEM', events }],
          versions: ['9.9-r9'],
          ...more,
        },
      ],
    });
  const of = async (text: string, ecosystem = 'Alpine:v3.22') =>
    summary(about([await read(text, 'osv', [ecosystem])], ['expat']));

  test.each<[string, object[], string[]]>([
    [
      'again by its fix',
      [{ introduced: '0' }, { fixed: '2-r0' }, { introduced: '2-r0' }, { fixed: '3-r0' }],
      ['0-r0', '1-r0', '2-r0'],
    ],
    [
      'again, and open',
      [{ introduced: '1-r0' }, { introduced: '2-r0' }, { fixed: '2-r0' }],
      ['1-r0', '2-r0', '3-r0'],
    ],
    [
      'twice before its fix',
      [{ introduced: '1-r0' }, { introduced: '2-r0' }, { fixed: '3-r0' }],
      ['1-r0', '2-r0'],
    ],
    [
      'twice by the version that fixes it',
      [{ introduced: '2-r0' }, { introduced: '2-r0' }, { fixed: '2-r0' }],
      [],
    ],
    [
      'again after it was fixed twice',
      [{ introduced: '0' }, { fixed: '1-r0' }, { fixed: '2-r0' }, { introduced: '3-r0' }],
      ['0-r0', '3-r0'],
    ],
    [
      'again after a range that ends before it begins',
      [{ introduced: '2-r0' }, { fixed: '1-r0' }, { introduced: '3-r0' }],
      ['2-r0', '3-r0'],
    ],
    ['after its fix', [{ introduced: '2-r0' }, { fixed: '1-r0' }], []],
  ])('introduced %s', async (_, events, affected) => {
    const groups = about([await read(record(events), 'osv', ['Alpine:v3.22'])], ['expat']);
    const isAt = (version: string) => groups.some(isOpenAt(parseVersion(version) as Version));
    expect(['0-r0', '1-r0', '2-r0', '3-r0'].filter(isAt)).toEqual(affected);
  });

  test('"0" as introduced and fixed is not affected, not "all versions"', async () => {
    expect(await of(record([{ introduced: '0' }, { fixed: '0' }]))).toEqual({
      'CVE-2020-0001': 'not affected',
    });
    expect(await of(record([{ introduced: '2-r0' }, { fixed: '1-r0' }]))).toEqual({
      'CVE-2020-0001': 'not affected',
    });
  });

  test('an identifier with more ranges than are compared is open, and counted', async () => {
    const rangesOf = async (length: number): Promise<Feed> => {
      const events = Array.from({ length }, (_, i) => [
        { introduced: `${2 * i}` },
        { fixed: `${2 * i + 1}` },
      ]);
      const affected = [
        {
          package: { ecosystem: 'Wolfi', name: 'a' },
          ranges: [{ type: 'ECOSYSTEM', events: events.flat() }],
        },
      ];
      return await read(JSON.stringify({ id: 'CVE-2099-1', affected }), 'osv', ['Wolfi']);
    };
    const [most, more] = [await rangesOf(1000), await rangesOf(1001)];
    expect(summary(about([most], ['a']))).toEqual({ 'CVE-2099-1': '1999' });
    expect(summary(about([more], ['a']))).toEqual({ 'CVE-2099-1': 'open' });
    expect([most.facts.skipped, more.facts.skipped]).toEqual([0, 1]);
  });

  test('listed versions count only without a range', async () => {
    expect(await of(record([{ introduced: '0' }, { fixed: '2.7-r0' }]))).toEqual({
      'CVE-2020-0001': '2.7-r0',
    });
    expect(await of(record([], { ranges: [] }))).toEqual({ 'CVE-2020-0001': 'until' });
  });

  test('another branch is another feed', async () => {
    expect(await of(record([{ introduced: '0' }, { fixed: '2.7-r0' }]), 'Alpine:v3.21')).toEqual({});
  });

  test('a version that apk calls invalid makes a range unusable', async () => {
    const text = record([{ introduced: '0' }, { fixed: '2.7.r0' }], { versions: [] });
    const { facts } = await read(text, 'osv', ['Alpine:v3.22']);
    expect(facts).toMatchObject({ packages: 0, skipped: 1 });
  });

  test('a range beside an unusable one is no fix; a range of another type is no range', async () => {
    const ranges = (other: object) => [
      { type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1-r0' }] },
      { type: 'ECOSYSTEM', ...other },
    ];
    const unusable = ranges({ events: [{ introduced: '2-r0' }, { fixed: '2.7.r0' }] });
    expect(await of(record([], { ranges: unusable, versions: [] }))).toEqual({});
    expect(await of(record([], { ranges: unusable }))).toEqual({ 'CVE-2020-0001': 'until' });
    const ofCommits = ranges({ type: 'GIT', events: [{ introduced: '0' }, { fixed: '7c0f1c3' }] });
    expect(await of(record([], { ranges: ofCommits }))).toEqual({ 'CVE-2020-0001': '1-r0' });
  });
});

async function zipOf(
  files: readonly ArchiveFile[],
  { comment = '', ...options }: Partial<Options & EndOptions> = {},
): Promise<Buffer> {
  const zip = new ZipFile();
  for (const { name, bytes } of files) zip.addBuffer(bytes, name, options);
  zip.end({ comment, forceZip64Format: options.forceZip64Format === true });
  return await buffer(zip.outputStream);
}
