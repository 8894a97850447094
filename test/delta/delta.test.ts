/** What is read of images, how apko layers them, and what hosts download. */
import { describe, expect, test } from 'vitest';
import { Catalog } from '../../src/catalog/catalog.ts';
import { IndexScanner } from '../../src/apk/index-scanner.ts';
import { defaultReadLimits } from '../../src/apk/read-index.ts';
import { readImage, type Definition } from '../../src/delta/definition.ts';
import { deltaOf, type Delta } from '../../src/delta/delta.ts';
import { layersOf, type Installed } from '../../src/delta/layers.ts';
import { resolveImage, type Resolution } from '../../src/delta/resolve.ts';
import { indexText, pkg, type Stanza } from '../support/signed-index.ts';

/** A package of an origin; the packed size is a third of the installed one. */
const own = (name: string, installed: number, { origin = name, version = '1-r0' } = {}): Installed => ({
  ...{ name, version, identity: `Q1${name}${version}`, origin },
  ...{ installed, packed: installed / 3 },
});

const systemd = [own('systemd', 300), own('udev', 90, { origin: 'systemd' })];
const packages = [...systemd, own('curl', 60), own('jq', 30), own('tini', 3)];

describe('the layers', () => {
  test.each<[string, number | undefined, readonly (readonly string[])[]]>([
    ['one for each origin, from the largest down', 10, [['systemd', 'udev'], ['curl'], ['jq'], ['tini']]],
    ['as many as the budget', 4, [['systemd', 'udev'], ['curl'], ['jq'], ['tini']]],
    ['the rest in one', 3, [['systemd', 'udev'], ['curl'], ['jq', 'tini']]],
    ['all in one', 1, [['curl', 'jq', 'systemd', 'tini', 'udev']]],
    ['all in one with a budget of none', 0, [['curl', 'jq', 'systemd', 'tini', 'udev']]],
    ['all in one without layering', undefined, [['curl', 'jq', 'systemd', 'tini', 'udev']]],
  ])('%s', (_, budget, expected) => {
    expect(layersOf(packages, budget).map((layer) => layer.packages.map(({ name }) => name))).toEqual(
      expected,
    );
  });

  test('have the packages without an origin in one, as apko does', () => {
    const without = ['a', 'b'].map((name) => own(name, 20, { origin: '' }));
    const layers = layersOf([...without, own('c', 30)], 9);
    expect(layers.map(({ origins }) => origins)).toEqual([['a', 'b'], ['c']]);
  });

  test('of the same size are in the order of their last names', () => {
    const same = [own('b', 5), own('z', 1, { origin: 'a' }), own('a', 4), own('c', 5)];
    expect(layersOf(same, 9).map(({ origins }) => origins[0])).toEqual(['b', 'c', 'a']);
  });
});

describe('the delta', () => {
  const delta = (after: readonly Installed[], budget: number | 'none' = 10): Delta => {
    const layering = { budget: budget === 'none' ? undefined : budget };
    return deltaOf({ packages, ...layering }, { packages: after, ...layering });
  };
  const raised = (name: string, all = packages): Installed[] =>
    all.map((each) => (each.name === name ? { ...each, version: '2-r0', identity: 'Q1new' } : each));

  test('of the same packages is nothing', () => {
    expect(delta(packages)).toMatchObject({ bytes: 0, top: 0, layers: [], changes: [] });
    expect(delta(packages).whole.layers).toBe(5);
  });

  test('of a raised package is the layer of its origin and the top one', () => {
    const { layers, top, bytes, changes } = delta(raised('udev'));
    expect(layers).toEqual([{ origins: ['systemd'], packages: ['systemd', 'udev'], bytes: 130 }]);
    expect(bytes).toBe(130 + top);
    expect(changes).toEqual([{ name: 'udev', from: '1-r0', to: '2-r0' }]);
  });

  test('of a small package in the common layer is all of that layer', () => {
    expect(delta(raised('tini'), 3).layers).toEqual([
      { origins: ['jq', 'tini'], packages: ['jq', 'tini'], bytes: 11 },
    ]);
  });

  test('of a package that grows into a layer of its own is two layers', () => {
    const grown = packages.map((each) =>
      each.name === 'tini' ? own('tini', 70, { version: '2-r0' }) : each,
    );
    expect(delta(grown, 3).layers.map(({ packages: all }) => all)).toEqual([['tini'], ['curl', 'jq']]);
  });

  test('of another build of the same version is its layer', () => {
    const rebuilt = packages.map((each) => (each.name === 'jq' ? { ...each, identity: 'Q1other' } : each));
    expect(delta(rebuilt).layers.map(({ origins }) => origins)).toEqual([['jq']]);
  });

  test('of a package that goes is the top layer only', () => {
    const { layers, top, changes } = delta(packages.filter(({ name }) => name !== 'jq'));
    expect(layers).toEqual([]);
    expect(top).toBeGreaterThan(0);
    expect(changes).toEqual([{ name: 'jq', from: '1-r0' }]);
  });

  test('without layering is the whole image', () => {
    const { layers, bytes, whole } = delta(raised('tini'), 'none');
    expect(layers).toHaveLength(1);
    expect(bytes).toBe(whole.bytes);
  });
});

