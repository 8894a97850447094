/** Surveys every generation in the background, for the metrics: a little at a time, and only the latest to its end. */
import { surveyCatalog, type Survey } from './catalog/survey.ts';
import type { LiveDatasource } from './repository/live-datasource.ts';
import { createPause, createQueue, leisurely } from './repository/pace.ts';

export class Surveyor {
  readonly #surveys = new Map<string, Survey>();
  readonly #pause = createPause(leisurely);
  readonly #oneAtATime = createQueue();
  #latest: Promise<void> = Promise.resolve();

  /** The latest generation that was surveyed; `undefined` before the first was. */
  of(datasource: string): Survey | undefined {
    return this.#surveys.get(datasource);
  }

  /** Surveys what is published now. Resolves when that is done, superseded, or `signal` aborts. */
  async survey(datasource: LiveDatasource, signal: AbortSignal): Promise<void> {
    const { snapshot } = datasource;
    if (!snapshot) return;
    this.#latest = this.#oneAtATime(() => this.#run(datasource, snapshot, signal));
    await this.#latest;
  }

  /** Resolves when nothing is left to survey. */
  async idle(): Promise<void> {
    await this.#latest;
  }

  async #run(
    datasource: LiveDatasource,
    snapshot: NonNullable<LiveDatasource['snapshot']>,
    signal: AbortSignal,
  ): Promise<void> {
    const steps = surveyCatalog(snapshot.catalog);
    while (datasource.snapshot === snapshot && !signal.aborted) {
      const step = steps.next();
      if (step.done) {
        this.#surveys.set(datasource.name, step.value);
        return;
      }
      await this.#pause();
    }
  }
}
