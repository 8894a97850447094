/**
 * The composition root: creates the datasources of a configuration and keeps them fresh. `serve`, `explain` and
 * `export` differ only in what they do with the datasources.
 */
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { isRemote } from '../addresses.ts';
import { feedSpecs } from './feed-specs.ts';
import { indexSpecs } from './index-specs.ts';
import { inSteps, type Pause } from '../apk/pieces.ts';
import { parseKey } from '../apk/signature.ts';
import { diffIndexes, textOf, type IndexChange } from '../catalog/diff.ts';
import type { Config, DatasourceConfig, RepositoryConfig } from '../config/config.ts';
import { counted, errorLine, IndexError } from '../errors.ts';
import { builtinKeys } from '../repository/builtin-keys.ts';
import { credentialLookup, type CredentialLookup } from '../repository/credentials.ts';
import type { Changes, Vanished } from '../ledger/changes.ts';
import type { Ledger } from '../ledger-store/ledger.ts';
import { inLedger, ledgerIndexOf, openLedger, pastLedger } from './ledger.ts';
import { IndexStore } from '../repository/index-store.ts';
import { loadKeys, type KeyMemory, type KeySource } from '../repository/key-sources.ts';
import { LiveDatasource, type Snapshot } from '../repository/live-datasource.ts';
import { FeedReaders } from '../repository/feed-process.ts';
import { FeedQueue } from '../repository/feed-queue.ts';
import { LiveFeed } from '../repository/live-feed.ts';
import {
  LiveIndex,
  type IndexServices,
  type LoadedIndex,
  type RefreshOutcome,
} from '../repository/live-index.ts';
import { background, createPause, createQueue } from '../repository/pace.ts';
import type { PastLedger } from '../repository/past-datasources.ts';
import { PastIndexes } from '../repository/past-indexes.ts';
import { Alarm, keepFresh, type RefreshResult } from '../repository/refresh.ts';
import { createUpstreamClient, type Timeouts, type UpstreamClient } from '../repository/upstream-client.ts';

/** Milliseconds after the first failure. */
const FIRST_RETRY = 2000;
/** Milliseconds for a whole feed of advisories, which may have 200 MB. */
const FEED_TOTAL = 3_600_000;
/** Milliseconds for a package that is forwarded; some have gigabytes. */
const PACKAGE_TOTAL = 3_600_000;

export interface BeaconOptions {
  readonly config: Config;
  readonly logger: FastifyBaseLogger;
  readonly now: () => number;
  /** Lookups answered so far: while there are some, refreshes use less CPU. */
  readonly lookupCount?: () => number;
  /** Does not load the feeds of advisories. */
  readonly withoutFeeds?: boolean;
  /** Also reads the sizes of packages, which answers do not need. */
  readonly withSizes?: boolean;
  /** Answers have no dates: those of the last run are good enough, and no ledger is begun in the cache directory. */
  readonly withoutDates?: boolean;
  /** Called after a refresh that changed an existing index. */
  readonly onChange?: (datasource: string, index: string, change: IndexChange) => void;
}

type RefreshListener = (
  datasource: string,
  index: LiveIndex,
  outcome: RefreshOutcome,
  seconds: number,
) => void;

/** The snapshot of a loaded datasource. Throws the reason if it could not be loaded. */
export function snapshotOf({ name, snapshot, missing: [index] }: LiveDatasource): Snapshot {
  if (snapshot) return snapshot;
  const { code = 'fetch-failed', message = `${name} could not be loaded` } = index?.failure ?? {};
  throw new IndexError(code, message);
}

/** The same, but also throws if a required index or a feed could not be refreshed and is that of the cache. */
export function currentSnapshotOf(live: LiveDatasource): Snapshot {
  const failure = live.outdated(Infinity)?.failure;
  if (failure) throw new IndexError(failure.code, failure.message);
  return snapshotOf(live);
}

export class Beacon {
  readonly datasources: readonly LiveDatasource[];
  /** The indexes on disk, and what was held back or accepted. */
  readonly store: IndexStore;
  /** The files of past indexes. */
  readonly pasts: PastIndexes;
  readonly ledger: Ledger;
  readonly #options: BeaconOptions;
  readonly #clients: UpstreamClient[] = [];
  readonly #alarm = new Alarm();
  readonly #pause: Pause;
  readonly #backgroundPause = createPause(background);
  readonly #oneAtATime = createQueue();
  readonly #feedQueue: FeedQueue;
  readonly #feedReaders = new FeedReaders();
  readonly #listeners: RefreshListener[] = [];

