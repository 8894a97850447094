import { expect, test } from 'vitest';
import { surveyCatalog, Surveyor, type Survey } from '../../src/metrics/survey.ts';
import type { LiveDatasource, Snapshot } from '../../src/repository/live-datasource.ts';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { catalog, catalogOf } from '../support/catalogs.ts';
import { pkg } from '../support/signed-index.ts';

function survey(of: Catalog): { result: Survey; steps: number } {
  const run = surveyCatalog(of);
  let steps = 0;
  for (let step = run.next(); ; step = run.next()) {
    if (step.done) return { result: step.value, steps };
    steps += 1;
  }
}

test('a version counts once, as offered or for the reason that withholds it', () => {
  const both = [
    pkg('curl', '1-r0', { D: 'so:libc.so.6' }),
    pkg('needy', '1-r0', { D: 'curl=9-r9' }),
    pkg('odd', 'one'),
  ];
  const of = catalogOf({
    x86_64: [[...both, pkg('curl', '2-r0')]],
    aarch64: [[...both, pkg('needy', '2-r0')]],
  });
  const { result, steps } = survey(of);
  expect(result).toEqual({
    namesWithoutRelease: 2,
    offered: 1,
    needingMore: 1,
    withheld: {
      'invalid-version': 1,
      'unversioned-provide': 0,
      'conflicting-provides': 0,
      'foreign-arch': 0,
      'unknown-field': 0,
      'broken-dependency': 0,
      'dependency-unmet': 1,
      'missing-on-arch': 2,
    },
  });
  expect(steps).toBe(3);
});

test('it agrees with the catalog on every version', () => {
  const of = catalogOf({
    x86_64: [[pkg('a', '1-r0'), pkg('b', '1-r0', { p: 'a=2-r0' }), pkg('c', '1-r0', { D: 'a=2-r0' })]],
    aarch64: [[pkg('a', '1-r0'), pkg('a', '2-r0'), pkg('c', '1-r0', { D: 'a=2-r0' })]],
  });
  const versions = [...of.names()].flatMap((name) => of.report(name).versions);
  const { result } = survey(of);
  expect(result.offered).toBe(versions.filter((version) => version.offered).length);
  const withheld = Object.values(result.withheld).reduce((sum, count) => sum + count, 0);
  expect(result.offered + withheld).toBe(versions.length);
});

const snapshotOf = (...names: readonly string[]): Snapshot => ({
  catalog: catalog(names.map((name) => pkg(name, '1-r0'))),
  generation: names.join(),
});
const going = new AbortController().signal;

/** A datasource with a snapshot that a test can change. */
function live(snapshot: Snapshot): LiveDatasource & { snapshot: Snapshot } {
  return { name: 'wolfi', snapshot } as unknown as LiveDatasource & { snapshot: Snapshot };
}

test('a request gets the last result and starts a survey of the present generation', async () => {
  const surveyor = new Surveyor(going);
  const wolfi = live(snapshotOf('a'));
  expect(surveyor.of(wolfi)).toBeUndefined();
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toMatchObject({ offered: 1 });
  wolfi.snapshot = snapshotOf('a', 'b');
  expect(surveyor.of(wolfi)).toMatchObject({ offered: 1 });
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toMatchObject({ offered: 2 });
});

test('a survey ends early if the generation is replaced', async () => {
  const surveyor = new Surveyor(going);
  const wolfi = live(snapshotOf('a'));
  surveyor.of(wolfi);
  wolfi.snapshot = snapshotOf('a', 'b');
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toBeUndefined();
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toMatchObject({ offered: 2 });
});

test('stopping ends a survey early, too', async () => {
  const surveyor = new Surveyor(AbortSignal.abort());
  const wolfi = live(snapshotOf('a'));
  surveyor.of(wolfi);
  await surveyor.idle();
  expect(surveyor.of(wolfi)).toBeUndefined();
});
