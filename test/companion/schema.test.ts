import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const yamlIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => `${folder}/${name}`);

function validator(name: string, adapt: (schema: unknown) => unknown = (schema) => schema) {
  const schema = JSON.parse(readFileSync(`test/fixtures/schemas/${name}.schema.json`, 'utf8')) as unknown;
  const validate = new Ajv2020({ strict: false, allErrors: true }).compile(adapt(schema) as object);
  return (value: unknown) => {
    validate(value);
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}

const load = (file: string) => parse(readFileSync(file, 'utf8')) as Record<string, unknown>;

describe('apko schema', () => {
  const errors = validator('apko');

  it.each([...yamlIn('images'), 'apkontainer.yaml'])('accepts %s', (file) => {
    expect(errors(load(file))).toEqual([]);
  });

  it('refuses a misspelt key', () => {
    const definition = load('images/bootc.yaml');
    expect(errors({ ...definition, 'stop-singal': 'SIGTERM' })).toHaveLength(1);
  });
});

describe('melange schema', () => {
  /** It marks as required what melange itself does not require, so only keys and types are checked with it. */
  const withoutRequired = (schema: unknown): unknown => {
    if (Array.isArray(schema)) return schema.map(withoutRequired);
    if (typeof schema !== 'object' || schema === null) return schema;
    return Object.fromEntries(
      Object.entries(schema)
        .filter(([key, value]) => key !== 'required' || !Array.isArray(value))
        .map(([key, value]) => [key, withoutRequired(value)]),
    );
  };
  const errors = validator('melange', withoutRequired);

  it.each([...yamlIn('packages'), 'deploy/apk/apk-beacon.yaml'])('accepts %s', (file) => {
    expect(errors(load(file))).toEqual([]);
  });

  it('refuses a misspelt key', () => {
    const recipe = load('packages/nori-user.yaml');
    expect(errors({ ...recipe, pipelines: recipe['pipeline'] })).toHaveLength(1);
  });
});