  constructor(options: BeaconOptions) {
    this.#options = options;
    const { config, logger } = options;
    this.#feedQueue = new FeedQueue(config.timeouts.bodyIdle);
    this.#pause = createPause(undefined, options.lookupCount && { lookupCount: options.lookupCount });
    this.store = new IndexStore(config.cacheDir, this.#warn);
    const { cacheDir, keepIndexes = 0 } = config;
    this.pasts = new PastIndexes({
      folder: cacheDir !== undefined && keepIndexes > 0 ? join(cacheDir, 'past') : undefined,
      keepFor: keepIndexes,
      now: options.now,
      warn: (message) => logger.warn(message),
    });
    this.ledger = openLedger(config, {
      ...{ logger, now: options.now, pause: this.#pause, backgroundPause: this.#backgroundPause },
      withoutDates: options.withoutDates,
    });
    this.datasources = Object.entries(config.datasources).map(([name, datasource]) =>
      this.#datasource(name, datasource),
    );
  }

  /** Reads the key files. Throws `config-invalid` for an unusable one, because retrying would not help. */
  async checkKeys(signal: AbortSignal): Promise<void> {
    for (const { keys, repositories } of Object.values(this.#options.config.datasources)) {
      const sources = [...keys, ...repositories.flatMap((repository) => repository.keys ?? [])];
      const local = sources.filter((source) => !isRemote(source));
      await loadKeys(local, { client: this.client(), signal });
    }
  }

  /** Restores the indexes on disk. */
  async restore(signal: AbortSignal): Promise<void> {
    if (this.datasources.some(({ feeds }) => feeds.length > 0)) this.#feedReaders.start();
    await Promise.all(
      this.datasources.map(async (datasource) => {
        const { indexes, feeds } = datasource;
        await Promise.all([...indexes, ...feeds].map((each) => each.restore(signal)));
        datasource.publish();
        this.#logRestored(datasource);
      }),
    );
  }

  /** Refreshes every index once. */
  async refreshOnce(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#each((datasource, index) => this.#refresh(datasource, index, signal)),
      this.#eachFeed((datasource, feed) => this.#refreshFeed(datasource, feed, signal)),
    ]);
  }

  /** For commands that run once: restores, refreshes and closes everything. */
  async loadOnce(signal: AbortSignal): Promise<void> {
    try {
      await this.checkKeys(signal);
      await this.restore(signal);
      await this.refreshOnce(signal);
    } finally {
      await this.close();
    }
  }

  /** Refreshes every index until `signal` aborts. Each has its own schedule and does not wait for others. */
  async keepFresh(signal: AbortSignal): Promise<void> {
    const schedule = { interval: this.#options.config.refresh, firstRetry: FIRST_RETRY };
    const loops = this.#each((datasource, index) =>
      keepFresh(
        (stop) => this.#refresh(datasource, index, stop),
        schedule,
        [this.#alarm, index.alarm],
        signal,
      ),
    );
    const feedLoops = this.#eachFeed((datasource, feed) =>
      keepFresh(
        (stop) => this.#refreshFeed(datasource, feed, stop),
        { interval: feed.spec.refresh, firstRetry: FIRST_RETRY },
        [this.#alarm],
        signal,
      ),
    );
    await Promise.all([loops, feedLoops]).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  /** Calls `listener` after each refresh with its duration. */
  onRefresh(listener: RefreshListener): void {
    this.#listeners.push(listener);
  }

  /** Refreshes all indexes at once. */
  refreshNow(): void {
    this.#alarm.ring();
  }

  async close(): Promise<void> {
    this.#feedReaders.close();
    await Promise.all([...this.#clients.map((client) => client.close()), this.ledger.close()]);
  }

  /** What appeared and vanished in a datasource since then (unix milliseconds). */
  async changes({ indexes }: LiveDatasource, since: number, name: string | undefined): Promise<Changes> {
    const asked = indexes.map((index) => ({ ...inLedger(index), repository: index.spec.repository }));
    return await this.ledger.changes(asked, since, name);
  }

  /** The ledger's earlier generations. */
  pastLedger(): PastLedger | undefined {
    return pastLedger(this.ledger, this.#pause);
  }

  /** The versions of these names that vanished from a datasource, as far as a ledger is kept. */
  async vanished(datasource: string, names: readonly string[]): Promise<readonly Vanished[]> {
    const live = this.datasources.find(({ name }) => name === datasource);
    return await this.ledger.vanished(live?.indexes.map(inLedger) ?? [], names);
  }

  async #each(work: (datasource: LiveDatasource, index: LiveIndex) => Promise<unknown>): Promise<void> {
    await Promise.all(
      this.datasources.flatMap((datasource) => datasource.indexes.map((index) => work(datasource, index))),
    );
  }

  async #eachFeed(work: (datasource: LiveDatasource, feed: LiveFeed) => Promise<unknown>): Promise<void> {
    await Promise.all(
      this.datasources.flatMap((datasource) => datasource.feeds.map((feed) => work(datasource, feed))),
    );
  }

  async #refreshFeed(
    datasource: LiveDatasource,
    feed: LiveFeed,
    signal: AbortSignal,
  ): Promise<RefreshResult> {
    const { logger } = this.#options;
    const outcome = await feed.refresh(signal);
    const facts = { datasource: datasource.name, feed: feed.spec.label };
    if (outcome.status === 'failed') {
      const { code, message, retryAfter } = outcome.failure;
      logger.warn({ ...facts, code }, `cannot refresh advisories: ${message}`);
      return { failed: true, retryAfter };
    }
    if (outcome.status === 'changed') {
      datasource.publish();
      const { packages, pairs, skipped, firstSkipped } = feed.loaded?.feed.facts ?? {};
      logger.info(facts, `advisories: ${pairs} identifiers of ${packages} packages`);
      if (skipped)
        logger.warn(facts, `skipped ${skipped} entries of the advisories, the first: ${firstSkipped}`);
      if (feed.mismatch !== undefined)
        logger.warn(facts, `the advisories are for another repository: ${feed.mismatch}`);
    }
    return { failed: false };
  }

  async #refresh(datasource: LiveDatasource, index: LiveIndex, signal: AbortSignal): Promise<RefreshResult> {
    const { logger } = this.#options;
    const began = performance.now();
    const outcome = await index.refresh(signal);
    if (outcome.status === 'changed' || (outcome.status === 'unchanged' && outcome.redated))
      datasource.publish();
    const seconds = (performance.now() - began) / 1000;
    for (const listener of this.#listeners) listener(datasource.name, index, outcome, seconds);
    const facts = { datasource: datasource.name, index: index.spec.label };
    switch (outcome.status) {
      case 'failed':
        logger.warn({ ...facts, code: outcome.failure.code }, `cannot refresh: ${outcome.failure.message}`);
        return { failed: true, retryAfter: outcome.failure.retryAfter };
      case 'unchanged':
        logger.debug(facts, 'unchanged');
        break;
      case 'changed':
        await this.#logChange(facts, datasource, outcome);
    }
    // Counts as a failure, so that the next refresh comes soon, for the ledger.
    return { failed: index.loaded?.dates?.isProvisional === true };
  }

  async #logChange(
    facts: { readonly datasource: string; readonly index: string },
    { snapshot }: LiveDatasource,
    { before, after }: Extract<RefreshOutcome, { status: 'changed' }>,
  ): Promise<void> {
    const { logger, onChange } = this.#options;
    const { packages, names } = after.summary;
    const { badStanzas, firstBadStanza, incompletePackages } = after.index.report;
    if (badStanzas > 0)
      logger.warn(facts, `skipped ${counted(badStanzas, 'bad package')}, the first: ${firstBadStanza}`);
    if (incompletePackages > 0)
      logger.warn(facts, `a field or dependency is unreadable in ${counted(incompletePackages, 'package')}`);
    const all = { ...facts, generation: snapshot?.generation, packages, names };
    if (!before) {
      logger.info(all, `loaded ${describe(after)}`);
      return;
    }
    const diff = await inSteps(
      diffIndexes(before.index.packages, after.index.packages),
      this.#backgroundPause,
    );
    const { added, removed, newest } = diff;
    onChange?.(facts.datasource, facts.index, diff);
    logger.info(
      { ...all, added, removed, newest: newest.map(textOf) },
      `changed: ${added} added, ${removed} removed, ${verification(after)}`,
    );
  }

  #logRestored({ name, indexes }: LiveDatasource): void {
    for (const { spec, loaded } of indexes) {
      if (!loaded) continue;
      const confirmed = new Date(loaded.confirmedAt).toISOString();
      const facts = { datasource: name, index: spec.label };
      this.#options.logger.info(
        facts,
        `restored from the cache: ${describe(loaded)}, confirmed at ${confirmed}`,
      );
    }
  }

