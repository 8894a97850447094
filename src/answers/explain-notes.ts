/** Notes about a name beyond its versions, as text. */
import type { Package, Packages } from '../apk/packages.ts';
import { ageInWords } from '../catalog/age.ts';
import type { Catalog, CatalogSource, NameReport } from '../catalog/catalog.ts';
import { SeriesIndex, type SeriesName } from '../catalog/series.ts';
import {
  eachInSteps,
  filterInSteps,
  findInSteps,
  findLastInSteps,
  isStep,
  Shared,
  sortInSteps,
} from '../catalog/steps.ts';
import { dateOf } from '../catalog/time.ts';
import { compareTexts, countBefore } from '../sorted.ts';
import type { YoungerVersion } from './explain.ts';
import type { HeldBack } from './held-back.ts';

export function noteOnYounger(younger: readonly YoungerVersion[], { view }: HeldBack): string {
  const [next] = younger;
  const count = younger.length === 1 ? '1 version is' : `${younger.length} versions are`;
  const from =
    next?.visibleFrom === undefined
      ? 'none of them has a date'
      : `the next is ${next.version}, from ${next.visibleFrom.slice(0, 16)}Z`;
  return `${count} not known to be ${ageInWords(view.age)} old; ${from}`;
}

/** Younger versions that are shown nevertheless (decision 19). */
export function* noteOnEarly(
  { versions }: NameReport,
  { view }: HeldBack,
): Generator<undefined, readonly string[]> {
  const early = yield* filterInSteps(
    versions,
    ({ offered, releasedAt = Infinity }) => offered && releasedAt > view.limit,
  );
  const [first] = early;
  if (!first) return [];
  const others = early.length === 1 ? '' : ` and ${early.length - 1} more`;
  return [
    `${first.version}${others} did not wait ${ageInWords(view.age)}: as a fix, or because a fix needs it`,
  ];
}

const DAY = 86_400;
/** Days without a build, while related names are built, after which a name counts as stopped. */
const STOPPED_AFTER = 60;

/** Newer series than that of a name, newest first, and when the newest was last built. */
interface NextSeries {
  readonly series: readonly [SeriesName, ...SeriesName[]];
  /** Unix seconds; 0 if unknown. */
  readonly builtAt: number;
}

export function* nextSeries(name: string, catalog: Catalog): Generator<undefined, NextSeries | undefined> {
  const [first, ...others] = (yield* seriesIndexes.of(catalog)).newerThan(name);
  if (!first) return undefined;
  const report = yield* catalog.reportUnlessCrowded(first.name);
  const builtAt = report ? yield* newestBuild(report) : 0;
  return { series: [first, ...others], builtAt };
}

/** Newer series, names that are now series or only provided, and names that are no longer built. */
export function* notesOn(
  report: NameReport,
  catalog: Catalog,
  next: NextSeries | undefined,
  served: readonly string[],
): Generator<undefined, readonly string[]> {
  if (report.versions.length === 0) return yield* notesOnUnknown(report.name, catalog, served);
  const notes = [
    yield* noteOnProviders(report),
    yield* noteOnDates(report, catalog),
    next && (yield* noteOnSeries(report, next)),
    yield* quietBeside(report, catalog),
  ];
  return notes.filter((note) => note !== undefined);
}

function* notesOnUnknown(
  name: string,
  catalog: Catalog,
  [last]: readonly string[],
): Generator<undefined, readonly string[]> {
  const series = (yield* seriesIndexes.of(catalog)).of(name).slice(0, 3);
  return [
    ...(last === undefined ? [] : [`the name is no longer in the repositories; ${last} was served before`]),
    ...(series.length === 0 ? [] : [`no package ${name}; its series are ${namesOf(series)}`]),
  ];
}

