import { redactUrl } from '../../src/addresses.ts';
import { expect, test } from 'vitest';
import { parseRetryAfter } from '../../src/repository/fetch-error.ts';

const now = Date.parse('2026-10-21T07:28:00Z');

test.each([
  ['0', 0],
  ['120', 120_000],
  ['Wed, 21 Oct 2026 07:29:00 GMT', 60_000],
  ['Wednesday, 21-Oct-26 07:29:00 GMT', 60_000],
  ['Wed, 21 Oct 2026 07:27:00 GMT', 0],
  ['-1', undefined],
  ['1.5', undefined],
  ['', undefined],
  ['soon', undefined],
  ['Wed, 99 Oct 2026 07:29:00 GMT', undefined],
  ['Wed, 21 Oct 2026 07:29:00', undefined],
  ['9'.repeat(100_000), undefined],
  [undefined, undefined],
])('Retry-After: $0', (header, milliseconds) => {
  expect(parseRetryAfter(header, now)).toBe(milliseconds);
});

test.each([
  ['https://me:word@a.example:8443/os/x?token=1#y', 'https://a.example:8443/os/x?…'],
  ['https://token@a.example', 'https://a.example/'],
  ['http://[::1]:3000/?', 'http://[::1]:3000/'],
  ['https//me:word@a.example', '(not a URL)'],
])('%s is shown as %s', (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});
