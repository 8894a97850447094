import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressOf, start } from '../support/process.ts';
import { startUpstream } from '../support/repository-server.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey, type Stanza } from '../support/signed-index.ts';

let folder: string;
let key: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A repository in a folder. */
async function repository(name: string, stanzas: readonly Stanza[]): Promise<string> {
  const path = join(folder, name);
  for (const arch of ['x86_64', 'aarch64']) {
    await mkdir(join(path, arch), { recursive: true });
    const index = await signedIndex(stanzas.map((stanza) => ({ ...stanza, A: arch })));
    await writeFile(join(path, arch, 'APKINDEX.tar.gz'), index);
  }
  return path;
}

const local = ['--listen', '127.0.0.1:0', '--cache-dir', 'none'];

async function get(url: string): Promise<{ status: number; body: string }> {
  const { statusCode, body } = await request(url);
  return { status: statusCode, body: await body.text() };
}

describe('serve', () => {
  test('answers from a folder, says what it serves, refreshes on SIGHUP and stops on SIGTERM with 0', async () => {
    const path = await repository('wolfi', [pkg('curl', '8.20.0-r0')]);
    await using service = start([...local, '--repository', path, '--key', key]);
    const address = await addressOf(service);
    expect(await get(`${address}/curl/latest`)).toEqual({ status: 200, body: '8.20.0-r0\n' });
    const hint = JSON.parse(await service.line(/for Renovate/)) as { msg: string };
    expect(hint.msg).toContain(`"extends": ["${address}/renovate.json"]`);
    expect(await service.line(/loaded 1 package /)).toContain('verified by test.rsa.pub');

    await repository('wolfi', [pkg('curl', '8.20.0-r0'), pkg('curl', '8.21.0-r0')]);
    service.child.kill('SIGHUP');
    await service.line(/changed: 1 added.*x86_64|x86_64.*changed: 1 added/);
    await service.line(/aarch64.*changed: 1 added/);
    expect((await get(`${address}/curl/latest`)).body).toBe('8.21.0-r0\n');

    service.child.kill('SIGTERM');
    expect(await service.ended).toBe(0);
  });

  test('takes the arguments of the Go peers: an address of one index', async () => {
    const path = await repository('single', [pkg('curl', '8.20.0-r0')]);
    const index = join(path, 'aarch64', 'APKINDEX.tar.gz');
    await using service = start([...local, '--repository', index, '--key', key]);
    const address = await addressOf(service);
    expect((await get(`${address}/curl/latest`)).body).toBe('8.20.0-r0\n');
    expect(JSON.parse((await get(`${address}/default`)).body)).toMatchObject({ archs: ['aarch64'] });
  });

  test('without a network it stays, says which URL failed and why, and so does /readyz', async () => {
    await using service = start([...local, '--repository', 'http://127.0.0.1:1/os', '--key', key]);
    const address = await addressOf(service);
    const line = await service.line(/cannot refresh: .*x86_64/);
    expect(line).toContain('http://127.0.0.1:1/os/x86_64/APKINDEX.tar.gz');
    expect(line).toContain('ECONNREFUSED');
    const ready = await get(`${address}/readyz`);
    expect(ready.status).toBe(503);
    expect(ready.body).toContain('ECONNREFUSED');
    service.child.kill('SIGINT');
    expect(await service.ended).toBe(0);
  });

  test('an untrusted index is refused; --allow-untrusted accepts it with a warning', async () => {
    const path = await repository('untrusted', [pkg('curl', '8.20.0-r0')]);
    await using refusing = start([...local, '--repository', path]);
    expect(await refusing.line(/cannot refresh/)).toContain('signed by test.rsa.pub (RSA256); trusted keys:');
    await using taking = start([...local, '--repository', path, '--allow-untrusted']);
    await taking.line(/NOT CHECKED/);
    expect((await get(`${await addressOf(taking)}/curl/latest`)).body).toBe('8.20.0-r0\n');
  });
});

