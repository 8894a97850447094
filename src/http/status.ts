/** The status of the service: `/readyz`, `/` and `/{datasource}`. */
import { nameWith, type When } from '../catalog/age.ts';
import type { LedgerStatus } from '../ledger/status.ts';
import type { NotifyStatus } from '../notify/status.ts';
import { unchangedFor } from '../repository/guards.ts';
import type { LiveDatasource, PastIndex, Snapshot, View } from '../repository/live-datasource.ts';
import type { LiveFeed } from '../repository/live-feed.ts';
import type { IndexFailure, LiveIndex } from '../repository/live-index.ts';

export interface IndexStatus {
  readonly repository: string;
  readonly arch?: string | undefined;
  readonly index: string;
  readonly state: 'current' | 'failing' | 'missing' | 'past';
  readonly required: boolean;
  readonly packages?: number | undefined;
  readonly names?: number | undefined;
  readonly verifiedBy?: string | undefined;
  readonly format?: 'v2' | 'adb' | undefined;
  readonly description?: string | undefined;
  /** Fetched by this process, or restored from the cache and not confirmed since. */
  readonly source?: 'upstream' | 'cache' | undefined;
  readonly confirmedAt?: string | undefined;
  /** For a past time: the digest of the signed bytes. */
  readonly digest?: string;
  /** Seconds since it last changed. */
  readonly age?: number | undefined;
  readonly frozen: boolean;
  readonly skippedStanzas?: number | undefined;
  readonly firstSkipped?: string | undefined;
  /** Packages that are used without a field or dependency that could not be read. */
  readonly incompletePackages?: number | undefined;
  /** `false` if none of its packages has a build time, as in OpenWrt. */
  readonly buildTimes?: false | undefined;
  readonly error?: string | undefined;
  readonly errorCode?: string | undefined;
  readonly errorAt?: string | undefined;
}

export function indexStatus(index: LiveIndex, now: number): IndexStatus {
  const { spec, loaded, failure } = index;
  const age = loaded && Math.max(0, unchangedFor(loaded.summary, loaded.firstSeenAt, now));
  return {
    repository: spec.repository,
    arch: spec.arch ?? loaded?.index.arch,
    index: spec.label,
    state: stateOf(loaded, failure),
    required: spec.required,
    packages: loaded?.summary.packages,
    names: loaded?.summary.names,
    verifiedBy: loaded?.index.keyName,
    format: loaded?.index.format,
    description: loaded?.index.description || undefined,
    source: loaded?.source,
    confirmedAt: loaded && new Date(loaded.confirmedAt).toISOString(),
    age: age === undefined ? undefined : Math.round(age / 1000),
    frozen: age !== undefined && spec.guards.maxAge !== undefined && age > spec.guards.maxAge,
    skippedStanzas: loaded?.index.report.badStanzas || undefined,
    firstSkipped: loaded?.index.report.firstBadStanza,
    incompletePackages: loaded?.index.report.incompletePackages || undefined,
    buildTimes: loaded && loaded.index.newestBuiltAt === 0 ? false : undefined,
    ...errorOf(failure),
  };
}

/** The status of an index at a past time. */
export function pastIndexStatus(index: PastIndex): IndexStatus {
  const { spec, arch, signer, takenAt, packages, names, digest } = index;
  return {
    repository: spec.repository,
    arch,
    index: spec.label,
    state: 'past',
    required: spec.required,
    packages,
    names,
    verifiedBy: signer,
    digest,
    confirmedAt: new Date(takenAt).toISOString(),
    frozen: false,
  };
}

type LoadState = 'current' | 'failing' | 'missing';

function stateOf(loaded: unknown, failure: IndexFailure | undefined): LoadState {
  if (!loaded) return 'missing';
  return failure ? 'failing' : 'current';
}

function errorOf(failure: IndexFailure | undefined): Pick<IndexStatus, 'error' | 'errorCode' | 'errorAt'> {
  if (!failure) return {};
  return { error: failure.message, errorCode: failure.code, errorAt: new Date(failure.at).toISOString() };
}

/** Described by `body-schemas.ts`. */
export type FeedStatus = ReturnType<typeof feedStatus>;

