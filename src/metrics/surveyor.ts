/**
 * Surveys the latest generation for the metrics: once someone asks for it, in the background and a little at a time.
 * Where nobody does, there is nothing to do.
 */
import { surveyCatalog, type Survey } from './survey.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { createPause, createQueue, leisurely } from '../repository/pace.ts';

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
