/** Keeps one index current: fetch, read, guard, swap. The last good index stays whatever happens to the next. */
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { redactAddress } from '../addresses.ts';
import type { ReadLimits, VerifiedIndex } from '../apk/read-index.ts';
import type { Pause } from '../apk/pieces.ts';
import { readIndex } from '../apk/read-index.ts';
import { release } from '../apk/memory.ts';
import { bodyOf } from '../apk/stanzas.ts';
import type { TrustedKey } from '../apk/signature.ts';
import type { ReleaseDates } from '../catalog/catalog.ts';
import type { WithdrawalPolicy } from '../catalog/withdrawal.ts';
import { cut, errorLine, IndexError, RefusedError, type IndexErrorCode } from '../errors.ts';
import type { Validators } from './conditional.ts';
import type { CredentialHeader, CredentialLookup } from './credentials.ts';
import { FetchError } from './fetch-error.ts';
import { fetchIndex, type IndexFetch } from './fetch-index.ts';
import { checkPlausible, summarize, type GuardPolicy, type IndexSummary } from './guards.ts';
import { checkOrHoldBack, type IndexStore } from './index-store.ts';
import type { PastIndexes } from './past-indexes.ts';
import { Alarm } from './refresh.ts';
import type { UpstreamClient } from './upstream-client.ts';

/** Which index, and its policy. */
export interface IndexSpec {
  /** A URL or a path. */
  readonly location: string;
  /** The address to try if nothing is there. */
  readonly alternative?: string | undefined;
  /** Everything that decides whether it may be served; see `KeptIndex`. */
  readonly terms: string;
  /** The location for logs and answers, without secrets. */
  readonly label: string;
  /** The repository it belongs to, without secrets. */
  readonly repository: string;
  /** The configured arch; `undefined` if only the index knows. */
  readonly arch: string | undefined;
  /** The wanted archs of a file that may contain several. */
  readonly archs?: readonly string[] | undefined;
  /** Where the index was before: its ledger goes on. */
  readonly formerly?: readonly string[] | undefined;
  /** The operator's template for changelog links. */
  readonly changelog?: string | undefined;
  /** How the repository withdraws versions, if known. */
  readonly withdrawal?: WithdrawalPolicy | undefined;
  /** Its signatures are not checked. */
  readonly isUnverified?: boolean | undefined;
  /** Without this index the datasource does not answer. */
  readonly required: boolean;
  readonly guards: GuardPolicy;
  readonly maxCompressedBytes: number;
  readonly limits: ReadLimits;
  /** Its files can only be read with the credentials or certificate configured for the repository. */
  readonly isPrivate: boolean;
  /** Whether it is kept on disk; local files are not. */
  readonly cached: boolean;
}

/** Milliseconds between two calls of `onProgress`. */
const PROGRESS_EVERY = 2000;

/** Whether keys may be fetched, or only keys on disk be used. */
export type KeyOrigin = 'anywhere' | 'disk';

type Trust = readonly TrustedKey[] | 'unverified';

/** Everything an index uses from outside. */
export interface IndexServices {
  readonly client: UpstreamClient;
  /** A client for package files, which may take long. */
  readonly packages: UpstreamClient;
  readonly credentials: CredentialLookup | undefined;
  /** Trusted keys, or `unverified`. May fail if a key server is down or a key file cannot be read. */
  readonly keys: (signal: AbortSignal, from: KeyOrigin) => Promise<Trust>;
  readonly store: IndexStore;
  /** Keeps files after they were current. */
  readonly pasts?: PastIndexes;
  /** The release dates of the packages of an accepted index after that with the digest `before`; never rejects. */
  readonly dates?: (
    spec: IndexSpec,
    index: VerifiedIndex & { readonly before: string | undefined },
    source: LoadedIndex['source'],
  ) => Promise<ReleaseDates | undefined>;
  readonly now: () => number;
  /** Reading needs CPU and memory, so one index is read at a time. */
  readonly oneAtATime: <T>(work: () => Promise<T>) => Promise<T>;
  /** Yields to other work; called often. */
  readonly pause: Pause;
  /** Called from time to time in a long fetch. */
  readonly onProgress?: (index: IndexSpec, received: number, expected: number | undefined) => void;
  readonly warn: (message: string, error: unknown) => void;
}

