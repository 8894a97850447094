/**
 * Every metric in one list: name, help, labels. Labels are bounded: configured datasources, repositories and archs, and
 * fixed words, never package names.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LookupLog } from './lookup-log.ts';
import { indexErrorCodes, type IndexErrorCode } from '../errors.ts';
import { unchangedFor } from '../repository/guards.ts';
import type { LiveDatasource } from '../repository/live-datasource.ts';
import type { LiveFeed } from '../repository/live-feed.ts';
import type { LiveIndex, RefreshOutcome } from '../repository/live-index.ts';
import type { LedgerStatus } from '../ledger/status.ts';
import type { NotifyStatus } from '../notify/status.ts';
import type { KeptFiles } from '../repository/past-indexes.ts';
import type { LookupCounts } from './lookup-counts.ts';
import type { PinsWithFixes } from './pins-with-fixes.ts';
import { RequestTimes } from './request-times.ts';
import type { Surveyor } from './survey.ts';

/** Errors that reject a fetched index, in contrast to failed fetches. */
const rejections: readonly IndexErrorCode[] = indexErrorCodes.filter(
  (code) => code !== 'config-invalid' && code !== 'fetch-failed' && code !== 'feed-malformed',
);

/** Rejections by the guards: signed indexes that are held back until someone accepts them. */
const guarded: readonly IndexErrorCode[] = ['index-rollback', 'index-shrunk'];

export interface MetricsOptions {
  readonly datasources: readonly LiveDatasource[];
  readonly ledger: () => LedgerStatus;
  readonly notifications: () => readonly NotifyStatus[];
  /** Files of past indexes. */
  readonly kept: () => KeptFiles;
  readonly lookupCounts: LookupCounts;
  readonly surveyor: Surveyor;
  readonly asked: LookupLog;
  readonly pins: PinsWithFixes;
  readonly now: () => number;
}

const indexLabels = ['datasource', 'repository', 'arch'] as const;
type IndexLabels = Record<(typeof indexLabels)[number], string>;

export class Metrics {
  readonly registry = new Registry();
  readonly #datasources: readonly LiveDatasource[];

