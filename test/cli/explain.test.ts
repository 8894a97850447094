/** The command against a running service: how arguments are parsed and what is printed. */
import { WriteStream } from 'node:tty';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { explainCommand } from '../../src/cli/explain.ts';
import { loadConfig } from '../../src/config/config.ts';
import { parseCommandLine } from '../../src/config/options.ts';
import { startProxy } from '../support/proxy.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';
import { serverTls, tlsPath } from '../support/tls.ts';
import { startUpstream as startWebServer } from '../support/upstream.ts';

const signal = new AbortController().signal;

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A service with twelve versions of `tool`, and `so:lib/x.so` at one. */
async function running(config: object = {}): Promise<TestService & { readonly url: string }> {
  const upstream = await startUpstream();
  const versions = Array.from({ length: 12 }, (_, i) => pkg('tool', `${1 + Math.floor(i / 4)}.${i % 4}-r0`));
  upstream.serve('x86_64', await signedIndex([...versions, pkg('lib', '7-r0', { p: 'so:lib/x.so=7' })]));
  const service = await startService({
    config: {
      datasources: {
        wolfi: { repositories: [upstream.url], archs: ['x86_64'] },
        other: { repositories: [upstream.url], archs: ['x86_64'] },
      },
      ...config,
    },
    environment: { SERVICE_TOKEN: 'secret' },
  });
  await service.beacon.refreshOnce(signal);
  await service.server.listen({ host: '127.0.0.1', port: 0 });
  await upstream[Symbol.asyncDispose]();
  const { port } = service.server.server.address() as AddressInfo;
  return Object.assign(service, { url: `http://127.0.0.1:${port}/` });
}

interface Flags {
  readonly url: string;
  readonly json?: boolean;
  readonly all?: boolean;
  readonly config?: TestService['config'];
}

/** The command's output and exit code. */
async function explained(word: string, { url, json = false, all = false, config }: Flags) {
  const written: string[] = [];
  const output = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((text) => written.push(String(text)) > 0);
  const configured = (): TestService['config'] => config ?? loadConfig(parseCommandLine([], {}), {});
  const code = await explainCommand([word], configured, { json, all, url, signal }).finally(() =>
    output.mockRestore(),
  );
  return { code, text: written.join('') };
}

describe('explain --url', () => {
  test.each([
    ['tool', undefined, undefined],
    ['tool=2.0-r0', '2.0-r0', 'offered'],
    ['tool==2.0-r0', '2.0-r0', 'offered'],
    ['tool~2', '~2', 'offered'],
    ['tool@edge', undefined, undefined],
    ['wolfi/tool@edge=2.0-r0', '2.0-r0', 'offered'],
    ['tool=2.0-r0@edge', '2.0-r0@edge', 'offered'],
    ['tool=~2', '=~2', 'offered'],
    ['tool>=2 <3', '>=2 <3', 'offered'],
    ['wolfi/tool=9-r0', '9-r0', 'gone'],
    ['other/tool>9', '>9', 'gone'],
  ])('reads %s', async (word, current, state) => {
    await using service = await running();
    const { url } = service;
    const { code, text } = await explained(word, { url, json: true });
    expect(code).toBe(0);
    const { name, pin } = JSON.parse(text) as { name: string; pin?: object };
    expect(name).toBe('tool');
    expect(pin).toEqual(current === undefined ? undefined : expect.objectContaining({ current, state }));
  });

  test('asks for names with slashes, and fails with 1 for one that is in no index', async () => {
    await using service = await running();
    const { url } = service;
    expect((await explained('wolfi/so:lib/x.so=7', { url })).text).toMatch(/pin 7 \(offered\): no update/);
    expect(await explained('absent', { url })).toMatchObject({ code: 1 });
  });

  test('prints the newest versions and the pinned one; all of them with --all', async () => {
    await using service = await running();
    const { url } = service;
    const rows = (text: string): string[] => [...text.matchAll(/^ {2}\+ (\S+)/gm)].map(([, v]) => v ?? '');
    const some = (await explained('tool=1.0-r0', { url })).text;
    expect(rows(some)).toHaveLength(11);
    expect(rows(some)).toEqual(expect.arrayContaining(['1.0-r0', '3.3-r0']));
    expect(some).toContain('1 older version, shown by --all');
    expect(some.trimEnd().split('\n').at(-1)).toBe(
      '  pin 1.0-r0 (offered): propose 3.3-r0, because 3.3-r0 is the newest release',
    );
    const all = (await explained('tool=1.0-r0', { url, all: true })).text;
    expect(rows(all)).toHaveLength(12);
    expect(all).not.toContain('--all');
  });

  test('sends the configured token, and reports if it is missing or wrong', async () => {
    await using service = await running({ clientToken: { env: 'SERVICE_TOKEN' } });
    const { url } = service;
    expect((await explained('tool', { url, config: service.config })).code).toBe(0);
    await expect(explained('tool', { url })).rejects.toThrow(/wants a token: set clientToken/);
    const other = { ...service.config, environment: { SERVICE_TOKEN: 'guess' } };
    await expect(explained('tool', { url, config: other })).rejects.toThrow(/wants another clientToken/);
  });

  test.each(['ftp://127.0.0.1/', '127.0.0.1:3000', ''])('refuses the URL %j', async (url) => {
    await expect(explained('tool', { url })).rejects.toThrow('--url: expected an http or https URL');
  });

  test('trusts the configured authorities, and asks through the proxy', async () => {
    const { url } = await startWebServer(
      (_request, response) =>
        response.setHeader('content-type', 'application/json').end('{"name":"tool","versions":[]}'),
      serverTls,
    );
    url.hostname = 'localhost';
    const proxy = await startProxy();
    const plain = loadConfig(parseCommandLine([], {}), { HTTPS_PROXY: proxy.url.href });
    const config = { ...plain, extraCa: [tlsPath('ca.crt')] };
    expect((await explained('tool', { url: url.href, json: true, config })).text).toContain('"tool"');
    expect(proxy.asked.map(({ line }) => line)).toEqual([`CONNECT ${url.host}`]);
  });

  test('reports a server that is not apk-beacon, such as a login page', async () => {
    const { url } = await startWebServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>'),
    );
    await expect(explained('tool', { url: url.href })).rejects.toThrow(
      `${url.host} is not apk-beacon: it answered text/html`,
    );
  });
});

