import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fileOf } from '../../src/export/layout.ts';

test.each([
  ['curl', 'curl'],
  ['libstdc++', 'libstdc++'],
  ['so:libssl.so.3', 'so:libssl.so.3'],
  ['/bin/sh', 'bin/sh'],
  ['so:/usr/lib/lua/5.1/lpeg.so', 'so:/usr/lib/lua/5.1/lpeg.so'],
  ['latest', 'latest'],
])('%s lies where its URL leads', (name, path) => {
  expect(fileOf(name, new Set([name, 'other']))).toBe(path);
});

test.each([
  ['/bin/sh', 'a package bin', ['bin'], '-/name/%2Fbin%2Fsh'],
  ['/bin/sh', 'a name bin/sh', ['bin/sh'], '-/name/%2Fbin%2Fsh'],
  ['/a/b/c', 'a name /a/b', ['/a/b'], '-/name/%2Fa%2Fb%2Fc'],
  ['data.gz', 'the compressed copy of another', [], '-/name/data%2Egz'],
  ['/x/latest', 'a route of another', [], '-/name/%2Fx%2Flatest'],
  ['/etc/../x', 'a way out', [], '-/name/%2Fetc%2F%2E%2E%2Fx'],
  ['..', 'a way out', [], '-/name/%2E%2E'],
  ['a//b', 'an empty segment', [], '-/name/a%2F%2Fb'],
  ['-', 'what is no lookup', [], '-/name/-'],
  ['100%', 'half an encoding', [], '-/name/100%25'],
  ['x.html', 'a page', [], '-/name/x%2Ehtml'],
  ['/x/INDEX.SHTM', 'a page', [], '-/name/%2Fx%2FINDEX%2ESHTM'],
  ['x.php', 'a program', [], '-/name/x%2Ephp'],
  ['.htaccess', 'a configuration', [], '-/name/%2Ehtaccess'],
  ['/x/.user.ini', 'a configuration', [], '-/name/%2Fx%2F%2Euser%2Eini'],
])('%s, which would be %s, gives way', (name, _as, others, path) => {
  expect(fileOf(name, new Set([name, ...others]))).toBe(path);
});

test.each(['curl', 'libstdc++', 'so:libssl.so.3', '/bin/sh', 'so:/usr/lib/x.so'])(
  'a file server finds %s by the URL that Renovate asks for, encoded or not',
  (name) => {
    for (const url of [`/wolfi/${name}`, `/wolfi/${encodeURIComponent(name)}`]) {
      // How nginx, Go's and Python's servers treat a path.
      const served = decodeURIComponent(url).replace(/\/+/g, '/');
      expect(served).toBe(`/wolfi/${fileOf(name, new Set([name]))}`);
    }
  },
);

/** Few letters, so that names collide. */
const names = fc.uniqueArray(
  fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '-', 'é', '%', ':'), minLength: 1, maxLength: 8 }),
    fc.constantFrom('latest', '/a/latest', 'a.gz', '-/name/a', 'a'.repeat(256), 'é'.repeat(256)),
  ),
  { minLength: 1, maxLength: 12 },
);

/** The name of the answer at `path`. */
function nameOf(path: string, names: ReadonlySet<string>): string {
  if (path.startsWith('-/name/'))
    return decodeURIComponent(path.slice('-/name/'.length).replaceAll('+/', ''));
  return names.has(path) ? path : `/${path}`;
}

test('every path leads back to its name, and no file is in the way of another or of its copies', () => {
  fc.assert(
    fc.property(names, (list) => {
      const all = new Set(list);
      const paths = list.map((name) => fileOf(name, all));
      expect(paths.map((path) => nameOf(path, all))).toEqual(list);
      const taken = new Set(paths.flatMap((path) => [path, `${path}.gz`, `${path}.br`]));
      expect(taken.size).toBe(3 * list.length);
      for (const path of taken) {
        const segments = path.split('/');
        expect(segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')).toBe(true);
        expect(Math.max(...segments.map((segment) => Buffer.byteLength(segment)))).toBeLessThanOrEqual(255);
        for (let i = 1; i < segments.length; i += 1)
          expect(taken).not.toContain(segments.slice(0, i).join('/'));
      }
    }),
    { numRuns: 2000 },
  );
});
