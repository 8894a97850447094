import { randomBytes } from 'node:crypto';
import { mkdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { errorLine } from '../../src/errors.ts';
import { FetchError } from '../../src/repository/fetch-error.ts';
import { fetchIndex, type FetchIndexOptions, type IndexFetch } from '../../src/repository/fetch-index.ts';
import { failure } from '../support/failure.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startClient, startRawUpstream, startUpstream } from '../support/upstream.ts';

const index = gzipSync(randomBytes(100_000));
const maxBytes = 1_000_000;
/** Those of headers and body are only looked at about once a second, by undici. Milliseconds. */
const soon = 100;

/** Fetches with a client of its own. */
function fetchOnce(location: URL | string, options: Partial<FetchIndexOptions> = {}): Promise<IndexFetch> {
  return fetchIndex(location, { client: startClient(), maxBytes, ...options });
}

async function fetchFailure(
  location: URL | string,
  options: Partial<FetchIndexOptions> = {},
): Promise<FetchError> {
  const error = await failure(fetchOnce(location, options));
  expect(error).toBeInstanceOf(FetchError);
  return error as FetchError;
}

const adb = Buffer.concat([Buffer.from('ADB.indx'), randomBytes(1000)]);

describe('an index on a server', () => {
  test('is fetched completely, with its validators', async () => {
    const { url, requests } = await startUpstream((_request, response) => {
      response
        .setHeader('etag', 'W/"one"')
        .setHeader('last-modified', 'Tue, 21 Oct 2025 07:28:00 GMT')
        .end(index);
    });
    const progress: number[] = [];
    const result = await fetchOnce(url, { onProgress: (received) => progress.push(received) });
    expect(result).toEqual({
      status: 'modified',
      bytes: index,
      validators: { etag: 'W/"one"', lastModified: 'Tue, 21 Oct 2025 07:28:00 GMT' },
    });
    expect(progress.at(-1)).toBe(index.length);
    expect(requests[0]?.headers).toMatchObject({ 'accept-encoding': 'identity', 'user-agent': 'apk-beacon' });
    expect(requests[0]?.headers).not.toHaveProperty('if-none-match');
  });

  test('is fetched from the alternative address if missing, and revalidated there', async () => {
    const { url, requests } = await startUpstream((request, response) => {
      if (request.url === '/a') response.writeHead(404).end();
      else if (request.headers['if-none-match'] === '"two"') response.writeHead(304).end();
      else response.setHeader('etag', '"two"').end(index);
    });
    const [location, alternative] = [`${url}a`, `${url}b`];
    const first = await fetchOnce(location, { alternative });
    expect(first).toMatchObject({ status: 'modified', validators: { etag: '"two"', alternative: true } });
    const validators = first.status === 'modified' ? first.validators : undefined;
    expect(await fetchOnce(location, { alternative, validators })).toEqual({ status: 'not-modified' });
    expect(requests.map(({ headers }) => headers['if-none-match'])).toEqual([
      undefined,
      undefined,
      undefined,
      '"two"',
    ]);
    const here = { etag: '"two"' };
    expect(await fetchOnce(location, { alternative, validators: here })).toMatchObject({
      status: 'modified',
    });
  });

  test.each([
    ['nothing is at either', 404, 404, 'a answered 404'],
    ['the alternative fails', 404, 500, 'b answered 500'],
    ['the first one fails', 500, 200, 'a answered 500'],
  ])('where %s, the error names the one that matters', async (_, here, there, message) => {
    const { url } = await startUpstream((request, response) =>
      response.writeHead(request.url === '/a' ? here : there).end(index),
    );
    expect((await fetchFailure(`${url}a`, { alternative: `${url}b` })).message).toContain(message);
  });

  test('is fetched completely without an announced length', async () => {
    const { url } = await startUpstream((_request, response) => {
      response.write(index.subarray(0, 10));
      response.end(index.subarray(10));
    });
    const expected: (number | undefined)[] = [];
    const result = await fetchOnce(url, { onProgress: (_received, announced) => expected.push(announced) });
    expect(result).toMatchObject({ status: 'modified', bytes: index });
    expect(new Set(expected)).toEqual(new Set([undefined]));
  });

  test('is asked for with the validators of the one that is here', async () => {
    const { url, requests } = await startUpstream((_request, response) => response.writeHead(304).end());
    const validators = { etag: '"one"', lastModified: 'Tue, 21 Oct 2025 07:28:00 GMT' };
    expect(await fetchOnce(url, { validators })).toEqual({ status: 'not-modified' });
    expect(requests[0]?.headers).toMatchObject({
      'if-none-match': '"one"',
      'if-modified-since': 'Tue, 21 Oct 2025 07:28:00 GMT',
    });
  });

  test('is revalidated by date if it has no ETag', async () => {
    const { url, requests } = await startUpstream((_request, response) => response.writeHead(304).end());
    const validators = { lastModified: 'Tue, 21 Oct 2025 07:28:00 GMT' };
    expect(await fetchOnce(url, { validators })).toEqual({ status: 'not-modified' });
    expect(requests[0]?.headers).not.toHaveProperty('if-none-match');
  });

  test.each([
    ['is before that of the answer is kept', -1, true],
    ['is that of the answer is not kept: the file may change in the same second', 0, false],
    ['is in the future is not kept', 3600, false],
  ])('a date that %s', async (_name, seconds, isKept) => {
    const { url } = await startUpstream((_request, response) => {
      const now = Date.now();
      response.setHeader('date', new Date(now).toUTCString());
      response.setHeader('last-modified', new Date(now + seconds * 1000).toUTCString()).end(index);
    });
    const fetched = await fetchOnce(url);
    expect(fetched.status === 'modified' && fetched.validators.lastModified !== undefined).toBe(isKept);
  });

  test.each([
    ['another etag', { etag: '"two"' }],
    ['no etag any more', {}],
    ['an etag that became weak', { etag: 'W/"one"' }],
    ['an older date', { lastModified: 'Tue, 20 Oct 2020 07:28:00 GMT' }],
  ])('is modified when it is sent with %s, which is then asked for', async (_name, validators) => {
    const { url } = await startUpstream((_request, response) => {
      if ('etag' in validators) response.setHeader('etag', validators.etag);
      if ('lastModified' in validators) response.setHeader('last-modified', validators.lastModified);
      response.end(index);
    });
    const known = { etag: '"one"', lastModified: 'Tue, 21 Oct 2025 07:28:00 GMT' };
    const result = await fetchOnce(url, { validators: known });
    expect(result).toEqual({
      status: 'modified',
      bytes: index,
      validators: { etag: undefined, lastModified: undefined, ...validators },
    });
  });

  test('forgets an etag that could not be sent back', async () => {
    const url = await startRawUpstream((socket) => {
      socket.end('HTTP/1.1 200 OK\r\nETag: "é"\r\nContent-Length: 2\r\n\r\nhi');
    });
    expect(await fetchOnce(url)).toMatchObject({ validators: { etag: undefined } });
  });

  test.each([204, 206, 300, 304, 400, 401, 403, 404, 407, 410, 429, 500, 503])(
    'fails on an answer of %i',
    async (status) => {
      const { url } = await startUpstream((_request, response) => {
        response.writeHead(status).end(status === 204 || status === 304 ? undefined : index);
      });
      const error = await fetchFailure(new URL('os/x86_64/APKINDEX.tar.gz', url));
      expect(error).toMatchObject({ code: 'fetch-failed', status, retryAfter: undefined });
      const hint = status === 401 ? ': credentials are missing or wrong (credentials, HTTP_AUTH, netrc)' : '';
      expect(error.message).toBe(`${url.href}os/x86_64/APKINDEX.tar.gz answered ${status}${hint}`);
    },
  );

  test.each([429, 503])('%i says how long to wait, in seconds or until a date', async (status) => {
    const headers = ['120', new Date(Date.now() + 3_600_000).toUTCString(), 'soon'];
    const { url } = await startUpstream((_request, response) => {
      response.writeHead(status, { 'retry-after': headers.shift() }).end();
    });
    expect((await fetchFailure(url)).retryAfter).toBe(120_000);
    const untilDate = (await fetchFailure(url)).retryAfter ?? 0;
    expect(untilDate).toBeGreaterThan(3_000_000);
    expect(untilDate).toBeLessThanOrEqual(3_600_000);
    expect((await fetchFailure(url)).retryAfter).toBeUndefined();
  });

  test('shows neither password nor query in errors', async () => {
    const { url } = await startUpstream((_request, response) => response.writeHead(404).end());
    const secret = new URL('index?token=hidden#fragment', url);
    secret.username = 'me';
    secret.password = 'hidden';
    expect((await fetchFailure(secret)).message).toBe(`${url.href}index?… answered 404`);
  });
});

describe('failures on the way', () => {
  test('the port is closed', async () => {
    const { url } = await startUpstream((_request, response) => response.end());
    url.port = '1';
    expect(errorLine(await fetchFailure(url))).toMatch(
      /^http:\/\/127.0.0.1:1\/: cannot be fetched: .*ECONNREFUSED/,
    );
  });

  test.each([
    ['no bytes', 0],
    ['part of the headers', 20],
    ['the headers', 40],
    ['a byte of the body', 41],
    ['half of the body', 140],
    ['all but a byte', 239],
  ])('the connection is reset after %s', async (_name, cut) => {
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n${'x'.repeat(200)}`.slice(0, cut);
    const url = await startRawUpstream((socket) => socket.write(answer, () => socket.resetAndDestroy()));
    expect(await fetchFailure(url)).toMatchObject({ code: 'fetch-failed' });
  });

  test('the body is shorter than announced', async () => {
    const url = await startRawUpstream((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nhi'),
    );
    expect((await fetchFailure(url)).code).toBe('fetch-failed');
  });

  test('the body is longer than announced: only the announced length is read', async () => {
    const url = await startRawUpstream((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi there'),
    );
    expect(await fetchOnce(url)).toMatchObject({ bytes: Buffer.from('hi') });
  });

  test.each([
    ['two different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi'],
    ['a length that overflows', `HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(40)}\r\n\r\nhi`],
    ['garbage for chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnothing\r\n'],
    ['chunks that end early', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'X-Filler: filler\r\n'.repeat(10_000)}`],
    ['a 100 Continue that was not asked for', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhi'],
    ['something that is not HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ])('the answer is %s', async (_name, answer) => {
    const url = await startRawUpstream((socket) => socket.end(answer));
    expect((await fetchFailure(url)).code).toBe('fetch-failed');
  });

  test('no headers ever come', async () => {
    const url = await startRawUpstream(() => undefined);
    const error = await fetchFailure(url, { client: startClient({ timeouts: { headers: soon } }) });
    expect(error.message).toBe(`${url.href}: no headers within 0.1 s`);
  });

  test('the body stops in its middle', async () => {
    const { url } = await startUpstream((_request, response) => {
      response.setHeader('content-length', index.length).write(index.subarray(0, 50_000));
    });
    const error = await fetchFailure(url, { client: startClient({ timeouts: { bodyIdle: soon } }) });
    expect(error.message).toContain('the body stopped: no more bytes within 0.1 s');
  });

  test('the body drips, each byte in time, the whole never', async () => {
    const { url } = await startUpstream((_request, response) => {
      const drip = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drip));
    });
    const error = await fetchFailure(url, { client: startClient({ timeouts: { total: 400 } }) });
    expect(error.message).toBe(`${url.href}: no complete response within 0.4 s`);
  });

  test('the body never ends', async () => {
    const { url } = await startUpstream((_request, response) => pourForever(response));
    let received = 0;
    const error = await fetchFailure(url, { onProgress: (bytes) => (received = bytes) });
    expect(error.code).toBe('fetch-too-large');
    expect(error.message).toBe(`${url.href}: the body has more than the ${maxBytes} bytes allowed`);
    expect(received).toBeLessThanOrEqual(maxBytes);
  });

  test('the announced length is too large: nothing of the body is read', async () => {
    const { url } = await startUpstream((_request, response) => {
      response.setHeader('content-length', 2_000_000).write(index);
    });
    let received = 0;
    const error = await fetchFailure(url, { onProgress: (bytes) => (received = bytes) });
    expect(error.code).toBe('fetch-too-large');
    expect(error.message).toBe(`${url.href}: 2000000 bytes are more than the ${maxBytes} allowed`);
    expect(received).toBe(0);
  });

  test('the caller aborts: the reason is what it gave', async () => {
    const controller = new AbortController();
    const reason = new Error('shutting down');
    const { url } = await startUpstream((_request, response) => {
      response.write('x', () => controller.abort(reason));
    });
    expect(await failure(fetchOnce(url, { signal: controller.signal }))).toBe(reason);
    expect(await failure(fetchOnce(url, { signal: controller.signal }))).toBe(reason);
  });
});

