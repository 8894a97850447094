/** One feed of advisories kept current: fetch, reduce, guard, swap. The last good one stays whatever happens to the next. */
import { tmpdir } from 'node:os';
import { hashOf, inSteps, type Pause } from '../apk/pieces.ts';
import { Feed } from '../advisories/feed.ts';
import { checkFeed, type FeedPolicy } from '../advisories/plausible.ts';
import type { FeedFormat } from '../advisories/reduce.ts';
import { IndexError } from '../errors.ts';
import { makeFolder } from './atomic-file.ts';
import type { CredentialLookup } from './credentials.ts';
import { fetchFeed } from './fetch-feed.ts';
import type { Validators } from './conditional.ts';
import type { FeedProcess, FeedReaders } from './feed-process.ts';
import type { FeedQueue } from './feed-queue.ts';
import { CLOCK_SLACK } from './guards.ts';
import { checkOrHoldBack, type IndexStore } from './index-store.ts';
import { failureOf, type IndexFailure } from './live-index.ts';
import type { UpstreamClient } from './upstream-client.ts';
import { version } from '../version.ts';

/** Which feed, and its policy. */
export interface FeedSpec extends FeedFormat {
  /** Where to fetch it: a URL or a path. */
  readonly location: string;
  /** Everything that decides how it is reduced; see `KeptIndex`. */
  readonly terms: string;
  /** The location for logs and answers, without secrets. */
  readonly label: string;
  readonly guards: FeedPolicy;
  /** Milliseconds between two fetches. */
  readonly refresh: number;
  readonly maxBytes: number;
  /** The repositories that the feed may name, such as `v3.22/main`. */
  readonly repositories: readonly string[];
  /** Kept on disk; local files are not. */
  readonly cached: boolean;
}

export interface FeedServices {
  readonly client: UpstreamClient;
  readonly credentials: CredentialLookup;
  readonly store: IndexStore;
  readonly readers: FeedReaders;
  readonly now: () => number;
  readonly queue: FeedQueue;
  readonly pause: Pause;
  readonly warn: (message: string, error: unknown) => void;
  /** A folder for temporary files; where it cannot be written, that of the system is used. */
  readonly scratch: string | undefined;
}

export interface LoadedFeed {
  readonly feed: Feed;
  readonly validators: Validators;
  readonly source: 'upstream' | 'cache';
  /** When upstream last confirmed that this is the latest; unix milliseconds, like all times here. */
  readonly confirmedAt: number;
  /** When these contents were first seen. */
  readonly firstSeenAt: number;
}

export type FeedOutcome =
  | { readonly status: 'changed' | 'unchanged' }
  | { readonly status: 'failed'; readonly failure: IndexFailure };

const MAX_KEPT = 256 * 1024 * 1024;

export class LiveFeed {
  readonly spec: FeedSpec;
  readonly #services: FeedServices;
  #loaded: LoadedFeed | undefined;
  #failure: IndexFailure | undefined;

  constructor(spec: FeedSpec, services: FeedServices) {
    this.spec = spec;
    this.#services = services;
  }

  /** The last good one. */
  get loaded(): LoadedFeed | undefined {
    return this.#loaded;
  }

  /** Why the last refresh failed; `undefined` if it succeeded. */
  get failure(): IndexFailure | undefined {
    return this.#failure;
  }

  /** A message if the feed is for another repository than those it is used for. */
  get mismatch(): string | undefined {
    const { repository } = this.#loaded?.feed.facts ?? {};
    if (repository === undefined || this.spec.repositories.some((each) => each.endsWith(`/${repository}`)))
      return undefined;
    return `the feed says that it is for ${repository}`;
  }