describe('a command', () => {
  test('whose reader is gone ends as the signal would end it, and says nothing', async () => {
    await using command = start(['help']);
    command.child.stdout?.destroy();
    expect(await command.ended).toBe(141);
    expect(command.lines).toEqual([]);
  });

  test.each([
    [['help'], 1],
    // Its 1 means findings.
    [['check', 'package.json', '--format', 'json'], 3],
  ] as const)('whose output does not fit on the disk says so: %s', (words, code) => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, ['src/main.ts', ...words], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(stderr).toContain('apk-beacon: cannot write the output: ENOSPC: no space left on device, write\n');
    expect(status).toBe(code);
  });

  test.each([
    [['explain', 'check'], 1],
    [['explain', 'pin'], 1],
    [['check'], 3],
    [['--log-level', 'error', 'pin'], 3],
  ] as const)('that fails: the exit code of %s is %i', async (words, code) => {
    await using command = start([...words, '--url', 'http://127.0.0.1:1', '--cache-dir', 'none']);
    expect(await command.ended).toBe(code);
    expect(command.lines).toEqual([expect.stringContaining('cannot ask 127.0.0.1:1')]);
  });

  test('that is stopped says so', async () => {
    await using upstream = await startUpstream();
    const asked = new Promise<void>((resolve) => upstream.misbehave('x86_64', () => resolve()));
    upstream.misbehave('aarch64', () => undefined);
    const source = ['--repository', upstream.url, '--key', key];
    await using command = start(['explain', 'curl', '--cache-dir', 'none', ...source]);
    await asked;
    command.child.kill('SIGTERM');
    expect(await command.ended).toBe(1);
    expect(command.lines).toEqual(['apk-beacon: stopped by SIGTERM']);
  });
});

describe('a cache', () => {
  test('answers before the network does, verified, and a damaged one is passed over with one warning', async () => {
    const cacheDir = join(folder, 'cache');
    await using upstream = await startUpstream();
    upstream.serve('x86_64', await signedIndex([pkg('curl', '8.20.0-r0')]));
    const args = [
      '--listen', '127.0.0.1:0', '--cache-dir', cacheDir, '--arch', 'x86_64',
      '--repository', upstream.url, '--key', key,
    ]; // prettier-ignore
    {
      await using service = start(args);
      await service.line(/loaded 1 package /);
      service.child.kill('SIGTERM');
      expect(await service.ended).toBe(0);
    }
    upstream.misbehave('x86_64', (_, response) => void response.destroy());
    {
      await using service = start(args);
      const address = await addressOf(service);
      expect((await get(`${address}/curl/latest`)).body).toBe('8.20.0-r0\n');
      expect((await get(`${address}/readyz`)).status).toBe(200);
      expect(JSON.parse((await get(`${address}/default`)).body)).toMatchObject({
        indexes: [{ source: 'cache' }],
      });
    }
    const [file = ''] = (await readdir(join(cacheDir, 'indexes'))).filter((name) =>
      name.endsWith('.apkindex'),
    );
    const kept = await readFile(join(cacheDir, 'indexes', file));
    await writeFile(join(cacheDir, 'indexes', file), kept.subarray(0, kept.length - 10));
    await using service = start(args);
    expect(await service.line(/ignoring the cached index/)).toContain('does not match the index');
    await service.line(/cannot refresh/);
    expect((await get(`${await addressOf(service)}/readyz`)).status).toBe(503);
    expect(service.lines.filter((line) => line.includes('ignoring')).length).toBe(1);
  });

  test('that cannot be written is done without', async () => {
    const path = join(folder, 'a-file');
    await writeFile(path, '');
    await using upstream = await startUpstream();
    upstream.serve('x86_64', await signedIndex([pkg('curl', '8.20.0-r0')]));
    const where = ['--cache-dir', join(path, 'cache'), '--repository', upstream.url];
    await using service = start(['--listen', '127.0.0.1:0', '--arch', 'x86_64', '--key', key, ...where]);
    expect((await get(`${await addressOf(service)}/curl/latest`)).body).toBe('8.20.0-r0\n');
    await service.line(/cannot keep indexes/);
  });
});