export interface LoadedIndex {
  readonly index: VerifiedIndex;
  readonly summary: IndexSummary;
  readonly dates: ReleaseDates | undefined;
  readonly validators: Validators;
  /** The keys trusted at its verification. */
  readonly trusted: string;
  readonly source: 'upstream' | 'cache';
  /** When upstream last confirmed that this is the latest; unix milliseconds, like all times here. */
  readonly confirmedAt: number;
  readonly firstSeenAt: number;
}

export interface IndexFailure {
  readonly code: IndexErrorCode;
  readonly message: string;
  readonly at: number;
  /** Milliseconds that upstream asked to wait. */
  readonly retryAfter: number | undefined;
}

/** `at` is in unix milliseconds. */
export function failureOf(error: unknown, at: number): IndexFailure {
  return {
    code: error instanceof IndexError ? error.code : 'fetch-failed',
    message: errorLine(error),
    at,
    retryAfter: error instanceof FetchError ? error.retryAfter : undefined,
  };
}

export type RefreshOutcome =
  | { readonly status: 'changed'; readonly before: LoadedIndex | undefined; readonly after: LoadedIndex }
  /** `redated`: the same packages, now with dates that the ledger could not provide before. */
  | { readonly status: 'unchanged'; readonly redated: boolean }
  | { readonly status: 'failed'; readonly failure: IndexFailure };

/** The location of a package: a local file, or an address that anyone or only this service may read. */
export type PackageFile =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'public'; readonly url: URL }
  | {
      readonly kind: 'private';
      readonly url: URL;
      readonly credential: CredentialHeader | undefined;
      readonly client: UpstreamClient;
    };

export class LiveIndex {
  readonly spec: IndexSpec;
  /** Wakes the refresh loop when upstream is known to have a newer index. */
  readonly alarm = new Alarm();
  readonly #services: IndexServices;
  #loaded: LoadedIndex | undefined;
  #failure: IndexFailure | undefined;

  constructor(spec: IndexSpec, services: IndexServices) {
    this.spec = spec;
    this.#services = services;
  }

  /** The last good index. */
  get loaded(): LoadedIndex | undefined {
    return this.#loaded;
  }

  /** Why the last refresh failed; `undefined` if it succeeded. */
  get failure(): IndexFailure | undefined {
    return this.#failure;
  }

  /** Reads the index kept on disk. Never touches the network. Returns whether an index was restored. */
  async restore(signal: AbortSignal): Promise<boolean> {
    const { store, warn } = this.#services;
    const { cached, maxCompressedBytes } = this.spec;
    if (!cached) return false;
    const stored = await store.load(this.spec, maxCompressedBytes);
    if (!stored) return false;
    try {
      const keys = await this.#services.keys(signal, 'disk');
      const index = await this.#read(stored.bytes, keys, signal, this.#labelOf(stored.validators));
      await this.#keepPast(index, stored.bytes);
      release(stored.bytes);
      const { validators, confirmedAt, firstSeenAt } = stored;
      const summary = summarize(index, this.#services.now());
      this.#loaded = {
        index,
        summary,
        dates: await this.#datesOf({ index, summary }, 'cache'),
        validators,
        trusted: fingerprint(keys),
        source: 'cache',
        confirmedAt,
        firstSeenAt,
      };
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      warn('ignoring the cached index', error);
      return false;
    }
  }

