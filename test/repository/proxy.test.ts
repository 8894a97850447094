import { expect, test } from 'vitest';
import { proxyFor } from '../../src/repository/proxy.ts';
import { IndexError } from '../../src/errors.ts';

const environment = { http_proxy: 'http://plain:3128', HTTPS_PROXY: 'secure:3129' };

test.each([
  ['http://example.com/', environment, 'http://plain:3128/'],
  ['https://example.com/', environment, 'http://secure:3129/'],
  ['https://example.com/', { HTTP_PROXY: 'http://plain:3128' }, undefined],
  ['http://example.com/', { http_proxy: 'http://a', HTTP_PROXY: 'http://b' }, 'http://a/'],
  ['http://example.com/', { http_proxy: '', HTTP_PROXY: 'http://b' }, undefined],
  ['http://example.com/', { http_proxy: 'http://me:50%@a' }, 'http://me:50%25@a/'],
  ['http://example.com/', { http_proxy: 'http://me:p%40%25@a' }, 'http://me:p%40%25@a/'],
  ['http://example.com/', {}, undefined],
])('%s with %j goes over %s', (url, variables, proxy) => {
  expect(proxyFor(new URL(url), variables)?.href).toBe(proxy);
});

test.each([
  ['*', 'https://example.com/', true],
  ['example.com', 'https://example.com/', true],
  ['Example.COM.', 'https://example.com/', true],
  ['example.com', 'https://example.com./', true],
  ['example.com', 'https://apk.example.com/', true],
  ['.example.com', 'https://apk.example.com/', true],
  ['*.example.com', 'https://apk.example.com/', true],
  ['example.com', 'https://notexample.com/', false],
  ['example.com:443', 'https://example.com/', true],
  ['example.com:8443', 'https://example.com/', false],
  ['example.com:80', 'http://example.com/', true],
  ['a, b ,example.com', 'https://example.com/', true],
  [',', 'https://example.com/', false],
  ['.', 'https://example.com/', false],
  ['10.0.0.0/8', 'https://10.1.2.3/', true],
  ['10.0.0.0/8', 'https://11.1.2.3/', false],
  ['10.0.0.0/8', 'https://example.com/', false],
  ['10.0.0.0/99', 'https://10.1.2.3/', false],
  ['127.0.0.1', 'https://127.0.0.1:8443/', true],
  ['::1', 'https://[::1]:8443/', true],
  ['[::1]', 'https://[::1]/', true],
  ['[::1]:443', 'https://[::1]/', true],
  ['[::1]:444', 'https://[::1]/', false],
  ['fd00::/8', 'https://[fd00::1]/', true],
])('NO_PROXY=%s excepts %s: %s', (noProxy, url, expected) => {
  const direct = proxyFor(new URL(url), { ...environment, HTTP_PROXY: 'a', NO_PROXY: noProxy }) === undefined;
  expect(direct).toBe(expected);
});

test.each(['socks5://proxy:1080', 'http://', 'http://me:hidden@pro xy'])('%s is no proxy', (proxy) => {
  const ask = (): unknown => proxyFor(new URL('https://example.com/'), { HTTPS_PROXY: proxy });
  expect(ask).toThrow(IndexError);
  expect(ask).toThrow(/^HTTPS_PROXY is not the URL of an http or https proxy$/);
});
