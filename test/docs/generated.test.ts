/** Documents made by `npm run docs`, and the examples of configurations in all documents. */
import { glob, readFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { documents, yamlOf } from '../../scripts/docs.ts';
import { configJsonSchema, configKeys } from '../../src/config/keys.ts';
import { configSchema } from '../../src/config/schema.ts';

test.each([...(await documents())])('%s is up to date with npm run docs', async (path, text) => {
  expect(await readFile(path, 'utf8')).toBe(text);
});

const configuration = await readFile('docs/configuration.md', 'utf8');

test.each(configKeys().map(({ name }) => name))('docs/configuration.md has the key %s', (name) => {
  expect(configuration).toContain(`| \`${name}\` `);
});

test('examples are valid YAML', () => {
  for (const { name, examples } of configKeys())
    for (const example of examples) {
      const written = parse(`${name}: ${yamlOf(example)}\n`) as Record<string, unknown>;
      expect(written[name]).toEqual(example);
    }
});

interface Example {
  readonly where: string;
  readonly text: string;
}

/** Configurations in files of their own and in blocks of the docs. Editors check them, so they name the JSON Schema. */
const files: Example[] = [
  {
    where: 'deploy/kubernetes/base/apk-beacon.yaml',
    text: await readFile('deploy/kubernetes/base/apk-beacon.yaml', 'utf8'),
  },
];
for await (const file of glob(['README.md', 'docs/**/*.md']))
  for (const [i, [, , text = '']] of [
    ...(await readFile(file, 'utf8')).matchAll(/^( *)```yaml\n(.*?)^\1```/gms),
  ].entries())
    if (/^datasources:/m.test(text)) files.push({ where: `${file}, block ${i + 1}`, text });

/** Configurations that are strings in other YAML: variables, inputs and files of Compose and CI. */
const inline: Example[] = [];
for await (const file of glob(['compose.yaml', 'deploy/**/*.{yml,yaml}', 'docs/**/*.md'])) {
  const text = await readFile(file, 'utf8');
  const blocks = [...text.matchAll(/^( *)```yaml\n(.*?)^\1```/gms)].map(([, , block = '']) => block);
  for (const yaml of file.endsWith('.md') ? blocks : [text])
    for (const document of parseAllDocuments(yaml, { logLevel: 'silent' }))
      for (const value of stringsIn(document.errors.length === 0 ? document.toJS() : undefined))
        if (/^datasources:/m.test(value))
          inline.push({ where: `${file}: ${inline.length + 1}`, text: value });
}

function stringsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

test('inline configurations are found where they are', () => {
  const places = inline.map(({ where }) => where.replace(/: \d+$/, '')).toSorted();
  expect(places).toEqual([
    'compose.yaml',
    'deploy/github/renovate.yml',
    'deploy/gitlab/check.gitlab-ci.yml',
    'deploy/gitlab/export.gitlab-ci.yml',
    'deploy/gitlab/renovate.gitlab-ci.yml',
    'docs/operate.md',
  ]);
});

test('npm links the man page: it reads a list, and ignores a single path', async () => {
  const { man } = JSON.parse(await readFile('package.json', 'utf8')) as { man: unknown };
  expect(man).toEqual(['docs/apk-beacon.1']);
});

test('roff prints the man page without a warning', ({ skip }) => {
  let warnings: string;
  try {
    const args = ['-c', 'groff -man -ww -z docs/apk-beacon.1 2>&1'];
    execFileSync('groff', ['--version']);
    warnings = execFileSync('sh', args, { encoding: 'utf8' });
  } catch {
    skip('groff is not installed');
    return;
  }
  expect(warnings).toBe('');
});

test('texts of plots end inside the picture, in a wide font too', async () => {
  for await (const file of glob('docs/performance/*.svg')) {
    const svg = await readFile(file, 'utf8');
    const [, width] = /viewBox="0 0 (\d+)/.exec(svg) ?? [];
    for (const [, x, text = ''] of svg.matchAll(/<text x="([\d.]+)"[^>]*text-anchor="start"[^>]*>([^<]*)/g))
      expect(Number(x) + 6.6 * text.length, `${file}: ${text}`).toBeLessThan(Number(width));
  }
});

describe('an example of a configuration', () => {
  const ajv = new Ajv({ strict: false, formats: { uri: true } });
  const isValid = ajv.compile(configJsonSchema());

  test.each([...files, ...inline])('$where is accepted by the service and by the JSON Schema', ({ text }) => {
    const value: unknown = parse(text);
    expect(configSchema.safeParse(value).error?.issues).toBeUndefined();
    isValid(value);
    expect(isValid.errors).toBeNull();
  });

  test.each(files)('$where names the JSON Schema for editors', ({ text }) => {
    expect(text).toMatch(/^# yaml-language-server: \$schema=\S+apk-beacon\.schema\.json$/m);
  });

  test.each([
    { refresh: '5 minutes' },
    { refersh: '5m' },
    { datasources: { wolfi: { repositories: [] } } },
    { clientToken: 'a literal' },
    { datasources: { wolfi: { repositories: [{ url: '/os', trust: 'all' }] } } },
  ])('the JSON Schema refuses %j, as the service does', (value) => {
    expect(configSchema.safeParse(value).success).toBe(false);
    expect(isValid(value)).toBe(false);
  });
});
