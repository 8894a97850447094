/**
 * A datasource in service: its indexes and their catalog. A changed index makes a new catalog, published by swapping
 * one reference. Readers finish with the catalog they have, so no answer mixes two generations.
 */
import { createHash } from 'node:crypto';
import { Advisories } from '../advisories/advisories.ts';
import type { VerifiedIndex } from '../apk/read-index.ts';
import type { Age } from '../catalog/age.ts';
import { Catalog } from '../catalog/catalog.ts';
import type { LiveFeed } from './live-feed.ts';
import type { IndexSpec, LiveIndex, LoadedIndex } from './live-index.ts';

/** One generation of answers. */
export interface Snapshot {
  readonly catalog: Catalog;
  /** The advisories of all feeds; `undefined` if none is configured. */
  readonly advisories?: Advisories | undefined;
  /** Changes with any index, feed or rule of the datasource. Replicas with the same have the same generation. */
  readonly generation: string;
  /** Set for a datasource with an age. */
  readonly view?: View;
  /** Set for a datasource at a past time. */
  readonly past?: Past;
  /** Where the sources of the catalog come from, in their order. */
  readonly origins?: readonly Origin[] | undefined;
}

export interface Origin {
  readonly index: LiveIndex;
  readonly format: VerifiedIndex['format'];
  /** The digest of the index in the snapshot. */
  readonly digest: string;
}

/** A datasource at a past time. Times are in unix milliseconds. */
export interface Past {
  /** The time of the last change before. */
  readonly from: number;
  readonly indexes: readonly PastIndex[];
}

/** One of its indexes. */
export interface PastIndex {
  readonly spec: IndexSpec;
  readonly arch: string | undefined;
  readonly digest: string;
  /** The key that signed it when it was taken. */
  readonly signer: string | undefined;
  readonly takenAt: number;
  readonly packages: number;
  readonly names: number;
}

/** An index for a catalog. */
export type Part = Pick<LoadedIndex, 'index' | 'dates' | 'summary' | 'confirmedAt'> & {
  readonly live: LiveIndex;
};

/** A view: what its age hides. Times are in unix seconds. */
export interface View {
  /** The snapshot without an age. */
  readonly base: Snapshot;
  readonly age: Age;
  /** Packages released later are hidden. */
  readonly limit: number;
  /** The number of hidden packages, counted for each arch and repository. */
  readonly hidden: number;
  /** The number of younger packages that are shown because they are fixes, counted the same way. */
  readonly early: number;
  /** The hidden packages of unknown age. */
  readonly undated: number;
  /** When the last package became old enough; `-Infinity` for none. */
  readonly since: number;
  /** When the next package is old enough; `Infinity` for none. */
  readonly until: number;
}

export interface DatasourceOptions {
  readonly name: string;
  readonly indexes: readonly LiveIndex[];
  readonly feeds?: readonly LiveFeed[];
  readonly unversionedProvides: boolean;
  readonly complete: boolean;
}

export class LiveDatasource {
  readonly name: string;
  readonly indexes: readonly LiveIndex[];
  readonly feeds: readonly LiveFeed[];
  readonly #unversionedProvides: boolean;
  readonly #complete: boolean;
  #snapshot: Snapshot | undefined;
  readonly #ready = Promise.withResolvers<void>();

  constructor({ name, indexes, feeds = [], unversionedProvides, complete }: DatasourceOptions) {
    this.name = name;
    this.indexes = indexes;
    this.feeds = feeds;
    this.#unversionedProvides = unversionedProvides;
    this.#complete = complete;
  }

  /** The current generation; `undefined` until every required index and every feed has been loaded once. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Required indexes that have not been loaded yet. */
  get missing(): readonly LiveIndex[] {
    return this.indexes.filter(({ spec, loaded }) => spec.required && !loaded);
  }

  /**
   * Feeds that were never loaded: without them answers would lack marks, and Renovate would close security updates.
   */
  get missingFeeds(): readonly LiveFeed[] {
    return this.feeds.filter(({ loaded }) => !loaded);
  }

