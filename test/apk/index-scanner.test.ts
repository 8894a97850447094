import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IndexScanner } from '../../src/apk/index-scanner.ts';
import type { ScannedIndex } from '../../src/apk/table-builder.ts';
import type { Package, Packages } from '../../src/apk/packages.ts';
import { defaultReadLimits } from '../../src/apk/read-index.ts';
import { readOracle } from '../support/oracle.ts';
import { indexText, pkg } from '../support/signed-index.ts';
import { simplePackages } from '../support/simple-packages.ts';

function scan(text: string | Uint8Array, chunkBytes = 1 << 20, arch?: string): ScannedIndex {
  const bytes = Buffer.from(text);
  const scanner = new IndexScanner({ ...defaultReadLimits, arch, compressedBytes: 1 });
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    scanner.push(bytes.subarray(start, start + chunkBytes));
  }
  return scanner.end();
}

const versionsOf = (packages: Packages, name: string): string[] =>
  packages.named(name).map((each) => each.version);

/** A package as plain data. */
function plain(each: Package): unknown {
  const {
    row,
    name,
    version,
    builtAt,
    origin,
    commit,
    url,
    provides,
    dependencies,
    identity,
    priority,
    conflictsWithItself,
    unusable,
  } = each;
  return {
    row,
    name,
    version,
    builtAt,
    origin,
    commit,
    url,
    provides,
    dependencies,
    identity,
    priority,
    conflictsWithItself,
    unusable,
  };
}

/** The results of all queries to an index, in a fixed order. */
function dump(packages: Packages): unknown {
  const names = [...packages.names()].toSorted();
  const provided = [...packages.providedNames()].toSorted();
  return {
    counts: [packages.packageCount, packages.nameCount],
    named: names.map((name) => [name, packages.named(name).map(plain)]),
    providing: provided.map((name) => [name, packages.providing(name).map(plain)]),
  };
}

test('a stanza becomes a package', () => {
  const { packages, report, arch } = scan(
    indexText([
      pkg('nginx', '1.27.0-r1', {
        C: 'Q1EjRWeJCrze8BI0VniavN7xI0Vng=',
        t: '1750000000',
        o: 'nginx-origin',
        c: 'abc123',
        U: 'https://nginx.org',
        D: 'so:libc.so.6 nginx-common=1.27.0-r1 !apache foo>=1 pcre2==10.45-r0',
        p: 'cmd:nginx=1.27.0-r1 httpd',
      }),
    ]),
  );
  expect(arch).toBe('x86_64');
  expect(report).toEqual({
    badStanzas: 0,
    firstBadStanza: undefined,
    incompletePackages: 0,
  });
  expect(packages.named('nginx').map(plain)).toEqual([
    {
      row: 0,
      name: 'nginx',
      version: '1.27.0-r1',
      builtAt: 1750000000,
      origin: 'nginx-origin',
      commit: 'abc123',
      url: 'https://nginx.org',
      provides: [
        { name: 'cmd:nginx', version: '1.27.0-r1' },
        { name: 'httpd', version: undefined },
      ],
      dependencies: [
        { name: 'so:libc.so.6', operator: '', version: '', conflict: false },
        { name: 'nginx-common', operator: '=', version: '1.27.0-r1', conflict: false },
        { name: 'apache', operator: '', version: '', conflict: true },
        { name: 'foo', operator: '>=', version: '1', conflict: false },
        { name: 'pcre2', operator: '==', version: '10.45-r0', conflict: false },
      ],
      identity: 'Q1EjRWeJCrze8BI0VniavN7xI0Vng=',
      priority: 0,
      conflictsWithItself: false,
      unusable: undefined,
    },
  ]);
  expect(packages.providing('httpd')).toHaveLength(1);
  expect(packages.named('constructor')).toEqual([]);
});

