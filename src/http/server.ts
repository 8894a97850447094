/**
 * The HTTP side: routes, and how a request is answered. There is no state here but the answers kept for the current
 * generation; a lookup that comes too early waits for its datasource.
 */
import { timingSafeEqual, createHash } from 'node:crypto';
import { createServer } from 'node:http';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { askedBody, type Asked } from '../asked.ts';
import { ANY_ARCH } from '../catalog/virtual-index.ts';
import { explain } from '../catalog/explain.ts';
import { parseLookupQuery, QueryError, type QueryParameters } from '../catalog/query.ts';
import { newestInRange } from '../catalog/range.ts';
import type { Lookups } from '../lookup.ts';
import type { VirtualIndexes } from '../virtual-indexes.ts';
import type { LookupResult, Metrics } from '../metrics.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { HotAnswers, type Source } from './hot-answers.ts';
import { parsePath, type Target } from './paths.ts';
import { datasourceStatus, readiness } from './status.ts';

export interface ServerOptions {
  readonly datasources: readonly LiveDatasource[];
  readonly defaultDatasource: string;
  readonly lookups: Lookups;
  readonly virtualIndexes: VirtualIndexes;
  readonly metrics: Metrics;
  readonly asked: Asked;
  readonly logger: FastifyBaseLogger;
  /** Milliseconds a lookup waits for the first index. */
  readonly hold: number;
  /** Seconds that clients may keep an answer. */
  readonly maxAge: number;
  readonly failFrozen: boolean;
  /** Read for every request, because the file it is in may be rotated. */
  readonly clientToken: (() => Promise<string>) | undefined;
  /** The Renovate preset for these datasources, with the address under which the client has reached the service. */
  readonly preset: (datasources: readonly string[], url: string) => object;
  readonly now: () => number;
  /** Aborts when the service begins to stop. */
  readonly stopping: AbortSignal;
}

/** Seconds after which to ask again for what is not loaded yet. Renovate waits up to 60. */
const RETRY_AFTER = 15;

/** Milliseconds. */
const REQUEST_TIMEOUT = 30_000;
const KEEP_ALIVE = 72_000;
const httpOptions = { headersTimeout: 10_000, connectionsCheckingInterval: 5000, maxHeaderSize: 16 * 1024 };

/** No route has a schema. To say so keeps Fastify from loading two compilers for them at every start. */
const noSchemas = (): never => {
  throw new Error('no route has a schema');
};

const PROBES: readonly string[] = ['/livez', '/readyz', '/metrics'];

