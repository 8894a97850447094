import { cut, IndexError } from '../errors.ts';

interface FetchFacts {
  readonly code?: 'fetch-failed' | 'fetch-too-large';
  /** The HTTP status that upstream answered. */
  readonly status?: number;
  /** Milliseconds for which upstream asked to be left alone. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** Something could not be fetched. The message names the redacted URL, or the path, and the fact. */
export class FetchError extends IndexError {
  readonly status: number | undefined;
  readonly retryAfter: number | undefined;

  constructor(message: string, { code = 'fetch-failed', status, retryAfter, cause }: FetchFacts = {}) {
    super(code, message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** A URL fit for messages: without user name, password and fragment, its query only hinted at. */
export function redactUrl(location: URL | string): string {
  const url = typeof location === 'string' ? URL.parse(location) : location;
  if (url === null) return '(not a URL)';
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

/** The same for a URL that others have written, such as the target of a redirect. */
export function shortUrl(location: URL): string {
  return cut(redactUrl(location), 200);
}

/** The address of a repository or key, a URL or a path, fit for messages. */
export function redactAddress(address: string): string {
  return URL.canParse(address) ? redactUrl(address) : address;
}

/**
 * Milliseconds that a `Retry-After` header (RFC 9110, 10.2.3: seconds or a date) asks to wait, or `undefined` where
 * it says neither. `now` is in milliseconds since 1970.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  // Date.parse alone would take "-1" for a year, and a date without zone for local time.
  const date = /^[A-Z][a-z]{2,8}, .{1,40} GMT$/.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
