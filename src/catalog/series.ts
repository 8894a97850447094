/** Names that are series of one thing: `grafana-12.3`, `grafana-12.4`, `grafana-13.0`; `php-8.3-cli`, `php-8.4-cli`. */
import { compareVersions, parseVersion, type Version } from '../apk/version.ts';

export interface SeriesName {
  readonly name: string;
  readonly series: Version;
}

/** All series among the given names. */
export class SeriesIndex {
  /** Newest first, by the common parts of their names. */
  readonly #series = new Map<string, SeriesName[]>();

  constructor(names: Iterable<string>) {
    for (const name of names) {
      const each = split(name);
      if (!each) continue;
      const known = this.#series.get(keyOf(each));
      if (known) known.push({ name, series: each.series });
      else this.#series.set(keyOf(each), [{ name, series: each.series }]);
    }
    for (const each of this.#series.values())
      each.sort((a, b) => compareVersions(b.series, a.series) || (a.name < b.name ? -1 : 1));
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
    return all.filter(({ series }) => compareVersions(series, own.series) > 0);
  }
}

interface Split {
  readonly base: string;
  readonly series: Version;
  readonly rest: string;
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
