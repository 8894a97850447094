/** Fetches a feed of advisories in pieces, because it may be too large for memory. */
import { createReadStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { IndexError } from '../errors.ts';
import {
  getIfChanged,
  statIfChanged,
  validatorsOf,
  type ConditionalGet,
  type Validators,
} from './conditional.ts';
import { FetchError } from './fetch-error.ts';

export interface FetchFeedOptions extends ConditionalGet {
  /** Consumes a piece; the next one is fetched afterwards. */
  readonly take: (piece: Buffer) => Promise<void>;
  readonly signal: AbortSignal;
}

export type FeedFetch =
  { readonly status: 'modified'; readonly validators: Validators } | { readonly status: 'not-modified' };

/** Fetches from an http(s) or `file:` URL or a path, unless `validators` still match. Throws a `FetchError`. */
export async function fetchFeed(location: string, options: FetchFeedOptions): Promise<FeedFetch> {
  const url = URL.parse(location);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return await fetchRemote(url, options);
  return await readLocal(url?.protocol === 'file:' ? fileURLToPath(url) : location, options);
}

async function fetchRemote(url: URL, options: FetchFeedOptions): Promise<FeedFetch> {
  const answer = await getIfChanged(url, options);
  return answer ? { status: 'modified', validators: validatorsOf(answer) } : { status: 'not-modified' };
}

async function readLocal(
  path: string,
  { validators, maxBytes, take, signal }: FetchFeedOptions,
): Promise<FeedFetch> {
  const changed = await statIfChanged(path, validators);
  if (!changed) return { status: 'not-modified' };
  if (changed.size > maxBytes)
    throw new FetchError(`${path}: ${changed.size} bytes are more than the ${maxBytes} allowed`, {
      code: 'fetch-too-large',
    });
  // Up to the size that was checked; if the file grows meanwhile, the next refresh gets the rest.
  const stream = createReadStream(path, { signal, end: Math.max(0, Number(changed.size) - 1) });
  try {
    for await (const piece of stream) await take(piece as Buffer);
  } catch (cause) {
    if (cause instanceof IndexError || signal.aborted) throw cause;
    throw new FetchError(`cannot read ${path}`, { cause });
  }
  return { status: 'modified', validators: { etag: changed.etag } };
}
