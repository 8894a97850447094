/** Fetches a feed of advisories in pieces, because it may be too large for memory. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { CredentialLookup } from './credentials.ts';
import { FetchError } from './fetch-error.ts';
import { conditionalHeaders, fileEtag, statusError, validatorsOf, type Validators } from './fetch-index.ts';
import type { UpstreamClient } from './upstream-client.ts';

export interface FetchFeedOptions {
  readonly client: UpstreamClient;
  readonly credentials: CredentialLookup | undefined;
  readonly validators: Validators | undefined;
  readonly maxBytes: number;
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
  const { client, credentials, maxBytes, take, signal } = options;
  const headers = conditionalHeaders(options.validators);
  const credential = await credentials?.(url);
  const answer = await client.get(url, { headers, credential, maxBytes, take, signal });
  if (answer.status === 304 && Object.keys(headers).length > 0) return { status: 'not-modified' };
  if (answer.status !== 200) throw statusError(url, answer);
  return { status: 'modified', validators: validatorsOf(answer) };
}

async function readLocal(
  path: string,
  { validators, maxBytes, take, signal }: FetchFeedOptions,
): Promise<FeedFetch> {
  const stats = await stat(path, { bigint: true }).catch((cause: unknown) => {
    throw new FetchError(`cannot read ${path}`, { cause });
  });
  if (!stats.isFile()) throw new FetchError(`${path} is not a file`);
  const etag = fileEtag(stats);
  if (validators?.etag === etag) return { status: 'not-modified' };
  if (stats.size > maxBytes)
    throw new FetchError(`${path}: ${stats.size} bytes are more than the ${maxBytes} allowed`, {
      code: 'fetch-too-large',
    });
  for await (const piece of createReadStream(path, { signal })) await take(piece as Buffer);
  return { status: 'modified', validators: { etag } };
}
