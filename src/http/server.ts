/**
 * The HTTP server. Fastify routes requests, checks the token in a hook and catches errors. `routes.ts` makes or caches
 * the reply. Only `send` answers, so nothing can bypass it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify';
import { QueryError } from '../answers/query.ts';
import { IndexError } from '../errors.ts';
import { createQueue } from '../repository/pace.ts';
import type { Answered } from './answered.ts';
import { BodiesInFlight } from './bodies-in-flight.ts';
import { CheckBodies, hasTooManyValues, MAX_CHECK_BYTES, MAX_VALUES } from './check-bodies.ts';
import { PackageFiles } from './package-files.ts';
import { busy, matches, notModified, problem, type Reply } from './reply.ts';
import { pathOf } from './request.ts';
import { Routes, type RouteOptions } from './routes.ts';

export interface ServerOptions extends RouteOptions {
  readonly logger: FastifyBaseLogger;
  /** Read for each request, because its file may be rotated. */
  readonly clientToken: (() => Promise<string>) | undefined;
}

/** Milliseconds. */
const REQUEST_TIMEOUT = 30_000;
const KEEP_ALIVE = 72_000;
/** How long a connection may be idle while it is answered, in addition to the wait for a first index. */
const IDLE_TIMEOUT = 30_000;
/** How long answers may take after the drain time. Node's own timeouts end when the server closes. */
const CLOSING_TIME = 5000;

const CHECK = '/-/check';

/** Requests of one connection that wait for earlier answers. Only attackers have more. */
const MAX_WAITING = 100;

/** Pages of other sites may read public answers. */
const anyOrigin = ['access-control-allow-origin', '*'];
const closing = ['connection', 'close'];

const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** Routes that need no token. */
const open = { config: { open: true } };

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly open?: boolean;
  }
  interface FastifyRequest {
    /** When its turn came, by `performance.now()`: see `inTurn`. */
    began: number;
  }
}

export function buildServer(options: ServerOptions): FastifyInstance {
  const { clientToken } = options;
  const routes = new Routes(options);
  const files = new PackageFiles(options.logger);
  const send = sender(options, files);
  const app = Fastify({
    // With a logger, Fastify adds two listeners to each response. What is to be logged is logged here.
    logger: false,
    bodyLimit: 1024,
    requestTimeout: REQUEST_TIMEOUT,
    keepAliveTimeout: KEEP_ALIVE,
    connectionTimeout: options.hold + IDLE_TIMEOUT,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5000, maxHeaderSize: 16 * 1024 },
    // Requests on open connections are answered while stopping: to Renovate a 503 means "no such package".
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) =>
      send(request as FastifyRequest, reply as FastifyReply, { reply: problem(400, error.message) }),
    clientErrorHandler: (_error, socket) => {
      if (socket.writable) socket.end(BAD_REQUEST);
    },
  });

  acceptOnlyJson(app);
  app.decorateRequest('began', 0);
  app.addHook('onRequest', inTurn());
  app.addHook('onRequest', (request, reply, done) => {
    if (hostLines(request) > 1) send(request, reply, { reply: twoHosts });
    else done();
  });
  app.addHook('preClose', (done) => {
    files.close();
    setTimeout(() => app.server.closeAllConnections(), CLOSING_TIME).unref();
    done();
  });
  if (clientToken) {
    app.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.open || (await hasToken(request, clientToken))) return;
      send(request, reply, { reply: unauthorized });
    });
  }
  addRoutes(app, routes, send);
  app.setNotFoundHandler((request, reply) => send(request, reply, { reply: noRoute(request) }));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = statusOf(error);
    if (status >= 500) options.logger.error({ err: error }, 'a request failed');
    send(request, reply, { route: 'failed', reply: failure(request, status, error.message) });
  });
  return app;
}

/** A check is JSON; Fastify would read plain text, too. */
function acceptOnlyJson(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (hasTooManyValues(body)) done(tooManyValues);
    else void parseJson(request, body, done);
  });
}

function addRoutes(app: FastifyInstance, routes: Routes, send: Send): void {
  for (const path of ['/livez', '/healthz'])
    app.get(path, open, (request, reply) => send(request, reply, routes.livez()));
  app.get('/readyz', open, (request, reply) => send(request, reply, routes.readyz()));
  app.get('/metrics', open, async (request, reply) => send(request, reply, await routes.metrics()));
  app.get('/openapi.json', async (request, reply) => send(request, reply, await routes.openApi()));
  const checks = new CheckBodies();
  const admit: onRequestHookHandler = (request, reply, done) => {
    if (checks.admit(request.raw, reply.raw)) done();
    else send(request, reply, { route: 'check', reply: busy('too many checks are requested at once') });
  };
  app.post(CHECK, { bodyLimit: MAX_CHECK_BYTES, onRequest: admit }, async (request, reply) =>
    send(request, reply, await routes.check(request.body)),
  );
  app.get(CHECK, (request, reply) => send(request, reply, { reply: unsupported('POST') }));
  app.get('/*', (request, reply) => {
    const answered = routes.answer(request.raw);
    if (!(answered instanceof Promise)) {
      send(request, reply, answered);
      return;
    }
    return answered.then((each) => send(request, reply, each));
  });
}

