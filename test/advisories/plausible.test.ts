import { describe, expect, test } from 'vitest';
import { Feed } from '../../src/advisories/feed.ts';
import { FeedBuilder } from '../../src/advisories/feed-builder.ts';
import { checkFeed } from '../../src/advisories/plausible.ts';
import { finish } from '../../src/catalog/steps.ts';

const latest = Date.parse('2026-07-24T06:00:00Z');

/** A feed of identifiers on one package, whose newest record is of `newest`. */
function feed(newest: string | undefined, ids: readonly string[] = ['CVE-2099-0001']): Feed {
  const builder = new FeedBuilder();
  builder.add({ name: 'curl', arch: undefined, ids, affected: '<8-r1' });
  const bytes = builder.finish({ kind: 'osv', records: ids.length, ...(newest !== undefined && { newest }) });
  return finish(Feed.read(bytes, `${newest} ${ids.join()}`));
}

const check = (last: Feed, next: Feed): void =>
  finish(checkFeed(last, next, { rollback: 'refuse', maxShrink: 0.4 }, latest));

describe('a feed is older', () => {
  test.each([
    ['by its newest record', '2026-07-02T00:00:00Z', '2026-07-01T00:00:00Z'],
    ['by a fraction of a second', '2026-07-01T00:00:00.5Z', '2026-07-01T00:00:00Z'],
    ['by its offset', '2026-07-01T01:00:00Z', '2026-07-01T09:00:00+09:00'],
  ])('%s', (_, last, next) => {
    expect(() => check(feed(last), feed(next))).toThrow('its newest record is of');
    expect(() => check(feed(next), feed(last))).not.toThrow();
  });
});

describe('a last good feed with a time in the future', () => {
  const last = feed('2062-07-01T00:00:00Z', ['CVE-2099-0001', 'CVE-2099-0002']);

  test('is replaced by the next one', () => {
    const ids = ['CVE-2099-0001', 'CVE-2099-0002', 'CVE-2099-0003'];
    expect(() => check(last, feed('2026-07-01T00:00:00Z', ids))).not.toThrow();
  });

  test('is not replaced by one that lost identifiers and gained none', () => {
    expect(() => check(last, feed('2026-07-01T00:00:00Z'))).toThrow('1 identifiers are gone');
  });
});