const ESCAPE = /\x1b\[/;

test('colours the verdict on a terminal, unless NO_COLOR is set', async () => {
  await using service = await running();
  const { url } = service;
  const word = 'tool=1.0-r0';
  for (const name of ['NO_COLOR', 'NODE_DISABLE_COLORS', 'FORCE_COLOR', 'CI']) vi.stubEnv(name, undefined);
  vi.stubEnv('TERM', 'xterm-256color');
  const before = Object.getOwnPropertyDescriptor(process.stdout, 'isTTY');
  const depth = Object.getOwnPropertyDescriptor(process.stdout, 'getColorDepth');
  const restore = (key: string, descriptor: PropertyDescriptor | undefined): void => {
    if (descriptor) Object.defineProperty(process.stdout, key, descriptor);
    else Reflect.deleteProperty(process.stdout, key);
  };
  const stand = (isTTY: boolean): void => {
    Object.defineProperty(process.stdout, 'isTTY', { value: isTTY, configurable: true });
    const value = (): number => WriteStream.prototype.getColorDepth(process.env);
    Object.defineProperty(process.stdout, 'getColorDepth', { value, configurable: true });
  };
  try {
    stand(false);
    expect((await explained(word, { url })).text).not.toMatch(ESCAPE);
    stand(true);
    expect((await explained(word, { url })).text).toMatch(ESCAPE);
    vi.stubEnv('NO_COLOR', '1');
    expect((await explained(word, { url })).text).not.toMatch(ESCAPE);
  } finally {
    restore('isTTY', before);
    restore('getColorDepth', depth);
  }
});

test('an index that cannot be had is named, with the reason', async () => {
  const config = loadConfig(parseCommandLine(['--repository', '/nowhere/apks', '--arch', 'x86_64'], {}), {});
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const explaining = explainCommand(['tool'], () => config, {
    json: false,
    all: false,
    url: undefined,
    signal,
  });
  await expect(explaining).rejects.toThrow('cannot read /nowhere/apks/x86_64/APKINDEX.tar.gz: ENOENT');
});

test.each(['wolfi@7d/curl', 'wolfi@2026-07-24T06:00Z/curl'])('%s is asked of a service', async (word) => {
  const config = loadConfig(parseCommandLine([], {}), {});
  const flags = { json: false, all: false, url: undefined, signal };
  await expect(explainCommand([word], () => config, flags)).rejects.toThrow(
    `${word.replace('/curl', '')} needs --url: only a running service has ages and times`,
  );
});
