import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { FetchError } from '../../src/repository/fetch-error.ts';
import { redirectTarget } from '../../src/repository/redirect.ts';
import { failure } from '../support/failure.ts';
import { startClient, startUpstream } from '../support/upstream.ts';

test.each([
  ['https://example.com/os/a', '/b?c', 'https://example.com/b?c'],
  ['https://example.com/os/a', 'b', 'https://example.com/os/b'],
  ['https://example.com/', '//cdn.example/b', 'https://cdn.example/b'],
  ['http://example.com/', 'https://example.com/', 'https://example.com/'],
  ['http://example.com/', 'http://10.0.0.7/mirror', 'http://10.0.0.7/mirror'],
  ['http://localhost:3000/', 'http://127.0.0.1:3001/', 'http://127.0.0.1:3001/'],
  ['http://example.com/', 'http://[64:ff9b::808:808]/', 'http://[64:ff9b::808:808]/'],
  ['http://example.com/', 'http://[64:ff9b:1::808:808]/', 'http://[64:ff9b:1::808:808]/'],
  ['http://example.com/', 'http://[2a00:1450::5e]/', 'http://[2a00:1450::5e]/'],
  ['http://example.com/', 'http://[2002:808:808::1]/', 'http://[2002:808:808::1]/'],
  ['http://127.0.0.1/', 'https://example.com/', 'https://example.com/'],
])('%s may redirect to %s', (from, location, target) => {
  expect(redirectTarget(new URL(from), location).href).toBe(target);
});

test.each([
  ['https://example.com/', undefined, 'without a target'],
  ['https://example.com/', 'https://', 'to an invalid URL'],
  ['https://example.com/', 'file:///etc/passwd', 'to file:, which is not followed'],
  ['https://example.com/', 'data:text/plain,hello', 'to data:, which is not followed'],
  ['https://example.com/', 'ftp://example.com/', 'to ftp:, which is not followed'],
  ['https://example.com/', 'http://example.com/', 'from https to http'],
  [
    'http://example.com/',
    'http://169.254.169.254/latest/meta-data',
    '169.254.169.254, a link-local or metadata address',
  ],
  ['http://127.0.0.1/', 'http://2852039166/', '169.254.169.254, a link-local or metadata address'],
  ['http://example.com/', 'http://[fe80::1]/', 'link-local'],
  ['http://example.com/', 'http://[::ffff:169.254.169.254]/', 'link-local'],
  ['http://example.com/', 'http://[fd00:ec2::254]/', 'link-local'],
  ['http://example.com/', 'http://localhost:3000/', 'localhost:3000, our own machine'],
  ['http://example.com/', 'http://a.localhost./', 'our own machine'],
  ['http://example.com/', 'http://127.1/', '127.0.0.1, our own machine'],
  ['http://example.com/', 'http://0/', 'our own machine'],
  ['http://example.com/', 'http://[::1]/', 'our own machine'],
  ['http://example.com/', 'http://ip6-localhost/', 'our own machine'],
  ['http://example.com/', 'http://metadata.google.internal/', 'a metadata service'],
  ['http://example.com/', 'http://100.100.100.200/', 'metadata'],
  ['http://example.com/', 'http://168.63.129.16/', 'metadata'],
  ['http://example.com/', 'http://[fd00:ec2::23]/', 'metadata'],
  ['http://example.com/', 'http://[fd20:ce::254]/', 'metadata'],
  ['http://example.com/', 'http://[64:ff9b::a9fe:a9fe]/', 'metadata'],
  ['http://example.com/', 'http://[64:ff9b:1:a9fe:a9:fe00::]/', 'metadata'],
  ['http://example.com/', 'http://[64:ff9b:1::127.0.0.1]/', 'our own machine'],
  ['http://example.com/', 'http://[::ffff:127.0.0.1]/', 'our own machine'],
  ['http://example.com/', 'http://[::ffff:0:127.0.0.1]/', 'our own machine'],
  ['http://example.com/', 'http://[::127.0.0.1]/', 'our own machine'],
  ['http://example.com/', 'http://[2002:7f00:1::1]/', 'our own machine'],
  ['http://example.com/', 'http://[2002:a9fe:a9fe::]/', 'metadata'],
  ['http://example.com/', 'http://[2001::80ff:fffe]/', 'our own machine'],
  ['http://example.com/', 'http://[2a00::5efe:127.0.0.1]/', 'our own machine'],
  ['http://127.0.0.1/', 'http://[::ffff:a9fe:a9fe]/', 'metadata'],
])('%s may not redirect to %s', (from, location, why) => {
  const redirect = (): URL => redirectTarget(new URL(from), location);
  expect(redirect).toThrow(FetchError);
  expect(redirect).toThrow(`${from} redirects `);
  expect(redirect).toThrow(why);
});

