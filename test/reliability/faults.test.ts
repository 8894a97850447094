/**
 * Faults of upstreams, each while other sources keep refreshing: the reason is reported, the served index stays, and
 * the other sources are not affected.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { startUpstream, type Responder, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { indexBody, pkg, signatureMember, signedIndex, tar, testKey } from '../support/signed-index.ts';

const signal = new AbortController().signal;
const KILOBYTES_64 = 64 * 1024;

/** An index at its `state`: one package whose version tells. A later state was built later. */
function indexAt(state: number, name = 'app'): Promise<Buffer> {
  const names = Array.from({ length: 20 }, (_, i) => pkg(`${name}-${i}`, '1.0-r0', { t: '1' }));
  return signedIndex([...names, pkg(name, `${state}.0-r0`, { t: `${1_700_000_000 + state}` })]);
}

const good = await indexAt(2);
const large = await signedIndex(Array.from({ length: 500 }, (_, i) => pkg(`app-${i}`, '1.0-r0')));
const bomb = gzipSync(
  await tar([{ name: 'APKINDEX', content: Buffer.alloc(4 * 1024 * 1024, 'P:a\nV:1\n\n') }]),
);
const empty = await indexBody('');
const otherKey = testKey('other.rsa.pub');
const unsigned = await indexBody('P:app\nV:9.9.9-r9\n\n');
const cut = unsigned.subarray(0, unsigned.length - 10);

const status =
  (code: number, headers: Record<string, string> = {}): Responder =>
  (_, response) =>
    void response.writeHead(code, headers).end('<html>no index here</html>');
const body =
  (bytes: Uint8Array, headers: Record<string, string> = {}): Responder =>
  (_, response) =>
    void response.writeHead(200, { 'content-length': bytes.length, ...headers }).end(bytes);
const raw =
  (write: (socket: Socket) => void): Responder =>
  (request) =>
    write(request.socket);
const cutAt =
  (part: number): Responder =>
  (_, response) => {
    response.writeHead(200, { 'content-length': good.length });
    response.write(good.subarray(0, Math.max(1, Math.floor(good.length * part))), () =>
      response.socket?.resetAndDestroy(),
    );
  };

/** Writes again and again until the other side has enough. */
function forEver(target: ServerResponse | Socket, piece: string | Uint8Array, milliseconds: number): void {
  const timer = setInterval(() => target.write(piece), milliseconds);
  target.once('close', () => clearInterval(timer));
}