function pourForever(response: ServerResponse): void {
  const pour = (): void => {
    while (!response.destroyed && response.write(index)) continue;
  };
  response.on('drain', pour);
  pour();
}

describe('a content-encoding', () => {
  async function serveEncoded(encoding: string, body: Uint8Array): Promise<URL> {
    const { url } = await startUpstream((_request, response) => {
      response.setHeader('content-encoding', encoding).end(body);
    });
    return url;
  }

  test.each(['gzip', 'br', 'zstd'])(
    '%s is not of an index of apk 3, which stays as it is',
    async (encoding) => {
      expect(await fetchOnce(await serveEncoded(encoding, adb))).toMatchObject({ bytes: adb });
    },
  );

  test('gzip around an index of apk 3 is removed', async () => {
    expect(await fetchOnce(await serveEncoded('gzip', gzipSync(adb)))).toMatchObject({ bytes: adb });
  });

  test.each(['gzip', 'x-gzip', 'GZIP'])('%s is removed if the body is a gzipped index', async (encoding) => {
    const url = await serveEncoded(encoding, gzipSync(index));
    expect(await fetchOnce(url)).toMatchObject({ bytes: index });
  });

  test.each(['gzip', 'identity'])('%s is ignored if the body is the index itself', async (encoding) => {
    expect(await fetchOnce(await serveEncoded(encoding, index))).toMatchObject({ bytes: index });
  });

  test.each([
    '',
    'aws-chunked',
    'gzip,aws-chunked',
    'none',
    'binary',
    'utf-8',
    'identity, gzip',
    'gzip, gzip',
    'br',
  ])('%j does no harm where the body is the index', async (encoding) => {
    expect(await fetchOnce(await serveEncoded(encoding, index))).toMatchObject({ bytes: index });
  });

  test.each(['gzip, gzip', 'aws-chunked, gzip'])(
    '%j is removed as often as it was put on',
    async (encoding) => {
      const url = await serveEncoded(encoding, gzipSync(gzipSync(index)));
      expect(await fetchOnce(url)).toMatchObject({ bytes: index });
    },
  );

  test.each(['br', 'gzip, zstd', 'deflate'])('%j is refused if the content is not gzip', async (encoding) => {
    const error = await fetchFailure(await serveEncoded(encoding, Buffer.from('no gzip')));
    expect(error.message).toContain(`content-encoding "${encoding}", which was not requested`);
  });

  test('of any length is shown cut', async () => {
    const error = await fetchFailure(await serveEncoded(`br, ${'x'.repeat(5000)}`, Buffer.from('no gzip')));
    expect(error.message).toContain('(5004 characters)');
    expect(error.message.length).toBeLessThan(300);
  });

  test('may not hide more than is allowed', async () => {
    const bomb = gzipSync(Buffer.concat([gzipSync('x'), Buffer.alloc(10_000_000)]));
    expect((await fetchFailure(await serveEncoded('gzip', bomb))).code).toBe('fetch-too-large');
  });

  test('that is cut off is refused', async () => {
    const cut = gzipSync(index).subarray(0, -20);
    expect((await fetchFailure(await serveEncoded('gzip', cut))).code).toBe('fetch-failed');
  });
});

