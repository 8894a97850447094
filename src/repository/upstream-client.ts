/** Requests to other servers, which may not answer, answer slowly, or never stop sending. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { temporaryBytes } from '../apk/memory.ts';
import type { Pause } from '../apk/pieces.ts';
import { codeOf, IndexError } from '../errors.ts';
import type { CredentialHeader } from './credentials.ts';
import type { LookupFunction } from 'node:net';
import { Dispatchers, type ClientCertificate, type Hop } from './dispatchers.ts';
import { FetchError, shortUrl } from './fetch-error.ts';
import type { Environment } from './proxy.ts';
import { isThisMachine } from './address-policy.ts';
import { isRedirect, redirectTarget } from './redirect.ts';

/** All in milliseconds. */
export interface Timeouts {
  /** For DNS, TCP and TLS together. */
  readonly connect: number;
  /** From the request until all response headers have arrived. */
  readonly headers: number;
  /** Between two chunks of a body. */
  readonly bodyIdle: number;
  /** For everything, including redirects. */
  readonly total: number;
}

const defaultTimeouts: Timeouts = {
  connect: 10_000,
  headers: 30_000,
  bodyIdle: 30_000,
  total: 300_000,
};

export interface UpstreamClientOptions {
  /** For `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. */
  readonly environment: Environment;
  /** PEM files with authorities to trust in addition to Node's. */
  readonly extraCa?: readonly string[];
  /** Used if a server asks for it, unless a redirect to another origin led there. */
  readonly clientCertificate?: ClientCertificate | undefined;
  readonly timeouts?: Partial<Timeouts>;
  /** Resolves names; the system's `getaddrinfo` by default. */
  readonly lookup?: LookupFunction;
}

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent only to the origin of the URL, not after redirects to others. */
  readonly credential?: CredentialHeader | undefined;
  /** The address where upstream names this URL: it may lead where a redirect from there may. */
  readonly namedAt?: URL | undefined;
  /** Larger bodies are refused before they are held in memory. */
  readonly maxBytes: number;
  /** `expected` is the announced length. */
  readonly onProgress?: ((received: number, expected: number | undefined) => void) | undefined;
  /** Called between two chunks of a body. */
  readonly pause?: Pause | undefined;
  /** Takes the body of a 200 piece by piece, which is then not held: `bytes` is empty. */
  readonly take?: ((piece: Buffer) => Promise<void>) | undefined;
  /** Called before the body of a 200 is read. */
  readonly onHead?: ((header: UpstreamAnswer['header']) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface UpstreamAnswer {
  /** Any status but a redirect. */
  readonly status: number;
  /** The first value of a header, by its lower case name. */
  readonly header: (name: string) => string | undefined;
  /** The body of a 200; bodies of other statuses are not read. */
  readonly bytes: Uint8Array;
}

export interface PostOptions extends Pick<GetOptions, 'headers' | 'credential' | 'signal'> {
  readonly body: string;
}

/** Without the body, because a receiver may echo secrets of the request. */
export type PostAnswer = Pick<UpstreamAnswer, 'status' | 'header'>;

export interface UpstreamClient {
  /**
   * The response of `url`, after at most five redirects. Throws a `FetchError` for an incomplete response,
   * `config-invalid` for unusable TLS files or proxy variables, and the signal's reason on abort.
   */
  readonly get: (url: URL, options: GetOptions) => Promise<UpstreamAnswer>;
  /**
   * The response to a POST, whatever its status; no redirect is followed. Throws as `get` does, with the origin alone
   * in messages: paths of webhooks are often secret.
   */
  readonly post: (url: URL, options: PostOptions) => Promise<PostAnswer>;
  /** Closes all connections; running requests fail. */
  readonly close: () => Promise<void>;
}

const SENT = 'undici:client:sendHeaders';

/** Resolves once any client has connected and sends its request, after `most` milliseconds at the latest. */
export function firstRequestSent(most: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      unsubscribe(SENT, done);
      resolve();
    };
    const timer = setTimeout(done, most);
    subscribe(SENT, done);
  });
}