describe('an image', () => {
  const files: Readonly<Record<string, string>> = {
    'base.yaml':
      'contents: { packages: [busybox] }\narchs: [amd64, arm64]\nlayering: { strategy: origin, budget: 16 }\n',
    'loop.yaml': 'include: loop.yaml\n',
  };
  const read = (text: string): ReturnType<typeof readImage> =>
    readImage(text, 'image.yaml', (name) => files[name] ?? '');

  test('has the packages of what it includes first, and its own archs and layering', () => {
    expect(read('include: base.yaml\ncontents: { packages: [curl=8.1-r0] }\n')).toEqual({
      packages: ['busybox', 'curl=8.1-r0'],
      archs: ['x86_64', 'aarch64'],
      budget: 16,
    });
    expect(read('contents: { packages: ["curl>=8 curl<9 ", jq] }\n')).toMatchObject({
      packages: ['curl>=8', 'curl<9', 'jq'],
    });
    expect(read('include: base.yaml\narchs: [arm64]\nlayering: { strategy: origin, budget: 3 }\n')).toEqual({
      packages: ['busybox'],
      archs: ['aarch64'],
      budget: 3,
    });
  });

  test.each([
    ['{ strategy: origin }', 0],
    ['{ strategy: origin, budget: 0 }', 0],
    ['{}', undefined],
    ['null', 16],
  ])('with layering: %s has the budget %j', (layering, budget) => {
    expect(read(`include: base.yaml\nlayering: ${layering}\n`)).toMatchObject({ budget });
  });

  test('may be locked: exact packages, and the size of their downloads', () => {
    const lock = {
      version: 'v1',
      config: { name: 'image.yaml' },
      contents: {
        packages: [
          {
            ...{ name: 'curl', version: '8.1-r0', architecture: 'x86_64', checksum: 'Q1…' },
            data: { range: 'bytes=1200-98765' },
          },
          { name: 'curl', version: '8.1-r0', architecture: 'aarch64' },
        ],
      },
    };
    expect(read(JSON.stringify(lock))).toEqual({
      definition: 'image.yaml',
      packages: new Map([
        ['x86_64', [{ name: 'curl', version: '8.1-r0', identity: 'Q1…', packed: 98_766 }]],
        ['aarch64', [{ name: 'curl', version: '8.1-r0', identity: undefined, packed: undefined }]],
      ]),
    });
  });

  test.each([
    ['packages: [curl]', 'neither an apko definition nor a lock file'],
    ['- a list', 'neither an apko definition nor a lock file'],
    ['contents: { packages: {', 'not YAML'],
    ['include: loop.yaml', 'more than 20 includes'],
  ])('%j is refused', (text, fact) => {
    expect(() => read(text)).toThrow(fact);
  });
});

