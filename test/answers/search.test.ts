import { expect, test } from 'vitest';
import { NameSearch, type Match } from '../../src/answers/search.ts';
import { catalog, catalogOf } from '../support/catalogs.ts';
import { pkg } from '../support/signed-index.ts';

const namesOf = (search: NameSearch, query: string, match?: Match): string[] =>
  search
    .find(query)
    .hits.filter((hit) => match === undefined || hit.match === match)
    .map(({ name }) => name);

test('names of all archs are found, each once', async () => {
  const from = catalogOf({
    x86_64: [[pkg('curl', '1-r0'), pkg('curl-x86', '1-r0')]],
    aarch64: [[pkg('curl', '1-r0'), pkg('curl-arm', '1-r0')]],
  });
  expect(namesOf(await NameSearch.build(from), 'curl')).toEqual(['curl', 'curl-arm', 'curl-x86']);
});

test('a name that packages have and provide is a package; others are marked as provided', async () => {
  const search = await NameSearch.build(
    catalog([pkg('gawk', '1-r0', { p: 'awk=1 cmd:awk=1' }), pkg('awk', '2-r0')]),
  );
  expect(search.find('awk').hits).toEqual([
    { name: 'awk', provided: false, match: 'exact' },
    { name: 'gawk', provided: false, match: 'substring' },
    { name: 'cmd:awk', provided: true, match: 'substring' },
  ]);
});

test('upper and lower case match each other, and names keep theirs', async () => {
  const search = await NameSearch.build(catalog([pkg('perl-YAML', '1-r0'), pkg('R', '1-r0')]));
  expect(namesOf(search, 'yaml')).toEqual(['perl-YAML']);
  expect(namesOf(search, 'PERL-yaml', 'exact')).toEqual(['perl-YAML']);
  expect(namesOf(search, 'r', 'exact')).toEqual(['R']);
});

test.each([
  ['postgersql', 'postgresql'],
  ['ngnix', 'nginx'],
  ['kubernets', 'kubernetes'],
  ['openssll', 'openssl'],
  ['pyhton', 'python'],
])('%s is %s with a typing error', async (typed, meant) => {
  const names = ['postgresql', 'nginx', 'kubernetes', 'openssl', 'python', 'bash'];
  const search = await NameSearch.build(catalog(names.map((name) => pkg(name, '1-r0'))));
  expect(search.find(typed).hits).toEqual([{ name: meant, provided: false, match: 'typo' }]);
});

test('one typing error comes before two, as with the name that another distribution has', async () => {
  const names = ['openjdk-8', 'openjdk-11', 'openjdk-17', 'openjdk-21', 'openjdk-25'];
  const search = await NameSearch.build(catalog(names.map((name) => pkg(name, '1-r0'))));
  expect(namesOf(search, 'openjdk21')).toEqual([
    'openjdk-21',
    'openjdk-8',
    'openjdk-11',
    'openjdk-17',
    'openjdk-25',
  ]);
});

test('neighbours in memory are not taken for one name', async () => {
  const search = await NameSearch.build(catalog([pkg('ab', '1-r0'), pkg('cd', '1-r0')]));
  expect(namesOf(search, 'bc')).toEqual([]);
  expect(namesOf(search, 'b\nc')).toEqual([]);
  expect(namesOf(search, 'ab')).toEqual(['ab']);
  expect(namesOf(search, 'cd')).toEqual(['cd']);
});

test('names in other scripts are found whole', async () => {
  const search = await NameSearch.build(
    catalog([pkg('größe', '1-r0'), pkg('日本語', '1-r0'), pkg('a', '1-r0')]),
  );
  expect(namesOf(search, 'GRÖßE')).toEqual(['größe']);
  expect(namesOf(search, '本語')).toEqual(['日本語']);
});

test('of many hits the best are listed, and `more` is set', async () => {
  const names = Array.from({ length: 3000 }, (_, i) => pkg(`lib-${i}`, '1-r0'));
  const search = await NameSearch.build(catalog([...names, pkg('lib', '1-r0')]));
  const { hits, more } = search.find('lib');
  expect([hits.length, more]).toEqual([50, true]);
  expect(hits[0]).toEqual({ name: 'lib', provided: false, match: 'exact' });
  expect(search.find('lib-299').hits[0]?.name).toBe('lib-299');
});
