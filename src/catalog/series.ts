/** Names that are series of one thing: `grafana-12.3`, `grafana-12.4`, `grafana-13.0`; `php-8.3-cli`, `php-8.4-cli`. */
import { compareVersions, parseVersion, type Version } from '../apk/version.ts';
import { countBefore } from '../sorted.ts';
import { eachInSteps, isStep, sortInSteps } from './steps.ts';

export interface SeriesName {
  readonly name: string;
  readonly series: Version;
}

/** All series among the given names. */
export class SeriesIndex {
  /** Newest first, by the common parts of their names. */
  readonly #series: ReadonlyMap<string, readonly SeriesName[]>;

  private constructor(series: ReadonlyMap<string, readonly SeriesName[]>) {
    this.#series = series;
  }

  static *of(names: Iterable<string>): Generator<undefined, SeriesIndex> {
    const series = new Map<string, SeriesName[]>();
    yield* eachInSteps(names, (name) => {
      const each = split(name);
      if (!each) return;
      const known = series.get(keyOf(each));
      if (known) known.push({ name, series: each.series });
      else series.set(keyOf(each), [{ name, series: each.series }]);
    });
    const sorted = new Map<string, readonly SeriesName[]>();
    let i = 0;
    for (const [key, each] of series) {
      if (isStep((i += 1))) yield;
      sorted.set(key, yield* sortInSteps(each, byNewest));
    }
    return new SeriesIndex(sorted);
  }

  /** Series of `name` itself (`etcd` → `etcd-3.6`), newest first. */
  of(name: string): readonly SeriesName[] {
    return this.#series.get(keyOf({ base: name, rest: '' })) ?? [];
  }

  /** Newer series of the same thing, newest first. */
  newerThan(name: string): readonly SeriesName[] {
    const own = split(name);
    if (!own) return [];
    const all = this.#series.get(keyOf(own)) ?? [];
    const isNewer = (i: number): boolean => compareVersions((all[i] as SeriesName).series, own.series) > 0;
    return all.slice(0, countBefore(all.length, isNewer));
  }
}

interface Split {
  readonly base: string;
  readonly series: Version;
  readonly rest: string;
}

function byNewest(a: SeriesName, b: SeriesName): number {
  return compareVersions(b.series, a.series) || (a.name < b.name ? -1 : 1);
}

function keyOf({ base, rest }: Pick<Split, 'base' | 'rest'>): string {
  return `${base}\n${rest}`;
}

/** `php-8.4-cli` → `php`, 8.4, `-cli`. */
function split(name: string): Split | undefined {
  const [, base, number, rest = ''] = /^(.+?)-(\d+(?:\.\d+)*)(-.+)?$/.exec(name) ?? [];
  const series = number === undefined ? undefined : parseVersion(number);
  return base === undefined || !series ? undefined : { base, series, rest };
}