  /**
   * The body of the index with this digest. Fetched again if the disk does not have it: it may be full, or shared with
   * a replica that has a newer index. Throws a `RefusedError` if upstream has another index, too.
   */
  async indexBody(digest: string): Promise<Uint8Array> {
    const { store, pasts, client, credentials, pause } = this.#services;
    const { cached, location, alternative, maxCompressedBytes: maxBytes, label } = this.spec;
    const places = [
      async () => (cached ? (await store.load(this.spec, maxBytes))?.bytes : undefined),
      async () => await pasts?.load(digest, maxBytes),
      async () => {
        const fetched = await fetchIndex(location, { client, credentials, alternative, maxBytes, pause });
        return fetched.status === 'modified' ? fetched.bytes : undefined;
      },
    ];
    for (const read of places) {
      const bytes = await read();
      const body = bytes && (await bodyOf(bytes, digest, pause));
      if (body) return body;
    }
    const fact = `${label} has changed since it was read`;
    if (this.#failure) throw new IndexError(this.#failure.code, `${fact}: ${this.#failure.message}`);
    this.alarm.ring();
    throw new RefusedError(429, fact);
  }

  /** The location of a package beside the index, and what is needed to fetch it. */
  async packageFile(file: string): Promise<PackageFile> {
    const { packages, credentials } = this.#services;
    const { location } = this.spec;
    const url = URL.parse(location);
    if (!url || url.protocol === 'file:')
      return { kind: 'local', path: join(dirname(url ? fileURLToPath(url) : location), file) };
    url.pathname = url.pathname.replace(/[^/]*$/, file);
    const credential = await credentials?.(url);
    const isPrivate = credential !== undefined || this.spec.isPrivate || url.search !== '';
    return isPrivate ? { kind: 'private', url, credential, client: packages } : { kind: 'public', url };
  }

  /** Asks upstream for a newer index. Returns failures as outcomes; throws only on abort. */
  async refresh(signal: AbortSignal): Promise<RefreshOutcome> {
    try {
      if (this.#loaded) await this.#services.pasts?.confirm(this.#loaded.index.digest);
      const outcome = await this.#fetchAndRead(signal);
      this.#failure = undefined;
      return outcome;
    } catch (error) {
      if (signal.aborted) throw error;
      this.#failure = failureOf(error, this.#services.now());
      return { status: 'failed', failure: this.#failure };
    }
  }

  async #fetchAndRead(signal: AbortSignal): Promise<RefreshOutcome> {
    const { store, now } = this.#services;
    const before = this.#loaded;
    const keys = await this.#services.keys(signal, 'anywhere');
    // If the keys changed, the index is verified again, even if upstream has nothing newer.
    const trusted = fingerprint(keys);
    const fetched = await this.#fetch(before?.trusted === trusted ? before.validators : undefined, signal);
    if (fetched.status === 'not-modified') {
      const dates = before && (await this.#retryDates(before));
      if (before) this.#loaded = { ...before, dates, confirmedAt: now() };
      await store.clearHeldBack(this.spec);
      if (this.spec.cached) await store.confirm(this.spec, now());
      return { status: 'unchanged', redated: dates !== before?.dates };
    }
    const label = this.#labelOf(fetched.validators);
    const index = await this.#read(fetched.bytes, keys, signal, label);
    const summary = summarize(index, now());
    // Both times are compared with the same clock.
    await this.#guard(before && summarize(before.index, now()), summary, label);
    const isSame = before?.summary.digest === summary.digest;
    const firstSeenAt = isSame ? before.firstSeenAt : now();
    const { validators } = fetched;
    const after = {
      index,
      summary,
      dates: isSame ? await this.#retryDates(before) : await this.#datesOf({ index, summary }, 'upstream'),
      validators,
      trusted,
      source: 'upstream',
      confirmedAt: now(),
      firstSeenAt,
    } as const;
    // Saved before it is served, so that it is also served after a crash.
    if (this.spec.cached) await store.save(this.spec, fetched.bytes, { validators, firstSeenAt });
    // Even the same index, because another key may have signed it.
    await this.#keepPast(index, fetched.bytes);
    this.#loaded = isSame ? { ...after, index: { ...before.index, keyName: index.keyName } } : after;
    release(fetched.bytes);
    return isSame
      ? { status: 'unchanged', redated: after.dates !== before.dates }
      : { status: 'changed', before, after };
  }

  /** Keeps a file of the past. An unverified one replaces none: that may have the signature, which others need. */
  async #keepPast({ digest, keyName }: VerifiedIndex, bytes: Uint8Array): Promise<void> {
    const { pasts } = this.#services;
    if (keyName === undefined && (await pasts?.has(digest))) await pasts?.confirm(digest);
    else await pasts?.keep(digest, bytes);
  }

  async #fetch(validators: Validators | undefined, signal: AbortSignal): Promise<IndexFetch> {
    const { client, credentials, onProgress, pause } = this.#services;
    const { location, alternative, maxCompressedBytes: maxBytes } = this.spec;
    let progressAt = performance.now();
    return await fetchIndex(location, {
      ...{ client, credentials, alternative, validators, maxBytes, pause, signal },
      onProgress: (received, expected) => {
        if (performance.now() - progressAt < PROGRESS_EVERY) return;
        progressAt = performance.now();
        onProgress?.(this.spec, received, expected);
      },
    });
  }

  /** Reads bytes of this index from another time, with the keys that are trusted now. */
  async readPast(bytes: Uint8Array): Promise<VerifiedIndex> {
    const { signal } = new AbortController();
    return await this.#read(bytes, await this.#services.keys(signal, 'disk'), signal);
  }

  /** Dates an unchanged index again if the ledger was unavailable or the clock was not set. */
  async #retryDates(loaded: LoadedIndex): Promise<ReleaseDates | undefined> {
    const { dates } = loaded;
    return dates && dates.isProvisional !== true ? dates : await this.#datesOf(loaded, 'upstream');
  }

