/** Hostile names and requests, on every route, over HTTP and raw sockets. */
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';

let upstream: Upstream;
let service: TestService;
let port: number;

beforeAll(async () => {
  upstream = await startUpstream();
  // One package that provides every hostile name there can be in an index.
  const provided = names.filter((name) => !/[\s<>=~]/.test(name) && name.length <= 256 && name !== '');
  const p = provided.map((name) => `${name}=1.0-r0`).join(' ');
  upstream.serve('x86_64', await signedIndex([pkg('app', '1.0-r0'), pkg('hostile', '1.0-r0', { p })]));
  service = await startService({
    config: { datasources: { wolfi: { archs: ['x86_64'], repositories: [upstream.url] } } },
    logLevel: 'trace',
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  await service.server.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = service.server.server.address() as AddressInfo);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

const names = [
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__', 'then', 'length',
  'libstdc++', 'g++', 'so:libc.musl-x86_64.so.1', 'cmd:[', 'pc:gtk+-3.0', 'py3.12:a', '/bin/sh', '//', '///', '.', '..',
  '../../etc/passwd', '..\\..\\windows', 'wolfi', 'livez', 'latest', 'explain', 'a/latest/explain', 'x'.repeat(101),
  'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(5000), '\0', 'a\0b', 'a\r\nx-evil: 1', 'a\nb', '\u001b[31mred', '\u0007',
  '\u202eevil', '\u200b', '\u2028', '\ufeffapp', 'é', 'e\u0301', '日本', '😀', '<script>alert(1)</script>', '"><img src=x>',
  "' OR 1=1 --", '${jndi:ldap://a/b}', '{{7*7}}', '%', '%25', '%2e%2e', '%00', ' ', ' app', 'app ', '\t', '?', '#', '&', ';',
  'app=1.0-r0', 'app>1', '~', '*', '\\', '|', 'undefined', 'null', 'NaN', '-1', '1e309', 'http://169.254.169.254/',
]; // prettier-ignore

const routes = [
  (name: string) => `/${name}`,
  (name: string) => `/wolfi/${name}`,
  (name: string) => `/wolfi/${name}/latest`,
  (name: string) => `/wolfi/${name}/explain`,
  (name: string) => `/app?current=${name}`,
  (name: string) => `/app?line=${name}`,
  (name: string) => `/app?arch=${name}`,
  (name: string) => `/app?strip=${name}`,
  (name: string) => `/app/latest?range=${name}`,
  (name: string) => `/app?${name}=${name}`,
  (name: string) => `/${name}/app`,
  (name: string) => `/readyz?${name}`,
];

/** Conditions for every answer. */
function expectHarmless(
  { status, headers, body }: { status: number; headers: Record<string, unknown>; body: string },
  asked: string,
): void {
  expect([200, 400, 404], asked).toContain(status);
  const type = String(headers['content-type']);
  expect(type, asked).toMatch(status === 200 ? /^(application\/json|text\/plain)/ : /^application\/json/);
  expect(headers, asked).toMatchObject({ 'x-content-type-options': 'nosniff' });
  expect(headers['x-evil'], asked).toBeUndefined();
  if (type.startsWith('application/json')) JSON.parse(body);
  else expect(body, asked).toMatch(/^(1\.0-r0|ok)\n$/);
}

test('there are at least sixty of them', () => expect(new Set(names).size).toBeGreaterThanOrEqual(60));

test.each(names.map((name) => [JSON.stringify(name).slice(0, 60), name]))('%s', async (_title, name) => {
  const before = service.logs.length;
  for (const route of routes) {
    for (const written of [encodeURIComponent(name), encodeURI(name).replaceAll('#', '%23'), doubly(name)]) {
      const url = route(written);
      const { statusCode: status, headers, body } = await service.get(url);
      expectHarmless({ status, headers, body }, url);
    }
  }
  for (const line of service.logs.slice(before)) expect(line.trimEnd()).not.toMatch(/[\n\r\u001b]/);
  const found = await service.get(`/wolfi/${encodeURIComponent(name)}`);
  if (name.length > 256) expect(found.statusCode).toBe(400);
  else if (!isKnown(name)) expect(found.statusCode).toBe(404);
  else if (!isView(name))
    expect(found.json()).toMatchObject({ releases: [{ version: '1.0-r0', revision: 0 }] });
});

const doubly = (name: string): string => encodeURIComponent(encodeURIComponent(name));
/** Of the names that an index can hold, those that a path can say: a slash at its end is none of the name's. */
const isKnown = (name: string): boolean => !/[\s<>=~]/.test(name) || name === 'app';
const isView = (name: string): boolean =>
  name.endsWith('/') || name.endsWith('/explain') || ['.', '..'].includes(name); // as clients read dots

/** What the service answers to these bytes until it closes the connection. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (piece: string) => (answer += piece));
  socket.on('error', () => undefined);
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  return answer;
}

const close = 'Host: a\r\nConnection: close\r\n';

describe('over a socket', () => {
  test.each<[title: string, bytes: string, status: RegExp]>([
    ['HEAD', `HEAD /app HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 200 /],
    ['OPTIONS', `OPTIONS /app HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 405 /],
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 40[05] /],
    ['TRACE', `TRACE /app HTTP/1.1\r\n${close}X-Secret: c4n4ry\r\n\r\n`, /^HTTP\/1.1 40[05] /],
    ['CONNECT', `CONNECT a:443 HTTP/1.1\r\n${close}\r\n`, /^$|^HTTP\/1.1 4/],
    ['DELETE', `DELETE /app HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 405 /],
    ['an unknown method', `EVIL /app HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 400 /],
    ['absolute form', `GET http://evil.example/app HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 (200|400|404) /],
    ['a Host of its own', `GET /app HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`, /^HTTP\/1.1 200 /],
    ['two Hosts', `GET /app HTTP/1.1\r\nhost: b\r\n${close}\r\n`, /^HTTP\/1.1 400 /],
    ['the same Host twice', `GET /livez HTTP/1.1\r\nHost: a\r\n${close}\r\n`, /^HTTP\/1.1 400 /],
    ['a header whose value is host', `GET /app HTTP/1.1\r\nX: host\r\n${close}\r\n`, /^HTTP\/1.1 200 /],
    ['no Host', 'GET /app HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1.1 400 /],
    ['HTTP/1.0', 'GET /app HTTP/1.0\r\n\r\n', /^HTTP\/1.1 200 /],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^$|^HTTP\/1.1 400 /],
    ['forwarding headers', `GET /app HTTP/1.1\r\n${close}X-Forwarded-Host: e\r\nX-Original-URL: /metrics\r\n\r\n`, /^HTTP\/1.1 200 /],
    ['a header of 20 kB', `GET /app HTTP/1.1\r\n${close}X: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 4(00|31) /],
    ['a target of 20 kB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 4(00|31) /],
    ['three thousand headers', `GET /app HTTP/1.1\r\n${close}${'x: y\r\n'.repeat(3000)}\r\n`, /^HTTP\/1.1 4(00|31) /],
    ['a NUL in a header', `GET /app HTTP/1.1\r\n${close}X: a\0b\r\n\r\n`, /^HTTP\/1.1 400 /],
    ['a folded header', `GET /app HTTP/1.1\r\n${close}X: a\r\n b\r\n\r\n`, /^HTTP\/1.1 (200|400) /],
    ['a body with GET', `GET /app HTTP/1.1\r\n${close}Content-Length: 5\r\n\r\nhello`, /^HTTP\/1.1 (200|400) /],
    ['a body that is too long', `POST /app HTTP/1.1\r\n${close}Content-Type: text/plain\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(5000)}`, /^HTTP\/1.1 4/],
    ['two lengths (smuggling)', `GET /app HTTP/1.1\r\n${close}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, /^HTTP\/1.1 400 /],
    ['length and chunks (smuggling)', `POST /app HTTP/1.1\r\n${close}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX`, /^HTTP\/1.1 400 /],
    ['a strange coding (smuggling)', `POST /app HTTP/1.1\r\n${close}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1.1 (400|405) /],
    ['a lone line feed (smuggling)', `GET /app HTTP/1.1\nHost: a\n\n`, /^HTTP\/1.1 400 /],
    ['a raw control character in the path', `GET /a\u0001b HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 400 /],
    ['raw bytes in the path', `GET /\xff\xfe HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 4/],
    ['a space in the path', `GET /a b HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 400 /],
    ['raw HTML in the path', `GET /<script>alert(1)</script> HTTP/1.1\r\n${close}\r\n`, /^HTTP\/1.1 404 /],
    ['an upgrade', `GET /app HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`, /^HTTP\/1.1 200 /],
    ['TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n', /^HTTP\/1.1 400 /],
  ])('%s', async (_title, bytes, status) => {
    const answer = await raw(bytes);
    expect(answer).toMatch(status);
    expect(answer).not.toContain('c4n4ry');
    expect(answer.match(/^HTTP\/1.1 /gm)?.length ?? 1).toBe(1);
    const [head = '', body = ''] = answer.replace('\r\n0\r\n', '').split('\r\n\r\n');
    if (body !== '') expect(head).toMatch(/^content-type: application\/json/im);
    if (body !== '') expect(head).toMatch(/^x-content-type-options: nosniff/im);
  }); // prettier-ignore

  test('a name is looked up as the bytes of the path say, never as an address', async () => {
    const before = upstream.requests.length;
    await raw(`GET /wolfi/${upstream.url}/x86_64/APKINDEX.tar.gz HTTP/1.1\r\n${close}\r\n`);
    await raw(`GET ${upstream.url}/evil HTTP/1.1\r\n${close}\r\n`);
    expect(upstream.requests.length).toBe(before);
  });

  test('no name becomes the label of a metric', async () => {
    const { body } = await service.get('/metrics');
    for (const name of ['__proto__', '<script', 'evil', 'libstdc', 'EVIL']) expect(body).not.toContain(name);
  });

  test('requests in a row on one connection are answered each for itself', async () => {
    const one = 'GET /app/latest HTTP/1.1\r\nHost: a\r\n\r\n';
    const answer = await raw(`${one.repeat(50)}GET /nothing HTTP/1.1\r\n${close}\r\n`);
    expect(answer.match(/^HTTP\/1.1 200 /gm)).toHaveLength(50);
    expect(answer.match(/^HTTP\/1.1 404 /gm)).toHaveLength(1);
  });
});
