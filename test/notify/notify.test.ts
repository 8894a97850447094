/** What is told, and in which form. */
import { describe, expect, test } from 'vitest';
import { callOf, createEvent, joinEvents, signature, type Event } from '../../src/notify/event.ts';
import { changesOf, offersInSteps, type Change, type Offer } from '../../src/notify/offers.ts';
import { isBehind, type Position } from '../../src/notify/position.ts';
import { finish } from '../../src/catalog/steps.ts';
import { catalogOf } from '../support/catalogs.ts';
import { pkg, type Stanza } from '../support/signed-index.ts';

const AT = Date.UTC(2026, 6, 24, 6);

/** The changes from one generation to the next, each given as the versions of both archs. */
function changes(before: Versions, after: Versions): readonly Change[] {
  return changesOf(offers(before), offers(after));
}

interface Versions {
  readonly x86_64: readonly Stanza[];
  readonly aarch64: readonly Stanza[];
}

function offers({ x86_64, aarch64 }: Versions): ReadonlyMap<string, Offer> {
  return finish(offersInSteps(catalogOf({ x86_64: [x86_64], aarch64: [aarch64] }), ['curl', 'jq']));
}

function everywhere(...stanzas: readonly Stanza[]): Versions {
  return { x86_64: stanzas, aarch64: stanzas };
}

const [old, next] = [pkg('curl', '8.0-r0'), pkg('curl', '8.1-r0')];
const broken = { ...next, D: 'libcurl=8.1-r0' };

describe('changes between two catalogs', () => {
  const before = everywhere(old);
  test.each<[string, Versions, readonly Change[]]>([
    [
      'a version on every arch',
      everywhere(old, next),
      [{ name: 'curl', newest: '8.1-r0', before: '8.0-r0' }],
    ],
    ['nothing while an arch lacks it', { x86_64: [old, next], aarch64: [old] }, []],
    ['nothing while the archs have different versions', { x86_64: [next], aarch64: [old] }, []],
    ['nothing while an arch alone has it, without its dependency', { x86_64: [old], aarch64: [broken] }, []],
    ['what no arch can install any more', everywhere(broken), [{ name: 'curl', before: '8.0-r0' }]],
    ['nothing for other names', everywhere(old, pkg('zlib', '1-r0')), []],
    ['nothing for a version that cannot be installed', everywhere(old, broken), []],
    ['a name that is new', everywhere(old, pkg('jq', '1-r0')), [{ name: 'jq', newest: '1-r0' }]],
    ['a name that is gone', everywhere(), [{ name: 'curl', before: '8.0-r0' }]],
    [
      'an older line',
      everywhere(old, pkg('curl', '7.9-r1')),
      [{ name: 'curl', newest: '8.0-r0', before: '8.0-r0' }],
    ],
    [
      'a pre-release, which is not the newest',
      everywhere(old, pkg('curl', '8.1_rc1-r0')),
      [{ name: 'curl', newest: '8.0-r0', before: '8.0-r0' }],
    ],
  ])('%s', (_, after, expected) => {
    expect(changes(before, after)).toEqual(expected);
  });
});

describe('whether a replica is behind', () => {
  test.each<[string, Position, Position, { alone: boolean; shared: boolean }]>([
    ['the same indexes', { a: 5, b: 7 }, { a: 5, b: 7 }, { alone: false, shared: false }],
    ['a newer one', { a: 6, b: 7 }, { a: 5, b: 7 }, { alone: false, shared: false }],
    ['an older one', { a: 6, b: 6 }, { a: 5, b: 7 }, { alone: false, shared: true }],
    ['one that is not loaded yet', { a: 5, b: null }, { a: 5, b: 7 }, { alone: true, shared: true }],
    ['one that was never there', { a: 5, b: null }, { a: 5 }, { alone: false, shared: false }],
    ['one that is not configured any more', { a: 5 }, { a: 5, b: 7 }, { alone: false, shared: false }],
    ['nothing seen', { a: 5 }, {}, { alone: false, shared: false }],
    ['a clock that is behind', { a: 5, clock: 6 }, { a: 5, clock: 7 }, { alone: false, shared: true }],
    ['a day after', { a: 5, clock: 6 }, { a: 5, clock: 86_407 }, { alone: false, shared: false }],
  ])('%s', (_, mine, seen, { alone, shared }) => {
    expect(isBehind(mine, seen, false)).toBe(alone);
    expect(isBehind(mine, seen, true)).toBe(shared);
  });
});

