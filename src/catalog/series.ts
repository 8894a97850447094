/** Names that are series of one thing: `grafana-12.3`, `grafana-12.4`, `grafana-13.0`; `php-8.3-cli`, `php-8.4-cli`. */
import { compareVersions, parseVersion, type Version } from '../apk/version.ts';
import { eachInSteps, sortInSteps } from './steps.ts';

export interface SeriesName {
  readonly name: string;
  readonly series: Version;
}

type Series = Generator<undefined, readonly SeriesName[]>;

/** Series of `name` itself (`etcd` → `etcd-3.6`), newest first. */
export function seriesOf(name: string, names: Iterable<string>): Series {
  return members(names, (each) => each.base === name && each.rest === '');
}

/** Series of the same thing that are newer than that of `name`, newest first. */
export function* newerSeries(name: string, names: Iterable<string>): Series {
  const own = split(name);
  if (!own) return [];
  return yield* members(
    names,
    (each) =>
      each.base === own.base && each.rest === own.rest && compareVersions(each.series, own.series) > 0,
  );
}

interface Split {
  readonly base: string;
  readonly series: Version;
  readonly rest: string;
}

function* members(names: Iterable<string>, belongs: (each: Split) => boolean): Series {
  const found: SeriesName[] = [];
  yield* eachInSteps(names, (name) => {
    const each = split(name);
    if (each && belongs(each)) found.push({ name, series: each.series });
  });
  return yield* sortInSteps(
    found,
    (a, b) => compareVersions(b.series, a.series) || (a.name < b.name ? -1 : 1),
  );
}

/** `php-8.4-cli` → `php`, 8.4, `-cli`. */
function split(name: string): Split | undefined {
  const [, base, number, rest = ''] = /^(.+?)-(\d+(?:\.\d+)*)(-.+)?$/.exec(name) ?? [];
  const series = number === undefined ? undefined : parseVersion(number);
  return base === undefined || !series ? undefined : { base, series, rest };
}