describe('odd input', () => {
  const foo = indexText([pkg('foo', '1.0-r0')]);
  const bar = 'P:bar\nV:1.0-r0\n';

  /** The text after `foo`, and the number of bad stanzas. foo itself always stays valid. */
  test.each<[title: string, text: string, bar: string[], badStanzas: number]>([
    ['a last entry with one newline', bar, ['1.0-r0'], 0],
    ['a last entry without newline', 'P:bar\nV:1.0-r0', ['1.0-r0'], 0],
    ['Windows line ends', 'P:bar\r\nV:1.0-r0\r\n\r\n', ['1.0-r0'], 0],
    ['several empty lines', `\n\n\n${bar}\n\n`, ['1.0-r0'], 0],
    ['a blank as separator', ` \n${bar} \n`, ['1.0-r0'], 0],
    ['a line of one character as separator', `${bar}x\nP:baz\nV:1\n\n`, ['1.0-r0'], 0],
    ['a line without a colon', `${bar}hello world\n\n`, [], 1],
    ['no name', 'V:1.0-r0\n\n', [], 1],
    ['no version', 'P:bar\nA:x86_64\n\n', [], 1],
    ['an unknown lower case field', `${bar}z:1\n\n`, ['1.0-r0'], 0],
    ['fields of the installed database', `${bar}F:usr\nR:x\nr:foo\nq:1\n\n`, ['1.0-r0'], 0],
    ['a repeated name, the last counts', `P:baz\nV:1.0-r0\nP:bar\n\n`, ['1.0-r0'], 0],
    ['a repeated version, the last counts', 'P:bar\nV:0.5-r0\nV:1.0-r0\n\n', ['1.0-r0'], 0],
    ['numbers that are none', `${bar}S:abc\nI:-1\nt:1.5\nk:-1\n\n`, ['1.0-r0'], 0],
    ['a time beyond all times', `${bar}t:999999999999999999999999999999\n\n`, ['1.0-r0'], 0],
    ['a NUL and broken UTF-8 in the description', `${bar}T:a\0\xe9\n\n`, ['1.0-r0'], 0],
    ['a name with a blank', 'P:ba r\nV:1\n\nP:bar\nV:2\n\n', ['2'], 0],
    ['the same identity as foo', indexText([{ ...pkg('foo', '1.0-r0'), P: 'bar' }]), [], 0],
    ['a provides line of 1.2 MB', `${bar}p:${'x=1 '.repeat(310_000)}\n\n`, ['1.0-r0'], 0],
  ])('%s', (_, text, expected, badStanzas) => {
    for (const chunkBytes of text.length > 10_000 ? [1 << 20, 999] : [1 << 20, 7, 1]) {
      const { packages, report } = scan(foo + text, chunkBytes);
      expect(versionsOf(packages, 'foo')).toEqual(['1.0-r0']);
      expect(versionsOf(packages, 'bar')).toEqual(expected);
      expect(report.badStanzas).toBe(badStanzas);
    }
  });

  test('a byte order mark is no part of the first line', () => {
    expect(versionsOf(scan(`\uFEFF${foo}`).packages, 'foo')).toEqual(['1.0-r0']);
  });

  test('the first bad stanza is named with line and fact', () => {
    expect(scan(`${foo}${foo.replaceAll('1.0', '1.1')}P:bar\nhello\n\n`).report).toMatchObject({
      badStanzas: 1,
      firstBadStanza: 'line 20: expected "K:value", got "hello"',
    });
  });

  test('an index of mostly bad stanzas is refused', () => {
    expect(() => scan(`pkgname = foo\npkgver = 1.0-r0\n\n`)).toThrow(
      expect.objectContaining({
        code: 'apkindex-malformed',
        message: expect.stringContaining('line 1: expected "K:value"'),
      }),
    );
  });

  test('a line longer than the cap is refused by its number', () => {
    const endless = `P:foo\nV:1\nT:${'x'.repeat(defaultReadLimits.maxLineBytes)}`;
    for (const text of [endless, `${endless}\n\n`]) {
      expect(() => scan(text, 65_536)).toThrow(/^line 3: longer than 2097152 bytes$/);
    }
  });

  test.each(['p', 'D', 'i'])(
    'lines %s: that are longer than the cap together make a stanza bad',
    (letter) => {
      const line = `${letter}:${'x '.repeat(defaultReadLimits.maxLineBytes / 4)}\n`;
      const { packages, report } = scan(`${foo}${bar}${line}${line}\n`);
      expect([...packages.names()]).toEqual(['foo']);
      expect(report).toMatchObject({
        badStanzas: 1,
        firstBadStanza: expect.stringContaining('a list of more than 2097152 bytes') as unknown,
      });
    },
  );

  test('more packages than allowed are refused', () => {
    const scanner = new IndexScanner({ ...defaultReadLimits, maxPackages: 1 });
    expect(() => scanner.push(Buffer.from(foo + bar + '\n'))).toThrow(/more than 1 packages/);
  });

  test('packages of another arch and with unknown fields of no lower case letter are kept as unusable', () => {
    const text = indexText([
      pkg('foo', '1', { A: 'aarch64' }),
      pkg('foo', '2'),
      pkg('foo', '3', { A: 'noarch' }),
      pkg('foo', '4', { X: '1' }),
      pkg('foo', '5', { 1: 'x' }),
      pkg('foo', '6', { _: 'x' }),
      pkg('foo', '7', { y: 'x', g: 'x', M: 'x' }),
    ]);
    expect(
      scan(text, 1 << 20, 'x86_64')
        .packages.named('foo')
        .map((each) => each.unusable),
    ).toEqual([
      ...['foreign-arch', undefined, undefined],
      ...['unknown-field', 'unknown-field', 'unknown-field', undefined],
    ]);
  });

  test.each([
    ['lib', undefined],
    ['lib>=1.0-r0 !other<2 so:x.so.1~1 lib><Q1abc lib==2 =1', undefined],
    ['lib other=', 'broken-dependency'],
    ['lib><', 'broken-dependency'],
    ['lib@edge', 'broken-dependency'],
    ['lib>=1.0-rc1', 'broken-dependency'],
    ['!lib<2.x', 'broken-dependency'],
    ['bash (>= 4)', 'broken-dependency'],
    [' lib', 'broken-dependency'],
    ['lib  other ', undefined],
  ])('a package with the dependencies %j is unusable: %s', (D, unusable) => {
    // The same list again is read from memory, and an empty one has none of its flags.
    const text = indexText([pkg('foo', '1', { D }), pkg('foo', '2', { D }), pkg('foo', '3')]);
    const found = scan(text).packages.named('foo');
    expect(found.map((each) => each.unusable)).toEqual([unusable, unusable, undefined]);
  });

  test.each([
    ['foo=1 x= bar=2', ['foo=1']],
    ['foo=1 x>= bar=2', ['foo=1']],
    ['foo@edge=1 bar=2', []],
    ['foo=1 bar=2 x@edge', ['foo=1', 'bar=2']],
    ['foo=1 x=\np:bar=2', ['foo=1', 'bar=2']],
    ['foo=none bar=1@2', ['foo=none', 'bar=1@2']],
    ['!foo=1 !bar !', ['foo=1', 'bar=undefined']],
  ])('of the provides %j apk reads %j', (p, expected) => {
    const { packages } = scan(indexText([pkg('all', '1', { p })]));
    const [all] = packages.named('all');
    expect(all?.provides.map(({ name, version }) => `${name}=${version}`)).toEqual(expected);
    for (const name of ['foo', 'bar', 'x', '!foo']) {
      const versions = all?.provides.filter((each) => each.name === name).map(({ version }) => version);
      expect(all?.provided(name)).toEqual(versions);
      expect(packages.providing(name)).toHaveLength(versions?.length ?? 0);
    }
  });

  test.each([
    ['10', 10],
    ['65535', 65_535],
    ['65536', 0],
    ['4294967306', 10],
    ['99999999999999999999', 65535],
    ['7x', 7],
    ['-1', 0],
  ])('the provider priority %s has 16 bits: %d', (k, priority) => {
    expect(scan(indexText([pkg('bar', '1', { k })])).packages.named('bar')[0]?.priority).toBe(priority);
  });

  test('an index of more than a thousand archs is refused: to count them would take long', () => {
    const indexOf = (archs: number): string =>
      indexText(
        Array.from({ length: 3000 }, (_, i) => pkg('foo', `${i}`, i < archs ? { A: `a${i}` } : { A: '' })),
      );
    expect(scan(indexOf(999)).packages.packageCount).toBe(3000);
    expect(() => scan(indexOf(1001))).toThrow('more than 1000 archs');
  });

  test('an index for another arch than asked for is refused', () => {
    expect(() => scan(foo, 1 << 20, 'aarch64')).toThrow('most packages are for x86_64, expected aarch64');
  });
});