export function createUpstreamClient(options: UpstreamClientOptions): UpstreamClient {
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const dispatchers = new Dispatchers({ ...options, timeouts });
  const inTime = <T>(
    url: URL,
    signal: AbortSignal | undefined,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> => {
    const tooLate = (): Error =>
      new FetchError(`${shortUrl(url)}: no complete response ${within(timeouts.total)}`);
    return withDeadline(timeouts.total, tooLate, signal, (ending) =>
      work({ dispatchers, timeouts, signal: ending }),
    );
  };
  return {
    get: (url, options) =>
      inTime(url, options.signal, (connection) => follow(url, { ...options, ...connection })),
    post: (url, options) =>
      inTime(new URL(url.origin), options.signal, (connection) =>
        postOnce(url, { ...options, ...connection }),
      ),
    close: () => dispatchers.destroy(),
  };
}

const maxRedirects = 5;

interface Connection {
  readonly dispatchers: Dispatchers;
  readonly timeouts: Timeouts;
  readonly signal: AbortSignal;
}

type Exchange = GetOptions & Connection;

interface Step {
  readonly url: URL;
  readonly hop: Hop;
}

async function follow(url: URL, exchange: Exchange): Promise<UpstreamAnswer> {
  const { namedAt: home = url } = exchange;
  let step: Step = { url: home, hop: { identify: true, policy: 'anywhere' } };
  if (home !== url) step = stepTo(redirectTarget(home, url.href, 'leads'), step, home);
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const answer = await exchangeOnce(step.url, step.hop, exchange);
    if (!isRedirect(answer.status)) return answer;
    step = stepTo(redirectTarget(step.url, answer.header('location')), step, home);
  }
  throw new FetchError(
    `${shortUrl(url)} redirects more than ${maxRedirects} times, last to ${shortUrl(step.url)}`,
  );
}

/** After a redirect to another origin, no later hop gets the credentials, not even the origin of `home`. */
function stepTo(target: URL, { url: from, hop }: Step, home: URL): Step {
  let { policy } = hop;
  if (target.hostname !== from.hostname) policy = isThisMachine(from) ? 'not-metadata' : 'not-here';
  if (target.hostname === home.hostname) policy = 'anywhere';
  return { url: target, hop: { identify: hop.identify && target.origin === home.origin, policy } };
}

async function exchangeOnce(url: URL, hop: Hop, exchange: Exchange): Promise<UpstreamAnswer> {
  const headers = {
    ...{ accept: '*/*', 'accept-encoding': 'identity' },
    // Without it, a caching proxy may answer for days by itself (RFC 9111, 4.2.2).
    'cache-control': 'max-age=0',
    ...exchange.headers,
  };
  return await asked(url, hop, { ...exchange, method: 'GET', headers }, async (status, header, body) => {
    if (status === 200) {
      exchange.onHead?.(header);
      return { status, header, bytes: await readBody(url, body, header('content-length'), exchange) };
    }
    body.on('error', () => undefined).destroy();
    return { status, header, bytes: new Uint8Array() };
  });
}

async function postOnce(url: URL, exchange: PostOptions & Connection): Promise<PostAnswer> {
  const hop: Hop = { identify: true, policy: 'anywhere' };
  return await asked(url, hop, { ...exchange, method: 'POST' }, (status, header, body) => {
    body.on('error', () => undefined).destroy();
    return Promise.resolve({ status, header });
  });
}

interface Request extends Connection, Pick<GetOptions, 'headers' | 'credential'> {
  readonly method: 'GET' | 'POST';
  readonly body?: string;
}

type Take<T> = (
  status: number,
  header: UpstreamAnswer['header'],
  body: Dispatcher.ResponseData['body'],
) => Promise<T>;

