/** Inputs that try to exhaust memory or time are refused long before they do. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createGzip, gzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { startUpstream, type Responder } from '../support/repository-server.ts';
import { changeHeader, signatureMember, tar, testKey } from '../support/signed-index.ts';
import type { Cost } from './limits-child.ts';

const child = fileURLToPath(new URL('limits-child.ts', import.meta.url));
const MiB = 1024 * 1024;

async function cost(responder: Responder, maxBytes = 16 * MiB): Promise<Cost> {
  await using upstream = await startUpstream();
  upstream.misbehave('x86_64', responder);
  const env = {
    LIMITS_URL: `${upstream.url}/x86_64/APKINDEX.tar.gz`,
    LIMITS_KEY: testKey().pem,
    LIMITS_MAX: String(maxBytes),
  };
  const { stdout } = await promisify(execFile)(process.execPath, [child], { env });
  return JSON.parse(stdout) as Cost;
}

async function signed(body: Buffer): Promise<Responder> {
  const bytes = Buffer.concat([await signatureMember(body, [{ key: testKey() }]), body]);
  return (_, response) => void response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
}

/** A tar header that announces `size` bytes of APKINDEX. */
async function announcing(size: number): Promise<Buffer> {
  const header = (await tar([{ name: 'APKINDEX', content: '' }])).subarray(0, 512);
  changeHeader(header, 0, (block) => block.write(`${size.toString(8).padStart(11, '0')}\0`, 124));
  return header;
}

/** A gzip of an index of `size` bytes made of `line` over and over, made without holding it. */
async function swelling(line: string, size: number): Promise<Buffer> {
  const piece = Buffer.from(line.repeat(Math.ceil(MiB / line.length)));
  const header = await announcing(size);
  const pieces = function* (): Generator<Buffer> {
    yield header;
    for (let sent = 0; sent < size; sent += piece.length) yield piece;
  };
  return buffer(Readable.from(pieces()).pipe(createGzip({ level: 9 })));
}

test('a bomb of a hundred megabytes in a hundred kilobytes is refused by its ratio', async () => {
  const { code, residentBytes } = await cost(
    await signed(await swelling(`P:a\nV:1-r0\nT:${'x'.repeat(1000)}\n\n`, 128 * MiB)),
  );
  expect(code).toBe('archive-too-large');
  expect(residentBytes).toBeLessThan(300 * MiB);
}, 60_000);

test('a list field repeated a million times takes no more than its size', async () => {
  const { code, residentBytes } = await cost(await signed(await swelling('p:a\n', 12 * MiB)));
  // It ends without a P:, so its one stanza is bad.
  expect(code).toBe('apkindex-malformed');
  expect(residentBytes).toBeLessThan(300 * MiB);
});

test('a bomb in a bomb is no index, and is inflated once', async () => {
  const inner = gzipSync(Buffer.alloc(64 * MiB));
  const { code, residentBytes } = await cost(await signed(gzipSync(inner)));
  expect(code).toBe('archive-malformed');
  expect(residentBytes).toBeLessThan(100 * MiB);
});

test('a signature that swells is refused before it is a quarter of a megabyte', async () => {
  const bomb = gzipSync(
    await tar([{ name: '.SIGN.RSA256.test.rsa.pub', content: Buffer.alloc(64 * MiB) }], { marked: false }),
  );
  const { code, residentBytes } = await cost(
    (_, response) => void response.end(Buffer.concat([bomb, gzipSync('')])),
  );
  expect(code).toBe('archive-malformed');
  expect(residentBytes).toBeLessThan(100 * MiB);
});

test('a body without end is cut off at its limit', async () => {
  const piece = Buffer.alloc(MiB, 1);
  const { code, residentBytes } = await cost((_, response) => {
    response.writeHead(200);
    const more = (): void => void (response.write(piece) ? setImmediate(more) : response.once('drain', more));
    more();
  });
  expect(code).toBe('fetch-too-large');
  expect(residentBytes).toBeLessThan(200 * MiB);
});

test('an announced length is not believed before it has come', async () => {
  const { code, residentBytes } = await cost((_, response) => {
    response.writeHead(200, { 'content-length': 1024 * MiB }).write('x');
  }, 2048 * MiB);
  expect(code).toBe('fetch-failed');
  expect(residentBytes).toBeLessThan(100 * MiB);
});

test('a byte now and then ends at the deadline', async () => {
  const { code } = await cost((_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'), 100);
    response.once('close', () => clearInterval(timer));
  });
  expect(code).toBe('fetch-failed');
});

test.each([2 ** 33 - 1, 0])('a tar that announces %d bytes is held to what it has', async (size) => {
  const body = gzipSync(Buffer.concat([await announcing(size), Buffer.from('P:a\nV:1\n\n'.repeat(100))]));
  const { code, residentBytes } = await cost(await signed(body));
  expect(code).toBe('archive-malformed');
  expect(residentBytes).toBeLessThan(100 * MiB);
});
