import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { built, DAY, Observer, START } from './observer.ts';
import { sqliteStore } from './stores.ts';
import { ledgerSuite } from './suite.ts';

describe('in SQLite', () => ledgerSuite(sqliteStore));

const old = built('curl', '8.0-r0', START - 30 * DAY);

test('in memory only, too', async () => {
  const one = new Observer({ folder: undefined, store: undefined });
  await one.see([old]);
  one.now += DAY;
  expect(await one.see([old, built('curl', '8.1-r0', START - DAY)])).toEqual({
    'curl-8.0-r0': -30,
    'curl-8.1-r0': 1,
  });
  expect(one.ledger.status.kind).toBe('memory');
});

test('a damaged ledger is moved aside', async () => {
  const store = await sqliteStore();
  const one = new Observer({ folder: await temporaryDirectory(), store });
  const later = built('curl', '8.1-r0', START - 9 * DAY);
  await one.see([old]);
  one.now += DAY;
  await one.see([old, later]);
  await one.restart(() => writeFile(store.file, 'no database'.repeat(1000)));
  expect(await one.see([old, later])).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
});
