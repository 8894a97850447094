/** The import rules of docs/architecture.md. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

/** What a folder may import besides itself and `errors.ts`. Folders that are not named may import anything. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  apk: ['node:zlib', 'node:crypto', 'pako'],
  catalog: ['apk', 'semver', 'tar-stream', 'node:zlib', 'node:crypto'],
  repository: ['apk', 'catalog', 'node:', 'undici', 'zod'],
};

const sources = globSync('src/**/*.ts').map((file) => ({ file, text: readFileSync(file, 'utf8') }));
const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:from|import\() ?'([^']+)'/g)].map((match) => match[1] ?? '');

test.each(sources)('$file imports what its folder may', ({ file, text }) => {
  const folder = file.split('/')[1] ?? '';
  const rules = allowed[folder];
  const wrong = importsOf(text).filter((from) => {
    const target = from.startsWith('.') ? normalize(join(dirname(file), from)).split('/')[1] : from;
    if (target === 'errors.ts' || target === folder || !rules)
      return target === 'cli' && folder !== 'cli' && folder !== 'main.ts';
    return !rules.some((rule) => target === rule || (rule.endsWith(':') && target?.startsWith(rule)));
  });
  expect(wrong).toEqual([]);
});

test.each(sources.filter(({ file }) => /^src\/(apk|catalog)\//.test(file)))(
  '$file does no I/O, reads no clock and logs nothing',
  ({ text }) => {
    expect(text).not.toMatch(
      /\bDate\.now\b|new Date\(\)|performance\.|Math\.random|process\.|console\.|setTimeout|setImmediate/,
    );
  },
);

test('only the configuration and the entry point know the environment', () => {
  const readers = sources.filter(({ text }) => text.includes('process.env')).map(({ file }) => file);
  expect(readers).toEqual(['src/main.ts']);
});

const companion = globSync('companion/**/*.ts').map((file) => ({ file, text: readFileSync(file, 'utf8') }));

test.each(companion)('$file imports nothing of the service but src/apk', ({ file, text }) => {
  const outside = importsOf(text)
    .filter((from) => from.startsWith('.'))
    .map((from) => normalize(join(dirname(file), from)))
    .filter((target) => !/^(companion|src\/apk)\//.test(target));
  expect(outside).toEqual([]);
});

test('the service does not import the companion', () => {
  expect(sources.filter(({ text }) => importsOf(text).some((from) => from.includes('companion')))).toEqual(
    [],
  );
});
