import { describe, expect, test } from 'vitest';
import { startService } from '../support/service.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { notifySuite } from './suite.ts';

describe('with SQLite', () => {
  notifySuite(async () => ({ cacheDir: await temporaryDirectory() }));
});

describe('a configuration', () => {
  const url = 'https://hooks.example.com/apk';
  const datasources = { wolfi: { repositories: ['https://packages.wolfi.dev/os'] } };

  test('needs a place to keep events that are not delivered yet', async () => {
    const config = { datasources, notify: { one: { url } } };
    await expect(startService({ config })).rejects.toThrow('notify: needs a cacheDir or a ledger');
  });

  test.each([
    ['alpine', 'notify.one.datasource: no datasource alpine, expected one of wolfi'],
    ['wolfi@7', 'notify.one.datasource: expected an age from 1h to 365d'],
  ])('with the datasource %s is refused', async (datasource, fact) => {
    const config = { datasources, notify: { one: { url, datasource } } };
    await expect(startService({ config, cacheDir: await temporaryDirectory() })).rejects.toThrow(fact);
  });
});
