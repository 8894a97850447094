/**
 * A datasource at work: its indexes, and the catalog made of them. A changed index makes a new catalog, and swapping
 * one reference publishes it; who holds the old one finishes with it, so no answer mixes two generations.
 */
import { createHash } from 'node:crypto';
import { Catalog } from '../catalog/catalog.ts';
import type { LiveIndex } from './live-index.ts';

/** One generation of answers. */
export interface Snapshot {
  readonly catalog: Catalog;
  /** The same for the same indexes, whichever replica made it; changes with any of them. */
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

  /** The current generation; `undefined` until every required index has been there once. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Required indexes that were never there. */
  get missing(): readonly LiveIndex[] {
    return this.indexes.filter(({ spec, loaded }) => spec.required && !loaded);
  }

  /** The archs asked for and, of single index files, those found in them. */
  get archs(): readonly string[] {
    return [...new Set(this.indexes.flatMap(archOf))];
  }

  /** Makes a catalog of the indexes as they are now. Call it whenever one of them has changed. */
  publish(): void {
    if (this.missing.length > 0) return;
    const loaded = this.indexes.flatMap((index) => {
      const arch = archOf(index)[0];
      return index.loaded && arch !== undefined ? [{ spec: index.spec, arch, ...index.loaded }] : [];
    });
    const sources = loaded.map(({ spec, arch, index, dates }) => ({
      repository: spec.repository,
      arch,
      packages: index.packages,
      changelog: spec.changelog,
      dates,
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

  /** The first generation as soon as it is there, or `undefined` when `signal` aborts before. */
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

/** One arch; none for a single index file that was not read yet. */
function archOf({ spec, loaded }: LiveIndex): readonly string[] {
  const arch = spec.arch ?? (loaded && (loaded.index.arch ?? 'noarch'));
  return arch === undefined ? [] : [arch];
}