describe('unusable settings end with one clear line and the right code', () => {
  test.each<[args: string[], code: number, message: RegExp]>([
    [['--lisen', 'x'], 2, /^apk-beacon: unknown option --lisen, did you mean --listen\?$/],
    [['sreve'], 2, /^apk-beacon: unknown command sreve, did you mean serve\?$/],
    [['xyzzy'], 2, /^apk-beacon: unknown command xyzzy; apk-beacon help lists the commands$/],
    [['--out', 'x'], 2, /^apk-beacon: --out belongs to the command export, not to serve$/],
    [['explain', 'x', '--brotli'], 2, /^apk-beacon: --brotli belongs to the command export, not to explain$/],
    [['serve', 'more'], 2, /^apk-beacon: serve takes no argument, got more$/],
    [['--key', '/nowhere/x.rsa.pub'], 2, /^apk-beacon: cannot read key \/nowhere\/x\.rsa\.pub: ENOENT/],
    [['--config', '/nowhere.yaml'], 2, /^apk-beacon: cannot read the configuration \/nowhere\.yaml: ENOENT/],
    [['explain'], 2, /^apk-beacon: usage: explain NAME\[=PIN\]; quote it if it contains blanks, < or >$/],
  ])('%j', async (args, code, message) => {
    await using failing = start(args);
    expect(await failing.ended).toBe(code);
    expect(failing.lines).toEqual([expect.stringMatching(message)]);
  });

  test('a port in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await using upstream = await startUpstream();
    for (const arch of ['x86_64', 'aarch64']) upstream.misbehave(arch, () => undefined);
    const source = ['--repository', upstream.url, '--key', key];
    await using failing = start(['--listen', `127.0.0.1:${port}`, ...source]);
    expect(await failing.ended).toBe(1);
    expect(failing.lines).toEqual([
      expect.stringContaining(`127.0.0.1:${port} is in use by another process`),
    ]);
    other.close();
  });
});

describe('explain', () => {
  test('prints why each version is or is not offered', async () => {
    const path = await repository('why', [
      pkg('curl', '8.20.0-r0', { t: '1767225600' }),
      pkg('curl', '8.21.0-r0', { D: 'libcurl=8.21.0-r0' }),
    ]);
    const from = ['--repository', path, '--key', key, '--cache-dir', 'none'];
    await using why = start(['explain', 'curl=8.19.0-r0', ...from]);
    expect(await why.ended).toBe(0);
    expect(why.lines).toEqual([
      'curl on x86_64, aarch64',
      '  + 8.20.0-r0  2026-01-01',
      '  - 8.21.0-r0  no date   ',
      '      withheld: curl needs libcurl=8.21.0-r0, which cannot be installed on x86_64',
      '      withheld: curl needs libcurl=8.21.0-r0, which cannot be installed on aarch64',
      '  pin 8.19.0-r0 (gone): propose 8.20.0-r0, because 8.20.0-r0 is the newest release',
    ]);
    await using unknown = start(['explain', 'crul', ...from]);
    expect(await unknown.ended).toBe(1);
    expect(unknown.lines[1]).toBe('  no index knows it; did you mean curl?');
    await using json = start(['explain', 'curl', '--json', ...from]);
    expect(await json.ended).toBe(0);
    expect(JSON.parse(json.lines.join('\n'))).toMatchObject({
      name: 'curl',
      versions: [{}, { offered: true }],
    });
  });
});