  /** For the ledger, too, a time in the future is no time: every later index would look older. */
  async #datesOf(
    { index, summary: { madeAt } }: Pick<LoadedIndex, 'index' | 'summary'>,
    source: LoadedIndex['source'],
  ): Promise<ReleaseDates | undefined> {
    const before = this.#loaded?.index.digest;
    return await this.#services.dates?.(this.spec, { ...index, madeAt, before }, source);
  }

  /** The address that answered, for messages. */
  #labelOf({ alternative: isAlternative }: Validators): string {
    const { alternative, label } = this.spec;
    return isAlternative && alternative !== undefined ? redactAddress(alternative) : label;
  }

  async #read(
    bytes: Uint8Array,
    keys: Trust,
    signal: AbortSignal,
    label = this.spec.label,
  ): Promise<VerifiedIndex> {
    const { oneAtATime, pause } = this.#services;
    const { arch, archs, limits } = this.spec;
    const wanted = archs ? { archs } : { arch };
    try {
      const index = await oneAtATime(() => readIndex(bytes, { keys, limits, ...wanted, pause, signal }));
      if (arch !== undefined && index.arch !== arch && index.arch !== undefined) {
        throw new IndexError(
          'apkindex-malformed',
          `no packages for ${arch}, most are for ${cut(index.arch)}`,
        );
      }
      return index;
    } catch (error) {
      if (!(error instanceof IndexError) || error instanceof FetchError) throw error;
      throw new IndexError(error.code, `${label}: ${errorLine(error)}`);
    }
  }

  /** Throws if the index is held back, and records that for an operator to accept. */
  async #guard(last: IndexSummary | undefined, next: IndexSummary, label: string): Promise<void> {
    const { store, now } = this.#services;
    await checkOrHoldBack(store, { ...this.spec, label }, { last, next, now }, () =>
      checkPlausible(last, next, this.spec.guards),
    );
  }
}

/** Equal for the same keys with the same names. */
function fingerprint(keys: Trust): string {
  if (keys === 'unverified') return keys;
  const hash = createHash('sha256');
  for (const { name, key } of keys)
    hash.update(`${name}\0`).update(key.export({ type: 'spki', format: 'der' }));
  return hash.digest('hex');
}
