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

interface MetricsOptions {
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

/** `undefined`: no sample. */
type Value = number | boolean | undefined;
type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: Value];

export class Metrics {
  readonly registry = new Registry();
  readonly #options: MetricsOptions;
  readonly #fetches = this.#counter('apk_index_fetch_total', 'Refreshes of an index', 'result');
  readonly #fetchSeconds = new Histogram({
    name: 'apk_index_fetch_duration_seconds',
    help: 'Time to fetch, verify and read an index',
    labelNames: ['datasource'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [this.registry],
  });
  readonly #rejected = this.#counter(
    'apk_index_rejected_total',
    'Indexes that were fetched but not accepted',
    'reason',
  );
  readonly requestTimes = new RequestTimes(this.registry);
  readonly #labels: ReadonlyMap<LiveIndex | LiveFeed, Labels>;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#labels = new Map(options.datasources.flatMap(labelled));
    collectDefaultMetrics({ register: this.registry });
    this.#exportLookups();
    // Counters start at 0, so that alerts see the first increase.
    for (const index of options.datasources.flatMap(({ indexes }) => indexes))
      for (const reason of rejections) this.#rejected.inc({ ...this.#labels.get(index), reason }, 0);
    this.#exportLedger();
    this.#exportNotifications();
    this.#exportIndexes();
    this.#exportFeeds();
    this.#exportDatasources();
    this.#exportSurvey();
    this.#exportAsked();
  }

  /** Records a refresh that took `seconds`. */
  readonly countRefresh = (
    datasource: string,
    index: LiveIndex,
    outcome: RefreshOutcome,
    seconds: number,
  ): void => {
    const labels = this.#labels.get(index);
    this.#fetches.inc({ ...labels, result: outcome.status });
    this.#fetchSeconds.observe({ datasource }, seconds);
    if (outcome.status === 'failed' && rejections.includes(outcome.failure.code)) {
      this.#rejected.inc({ ...labels, reason: outcome.failure.code });
    }
  };

  #exportLookups(): void {
    const { lookupCounts } = this.#options;
    this.#export(Counter, 'apk_lookup_total', 'Lookups of package names', ['datasource', 'result'], () =>
      [...lookupCounts.list()].map(({ datasource, result, count }) => [{ datasource, result }, count]),
    );
  }

  #exportLedger(): void {
    const { ledger, kept } = this.#options;
    const gauge = (name: string, help: string, value: () => Value): void =>
      this.#export(Gauge, name, help, [], () => [[{}, value()]]);
    gauge('apk_ledger_failing', '1 while the ledger cannot be written', () => ledger().error !== undefined);
    gauge(
      'apk_ledger_clock_behind_seconds',
      'By how much the clock is behind the newest time in the ledger',
      () => ledger().clockBehind,
    );
    gauge('apk_ledger_lost', 'Indexes whose ledger was lost, since the start', () => ledger().lost);
    gauge(
      'apk_ledger_republished',
      'Packages that took over the name and version of another package, since the start',
      () => ledger().republished,
    );
    gauge('apk_kept_indexes', 'Files of past indexes that are kept', () => kept().files);
    gauge('apk_kept_indexes_bytes', 'Size of the kept files of past indexes', () => kept().bytes);
  }

  #exportNotifications(): void {
    const { notifications, now } = this.#options;
    this.#export(
      Counter,
      'apk_notify_total',
      'Calls of receivers: delivered, failed (will be repeated), given up',
      ['receiver', 'result'],
      () =>
        notifications().flatMap(({ receiver, delivered, failed, givenUp }): Sample[] => [
          [{ receiver, result: 'delivered' }, delivered],
          [{ receiver, result: 'failed' }, failed],
          [{ receiver, result: 'given-up' }, givenUp],
        ]),
    );
    const gauge = (name: string, help: string, value: (status: NotifyStatus) => Value): void =>
      this.#export(Gauge, name, help, ['receiver'], () =>
        notifications().map((status) => [{ receiver: status.receiver }, value(status)]),
      );
    gauge('apk_notify_pending', 'Events that are not delivered yet', ({ pending }) => pending);
    gauge('apk_notify_oldest_seconds', 'Age of the oldest event that is not delivered', ({ oldestAt }) =>
      oldestAt === undefined ? 0 : Math.max(0, now() - oldestAt) / 1000,
    );
    gauge(
      'apk_notify_failing',
      '1 if the last call failed or offers cannot be compared',
      ({ error }) => error !== undefined,
    );
  }

  #exportIndexes(): void {
    const { now } = this.#options;
    const gauge = (name: string, help: string, value: (index: LiveIndex) => Value): void =>
      this.#datasourceGauge(name, help, ['repository', 'arch'], ({ indexes }) =>
        indexes.map((index) => [this.#labels.get(index), value(index)]),
      );
    gauge(
      'apk_index_last_success_timestamp_seconds',
      'When upstream last confirmed the index',
      ({ loaded }) => (loaded ? loaded.confirmedAt / 1000 : 0),
    );
    gauge(
      'apk_index_age_seconds',
      'Seconds since the index last changed',
      ({ loaded }) => loaded && Math.max(0, unchangedFor(loaded.summary, loaded.firstSeenAt, now())) / 1000,
    );
    gauge('apk_index_max_age_seconds', 'Seconds that the index may stay unchanged', ({ spec: { guards } }) =>
      guards.maxAge === undefined ? undefined : guards.maxAge / 1000,
    );
    gauge('apk_index_packages', 'Packages in the index', ({ loaded }) => loaded?.summary.packages);
    gauge('apk_index_names', 'Package names in the index', ({ loaded }) => loaded?.summary.names);
    gauge(
      'apk_index_bad_stanzas',
      'Stanzas of the index that were skipped',
      ({ loaded }) => loaded?.index.report.badStanzas,
    );
    gauge('apk_index_failing', '1 while the last refresh failed', ({ failure }) => failure !== undefined);
    gauge('apk_index_held_back', '1 while the guards hold back what upstream offers', isHeldBack);
  }

  #exportFeeds(): void {
    const { now } = this.#options;
    const gauge = (name: string, help: string, value: (feed: LiveFeed) => Value): void =>
      this.#datasourceGauge(name, help, ['feed'], ({ feeds }) =>
        feeds.map((feed) => [this.#labels.get(feed), value(feed)]),
      );
    gauge(
      'apk_advisories_last_success_timestamp_seconds',
      'When upstream last confirmed the feed',
      ({ loaded }) => (loaded ? loaded.confirmedAt / 1000 : 0),
    );
    gauge(
      'apk_advisories_age_seconds',
      'Seconds since the feed last changed',
      ({ loaded }) => loaded && Math.max(0, now() - loaded.firstSeenAt) / 1000,
    );
    gauge(
      'apk_advisories_identifiers',
      'Pairs of package and identifier in the feed',
      ({ loaded }) => loaded?.feed.facts.pairs,
    );
    gauge(
      'apk_advisories_failing',
      '1 while the last refresh failed',
      ({ failure }) => failure !== undefined,
    );
    gauge('apk_advisories_held_back', '1 while the guards hold back what upstream offers', isHeldBack);
  }

  #exportDatasources(): void {
    this.#plainGauge(
      'apk_datasource_ready',
      '1 once the datasource can answer',
      ({ snapshot }) => snapshot !== undefined,
    );
    this.#datasourceGauge(
      'apk_index_generation_info',
      'The generation that answers lookups',
      ['generation'],
      ({ snapshot }) => (snapshot ? [[{ generation: snapshot.generation }, 1]] : []),
    );
  }

  #exportSurvey(): void {
    const { surveyor } = this.#options;
    this.#plainGauge(
      'apk_versions_offered',
      'Offered versions',
      (datasource) => surveyor.of(datasource)?.offered,
    );
    this.#plainGauge(
      'apk_versions_needing_more',
      'Offered versions with a dependency that nothing in the datasource provides',
      (datasource) => surveyor.of(datasource)?.needingMore,
    );
    this.#datasourceGauge(
      'apk_versions_withheld',
      'Versions that are in an index but not offered',
      ['reason'],
      (datasource) =>
        Object.entries(surveyor.of(datasource)?.withheld ?? {}).map(([reason, n]) => [{ reason }, n]),
    );
    this.#plainGauge(
      'apk_names_without_release',
      'Package names without an offered version',
      (datasource) => surveyor.of(datasource)?.namesWithoutRelease,
    );
  }

  #exportAsked(): void {
    const { asked, pins } = this.#options;
    this.#plainGauge(
      'apk_pins_with_fix',
      'Pins looked up in the last week for which an offered version fixes vulnerabilities; GET /{datasource}/-/advisories.atom lists them',
      ({ name, feeds }) => (feeds.length > 0 ? pins.list(name).length : undefined),
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

  /** A counter of an index's refreshes. */
  #counter(name: string, help: string, label: string): Counter {
    const labelNames = ['datasource', 'repository', 'arch', label];
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  /** One value for each datasource. */
  #plainGauge(name: string, help: string, value: (datasource: LiveDatasource) => Value): void {
    this.#datasourceGauge(name, help, [], (datasource) => [[{}, value(datasource)]]);
  }

  /** `samples` returns those of one datasource, with their labels besides the datasource. */
  #datasourceGauge(
    name: string,
    help: string,
    labels: readonly string[],
    samples: (datasource: LiveDatasource) => readonly (readonly [Labels | undefined, Value])[],
  ): void {
    const { datasources } = this.#options;
    this.#export(Gauge, name, help, ['datasource', ...labels], () =>
      datasources.flatMap((datasource) =>
        samples(datasource).map(([own, value]) => [{ datasource: datasource.name, ...own }, value]),
      ),
    );
  }

  /** A metric that is made of `samples` when metrics are requested. */
  #export(
    Kind: typeof Counter | typeof Gauge,
    name: string,
    help: string,
    labelNames: string[],
    samples: () => readonly Sample[],
  ): void {
    new Kind({
      ...{ name, help, labelNames },
      registers: [this.registry],
      collect(this: Counter | Gauge) {
        this.reset();
        for (const [labels, value] of samples()) if (value !== undefined) this.inc(labels, Number(value));
      },
    });
  }
}

/**
 * The labels of each index and feed, with a number if they would be equal: addresses may differ only in their queries, and
 * two feeds may select from one file. The values of equal labels are added up, and the sum of two times is in the
 * future, so that no alert for an outdated index would fire.
 */
function labelled({ name: datasource, indexes, feeds }: LiveDatasource): [LiveIndex | LiveFeed, Labels][] {
  const times = new Map<string, number>();
  const distinct = (label: string, arch = ''): string => {
    const time = (times.get(`${arch} ${label}`) ?? 0) + 1;
    times.set(`${arch} ${label}`, time);
    return time === 1 ? label : `${label} (${time})`;
  };
  return [
    ...indexes.map((index): [LiveIndex, Labels] => {
      const { repository, arch = '' } = index.spec;
      return [index, { datasource, repository: distinct(repository, arch), arch }];
    }),
    ...feeds.map((feed): [LiveFeed, Labels] => [feed, { datasource, feed: distinct(feed.spec.label) }]),
  ];
}

function isHeldBack({ failure }: LiveIndex | LiveFeed): boolean {
  return failure !== undefined && guarded.includes(failure.code);
}