const event = createEvent('renovate', {
  at: AT,
  datasource: 'wolfi@7d',
  generation: '0123456789ab',
  changes: [{ name: 'curl', newest: '8.1-r0', before: '8.0-r0' }],
});

describe('an event', () => {
  test('has an id of its own, even if the same change happened before', () => {
    const { id, ...rest } = event;
    expect(createEvent('renovate', { ...rest, at: AT + 5000 }).id).not.toBe(id);
    expect(createEvent('another', rest).id).not.toBe(id);
    expect(createEvent('renovate', { ...rest, generation: 'ba9876543210' }).id).not.toBe(id);
    expect(createEvent('renovate', { ...rest, changes: [{ name: 'curl' }] }).id).not.toBe(id);
  });

  test('takes up the next one: from the first version to the last, as new as the last', () => {
    const later = (at: number, changes: readonly Change[]): Event =>
      createEvent('renovate', { ...event, at, generation: 'ba9876543210', changes });
    const both = joinEvents(
      'renovate',
      event,
      later(AT + 5000, [
        { name: 'jq', newest: '1-r0' },
        { name: 'curl', before: '8.1-r0' },
        { name: 'zlib', newest: '2-r0', before: '1-r0' },
      ]),
    );
    expect(both).toMatchObject({
      at: AT + 5000,
      generation: 'ba9876543210',
      changes: [
        { name: 'curl', before: '8.0-r0' },
        { name: 'jq', newest: '1-r0' },
        { name: 'zlib', newest: '2-r0', before: '1-r0' },
      ],
    });
    expect(both.id).not.toBe(event.id);
  });

  test('with very many changes lists some and counts the others', () => {
    const many = Array.from({ length: 1200 }, (_, i) => ({ name: `p${i}`, newest: '1-r0' }));
    const { body } = callOf(createEvent('renovate', { ...event, changes: many }), {}, AT);
    const { data } = JSON.parse(body) as { data: { changes: unknown[]; more: number } };
    expect([data.changes.length, data.more]).toEqual([500, 700]);
  });
});

describe('a call', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

  test('is signed as the libraries of Standard Webhooks verify it', () => {
    // The vector that these libraries are tested with.
    expect(signature(secret, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}')).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    );
  });

  test('has the same id and body in a retry, and the time and signature of the retry', () => {
    const [first, second] = [callOf(event, { secret }, AT), callOf(event, { secret }, AT + 60_000)];
    expect(second.body).toBe(first.body);
    expect(JSON.parse(first.body)).toEqual({
      type: 'offer.changed',
      id: event.id,
      timestamp: '2026-07-24T06:00:00.000Z',
      data: {
        datasource: 'wolfi@7d',
        generation: '0123456789ab',
        changes: [{ name: 'curl', newest: '8.1-r0', before: '8.0-r0' }],
      },
    });
    expect(first.headers).toEqual({
      'content-type': 'application/json',
      'webhook-id': event.id,
      'webhook-timestamp': String(AT / 1000),
      'webhook-signature': signature(secret, event.id, String(AT / 1000), first.body),
    });
    expect(second.headers).toMatchObject({
      'webhook-id': event.id,
      'webhook-timestamp': String(AT / 1000 + 60),
    });
  });

  test('of a pipeline trigger has the token and the ref in its body', () => {
    const { body, headers } = callOf(event, { gitlab: { ref: 'main', token: 'glptt-1' } }, AT);
    expect(JSON.parse(body)).toMatchObject({ ref: 'main', token: 'glptt-1', id: event.id });
    expect(headers).not.toHaveProperty('webhook-signature');
  });

  test.each(['', 'plain', 'whsec_', 'whsec_short', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])(
    'is not signed with %j',
    (wrong) => {
      expect(() => callOf(event, { secret: wrong }, AT)).toThrow('whsec_');
    },
  );
});
