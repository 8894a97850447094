/**
 * The HTTP side. A request goes one way: token, method, route (a ready answer, or `routes.ts`), If-None-Match, metrics,
 * and out by `#send`. Every answer passes all of it, whether it was ready or has to be made.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIPv6, type AddressInfo, type Socket } from 'node:net';
import type { BaseLogger } from 'pino';
import { QueryError } from '../catalog/query.ts';
import { BodiesInFlight } from './bodies-in-flight.ts';
import { matches, notModified, problem, type Reply } from './reply.ts';
import { pathOf, PROBES, Routes, type Answered, type RouteOptions } from './routes.ts';

export interface ServerOptions extends RouteOptions {
  readonly logger: BaseLogger;
  /** Read for every request, because the file it is in may be rotated. */
  readonly clientToken: (() => Promise<string>) | undefined;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Milliseconds. */
const REQUEST_TIMEOUT = 30_000;
const KEEP_ALIVE = 72_000;
/** Beyond the time a lookup waits for a first index: how long a connection may do nothing while it is answered. */
const IDLE_TIMEOUT = 30_000;
const httpOptions = { headersTimeout: 10_000, connectionsCheckingInterval: 5000, maxHeaderSize: 16 * 1024 };

/** Requests of one connection that wait for the answer before theirs. Only attackers have more. */
const MAX_PIPELINED = 100;

const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

export class HttpServer {
  /** For those who need the address or connections. */
  readonly server: Server;
  readonly #options: ServerOptions;
  readonly #routes: Routes;
  readonly #bodies = new BodiesInFlight();
  readonly #pipelined = new WeakMap<Socket, number>();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#routes = new Routes(options);
    this.server = createServer(httpOptions, this.handle);
    this.server.requestTimeout = REQUEST_TIMEOUT;
    this.server.keepAliveTimeout = KEEP_ALIVE;
    this.server.timeout = options.hold + IDLE_TIMEOUT;
    this.server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end(BAD_REQUEST);
    });
  }

  async listen({ host, port }: Address): Promise<void> {
    const listening = Promise.withResolvers<void>();
    this.server.once('error', listening.reject);
    this.server.listen(port, host, listening.resolve);
    await listening.promise;
    const bound = this.server.address() as AddressInfo;
    const name = isIPv6(bound.address) ? `[${bound.address}]` : bound.address;
    this.#options.logger.info(`Server listening at http://${name}:${bound.port}`);
  }

  /** Takes no connections any more and resolves when the open ones have ended. Requests under way are answered. */
  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = Promise.withResolvers<void>();
    this.server.close(() => closed.resolve());
    await closed.promise;
  }

  /** What the server does with a request. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    const began = performance.now();
    if (response.socket === null && this.#isFlooded(request.socket)) return;
    try {
      const answered = this.#answer(request);
      if (!(answered instanceof Promise)) {
        this.#send(request, response, answered, began);
        return;
      }
      answered
        .catch((error: unknown) => this.#failed(error))
        .then((result) => this.#send(request, response, result, began))
        .catch(() => response.destroy());
    } catch (error) {
      this.#send(request, response, this.#failed(error), began);
    }
  };

  #answer(request: IncomingMessage): Answered | Promise<Answered> {
    const { clientToken } = this.#options;
    if (clientToken === undefined || PROBES.has(pathOf(request))) return this.#routes.answer(request);
    return hasToken(request, clientToken).then((isAllowed) =>
      isAllowed ? this.#routes.answer(request) : { reply: unauthorized },
    );
  }

  #failed(error: unknown): Answered {
    if (error instanceof QueryError) return { route: 'failed', reply: problem(400, error.message) };
    this.#options.logger.error({ err: error }, 'a request failed');
    return { route: 'failed', reply: problem(500, 'internal error') };
  }

  /** The only place that answers. */
  #send(
    request: IncomingMessage,
    response: ServerResponse,
    { reply: made, route, times, lookup }: Answered,
    began: number,
  ): void {
    const { metrics, stopping } = this.#options;
    const isSame = made.status === 200 && matches(request.headers['if-none-match'], made.etag);
    const { status, headers, body } = isSame ? notModified(made) : made;
    if (lookup) metrics.countLookup(lookup.datasource, isSame ? 'not-modified' : lookup.result);
    response.writeHead(
      status,
      (stopping.aborted ? [...headers, 'connection', 'close'] : headers) as string[],
    );
    if (request.method === 'HEAD') response.end();
    else if (typeof body === 'string') response.end(body, 'latin1');
    else this.#bodies.send(response, body);
    if (route === undefined) return;
    const counted = (!isSame && times) || metrics.requestTimes.of(route, status);
    counted.observe((performance.now() - began) / 1000);
  }

  /** Counts a request that waits for the one before it, and ends the connection where there are too many. */
  #isFlooded(socket: Socket): boolean {
    const waiting = (this.#pipelined.get(socket) ?? 0) + 1;
    if (waiting === 1) setImmediate(() => this.#pipelined.delete(socket));
    this.#pipelined.set(socket, waiting);
    if (waiting > MAX_PIPELINED) socket.destroy();
    return waiting > MAX_PIPELINED;
  }
}

const unauthorized: Reply = problem(401, 'a bearer token is needed', { 'www-authenticate': 'Bearer' });

async function hasToken({ headers }: IncomingMessage, token: () => Promise<string>): Promise<boolean> {
  return isSameText(headers.authorization ?? '', `Bearer ${await token()}`);
}

/** Compares in a time that does not tell how much was right. */
function isSameText(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
