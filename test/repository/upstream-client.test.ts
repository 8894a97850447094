import { copyFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { errorLine } from '../../src/errors.ts';
import { Dispatchers } from '../../src/repository/dispatchers.ts';
import { FetchError } from '../../src/repository/fetch-error.ts';
import { firstRequestSent } from '../../src/repository/upstream-client.ts';
import { startProxy } from '../support/proxy.ts';
import { mutualTls, serverTls, tlsPath } from '../support/tls.ts';
import { failure } from '../support/failure.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startClient, startRawUpstream, startUpstream } from '../support/upstream.ts';

const maxBytes = 4_000_000;
const hello: RequestListener = (_request, response) => response.end('hello');
const credential = { name: 'authorization', value: 'Bearer secret' };
const text = ({ bytes }: { bytes: Uint8Array }): string => Buffer.from(bytes).toString();

/** Redirects as `targets` says by path, and says hello elsewhere. */
function redirecting(targets: () => Record<string, string>, status = 302): RequestListener {
  return (request, response) => {
    const location = targets()[request.url ?? ''];
    if (location === undefined) response.end('hello');
    else response.writeHead(status, { location }).end('moved');
  };
}

describe('the first request', () => {
  test('is reported when it is sent, not when it is answered', async () => {
    let answer: (() => void) | undefined;
    const { url } = await startUpstream((_request, response) => {
      answer = () => response.end('hello');
      if (isTold) answer();
    });
    let isTold = false;
    const sent = firstRequestSent(2 ** 30);
    const answered = startClient().get(url, { maxBytes });
    await sent;
    isTold = true;
    answer?.();
    expect(text(await answered)).toBe('hello');
  });

  test('is waited for no longer than asked', async () => {
    await expect(firstRequestSent(1)).resolves.toBeUndefined();
  });
});

describe('a redirect', () => {
  test.each([301, 302, 303, 307, 308])(
    'by %i is followed, with credentials to the same origin',
    async (status) => {
      const { url, requests } = await startUpstream(redirecting(() => ({ '/a': '/b?c=d' }), status));
      const answer = await startClient().get(new URL('a', url), { credential, maxBytes });
      expect(text(answer)).toBe('hello');
      expect(requests.map((request) => request.url)).toEqual(['/a', '/b?c=d']);
      expect(requests.map(({ headers }) => headers.authorization)).toEqual([
        'Bearer secret',
        'Bearer secret',
      ]);
    },
  );

  test('keeps the conditions, so that its target can say not modified', async () => {
    const { url, requests } = await startUpstream(redirecting(() => ({ '/a': '/b' })));
    await startClient().get(new URL('a', url), { headers: { 'if-none-match': '"one"' }, maxBytes });
    expect(requests.map(({ headers }) => headers['if-none-match'])).toEqual(['"one"', '"one"']);
  });

  test.each(['authorization', 'x-api-key', 'cookie'])(
    'to another origin gets no %s, nor does the way back',
    async (name) => {
      const home = await startUpstream(redirecting(() => ({ '/a': `${other.url.href}b` })));
      const other = await startUpstream(redirecting(() => ({ '/b': `${home.url.href}c` })));
      const options = { credential: { name, value: 'secret' }, maxBytes };
      expect(text(await startClient().get(new URL('a', home.url), options))).toBe('hello');
      const sent = [...home.requests, ...other.requests].map(({ url, headers }) => [url, headers[name]]);
      expect(sent).toEqual([
        ['/a', 'secret'],
        ['/c', undefined],
        ['/b', undefined],
      ]);
    },
  );

  test('to the same host by https is another origin', async () => {
    const secure = await startUpstream(hello, serverTls);
    const { url } = await startUpstream(redirecting(() => ({ '/a': secure.url.href })));
    const client = startClient({ extraCa: [tlsPath('ca.crt')] });
    expect(text(await client.get(new URL('a', url), { credential, maxBytes }))).toBe('hello');
    expect(secure.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  test('chain of five is followed', async () => {
    const chain = { '/1': '/2', '/2': '/3', '/3': '/4', '/4': '/5', '/5': '/6' };
    const { url } = await startUpstream(redirecting(() => chain));
    expect(text(await startClient().get(new URL('1', url), { maxBytes }))).toBe('hello');
  });

  test('loop ends', async () => {
    const { url, requests } = await startUpstream(redirecting(() => ({ '/a': '/b', '/b': '/a' }), 301));
    const error = await failure(startClient().get(new URL('a', url), { maxBytes }));
    expect(error).toBeInstanceOf(FetchError);
    expect(error.message).toBe(`${url.href}a redirects more than 5 times, last to ${url.href}a`);
    expect(requests).toHaveLength(6);
  });

  test('from https to http is refused', async () => {
    const plain = await startUpstream(hello);
    const { url } = await startUpstream(
      redirecting(() => ({ '/a': plain.url.href })),
      serverTls,
    );
    const client = startClient({ extraCa: [tlsPath('ca.crt')] });
    const error = await failure(client.get(new URL('a', url), { maxBytes }));
    expect(error.message).toBe(`${url.href}a redirects to ${plain.url.href}, from https to http`);
    expect(plain.requests).toHaveLength(0);
  });
});

describe('TLS', () => {
  test('with an authority of ours is trusted when that is given', async () => {
    const { url } = await startUpstream(hello, serverTls);
    const error = await failure(startClient().get(url, { maxBytes }));
    expect(error).toMatchObject({ code: 'fetch-failed' });
    const fact = 'its certificate is not from a trusted authority; extraCa adds authorities';
    expect(errorLine(error)).toContain(`${url.href}: ${fact}: unable to verify`);
    const client = startClient({ extraCa: [tlsPath('ca.crt')] });
    expect(text(await client.get(url, { maxBytes }))).toBe('hello');
  });

  test('is refused for a host that the certificate does not name', async () => {
    const { url } = await startUpstream(hello, serverTls);
    url.hostname = '127.0.0.2';
    const error = await failure(startClient({ extraCa: [tlsPath('ca.crt')] }).get(url, { maxBytes }));
    expect(error).toMatchObject({ code: 'fetch-failed' });
  });

  test('is asked of a server that does not speak it', async () => {
    const { url } = await startUpstream(hello);
    url.protocol = 'https:';
    const error = await failure(startClient().get(url, { maxBytes }));
    expect(errorLine(error)).toContain(`${url.href}: the server, or the proxy, does not speak TLS`);
    expect(errorLine(error)).not.toContain('\\u{a}');
  });

  test('that never comes ends at the deadline for connections', async () => {
    const url = await startRawUpstream(() => undefined);
    url.href = url.href.replace('http:', 'https:');
    const error = await failure(startClient({ timeouts: { connect: 100 } }).get(url, { maxBytes }));
    expect(error.message).toBe(`${url.href}: no connection within 0.1 s`);
  });

  test('that never comes ends with the abort of the caller', async () => {
    const controller = new AbortController();
    const reason = new Error('shutting down');
    const url = await startRawUpstream(() => controller.abort(reason));
    url.href = url.href.replace('http:', 'https:');
    const { signal } = controller;
    expect(await failure(startClient().get(url, { maxBytes, signal }))).toBe(reason);
  });

  test('with a client certificate, which is read again when it is rotated', async () => {
    const names: unknown[] = [];
    const { url } = await startUpstream((request, response) => {
      names.push((request.socket as TLSSocket).getPeerCertificate().subject.CN);
      response.end('hello');
    }, mutualTls);
    const extraCa = [tlsPath('ca.crt')];
    expect(await failure(startClient({ extraCa }).get(url, { maxBytes }))).toMatchObject({
      code: 'fetch-failed',
    });

    const directory = await temporaryDirectory();
    const [certificateFile, keyFile] = [join(directory, 'client.crt'), join(directory, 'client.key')];
    const client = startClient({ extraCa, clientCertificate: { certificateFile, keyFile } });
    const missing = await failure(client.get(url, { maxBytes }));
    expect(missing).toMatchObject({ code: 'config-invalid' });
    expect(missing.message).toContain(certificateFile);
    for (const name of ['client-1', 'client-2']) {
      await copyFile(tlsPath(`${name}.crt`), certificateFile);
      await copyFile(tlsPath(`${name}.key`), keyFile);
      await client.get(url, { maxBytes });
      await client.get(url, { maxBytes });
    }
    expect(names).toEqual(['client-1', 'client-1', 'client-2', 'client-2']);

    await copyFile(tlsPath('client-1.key'), keyFile);
    const error = await failure(client.get(url, { maxBytes }));
    expect(error.message).toBe(`client certificate ${certificateFile} cannot be used with key ${keyFile}`);
  });

  test('shows the client certificate to no other origin', async () => {
    const other = await startUpstream(hello, { ...mutualTls, rejectUnauthorized: false });
    const { url } = await startUpstream(
      redirecting(() => ({ '/a': other.url.href })),
      mutualTls,
    );
    const clientCertificate = {
      certificateFile: tlsPath('client-1.crt'),
      keyFile: tlsPath('client-1.key'),
    };
    const client = startClient({ extraCa: [tlsPath('ca.crt')], clientCertificate });
    await client.get(new URL('a', url), { maxBytes });
    expect((other.requests[0]?.socket as TLSSocket).getPeerCertificate()).toEqual({});
  });

  test('needs a certificate in the file of authorities', async () => {
    const path = join(await temporaryDirectory(), 'ca.crt');
    await writeFile(path, 'not yet');
    const error = await failure(
      startClient({ extraCa: [path] }).get(new URL('https://localhost/'), { maxBytes }),
    );
    expect(error).toMatchObject({
      code: 'config-invalid',
      message: `CA file ${path} contains no certificate in PEM format`,
    });
  });
});

describe('a proxy', () => {
  test('is asked for http, with its credentials and ours apart', async () => {
    const { url, requests } = await startUpstream(hello);
    const proxy = await startProxy();
    const environment = {
      HTTP_PROXY: proxy.url.href.replace('//', '//me:hidden@'),
      HTTPS_PROXY: 'http://unused',
    };
    const client = startClient({ environment });
    expect(text(await client.get(url, { credential, maxBytes }))).toBe('hello');
    const authorization = `Basic ${Buffer.from('me:hidden').toString('base64')}`;
    expect(proxy.asked).toEqual([{ line: `GET ${url.href}`, authorization }]);
    expect(requests[0]?.headers).toMatchObject({ authorization: 'Bearer secret', host: url.host });
  });

  test('is asked to connect for https', async () => {
    const { url, requests } = await startUpstream(hello, serverTls);
    const proxy = await startProxy();
    const environment = { https_proxy: proxy.url.href, http_proxy: 'http://unused' };
    const client = startClient({ environment, extraCa: [tlsPath('ca.crt')] });
    expect(text(await client.get(url, { credential, maxBytes }))).toBe('hello');
    expect(proxy.asked).toEqual([{ line: `CONNECT ${url.host}`, authorization: undefined }]);
    expect(requests[0]?.headers.authorization).toBe('Bearer secret');
  });

  test('carries a client certificate through', async () => {
    const { url } = await startUpstream(hello, mutualTls);
    const proxy = await startProxy();
    const clientCertificate = { certificateFile: tlsPath('client-1.crt'), keyFile: tlsPath('client-1.key') };
    const environment = { HTTPS_PROXY: proxy.url.href };
    const client = startClient({ environment, extraCa: [tlsPath('ca.crt')], clientCertificate });
    expect(text(await client.get(url, { maxBytes }))).toBe('hello');
    expect(proxy.asked).toHaveLength(1);
  });

  test('is not used for hosts in NO_PROXY', async () => {
    const { url } = await startUpstream(hello);
    const proxy = await startProxy();
    const client = startClient({ environment: { HTTP_PROXY: proxy.url.href, NO_PROXY: '127.0.0.1' } });
    expect(text(await client.get(url, { maxBytes }))).toBe('hello');
    expect(proxy.asked).toHaveLength(0);
  });

  test('that refuses is an error without its password', async () => {
    const refusing = await startUpstream((_request, response) => response.writeHead(407).end());
    const environment = {
      HTTP_PROXY: refusing.url.href.replace('//', '//me:hidden@'),
      HTTPS_PROXY: refusing.url.href.replace('//', '//me:hidden@'),
    };
    const client = startClient({ environment });
    for (const url of ['http://packages.example/', 'https://packages.example/']) {
      const error = await failure(client.get(new URL(url), { maxBytes }));
      expect(error).toMatchObject({ code: 'fetch-failed' });
      expect(errorLine(error)).toMatch(/cannot be fetched: .*(407|HTTP Tunneling|other side closed)/);
      expect(errorLine(error)).not.toContain('hidden');
    }
  });

  test('that never answers CONNECT is waited for until the deadline', async () => {
    const proxy = await startRawUpstream(() => undefined);
    const client = startClient({ environment: { HTTPS_PROXY: proxy.href }, timeouts: { total: 200 } });
    const error = await failure(client.get(new URL('https://packages.example/'), { maxBytes }));
    expect(error.message).toBe('https://packages.example/: no complete response within 0.2 s');
  });
});

/** Lets the event loop go round. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await setImmediate();
}

test('nothing is taken from a cache on the way that has not asked the server', async () => {
  const { url } = await startUpstream(({ headers }, response) =>
    response.end(headers['cache-control'] === 'max-age=0' ? 'new' : 'old'),
  );
  const client = startClient();
  expect(text(await client.get(url, { maxBytes }))).toBe('new');
  expect(text(await client.get(url, { maxBytes, headers: { 'if-none-match': '"1"' } }))).toBe('new');
});

test('the first of two addresses may take longer to connect than Node allows', async () => {
  const { url } = await startUpstream(hello);
  const lookup: LookupFunction = (_host, _options, callback) => {
    callback(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ]);
    // It is connected meanwhile, which the process sees only after the time that Node allows.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
  };
  url.hostname = 'two.example.com';
  const client = startClient({ lookup, timeouts: { connect: 60_000 } });
  expect(text(await client.get(url, { maxBytes }))).toBe('hello');
});

describe('a connection that the server closes', () => {
  const body = Buffer.alloc(200_000, 'x');

  test('at the end of each answer is no trouble', async () => {
    const { url } = await startUpstream((_request, response) => {
      response.setHeader('connection', 'close').end(body);
    });
    const client = startClient();
    for (let round = 0; round < 10; round += 1) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => client.get(url, { maxBytes })));
      expect(answers.every(({ bytes }) => bytes.length === body.length)).toBe(true);
    }
  });

  // The built-in fetch of Node 24.21 ends the process at the first and the last of these: nodejs/undici#5360.
  test.each([
    ['announced', `Content-Length: ${body.length}\r\n\r\n`, ''],
    ['in chunks', `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`, '\r\n0\r\n\r\n'],
    ['that ends with it', '\r\n', ''],
  ])('before a late and slow reader has the body %s still gives all of it', async (_name, head, tail) => {
    const url = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n${head}`);
      socket.write(body);
      socket.end(tail);
    });
    const dispatchers = new Dispatchers({ environment: {}, timeouts: { connect: 1000, headers: 1000 } });
    for (let round = 0; round < 50; round += 1) {
      const dispatcher = await dispatchers.dispatcherFor(url, { identify: true, policy: 'anywhere' });
      const answer = await dispatcher.request({ origin: url.origin, path: '/', method: 'GET' });
      await turns(10 * (round % 5));
      let received = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        received += chunk.length;
        await turns(round % 7);
      }
      expect(received).toBe(body.length);
    }
    await dispatchers.destroy();
  });

  test('right after an answer costs at most the next request', async () => {
    const { url } = await startUpstream((request, response) => {
      response.end('hello');
      response.on('finish', () => request.socket.end());
    });
    const client = startClient();
    for (let round = 0; round < 20; round += 1) {
      const answer = await client.get(url, { maxBytes }).catch((error: unknown) => error);
      expect(answer instanceof FetchError || text(answer as { bytes: Uint8Array }) === 'hello').toBe(true);
    }
  });
});

test('a closed client fails current and later requests', async () => {
  const client = startClient();
  const url = await startRawUpstream(() => void client.close());
  expect(await failure(client.get(url, { maxBytes }))).toMatchObject({ code: 'fetch-failed' });
  expect((await failure(client.get(url, { maxBytes }))).message).toBe('the connections are closed');
});

test('a hung upstream does not disturb another one on the same client', async () => {
  const hung = await startRawUpstream(() => undefined);
  const { url } = await startUpstream(hello);
  const client = startClient();
  const controller = new AbortController();
  const failing = failure(client.get(hung, { maxBytes, signal: controller.signal }));
  for (let round = 0; round < 20; round += 1) {
    expect(text(await client.get(url, { maxBytes }))).toBe('hello');
  }
  const reason = new Error('enough');
  controller.abort(reason);
  expect(await failing).toBe(reason);
});

describe('a POST', () => {
  test('sends its body and credential, and returns any status, whatever is said', async () => {
    const bodies: string[] = [];
    const { url, requests } = await startUpstream((request, response) => {
      void textOf(request).then((body) => {
        bodies.push(body);
        response.writeHead(422, { 'retry-after': '7' }).end('x'.repeat(50_000));
      });
    });
    const answer = await startClient().post(new URL('hook?a=b', url), { credential, body: '{"a":"ü"}' });
    expect([answer.status, answer.header('retry-after')]).toEqual([422, '7']);
    expect(bodies).toEqual(['{"a":"ü"}']);
    expect(requests.map(({ method, url: path, headers }) => [method, path, headers.authorization])).toEqual([
      ['POST', '/hook?a=b', 'Bearer secret'],
    ]);
  });

  test('follows no redirect', async () => {
    const { url, requests } = await startUpstream(redirecting(() => ({ '/a': '/b' }), 307));
    const { status } = await startClient().post(new URL('a', url), { body: '{}' });
    expect([status, requests.map((request) => request.url)]).toEqual([307, ['/a']]);
  });

  test.each([
    ['a refused connection', 'cannot be fetched', {}],
    ['no headers', 'no headers within 0.1 s', { headers: 100 }],
    ['no time left', 'no complete response within 0.1 s', { total: 100 }],
  ])('that fails by %s names the origin alone', async (_what, fact, timeouts) => {
    const hung = await startRawUpstream(() => undefined);
    const { origin } = fact === 'cannot be fetched' ? new URL('http://127.0.0.1:1') : hung;
    const url = new URL(`/services/${'hidden/'.repeat(50)}?key=hidden`, origin);
    const error = await failure(startClient({ timeouts }).post(url, { body: '{}' }));
    expect(errorLine(error)).toContain(`${origin}/: ${fact}`);
    expect(errorLine(error)).not.toContain('hidden');
  });
});