  /** A required index or a feed that could not be refreshed and was last confirmed before `time` (unix milliseconds). */
  outdated(time: number): LiveIndex | LiveFeed | undefined {
    const required = this.indexes.filter(({ spec }) => spec.required);
    return [...this.feeds, ...required].find(
      ({ failure, loaded }) => failure && (loaded?.confirmedAt ?? 0) < time,
    );
  }

  /** The configured archs; for single index files, those found in them; `noarch` if none of these names any. */
  get archs(): readonly string[] {
    const archs = [...new Set(this.indexes.flatMap((index) => ownArch(index) ?? []))];
    return archs.length === 0 && this.indexes.some(({ loaded }) => loaded) ? ['noarch'] : archs;
  }

  /** Makes a catalog of the current indexes and feeds. Call it after each change of one of them. */
  publish(): void {
    if (this.missing.length > 0 || this.missingFeeds.length > 0) return;
    const parts = this.indexes.flatMap((live) => (live.loaded ? [{ live, ...live.loaded }] : []));
    const { catalog, identity, origins } = this.compose(parts);
    const feeds = this.feeds.flatMap(({ loaded: known }) => known?.feed ?? []);
    for (const { digest } of feeds) identity.push(['advisories', '', digest]);
    const generation = generationOf(identity);
    this.#snapshot = {
      catalog,
      generation,
      advisories: feeds.length > 0 ? new Advisories(feeds) : undefined,
      origins,
    };
    this.#ready.resolve();
  }

  /** A catalog of these indexes, its identity, and the origins of its sources. */
  compose(parts: readonly Part[]): {
    readonly catalog: Catalog;
    readonly identity: unknown[][];
    readonly origins: readonly Origin[];
  } {
    const { archs } = this;
    const all = parts.flatMap((part) => {
      const { spec } = part.live;
      const arch = spec.arch ?? part.index.arch;
      // A file whose packages are all `noarch` counts for every arch, such as a feed of an OpenWrt device.
      return (arch === undefined ? archs : [arch]).map((each) => ({ ...part, spec, arch: each }));
    });
    const sources = all.map(({ spec, arch, index, dates, summary, confirmedAt }) => ({
      repository: spec.repository,
      arch,
      packages: index.packages,
      changelog: spec.changelog,
      dates,
      undated: index.newestBuiltAt === 0,
      // Build times in the future are ignored.
      withdrawal: spec.withdrawal && {
        policy: spec.withdrawal,
        asOf: Math.min(summary.newestBuiltAt || Infinity, confirmedAt / 1000),
      },
    }));
    const catalog = new Catalog({
      sources,
      archs,
      unversionedProvides: this.#unversionedProvides,
      complete: this.#complete,
    });
    const identity: unknown[][] = all.map(({ spec, arch, index }) => [spec.repository, arch, index.digest]);
    const rules = [this.#unversionedProvides, this.#complete];
    if (rules.includes(true)) identity.push(rules);
    const origins = all.map(({ live, index: { format, digest } }) => ({ index: live, format, digest }));
    return { catalog, identity, origins };
  }

  /** Resolves with the first generation, or `undefined` if `signal` aborts earlier. */
  async whenReady(signal: AbortSignal): Promise<Snapshot | undefined> {
    if (this.#snapshot || signal.aborted) return this.#snapshot;
    const aborted = Promise.withResolvers<void>();
    const giveUp = (): void => aborted.resolve();
    signal.addEventListener('abort', giveUp, { once: true });
    await Promise.race([this.#ready.promise, aborted.promise]);
    signal.removeEventListener('abort', giveUp);
    return this.#snapshot;
  }
}

/** The hash of a catalog's identity. */
export function generationOf(identity: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 12);
}

/** `undefined` for a single index file that was not read yet, or does not name any. */
function ownArch({ spec, loaded }: LiveIndex): string | undefined {
  return spec.arch ?? loaded?.index.arch;
}
