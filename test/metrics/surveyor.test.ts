import { expect, test } from 'vitest';
import type { LiveDatasource, Snapshot } from '../../src/repository/live-datasource.ts';
import { Surveyor } from '../../src/metrics/surveyor.ts';
import { catalog } from '../support/catalogs.ts';
import { pkg } from '../support/signed-index.ts';

const snapshotOf = (...names: readonly string[]): Snapshot => ({
  catalog: catalog(names.map((name) => pkg(name, '1-r0'))),
  generation: names.join(),
});
const going = new AbortController().signal;

/** A datasource with a snapshot that a test can change. */
function live(snapshot: Snapshot): LiveDatasource & { snapshot: Snapshot } {
  return { name: 'wolfi', snapshot } as unknown as LiveDatasource & { snapshot: Snapshot };
}

test('who asks gets what was found last, and the present generation is surveyed', async () => {
  const surveyor = new Surveyor(going);
  const wolfi = live(snapshotOf('a'));
  expect(surveyor.of(wolfi)).toBeUndefined();
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toMatchObject({ names: 1 });
  wolfi.snapshot = snapshotOf('a', 'b');
  expect(surveyor.of(wolfi)).toMatchObject({ names: 1 });
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toMatchObject({ names: 2, offered: 2 });
});

test('a generation that is overtaken is given up', async () => {
  const surveyor = new Surveyor(going);
  const wolfi = live(snapshotOf('a'));
  surveyor.of(wolfi);
  wolfi.snapshot = snapshotOf('a', 'b');
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toBeUndefined();
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toMatchObject({ names: 2, offered: 2 });
});

test('stopping gives up as well', async () => {
  const surveyor = new Surveyor(AbortSignal.abort());
  const wolfi = live(snapshotOf('a'));
  surveyor.of(wolfi);
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toBeUndefined();
});
