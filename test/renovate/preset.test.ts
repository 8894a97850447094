import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { exampleConfig } from '../../scripts/renovate-example.ts';
import { renovatePreset } from '../../src/renovate/preset.ts';
import { addressMarks, imageMark } from '../../src/renovate/routes.ts';
import { startService } from '../support/service.ts';

const wolfi = { name: 'wolfi', repositories: ['https://packages.wolfi.dev/os'] };

describe('the preset', () => {
  test('is what renovate.example.json holds (rewrite it with: npm run renovate:example)', () => {
    const example = readFileSync(new URL('../../renovate.example.json', import.meta.url), 'utf8');
    expect(JSON.parse(example)).toEqual(exampleConfig());
  });

  test('has no look-around, which RE2 does not know', () => {
    expect(JSON.stringify(exampleConfig())).not.toMatch(/\(\?(?:[=!]|<[=!])/);
  });

  test('of a single datasource asks for nothing that tells files apart', () => {
    const text = JSON.stringify(renovatePreset({ url: 'http://x', sources: [wolfi] }));
    expect(text).not.toContain('$included');
    expect(text).not.toContain('route0');
  });

  test('never holds credentials of a repository', () => {
    const source = { name: 'own', repositories: ['https://user:secret@apks.example.com/os/'] };
    expect(addressMarks(source)).toEqual(['apks.example.com/os']);
    expect(JSON.stringify(renovatePreset({ url: 'http://x', sources: [wolfi, source] }))).not.toContain(
      'secret',
    );
  });
});

describe('base images', () => {
  test.each([
    ['https://packages.wolfi.dev/os', 'cgr.dev/chainguard/wolfi-base:latest'],
    ['https://apk.cgr.dev/chainguard', 'cgr.dev/chainguard/static'],
    ['https://dl-cdn.alpinelinux.org/alpine/v3.22/main', 'alpine:3.22'],
    ['https://mirror.example.com/v3.22/community', 'node:24-alpine3.22'],
    ['https://dl-cdn.alpinelinux.org/alpine/edge/main', 'alpine:edge'],
  ])('packages of %s go into %s', (repository, image) => {
    expect(image).toMatch(new RegExp(imageMark({ name: 'x', repositories: [repository] }) ?? 'none'));
  });
  test('of a private repository cannot be told', () => {
    expect(imageMark({ name: 'x', repositories: ['https://apks.example.com/packages'] })).toBeUndefined();
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
