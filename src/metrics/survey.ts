/**
 * Counts the offered and withheld versions of a whole catalog, by reason. Started when metrics are requested.
 */
import { isStep } from '../catalog/steps.ts';
import type { Needs } from '../catalog/needs.ts';
import type { Catalog, NameReport, VersionReport, WithheldReason } from '../catalog/catalog.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { background, createPause, createQueue } from '../repository/pace.ts';

export interface Survey {
  /** Package names without any release; what packages provide is not counted again. */
  readonly namesWithoutRelease: number;
  readonly offered: number;
  /**
   * Offered versions with a dependency that nothing in the datasource meets, such as a package of a base repository.
   */
  readonly needingMore: number;
  /** Versions that are in an index and not offered. Each counts for one reason. */
  readonly withheld: Readonly<Record<WithheldReason, number>>;
}

/** Counts in steps of at most one name, so that the caller can do other work or stop. */
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
    offered += released;
    if (released === 0) namesWithoutRelease += 1;
    yield;
  }
  return { namesWithoutRelease, offered, needingMore, withheld };
}

function* needsMore({ chosenOn }: VersionReport, needs: Needs): Generator<undefined, boolean> {
  for (const each of chosenOn) if ((yield* needs.missing(each)).length > 0) return true;
  return false;
}

/** The obstacle on an arch that lacks the version, or else that it is missing there. */
function withheldReason({ candidates, missingOn }: VersionReport, { carriedBy }: NameReport): WithheldReason {
  const refused = candidates.find(
    ({ arch, obstacle }) => obstacle && (carriedBy.length === 0 || missingOn.includes(arch)),
  );
  return refused?.obstacle?.reason ?? 'missing-on-arch';
}

/** Surveys the latest generation in the background, in small steps, and only on request. */
export class Surveyor {
  readonly #signal: AbortSignal;
  readonly #onError: (datasource: string, error: unknown) => void;
  readonly #surveys = new Map<string, Survey>();
  /** By datasource, the snapshot of the last or next survey. Weak, so that it does not stay in memory. */
  readonly #begun = new Map<string, WeakRef<Snapshot>>();
  readonly #pause = createPause(background);
  readonly #oneAtATime = createQueue();
  #latest: Promise<void> = Promise.resolve();

  /** Stops when `signal` aborts. `onError` is called if a survey fails. */
  constructor(signal: AbortSignal, onError: (datasource: string, error: unknown) => void = () => undefined) {
    this.#signal = signal;
    this.#onError = onError;
  }

  /** The last result; if it is of another generation, a survey of the current one starts. */
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

  /** Stops early if the snapshot is replaced. */
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