export function buildServer(options: ServerOptions): FastifyInstance {
  const { metrics } = options;
  const hotTimes = metrics.requestTimes.of('releases', 200);
  const hot = new HotAnswers({
    lookUp: ({ live, ...lookup }) => options.lookups.answer({ datasource: live.name, ...lookup }),
    onAnswer: ({ live, name, snapshot }, seconds) => {
      options.asked.note(live.name, name, true, snapshot);
      metrics.countLookup(live.name, 'found');
      hotTimes.observe(seconds);
    },
  });
  /** Replies that may be kept as they are. */
  const keepable = new WeakMap<FastifyReply, Source>();
  const app = Fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    schemaController: {
      compilersFactory: { buildValidator: () => noSchemas, buildSerializer: () => noSchemas },
    },
    bodyLimit: 1024,
    serverFactory: (handler) => {
      const server = createServer(httpOptions, (request, response) => {
        // Who has to show a token, or should hear that the connection ends, goes the long way.
        const isPlain = !options.clientToken && !options.stopping.aborted;
        if (!isPlain || !hot.answer(request, response)) handler(request, response);
      });
      server.requestTimeout = REQUEST_TIMEOUT;
      server.keepAliveTimeout = KEEP_ALIVE;
      return server;
    },
    // Requests that are under way or come on open connections while stopping are answered, not shed: Renovate would
    // take a 503 for "no such package".
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: true,
    frameworkErrors: (error, _request, reply) => void problem(reply as FastifyReply, 400, error.message),
    clientErrorHandler: (_error, socket) => {
      if (socket.writable)
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    },
  });
  const byName = new Map(options.datasources.map((datasource) => [datasource.name, datasource]));
  const names = [...byName.keys()];

  app.addHook('onSend', (request, reply, payload, done) => {
    // Nothing here is for a browser to run, whatever name it was asked for.
    reply.header('x-content-type-options', 'nosniff').header('content-security-policy', "default-src 'none'");
    if (options.stopping.aborted) reply.header('connection', 'close');
    const source = keepable.get(reply);
    if (source) hot.keep(request.raw.url ?? '', source, reply.getHeaders(), payload as string);
    done();
  });
  if (options.clientToken) app.addHook('onRequest', checkToken(options.clientToken));

  app.get('/livez', (_request, reply) => reply.type('text/plain').send('ok\n'));
  app.get('/readyz', (_request, reply) => {
    const { now, failFrozen, stopping } = options;
    const { ready, body } = readiness(options.datasources, {
      now: now(),
      failFrozen,
      stopping: stopping.aborted,
    });
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(body);
  });
  app.get('/metrics', async (_request, reply) => {
    const { registry } = metrics;
    return reply.type(registry.contentType).send(await registry.metrics());
  });
  app.get('/*', async (request, reply) => {
    const began = performance.now();
    const [path = ''] = request.raw.url?.split('?', 1) ?? [];
    const target = parsePath(path, names, options.defaultDatasource);
    await answer(target, request, reply);
    const route = target.kind === 'package' ? target.view : target.kind;
    metrics.requestTimes.of(route, reply.statusCode).observe((performance.now() - began) / 1000);
    return reply;
  });
  app.setNotFoundHandler((request, reply) => {
    if (request.method === 'GET' || request.method === 'HEAD')
      return problem(reply, 400, 'the request target is no path');
    return problem(reply.header('allow', 'GET, HEAD'), 405, 'only GET and HEAD are answered');
  });
  app.setErrorHandler((error, request, reply) => {
    const { statusCode = 500 } = error as { statusCode?: number };
    const status = error instanceof QueryError ? 400 : statusCode;
    metrics.requestTimes.of('failed', status).observe(reply.elapsedTime / 1000);
    if (status < 500) return problem(reply, status, (error as Error).message);
    request.log.error({ err: error }, 'a request failed');
    return problem(reply, 500, 'internal error');
  });
  return app;

  async function answer(target: Target, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    switch (target.kind) {
      case 'root':
        return json(reply, { service: 'apk-beacon', default: options.defaultDatasource, datasources: names });
      case 'invalid':
        return problem(reply, 400, target.fact);
      case 'preset':
        return json(reply, options.preset(target.datasource ? [target.datasource] : names, ownUrl(request)));
      case 'index':
        return answerIndex(target, request, reply);
      case 'datasource':
        return json(reply, datasourceStatus(byName.get(target.datasource) as LiveDatasource, options.now()));
      case 'asked': {
        const live = byName.get(target.datasource) as LiveDatasource;
        return json(reply, askedBody(live.name, options.asked.list(live)));
      }
      case 'package':
        return answerPackage(target, request, reply);
    }
  }

  async function answerPackage(
    { datasource, name, view }: Extract<Target, { kind: 'package' }>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const live = byName.get(datasource) as LiveDatasource;
    const snapshot = live.snapshot ?? (await held(live));
    if (!snapshot) return notLoaded(live, reply);
    const parameters = request.query as QueryParameters;
    const query = parseLookupQuery(parameters, live.archs);
    reply.header('x-apk-beacon-generation', snapshot.generation);
    if (view === 'explain') {
      const pin = parameters['current'];
      const report = snapshot.catalog.report(name, query.archs);
      return json(reply, explain(report, query, typeof pin === 'string' ? pin : undefined, snapshot.catalog));
    }
    const { body, etag, found } = options.lookups.answer({ datasource, snapshot, name, query });
    options.asked.note(datasource, name, found, snapshot);
    if (!found) {
      metrics.countLookup(datasource, 'unknown');
      return reply.code(404).header('cache-control', 'no-cache').type('application/json').send(body);
    }
    if (view === 'latest') return latest(live, snapshot, name, request, reply);
    reply.header('cache-control', `max-age=${options.maxAge}`).header('etag', etag);
    if (matches(request.headers['if-none-match'], etag)) {
      metrics.countLookup(datasource, 'not-modified');
      return reply.code(304).send();
    }
    metrics.countLookup(datasource, 'found');
    // Which archs there are can change with an index, so a question about some of them is read anew each time.
    if (request.method === 'GET' && !query.archs && !options.stopping.aborted)
      keepable.set(reply, { live, snapshot, name, query });
    return reply.type('application/json').send(body);
  }

  async function answerIndex(
    { datasource, arch }: Extract<Target, { kind: 'index' }>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> {
    const live = byName.get(datasource) as LiveDatasource;
    if (arch !== ANY_ARCH && !live.archs.includes(arch)) {
      const known = [...live.archs, ANY_ARCH].join(', ');
      return problem(reply, 404, `no arch ${arch} in ${datasource}, expected one of ${known}`);
    }
    const snapshot = live.snapshot ?? (await held(live));
    if (!snapshot) return notLoaded(live, reply);
    const { bytes, etag } = await options.virtualIndexes.archive(snapshot, arch);
    reply
      .header('x-apk-beacon-generation', snapshot.generation)
      .header('cache-control', `max-age=${options.maxAge}`)
      .header('etag', etag);
    if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
    return reply.type('application/gzip').send(bytes);
  }

  function latest(
    { name: datasource, archs }: LiveDatasource,
    snapshot: Snapshot,
    name: string,
    request: FastifyRequest,
    reply: FastifyReply,
  ): unknown {
    const parameters = request.query as QueryParameters;
    const query = parseLookupQuery(parameters, archs);
    const releases = options.lookups.releases({ datasource, snapshot, name, query });
    const newest = newestInRange(releases, parameters['range']);
    const result: LookupResult = newest ? 'found' : 'unknown';
    metrics.countLookup(datasource, result);
    if (!newest) return problem(reply, 404, `no release of ${name} in ${datasource} fits`);
    return reply
      .header('cache-control', `max-age=${options.maxAge}`)
      .type('text/plain')
      .send(`${newest.version.text}\n`);
  }

  /** The first snapshot, waited for as long as a client is patient. */
  async function held(live: LiveDatasource): Promise<Snapshot | undefined> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), options.hold);
    try {
      return await live.whenReady(AbortSignal.any([patience.signal, options.stopping]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Never a 404 and never a 503 with Retry-After: Renovate takes both for "no such package". */
  function notLoaded(live: LiveDatasource, reply: FastifyReply): unknown {
    metrics.countLookup(live.name, 'not-loaded');
    const missing = live.missing.map(({ spec, failure }) => ({ index: spec.label, error: failure?.message }));
    return reply
      .code(429)
      .header('retry-after', RETRY_AFTER)
      .header('cache-control', 'no-store')
      .send({ error: `${live.name} is not loaded yet`, datasource: live.name, missing });
  }
}

/** As the client wrote it; of a `Host` that could be no host, nothing is taken over. */
function ownUrl({ protocol, host }: FastifyRequest): string {
  return `${protocol}://${/^[A-Za-z0-9._-]+(:\d+)?$|^\[[0-9a-fA-F:.]+\](:\d+)?$/.test(host) ? host : 'localhost'}`;
}

function json(reply: FastifyReply, value: object): unknown {
  return reply.header('cache-control', 'no-cache').send(value);
}

function problem(reply: FastifyReply, status: number, error: string): FastifyReply {
  return reply.code(status).header('cache-control', 'no-store').send({ error });
}

/** Does an If-None-Match header name this strong tag? */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((each) => each.trim() === '*' || each.trim().replace(/^W\//, '') === etag);
}

function checkToken(token: () => Promise<string>) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (PROBES.includes(request.routeOptions.url ?? '')) return undefined;
    const expected = `Bearer ${await token()}`;
    if (isSame(request.headers.authorization ?? '', expected)) return undefined;
    return problem(reply.header('www-authenticate', 'Bearer'), 401, 'a bearer token is needed');
  };
}

/** Compares in a time that does not tell how much was right. */
function isSame(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
