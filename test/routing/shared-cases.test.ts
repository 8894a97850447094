/** Compares `test/fixtures/routing/` with the collection it comes from, if that is beside the checkout. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { notAskedOf, readCases } from '../support/routing-cases.ts';
import { sharedData } from '../support/shared-data.ts';

const collection = `${sharedData ?? ''}../cases/`;
const cases = new Map(readCases().map((each) => [each.name, each]));
/** Of these the collection has nothing to be found in files. */
const elsewhere = ['explain-fuzzy-pin', 'moved-to-a-stream', 'one-index-for-all-archs', 'retired-stream'];
/** The fixture's name for a folder, and for a file in it. */
const folderOf = (name: string): string => name.replace(/\.sh$/, '');
const fileOf = (path: string): string => path.replace(/^d14-/, '');
/** The collection has loopback addresses for these. */
const published = (text: string): string =>
  text
    .replaceAll('http://127.0.0.1:3919/alpine', 'https://dl-cdn.alpinelinux.org/alpine')
    .replaceAll('http://127.0.0.1:3919/os', 'https://packages.wolfi.dev/os');

function filesBelow(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !['README.md', 'renovate.json'].includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

interface Row {
  readonly names: readonly string[];
  readonly expected: string;
}

/** The table of the collection's README: cases, and what is right. */
function rowsOf(readme: string): readonly Row[] {
  return readme.split('\n').flatMap((line) => {
    const [, left = '', expected = ''] = /^\| (`.*?) \| (.*) \|$/.exec(line) ?? [];
    const names = [...left.matchAll(/`([^`]+)`/g)].map(([, name = '']) => folderOf(name));
    return names.length > 0 ? [{ names, expected }] : [];
  });
}

describe.skipIf(!sharedData)('the collection', () => {
  const folder = `${collection}routing/`;
  const names = sharedData ? readdirSync(folder).filter((name) => !elsewhere.includes(name)) : [];

  test('is here as a whole', () => {
    expect(names.map(folderOf).filter((name) => !cases.has(name))).toEqual([]);
    expect(names.length).toBeGreaterThan(20);
  });

  test.each(names)('%s: the same files', (name) => {
    const files = name.endsWith('.sh') ? [folder + name] : filesBelow(folder + name);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files)
      expect(cases.get(folderOf(name))?.files[fileOf(relative(folder + name, file) || name)]).toBe(
        published(readFileSync(file, 'utf8')),
      );
  });

  const rows = sharedData ? rowsOf(readFileSync(`${collection}README.md`, 'utf8')) : [];
  const pinsOf = (name: string): readonly string[] => Object.values(cases.get(name)?.expected ?? {}).flat();

  test('says of every case what is right', () => {
    expect(rows.flatMap((row) => row.names).toSorted()).toEqual(expect.arrayContaining(names.map(folderOf)));
  });

  test.each(rows.filter(({ expected }) => /not asked/.test(expected)))(
    '$names: $expected',
    ({ names: some }) => {
      for (const name of some)
        expect(
          pinsOf(name).filter((pin) => notAskedOf(pin) === undefined),
          name,
        ).toEqual([]);
    },
  );

  test.each(rows.filter(({ expected }) => /found|goes? |is the base/.test(expected)))(
    '$names: $expected',
    ({ names: some }) => {
      for (const name of some) expect(pinsOf(name).length, name).toBeGreaterThan(0);
    },
  );
});
