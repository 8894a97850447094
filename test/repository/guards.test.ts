import { describe, expect, test } from 'vitest';
import { IndexError } from '../../src/errors.ts';
import { defaultReadLimits, readIndex, type VerifiedIndex } from '../../src/apk/read-index.ts';
import {
  checkPlausible,
  summarize,
  unchangedFor,
  type GuardPolicy,
  type IndexSummary,
} from '../../src/repository/guards.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const policy: GuardPolicy = { rollback: 'refuse', maxShrink: 0.4, maxAge: undefined };

/** Made and built on day 100, with a thousand names. */
function summary(changes: Partial<IndexSummary> = {}): IndexSummary {
  const day = 86_400;
  const { digest = JSON.stringify(changes), names = 1000 } = changes;
  return { packages: 3000, newestBuiltAt: 100 * day, madeAt: 100 * day, ...changes, digest, names };
}

function verdict(last: IndexSummary | undefined, next: IndexSummary, own: Partial<GuardPolicy> = {}): string {
  try {
    checkPlausible(last, next, { ...policy, ...own });
    return 'ok';
  } catch (error) {
    return error instanceof IndexError ? error.code : String(error);
  }
}

const early = 99 * 86_400;
const late = 101 * 86_400;

describe('after the last good index', () => {
  test.each<[what: string, next: Partial<IndexSummary>, expected: string, own?: Partial<GuardPolicy>]>([
    ['the same again', { digest: '{}', names: 0 }, 'ok'],
    ['one made later', { madeAt: late }, 'ok'],
    ['one made later without the newest package: a withdrawal', { madeAt: late, newestBuiltAt: early }, 'ok'],
    ['one made at the same time with a newer package', { newestBuiltAt: late }, 'ok'],
    ['one made at the same time, its newest package older', { newestBuiltAt: early }, 'index-rollback'],
    ['one made earlier', { madeAt: early }, 'index-rollback'],
    ['one made earlier with a newer package', { madeAt: early, newestBuiltAt: late }, 'index-rollback'],
    ['one that does not tell when it was made, older', { madeAt: 0, newestBuiltAt: early }, 'index-rollback'],
    ['one that does not tell when it was made, newer', { madeAt: 0, newestBuiltAt: late }, 'ok'],
    ['one that tells no time at all', { madeAt: 0, newestBuiltAt: 0 }, 'index-rollback'],
    ['an older one, where that is accepted', { madeAt: early }, 'ok', { rollback: 'accept' }],
    ['5 % fewer names', { names: 950 }, 'ok'],
    ['40 % fewer names', { names: 600 }, 'ok'],
    ['41 % fewer names', { names: 590 }, 'index-shrunk'],
    ['half the names', { names: 500 }, 'index-shrunk'],
    ['a name left', { names: 1 }, 'index-shrunk'],
    ['no name left', { names: 0 }, 'index-shrunk'],
    ['half the names, where more may go', { names: 500 }, 'ok', { maxShrink: 0.6 }],
    ['no name left, whatever may go', { names: 0 }, 'index-shrunk', { maxShrink: 1 }],
    ['5 % fewer names, where fewer may go', { names: 950 }, 'index-shrunk', { maxShrink: 0.01 }],
    ['40 % fewer packages of the same names, as Wolfi once had', { packages: 1800, madeAt: late }, 'ok'],
  ])('%s', (_what, next, expected, own) => expect(verdict(summary(), summary(next), own)).toBe(expected));

  test('a small repository may lose most of its few names, not all', () => {
    expect(verdict(summary({ names: 4 }), summary({ names: 1, madeAt: late }))).toBe('ok');
    expect(verdict(summary({ names: 1 }), summary({ names: 0, madeAt: late }))).toBe('index-shrunk');
  });

  test('without one, any will do that has packages', () => {
    expect(verdict(undefined, summary({ names: 1 }))).toBe('ok');
    expect(verdict(undefined, summary({ names: 0 }), { rollback: 'accept', maxShrink: 1 })).toBe(
      'index-shrunk',
    );
  });
});

describe('times in the future say nothing', () => {
  const now = 1_800_000_000;
  const read = async (builtAt: readonly number[], madeAt = 0): Promise<VerifiedIndex> => {
    const stanzas = builtAt.map((time, i) => pkg(`app-${i}`, '1.0-r0', { t: `${time}` }));
    const index = await readIndex(await signedIndex(stanzas), {
      keys: [testKey()],
      limits: defaultReadLimits,
    });
    return { ...index, madeAt };
  };
  const judged = (last: VerifiedIndex, next: VerifiedIndex): string =>
    verdict(summarize(last, now * 1000), summarize(next, now * 1000));
  const future = now + 10 * 365 * 86_400;

  test('so a package dated ahead lets no older index pass', async () => {
    expect(judged(await read([now - 10, future]), await read([now - 20, future]))).toBe('index-rollback');
    expect(judged(await read([now - 10]), await read([now - 20, future]))).toBe('index-rollback');
  });

  test('and its withdrawal freezes nothing', async () => {
    expect(judged(await read([now - 20, future]), await read([now - 10, now - 20]))).toBe('ok');
  });

  test('nor does the time an index says it was made', async () => {
    expect(judged(await read([now - 10]), await read([now - 20], future))).toBe('index-rollback');
    expect(judged(await read([now - 20], future), await read([now - 10], now))).toBe('ok');
  });

  test('clocks may differ by a day', async () => {
    expect(summarize(await read([now + 86_400]), now * 1000).newestBuiltAt).toBe(now + 86_400);
    expect(summarize(await read([now + 86_401]), now * 1000).newestBuiltAt).toBe(0);
  });
});

test('the age of an index counts from its newest package if it was first seen later', () => {
  const now = 200 * 86_400_000;
  expect(unchangedFor(summary(), now, now)).toBe(100 * 86_400_000);
  expect(unchangedFor(summary({ madeAt: 0, newestBuiltAt: 0 }), now - 5, now)).toBe(5);
  expect(unchangedFor(summary(), 50 * 86_400_000, now)).toBe(150 * 86_400_000);
});
