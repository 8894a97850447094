/** The commands `check` and `pin`: files of a folder, indexes of a folder or of a running service. */
import { once } from 'node:events';
import fs from 'node:fs';
import {
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { checkCommand } from '../../src/cli/check.ts';
import { loadConfig } from '../../src/config/config.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const signal = new AbortController().signal;
let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  for (const [name, versions] of Object.entries({
    wolfi: ['8.19.0-r0', '8.20.0-r0'],
    'alpine-3.22': ['8.14.1-r2'],
  })) {
    const packages = versions.map((version) => pkg('curl', version));
    await put(`indexes/${name}/x86_64/APKINDEX.tar.gz`, await signedIndex(packages));
  }
  await put(testKey().name, testKey().pem);
  await put(
    'beacon.yml',
    stringify({
      cacheDir: 'none',
      datasources: Object.fromEntries(
        ['wolfi', 'alpine-3.22'].map((name) => [
          name,
          {
            archs: ['x86_64'],
            keys: [join(folder, testKey().name)],
            repositories: [{ url: join(folder, 'indexes', name), maxAge: 'never' }],
          },
        ]),
      ),
    }),
  );
  await put('repo/Dockerfile', 'FROM alpine:3.22\nRUN apk add curl=8.12.0-r0\n');
  await put('repo/images/app.yaml', 'include: images/base.yaml\ncontents:\n  packages: [curl=8.19.0-r0]\n');
  await put(
    'repo/images/base.yaml',
    'contents:\n  repositories: [https://packages.wolfi.dev/os]\narchs: [x86_64]\n',
  );
  await put('repo/node_modules/x/Dockerfile', 'FROM alpine:3.22\nRUN apk add no=1\n');
  await put('repo/data.bin', Buffer.from([0, 1, 2]));
  await put('repo/notes', 'apk add no=1');
  await put('repo/tool', '#!/bin/sh\napk add tool=1\n');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

/** The error if an index or the service is unavailable. */
function unchecked(because: string | RegExp) {
  return {
    message: 'nothing was checked',
    cause: { message: typeof because === 'string' ? because : expect.stringMatching(because) },
  };
}

/** The output and the exit code. */
async function run(
  words: readonly string[],
  own: Record<string, string | true> = {},
  more: { pin?: boolean; meanwhile?: () => void } = {},
) {
  const written: string[] = [];
  const take = (chunk: unknown): boolean => written.push(String(chunk)) > 0;
  vi.spyOn(process.stdout, 'write').mockImplementation(take);
  const errors: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk: unknown) => errors.push(String(chunk)) > 0);
  const code = await checkCommand(words, {
    own,
    config: () => {
      more.meanwhile?.();
      return loadConfig({ words: [], settings: { config: [join(folder, 'beacon.yml')] }, own: {} }, {});
    },
    isPlain: false,
    pinsNames: more.pin ?? false,
    root: join(folder, 'repo'),
    signal,
  });
  return { code, output: written.join(''), errors: errors.join('') };
}

