/** The snapshot that an address of a datasource refers to: the current one, a view, or that of a past time. */
import { QueryError } from '../answers/query.ts';
import type { DatasourceRef } from '../answers/target.ts';
import { Views } from '../answers/views.ts';
import { nameWith, type When } from '../catalog/age.ts';
import { timeText } from '../catalog/time.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { createQueue, type Queue } from '../repository/pace.ts';
import type { PastDatasources } from '../repository/past-datasources.ts';
import { tooManyAges, LongLookups } from './long-lookups.ts';

/**
 * How many views with fixes, and how many searches, indexes and lists of packages of views or past times, may be queued:
 * anyone may request any age.
 */
const MAX_VIEWS_WAITING = 8;

export interface SnapshotOptions {
  /** Datasources at past times. */
  readonly pasts: PastDatasources;
  readonly now: () => number;
  /** Milliseconds a lookup waits for the first index. */
  readonly hold: number;
  /** Aborts when the service begins to stop. */
  readonly stopping: AbortSignal;
}

export class Snapshots {
  readonly #options: SnapshotOptions;
  readonly #longLookups: LongLookups;
  /** For views with fixes, which take half a second each. */
  readonly #slowViews = new LongLookups(MAX_VIEWS_WAITING);
  readonly #views: Views;
  /** For slow work on views, which may take seconds and megabytes. */
  readonly #oneViewAtATime = createQueue();
  #viewsWaiting = 0;

  constructor(options: SnapshotOptions, longLookups: LongLookups) {
    this.#options = options;
    this.#longLookups = longLookups;
    this.#views = new Views(options.now);
  }

  /** The snapshot of the datasource, or that of its view or past time if it is cached and still valid. */
  loaded({ live, when }: DatasourceRef): Snapshot | undefined {
    const { snapshot } = live;
    if (!when || !snapshot) return snapshot;
    return 'at' in when ? this.#options.pasts.known(live, when.at) : this.#views.known(snapshot, when.age);
  }

  /** The same, made if necessary. Waits for the first snapshot. */
  of(asked: DatasourceRef): Snapshot | undefined | Promise<Snapshot | undefined> {
    const { live } = asked;
    const made = (base: Snapshot | undefined) => base && this.#viewOf(base, asked);
    return this.loaded(asked) ?? (live.snapshot ? made(live.snapshot) : this.first(live).then(made));
  }

  #viewOf(base: Snapshot, { live, when }: DatasourceRef): Snapshot | Promise<Snapshot> {
    if (!when) return base;
    if ('age' in when) {
      const lookups = when.age.security ? this.#slowViews : this.#longLookups;
      return lookups.run(`view ${live.name} ${nameWith(base.generation, when)}`, () =>
        this.#views.of(base, when.age),
      );
    }
    const { pasts, now } = this.#options;
    if (when.at <= now()) return pasts.at(live, when.at);
    throw new QueryError(`${timeText(when.at)} is in the future: here it is ${timeText(now())}`);
  }

  /** Waits for the first snapshot, at most `hold`. */
  async first(live: LiveDatasource): Promise<Snapshot | undefined> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), this.#options.hold);
    try {
      return await live.whenReady(AbortSignal.any([patience.signal, this.#options.stopping]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** The queue for slow work. For a view or a past time it rejects with a `RefusedError` if too much is queued. */
  queueFor(when: When | undefined): Queue {
    return when ? (work) => this.#inLine(work) : (work) => work();
  }

  async #inLine<T>(work: () => Promise<T>): Promise<T> {
    if (this.#viewsWaiting >= MAX_VIEWS_WAITING) throw tooManyAges();
    this.#viewsWaiting += 1;
    return await this.#oneViewAtATime(work).finally(() => {
      this.#viewsWaiting -= 1;
    });
  }
}
