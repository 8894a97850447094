import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { pkg, signedIndex } from '../support/signed-index.ts';
import { startService, type TestService } from '../support/service.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';

const signal = new AbortController().signal;

async function offer(upstream: Upstream, ...versions: readonly string[]): Promise<void> {
  upstream.serve('x86_64', await signedIndex(versions.map((version) => pkg('curl', version))));
}

async function serve(upstream: Upstream, config: object = {}): Promise<TestService> {
  const service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } }, ...config },
    environment: { TOKEN: 'secret' },
  });
  await service.beacon.refreshOnce(signal);
  await service.server.listen({ host: '127.0.0.1', port: 0 });
  return service;
}

/** What comes over the wire, byte by byte. */
async function over({ server }: TestService, path: string, headers: readonly string[] = []): Promise<string> {
  const { port } = server.server.address() as AddressInfo;
  const socket = createConnection(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write([`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'));
  return (await text(socket)).replace(/^Date: .*\r\n/im, '');
}

const versions = (answer: string): string[] =>
  [...answer.matchAll(/"version":"([^"]+)"/g)].map((match) => match[1] ?? '');

/** Names in lower case, in an order of their own. */
const headersOf = (answer: string): string[] =>
  answer
    .slice(0, answer.indexOf('\r\n\r\n'))
    .split('\r\n')
    .slice(1)
    .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
    .toSorted();

test('the second answer is the first one again, headers and all', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0', '8.21.0-r0');
  await using service = await serve(upstream);
  const first = await over(service, '/wolfi/curl');
  const second = await over(service, '/wolfi/curl');
  expect(headersOf(second)).toEqual(headersOf(first));
  expect(second.slice(second.indexOf('\r\n\r\n'))).toBe(first.slice(first.indexOf('\r\n\r\n')));
  const metrics = await service.get('/metrics');
  expect(metrics.body).toContain('apk_lookup_total{datasource="wolfi",result="found"} 2');
  expect(metrics.body).toContain('_count{http_route="releases",http_response_status_code="200"} 2');
});

test('a new generation is answered from at once, an old one never again', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0');
  await using service = await serve(upstream);
  for (const expected of [
    ['8.20.0-r0'],
    ['8.20.0-r0', '8.21.0-r0'],
    ['8.20.0-r0', '8.21.0-r0', '8.22.0-r0'],
  ]) {
    await offer(upstream, ...expected);
    await service.beacon.refreshOnce(signal);
    for (const time of ['first', 'second', 'third']) {
      const answer = await over(service, '/wolfi/curl');
      expect(versions(answer), time).toEqual(expected);
      expect(answer).toContain(service.beacon.datasources[0]?.snapshot?.generation);
    }
  }
});

test('requests with other parameters, conditions or methods, or for unknown names, do not get the cached reply', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0', '8.21.0-r0');
  await using service = await serve(upstream);
  const etag = /^etag: (.*)$/im.exec(await over(service, '/wolfi/curl'))?.[1]?.trim() ?? '';
  expect(versions(await over(service, '/wolfi/curl?line=8.20'))).toEqual(['8.20.0-r0']);
  expect(versions(await over(service, '/wolfi/curl?line=8.20'))).toEqual(['8.20.0-r0']);
  expect(await over(service, '/wolfi/curl', [`If-None-Match: ${etag}`])).toMatch(/^HTTP\/1.1 304 /);
  for (let times = 0; times < 2; times += 1)
    expect(await over(service, '/wolfi/crul')).toMatch(/^HTTP\/1.1 404 /);
  const head = await service.ask('HEAD', '/wolfi/curl');
  expect([head.statusCode, head.body]).toEqual([200, '']);
});

test('a token is checked for every request', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0');
  await using service = await serve(upstream, { clientToken: { env: 'TOKEN' } });
  const token = ['Authorization: Bearer secret'];
  expect(await over(service, '/wolfi/curl', token)).toMatch(/^HTTP\/1.1 200 /);
  expect(await over(service, '/wolfi/curl')).toMatch(/^HTTP\/1.1 401 /);
  expect(await over(service, '/wolfi/curl', token)).toMatch(/^HTTP\/1.1 200 /);
});

test('while the token cannot be read, no request is answered, and only the log has the reason', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0');
  await using service = await serve(upstream, { clientToken: { env: 'TOKEN' } });
  Object.assign(service.config.environment, { TOKEN: '' });
  for (const token of ['secret', '']) {
    const answer = await over(service, '/wolfi/curl', [`Authorization: Bearer ${token}`]);
    expect(answer).toMatch(/^HTTP\/1.1 500 /);
    expect(answer).not.toContain('TOKEN');
  }
  expect(service.logs.join('')).toContain('environment variable TOKEN is empty');
});

test('while stopping, answers say that the connection ends', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0');
  await using service = await serve(upstream);
  await over(service, '/wolfi/curl');
  service.stop();
  expect((await service.get('/wolfi/curl')).headers['connection']).toBe('close');
});

test('a connection without a whole request does not keep the service from closing', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0');
  await using service = await serve(upstream);
  const { server } = service.server;
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection');
  const silent = createConnection(port, '127.0.0.1').on('error', () => undefined);
  await accepted;
  onTestFinished(() => void vi.useRealTimers());
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let isClosed = false;
  const closing = service.server.close().then(() => (isClosed = true));
  while (!isClosed) await vi.advanceTimersByTimeAsync(1000);
  await closing;
  silent.destroy();
});

test('requests that a connection sends ahead are answered in order, and others are answered between them', async () => {
  await using upstream = await startUpstream();
  await offer(upstream, '8.20.0-r0');
  await using service = await serve(upstream);
  const { server } = service.server;
  const connected = async (): Promise<Socket> => {
    const accepted = once(server, 'connection');
    const socket = createConnection((server.address() as AddressInfo).port, '127.0.0.1');
    await accepted;
    return socket;
  };
  const [eager, other] = [await connected(), await connected()];
  const answered: (string | undefined)[] = [];
  server.prependListener('request', ({ url }, response) => response.on('finish', () => answered.push(url)));
  const paths = Array.from({ length: 100 }, (_, i) =>
    i === 50 ? '/wolfi/curl?arch=none' : `/wolfi/curl/explain?all=${i}`,
  );
  const asked = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  eager.write(paths.map((path) => asked(path)).join(''));
  other.write(asked('/livez', 'Connection: close\r\n'));
  await text(other);
  eager.write(asked('/wolfi/curl', 'Connection: close\r\n'));
  const statuses = (await text(eager)).match(/HTTP\/1\.1 \d+/g) ?? [];
  const expected = [...paths, '/wolfi/curl'];
  expect(statuses).toEqual(expected.map((_, i) => `HTTP/1.1 ${i === 50 ? 400 : 200}`));
  expect(answered.filter((path) => path !== '/livez')).toEqual(expected);
  expect(answered.indexOf('/livez')).toBeLessThan(50);
});