const faults: [name: string, responder: Responder, code: string][] = [
  ['closes without a word', raw((socket) => socket.destroy()), 'fetch-failed'],
  ['resets the connection', raw((socket) => socket.resetAndDestroy()), 'fetch-failed'],
  ['never answers', () => undefined, 'fetch-failed'],
  ['sends headers without end', raw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    forEver(socket, 'x-a: b\r\n', 20);
  }), 'fetch-failed'],
  ['sends a header of a megabyte', raw((socket) => socket.write(`HTTP/1.1 200 OK\r\nx-a: ${'b'.repeat(1e6)}\r\n\r\n`)), 'fetch-failed'],
  ['speaks no HTTP', raw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n')), 'fetch-failed'],
  ['stops in the body', (_, response) => void response.writeHead(200, { 'content-length': 1000 }).write('x'), 'fetch-failed'],
  ['sends a byte now and then', (_, response) => {
    response.writeHead(200);
    forEver(response, 'x', 20);
  }, 'fetch-failed'],
  ['sends a body without end', (_, response) => {
    response.writeHead(200);
    forEver(response, Buffer.alloc(KILOBYTES_64), 1);
  }, 'fetch-too-large'],
  ['announces too much', (_, response) => void response.writeHead(200, { 'content-length': 1e12 }).write('x'), 'fetch-too-large'],
  ['announces more than it sends', raw((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nxx')), 'fetch-failed'],
  ['announces less than it sends', raw((socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n');
    socket.end(good);
  }), 'archive-malformed'],
  ['announces two lengths', raw((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 99\r\ncontent-length: ${good.length}\r\n\r\n`);
    socket.end(good);
  }), 'fetch-failed'],
  ['sends broken chunks', raw((socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nx')), 'fetch-failed'],
  ['resets at the first byte', cutAt(0), 'fetch-failed'],
  ['resets half way', cutAt(0.5), 'fetch-failed'],
  ['resets at 99 %', cutAt(0.99), 'fetch-failed'],
  ['answers 401', status(401, { 'www-authenticate': 'Basic' }), 'fetch-failed'],
  ['answers 403', status(403), 'fetch-failed'],
  ['answers 404', status(404), 'fetch-failed'],
  ['answers 206', status(206), 'fetch-failed'],
  ['answers 429', status(429, { 'retry-after': '86400' }), 'fetch-failed'],
  ['answers 500', status(500), 'fetch-failed'],
  ['answers 503', status(503, { 'retry-after': 'never' }), 'fetch-failed'],
  ['redirects in a circle', (request, response) => void response.writeHead(302, { location: request.url }).end(), 'fetch-failed'],
  ['redirects to a file', status(302, { location: 'file:///etc/passwd' }), 'fetch-failed'],
  ['redirects to the metadata of the cloud', status(302, { location: 'http://169.254.169.254/latest/' }), 'fetch-failed'],
  ['answers with a login page', status(200, { 'content-type': 'text/html' }), 'archive-malformed'],
  ['answers with nothing', body(Buffer.alloc(0)), 'archive-malformed'],
  ['encodes as br', body(brotliCompressSync(good), { 'content-encoding': 'br' }), 'fetch-failed'],
  ['sends a bomb around the index', body(gzipSync(Buffer.concat([good, Buffer.alloc(1e7)])), { 'content-encoding': 'gzip' }), 'fetch-too-large'],
  ['sends a bomb as the index', body(Buffer.concat([await signatureMember(bomb, [{ key: testKey() }]), bomb])), 'archive-too-large'],
  ['sends an index that lacks its end', body(large.subarray(0, large.length - 10)), 'signature-bad'],
  ['signs an index that lacks its end', body(Buffer.concat([await signatureMember(cut, [{ key: testKey() }]), cut])), 'archive-malformed'],
  ['sends an index that is not signed', body(unsigned), 'signature-missing'],
  ['sends an index that another key signed', body(await signedIndex([pkg('app', '9.9.9-r9')], [{ key: otherKey }])), 'signature-untrusted'],
  ['sends an index under an old signature', body(Buffer.concat([await signatureMember(empty, [{ key: testKey() }]), unsigned])), 'signature-bad'],
  ['sends the index of another arch', body(await signedIndex([pkg('app', '9.9.9-r9', { A: 'riscv64' })])), 'apkindex-malformed'],
  ['sends a later index of apk 3', body(Buffer.from('ADBe')), 'index-unsupported'],
  ['sends an index that is older', body(await indexAt(0)), 'index-rollback'],
  ['sends an empty index', body(Buffer.concat([await signatureMember(empty, [{ key: testKey() }]), empty])), 'index-rollback'],
]; // prettier-ignore

function startBoth(flawed: Upstream, sound: Upstream): Promise<TestService> {
  const source = ({ url }: Upstream): object => ({ archs: ['x86_64'], repositories: [url] });
  return startService({
    config: {
      timeouts: { connect: '1s', headers: '1s', bodyIdle: '1s', total: '2s' },
      limits: { compressed: '64KiB', inflated: '1MiB' },
      datasources: { flawed: source(flawed), sound: source(sound) },
    },
  });
}

async function latest(service: TestService, datasource: string, name = 'app'): Promise<string> {
  return (await service.get(`/${datasource}/${name}/latest`)).body.trim();
}

describe('while others refresh, an upstream', () => {
  test.each(faults)('%s', async (_name, responder, code) => {
    await using flawed = await startUpstream();
    await using sound = await startUpstream();
    await using service = await startBoth(flawed, sound);
    for (const upstream of [flawed, sound]) upstream.serve('x86_64', await indexAt(1));
    await service.beacon.refreshOnce(signal);

    flawed.misbehave('x86_64', responder);
    sound.serve('x86_64', await indexAt(2));
    await service.beacon.refreshOnce(signal);

    expect([await latest(service, 'flawed'), await latest(service, 'sound')]).toEqual(['1.0-r0', '2.0-r0']);
    const { statusCode, body: ready } = await service.get('/readyz');
    expect(statusCode).toBe(200);
    expect(JSON.parse(ready)).toMatchObject({
      datasources: { flawed: { problems: [{ state: 'failing', errorCode: code }] }, sound: { problems: [] } },
    });
    const warnings = service.logs.filter((line) => line.includes('cannot refresh'));
    expect(warnings).toHaveLength(1);
    // No cause is told twice.
    expect(warnings[0]).not.toMatch(/: ([^:"]{8,}): \1/);

    flawed.misbehave('x86_64', undefined);
    flawed.serve('x86_64', await indexAt(3));
    await service.beacon.refreshOnce(signal);
    expect(await latest(service, 'flawed')).toBe('3.0-r0');
  });
});

test('while an upstream hangs, the others refresh again and again', async () => {
  await using hanging = await startUpstream();
  await using sound = await startUpstream();
  const asked = Promise.withResolvers<void>();
  hanging.misbehave('x86_64', () => asked.resolve());
  sound.serve('x86_64', await indexAt(1));
  await using service = await startService({
    config: {
      refresh: '1h',
      datasources: Object.fromEntries(
        Object.entries({ hanging, sound }).map(([name, { url }]) => [
          name,
          { archs: ['x86_64'], repositories: [url] },
        ]),
      ),
    },
  });
  const stop = new AbortController();
  const running = service.beacon.keepFresh(stop.signal);
  await asked.promise;
  const seen: string[] = [];
  for (const state of [1, 2, 3]) {
    sound.serve('x86_64', await indexAt(state));
    service.beacon.refreshNow();
    await expect.poll(() => latest(service, 'sound'), { timeout: 20_000 }).toBe(`${state}.0-r0`);
    seen.push(await latest(service, 'sound'));
  }
  expect(seen).toEqual(['1.0-r0', '2.0-r0', '3.0-r0']);
  expect(hanging.requests).toHaveLength(1);
  stop.abort();
  await running;
});

test('whichever of four sources fail, nothing that was served disappears and the others move on', async () => {
  const names = ['a', 'b', 'c', 'd'];
  await using open = new AsyncDisposableStack();
  const upstreams = await Promise.all(names.map(() => startUpstream()));
  for (const upstream of upstreams) open.use(upstream);
  const repositories = upstreams.map(({ url }) => url);
  const single = names.map((name, i) => [name, { archs: ['x86_64'], repositories: [repositories[i]] }]);
  await using service = await startService({
    config: {
      limits: { compressed: '64KiB' },
      datasources: { ...Object.fromEntries(single), all: { archs: ['x86_64'], repositories } },
    },
  });
  const failures = [status(500), cutAt(0.5), body(unsigned), status(404)];
  const expected = new Map<string, string>();
  for (let subset = 0; subset < 16; subset += 1) {
    for (const [i, upstream] of upstreams.entries()) {
      const name = names[i] as string;
      const fails = (subset & (1 << i)) !== 0;
      upstream.serve('x86_64', await indexAt(subset, name));
      upstream.misbehave('x86_64', fails ? failures[(subset + i) % 4] : undefined);
      if (!fails) expected.set(name, `${subset}.0-r0`);
    }
    await service.beacon.refreshOnce(signal);
    for (const [name, version] of expected) {
      expect(await latest(service, name, name), `subset ${subset}`).toBe(version);
      expect(await latest(service, 'all', name), `subset ${subset}`).toBe(version);
    }
    expect((await service.get('/readyz')).statusCode).toBe(200);
  }
  expect(expected.size).toBe(4);
});