test('no command prints a control character of an index', async () => {
  const hostile = '\u001b]0;owned\u0007\u009b31m\u202e';
  const path = await repository('hostile', [
    pkg('curl', `8.20.0${hostile}`, { D: `lib${hostile}=1` }),
    pkg('curl', '8.21.0-r0', { D: `lib${hostile}=1`, p: `cmd:${hostile}=1` }),
  ]);
  const from = ['--repository', path, '--key', key, '--cache-dir', 'none'];
  const out = join(folder, 'hostile-export');
  for (const args of [
    ['explain', 'curl'],
    ['explain', `nothing${hostile}`],
    ['explain', 'curl', '--json'],
    ['export', '--out', out],
  ]) {
    await using run = start([...args, ...from]);
    await run.ended;
    expect(run.lines.length).toBeGreaterThan(0);
    for (const line of run.lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
  expect(await readFile(join(out, 'manifest.json'), 'utf8')).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
});

test('config prints the effective configuration, with secrets of URLs masked', async () => {
  const repositories = ['--repository', 'https://user:canary@apks.example.com/os'];
  await using shown = start(['config', ...repositories], { APK_BEACON_REFRESH: '90s' });
  expect(await shown.ended).toBe(0);
  const text = shown.lines.join('\n');
  expect(text).toContain('refresh: 90s');
  expect(text).toContain('url: https://***:***@apks.example.com/os');
  expect(text).not.toContain('canary');
  const file = join(folder, 'printed.yaml');
  await writeFile(file, text);
  await using again = start(['config', '--config', file]);
  expect(await again.ended).toBe(0);
  expect(parse(again.lines.join('\n'))).toEqual(parse(text));
});

test('config prints what --config accepts, with secrets of every URL masked', async () => {
  const file = join(folder, 'configured.yaml');
  const written = `
keepIndexes: 7d
limits: { inflated: 2GiB }
datasources:
  wolfi:
    repositories:
      - url: https://apks.example.com/os
        formerly: ['https://user:canary@old.example.com/os']
        withdrawal: { age: 184d, days: [13, 23] }
    advisories:
      - secdb: https://user:canary@apks.example.com/security.json
        refresh: 90m
      - osv: https://apks.example.com/osv.tar.gz?token=canary
`;
  await writeFile(file, written);
  await using shown = start(['config', '--config', file]);
  expect(await shown.ended).toBe(0);
  const text = shown.lines.join('\n');
  expect(text).not.toContain('canary');
  expect(parse(text)).toMatchObject({
    keepIndexes: '7d',
    datasources: {
      wolfi: {
        repositories: [{ withdrawal: { age: '184d', days: [13, 23] } }],
        advisories: [{ refresh: '90m' }, { osv: 'https://apks.example.com/osv.tar.gz?***' }],
      },
    },
  });
  await writeFile(file, text);
  await using again = start(['config', '--config', file]);
  expect(await again.ended).toBe(0);
  expect(parse(again.lines.join('\n'))).toEqual(parse(text));
});

test.each([
  ['clientToken: { env: NOT_SET }', 'clientToken: environment variable NOT_SET is not set'],
  [
    'signingKey: { name: a.rsa.pub, key: { file: /nowhere/a.rsa } }',
    'signingKey.key: cannot read secret file /nowhere/a.rsa',
  ],
  [
    'signingKey: { name: a.rsa.pub, key: { env: PUBLIC } }',
    'signingKey.key: expected an RSA private key in PEM, without a passphrase',
  ],
])('the service does not start with %s', async (secret, message) => {
  const config = `listen: 127.0.0.1:0\ncacheDir: none\n${secret}\n`;
  await using run = start(['--config', config], { PUBLIC: testKey().pem });
  expect(await run.ended).toBe(2);
  expect(run.lines.join('\n')).toContain(message);
});

test.each([['help'], ['--help'], ['-h']])('%s lists commands and options', async (...args) => {
  await using shown = start(args);
  expect(await shown.ended).toBe(0);
  expect(shown.lines.join('\n')).toMatch(/explain NAME.*--allow-untrusted.*APK_BEACON_ALLOW_UNTRUSTED/s);
});
