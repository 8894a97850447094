/** How many versions a whole catalog offers and withholds, and why: counted for the metrics, once someone asks. */
import { isStep } from '../catalog/steps.ts';
import type { Needs } from '../catalog/needs.ts';
import type { Catalog, NameReport, VersionReport, WithheldReason } from '../catalog/catalog.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { createPause, createQueue, leisurely } from '../repository/pace.ts';

export interface Survey {
  /** Package names; what packages provide is not counted again. */
  readonly names: number;
  /** Those of them without a single release. */
  readonly namesWithoutRelease: number;
  readonly offered: number;
  /** Those of them that need something that nothing in the datasource meets, such as a base repository's packages. */
  readonly needingMore: number;
  /** Versions that are in an index and not offered. Each counts for one reason. */
  readonly withheld: Readonly<Record<WithheldReason, number>>;
}

/** Surveys in steps, at most a name each, so that the caller can do other things in between or give up. */
export function* surveyCatalog(catalog: Catalog): Generator<undefined, Survey> {
  const withheld: Record<WithheldReason, number> = {
    'invalid-version': 0,
    'unversioned-provide': 0,
    'conflicting-provides': 0,
    'foreign-arch': 0,
    'unknown-field': 0,
    'broken-dependency': 0,
    'dependency-unmet': 0,
    'missing-on-arch': 0,
  };
  let names = 0;
  let namesWithoutRelease = 0;
  let offered = 0;
  let needingMore = 0;
  let needs = catalog.needs();
  for (const name of catalog.names()) {
    const report = yield* catalog.reportUnlessCrowded(name);
    if (!report) continue;
    needs = catalog.needs(needs);
    let released = 0;
    for (const [i, version] of report.versions.entries()) {
      if (isStep(i)) yield;
      if (!version.offered) withheld[withheldReason(version, report)] += 1;
      else {
        released += 1;
        if (yield* needsMore(version, needs)) needingMore += 1;
      }
    }
    names += 1;
    offered += released;
    if (released === 0) namesWithoutRelease += 1;
    yield;
  }
  return { names, namesWithoutRelease, offered, needingMore, withheld };
}

function* needsMore({ chosenOn }: VersionReport, needs: Needs): Generator<undefined, boolean> {
  for (const each of chosenOn) if ((yield* needs.missing(each)).length > 0) return true;
  return false;
}

/** What stands against the version where it is missed, or simply that it is missing there. */
function withheldReason({ candidates, missingOn }: VersionReport, { carriedBy }: NameReport): WithheldReason {
  const refused = candidates.find(
    ({ arch, obstacle }) => obstacle && (carriedBy.length === 0 || missingOn.includes(arch)),
  );
  return refused?.obstacle?.reason ?? 'missing-on-arch';
}

/**
 * Surveys the latest generation in the background and a little at a time; where nobody asks, there is nothing to do.
 */
export class Surveyor {
  readonly #signal: AbortSignal;
  readonly #onError: (datasource: string, error: unknown) => void;
  readonly #surveys = new Map<string, Survey>();
  /** By datasource, the snapshot that was surveyed last or is to be. Weak: it must not outlive its use. */
  readonly #begun = new Map<string, WeakRef<Snapshot>>();
  readonly #pause = createPause(leisurely);
  readonly #oneAtATime = createQueue();
  #latest: Promise<void> = Promise.resolve();

  /** Stops when `signal` aborts. `onError` is told of a survey that failed. */
  constructor(signal: AbortSignal, onError: (datasource: string, error: unknown) => void = () => undefined) {
    this.#signal = signal;
    this.#onError = onError;
  }

  /** What was found last; if that was another generation, the present one is surveyed from now on. */
  of(datasource: LiveDatasource): Survey | undefined {
    const { name, snapshot } = datasource;
    if (snapshot && this.#begun.get(name)?.deref() !== snapshot) {
      this.#begun.set(name, new WeakRef(snapshot));
      this.#latest = this.#oneAtATime(() => this.#run(datasource, snapshot)).catch((error: unknown) =>
        this.#onError(name, error),
      );
    }
    return this.#surveys.get(name);
  }

  /** Resolves when nothing is left to survey. */
  async idle(): Promise<void> {
    await this.#latest;
  }

  /** To its end, unless the snapshot is superseded before. */
  async #run(datasource: LiveDatasource, snapshot: Snapshot): Promise<void> {
    const steps = surveyCatalog(snapshot.catalog);
    while (datasource.snapshot === snapshot && !this.#signal.aborted) {
      const step = steps.next();
      if (step.done) {
        this.#surveys.set(datasource.name, step.value);
        return;
      }
      await this.#pause();
    }
  }
}