test('an identity is the first 20 bytes of a hash, however it is written', () => {
  const hash = Buffer.from('00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef', 'hex');
  const first = hash.subarray(0, 20);
  const texts = [
    `Q1${first.toString('base64')}`,
    `Q1${first.toString('base64')}${hash.toString('base64', 20)}`,
    `Q2${hash.toString('base64')}`,
    `X1${first.toString('hex')}`,
    `X2${hash.toString('hex').toUpperCase()}`,
  ];
  for (const C of texts) {
    const { packages } = scan(indexText([pkg('foo', '1', { C })]));
    expect(packages.named('foo')[0]?.identity, C).toBe(texts[0]);
  }
  const all = scan(indexText(texts.map((C, i) => pkg('foo', `${i}`, { C }))));
  expect(all.packages.packageCount).toBe(1);
  const others = ['Q1', 'Q2abc', `X1${hash.toString('hex', 0, 19)}`, `Q3${hash.toString('base64')}`, 'X'];
  const { packages } = scan(indexText(others.map((C, i) => pkg('foo', `${i}`, { C }))));
  expect(packages.packageCount).toBe(5);
});

test('packages without an identity get their own, as long as they differ', () => {
  const foo = { P: 'foo', V: '1.0-r0', A: 'x86_64' };
  const others = [{ V: '1.1-r0' }, { t: '1' }, { A: 'aarch64' }, { k: '1' }, { p: 'bar' }, { D: 'bar' }];
  const { packages } = scan(indexText([foo, ...others.map((each) => ({ ...foo, ...each })), foo, foo, foo]));
  expect(packages.packageCount).toBe(8);
  expect(new Set(packages.named('foo').map(({ identity }) => identity)).size).toBe(8);
});

