import { expect, test } from 'vitest';
import { LookupLog } from '../../src/metrics/lookup-log.ts';
import type { LiveDatasource, Snapshot } from '../../src/repository/live-datasource.ts';
import { catalog } from '../support/catalogs.ts';
import { pkg } from '../support/signed-index.ts';

const snapshotOf = (...names: readonly string[]): Snapshot => ({
  catalog: catalog(names.map((name) => pkg(name, '1-r0'))),
  generation: names.join(),
});
const live = (snapshot: Snapshot): LiveDatasource => ({ name: 'wolfi', snapshot }) as LiveDatasource;

test('names are counted, and unknown as soon as a refresh takes them away', () => {
  const asked = new LookupLog(['wolfi'], () => Date.UTC(2026, 0, 1));
  const first = snapshotOf('curl', 'gone');
  asked.note('wolfi', 'curl', { known: true, pinned: false }, first);
  asked.note('wolfi', 'curl', { known: true, pinned: false }, first);
  asked.note('wolfi', 'gone', { known: true, pinned: false }, first);
  asked.note('wolfi', 'never', { known: false, pinned: true }, first);
  expect(asked.list(live(first)).map(({ name, known }) => [name, known])).toEqual([
    ['curl', true],
    ['gone', true],
    ['never', false],
  ]);
  const lastAskedAt = '2026-01-01T00:00:00.000Z';
  expect(JSON.parse(asked.body(live(snapshotOf('curl', 'never'))).toString())).toEqual({
    datasource: 'wolfi',
    unknown: [{ name: 'gone', count: 1, lastAskedAt }],
    known: [
      { name: 'curl', count: 2, lastAskedAt },
      { name: 'never', count: 1, lastAskedAt },
    ],
  });
});

test('a name is known since a generation of the datasource, also if it was first asked in a view', () => {
  const asked = new LookupLog(['wolfi'], Date.now);
  const snapshot = snapshotOf('curl', 'jq');
  const view = { ...snapshot, generation: 'view', view: { base: snapshot } } as Snapshot;
  asked.note('wolfi', 'curl', { known: true, pinned: true }, snapshot);
  asked.note('wolfi', 'jq', { known: true, pinned: true }, view);
  expect(asked.list(live(snapshot)).map(({ firstIn }) => firstIn)).toEqual(['curl,jq', 'curl,jq']);
});

test('the least recently asked name is forgotten first', () => {
  const asked = new LookupLog(['wolfi'], Date.now, { max: 2 });
  const snapshot = snapshotOf('a', 'b', 'c');
  for (const name of ['a', 'b', 'a', 'c'])
    asked.note('wolfi', name, { known: true, pinned: false }, snapshot);
  expect(asked.list(live(snapshot)).map(({ name, count }) => [name, count])).toEqual([
    ['a', 2],
    ['c', 1],
  ]);
});

test('a name not asked for in a week is forgotten, so that a corrected pin no longer causes an alert', () => {
  let now = Date.UTC(2026, 0, 1);
  const asked = new LookupLog(['wolfi'], () => now);
  const snapshot = snapshotOf('curl');
  const listed = (): readonly string[] => asked.list(live(snapshot)).map(({ name }) => name);
  asked.note('wolfi', 'typo', { known: false, pinned: true }, snapshot);
  now += 7 * 86_400_000;
  asked.note('wolfi', 'curl', { known: true, pinned: true }, snapshot);
  expect(listed()).toEqual(['curl', 'typo']);
  expect(asked.body(live(snapshot)).toString()).toContain('typo');
  now += 1;
  expect(listed()).toEqual(['curl']);
  expect(asked.body(live(snapshot)).toString()).not.toContain('typo');
});

test('a name that is in no index is listed only if something suggests a pin', () => {
  const asked = new LookupLog(['wolfi'], Date.now);
  const first = snapshotOf('curl');
  for (const name of ['favicon.ico', 'health', '.env'])
    asked.note('wolfi', name, { known: false, pinned: false }, first);
  asked.note('wolfi', 'curl', { known: true, pinned: false }, first);
  const second = snapshotOf('other');
  asked.note('wolfi', 'curl', { known: false, pinned: false }, second);
  expect(asked.list(live(second)).map(({ name, count, known }) => [name, count, known])).toEqual([
    ['curl', 2, false],
  ]);
});