const plain = (text: string): string => text.replace(/\u001b\[\d+m/g, '');

test('a folder: broken pins, outdated pins, and the exit code', async () => {
  const { code, output } = await run([]);
  expect(plain(output)).toBe(
    [
      'Dockerfile',
      '  2:13  error  curl=8.12.0-r0  curl 8.12.0-r0 is in no index; the newest is 8.14.1-r2; --fix takes 8.14.1-r2  withdrawn',
      '',
      'images/app.yaml',
      '  3:14  warning  curl=8.19.0-r0  8.20.0-r0 is available (minor), one version behind  behind',
      '',
      '3 packages in 3 files: 1 error, 1 warning, 1 note (shown by --all)',
      '',
    ].join('\n'),
  );
  expect(code).toBe(1);
});

test('files without packages give a message', async () => {
  await put('repo/app.yaml.j2', 'contents:\n  packages: [curl]\n');
  const { code, output, errors } = await run(['app.yaml.j2', 'data.bin']);
  expect([code, output]).toEqual([0, '0 packages in 0 files: 0 errors, 0 warnings, 0 notes\n']);
  expect(errors).toBe('no packages found in app.yaml.j2, data.bin\n');
  expect((await run(['app.yaml.j2', 'Dockerfile'])).errors).toBe('');
});

describe('exit codes', () => {
  test.each([
    [['Dockerfile'], {}, 1],
    [['images'], {}, 0],
    [['images'], { 'fail-on': 'warning' }, 1],
    [['Dockerfile'], { 'fail-on': 'never' }, 0],
    [['images/*.yaml', 'tool'], { 'fail-on': 'note' }, 1],
    [['images/base.yaml'], { 'fail-on': 'note' }, 0],
  ])('%j %j: %i', async (words, own, code) => expect((await run(words, own)).code).toBe(code));

  test.each([
    [['none'], {}, /no file none/],
    [[], { format: 'xml' }, /--format: expected text, json/],
    [[], { 'fail-on': 'all' }, /--fail-on/],
    [[], { within: 'all' }, /--within/],
    [[], { 'min-age': 'old' }, /--min-age/],
    [[], { 'write-baseline': true }, /needs --baseline/],
    [[], { baseline: 'none.json' }, /--write-baseline makes it/],
    [[], { url: 'x' }, /--url/],
    [[], { fix: true, 'fail-on': 'warning' }, /--fail-on is for the report/],
    [[], { diff: true, format: 'json' }, /--format is for the report/],
    [[], { fix: true, output: 'x.json' }, /--output is for the report/],
    [[], { fix: true, baseline: 'base.json' }, /--baseline is for the report/],
  ] as [string[], Record<string, string | true>, RegExp][])(
    '%j %j is wrong usage',
    async (words, own, message) => {
      await expect(run(words, own)).rejects.toThrow(message);
      await expect(run(words, own)).rejects.toMatchObject({ code: 'config-invalid' });
    },
  );

  test('fails if an index is not available', async () => {
    await rm(join(folder, 'indexes/wolfi'), { recursive: true });
    await expect(run([])).rejects.toMatchObject(unchecked(/wolfi/));
  });
});

describe('what the system does not let be read', () => {
  /** Permissions do not stop the superuser. */
  const refuse = (call: 'readdirSync' | 'readFileSync' | 'statSync' | 'accessSync', name: string): void => {
    const original = fs[call] as (...all: unknown[]) => unknown;
    vi.spyOn(fs, call as 'statSync').mockImplementation((path, ...more) => {
      if (path === join(folder, 'repo', name))
        throw Object.assign(new Error(`EACCES: permission denied, ${call} '${name}'`), { code: 'EACCES' });
      return original(path, ...more) as fs.Stats;
    });
    syncBuiltinESMExports();
  };
  afterEach(() => {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
  });

  test.each([
    ['readdirSync', 'data'],
    ['readdirSync', 'data/below'],
    ['readFileSync', 'data/Dockerfile'],
    ['statSync', 'data/Dockerfile'],
  ] as const)('%s of %s: a warning, and the rest is checked', async (call, name) => {
    await put('repo/data/Dockerfile', 'FROM alpine:3.22\n');
    await put('repo/data/below/Dockerfile', 'FROM alpine:3.22\nRUN apk add curl\n');
    await rm(join(folder, 'repo/Dockerfile'));
    refuse(call, name);
    const { code, output } = await run([]);
    expect(code).toBe(0);
    expect(plain(output)).toContain(
      `${name}\n  1:1  warning    it cannot be read: EACCES: permission denied  unreadable\n`,
    );
    expect(output).toContain('images/app.yaml');
    expect((await run([], { 'fail-on': 'warning' })).code).toBe(1);
    expect((await run(['data', 'images'])).code).toBe(0);
    expect((await run([], { fix: true })).errors).toContain(
      `${name}: left unchanged: it cannot be read: EACCES: permission denied\n`,
    );
  });

  test.each(['contents:\n\tpackages: [curl]\n', 'contents: {packages: [curl]}\ncontents: {}\n'])(
    'a definition that apko cannot parse is an error: %j',
    async (text) => {
      await put('repo/images/app.yaml', text);
      const { code, output } = await run(['images']);
      expect(code).toBe(1);
      expect(plain(output)).toMatch(/^images\/app\.yaml\n {2}\d:\d {2}error .* unreadable\n/);
    },
  );

  test.each([
    ['readdirSync', 'images', ['images']],
    ['readFileSync', 'Dockerfile', ['Dockerfile']],
    ['statSync', 'Dockerfile', ['Dockerfile']],
    ['readdirSync', '.', []],
  ] as const)('%s of %s, and nothing else was named: no success', async (call, name, words) => {
    refuse(call, name);
    await expect(run(words)).rejects.toMatchObject({
      code: 'config-invalid',
      message: `cannot read ${name}: EACCES: permission denied`,
    });
  });

  test('a file whose name is not UTF-8: a warning; it was skipped silently', async () => {
    const name = Buffer.concat([
      Buffer.from(join(folder, 'repo/images/a')),
      Buffer.from([0xfc]),
      Buffer.from('.yaml'),
    ]);
    await writeFile(name, 'contents:\n  packages: [nope=1]\n');
    expect(plain((await run(['images'])).output)).toMatch(
      /^images\/a\ufffd\.yaml\n {2}1:1 {2}warning .* it cannot be read: ENOENT: .* unreadable\n/m,
    );
  });

  test('a link that leads nowhere is no reason to stop', async () => {
    await symlink('nowhere', join(folder, 'repo/images/link.yaml'));
    expect((await run(['images/*.yaml'])).code).toBe(0);
  });

  test('a file that cannot be written: the others are changed, and the exit code is 3', async () => {
    refuse('accessSync', 'Dockerfile');
    const { code, output, errors } = await run([], { fix: true });
    expect(errors).toMatch(/^Dockerfile: left unchanged: EACCES/);
    expect(output).toBe('images/app.yaml: curl=8.19.0-r0 -> 8.20.0-r0\nchanged 1 pin\n');
    expect(code).toBe(3);
  });

  test('a report that cannot be written does not look like findings', async () => {
    await expect(run(['images'], { format: 'json', output: 'none/report.json' })).rejects.toThrow(/^ENOENT/);
  });
});

test('a report goes to a file, and people see the text', async () => {
  const { output } = await run([], { format: 'codequality', output: 'gl.json' });
  expect(plain(output)).toContain('3 packages in 3 files');
  const issues = JSON.parse(await readFile(join(folder, 'repo/gl.json'), 'utf8')) as object[];
  expect(issues).toHaveLength(3);
  expect(JSON.parse((await run([], { format: 'json' })).output)).toMatchObject({ summary: { pins: 3 } });
});

test('a baseline: known findings are left out, new ones fail', async () => {
  expect((await run([], { 'baseline': 'base.json', 'write-baseline': true })).output).toBe('wrote 2 findings to base.json\n'); // prettier-ignore
  expect(await run([], { baseline: 'base.json' })).toMatchObject({
    code: 0,
    output: expect.stringContaining('2 more in the baseline'),
  });
  await put('repo/Dockerfile', 'FROM alpine:3.22\nRUN apk add curl=8.13.0-r0\n');
  expect((await run([], { baseline: 'base.json' })).code).toBe(1);
});

test('--diff prints, --fix changes, and the second time nothing', async () => {
  const dockerfile = (): Promise<string> => readFile(join(folder, 'repo/Dockerfile'), 'utf8');
  const diff = await run(['Dockerfile'], { diff: true });
  expect(diff.output).toBe(
    '--- a/Dockerfile\n+++ b/Dockerfile\n@@ -1,2 +1,2 @@\n FROM alpine:3.22\n-RUN apk add curl=8.12.0-r0\n+RUN apk add curl=8.14.1-r2\n',
  );
  expect(await dockerfile()).toContain('8.12.0-r0');
  expect((await run([], { fix: true, within: 'patch' })).output).toBe('nothing to change\n');
  expect((await run([], { fix: true })).output).toBe(
    'Dockerfile: curl=8.12.0-r0 -> 8.14.1-r2\nimages/app.yaml: curl=8.19.0-r0 -> 8.20.0-r0\nchanged 2 pins\n',
  );
  expect(await dockerfile()).toBe('FROM alpine:3.22\nRUN apk add curl=8.14.1-r2\n');
  expect((await run([], { fix: true })).output).toBe('nothing to change\n');
});

test('--fix replaces a file as a whole, so that one that is killed loses none; mode and links stay', async () => {
  await symlink('../Dockerfile', join(folder, 'repo/images/Dockerfile'));
  const path = join(folder, 'repo/Dockerfile');
  await chmod(path, 0o751);
  const before = await open(path);
  try {
    expect((await run(['images/Dockerfile'], { fix: true })).code).toBe(0);
    expect(await before.readFile('utf8')).toContain('curl=8.12.0-r0');
  } finally {
    await before.close();
  }
  expect(await readFile(path, 'utf8')).toContain('curl=8.14.1-r2');
  expect((await stat(path)).mode & 0o777).toBe(0o751);
  expect(await readlink(join(folder, 'repo/images/Dockerfile'))).toBe('../Dockerfile');
  expect((await readdir(join(folder, 'repo'))).filter((name) => name.startsWith('Dockerfile'))).toEqual([
    'Dockerfile',
  ]);
});

test('--fix names a file it cannot understand and leaves it', async () => {
  const broken = 'contents:\n  packages: [curl=8.19.0-r0\n';
  await put('repo/broken.yaml', broken);
  expect((await run([], { fix: true })).errors).toMatch(/^broken\.yaml: left unchanged: /);
  expect(await readFile(join(folder, 'repo/broken.yaml'), 'utf8')).toBe(broken);
});

test('--fix and pin report packages that were not looked up', async () => {
  await put('repo/Dockerfile', 'FROM alpine:3.99\nRUN apk add curl=8.12.0-r0 jq\n');
  const told = {
    code: 0,
    output: 'nothing to change\n',
    errors: '2 packages not looked up; check --all says why\n',
  };
  expect(await run(['Dockerfile'], { fix: true })).toEqual(told);
  expect(await run(['Dockerfile'], {}, { pin: true })).toEqual(told);
});

test('--fix leaves a file that was changed while the indexes were loaded', async () => {
  const path = join(folder, 'repo/Dockerfile');
  const text = 'FROM alpine:3.22\nRUN apk add curl=8.12.0-r0 jq\n';
  const meanwhile = (): void => fs.writeFileSync(path, text);
  expect(await run(['Dockerfile'], { fix: true }, { meanwhile })).toEqual({
    code: 3,
    output: 'nothing to change\n',
    errors: 'Dockerfile: left unchanged: it was changed in the meantime\n',
  });
  expect(await readFile(path, 'utf8')).toBe(text);
});

test('--fix of a file and of a link to it changes the file once', async () => {
  await symlink('Dockerfile', join(folder, 'repo/Dockerfile.link'));
  expect((await run(['Dockerfile', 'Dockerfile.link'], { fix: true })).code).toBe(0);
  expect(await readFile(join(folder, 'repo/Dockerfile'), 'utf8')).toBe(
    'FROM alpine:3.22\nRUN apk add curl=8.14.1-r2\n',
  );
});

describe('--fix of images that include others', () => {
  const image = (pins: string, more = '') =>
    `${more}contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages: [${pins}]\n`;
  const child = (pins: string) => image(pins, 'include: base.yaml\n');
  const fixed = async (...words: string[]) => {
    const { output, errors } = await run(words, { fix: true });
    return [...errors.split('\n'), ...output.split('\n')].filter((line) => line !== '');
  };

  beforeEach(async () => {
    const of = (name: string, versions: readonly string[], needs: boolean) =>
      versions.map((version) => pkg(name, version, needs ? { D: `lib=${version}` } : {}));
    const packages = [
      ...of('lib', ['1-r0', '2-r0'], false),
      ...of('app', ['1-r0', '2-r0'], true),
      ...of('old', ['1-r0'], true),
    ];
    await put('indexes/wolfi/x86_64/APKINDEX.tar.gz', await signedIndex(packages));
    await put('repo/i/base.yaml', image('lib=1-r0'));
    await put('repo/i/app.yaml', child('app=1-r0'));
  });

  test('both are raised', async () => {
    expect(await fixed('i')).toEqual([
      'i/app.yaml: app=1-r0 -> 2-r0',
      'i/base.yaml: lib=1-r0 -> 2-r0',
      'changed 2 pins',
    ]);
  });

  test('a pin does not rely on an included file that is raised otherwise, or not at all', async () => {
    await put('repo/i/base.yaml', 'contents:\n  packages: [lib=1-r0]\n');
    expect(await fixed('i')).toEqual([
      'i/app.yaml: app=1-r0 left unchanged: 2-r0 cannot be installed with lib=1-r0 on x86_64: no remaining candidate meets lib=2-r0',
      'i/base.yaml: lib=1-r0 left unchanged: i/app.yaml would get 2-r0, and i/base.yaml no newer version',
      '1 package not looked up; check --all says why',
      'nothing to change',
    ]);
  });

  test('a pin does not rely on one whose version cannot be changed', async () => {
    const composed = '"lib=${{vars.v}}-r0"';
    const conflict = 'left unchanged: 2-r0 cannot be installed with';
    const recipe = (pins: string) =>
      `package: {name: p, version: 1, epoch: 0}\nvars: {v: 1}\nenvironment:\n${image(pins).replaceAll(/^/gm, '  ')}`;
    await put('repo/i/p.yaml', recipe(`${composed}, app=1-r0`));
    expect(await fixed('i/p.yaml')).toEqual([
      'i/p.yaml: lib=1-r0 left unchanged: its version is composed of several parts',
      `i/p.yaml: app=1-r0 ${conflict} lib=1-r0 on x86_64: no remaining candidate meets lib=2-r0`,
      'nothing to change',
    ]);
    await put(
      'repo/D/Dockerfile',
      'ARG V=1-r0\nFROM cgr.dev/chainguard/wolfi-base:$V\nARG V\nRUN apk add lib=$V app=1-r0\n',
    );
    expect(await fixed('D')).toEqual([
      "D/Dockerfile: lib=1-r0 left unchanged: $V is part of an image's name",
      `D/Dockerfile: app=1-r0 ${conflict} lib=1-r0 on x86_64: lib=2-r0 conflicts with lib-1-r0`,
      'nothing to change',
    ]);
  });

  test('an included file is raised although an image that includes it is not looked up', async () => {
    await put('repo/i/app.yaml', child('app=1-r0').replace('packages.wolfi.dev', 'unknown.example'));
    expect(await fixed('i')).toEqual([
      '1 package not looked up; check --all says why',
      'i/base.yaml: lib=1-r0 -> 2-r0',
      'changed 1 pin',
    ]);
  });

  test('a pin does not rely on an included file that is not named', async () => {
    expect(await fixed('i/app.yaml')).toEqual([
      'i/app.yaml: app=1-r0 left unchanged: 2-r0 cannot be installed with lib=1-r0 on x86_64: no remaining candidate meets lib=2-r0',
      'nothing to change',
    ]);
  });

  test('an included pin stays if one of the images needs it, and so do those that need a newer one', async () => {
    await put('repo/i/old.yaml', child('old=1-r0'));
    const because = 'left unchanged: 2-r0 cannot be installed with';
    expect(await fixed('i')).toEqual([
      `i/app.yaml: app=1-r0 ${because} lib=1-r0 on x86_64: no remaining candidate meets lib=2-r0`,
      `i/base.yaml: lib=1-r0 ${because} old=1-r0 on x86_64: no remaining candidate meets lib=1-r0`,
      'nothing to change',
    ]);
  });
});

test('a file that is no UTF-8 keeps its other bytes', async () => {
  const bytes = Buffer.from('FROM alpine:3.22\n# caf\xe9\nRUN apk add curl=8.12.0-r0\n', 'latin1');
  await put('repo/Dockerfile', bytes);
  await run(['Dockerfile'], { diff: true });
  const diff = vi.spyOn(process.stdout, 'write').mock.calls.map(([chunk]) => Buffer.from(chunk));
  expect(Buffer.concat(diff).toString('latin1')).toContain('\n # caf\xe9\n-RUN');
  await run(['Dockerfile'], { fix: true });
  const after = await readFile(join(folder, 'repo/Dockerfile'));
  expect(after.toString('latin1')).toBe(bytes.toString('latin1').replace('8.12.0-r0', '8.14.1-r2'));
});

test('pin', async () => {
  await put('repo/Dockerfile', 'FROM alpine:3.22\nRUN apk add --no-cache curl\n');
  expect((await run(['Dockerfile'], {}, { pin: true })).output).toBe(
    'Dockerfile: curl -> 8.14.1-r2\nchanged 1 pin\n',
  );
  expect(await readFile(join(folder, 'repo/Dockerfile'), 'utf8')).toBe(
    'FROM alpine:3.22\nRUN apk add --no-cache curl=8.14.1-r2\n',
  );
});

test('an index that cannot be refreshed is a failure, also with an older one in the cache', async () => {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await readFile(join(folder, 'indexes/wolfi/x86_64/APKINDEX.tar.gz')));
  const config = (await readFile(join(folder, 'beacon.yml'), 'utf8'))
    .replace('cacheDir: none', `cacheDir: ${join(folder, 'cache')}`)
    .replace(join(folder, 'indexes', 'wolfi'), upstream.url);
  await put('beacon.yml', config);
  expect(await run(['images'], { 'fail-on': 'never' })).toMatchObject({ code: 0 });
  upstream.misbehave('x86_64', (_request, response) => void response.writeHead(500).end());
  for (const own of [{ 'fail-on': 'never' }, { fix: true }] as const)
    await expect(run(['images'], own)).rejects.toMatchObject(unchecked(/answered 500/));
});

