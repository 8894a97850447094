/** The import rules of docs/architecture.md. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Single files that every folder may import. */
const common = [
  'errors.ts',
  'addresses.ts',
  'archs.ts',
  'edit-distance.ts',
  'sorted.ts',
  'version.ts',
  'xml.ts',
];

/** Allowed imports per folder, besides itself and the common files; a name that ends in `:` is a prefix. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  apk: ['node:zlib', 'node:crypto', 'pako'],
  catalog: ['apk'],
  advisories: ['apk', 'catalog', 'node:zlib'],
  ledger: ['apk', 'catalog'],
  'ledger-store': ['apk', 'catalog', 'ledger', 'repository', 'node:', 'pg', 'zod'],
  notify: ['apk', 'catalog', 'node:crypto'],
  'notify-delivery': ['answers', 'apk', 'catalog', 'ledger-store', 'metrics', 'notify', 'repository', 'node:'],
  routing: ['lru-cache'],
  pins: ['routing', 'yaml'],
  repository: ['advisories', 'apk', 'catalog', 'node:', 'undici', 'zod'],
  answers: ['advisories', 'apk', 'catalog', 'repository', 'node:', 'lru-cache', 'semver', 'tar-stream', 'zod'],
  delta: ['apk', 'catalog', 'check', 'yaml', 'zod'],
  check: ['advisories', 'answers', 'apk', 'catalog', 'ledger', 'pins', 'routing', 'node:', 'lru-cache', 'zod'],
  metrics: ['answers', 'catalog', 'ledger', 'notify', 'repository', 'lru-cache', 'prom-client'],
  renovate: ['routing'],
  pages: ['answers', 'catalog', 'http', 'node:crypto', 'preact', 'htm', 'preact-render-to-string'],
  config: ['node:', 'repository', 'yaml', 'zod'],
  http: [
    'answers', 'apk', 'catalog', 'check', 'ledger', 'metrics', 'notify', 'pages', 'renovate', 'repository', 'routing',
    'node:',
    'fastify', 'lru-cache', 'zod',
  ],
  export: ['advisories', 'answers', 'catalog', 'config', 'pages', 'repository', 'node:'],
  service: [
    'answers', 'apk', 'catalog', 'check', 'config', 'delta', 'http', 'ledger', 'ledger-store', 'metrics', 'notify-delivery',
    'renovate', 'repository', 'routing', 'node:', 'fastify', 'pino', 'pino-pretty',
  ],
}; // prettier-ignore

const sources = globSync('src/**/*.ts').map((file) => ({ file, text: readFileSync(file, 'utf8') }));
const importsOf = (text: string): string[] =>
  [...text.matchAll(/^(?:import|export) [\w*\s{},]*\bfrom '([^'\n]+)';|\bimport\('([^']+)'\)/gm)].map(
    ([, declared, loaded]) => declared ?? loaded ?? '',
  );

const folderOf = (file: string): string => file.split('/')[1] ?? '';
/** The folders and packages that a file imports, besides its own folder and the common files. */
const importedBy = ({ file, text }: { file: string; text: string }): string[] =>
  importsOf(text)
    .map((from) => {
      if (from.startsWith('.')) return folderOf(normalize(join(dirname(file), from)));
      return from.startsWith('node:') ? from : (from.split('/')[0] ?? '');
    })
    .filter((target) => !common.includes(target) && target !== folderOf(file));
const allows = (rule: string, target: string): boolean =>
  rule === target || (rule.endsWith(':') && target.startsWith(rule));

test.each(sources)('$file imports what its folder may', (source) => {
  const rules = allowed[folderOf(source.file)];
  const wrong = importedBy(source).filter((target) => rules?.every((rule) => !allows(rule, target)));
  expect(wrong).toEqual([]);
});

test.each(Object.keys(allowed))('%s imports all that it may', (folder) => {
  const imported = sources.filter(({ file }) => folderOf(file) === folder).flatMap(importedBy);
  expect(allowed[folder]?.filter((rule) => !imported.some((target) => allows(rule, target)))).toEqual([]);
});

test('every folder but the commands has a rule', () => {
  const folders = new Set(
    sources.filter(({ file }) => file.split('/').length > 2).map(({ file }) => file.split('/')[1]),
  );
  folders.delete('cli');
  expect([...folders].filter((folder) => !Object.hasOwn(allowed, folder ?? ''))).toEqual([]);
});

describe('pure folders', () => {
  test.each(
    sources.filter(({ file }) =>
      /^src\/(advisories|apk|catalog|delta|ledger|notify|pins|routing)\//.test(file),
    ),
  )('$file does no I/O, reads no clock and logs nothing', ({ text }) => {
    expect(text).not.toMatch(
      /\bDate\.now\b|new Date\(\)|performance\.|Math\.random|process\.|console\.|setTimeout|setImmediate/,
    );
  });
});

test('only the entry point reads the environment', () => {
  const readers = sources.filter(({ text }) => text.includes('process.env')).map(({ file }) => file);
  expect(readers).toEqual(['src/main.ts']);
});
