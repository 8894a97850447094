import { expect, test } from 'vitest';
import { listsByKind, listsByLetter, rangesOf } from '../../src/export/name-lists.ts';

test('packages are listed by first letter, without regard to case', () => {
  expect(listsByLetter(['7zip', 'R', 'R-base', 'ruby', 'rust', '_x', 'ß'])).toEqual([
    { title: '7', file: '7', names: ['7zip'] },
    { title: 'r', file: 'r', names: ['R', 'R-base', 'ruby', 'rust'] },
    { title: 'Other characters', file: 'other', names: ['_x', 'ß'] },
  ]);
  const mixed = listsByLetter(['Zb', 'Ab', 'aa', 'ac', 'za']);
  expect(mixed.map(({ names }) => names)).toEqual([
    ['aa', 'Ab', 'ac'],
    ['za', 'Zb'],
  ]);
});

test('provided names are listed by kind; kinds without names are left out', () => {
  expect(listsByKind(['/bin/sh', 'cmd:curl', 'cmd:sh', 'ocaml:x', 'so:libc.so.6'])).toEqual([
    expect.objectContaining({ file: 'commands', names: ['cmd:curl', 'cmd:sh'] }),
    expect.objectContaining({ file: 'libraries', names: ['so:libc.so.6'] }),
    expect.objectContaining({ file: 'provided', names: ['/bin/sh', 'ocaml:x'] }),
  ]);
});

test.each([1, 199, 200, 201, 400, 401, 6555])(
  '%d names: every name once, in order, on short pages',
  (count) => {
    const names = Array.from({ length: count }, (_, i) => `p${String(i).padStart(4, '0')}`);
    const list = { title: 'p', file: 'p', names };
    const ranges = rangesOf(list);
    expect(ranges.flatMap((range) => range.names)).toEqual(names);
    expect(ranges.length).toBe(Math.ceil(count / 200));
    const lengths = ranges.map((range) => range.names.length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(200);
    expect(Math.min(...lengths)).toBeGreaterThan(0);
    expect(new Set(ranges.map(({ file }) => file)).size).toBe(ranges.length);
    if (count <= 200) expect(ranges).toEqual([list]);
    else expect(ranges[0]?.title).toBe(`p0000 to ${ranges[0]?.names.at(-1)}`);
  },
);