test('a ledger is begun only for --min-age, and then continued', async () => {
  const config = await readFile(join(folder, 'beacon.yml'), 'utf8');
  await put('beacon.yml', config.replace('cacheDir: none', `cacheDir: ${join(folder, 'cache')}`));
  const ledger = join(folder, 'cache/ledger');
  await run(['images']);
  expect(fs.existsSync(ledger)).toBe(false);
  await run(['images'], { diff: true, 'min-age': '1h' });
  expect(fs.existsSync(ledger)).toBe(true);
  await put('indexes/wolfi/x86_64/APKINDEX.tar.gz', await signedIndex([pkg('curl', '8.20.0-r0')]));
  expect(plain((await run(['images'])).output)).toMatch(/withdrawn on \d{4}-\d\d-\d\d/);
});

test('--security without any advisories is refused; nothing to change looked like nothing to fix', async () => {
  for (const own of [{ fix: true, security: true }, { security: true }] as const)
    await expect(run(['images'], own)).rejects.toThrow(
      '--security needs advisories, and no datasource has any',
    );
});

test('pin tells which names it leaves, and why', async () => {
  const text = 'FROM alpine:3.22\nARG P=curl\nRUN apk add $P && apk del $P\n';
  await put('repo/Dockerfile', text);
  expect(await run(['Dockerfile'], {}, { pin: true })).toEqual({
    code: 0,
    output: 'nothing to change\n',
    errors: 'Dockerfile: curl left unchanged: $P is also used outside apk add\n',
  });
  expect(await readFile(join(folder, 'repo/Dockerfile'), 'utf8')).toBe(text);
});

