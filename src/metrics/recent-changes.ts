/** The latest changes of each datasource by refreshes, for the pages. */
import type { IndexChange } from '../catalog/diff.ts';

interface RecentChange extends IndexChange {
  /** The index, without secrets. */
  readonly index: string;
  /** Unix milliseconds. */
  readonly at: number;
}

const MAX_CHANGES = 20;

export class RecentChanges {
  readonly #changes = new Map<string, readonly RecentChange[]>();

  note(datasource: string, change: RecentChange): void {
    this.#changes.set(datasource, [change, ...this.of(datasource)].slice(0, MAX_CHANGES));
  }

  /** Latest first. */
  of(datasource: string): readonly RecentChange[] {
    return this.#changes.get(datasource) ?? [];
  }
}