async function asked<T>(
  url: URL,
  hop: Hop,
  { dispatchers, timeouts, signal, credential, method, headers: given, body: sent }: Request,
  take: Take<T>,
): Promise<T> {
  try {
    const dispatcher = await dispatchers.dispatcherFor(url, hop);
    const { statusCode, headers, body } = await dispatcher.request({
      method,
      origin: url.origin,
      path: url.pathname + url.search,
      headers: {
        'user-agent': 'apk-beacon',
        ...given,
        ...(hop.identify && credential ? { [credential.name]: credential.value } : {}),
      },
      ...(sent !== undefined && { body: sent }),
      headersTimeout: timeouts.headers,
      bodyTimeout: timeouts.bodyIdle,
      signal,
    });
    return await take(statusCode, (name) => firstValue(headers, name), body);
  } catch (cause) {
    if (cause instanceof IndexError || signal.aborted) throw cause;
    throw fetchError(method === 'POST' ? new URL(url.origin) : url, cause, timeouts);
  }
}

function firstValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

/**
 * The whole body. With an announced length it is written directly to its buffer; otherwise the chunks are kept and
 * copied once at the end.
 */
async function readBody(
  url: URL,
  body: Dispatcher.ResponseData['body'],
  contentLength: string | undefined,
  { maxBytes, onProgress, pause, take }: GetOptions,
): Promise<Uint8Array> {
  const expected = contentLength === undefined ? undefined : Number(contentLength);
  if (expected !== undefined && expected > maxBytes) {
    body.on('error', () => undefined).destroy();
    throw tooLarge(url, `${expected} bytes are more than the ${maxBytes} allowed`);
  }
  const place = expected === undefined || take ? undefined : temporaryBytes(expected);
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (received + chunk.length > (expected ?? maxBytes)) {
      throw tooLarge(url, `the body has more than the ${expected ?? maxBytes} bytes allowed`);
    }
    if (take) await take(chunk);
    else if (place) chunk.copy(place, received);
    else chunks.push(chunk);
    received += chunk.length;
    onProgress?.(received, expected);
    await pause?.();
  }
  // undici checks the length; still, a short body must not pass as one that ends in zeros.
  if (place && received < place.length) throw new FetchError(`${shortUrl(url)}: the body is too short`);
  return place ?? Buffer.concat(chunks, received);
}

function tooLarge(url: URL, fact: string): FetchError {
  return new FetchError(`${shortUrl(url)}: ${fact}`, { code: 'fetch-too-large', status: 200 });
}

function fetchError(url: URL, cause: unknown, timeouts: Timeouts): FetchError {
  // For a name with several addresses this is one error per address, without a message of its own.
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  return new FetchError(`${shortUrl(url)}: ${fetchFailure(first, timeouts)}`, { cause: first });
}

function fetchFailure(error: unknown, timeouts: Timeouts): string {
  switch (codeOf(error)) {
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `no connection ${within(timeouts.connect)}`;
    case 'UND_ERR_HEADERS_TIMEOUT':
      return `no headers ${within(timeouts.headers)}`;
    case 'UND_ERR_BODY_TIMEOUT':
      return `the body stopped: no more bytes ${within(timeouts.bodyIdle)}`;
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      return 'the body does not have the announced length';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'its certificate is not from a trusted authority; extraCa adds authorities';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return 'the server, or the proxy, does not speak TLS';
    default:
      return 'cannot be fetched';
  }
}

const within = (milliseconds: number): string => `within ${milliseconds / 1000} s`;

/**
 * The result of `work`, unless the time is up or `signal` aborts first. The race is for requests that wait for a
 * connection: undici rejects them at an abort only once they have it.
 */
async function withDeadline<T>(
  milliseconds: number,
  tooLate: () => Error,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(tooLate()), milliseconds);
  const forward = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', forward, { once: true });
  try {
    return await Promise.race([rejectOnAbort(controller.signal), work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', forward);
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