/** If an engine of the oracle accepts an index, so does this scanner. It reads what apk 3 reads, and more. */
test('agrees with what apk-tools and apko read', () => {
  interface Case {
    readonly title: string;
    readonly text?: string;
    readonly world: readonly string[];
    readonly result: Record<'apk2' | 'apk3' | 'apko', { ok: boolean }>;
  }
  const cases = readOracle<{ cases: Case[] }>('parser-quirks.json').cases.filter(
    ({ text }) => text !== undefined,
  );
  const asked = ({ text, world }: Case): boolean => {
    const { packages } = scan(text ?? '');
    const [name = ''] = world;
    return [...packages.named(name), ...packages.providing(name)].some((each) => each.unusable === undefined);
  };
  const disagreements = cases.filter((each) => each.result.apk3.ok && !asked(each));
  expect(cases.length).toBeGreaterThan(30);
  expect(disagreements.map(({ title }) => title)).toEqual([]);
});

test('gives the same answers as the plain way, however the bytes are cut', () => {
  const word = fc.constantFrom('foo', 'bar', 'so:libc.so.6', '/bin/sh', 'constructor', '__proto__', 'ünï');
  const version = fc.constantFrom('1.0-r0', '1.1-r0', '2', 'latest');
  const token = fc.oneof(
    word,
    fc.tuple(word, fc.constantFrom('=', '==', '~', '>=', '<'), version).map((parts) => parts.join('')),
    word.map((name) => `!${name}`),
    fc.constantFrom('foo=', 'bar@edge=1', '!bar=1.1-r0', 'x><', '=1', '!'),
  );
  const list = fc.array(token, { maxLength: 4 }).map((tokens) => tokens.join(' '));
  const line = fc.oneof(
    { weight: 4, arbitrary: word.map((name) => `P:${name}`) },
    { weight: 4, arbitrary: version.map((text) => `V:${text}`) },
    fc.constantFrom(
      'A:x86_64',
      'A:aarch64',
      'A:noarch',
      'X:1',
      '1:x',
      'k:65546',
      'k:7x',
      'z:1',
      'C:Q1a',
      'C:Q1b',
      'C:Q1EjRWeJCrze8BI0VniavN7xI0Vng=',
      'C:X11234567890abcdef0123456789abcdef12345678',
      'U:https://a.b',
      'hello',
      't:12',
      't:x',
    ),
    list.map((tokens) => `p:${tokens}`),
    list.map((tokens) => `D:${tokens}`),
  );
  const stanza = fc
    .array(line, { minLength: 2, maxLength: 7 })
    .map((lines) => `P:a\nV:1\n${lines.join('\n')}\n\n`);
  // Valid stanzas first, so that bad and foreign ones are not the majority.
  const plainStanzas = Array.from({ length: 40 }, (_, i) => `P:plain${i}\nV:1\nA:x86_64\n\n`).join('');
  const text = fc.array(stanza, { maxLength: 30 }).map((all) => plainStanzas + all.join(''));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 300 }), (input, chunkBytes) => {
      expect(dump(scan(input, chunkBytes, 'x86_64').packages)).toEqual(dump(simplePackages(input, 'x86_64')));
    }),
    { numRuns: 300 },
  );
});