describe('a running service', () => {
  test('says the same as the indexes themselves', async () => {
    await using upstream = await startUpstream();
    upstream.serve('wolfi', await readFile(join(folder, 'indexes/wolfi/x86_64/APKINDEX.tar.gz')));
    await using service = await startService({
      config: {
        datasources: Object.fromEntries(
          ['wolfi', 'alpine-3.22'].map((name) => [
            name,
            { archs: ['x86_64'], repositories: [join(folder, 'indexes', name)] },
          ]),
        ),
      },
    });
    await service.beacon.refreshOnce(signal);
    await service.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.server.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/`;
    const here = await run([], { format: 'json' });
    const there = await run([], { format: 'json', url });
    expect(there).toEqual(here);
    expect((await run([], { fix: true, url })).output).toContain('changed 2 pins');
  });

  test('that judges only some of the pins is no success', async () => {
    const service = createServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"judgments":[]}'),
    );
    await once(service.listen(0, '127.0.0.1'), 'listening');
    const { port } = service.address() as AddressInfo;
    await expect(run([], { url: `http://127.0.0.1:${port}` })).rejects.toMatchObject(
      unchecked(`127.0.0.1:${port} did not judge every pin`),
    );
    service.close();
  });

  test('that is not there, or not loaded, is no success', async () => {
    await expect(run([], { url: 'http://127.0.0.1:1' })).rejects.toMatchObject(
      unchecked('cannot ask 127.0.0.1:1'),
    );
    await using service = await startService({
      config: { datasources: { wolfi: { archs: ['x86_64'], repositories: [join(folder, 'nowhere')] } } },
    });
    await service.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.server.server.address() as AddressInfo;
    await expect(run([], { url: `http://127.0.0.1:${port}` })).rejects.toMatchObject(
      unchecked(/answered 429/),
    );
  });
});
