import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { configKeys, type ConfigKey } from '../../src/config/keys.ts';
import { configSchema, type ConfigFile } from '../../src/config/schema.ts';
import { loadConfig, type Config } from '../../src/config/config.ts';
import { keyOptions, parseCommandLine } from '../../src/config/options.ts';

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

test('a name of a datasource that looks like a number stays as written', () => {
  const { datasources } = load([], {}, 'datasources: { 3.20: { repositories: [x] } }');
  expect(Object.keys(datasources)).toEqual(['3.20']);
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

test('its content may replace the file, for CI systems that have variables and no files', () => {
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

  test('flags and environment go together', () => {
    const environment = { APK_BEACON_ARCH: 'armv7', APK_BEACON_KEY: 'k', APK_BEACON_ALLOW_UNTRUSTED: 'Yes' };
    const { datasources } = load(['--repository', 'a'], environment);
    expect(datasources['default']).toMatchObject({
      archs: ['armv7'],
      keys: ['k'],
      repositories: [{ trust: 'none' }],
    });
  });

  test.each(['false', '0', 'no', 'off', 'Off', 'FALSE'])(
    'APK_BEACON_ALLOW_UNTRUSTED=%s checks signatures',
    (word) => {
      const { datasources } = load([], { APK_BEACON_ALLOW_UNTRUSTED: word });
      expect(datasources['wolfi']?.repositories[0]?.trust).toBe('signed');
    },
  );

  test('without --repository, keys and archs are those of every datasource', () => {
    expect(load(['--arch', 'x86_64']).datasources['wolfi']?.archs).toEqual(['x86_64']);
  });

  test('variables that container platforms set for a service of our name are ignored', () => {
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

describe('errors name the place, the value and the expectation', () => {
  const at = join(folder, 'apk-beacon.yaml');
  const datasource = 'datasources: { wolfi: { repositories: [{ url: x }] } }';
  test.each<[yaml: string, message: string]>([
    ['lissten: x', `${at}: unknown key lissten, did you mean listen?`],
    ['keys: [x]', `${at}: unknown key keys here: it belongs to a datasource or a repository`],
    ['trust: none', `${at}: unknown key trust here: it belongs to a repository`],
    [
      'credentails: {}',
      `${at}: unknown key credentails, did you mean credentials? That belongs to a receiver or a repository or a secdb feed or an OSV feed`,
    ],
    ['port: 3000', `${at}: unknown key port, did you mean listen?`],
    ['xyzzy: 1', `${at}: unknown key xyzzy, expected some of listen, refresh, cacheDir,`],
    ['limits: { total: 1 }', `${at}: limits: unknown key total here: it belongs to timeouts`],
    ['cacheDir: ""', `${at}: cacheDir: expected a path`],
    ['cacheDir: ~/cache', `${at}: cacheDir: expected a path written out: ~ is not expanded`],
    ['keepIndexes: 7', `${at}: keepIndexes: expected a duration such as 30s, 15m, 6h or 7d`],
    ['keepIndexes: 0s', `${at}: keepIndexes: expected more than 0`],
    [
      '{ keepIndexes: 7d, cacheDir: none }',
      'keepIndexes: there is no cache directory to keep them in (cacheDir)',
    ],
    ['cacheDir: true', `${at}: cacheDir: expected a path`],
    ['clientToken: hunter2', `${at}: clientToken: expected { env: NAME } or { file: PATH }, not a literal`],
    [
      'signingKey: { name: a.rsa.pub, key: hunter2 }',
      `${at}: signingKey.key: expected { env: NAME } or { file: PATH }, not a literal`,
    ],
    [
      'signingKey: {}',
      `${at}: signingKey.key: expected { env: NAME } or { file: PATH }, but there is no such key`,
    ],
    [
      'notify: { r: { url: https://x.example/hook, gitlab: { ref: main } } }',
      `${at}: notify.r.gitlab.token: expected { env: NAME } or { file: PATH }, but there is no such key`,
    ],
    [
      datasource.replace('url: x', 'trust: none'),
      `${at}: datasources.wolfi.repositories[0].url: expected a URL or a path, but there is no such key`,
    ],
    ['listen: "3000"', `${at}: listen: expected HOST:PORT such as 0.0.0.0:3000`],
    ['listen: "*:3000"', `${at}: listen: expected HOST:PORT such as 0.0.0.0:3000`],
    ['listen: ":99999"', `${at}: listen: expected HOST:PORT such as 0.0.0.0:3000`],
    ...['u:hunter2@x.example', 'x.example/?a=hunter2', 'x.example/#hunter2'].map((rest): [string, string] => [
      `publicUrl: 'https://${rest}'`,
      `${at}: publicUrl: expected a URL without user, query and fragment`,
    ]),
    ['refresh: 15', `${at}: refresh: expected a duration such as 30s, 15m, 6h or 7d`],
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
    ['datasources: { healthz: { repositories: [x] } }', `${at}: datasources.healthz: is reserved`],
    ['datasources: { openapi.json: { repositories: [x] } }', `${at}: datasources.openapi.json: is reserved`],
    [
      'datasources: { wolfi: { repositories: [x] }, 322: { repositories: [y] } }',
      `${at}: datasources.322: expected a name that is not a number`,
    ],
    ['datasources: { "a/b": { repositories: [x] } }', `${at}: datasources.a/b: expected lower case letters`],
    [
      datasource.replace('url: x', 'ulr: x'),
      `${at}: datasources.wolfi.repositories[0]: unknown key ulr, did you mean url?`,
    ],
    [
      datasource.replace('url: x', 'url: x, trust: maybe'),
      `${at}: datasources.wolfi.repositories[0].trust: expected one of signed, none`,
    ],
    [
      datasource.replace('url: x', 'url: x, credentials: { token: abc }'),
      `${at}: datasources.wolfi.repositories[0].credentials: expected { basic: { username, password } }`,
    ],
    ...[
      ['{ basic: { username: ci, password: hunter2 } }', 'basic.password'],
      ['{ basic: { username: ci, password: 12345 } }', 'basic.password'],
      ['{ bearer: hunter2 }', 'bearer'],
      ['{ header: { name: x, value: hunter2 } }', 'header.value'],
    ].map(([credentials, key]): [string, string] => [
      datasource.replace('url: x', `url: x, credentials: ${credentials}`),
      `${at}: datasources.wolfi.repositories[0].credentials.${key}: expected { env: NAME } or { file: PATH }, not a literal`,
    ]),
    [
      datasource.replace(
        'url: x',
        'url: x, credentials: { bearer: { env: A }, basic: { username: u, password: { env: B } } }',
      ),
      `${at}: datasources.wolfi.repositories[0].credentials: expected { basic: { username, password } }`,
    ],
    [
      datasource.replace('url: x', 'url: x, credentials: hunter2'),
      `${at}: datasources.wolfi.repositories[0].credentials: expected { basic: { username, password } }`,
    ],
    [
      datasource.replace('url: x', 'url: x, archs: [amd64]'),
      `${at}: datasources.wolfi.repositories[0].archs[0]: apk calls amd64 x86_64; use that name`,
    ],
    [
      datasource.replace('url: x', 'url: https://user:hunter2@host/os/x86_64/'),
      `${at}: datasources.wolfi.repositories[0].url: ends in an arch: write it without /x86_64, and x86_64 as the arch`,
    ],
    [
      datasource.replace('url: x', 'url: user:hunter2@packages.wolfi.dev/os'),
      'datasource wolfi: packages.wolfi.dev/os is not an existing path; write https://packages.wolfi.dev/os for a URL',
    ],
    [
      datasource.replace('url: x', 'url: x, maxShrink: 140%'),
      `${at}: datasources.wolfi.repositories[0].maxShrink: expected a share such as 40% or 0.4`,
    ],
    [
      datasource.replace('url: x', 'url: x, withdrawal: monthly'),
      `${at}: datasources.wolfi.repositories[0].withdrawal: expected none, replaced or { age, days }`,
    ],
    [
      datasource.replace('url: x', 'url: x, withdrawal: { age: 184d, days: [23, 13] }'),
      `${at}: datasources.wolfi.repositories[0].withdrawal.days: expected the first day before the last`,
    ],
    ['a: [', `${at}:1:5: Flow sequence in block collection must be sufficiently indented and end with a ]`],
    ['a: [x, *y]', `${at}: Unresolved alias (the anchor must be set before the alias): y`],
    ['a: 1\n---\nb: 2', `${at}:2:1: a second document begins, expected one`],
    ['[]', `${at}: top level: expected keys with values`],
    ['datasources:', `${at}: datasources: expected keys with values`],
    [
      datasource.replace(/\[.*\]/, 'https://host/os'),
      `${at}: datasources.wolfi.repositories: expected a list`,
    ],
    [
      datasource.replace('repositories', 'repository'),
      `${at}: datasources.wolfi.repositories: expected a list, but there is no such key`,
    ],
    ['limits: { packages: 1.5 }', `${at}: limits.packages: expected a whole number`],
    ['limits: { packages: 0 }', `${at}: limits.packages: expected at least 1`],
    ['limits: { ratio: 1 }', `${at}: limits.ratio: expected at least 2`],
    [
      datasource.replace('url: x', 'url: x, withdrawal: { age: 184d, days: [13] }'),
      `${at}: datasources.wolfi.repositories[0].withdrawal.days: expected the first and the last day`,
    ],
    [`datasource: {}`, `${at}: unknown key datasource, did you mean datasources?`],
    [
      datasource.replace('{ repositories', '{ key: x, repositories'),
      `${at}: datasources.wolfi: unknown key key, did you mean keys?`,
    ],
    ...[
      ['{ secdb: x, refresh: 90 }', 'advisories[0].refresh: expected a duration'],
      [
        '{ osv: x, credentials: { bearer: hunter2 } }',
        'advisories[0].credentials.bearer: expected { env: NAME }',
      ],
      ['{ osv: x, secdb: x }', 'advisories[0]: expected { secdb: … } or { osv: … }'],
    ].map(([feed, message]): [string, string] => [
      datasource.replace('] }', `], advisories: [${feed}] }`),
      `${at}: datasources.wolfi.${message}`,
    ]),
    [
      datasource.replace('url: x', 'url: x, withdrawal: { age: 184d }'),
      `${at}: datasources.wolfi.repositories[0].withdrawal.days: expected the first and the last day, such as [13, 23], but there is no such key`,
    ],
    [
      datasource.replace('url: x', 'url: x, maxAge: 30'),
      `${at}: datasources.wolfi.repositories[0].maxAge: expected a duration such as 30d, or never`,
    ],
  ])('%s', (yaml, message) => {
    expect(() => load([], {}, yaml)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
    );
    expect(() => load([], {}, yaml)).not.toThrow(/hunter2|12345/);
  });

  test.each([
    ['repositories: [/srv/os, { url: /srv/os/ }]', '/srv/os for x86_64 is listed twice'],
    [
      'repositories: [{ url: "https://u:hunter2@x.example/os", archs: [x86_64, x86_64] }]',
      'https://x.example/os for x86_64 is listed twice',
    ],
    ['archs: [aarch64, aarch64], repositories: [/srv/os]', '/srv/os for aarch64 is listed twice'],
    [
      'repositories: ["https://x.example/os", "https://X.example:443/os"]',
      'https://x.example/os for x86_64 is listed twice',
    ],
    ['repositories: [/srv/os, /srv/../srv/os]', '/srv/os for x86_64 is listed twice'],
    [
      'repositories: [/srv/os, { url: /srv/os/x86_64/APKINDEX.tar.gz, archs: [x86_64] }]',
      '/srv/os for x86_64 is listed twice',
    ],
  ])('an index is not listed twice: %s', (datasource, fact) => {
    expect(() => load([], {}, `datasources: { os: { ${datasource} } }`)).toThrow(`datasource os: ${fact}`);
  });

  test.each([
    ['[/srv/old, { url: /srv/new, formerly: [/srv/old/] }]', '/srv/old for x86_64'],
    ['[{ url: /srv/new, formerly: [/srv/old] }], archs: [armv7] }, b: { repositories: [/srv/old]', undefined],
    ['[{ url: /srv/new, formerly: [/srv/old] }] }, b: { repositories: [/srv/old]', '/srv/old for x86_64'],
    [
      '["https://x.example/old", { url: /srv/new, formerly: ["https://X.example/old"] }]',
      'https://x.example/old for x86_64',
    ],
  ])('an earlier address is not read any more: %s', (repositories, shown) => {
    const read = (): unknown => load([], {}, `datasources: { a: { repositories: ${repositories} } }`);
    if (shown === undefined) expect(read).not.toThrow();
    else expect(read).toThrow(`datasource a: formerly: ${shown} is still a repository`);
  });

  test('an index has the same credentials in all datasources, or users in its URLs', () => {
    const config = (url: string, variable: string): string => `datasources:
      a: { repositories: [{ url: 'https://x.example/os', credentials: { bearer: { env: A } } }] }
      b: { repositories: [{ url: '${url}', credentials: { bearer: { env: ${variable} } } }] }`;
    const shown = 'https://x.example/os for x86_64';
    for (const url of ['https://x.example/os/', 'https://X.example:443/os'])
      expect(() => load([], {}, config(url, 'B'))).toThrow(
        `datasource b: ${shown} has other credentials in another datasource`,
      );
    expect(() => load([], {}, config('https://x.example/os', 'A'))).not.toThrow();
    expect(() => load([], {}, config('https://b@x.example/os', 'B'))).not.toThrow();
  });

  test('a repository may be listed again for other archs', () => {
    const repositories = '[{ url: /srv/os, archs: [x86_64] }, { url: /srv/os, archs: [aarch64] }]';
    const { datasources } = load([], {}, `datasources: { os: { repositories: ${repositories} } }`);
    expect(datasources['os']?.repositories).toHaveLength(2);
  });

  test('an empty address has one error', () => {
    expect(() => load([], {}, datasource.replace('url: x', `url: ''`))).toThrow(
      expect.objectContaining({
        message: `${at}: datasources.wolfi.repositories[0].url: expected a URL or a path`,
      }),
    );
  });

  test.each<[args: string[], environment: Record<string, string>, message: string]>([
    [['--lisen', 'x'], {}, 'unknown option --lisen, did you mean --listen?'],
    [['--listen'], {}, '--listen: expected a value'],
    [['--listen', 'x'], {}, '--listen: expected HOST:PORT such as 0.0.0.0:3000'],
    [['--log-level', 'inof'], {}, '--log-level: expected one of trace, debug, info, warn, error, silent'],
    [['--arch', 'x/1'], {}, '--arch: expected apk'],
    [['--arch', 'x86_64,amd64'], {}, '--arch: apk calls amd64 x86_64; use that name'],
    [['--arch', 'arm/v6'], {}, '--arch: apk calls arm/v6 armhf; use that name'],
    [['--repository', 'x', '--arch', 'arm64'], {}, '--arch: apk calls arm64 aarch64; use that name'],
    [[], { APK_BEACON_ARCH: 'i686' }, 'APK_BEACON_ARCH: apk calls i686 x86; use that name'],
    [['--key', 'file://srv/a.rsa.pub'], {}, '--key: expected a file URL with three slashes and no host'],
    [['--arch', 'noarch'], {}, '--arch: packages of noarch are in the index of every arch'],
    [
      ['--repository', 'https://host/os/x86_64'],
      {},
      '--repository: ends in an arch: write it without /x86_64',
    ],
    [['--repository', '/srv/os/armv7/'], {}, '--repository: ends in an arch: write it without /armv7'],
    [
      ['--repository', 'packages.wolfi.dev/os'],
      {},
      'datasource default: packages.wolfi.dev/os is not an existing path; write https://packages.wolfi.dev/os for a URL',
    ],
    [['--key', 'localhost:8080/x.rsa.pub'], {}, 'localhost:8080/x.rsa.pub is not an existing path'],
    [['--port', '1'], {}, 'unknown option --port, did you mean --listen?'],
    [['--crache-dir', '1'], {}, 'unknown option --crache-dir, did you mean --cache-dir?'],
    [['--lsiten', '1'], {}, 'unknown option --lsiten, did you mean --listen?'],
    [['--xyzzy'], {}, 'unknown option --xyzzy; apk-beacon COMMAND --help lists the options'],
    [['--name', 'x'], {}, '--name: only allowed with --repository'],
    [['--repository', 'x', '--name', 'metrics'], {}, '--name: is reserved'],
    [
      [],
      { APK_BEACON_PROT: '1' },
      'unknown environment variable APK_BEACON_PROT, expected some of APK_BEACON_CONFIG',
    ],
    [[], { APK_BEACON_ALLOW_UNTRUSTED: 'maybe' }, 'APK_BEACON_ALLOW_UNTRUSTED: expected true or false'],
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

describe('each key of the schema', () => {
  const keys = configKeys();
  /** `datasources.*.repositories.[].url` with the value there, and all that a datasource needs. */
  function fileWith({ path, name }: ConfigKey, value: unknown): object {
    const built = [...path, name].reduceRight<unknown>((inner, part) => {
      if (part === '[]') return [{ ...itemOf(path, name), ...(inner as object) }];
      if (part === '*') return { one: { ...itemsNeed[path[0] ?? ''], ...(inner as object) } };
      return { [part]: inner };
    }, value);
    return built as object;
  }
  function itemOf(path: readonly string[], name: string): object {
    if (!path.includes('advisories')) return { url: 'x' };
    return name === 'osv' || name === 'ecosystem' ? { osv: 'x' } : { secdb: 'x' };
  }
  const itemsNeed: Readonly<Record<string, object>> = {
    datasources: { repositories: ['x'] },
    notify: { url: 'https://hooks.example.com' },
  };
  /** The required keys of a level besides the tested one. */
  const needed: Readonly<Record<string, object>> = {
    basic: { username: 'u', password: { env: 'A' } },
    header: { name: 'x', value: { env: 'A' } },
    signingKey: { name: 'a.rsa.pub', key: { env: 'A' } },
    clientCertificate: { certificate: 'a', key: 'b' },
    withdrawal: { age: '1d', days: [1, 31] },
    gitlab: { ref: 'main', token: { env: 'A' } },
  };
  const withNeeds = (file: unknown): unknown => {
    if (Array.isArray(file)) return file.map(withNeeds);
    if (typeof file !== 'object' || file === null) return file;
    return Object.fromEntries(
      Object.entries(file).map(([key, value]) => [
        key,
        isObject(value) ? { ...needed[key], ...(withNeeds(value) as object) } : withNeeds(value),
      ]),
    );
  };
  const isObject = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const titleOf = ({ path, name }: ConfigKey): string => [...path, name].join('.');

  test('there are keys at every level', () => {
    expect(keys.length).toBeGreaterThan(50);
    expect(new Set(keys.map(({ level }) => level))).toEqual(
      new Set([
        'the top level', 'a datasource', 'a repository', 'timeouts', 'limits', 'signingKey', 'credentials',
        'basic', 'header', 'clientCertificate', 'a secret', 'withdrawal',
        'a secdb feed', 'an OSV feed', 'a receiver', 'gitlab',
      ]),
    ); // prettier-ignore
  });

  test.each(keys.map((key) => [titleOf(key), key] as const))(
    '%s is documented, and its examples and default are taken',
    (_, key) => {
      expect(key.description).toMatch(/./);
      const isLevel = keys.some(({ path }) => path.join('.') === titleOf(key));
      if (!isLevel) expect(key.examples.length).toBeGreaterThan(0);
      const byDefault = key.defaultValue === undefined ? [] : [key.defaultValue];
      for (const value of [...key.examples, ...byDefault])
        expect(
          () => configSchema.parse(withNeeds(fileWith(key, value))),
          JSON.stringify(value),
        ).not.toThrow();
    },
  );

  test.each(
    keys
      .filter(({ path }) => path.length === 0)
      .flatMap((key) => key.examples.map((value) => ({ key, value }))),
  )('$key.name: $value means one thing in a file, a variable and a flag', ({ key, value }) => {
    const name = key.name as keyof ConfigFile;
    const file = load([], {}, JSON.stringify({ [name]: value }));
    const flag = keyOptions.get(name);
    if (flag === undefined) return;
    const variable = `APK_BEACON_${flag.toUpperCase().replaceAll('-', '_')}`;
    const ways = [load([`--${flag}`, String(value)]), load([], { [variable]: String(value) })];
    for (const way of ways) expect(way[name]).toEqual(file[name]);
  });

  test.each(
    keys.filter(({ schema }) => z.safeParse(schema, null).success && !z.safeParse(schema, 5).success),
  )('$name: none is null, and no path of that name', ({ name, schema }) => {
    expect(z.parse(schema, 'none')).toBeNull();
    const config = load([], { HOME: '/nonexistent' }, `${name}: none`);
    expect(config[name as keyof Config]).toBeUndefined();
  });
});

test('an unverified index is not signed', () => {
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

test('the ledger is in PostgreSQL by a URL or a secret, which no error shows', () => {
  const url = 'postgres://beacon:pass-word@db.example.com/beacon';
  expect(load().ledger).toBeUndefined();
  expect(load(['--ledger', url]).ledger).toBe(url);
  expect(load([], { APK_BEACON_LEDGER: url }).ledger).toBe(url);
  expect(load([], {}, `ledger: ${url}`).ledger).toBe(url);
  expect(load([], {}, 'ledger: { env: LEDGER_URL }').ledger).toEqual({ env: 'LEDGER_URL' });
  expect(load([], {}, 'ledger: { file: /run/secrets/ledger }').ledger).toEqual({
    file: '/run/secrets/ledger',
  });
  const refused = (): unknown => load(['--ledger', 'mysql://beacon:pass-word@db/beacon']);
  expect(refused).toThrow('--ledger: expected a URL such as postgres://');
  expect(refused).not.toThrow('pass-word');
  expect(() => load([], {}, 'ledger: { url: x }')).toThrow(
    'ledger: expected a postgres:// URL, { env: NAME }',
  );
});

test('the format of the logs is a flag, a variable and a key', () => {
  expect(load().logFormat).toBeUndefined();
  expect(load(['--log-format', 'text']).logFormat).toBe('text');
  expect(load([], { APK_BEACON_LOG_FORMAT: 'json' }).logFormat).toBe('json');
  expect(load([], {}, 'logFormat: json').logFormat).toBe('json');
  expect(() => load(['--log-format', 'xml'])).toThrow('--log-format');
});
