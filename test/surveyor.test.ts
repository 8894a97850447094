import { expect, test } from 'vitest';
import type { LiveDatasource, Snapshot } from '../src/repository/live-datasource.ts';
import { Surveyor } from '../src/surveyor.ts';
import { catalog } from './support/catalogs.ts';
import { pkg } from './support/signed-index.ts';

const snapshotOf = (...names: readonly string[]): Snapshot => ({
  catalog: catalog(names.map((name) => pkg(name, '1-r0'))),
  generation: names.join(),
});
const going = new AbortController().signal;

test('a generation that is overtaken is given up', async () => {
  const surveyor = new Surveyor();
  const live = { name: 'wolfi', snapshot: snapshotOf('a') };
  const first = surveyor.survey(live as unknown as LiveDatasource, going);
  live.snapshot = snapshotOf('a', 'b');
  await first;
  expect(surveyor.of('wolfi')).toBeUndefined();
  await surveyor.survey(live as unknown as LiveDatasource, going);
  expect(surveyor.of('wolfi')).toMatchObject({ names: 2, offered: 2 });
});

test('stopping gives up as well', async () => {
  const surveyor = new Surveyor();
  const live = { name: 'wolfi', snapshot: snapshotOf('a') } as unknown as LiveDatasource;
  await surveyor.survey(live, AbortSignal.abort());
  expect(surveyor.of('wolfi')).toBeUndefined();
});
