/** Fetches what has changed since it was last fetched. */
import { stat } from 'node:fs/promises';
import { redactUrl } from '../addresses.ts';
import type { CredentialLookup } from './credentials.ts';
import { FetchError, parseRetryAfter } from './fetch-error.ts';
import type { GetOptions, UpstreamAnswer, UpstreamClient } from './upstream-client.ts';

/** The validators of an HTTP response (RFC 9110, 8.8): they show whether an index or feed has changed. */
export interface Validators {
  /** As sent, with quotes and `W/`. For a local file, made from its inode, size and change time. */
  readonly etag?: string | undefined;
  /** As sent: servers may compare it as text. */
  readonly lastModified?: string | undefined;
  /** Whether it was found at the alternative address. */
  readonly alternative?: boolean | undefined;
}

export interface ConditionalGet extends Omit<GetOptions, 'headers' | 'credential'> {
  readonly client: UpstreamClient;
  /** Used even for a user name in the URL: without it, no credentials are sent. */
  readonly credentials?: CredentialLookup | undefined;
  /** Those of the last fetch. */
  readonly validators?: Validators | undefined;
}

/** The answer of `url`; `undefined` if the validators still match. Throws a `FetchError` for any status but 200. */
export async function getIfChanged(
  url: URL,
  { client, credentials, validators = {}, ...options }: ConditionalGet,
): Promise<UpstreamAnswer | undefined> {
  const headers = conditionalHeaders(validators);
  const credential = await credentials?.(url);
  const answer = await client.get(url, { ...options, headers, credential });
  if (answer.status === 304 && Object.keys(headers).length > 0) return undefined;
  if (answer.status !== 200) throw statusError(url, answer);
  return answer;
}

/** The tag and size of a local file; `undefined` if it still has the tag of `validators`. */
export async function statIfChanged(
  path: string,
  validators: Validators | undefined,
): Promise<{ readonly etag: string; readonly size: bigint } | undefined> {
  // Checked before the file is opened: opening a pipe would wait for its writer.
  const stats = await stat(path, { bigint: true }).catch((cause: unknown) => {
    throw new FetchError(`cannot read ${path}`, { cause });
  });
  if (!stats.isFile()) throw new FetchError(`${path} is not a file`);
  // Not the modification time, which copies and reproducible builds set.
  const { ino, size, ctimeNs } = stats;
  const etag = `"${ino}-${size}-${ctimeNs}"`;
  return validators?.etag === etag ? undefined : { etag, size };
}

/**
 * The validators of an answer that can be sent back. A date must be before that of the answer (RFC 9110, 8.8.2.2): in the
 * same second the file may change again, and until a date in the future servers may call everything not modified.
 */
export function validatorsOf(answer: UpstreamAnswer): Validators {
  const [date = '', lastModified = ''] = [answer.header('date'), answer.header('last-modified')];
  return {
    etag: sendable(answer.header('etag')),
    lastModified: Date.parse(lastModified) < Date.parse(date) ? sendable(lastModified) : undefined,
  };
}

/** The error for an unexpected status. */
export function statusError(url: URL, answer: UpstreamAnswer): FetchError {
  const retryAfter = parseRetryAfter(answer.header('retry-after'), Date.now());
  const hint =
    answer.status === 401 ? ': credentials are missing or wrong (credentials, HTTP_AUTH, netrc)' : '';
  return new FetchError(`${redactUrl(url)} answered ${answer.status}${hint}`, {
    status: answer.status,
    retryAfter,
  });
}

function conditionalHeaders({ etag, lastModified }: Validators): Record<string, string> {
  return {
    ...(etag && { 'if-none-match': etag }),
    ...(lastModified && { 'if-modified-since': lastModified }),
  };
}

/** Skips validators that cannot be sent back: they would make every later request fail. */
function sendable(header: string | undefined): string | undefined {
  return header !== undefined && /^[\x20-\x7e]{1,1000}$/.test(header) ? header : undefined;
}
