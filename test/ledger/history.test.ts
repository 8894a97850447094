/** A year of Wolfi in 5,000 generations: any of them is rebuilt entry by entry. */
import { describe, expect, test } from 'vitest';
import { generationNumbered, packagesOf, type RecordedPackage } from '../../src/ledger-store/history.ts';
import { importLines, verify } from '../../src/ledger-store/transfer.ts';
import { historyLines, presentAt, wolfiHistory } from '../support/ledger-history.ts';
import { sharedData } from '../support/shared-data.ts';
import { sqliteStore } from './stores.ts';

describe.runIf(sharedData)('5,000 generations of Wolfi', () => {
  test('are rebuilt entry by entry', async () => {
    const history = await wolfiHistory(sharedData as string);
    const database = await (await sqliteStore()).open();
    const lines = historyLines(history, 'https://packages.wolfi.dev/os/x86_64/APKINDEX.tar.gz');
    await importLines(database, lines as unknown as AsyncIterable<string>);
    const end = (history.seenAt.at(-1) ?? 0) + 1;
    expect(await verify(database, end)).toEqual([]);
    const sizes = new Set<number>();
    // The first and last ones, those around the collections of withdrawn packages, and others.
    const asked = [1, 2, 3, 999, 2500, 3333, 4200, 4700, 4900, 4998, 4999, 5000];
    for (const number of asked) {
      const found: RecordedPackage[] = [];
      await packagesOf(database.query, 1, number, (packages) => void found.push(...packages));
      const expected = presentAt(history, number);
      expect(found.length).toBe(expected.length);
      expect((await generationNumbered(database.query, 1, number))?.packages).toBe(expected.length);
      expect(Buffer.from(textOf(found)).equals(Buffer.from(textOf(expected))), `generation ${number}`).toBe(
        true,
      );
      sizes.add(found.length);
    }
    // What differs is not nothing: packages came with each, and thousands went at once.
    expect(sizes.size).toBe(asked.length);
    expect(presentAt(history, 4999).length - presentAt(history, 5000).length).toBeGreaterThan(5000);
    await database.close();
  }, 120_000);
});

function textOf(packages: readonly RecordedPackage[]): string {
  return packages
    .map(({ name, version, identity, builtAt, releasedAt }) =>
      [identity, name, version, builtAt, releasedAt].join(' '),
    )
    .sort()
    .join('\n');
}
