/**
 * A datasource in service: its indexes and their catalog. A changed index makes a new catalog, published by swapping
 * one reference. Readers finish with the catalog they have, so no answer mixes two generations.
 */
import { createHash } from 'node:crypto';
import { Catalog } from '../catalog/catalog.ts';
import type { LiveIndex } from './live-index.ts';

/** One generation of answers. */
export interface Snapshot {
  readonly catalog: Catalog;
  /** Changes with any index. Replicas with the same indexes have the same generation. */
  readonly generation: string;
}

export interface DatasourceOptions {
  readonly name: string;
  readonly indexes: readonly LiveIndex[];
  readonly unversionedProvides: boolean;
  readonly complete: boolean;
}

export class LiveDatasource {
  readonly name: string;
  readonly indexes: readonly LiveIndex[];
  readonly #unversionedProvides: boolean;
  readonly #complete: boolean;
  #snapshot: Snapshot | undefined;
  readonly #ready = Promise.withResolvers<void>();

  constructor({ name, indexes, unversionedProvides, complete }: DatasourceOptions) {
    this.name = name;
    this.indexes = indexes;
    this.#unversionedProvides = unversionedProvides;
    this.#complete = complete;
  }

  /** The current generation; `undefined` until every required index has been loaded once. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Required indexes that have not been loaded yet. */
  get missing(): readonly LiveIndex[] {
    return this.indexes.filter(({ spec, loaded }) => spec.required && !loaded);
  }

  /** The configured archs; for single index files, the archs found in them. */
  get archs(): readonly string[] {
    return [...new Set(this.indexes.flatMap(archOf))];
  }

  /** Makes a catalog of the current indexes. Call it after each change of one of them. */
  publish(): void {
    if (this.missing.length > 0) return;
    const loaded = this.indexes.flatMap((index) => {
      const arch = archOf(index)[0];
      return index.loaded && arch !== undefined ? [{ spec: index.spec, arch, ...index.loaded }] : [];
    });
    const sources = loaded.map(({ spec, arch, index, dates, summary, confirmedAt }) => ({
      repository: spec.repository,
      arch,
      packages: index.packages,
      changelog: spec.changelog,
      dates,
      // A build time in the future says nothing of what is there.
      withdrawal: spec.withdrawal && {
        policy: spec.withdrawal,
        asOf: Math.min(summary.newestBuiltAt || Infinity, confirmedAt / 1000),
      },
    }));
    const catalog = new Catalog({
      sources,
      archs: this.archs,
      unversionedProvides: this.#unversionedProvides,
      complete: this.#complete,
    });
    const identity = loaded.map(({ spec, arch, index }) => [spec.repository, arch, index.digest]);
    const generation = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 12);
    this.#snapshot = { catalog, generation };
    this.#ready.resolve();
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

/** One arch; none for a single index file that has not been read yet. */
function archOf({ spec, loaded }: LiveIndex): readonly string[] {
  const arch = spec.arch ?? (loaded && (loaded.index.arch ?? 'noarch'));
  return arch === undefined ? [] : [arch];
}
