import { redactUrl } from '../addresses.ts';
import { cut, IndexError } from '../errors.ts';

interface FetchFacts {
  readonly code?: 'fetch-failed' | 'fetch-too-large';
  /** The HTTP status of upstream's response. */
  readonly status?: number;
  /** Milliseconds that upstream asked to wait. */
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** A fetch failed. The message has the redacted URL or the path, and the reason. */
export class FetchError extends IndexError {
  readonly status: number | undefined;
  readonly retryAfter: number | undefined;

  constructor(message: string, { code = 'fetch-failed', status, retryAfter, cause }: FetchFacts = {}) {
    super(code, message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** A foreign URL, such as the target of a redirect, shortened for messages. */
export function shortUrl(location: URL): string {
  return cut(redactUrl(location), 200);
}

/**
 * Milliseconds to wait according to a `Retry-After` header (RFC 9110, 10.2.3: seconds or a date), or `undefined` if it
 * is neither. `now` is in milliseconds since 1970.
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  // Date.parse alone would read "-1" as a year and a date without zone as local time.
  const date = /^[A-Z][a-z]{2,8}, .{1,40} GMT$/.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
