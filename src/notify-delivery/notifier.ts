/**
 * Calls one receiver when the offered versions of watched names change: compares them with the last ones and sends
 * events (docs/decisions/020).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Views } from '../answers/views.ts';
import { inSteps, type Pause } from '../apk/pieces.ts';
import { nameWith, type Age } from '../catalog/age.ts';
import { counted, cut, errorLine } from '../errors.ts';
import type { Database } from '../ledger-store/database.ts';
import type { AskedName } from '../metrics/lookup-log.ts';
import { callOf, type Event, type Form } from '../notify/event.ts';
import { offersInSteps, type Change } from '../notify/offers.ts';
import { CLOCK, type Position } from '../notify/position.ts';
import type { NotifyStatus } from '../notify/status.ts';
import type { CredentialHeader } from '../repository/credentials.ts';
import { parseRetryAfter } from '../repository/fetch-error.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import type { LoadedFeed } from '../repository/live-feed.ts';
import { Alarm, nextDelay } from '../repository/refresh.ts';
import type { PostAnswer, UpstreamClient } from '../repository/upstream-client.ts';
import { MAX_WAIT, Outbox, type Pending, type Watched } from './outbox.ts';

export interface Receiver {
  /** Its name in the configuration. */
  readonly name: string;
  readonly live: LiveDatasource;
  /** Watches the view with this age. */
  readonly age: Age | undefined;
  /** Absent: all names that were looked up. */
  readonly names: readonly string[] | undefined;
  /** Reads the secrets for each call, because they may be rotated. */
  readonly address: () => Promise<Address>;
}

export interface Address {
  readonly url: URL;
  readonly form: Form;
  readonly credential: CredentialHeader | undefined;
}

export interface NotifierServices {
  readonly database: () => Promise<Database>;
  readonly client: UpstreamClient;
  readonly asked: (live: LiveDatasource) => readonly AskedName[];
  readonly now: () => number;
  readonly pause: Pause;
  readonly log: Pick<Console, 'info' | 'warn' | 'error'>;
}

/** Milliseconds between two checks for lookups and events of other replicas. */
const CHECK_EVERY = 30_000;
const MIN_CHECK_DELAY = 50;
const retries = { interval: 300_000, firstRetry: 5000 };
/** Milliseconds after which an undelivered event is dropped. */
const GIVE_UP = 7 * 86_400_000;
/** Milliseconds without a lookup after which a name is no longer watched. */
const FORGET = 90 * 86_400_000;
const MAX_NAMES = 20_000;
/** The time of the last lookup is stored once a day per name. */
const ASKED_EVERY = 86_400_000;
/** Statuses below 500 after which a retry may succeed. */
const worthRetrying: readonly number[] = [408, 425, 429];

type Outcome =
  | { readonly status: 'delivered' }
  | { readonly status: 'failed'; readonly fact: string; readonly retryAfter: number | undefined }
  | { readonly status: 'refused'; readonly fact: string };

export class Notifier {
  readonly #receiver: Receiver;
  readonly #services: NotifierServices;
  readonly #outbox: Outbox;
  readonly #views: Views;
  readonly #alarm = new Alarm();
  /** Generation and names of the last comparison. */
  #seen = '';
  #watched: ReadonlyMap<string, Watched> | undefined;
  #pending: Pending = { count: 0, oldestAt: undefined, dueAt: undefined };
  readonly #counts = { delivered: 0, failed: 0, givenUp: 0 };
  #deliveredAt: number | undefined;
  /** Why the last call failed. */
  #callError: string | undefined;
  /** Why the last comparison failed. */
  #storeError: string | undefined;
  /** Why nothing can be compared yet. */
  #waiting: string | undefined;

  constructor(receiver: Receiver, services: NotifierServices) {
    this.#receiver = receiver;
    this.#services = services;
    this.#outbox = new Outbox(services.database, `${receiver.name} ${this.#datasource}`);
    this.#views = new Views(services.now);
  }

  get live(): LiveDatasource {
    return this.#receiver.live;
  }

  get status(): NotifyStatus {
    return {
      receiver: this.#receiver.name,
      datasource: this.#datasource,
      names: this.#receiver.names?.length ?? this.#watched?.size ?? 0,
      pending: this.#pending.count,
      oldestAt: this.#pending.oldestAt,
      deliveredAt: this.#deliveredAt,
      ...this.#counts,
      error: this.#storeError ?? this.#waiting ?? this.#callError,
    };
  }

  /** Compares now. */
  wake(): void {
    this.#alarm.ring();
  }