describe('a resolution', () => {
  const sized = (name: string, version: string, fields: Stanza = {}): Stanza =>
    pkg(name, version, { S: '100', I: '300', o: name, ...fields });
  const resolve = (
    image: Definition | ReturnType<typeof readImage>,
    stanzas: readonly Stanza[],
  ): Resolution => {
    const scanner = new IndexScanner({ ...defaultReadLimits, withSizes: true });
    scanner.push(Buffer.from(indexText(stanzas)));
    const source = { repository: 'os', arch: 'x86_64', packages: scanner.end().packages };
    const { sources } = new Catalog({ sources: [source], archs: ['x86_64'] });
    const place = { arch: 'x86_64', sources: new Map([['x86_64', sources]]) };
    return resolveImage(image, { file: 'image.yaml', budget: 7 }, place);
  };
  const definition = (...listed: readonly string[]): Definition => ({
    packages: listed,
    archs: [],
    budget: 5,
  });
  const stanzas = [
    sized('curl', '8.1-r0', { D: 'libcurl=8.1-r0' }),
    sized('libcurl', '8.1-r0', { S: '50', o: 'curl' }),
    sized('jq', '1.7-r0', { D: 'so:libonig.so.5' }),
    sized('oniguruma', '6.9-r0', { p: 'so:libonig.so.5=5' }),
  ];

  test('has what apko installs, with origins and sizes', () => {
    const { packages: all, budget, withdrawn } = resolve(definition('curl=8.1-r0', 'jq'), stanzas);
    expect(all.map(({ name, origin, packed }) => `${name} ${origin} ${packed}`).toSorted()).toEqual([
      ...['curl curl 100', 'jq jq 100', 'libcurl curl 50', 'oniguruma oniguruma 100'],
    ]);
    expect([budget, withdrawn]).toEqual([5, []]);
  });

  test('takes a withdrawn pin as what the index has, at its own version', () => {
    const { packages: all, withdrawn } = resolve(definition('curl=8.0-r0'), stanzas);
    expect(all.find(({ name }) => name === 'curl')).toMatchObject({
      version: '8.0-r0',
      identity: '',
      packed: 100,
    });
    expect(withdrawn).toEqual(['curl=8.0-r0']);
  });

  test.each([
    ['8.1-r0', []],
    ['8.0-r0', ['curl=8.0-r0@local']],
  ])('of a pin with a tag has version %s', (version, gone) => {
    const { packages: all, withdrawn } = resolve(definition(`curl=${version}@local`), stanzas);
    expect(all.find(({ name }) => name === 'curl')).toMatchObject({ version });
    expect(withdrawn).toEqual(gone);
  });

  test('of a lock file has its packages and the sizes it has', () => {
    const lock = {
      definition: 'image.yaml',
      packages: new Map([
        [
          'x86_64',
          [
            { name: 'curl', version: '8.1-r0', identity: 'Q1…', packed: 120 },
            { name: 'libcurl', version: '7-r0', identity: 'Q1…', packed: undefined },
            { name: 'gone', version: '1-r0', identity: 'Q1…', packed: 10 },
          ],
        ],
      ]),
    };
    const { packages: all, budget, withdrawn } = resolve(lock, stanzas);
    expect(all.map(({ name, version, packed, installed }) => [name, version, packed, installed])).toEqual([
      ['curl', '8.1-r0', 120, 300],
      ['libcurl', '7-r0', 50, 300],
      ['gone', '1-r0', 10, 0],
    ]);
    expect([budget, withdrawn]).toEqual([7, ['libcurl=7-r0', 'gone=1-r0']]);
  });

  test('of a lock file has its builds: another one of the same version is a change', () => {
    const locked = (checksum: string | undefined): Resolution => {
      const own = { name: 'curl', version: '8.1-r0', architecture: 'x86_64', checksum };
      const lock = JSON.stringify({ version: 'v1', contents: { packages: [own] } });
      return resolve(
        readImage(lock, 'image.lock.json', () => ''),
        stanzas,
      );
    };
    const [current] = stanzas;
    const changes = (checksum?: string): unknown => deltaOf(locked(checksum), locked(current?.['C'])).changes;
    expect(changes('Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=')).toEqual([
      { name: 'curl', from: '8.1-r0', to: '8.1-r0' },
    ]);
    expect([changes(current?.['C']), changes()]).toEqual([[], []]);
  });

  test('counts a withdrawn pin of a lock file as the newest version, wherever the index lists it', () => {
    const versions = ['8.2-r0', '8.10-r0', '8.9-r0'];
    const lock = {
      definition: undefined,
      packages: new Map([
        ['x86_64', [{ name: 'curl', version: '8.1-r0', packed: undefined, identity: undefined }]],
      ]),
    };
    const index = versions.map((version, i) => sized('curl', version, { S: `${i}00` }));
    expect(resolve(lock, index).packages[0]).toMatchObject({ version: '8.1-r0', packed: 100 });
  });

  test('that apko could not make is refused with the reason', () => {
    expect(() => resolve(definition('missing'), stanzas)).toThrow(
      'image.yaml: apko cannot build it for x86_64: nothing provides missing',
    );
  });
});