test('secrets of neither side are in the error', () => {
  const redirect = (): URL =>
    redirectTarget(new URL('https://me:hidden@a.example/?t=hidden'), 'http://me:hidden@b.example/x?s=hidden');
  expect(redirect).toThrow('https://a.example/?… redirects to http://b.example/x?…, from https to http');
});

test('to an address of its own network card is to this machine', ({ skip }) => {
  const [address] = Object.values(networkInterfaces())
    .flatMap((all = []) => all)
    .filter(({ internal }) => !internal);
  if (!address) return skip('this machine has no network card');
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  expect(() => redirectTarget(new URL('http://example.com/'), `http://${host}/`)).toThrow('our own machine');
});

describe('a redirect by name is judged by the address the name has when the connection is made', () => {
  const resolving =
    (addresses: Record<string, string>): LookupFunction =>
    (hostname, { all }, callback) => {
      const address = addresses[hostname] ?? '127.0.0.1';
      const family = isIP(address);
      if (all) callback(null, [{ address, family }]);
      else callback(null, address, family);
    };

  test.each([
    ['127.0.0.1', 'our own machine'],
    ['169.254.169.254', 'link-local or metadata'],
    ['64:ff9b::a9fe:a9fe', 'link-local or metadata'],
    ['::ffff:127.0.0.1', 'our own machine'],
    ['fe80::1%lo', 'link-local or metadata'],
  ])('%s', async (address, why) => {
    const inner = await startUpstream((_, response) => response.end('secret of this machine'));
    const upstream = await startUpstream((_, response) =>
      response.writeHead(302, { location: `http://innocent.example:${inner.url.port}/` }).end(),
    );
    const client = startClient({ lookup: resolving({ 'innocent.example': address }) });
    const configured = new URL(`http://repository.example:${upstream.url.port}/`);
    const error = await failure(client.get(configured, { maxBytes: 1000 }));
    expect(error).toBeInstanceOf(FetchError);
    expect(error.message).toContain(why);
    expect(error.message).not.toContain('secret');
    expect(inner.requests).toHaveLength(0);
  });

  test('the configured host itself may be this machine, also when a redirect leads back to it', async () => {
    const upstream = await startUpstream((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/again' });
      response.end('here');
    });
    const client = startClient({ lookup: resolving({}) });
    const configured = new URL(`http://repository.example:${upstream.url.port}/`);
    expect(Buffer.from((await client.get(configured, { maxBytes: 9 })).bytes).toString()).toBe('here');
  });

  test('a connection that the configured host may use is not used for a redirect', async () => {
    const upstream = await startUpstream((request, response) => {
      const location = request.headers.host?.startsWith('repository')
        ? `http://other.example:${upstream.url.port}/`
        : undefined;
      if (location) response.writeHead(302, { location });
      response.end('here');
    });
    const client = startClient({ lookup: resolving({}) });
    const get = (host: string): Promise<unknown> =>
      client.get(new URL(`http://${host}.example:${upstream.url.port}/`), { maxBytes: 9 });
    await get('other');
    expect((await failure(get('repository'))).message).toContain('our own machine');
  });
});
