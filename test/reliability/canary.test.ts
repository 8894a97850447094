/**
 * A canary in every place for a secret, in a service at trace level whose upstreams work, refuse and break. Only the
 * upstreams it is meant for may receive it.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from 'undici';
import { stringify } from 'yaml';
import { addressOf, start } from '../support/process.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const secrets = [
  'url',
  'query',
  'env',
  'file',
  'header',
  'netrc',
  'http-auth',
  'token',
  'argument',
  'key',
  'hook',
].map((place) => `c4n4ry-s1ngs-${place}`);
const [inUrl, inQuery, inEnv, inFile, inHeader, inNetrc, inHttpAuth, inToken, inArgument, inKey, inHook] =
  secrets as [string, string, string, string, string, string, string, string, string, string, string];
/** As they are and as base64 has them, at each of three offsets. */
const song = 'c4n4ry-s1ngs';
const songs = [song, ...['', 'x', 'xx'].map((before) => base64(`${before}${song}`).slice(4, -4))];

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function expectSilence(text: string, where: string): void {
  for (const each of songs) expect(text, where).not.toContain(each);
}

let folder: string;
let upstream: Upstream;
/** What each path was asked with. */
const heard = new Map<string, string>();

beforeAll(async () => {
  folder = await temporaryFolder();
  upstream = await startUpstream();
  const bytes = await signedIndex([pkg('app', '1.0-r0')]);
  for (const arch of ['keys', 'os', 'env', 'file', 'header', 'netrc', 'bad']) {
    upstream.misbehave(arch, ({ url = '', headers }, response) => {
      heard.set(url, `${headers.authorization ?? ''} ${String(headers['x-api-key'] ?? '')}`);
      if (arch === 'bad')
        response.writeHead(302, { location: `ftp://me:${inUrl}@127.0.0.1/?${inUrl}` }).end();
      else if (arch === 'keys') response.end(testKey().pem);
      else response.writeHead(200, { etag: '"1"' }).end(bytes);
    });
  }
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function writeConfig(): Promise<{ file: string; environment: Record<string, string> }> {
  const at = (name: string): string => join(folder, name);
  const own = upstream.url.replace('//', `//me:${inUrl}@`);
  const host = new URL(upstream.url).host;
  await writeFile(at('secret'), `${inFile}\n`);
  await writeFile(at('netrc'), `machine localhost login me password ${inNetrc}\n`);
  const datasource = (repository: object): object => ({ archs: ['x86_64'], repositories: [repository] });
  const fetched = [`http://me:${inKey}@${host}/keys/${testKey().name}`];
  const keys = [at(testKey().name)];
  await writeFile(at(testKey().name), testKey().pem);
  const config = {
    listen: '127.0.0.1:0',
    logLevel: 'trace',
    cacheDir: at('cache'),
    netrc: at('netrc'),
    clientToken: { env: 'TOKEN' },
    notify: { hook: { url: `${upstream.url}/hook?token=${inHook}`, datasource: 'url', gitlab: { ref: 'main', token: { env: 'HOOK' } } } },
    datasources: {
      url: datasource({ url: `${own}/os?token=${inQuery}`, keys: fetched }),
      env: datasource({ url: `${upstream.url}/env`, keys, credentials: { bearer: { env: 'BEARER' } } }),
      file: datasource({ url: `${upstream.url}/file`, keys, credentials: { basic: { username: 'me', password: { file: at('secret') } } } }),
      header: datasource({ url: `${upstream.url}/header`, keys, credentials: { header: { name: 'X-API-Key', value: { env: 'HEADER' } } } }),
      netrc: datasource({ url: `http://localhost:${new URL(upstream.url).port}/netrc`, keys }),
      bad: datasource({ url: `${own}/bad?token=${inQuery}`, keys }),
      broken: datasource({ url: `http://me:${inUrl}@127.0.0.1:1/os?token=${inQuery}` }),
      unset: datasource({ url: upstream.url, credentials: { bearer: { env: 'NOT_SET' } } }),
    },
  }; // prettier-ignore
  await writeFile(at('config.yaml'), stringify(config));
  const environment = {
    TOKEN: inToken,
    BEARER: inEnv,
    HEADER: inHeader,
    HOOK: inHook,
    HTTP_AUTH: `basic:127.0.0.1:me:${inHttpAuth}`,
  };
  return { file: at('config.yaml'), environment };
}

test('no secret is in logs, answers, metrics, the printed configuration, the cache or the list of processes', async () => {
  const { file, environment } = await writeConfig();
  await using service = start(['--config', file], environment);
  const address = await addressOf(service);
  const authorization = `Bearer ${inToken}`;
  const get = async (path: string, headers: Record<string, string> = { authorization }): Promise<string> => {
    const answer = await request(`${address}${path}`, { headers });
    return `${answer.statusCode} ${JSON.stringify(answer.headers)} ${await answer.body.text()}`;
  };
  for (const name of ['url', 'env', 'file', 'header', 'netrc'])
    expect(await get(`/${name}/app/latest`), service.lines.join('\n')).toMatch(/1\.0-r0/);
  for (const name of ['bad', 'broken', 'unset'])
    await service.line(new RegExp(`"datasource":"${name}".*cannot refresh`));

  const paths = [
    '/',
    '/readyz',
    '/metrics',
    '/livez',
    '/app',
    '/nothing',
    '/url',
    '/bad',
    '/broken',
    '/unset',
    '/%zz',
  ];
  for (const path of [...paths, '/url/app/explain', '/app?line=x', '/netrc']) {
    expectSilence(await get(path), path);
    expectSilence(await get(path, { authorization: `Bearer not-${inToken}` }), path);
    expectSilence(await get(path, {}), path);
  }
  service.child.kill('SIGHUP');
  await service.line(/"msg":"unchanged"/);
  service.child.kill('SIGTERM');
  expect(await service.ended).toBe(0);
  expect(service.lines.length).toBeGreaterThan(10);
  expectSilence(service.lines.join('\n'), 'logs');

  for (const command of [
    ['config'],
    ['accept', 'url'],
    ['explain', 'url/app'],
    ['serve', `http://me:${inArgument}@a/`],
  ]) {
    await using run = start([...command, '--config', file], environment);
    await run.ended;
    expect(run.lines.length).toBeGreaterThan(0);
    expectSilence(run.lines.join('\n'), command.join(' '));
  }
  for (const name of await readdir(join(folder, 'cache'), { recursive: true })) {
    expectSilence(name, 'a file name of the cache');
    const content = await readFile(join(folder, 'cache', name), 'latin1').catch(() => '');
    expectSilence(content, name);
  }
  const basic = (password: string): string => `Basic ${base64(`me:${password}`)} `;
  expect(Object.fromEntries(heard)).toEqual({
    [`/keys/${testKey().name}`]: basic(inKey),
    [`/os/x86_64/APKINDEX.tar.gz?token=${inQuery}`]: basic(inUrl),
    '/env/x86_64/APKINDEX.tar.gz': `Bearer ${inEnv} `,
    '/file/x86_64/APKINDEX.tar.gz': basic(inFile),
    '/header/x86_64/APKINDEX.tar.gz': ` ${inHeader}`,
    '/netrc/x86_64/APKINDEX.tar.gz': basic(inNetrc),
    [`/bad/x86_64/APKINDEX.tar.gz?token=${inQuery}`]: basic(inUrl),
  });
});

test('a password among the arguments is not in the list of processes', async () => {
  const repository = `http://me:${inArgument}@127.0.0.1:1/os`;
  await using service = start(['--listen', '127.0.0.1:0', '--cache-dir', 'none', '--repository', repository]);
  await service.line(/cannot refresh/);
  const { stdout } = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(service.child.pid)]);
  expect(stdout.trim()).toBe('apk-beacon');
  expectSilence(service.lines.join('\n'), 'logs');
});

test('the canary would be heard', () => {
  for (const secret of secrets) {
    expect(secret.includes(song)).toBe(true);
    expect(songs.some((each) => base64(`me:${secret}`).includes(each))).toBe(true);
  }
});

test('HTTP_AUTH is for its host and gives way to what a repository says of its own', async () => {
  const environment = { HTTP_AUTH: `basic:127.0.0.1:me:${inHttpAuth}` };
  const from = ['--arch', 'x86_64', '--cache-dir', 'none', '--allow-untrusted'];
  for (const [repository, expected] of [
    [`${upstream.url}/os`, `Basic ${base64(`me:${inHttpAuth}`)} `],
    [`${upstream.url}/os`.replace('127.0.0.1', 'localhost'), ' '],
  ] as const) {
    await using run = start(['explain', 'app', '--repository', repository, ...from], environment);
    expect(await run.ended).toBe(0);
    expect(heard.get('/os/x86_64/APKINDEX.tar.gz')).toBe(expected);
  }
});
