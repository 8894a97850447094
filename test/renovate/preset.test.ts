import { readFileSync } from 'node:fs';
import prettier from 'prettier';
import { describe, expect, test } from 'vitest';
import { exampleConfig } from '../../scripts/renovate-example.ts';
import { withTable } from '../../scripts/renovate-table.ts';
import { renovatePreset } from '../../src/renovate/preset.ts';
import { excerptOf } from '../../src/routing/excerpt.ts';
import { startService } from '../support/service.ts';

const url = 'http://x';
const text = (names: readonly string[], isPart = false): string =>
  JSON.stringify(renovatePreset({ url, names, isPart }));

describe('the preset', () => {
  test('is what renovate.example.json holds (rewrite it with: npm run renovate:example)', () => {
    const example = readFileSync(new URL('../../renovate.example.json', import.meta.url), 'utf8');
    expect(JSON.parse(example)).toEqual(exampleConfig());
  });

  test('has no look-around, which RE2 does not know', () => {
    expect(JSON.stringify(exampleConfig())).not.toMatch(/\(\?(?:[=!]|<[=!])/);
  });

  test('names no distribution, image or repository: that is decided by the service', () => {
    const { customManagers } = renovatePreset({ url, names: ['one', 'two'], isPart: false });
    expect(JSON.stringify(customManagers)).not.toMatch(/wolfi|cgr\.dev|dl-cdn/);
  });

  test('of one datasource keeps its name for the pins, and wants no opinion of others', () => {
    const { customManagers, customDatasources } = renovatePreset({ url, names: ['wolfi'], isPart: false });
    expect(Object.keys(customDatasources)).toEqual(['wolfi']);
    expect(JSON.stringify(customManagers)).not.toContain('custom.apk"');
    for (const manager of customManagers.filter(({ registryUrlTemplate }) => registryUrlTemplate))
      expect(manager['registryUrlTemplate']).toMatch(/&only=wolfi|\/\{\{source\}\}\//);
  });

  test('of several has one name for the pins, and theirs for the managers people have', () => {
    const { customDatasources } = renovatePreset({ url, names: ['wolfi', 'alpine'], isPart: false });
    expect(Object.keys(customDatasources)).toEqual(['apk', 'wolfi', 'alpine']);
    expect(text(['wolfi', 'alpine'])).not.toContain('only=');
    expect(text(['wolfi', 'alpine'], true)).toContain('&only=wolfi,alpine');
  });

  test('links merge requests to the pages where people reach them, of each datasource', () => {
    const rulesOf = (names: readonly string[], pages?: string) =>
      renovatePreset({ url, names, isPart: false, pages }).packageRules.filter(
        (rule) => 'prBodyDefinitions' in rule,
      );
    expect(rulesOf(['wolfi'])).toEqual([]);
    expect(rulesOf(['wolfi'], 'https://b.example')).toMatchObject([
      {
        matchDatasources: ['custom.wolfi'],
        prBodyDefinitions: { Change: expect.stringContaining('](https://b.example/wolfi/{{{') },
      },
    ]);
    expect(rulesOf(['wolfi', 'alpine'], 'https://b.example')).toMatchObject([
      { matchJsonata: [expect.stringContaining('custom.wolfi')] },
      { matchJsonata: [expect.stringContaining('custom.alpine')] },
    ]);
  });

  test('takes rollbacks for the dependencies of its own managers only', () => {
    const { packageRules } = renovatePreset({ url, names: ['wolfi'], isPart: false });
    const rollback = packageRules.filter((rule) => 'rollbackPrs' in rule);
    expect(rollback).toHaveLength(1);
    expect(rollback[0]?.['matchDepTypes']).toContain('apk');
  });
});

describe('GET /renovate.json', () => {
  const config = {
    datasources: {
      wolfi: { repositories: ['http://127.0.0.1:1/os'] },
      alpine: { repositories: ['http://127.0.0.1:1/edge/main'], default: true },
    },
  };

  test('has the address that the client used, all datasources and the default one first', async () => {
    await using service = await startService({ config });
    const response = await service.get('/renovate.json', { host: 'apk-beacon.example.com:8080' });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toContain('application/json');
    expect(response.json()).toMatchObject({
      customDatasources: {
        alpine: {
          defaultRegistryUrlTemplate:
            'http://apk-beacon.example.com:8080/alpine/{{encodeURIComponent packageName}}',
        },
        wolfi: {},
      },
    });
    expect(Object.keys(response.json<{ customDatasources: object }>().customDatasources)).toEqual([
      'apk',
      'alpine',
      'wolfi',
    ]);
  });

  test('of one datasource speaks of that one, before anything is loaded', async () => {
    await using service = await startService({ config });
    const { customDatasources } = (await service.get('/wolfi/renovate.json')).json<{
      customDatasources: object;
    }>();
    expect(Object.keys(customDatasources)).toEqual(['wolfi']);
  });

  test('takes publicUrl where it is set, and no host that is none', async () => {
    await using named = await startService({
      config: { ...config, publicUrl: 'https://apk.example.com/beacon/' },
    });
    expect((await named.get('/wolfi/renovate.json')).body).toContain('https://apk.example.com/beacon/wolfi/');
    await using service = await startService({ config });
    const { body } = await service.get('/renovate.json', { host: 'x"}]}{{env}}' });
    expect(body).not.toContain('{{env}}');
  });
});

describe('GET /-/for/{name}', () => {
  const config = {
    datasources: {
      wolfi: { repositories: ['http://127.0.0.1:1/os'] },
      alpine: { repositories: ['http://127.0.0.1:1/alpine/v3.22/main'] },
    },
  };
  const asking = (image: string, more = ''): string =>
    `/-/for/curl?current=1.0-r0&kind=dockerfile&file=${encodeURIComponent(excerptOf(`FROM ${image}`))}${more}`;

  test('without an opinion answers what opens, changes and closes nothing, loaded or not', async () => {
    await using service = await startService({ config });
    const response = await service.get(asking('alpine:3.18'), { host: 'apk.example.com' });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      releases: [],
      homepage: 'http://apk.example.com/-/asked',
      noOpinion: 'no datasource has Alpine 3.18, the branch of the image alpine:3.18',
    });
  });

  test('routes by file and configuration, never by what is loaded', async () => {
    await using service = await startService({ config });
    const response = await service.get(asking('alpine:3.22'));
    expect(response.statusCode).toBe(429);
    expect(response.json()).toMatchObject({ datasource: 'alpine' });
    expect(response.headers['x-apk-beacon-datasource']).toBe('alpine');
  });

  test('keeps to the datasources of the preset', async () => {
    await using service = await startService({ config });
    const other = await service.get(asking('alpine:3.22', '&only=wolfi'));
    expect(other.json()).toMatchObject({
      noOpinion: 'the pin belongs to alpine, but the preset is for wolfi',
    });
    expect((await service.get(asking('alpine:3.22', '&only=alpine'))).statusCode).toBe(429);
  });

  test('lists at /-/asked the pins that were not asked, and why', async () => {
    await using service = await startService({ config });
    await service.get(asking('alpine:3.18'));
    await service.get(asking('alpine:3.18').replace('curl', 'jq'));
    await service.get('/-/for/git');
    for (const path of ['/wolfi/-/asked', '/alpine/-/asked', '/-/asked'])
      expect((await service.get(path)).json()).toMatchObject({
        notAsked: [
          {
            reason: 'no datasource has Alpine 3.18, the branch of the image alpine:3.18',
            count: 2,
            names: ['curl', 'jq'],
          },
          { reason: 'the lookup has no context of the pin', count: 1, names: ['git'] },
        ],
      });
  });

  test('reads parameters that no preset writes', async () => {
    await using service = await startService({ config });
    for (const query of [
      '?kind=dockerfile&kind=note',
      '?kind=dockerfile&file=%E0%A4%A',
      '?kind=note&note=',
      '?only=&kind=x',
    ])
      expect((await service.get(`/-/for/curl${query}`)).statusCode, query).toBe(200);
    expect((await service.get('/-/for')).statusCode).toBe(400);
    expect((await service.get(`/-/for/${'x'.repeat(300)}`)).statusCode).toBe(400);
  });
});

test('the table of docs/renovate.md is what the cases say (rewrite it with: npm run renovate:table)', async () => {
  const text = readFileSync(new URL('../../docs/renovate.md', import.meta.url), 'utf8');
  const options = await prettier.resolveConfig('docs/renovate.md');
  expect(await prettier.format(withTable(text), { ...options, parser: 'markdown' })).toBe(text);
});