describe('an index in a file', () => {
  test('is read, and read again only after a change', async () => {
    const path = join(await temporaryDirectory(), 'APKINDEX.tar.gz');
    await writeFile(path, index);
    const first = await fetchOnce(path);
    if (first.status !== 'modified') throw new Error('it is new');
    expect(first.bytes).toEqual(index);
    const { validators } = first;
    expect(await fetchOnce(path, { validators })).toEqual({ status: 'not-modified' });
    expect(await fetchOnce(pathToFileURL(path), { validators })).toEqual({ status: 'not-modified' });

    await writeFile(`${path}.new`, index);
    await rename(`${path}.new`, path);
    expect(await fetchOnce(path, { validators })).toMatchObject({ status: 'modified' });
  });

  test('is read again after a change that keeps its size and modification time', async () => {
    const path = join(await temporaryDirectory(), 'APKINDEX.tar.gz');
    const change = async (content: Uint8Array): Promise<bigint> => {
      await writeFile(path, content);
      await utimes(path, 1_700_000_000, 1_700_000_000);
      return (await stat(path, { bigint: true })).ctimeNs;
    };
    const changedAt = await change(index);
    const first = await fetchOnce(path);
    if (first.status !== 'modified') throw new Error('it is new');
    // The clock of a file system may tick only every few milliseconds.
    while ((await change(index.toReversed())) === changedAt);
    const { status } = await fetchOnce(path, { validators: first.validators });
    expect(status).toBe('modified');
  });

  test('is named when it is missing, a directory or too large', async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, 'APKINDEX.tar.gz');
    expect(errorLine(await fetchFailure(path))).toMatch(`cannot read ${path}: ENOENT`);
    await mkdir(path);
    expect((await fetchFailure(path)).message).toBe(`${path} is not a file`);
    await writeFile(join(directory, 'large'), index);
    const error = await fetchFailure(join(directory, 'large'), { maxBytes: 1000 });
    expect(error.code).toBe('fetch-too-large');
    expect(error.message).toContain(join(directory, 'large'));
  });

  test('has no other scheme', async () => {
    expect((await fetchFailure('ftp://example.com/APKINDEX.tar.gz')).message).toMatch(
      /only http, https and file/,
    );
  });
});
