import { expect, test } from 'vitest';
import { FetchError } from '../../src/repository/fetch-error.ts';
import { redirectTarget } from '../../src/repository/redirect.ts';

test.each([
  ['https://example.com/os/a', '/b?c', 'https://example.com/b?c'],
  ['https://example.com/os/a', 'b', 'https://example.com/os/b'],
  ['https://example.com/', '//cdn.example/b', 'https://cdn.example/b'],
  ['http://example.com/', 'https://example.com/', 'https://example.com/'],
  ['http://example.com/', 'http://10.0.0.7/mirror', 'http://10.0.0.7/mirror'],
  ['http://localhost:3000/', 'http://127.0.0.1:3001/', 'http://127.0.0.1:3001/'],
  ['http://127.0.0.1/', 'https://example.com/', 'https://example.com/'],
])('%s may redirect to %s', (from, location, target) => {
  expect(redirectTarget(new URL(from), location).href).toBe(target);
});

test.each([
  ['https://example.com/', undefined, 'to nowhere'],
  ['https://example.com/', 'https://', 'to what is not a URL'],
  ['https://example.com/', 'file:///etc/passwd', 'to file:, which is not followed'],
  ['https://example.com/', 'data:text/plain,hello', 'to data:, which is not followed'],
  ['https://example.com/', 'ftp://example.com/', 'to ftp:, which is not followed'],
  ['https://example.com/', 'http://example.com/', 'from https to http'],
  ['http://example.com/', 'http://169.254.169.254/latest/meta-data', 'link-local address 169.254.169.254'],
  ['http://127.0.0.1/', 'http://2852039166/', 'link-local address 169.254.169.254'],
  ['http://example.com/', 'http://[fe80::1]/', 'link-local'],
  ['http://example.com/', 'http://[::ffff:169.254.169.254]/', 'link-local'],
  ['http://example.com/', 'http://[fd00:ec2::254]/', 'link-local'],
  ['http://example.com/', 'http://localhost:3000/', 'localhost:3000, our own machine'],
  ['http://example.com/', 'http://a.localhost./', 'our own machine'],
  ['http://example.com/', 'http://127.1/', '127.0.0.1, our own machine'],
  ['http://example.com/', 'http://0/', 'our own machine'],
  ['http://example.com/', 'http://[::1]/', 'our own machine'],
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
