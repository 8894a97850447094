/** Documents made by `npm run docs`, and the examples of configurations in all documents. */
import { glob, readFile } from 'node:fs/promises';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { documents, yamlOf } from '../../scripts/docs.ts';
import { configJsonSchema, configKeys, configSchema } from '../../src/config/schema.ts';

test.each([...(await documents())])('%s is what npm run docs writes', async (path, text) => {
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

/** Whole configurations: the files in deploy/, and blocks of documents with `datasources` at their top level. */
const examples: Example[] = [
  {
    where: 'deploy/kubernetes/base/apk-beacon.yaml',
    text: await readFile('deploy/kubernetes/base/apk-beacon.yaml', 'utf8'),
  },
];
for await (const file of glob(['README.md', 'docs/**/*.md']))
  for (const [i, [, , text = '']] of [
    ...(await readFile(file, 'utf8')).matchAll(/^( *)```yaml\n(.*?)^\1```/gms),
  ].entries())
    if (/^datasources:/m.test(text)) examples.push({ where: `${file}, block ${i + 1}`, text });

describe('an example of a configuration', () => {
  const ajv = new Ajv({ strict: false, formats: { uri: true } });
  const isValid = ajv.compile(configJsonSchema());

  test.each(examples)('$where is taken by the service and by the JSON Schema', ({ text }) => {
    const value: unknown = parse(text);
    expect(configSchema.safeParse(value).error?.issues).toBeUndefined();
    isValid(value);
    expect(isValid.errors).toBeNull();
  });

  test.each(examples)('$where names the JSON Schema for editors', ({ text }) => {
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
