/** The configuration of apk-beacon that deploy/gitlab/images/README.md gives for images and packages of this project. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

import { parseDefinition, resolveDefinition } from '../../companion/include.ts';
import { loadConfig } from '../../src/config/config.ts';

const [, configuration = ''] =
  /```yaml\n([^]*?)```/.exec(readFileSync('deploy/gitlab/images/README.md', 'utf8')) ?? [];
const { datasources } = loadConfig(
  { words: [], settings: {}, own: {} },
  { APK_BEACON_CONFIG: configuration },
);
const addresses = (name: string) => datasources[name]?.repositories.map(({ url }) => url);

const read = (file: string) => readFileSync(file, 'utf8');
const yamlIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.yaml'));

it.each(yamlIn('images').filter((name) => /^include:/m.test(read(`images/${name}`))))(
  'knows to which datasource the pins of %s belong',
  (name) => {
    expect(datasources['wolfi']?.includes).toContain(parseDefinition(read(`images/${name}`), name).include);
    const { contents } = resolveDefinition(name, (file) => read(`images/${file}`)).definition;
    expect(addresses('wolfi')).toEqual(expect.arrayContaining(contents?.repositories ?? []));
  },
);

const mirrors = yamlIn('packages').flatMap((name) => {
  const [, mirror] = /^ {2}alpine-mirror: (.*)$/m.exec(read(`packages/${name}`)) ?? [];
  return mirror === undefined ? [] : [{ name, mirror }];
});

it.each(mirrors)('has the branch of Alpine that $name takes its package from', ({ mirror }) => {
  expect(addresses('alpine')).toEqual([mirror]);
});