  /** Reports changes until `signal` aborts. */
  async keepReporting(signal: AbortSignal): Promise<void> {
    await this.live.whenReady(signal);
    while (!signal.aborted) {
      // Before the work, so that a wake-up during it is not lost.
      const wake = this.#alarm.signal;
      const next = await this.reportOnce(signal);
      const delay = Math.min(CHECK_EVERY, Math.max(MIN_CHECK_DELAY, next - this.#services.now()));
      await sleep(delay, undefined, { signal: AbortSignal.any([signal, wake]) }).catch(() => undefined);
    }
  }

  /** Records changes and sends due events. Returns when there is more to do (unix milliseconds). */
  async reportOnce(signal: AbortSignal): Promise<number> {
    const { log, now } = this.#services;
    try {
      const changesAt = await this.#compare();
      while (await this.#sendNext(signal));
      this.#pending = await this.#outbox.pending();
      this.#storeError = undefined;
      return Math.min(changesAt, this.#pending.dueAt ?? Infinity);
    } catch (error) {
      if (signal.aborted) return Infinity;
      const fact = errorLine(error);
      if (fact !== this.#storeError)
        log.warn(
          { receiver: this.#receiver.name },
          `cannot compare the offered versions, trying again: ${fact}`,
        );
      this.#storeError = fact;
      return now() + CHECK_EVERY;
    }
  }

  /** Records the offered versions. Returns when the next package is old enough for the view. */
  async #compare(): Promise<number> {
    const { pause, now, asked, log } = this.#services;
    const { live, name: receiver } = this.#receiver;
    const at = now();
    // Before the view is made, so that the position is not ahead of the snapshot.
    const position = positionOf(this.#receiver, at);
    const snapshot = await this.#snapshot();
    if (!snapshot) return Infinity;
    const { view, generation } = snapshot;
    const changesAt = (view?.until ?? Infinity) * 1000;
    // PostgreSQL does not store the character 0: the name would be new each time.
    const lookedUp = this.#receiver.names ? [] : asked(live).filter(({ name }) => !name.includes('\0'));
    const stored = await this.#stored();
    const askedAt = new Map(lookedUp.map(({ name, lastAskedAt }) => [name, sinceDay(lastAskedAt)]));
    const names = this.#names(stored, askedAt, at);
    const watched = new Set(names);
    const seen = JSON.stringify([generation, names.length, lookedUp.length && [...askedAt]]);
    if (seen === this.#seen) return changesAt;
    const generations = [view?.base.generation ?? generation, live.snapshot?.generation];
    const since = (view?.since ?? -Infinity) * 1000;
    const askedBefore = lookedUp.filter(
      ({ firstIn, firstAskedAt }) => !generations.includes(firstIn) || firstAskedAt < since,
    );
    const changes = await this.#outbox.see({
      position,
      datasource: this.#datasource,
      generation,
      offers: await inSteps(offersInSteps(snapshot.catalog, names), pause),
      askedAt,
      askedBefore: new Set(askedBefore.map((each) => each.name)),
      forgotten: [...stored.keys()].filter((name) => !watched.has(name)),
      at,
    });
    const [missing] = Object.entries(position).flatMap(([label, own]) => (own === null ? label : []));
    this.#waiting = changes || missing === undefined ? undefined : `waiting for ${missing}`;
    // This replica is behind: wait until it has caught up, or another replica reports the change.
    if (!changes) return at + CHECK_EVERY;
    this.#seen = seen;
    this.#watched = undefined;
    await this.#stored();
    if (changes.length > 0) log.info({ receiver }, `changes to report: ${describe(changes)}`);
    return changesAt;
  }

  async #snapshot(): Promise<Snapshot | undefined> {
    const { live, age } = this.#receiver;
    const base = live.snapshot;
    if (!base || age === undefined) return base;
    return this.#views.known(base, age) ?? (await inSteps(this.#views.of(base, age), this.#services.pause));
  }

  /** The stored state of the watched names. Read each time if replicas share the database. */
  async #stored(): Promise<ReadonlyMap<string, Watched>> {
    if (!this.#watched || (await this.#outbox.isShared())) this.#watched = await this.#outbox.watched();
    return this.#watched;
  }

  /** The configured names, or those looked up recently. */
  #names(
    stored: ReadonlyMap<string, Watched>,
    askedAt: ReadonlyMap<string, number>,
    now: number,
  ): readonly string[] {
    if (this.#receiver.names) return this.#receiver.names;
    const all = new Map([...stored].map(([name, known]) => [name, known.askedAt]));
    for (const [name, at] of askedAt) all.set(name, at);
    const recent = [...all].filter(([, at]) => at > now - FORGET);
    if (recent.length > MAX_NAMES) recent.sort(([, a], [, b]) => b - a).length = MAX_NAMES;
    return recent.map(([name]) => name);
  }

  /** Sends the oldest event, if it is due. Returns whether another may be. */
  async #sendNext(signal: AbortSignal): Promise<boolean> {
    const { now, log } = this.#services;
    const claimed = await this.#outbox.claim(now());
    if (!claimed) return false;
    const { event, attempt } = claimed;
    const facts = { receiver: this.#receiver.name, event: event.id };
    const outcome = await this.#send(event, signal).catch(async (error: unknown) => {
      // Stopped during the call: the next start repeats it at once.
      await this.#outbox.postpone(event.id, now());
      throw error;
    });
    if (outcome.status === 'delivered') {
      await this.#outbox.settle(event.id);
      this.#counts.delivered += 1;
      this.#deliveredAt = now();
      this.#callError = undefined;
      log.info(facts, `reported: ${describe(event.changes)}`);
      return true;
    }
    this.#callError = outcome.fact;
    if (outcome.status === 'refused' || now() - event.at > GIVE_UP) {
      await this.#outbox.settle(event.id);
      this.#counts.givenUp += 1;
      log.error(
        facts,
        `given up after ${counted(attempt, 'call')}: ${outcome.fact}; not reported: ${describe(event.changes)}`,
      );
      return true;
    }
    const asked = Math.min(outcome.retryAfter ?? 0, MAX_WAIT);
    const delay = Math.round(Math.max(nextDelay(attempt, retries), asked));
    await this.#outbox.postpone(event.id, now() + delay);
    this.#counts.failed += 1;
    log.warn(facts, `call ${attempt} failed, again in ${Math.round(delay / 1000)} s: ${outcome.fact}`);
    return false;
  }

  async #send(event: Event, signal: AbortSignal): Promise<Outcome> {
    const { client, now } = this.#services;
    try {
      const { url, form, credential } = await this.#receiver.address();
      const { headers, body } = callOf(event, form, now());
      const answer = await client.post(url, { headers, credential, body, signal });
      return outcomeOf(url.host, answer, now());
    } catch (error) {
      if (signal.aborted) throw error;
      return { status: 'failed', fact: errorLine(error), retryAfter: undefined };
    }
  }

  get #datasource(): string {
    return nameWith(this.live.name, this.#receiver.age && { age: this.#receiver.age });
  }
}

function outcomeOf(host: string, { status, header }: PostAnswer, now: number): Outcome {
  if (status >= 200 && status < 300) return { status: 'delivered' };
  const fact = `${host} answered ${status}`;
  // A redirect could lead the secret and the token anywhere.
  if (status >= 300 && status < 400)
    return { status: 'refused', fact: `${fact}, a redirect, which is not followed` };
  if (status < 500 && !worthRetrying.includes(status)) return { status: 'refused', fact };
  return { status: 'failed', fact, retryAfter: parseRetryAfter(header('retry-after'), now) };
}

/** A view made of provisional dates hides too much: as if the index were not loaded. */
function positionOf({ live, age }: Receiver, now: number): Position {
  const made = live.indexes.map(({ spec, loaded }) => [
    spec.label,
    loaded && !(age && loaded.dates?.isProvisional)
      ? Math.max(loaded.summary.madeAt, loaded.summary.newestBuiltAt)
      : null,
  ]);
  const feeds = age?.security ? live.feeds.map(({ spec, loaded }) => [spec.label, newestOf(loaded)]) : [];
  return {
    ...Object.fromEntries([...made, ...feeds]),
    ...(age && { [CLOCK]: Math.floor(now / 1000) }),
  } as Position;
}

/** The time of the newest advisory in unix seconds; 0 if they have none. */
function newestOf(feed: LoadedFeed | undefined): number {
  const { newest } = feed?.feed.facts ?? {};
  return newest === undefined ? 0 : Date.parse(newest) / 1000;
}

function sinceDay(time: number): number {
  return Math.floor(time / ASKED_EVERY) * ASKED_EVERY;
}

/** `curl 8.1-r0, jq (none)`; of many, the first. */
function describe(changes: readonly Change[]): string {
  const some = changes.slice(0, 10).map(({ name, newest = '(none)' }) => `${cut(name)} ${newest}`);
  const more = changes.length > some.length ? ` and ${changes.length - some.length} more` : '';
  return some.join(', ') + more;
}