type Send = (request: FastifyRequest, reply: FastifyReply, answered: Answered) => void;

/** Sends replies without Fastify's own sending, which encodes bodies as UTF-8 and does not limit them. */
function sender({ metrics, lookupCounts, stopping, clientToken }: ServerOptions, files: PackageFiles): Send {
  const bodies = new BodiesInFlight();
  return (
    { method, began, headers: { 'if-none-match': condition } },
    reply,
    { reply: made, file, route, times, lookup },
  ) => {
    reply.hijack();
    const own = (clientToken ? [] : anyOrigin).concat(stopping.aborted ? closing : []);
    if (file) {
      void files.send(reply.raw, file, { isHead: method === 'HEAD', headers: own });
      return;
    }
    const isSame = made.status === 200 && matches(condition, made.etag);
    const { status, headers, body } = isSame ? notModified(made) : made;
    if (lookup) lookupCounts.count(lookup.datasource, isSame ? 'not-modified' : lookup.result);
    reply.raw.writeHead(status, headers.concat(own));
    if (method === 'HEAD') reply.raw.end();
    else if (typeof body === 'string') reply.raw.end(body, 'latin1');
    else bodies.send(reply.raw, body);
    if (route === undefined) return;
    const timesOf = times && !isSame ? times : metrics.requestTimes.of(route, status);
    timesOf.observe((performance.now() - began) / 1000);
  };
}

function failure(request: FastifyRequest, status: number, message: string): Reply {
  // An unreadable body at an address that accepts none.
  if (request.is404 && status < 500) return noRoute(request);
  return problem(status, status === 500 ? 'internal error' : message);
}

/** The reply where no route matches. */
function noRoute({ method, raw }: FastifyRequest): Reply {
  if (['GET', 'HEAD'].includes(method)) return problem(400, 'the request target is not a path');
  return unsupported(pathOf(raw) === CHECK ? 'POST' : 'GET, HEAD');
}

function unsupported(allow: string): Reply {
  return problem(405, `only GET and HEAD are supported, and POST at ${CHECK}`, { allow });
}

/**
 * An `IndexError` is a 502: the index to be read again for a mirror may be gone. Clients do not learn which secret of the
 * service cannot be read.
 */
function statusOf(error: Error & { statusCode?: number }): number {
  if (error instanceof QueryError) return 400;
  if (error instanceof IndexError) return error.code === 'config-invalid' ? 500 : 502;
  return error.statusCode ?? 500;
}

/** Only Basic is offered: Chromium shows no dialog if one header offers several schemes. */
const unauthorized = problem(401, 'a token is needed, as a bearer token or as the password of any user', {
  'www-authenticate': 'Basic realm="apk-beacon"',
});

const tooManyValues = Object.assign(new Error(`the body has more than ${MAX_VALUES} values`), {
  statusCode: 413,
});

/** Required by RFC 9112: a proxy may have decided by the other one. */
const twoHosts = problem(400, 'the request has more than one Host header');

/** Node keeps only the first in `headers`. */
function hostLines({ raw: { rawHeaders } }: FastifyRequest): number {
  let lines = 0;
  // In place, and by length first: this is done for every request.
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') lines += 1;
  }
  return lines;
}

/**
 * Answers the requests of a connection one at a time, whatever it has sent ahead, and of all that were sent ahead one in
 * each turn of the event loop. So they cannot delay others: Node accepts one connection a turn.
 */
function inTurn() {
  const waiting = new WeakMap<Socket, number>();
  const oneEachTurn = createQueue();
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    request.began = performance.now();
    if (reply.raw.socket !== null) {
      done();
      return;
    }
    const { socket } = request.raw;
    const before = waiting.get(socket) ?? 0;
    if (before === MAX_WAITING) {
      reply.hijack();
      socket.destroy();
      return;
    }
    waiting.set(socket, before + 1);
    // Node gives a response the socket once the answers before it are sent.
    reply.raw.once('socket', () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      void oneEachTurn(async () => {
        await setImmediate();
        request.began = performance.now();
        if (!socket.destroyed) done();
      });
    });
  };
}

async function hasToken({ headers }: FastifyRequest, token: () => Promise<string>): Promise<boolean> {
  const given = headers.authorization ?? '';
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(given) ?? [];
  if (encoded === undefined)
    return isSameText(given.replace(/^Bearer +/i, 'Bearer '), `Bearer ${await token()}`);
  // apk knows users and passwords only.
  const text = Buffer.from(encoded, 'base64').toString();
  return isSameText(text.slice(text.indexOf(':') + 1), await token());
}

/** Constant-time comparison. */
function isSameText(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
