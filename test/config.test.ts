import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig, parseCommandLine, type Config } from '../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-config-'));

/** The configuration of a command line, an environment and a file. */
function load(args: string[] = [], environment: Record<string, string> = {}, yaml?: string): Config {
  if (yaml !== undefined) writeFileSync(join(folder, 'apk-beacon.yaml'), yaml);
  const file = yaml === undefined ? [] : ['--config', join(folder, 'apk-beacon.yaml')];
  return loadConfig(parseCommandLine([...file, ...args]), environment);
}

const example = `
listen: 127.0.0.1:3999
refresh: 30m
datasources:
  wolfi:
    repositories:
      - https://packages.wolfi.dev/os
      - url: https://apks.example.com
        credentials: { bearer: { env: APKS_TOKEN } }
    keys: [/etc/apk/keys/private.rsa.pub]
  alpine:
    default: true
    repositories: [https://dl-cdn.alpinelinux.org/alpine/edge/main]
    archs: [x86_64]
`;

test('without anything it is Wolfi, both archs, with the documented defaults', () => {
  const config = load([], { XDG_CACHE_HOME: '/cache' });
  expect(config).toMatchObject({
    listen: { host: '0.0.0.0', port: 3000 },
    refresh: 900_000,
    hold: 45_000,
    cacheDir: '/cache/apk-beacon',
    logLevel: 'info',
    defaultDatasource: 'wolfi',
    limits: { inflated: 300 * 2 ** 20, compressed: 128 * 2 ** 20 },
  });
  expect(config.datasources).toMatchObject({
    wolfi: {
      archs: ['x86_64', 'aarch64'],
      repositories: [
        { url: 'https://packages.wolfi.dev/os', trust: 'signed', required: true, rollback: 'refuse' },
      ],
    },
  });
});

test('a file is read', () => {
  const config = load([], {}, example);
  expect(config.listen).toEqual({ host: '127.0.0.1', port: 3999 });
  expect(config.defaultDatasource).toBe('alpine');
  expect(config.datasources['wolfi']?.repositories.map(({ url }) => url)).toEqual([
    'https://packages.wolfi.dev/os',
    'https://apks.example.com',
  ]);
});

test('its content may stand in place of the file, for CI systems that have variables and no files', () => {
  const config = load([], { APK_BEACON_CONFIG: example });
  expect(config.listen).toEqual({ host: '127.0.0.1', port: 3999 });
  expect(config.file).toBeUndefined();
  expect(() => load([], { APK_BEACON_CONFIG: 'listen: :1\nports: 2\n' })).toThrow(
    /^--config: unknown key ports/,
  );
});

describe('precedence', () => {
  test('flags go before the environment, that before the file', () => {
    const environment = { APK_BEACON_REFRESH: '2h', APK_BEACON_LISTEN: '[::1]:1' };
    const config = load(['--refresh', '10s'], environment, example);
    expect([config.refresh, config.listen.port, config.listen.host]).toEqual([10_000, 1, '::1']);
  });

  test('the environment can name the file', () => {
    load([], {}, example);
    const environment = { APK_BEACON_CONFIG: join(folder, 'apk-beacon.yaml') };
    expect(loadConfig(parseCommandLine([]), environment).refresh).toBe(1_800_000);
  });

  test('--repository makes a single datasource of its own', () => {
    const args = [
      '--repository',
      'a',
      '--repository=https://b/',
      '--arch',
      'armv7',
      '--key',
      'k',
      '--name',
      'mine',
    ];
    const { datasources, defaultDatasource } = load([...args, '--allow-untrusted'], {}, example);
    expect(defaultDatasource).toBe('mine');
    expect(datasources).toMatchObject({
      mine: {
        archs: ['armv7'],
        keys: ['k'],
        repositories: [
          { url: 'a', trust: 'none' },
          { url: 'https://b/', trust: 'none' },
        ],
      },
    });
  });

  test('lists in the environment are separated by blanks or commas', () => {
    const { datasources } = load([], { APK_BEACON_REPOSITORY: 'a b', APK_BEACON_ARCH: 'x86,armhf' });
    expect(datasources['default']?.archs).toEqual(['x86', 'armhf']);
    expect(datasources['default']?.repositories).toHaveLength(2);
  });

  test('without --repository, keys and archs are those of every datasource', () => {
    expect(load(['--arch', 'x86_64']).datasources['wolfi']?.archs).toEqual(['x86_64']);
  });

  test('what container platforms set for a service of our name is none of ours', () => {
    const environment = {
      APK_BEACON_SERVICE_HOST: '10.0.0.1',
      APK_BEACON_SERVICE_PORT_HTTP: '3000',
      APK_BEACON_PORT: 'tcp://10.0.0.1:3000',
      APK_BEACON_PORT_3000_TCP_ADDR: '10.0.0.1',
      APK_BEACON_NAME: '/job/apk-beacon',
      APK_BEACON_ENV_HOME: '/',
    };
    expect(load([], environment)).toEqual({ ...load([]), environment });
  });
});