function* noteOnProviders({ versions }: NameReport): Generator<undefined, string | undefined> {
  const own = yield* findInSteps(versions, ({ candidates }) => candidates.some(({ provided }) => !provided));
  if (own) {
    const newest = yield* findLastInSteps(versions, ({ offered }) => offered);
    return newest?.chosen.provided
      ? `its newest release is ${newest.version}, which ${newest.chosen.package.name} provides`
      : undefined;
  }
  const providers = new Set<string>();
  yield* eachInSteps(versions.toReversed(), ({ candidates }) => {
    for (const each of candidates.toReversed()) providers.add(each.package.name);
  });
  return `no package of its own; provided by ${listed([...providers])}`;
}

function* noteOnDates(
  { versions }: NameReport,
  { sources }: Catalog,
): Generator<undefined, string | undefined> {
  const dated = yield* findInSteps(versions, ({ candidates }) =>
    candidates.some(({ source }) => !sources[source]?.undated),
  );
  return dated
    ? undefined
    : 'no build times in the index: a release is dated from when it was first seen here';
}

function* noteOnSeries(report: NameReport, { series, builtAt }: NextSeries): Generator<undefined, string> {
  const lastBuilt = yield* newestBuild(report);
  const days = Math.floor((builtAt - lastBuilt) / DAY);
  const stopped =
    lastBuilt > 0 && days >= STOPPED_AFTER
      ? `; this one was last built on ${dateOf(lastBuilt)}, ${days} days before ${series[0].name}`
      : '';
  return `newer series: ${namesOf(series.slice(0, 3))}${stopped}`;
}

const seriesIndexes = new Shared((catalog: Catalog) => SeriesIndex.of(catalog.names()));

/** A name that is no longer built while others of its origin are: the recipe no longer makes it. */
function* quietBeside({ versions }: NameReport, catalog: Catalog): Generator<undefined, string | undefined> {
  const newest = yield* findLastInSteps(versions, ({ chosen }) => !chosen.provided);
  const own = newest?.chosen;
  const { name, origin, builtAt } = own?.package ?? {};
  if (!own || !origin || builtAt === undefined) return undefined;
  const { packages } = catalog.sources[own.source] as CatalogSource;
  let latest: Package | undefined;
  let count = 0;
  for (const sibling of [origin, ...(yield* namesStartingWith(`${origin}-`, packages))]) {
    if (isStep((count += 1))) yield;
    if (sibling === name) continue;
    for (const each of packages.named(sibling)) {
      if (isStep((count += 1))) yield;
      if (each.origin === origin && (each.builtAt ?? 0) > (latest?.builtAt ?? 0)) latest = each;
    }
  }
  const days = Math.floor(((latest?.builtAt ?? 0) - builtAt) / DAY);
  if (!latest || days < STOPPED_AFTER) return undefined;
  return `last built on ${dateOf(builtAt)}, ${days} days before ${latest.name}-${latest.version} of the same origin`;
}

const sortedNames = new Shared(sortNames);

function* namesStartingWith(prefix: string, packages: Packages): Generator<undefined, readonly string[]> {
  const names = yield* sortedNames.of(packages);
  const start = countBefore(names.length, (i) => (names[i] as string) < prefix);
  let end = start;
  while (names[end]?.startsWith(prefix)) end += 1;
  return names.slice(start, end);
}

function* sortNames(packages: Packages): Generator<undefined, readonly string[]> {
  const names: string[] = [];
  yield* eachInSteps(packages.names(), (name) => {
    names.push(name);
  });
  return yield* sortInSteps(names, compareTexts);
}

/** The build time of the newest build, in unix seconds; 0 if unknown. */
export function* newestBuild({ versions }: NameReport): Generator<undefined, number> {
  let newest = 0;
  yield* eachInSteps(versions, ({ builtAt = 0 }) => {
    newest = Math.max(newest, builtAt);
  });
  return newest;
}

function namesOf(series: readonly SeriesName[]): string {
  return listed(series.map(({ name }) => name));
}

function listed(texts: readonly string[]): string {
  return texts.length > 3 ? `${texts.slice(0, 3).join(', ')} and ${texts.length - 3} more` : texts.join(', ');
}
