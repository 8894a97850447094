/** A reply is a value: the routes make it, `server.ts` sends it. */

export interface Reply {
  readonly status: number;
  /** Names and values in turn, the fastest form for `writeHead`. */
  readonly headers: readonly string[];
  /** A string if every character is one byte; a buffer otherwise, and for large bodies. */
  readonly body: string | Buffer;
  /** For `If-None-Match`. */
  readonly etag: string | undefined;
}

export type Headers = Readonly<Record<string, string>>;

/** From this size on, a body is a buffer: connections share it, and it is sent in pieces. */
const LARGE_BODY = 16 * 1024;

/** Browsers must not run any answer, whatever its name. */
const NOTHING = "default-src 'none'";

/** `policy` is the Content-Security-Policy. */
export function createReply(
  status: number,
  headers: Headers,
  body: string | Buffer,
  policy = NOTHING,
): Reply {
  const length = Buffer.byteLength(body);
  const isPlain = typeof body === 'string' && length === body.length && length < LARGE_BODY;
  return {
    status,
    headers: [
      ...Object.entries(headers).flat(),
      'content-length',
      String(length),
      ...['x-content-type-options', 'nosniff', 'content-security-policy', policy],
    ],
    body: isPlain || typeof body !== 'string' ? body : Buffer.from(body),
    etag: headers['etag'],
  };
}

export const JSON_TYPE = 'application/json; charset=utf-8';

export function json(value: object, headers: Headers = { 'cache-control': 'no-cache' }, status = 200): Reply {
  return createReply(status, { ...headers, 'content-type': JSON_TYPE }, JSON.stringify(value));
}

/** Headers of JSON at an address that also has a page. */
export const negotiated: Headers = { 'cache-control': 'no-cache', vary: 'accept' };

/** Seconds after which clients ask again for what is not loaded. Renovate waits up to 60. */
const RETRY_AFTER = 15;

export const retryLater: Headers = { 'retry-after': String(RETRY_AFTER), 'cache-control': 'no-store' };

/** A 429: the client should retry soon. */
export function busy(error: string): Reply {
  return problem(429, error, retryLater);
}

export function problem(status: number, error: string, headers: Headers = {}): Reply {
  return json({ error }, { ...headers, 'cache-control': 'no-store' }, status);
}

/** Headers that describe a body; an answer without body does not have them. */
const OF_BODY: readonly string[] = ['content-length', 'content-type'];

/** The 304 that replaces the reply. */
export function notModified({ headers, etag }: Reply): Reply {
  const kept = headers.filter((_, i) => !OF_BODY.includes(headers[i - (i % 2)] as string));
  return { status: 304, headers: kept, body: '', etag };
}

/** Whether an If-None-Match header contains this strong tag. */
export function matches(header: string | undefined, etag: string | undefined): boolean {
  if (header === undefined || etag === undefined) return false;
  return header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag);
}