  readonly #lookupCounts: LookupCounts;
  readonly #fetches = this.#counter('apk_index_fetch_total', 'Refreshes of an index', [
    ...indexLabels,
    'result',
  ]);
  readonly #fetchSeconds = new Histogram({
    name: 'apk_index_fetch_duration_seconds',
    help: 'Time to fetch, verify and read an index',
    labelNames: ['datasource'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [this.registry],
  });
  readonly #rejected = this.#counter('apk_index_rejected_total', 'Indexes that were fetched and not taken', [
    ...indexLabels,
    'reason',
  ]);
  readonly requestTimes = new RequestTimes(this.registry);

  constructor(options: MetricsOptions) {
    const { datasources, ledger, lookupCounts, surveyor, asked, pins, now, notifications, kept } = options;
    this.#datasources = datasources;
    this.#lookupCounts = lookupCounts;
    collectDefaultMetrics({ register: this.registry });
    this.#startCounters();
    this.#gauge('apk_ledger_failing', '1 while the ledger cannot be written', () =>
      ledger().error === undefined ? 0 : 1,
    );
    this.#gauge(
      'apk_ledger_clock_behind_seconds',
      'By how much the clock is behind the newest time in the ledger',
      () => ledger().clockBehind,
    );
    this.#gauge('apk_ledger_lost', 'Indexes whose ledger was lost, since the start', () => ledger().lost);
    this.#gauge(
      'apk_ledger_republished',
      'Packages that took the name and version of another one, since the start',
      () => ledger().republished,
    );
    this.#exportNotifications(notifications, now);
    this.#gauge('apk_kept_indexes', 'Files of past indexes that are kept', () => kept().files);
    this.#gauge('apk_kept_indexes_bytes', 'Their size', () => kept().bytes);
    this.#indexGauge(
      'apk_index_last_success_timestamp_seconds',
      'When upstream last confirmed the index',
      (index) => (index.loaded ? index.loaded.confirmedAt / 1000 : 0),
    );
    this.#indexGauge('apk_index_age_seconds', 'Since when the index has not changed', ({ loaded }) =>
      loaded ? Math.max(0, unchangedFor(loaded.summary, loaded.firstSeenAt, now())) / 1000 : undefined,
    );
    this.#indexGauge('apk_index_max_age_seconds', 'How long the index may stay unchanged', ({ spec }) =>
      spec.guards.maxAge === undefined ? undefined : spec.guards.maxAge / 1000,
    );
    this.#indexGauge('apk_index_packages', 'Packages in the index', ({ loaded }) => loaded?.summary.packages);
    this.#indexGauge('apk_index_names', 'Package names in the index', ({ loaded }) => loaded?.summary.names);
    this.#indexGauge(
      'apk_index_bad_stanzas',
      'Stanzas of the index that were skipped',
      ({ loaded }) => loaded?.index.report.badStanzas,
    );
    this.#indexGauge('apk_index_failing', '1 while the last refresh failed', ({ failure }) =>
      failure ? 1 : 0,
    );
    this.#indexGauge(
      'apk_index_held_back',
      '1 while the guards hold back what upstream offers',
      ({ failure }) => (failure && guarded.includes(failure.code) ? 1 : 0),
    );
    this.#feedGauge(
      'apk_advisories_last_success_timestamp_seconds',
      'When upstream last confirmed the feed',
      ({ loaded }) => (loaded ? loaded.confirmedAt / 1000 : 0),
    );
    this.#feedGauge('apk_advisories_age_seconds', 'Since when the feed has not changed', ({ loaded }) =>
      loaded ? Math.max(0, now() - loaded.firstSeenAt) / 1000 : undefined,
    );
    this.#feedGauge(
      'apk_advisories_identifiers',
      'Pairs of package and identifier in the feed',
      ({ loaded }) => loaded?.feed.facts.pairs,
    );
    this.#feedGauge('apk_advisories_failing', '1 while the last refresh failed', ({ failure }) =>
      failure ? 1 : 0,
    );
    this.#feedGauge(
      'apk_advisories_held_back',
      '1 while the guards hold back what upstream offers',
      ({ failure }) => (failure && guarded.includes(failure.code) ? 1 : 0),
    );
    this.#datasourceGauge('apk_datasource_ready', '1 once the datasource can answer', [], ({ snapshot }) => [
      [{}, snapshot ? 1 : 0],
    ]);
    this.#datasourceGauge(
      'apk_index_generation_info',
      'The generation that answers are made of',
      ['generation'],
      ({ snapshot }) => (snapshot ? [[{ generation: snapshot.generation }, 1]] : []),
    );
    this.#datasourceGauge('apk_versions_offered', 'Versions on offer', [], (datasource) => {
      const survey = surveyor.of(datasource);
      return survey ? [[{}, survey.offered]] : [];
    });
    this.#datasourceGauge(
      'apk_versions_needing_more',
      'Versions on offer that need something that nothing in the datasource provides',
      [],
      (datasource) => {
        const survey = surveyor.of(datasource);
        return survey ? [[{}, survey.needingMore]] : [];
      },
    );
    this.#datasourceGauge(
      'apk_versions_withheld',
      'Versions that are in an index and not offered',
      ['reason'],
      (datasource) =>
        Object.entries(surveyor.of(datasource)?.withheld ?? {}).map(([reason, n]) => [{ reason }, n]),
    );
    this.#datasourceGauge(
      'apk_names_without_release',
      'Package names without a version on offer',
      [],
      (datasource) => {
        const survey = surveyor.of(datasource);
        return survey ? [[{}, survey.namesWithoutRelease]] : [];
      },
    );
    this.#datasourceGauge(
      'apk_pins_with_fix',
      'Pins asked for in the last week that a version on offer fixes; GET /{datasource}/-/advisories.atom lists them',
      [],
      ({ name, feeds }) => (feeds.length > 0 ? [[{}, pins.list(name).length]] : []),
    );
    this.#datasourceGauge(
      'apk_asked_names',
      'Different names looked up in the last week; GET /{datasource}/-/asked lists them',
      ['state'],
      (datasource) => {
        const names = asked.list(datasource);
        const known = names.filter((each) => each.known).length;
        return [
          [{ state: 'known' }, known],
          [{ state: 'unknown' }, names.length - known],
        ];
      },
    );
  }

  #exportNotifications(notifications: MetricsOptions['notifications'], now: () => number): void {
    const registers = [this.registry];
    const name = 'apk_notify_total';
    const help = 'Calls of receivers: delivered, failed and to be repeated, given up';
    new Counter({
      ...{ name, help, registers },
      labelNames: ['receiver', 'result'],
      collect() {
        this.reset();
        for (const { receiver, delivered, failed, givenUp } of notifications()) {
          this.inc({ receiver, result: 'delivered' }, delivered);
          this.inc({ receiver, result: 'failed' }, failed);
          this.inc({ receiver, result: 'given-up' }, givenUp);
        }
      },
    });
    const gauge = (name: string, help: string, value: (status: NotifyStatus) => number): void => {
      new Gauge({
        ...{ name, help, registers },
        labelNames: ['receiver'],
        collect() {
          this.reset();
          for (const status of notifications()) this.set({ receiver: status.receiver }, value(status));
        },
      });
    };
    gauge('apk_notify_pending', 'Events that are not delivered yet', ({ pending }) => pending);
    gauge('apk_notify_oldest_seconds', 'Age of the oldest event that is not delivered', ({ oldestAt }) =>
      oldestAt === undefined ? 0 : Math.max(0, now() - oldestAt) / 1000,
    );
    gauge('apk_notify_failing', '1 while the last call failed or nothing can be compared', ({ error }) =>
      error === undefined ? 0 : 1,
    );
  }

  #exportLookups(): void {
    const lookupCounts = this.#lookupCounts;
    new Counter({
      name: 'apk_lookup_total',
      help: 'Lookups of package names',
      labelNames: ['datasource', 'result'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { datasource, result, count } of lookupCounts.list())
          this.inc({ datasource, result }, count);
      },
    });
  }

  /** Counters start at 0, so that alerts see the first increase. */
  #startCounters(): void {
    this.#exportLookups();
    for (const { name: datasource, indexes } of this.#datasources) {
      for (const index of indexes) {
        for (const reason of rejections) this.#rejected.inc({ ...labelsOf(datasource, index), reason }, 0);
      }
    }
  }

  /** Records a refresh that took `seconds`. */
  readonly countRefresh = (
    datasource: string,
    index: LiveIndex,
    outcome: RefreshOutcome,
    seconds: number,
  ): void => {
    const labels = labelsOf(datasource, index);
    this.#fetches.inc({ ...labels, result: outcome.status });
    this.#fetchSeconds.observe({ datasource }, seconds);
    if (outcome.status === 'failed' && rejections.includes(outcome.failure.code)) {
      this.#rejected.inc({ ...labels, reason: outcome.failure.code });
    }
  };

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }

  #indexGauge(name: string, help: string, value: (index: LiveIndex) => number | undefined): void {
    const datasources = this.#datasources;
    new Gauge({
      name,
      help,
      labelNames: indexLabels,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const datasource of datasources) {
          for (const index of datasource.indexes) {
            const current = value(index);
            if (current !== undefined) this.set(labelsOf(datasource.name, index), current);
          }
        }
      },
    });
  }

  #feedGauge(name: string, help: string, value: (feed: LiveFeed) => number | undefined): void {
    const datasources = this.#datasources;
    new Gauge({
      name,
      help,
      labelNames: ['datasource', 'feed'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { name: datasource, feeds } of datasources) {
          for (const feed of feeds) {
            const current = value(feed);
            if (current !== undefined) this.set({ datasource, feed: feed.spec.label }, current);
          }
        }
      },
    });
  }

  /** `values` returns the values of one datasource, with their labels besides the datasource. */
  #datasourceGauge<T extends string>(
    name: string,
    help: string,
    labels: readonly T[],
    values: (datasource: LiveDatasource) => readonly (readonly [Partial<Record<T, string>>, number])[],
  ): void {
    const datasources = this.#datasources;
    new Gauge<string>({
      name,
      help,
      labelNames: ['datasource', ...labels],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const datasource of datasources) {
          for (const [own, value] of values(datasource))
            this.set({ datasource: datasource.name, ...own }, value);
        }
      },
    });
  }
}

function labelsOf(datasource: string, { spec }: LiveIndex): IndexLabels {
  return { datasource, repository: spec.repository, arch: spec.arch ?? '' };
}