  /**
   * Reads what is kept on disk; never touches the network. It was reduced by the program that kept it. Another version may
   * read the feed in another way, so it fetches it anew.
   */
  async restore(signal: AbortSignal): Promise<void> {
    const { store, warn } = this.#services;
    const stored = this.spec.cached ? await store.load(this.spec, MAX_KEPT) : undefined;
    if (!stored) return;
    try {
      const { confirmedAt, firstSeenAt } = stored;
      const validators = stored.program === version ? stored.validators : {};
      const feed = await this.#read(
        Buffer.from(stored.bytes.buffer, stored.bytes.byteOffset, stored.bytes.length),
      );
      this.#loaded = { feed, validators, source: 'cache', confirmedAt, firstSeenAt };
    } catch (error) {
      if (signal.aborted) throw error;
      warn('ignoring the cached advisories', error);
    }
  }

  /** Asks upstream for a newer one. Failures are outcomes, not exceptions; only an abort throws. */
  async refresh(signal: AbortSignal): Promise<FeedOutcome> {
    try {
      const status = await this.#services.queue.take(this.#loaded === undefined, (end) =>
        this.#fetchAndRead(AbortSignal.any([signal, end])),
      );
      this.#failure = undefined;
      return { status };
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failure = failureOf(error, this.#services.now());
      return { status: 'failed', failure: this.#failure };
    }
  }

  async #fetchAndRead(signal: AbortSignal): Promise<'changed' | 'unchanged'> {
    const { client, credentials, store, readers, now, scratch } = this.#services;
    const { location, kind, ecosystems, maxBytes, cached } = this.spec;
    const before = this.#loaded;
    const latest = now() + CLOCK_SLACK * 1000;
    if (scratch !== undefined) await makeFolder(scratch).catch(() => undefined);
    const folders = [...(scratch === undefined ? [] : [scratch]), tmpdir()];
    let reader: FeedProcess | undefined;
    const start = (): FeedProcess =>
      (reader ??= readers.read({ kind, ecosystems, latest, scratch: folders }));
    // What was fetched quickly may still take long to read.
    const stop = (): void => void reader?.stop();
    signal.addEventListener('abort', stop);
    try {
      const fetched = await fetchFeed(location, {
        client,
        credentials,
        validators: before?.validators,
        maxBytes,
        take: (piece) => start().write(piece),
        signal,
      });
      if (fetched.status === 'not-modified') {
        if (before) this.#loaded = { ...before, confirmedAt: now() };
        await store.clearHeldBack(this.spec);
        if (cached) await store.confirm(this.spec, now());
        return 'unchanged';
      }
      const bytes = await start().end();
      const feed = await this.#read(bytes);
      await this.#guard(before?.feed, feed, latest);
      const isSame = before?.feed.digest === feed.digest;
      const { validators } = fetched;
      const firstSeenAt = isSame ? before.firstSeenAt : now();
      this.#loaded = {
        feed: isSame ? before.feed : feed,
        validators,
        source: 'upstream',
        confirmedAt: now(),
        firstSeenAt,
      };
      if (cached) await store.save(this.spec, bytes, { validators, firstSeenAt });
      return isSame ? 'unchanged' : 'changed';
    } catch (error) {
      if (error instanceof IndexError && error.code === 'feed-malformed')
        throw new IndexError(error.code, `${this.spec.label}: ${error.message}`, { cause: error.cause });
      throw error;
    } finally {
      // Node keeps a combined signal, and its listener, as long as what it was made of.
      signal.removeEventListener('abort', stop);
      await reader?.stop();
    }
  }

  async #read(bytes: Buffer): Promise<Feed> {
    const { pause } = this.#services;
    const digest = (await hashOf(bytes, 'sha256', pause)).toString('hex');
    return await inSteps(Feed.read(bytes, digest), pause);
  }

  /** Throws if the feed is held back, and records that for an operator to accept. */
  async #guard(last: Feed | undefined, next: Feed, latest: number): Promise<void> {
    const { store, now, pause } = this.#services;
    await checkOrHoldBack(store, this.spec, { last, next, now }, () =>
      inSteps(checkFeed(last, next, this.spec.guards, latest), pause),
    );
  }
}
