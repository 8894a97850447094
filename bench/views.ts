/**
 * What a view of a datasource costs (docs/decisions/017): the indexes of FOLDER for both archs, with ages that hide few
 * and many packages. Time is until the view can answer, and the longest that others wait meanwhile; memory is what is
 * kept besides the indexes. Then the same lookups of the datasource and of its views, each for the first time. With a feed
 * of advisories, the views are those in which fixes do not wait.
 *
 *     node --expose-gc bench/views.ts FOLDER [SECDB]
 */
import { IndexScanner } from '../src/apk/index-scanner.ts';
import { defaultReadLimits } from '../src/apk/read-index.ts';
import { Views } from '../src/answers/views.ts';
import { Lookups } from '../src/answers/lookup.ts';
import { parseLookupQuery } from '../src/answers/query.ts';
import { ServedVersions } from '../src/answers/served-versions.ts';
import { Advisories } from '../src/advisories/advisories.ts';
import { nameWith, type Age } from '../src/catalog/age.ts';
import { Catalog } from '../src/catalog/catalog.ts';
import type { Snapshot } from '../src/repository/live-datasource.ts';
import { readFileSync } from 'node:fs';
import { read } from '../test/advisories/support.ts';
import { realText } from './indexes.ts';

const ROUNDS = 15;
/** Memory is measured of so many at once. */
const KEPT = 20;
const DAY = 86_400;
const archs = ['x86_64', 'aarch64'] as const;
const [folder, feed] = process.argv.slice(2);
if (folder === undefined || !globalThis.gc)
  throw new Error('usage: node --expose-gc bench/views.ts FOLDER [SECDB]');

const sources = archs.map((arch) => {
  const scanner = new IndexScanner({ ...defaultReadLimits, arch });
  for (const piece of realText(folder, arch)) scanner.push(piece);
  return { repository: 'wolfi', arch, packages: scanner.end().packages };
});
const newest = Math.max(
  ...sources.map(({ packages }) => packages.buildTimes.reduce((a, b) => Math.max(a, b), 0)),
);
const base: Snapshot = {
  catalog: new Catalog({ sources, archs }),
  generation: 'base',
  ...(feed !== undefined && { advisories: new Advisories([await read(readFileSync(feed))]) }),
};
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

function make(age: Age): { readonly snapshot: Snapshot; readonly ms: number; readonly longest: number } {
  const steps = new Views(() => newest * 1000).of(base, age);
  let [ms, longest] = [0, 0];
  for (;;) {
    const began = performance.now();
    const step = steps.next();
    const took = performance.now() - began;
    ms += took;
    longest = Math.max(longest, took);
    if (step.done) return { snapshot: step.value, ms, longest };
  }
}

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Microseconds for each lookup, each name once. */
function lookUp(snapshot: Snapshot, names: readonly string[]): number {
  const lookups = new Lookups(new ServedVersions(undefined));
  const query = parseLookupQuery({}, archs);
  const began = performance.now();
  for (const name of names) lookups.answer({ datasource: 'wolfi', snapshot, name, query });
  return ((performance.now() - began) * 1000) / names.length;
}

const names = [...base.catalog.names()].filter((_, i) => i % 10 === 0);
lookUp(base, names);
const fresh = (): Snapshot => ({ ...base, catalog: base.catalog.withSources(base.catalog.sources) });
const plain = median(Array.from({ length: 5 }, () => lookUp(fresh(), names)));
process.stdout.write(
  `${base.catalog.packageCount} package entries; a lookup takes ${plain.toFixed(0)} us (mean of ${names.length} names, each asked once)\n`,
);
/** Kept to the end: what is given back late would be counted for the next. */
const all: Snapshot[] = [];
for (const days of [7, 30, 124, 200, 365]) {
  const age = { seconds: days * DAY, security: feed !== undefined };
  const rounds = Array.from({ length: ROUNDS }, () => make(age));
  memory();
  const before = memory();
  const kept = Array.from({ length: KEPT }, () => make(age).snapshot);
  all.push(...kept);
  const bytes = (memory() - before) / KEPT;
  const looked = median(Array.from({ length: 5 }, () => lookUp(make(age).snapshot, names)));
  process.stdout.write(
    `${nameWith('wolfi', { age })}: hides ${kept[0]?.view?.hidden}, made in ${median(rounds.map(({ ms }) => ms)).toFixed(1)} ms ` +
      `(steps of at most ${median(rounds.map(({ longest }) => longest)).toFixed(2)} ms, median of ${ROUNDS}), ` +
      `keeps ${(bytes / 1e6).toFixed(2)} MB; a lookup takes ${looked.toFixed(0)} us\n`,
  );
}