describe('errors name where, what and what was expected', () => {
  const at = join(folder, 'apk-beacon.yaml');
  const datasource = 'datasources: { wolfi: { repositories: [{ url: x }] } }';
  test.each<[yaml: string, message: string]>([
    ['lissten: x', `${at}: unknown key lissten, did you mean listen?`],
    ['listen: "3000"', `${at}: listen: expected HOST:PORT such as 0.0.0.0:3000`],
    ['listen: ":99999"', `${at}: listen: expected HOST:PORT such as 0.0.0.0:3000`],
    ['refresh: 15', `${at}: refresh: Invalid input: expected string, received number`],
    ['refresh: soon', `${at}: refresh: expected a duration such as 30s, 15m, 6h or 7d`],
    ['limits: { inflated: much }', `${at}: limits.inflated: expected a size such as 64MB or 300MiB`],
    ['datasources: {}', `${at}: datasources: expected at least one datasource`],
    [
      'datasources: { wolfi: { repositories: [] } }',
      `${at}: datasources.wolfi.repositories: expected at least one repository`,
    ],
    [
      'datasources: { metrics: { repositories: [x] } }',
      `${at}: datasources.metrics: is reserved, as are livez, readyz`,
    ],
    ['datasources: { "a/b": { repositories: [x] } }', `${at}: datasources.a/b: expected lower case letters`],
    [
      datasource.replace('url: x', 'ulr: x'),
      `${at}: datasources.wolfi.repositories[0]: unknown key ulr, did you mean url?`,
    ],
    [
      datasource.replace('url: x', 'url: x, trust: maybe'),
      `${at}: datasources.wolfi.repositories[0].trust: Invalid option: expected one of "signed"|"none"`,
    ],
    [
      datasource.replace('url: x', 'url: x, credentials: { token: abc }'),
      `${at}: datasources.wolfi.repositories[0].credentials: expected { basic: { username, password } }`,
    ],
    [
      datasource.replace('url: x', 'url: x, maxShrink: 140%'),
      `${at}: datasources.wolfi.repositories[0].maxShrink: expected a share such as 40% or 0.4`,
    ],
    ['a: [', `${at}:1:5: Flow sequence in block collection must be sufficiently indented and end with a ]`],
    ['[]', `${at}: top level: Invalid input: expected object, received array`],
  ])('%s', (yaml, message) => {
    expect(() => load([], {}, yaml)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
    );
  });

  test.each<[args: string[], environment: Record<string, string>, message: string]>([
    [['--lisen', 'x'], {}, 'unknown option --lisen, did you mean --listen?'],
    [['--listen'], {}, '--listen: expected a value'],
    [['--listen', 'x'], {}, '--listen: expected HOST:PORT such as 0.0.0.0:3000'],
    [['--arch', 'x-1'], {}, 'expected apk'],
    [['--allow-untrusted=yes'], {}, '--allow-untrusted: takes no value'],
    [[], { APK_BEACON_REFRESH: 'x' }, 'APK_BEACON_REFRESH: expected a duration such as 30s'],
    [
      [],
      { APK_BEACON_REFERSH: 'x' },
      'unknown environment variable APK_BEACON_REFERSH, did you mean APK_BEACON_REFRESH?',
    ],
    [['--config', '/nowhere.yaml'], {}, 'cannot read the configuration /nowhere.yaml'],
  ])('%j %j', (args, environment, message) => {
    expect(() => load(args, environment)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
    );
  });

  test('a file that refers to itself over and over is refused', () => {
    const laughs = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join(
      '\n',
    );
    expect(() => load([], {}, `a0: &a0 [x]\n${laughs}`)).toThrow(/Excessive alias count/);
  });
});

test('what nobody has verified is not signed', () => {
  const yaml = (trust: string): string => `
signingKey: { name: beacon.rsa.pub, key: { file: /run/key } }
datasources:
  wolfi: { repositories: [https://packages.wolfi.dev/os] }
  mine: { repositories: [https://packages.wolfi.dev/os, { url: https://apks.example.com, trust: ${trust} }] }
`;
  expect(load([], {}, yaml('signed')).signingKey?.name).toBe('beacon.rsa.pub');
  const message = /^signingKey: datasource mine has a repository whose signatures are not checked/;
  expect(() => load([], {}, yaml('none'))).toThrow(message);
  expect(() => load(['--allow-untrusted'], {}, yaml('signed'))).toThrow(/^signingKey: datasource wolfi/);
});

test('the format of the logs is a flag, a variable and a key', () => {
  expect(load().logFormat).toBeUndefined();
  expect(load(['--log-format', 'text']).logFormat).toBe('text');
  expect(load([], { APK_BEACON_LOG_FORMAT: 'json' }).logFormat).toBe('json');
  expect(load([], {}, 'logFormat: json').logFormat).toBe('json');
  expect(() => load(['--log-format', 'xml'])).toThrow('--log-format');
});