function feedStatus({ spec, loaded, failure, mismatch }: LiveFeed, now: number) {
  const facts = loaded?.feed.facts;
  return {
    feed: spec.label,
    kind: spec.kind,
    state: stateOf(loaded, failure),
    packages: facts?.packages,
    identifiers: facts?.pairs,
    source: loaded?.source,
    confirmedAt: loaded && new Date(loaded.confirmedAt).toISOString(),
    age: loaded && Math.max(0, Math.round((now - loaded.firstSeenAt) / 1000)),
    newestRecord: facts?.newest,
    skippedEntries: facts?.skipped || undefined,
    firstSkipped: facts?.firstSkipped,
    warning: mismatch,
    ...errorOf(failure),
  };
}

interface StatusOptions {
  readonly when: When | undefined;
  readonly now: number;
  readonly ledger: LedgerStatus;
  readonly notifications: readonly NotifyStatus[];
}

/** The summary of one datasource; `snapshot` is its current one, or that of a view or past time. */
export function datasourceStatus(
  { name, archs, indexes, feeds }: LiveDatasource,
  snapshot: Snapshot | undefined,
  { when, now, ledger, notifications }: StatusOptions,
): object {
  return {
    datasource: nameWith(name, when),
    ready: snapshot !== undefined,
    generation: snapshot?.generation,
    archs,
    names: snapshot?.catalog.nameCount,
    versions: snapshot?.catalog.packageCount,
    ...(snapshot?.view && { heldBack: heldBackStatus(snapshot.view) }),
    ...(snapshot?.past && { since: new Date(snapshot.past.from).toISOString() }),
    ledger: ledgerSummary(ledger),
    indexes: snapshot?.past?.indexes.map(pastIndexStatus) ?? indexes.map((index) => indexStatus(index, now)),
    ...(feeds.length > 0 && { advisories: feeds.map((feed) => feedStatus(feed, now)) }),
    ...(notifications.length > 0 && { notifications: notifications.map(notificationSummary) }),
  };
}

export type HeldBackStatus = ReturnType<typeof heldBackStatus>;

/** The packages that a view hides, and when it next shows more. */
export function heldBackStatus({ limit, hidden, undated, early, until }: View) {
  return {
    releasedAfter: new Date(limit * 1000).toISOString(),
    packages: hidden,
    withoutDate: undated,
    early,
    nextAt: Number.isFinite(until) ? new Date(until * 1000).toISOString() : undefined,
  };
}

/** Where the dates are kept: replicas have the same dates only if they share a database. */
function ledgerSummary({ kind, error, clockBehind, lost }: LedgerStatus): object {
  return {
    store: kind,
    kept: kind !== 'memory',
    shared: kind === 'postgres',
    ...(error !== undefined && { error }),
    ...(clockBehind > 0 && { clockBehind }),
    ...(lost > 0 && { lost }),
  };
}

function notificationSummary({ oldestAt, deliveredAt, givenUp, ...rest }: NotifyStatus): object {
  return {
    ...rest,
    givenUp,
    oldestPending: oldestAt && new Date(oldestAt).toISOString(),
    lastDelivered: deliveredAt && new Date(deliveredAt).toISOString(),
  };
}

export interface Readiness {
  readonly ready: boolean;
  readonly body: object;
}

/** Ready once every required index and every feed has been loaded; frozen ones count only with `failFrozen`. */
export function readiness(
  datasources: readonly LiveDatasource[],
  { now, stopping, failFrozen }: { now: number; stopping: boolean; failFrozen: boolean },
): Readiness {
  const entries = datasources.map((datasource) => {
    const problems = datasource.indexes
      .map((index) => indexStatus(index, now))
      .filter(({ state, frozen }) => state !== 'current' || frozen)
      .map(({ index, state, frozen, error, errorCode, required }) => ({
        index,
        state,
        frozen,
        required,
        errorCode,
        error,
      }));
    const feedProblems = datasource.feeds
      .map((feed) => feedStatus(feed, now))
      .filter(({ state }) => state !== 'current')
      .map(({ feed, state, confirmedAt, errorCode, error }) => ({
        feed,
        state,
        confirmedAt,
        errorCode,
        error,
      }));
    const ready = datasource.snapshot !== undefined && !(failFrozen && problems.some(({ frozen }) => frozen));
    return [
      datasource.name,
      { ready, generation: datasource.snapshot?.generation, problems: [...problems, ...feedProblems] },
    ] as const;
  });
  const ready = !stopping && entries.every(([, entry]) => entry.ready);
  return { ready, body: { ready, ...(stopping && { stopping }), datasources: Object.fromEntries(entries) } };
}