  #datasource(name: string, config: DatasourceConfig): LiveDatasource {
    const indexes = config.repositories.flatMap((repository) => {
      const services = this.#services(config, repository);
      return indexSpecs(config, repository, this.#options.config).map(
        (spec) =>
          new LiveIndex(
            { ...spec, limits: { ...spec.limits, withSizes: this.#options.withSizes } },
            services,
          ),
      );
    });
    const { unversionedProvides, complete } = config;
    const feeds = this.#options.withoutFeeds === true ? [] : this.#feeds(name, config);
    return new LiveDatasource({ name, indexes, feeds, unversionedProvides, complete });
  }

  #feeds(name: string, datasource: DatasourceConfig): readonly LiveFeed[] {
    const { config, now } = this.#options;
    return feedSpecs(name, datasource, config).map(
      ({ spec, credentials }) =>
        new LiveFeed(spec, {
          client: this.client({ total: Math.max(FEED_TOTAL, config.timeouts.total) }),
          credentials: this.#credentials(spec.location, credentials),
          store: this.store,
          readers: this.#feedReaders,
          now,
          queue: this.#feedQueue,
          pause: this.#pause,
          warn: this.#warn,
          scratch: config.cacheDir,
        }),
    );
  }

  #services(datasource: DatasourceConfig, repository: RepositoryConfig): IndexServices {
    const { config, logger, now } = this.#options;
    const { url, clientCertificate } = repository;
    const client = this.client({}, clientCertificate);
    const credentials = this.#credentials(url, repository.credentials);
    const total = Math.max(PACKAGE_TOTAL, config.timeouts.total);
    return {
      client,
      packages: this.client({ total }, clientCertificate),
      credentials,
      keys: this.#keys(datasource, repository, client, credentials),
      store: this.store,
      pasts: this.pasts,
      dates: (spec, index, source) =>
        this.ledger.datesOf(ledgerIndexOf(spec, index.arch), { ...index, isRestored: source === 'cache' }),
      now,
      oneAtATime: this.#oneAtATime,
      pause: this.#pause,
      warn: this.#warn,
      onProgress: ({ label }, received, expected) => {
        const whole = expected === undefined ? '' : ` of ${megabytes(expected)}`;
        logger.info({ index: label }, `fetching: ${megabytes(received)}${whole} MB`);
      },
    };
  }

  /** The keys of a repository, read each time: a removed file is a key that is no longer trusted. */
  #keys(
    datasource: DatasourceConfig,
    repository: RepositoryConfig,
    client: UpstreamClient,
    credentials: CredentialLookup,
  ): IndexServices['keys'] {
    const { cacheDir } = this.#options.config;
    if (repository.trust === 'none') return () => Promise.resolve('unverified');
    const url = URL.parse(repository.url);
    const sources: KeySource[] = [...(repository.keys ?? datasource.keys)];
    if (repository.discoverKeys && url) sources.push({ discover: url });
    const builtin = repository.keys ? [] : [...builtinKeys.values()];
    const warn = (error: IndexError): void => this.#options.logger.warn(errorLine(error));
    const memory: KeyMemory = new Map();
    return async (signal, from) => {
      const offline = from === 'disk';
      const own = await loadKeys(sources, { client, cacheDir, credentials, memory, offline, warn, signal });
      return [...own, ...builtin].map(({ name, pem }) => parseKey(name, pem));
    };
  }

  readonly #warn = (message: string, error: unknown): void =>
    this.#options.logger.warn(`${message}: ${errorLine(error)}`);

  /** For an index or feed with this address; `credentials` are its own. */
  #credentials(address: string, credentials: RepositoryConfig['credentials']): CredentialLookup {
    const { environment, netrc } = this.#options.config;
    const url = URL.parse(address);
    return credentialLookup({
      environment,
      netrcFile: netrc,
      ...(url && credentials && { repository: { url, credentials } }),
    });
  }

  /** A client, which is closed with the rest. */
  client(more: Partial<Timeouts> = {}, certificate?: RepositoryConfig['clientCertificate']): UpstreamClient {
    const { environment, extraCa, timeouts } = this.#options.config;
    const client = createUpstreamClient({
      environment,
      extraCa,
      timeouts: { ...timeouts, ...more },
      ...(certificate && {
        clientCertificate: { certificateFile: certificate.certificate, keyFile: certificate.key },
      }),
    });
    this.#clients.push(client);
    return client;
  }
}

/** The content of an index, its age, and its key. */
function describe(loaded: LoadedIndex): string {
  const { packages, names, newestBuiltAt } = loaded.summary;
  const newest =
    newestBuiltAt > 0 ? `the newest built at ${new Date(newestBuiltAt * 1000).toISOString()}, ` : '';
  return `${counted(packages, 'package')} of ${counted(names, 'name')}, ${newest}${verification(loaded)}`;
}

function verification({ index }: LoadedIndex): string {
  return index.keyName === undefined ? 'NOT VERIFIED' : `verified by ${index.keyName}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
