/** What a request asks for, and the reply to it. */
import type { IncomingMessage } from 'node:http';
import { parse as parseQueryString } from 'node:querystring';
import { LRUCache } from 'lru-cache';
import type { Asked } from '../metrics/lookup-log.ts';
import { explain } from '../answers/explain.ts';
import { parseLookupQuery, type QueryParameters } from '../answers/query.ts';
import { newestInRange } from '../answers/range.ts';
import { ANY_ARCH } from '../answers/virtual-index.ts';
import type { Lookups } from '../answers/lookup.ts';
import type { LookupResult, Metrics } from '../metrics/metrics.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import type { Times } from '../metrics/request-times.ts';
import type { VirtualIndexes } from '../answers/virtual-indexes.ts';
import { parsePath, type Target } from '../answers/target.ts';
import { createReply, json, JSON_TYPE, problem, type Headers, type Reply } from './reply.ts';
import { datasourceStatus, readiness } from './status.ts';

export interface RouteOptions {
  readonly datasources: readonly LiveDatasource[];
  readonly defaultDatasource: string;
  readonly lookups: Lookups;
  readonly virtualIndexes: VirtualIndexes;
  readonly metrics: Metrics;
  readonly asked: Asked;
  /** Milliseconds a lookup waits for the first index. */
  readonly hold: number;
  /** Seconds that clients may keep an answer. */
  readonly maxAge: number;
  readonly failFrozen: boolean;
  /** The Renovate preset for these datasources, with the address under which the client has reached the service. */
  readonly preset: (datasources: readonly string[], url: string) => object;
  readonly now: () => number;
  /** Aborts when the service begins to stop. */
  readonly stopping: AbortSignal;
}

export interface Answered {
  readonly reply: Reply;
  /** For the metrics of request times; absent for what is not measured. */
  readonly route?: string;
  /** Where its time is counted unless it becomes a 304; known beforehand for a ready answer. */
  readonly times?: Times;
  readonly lookup?: { readonly datasource: string; readonly result: LookupResult };
}

/** A reply with what it was made of. Weak: it must not keep the packages of a past generation in memory. */
interface Ready {
  readonly answered: Answered;
  readonly live: LiveDatasource;
  readonly snapshot: WeakRef<Snapshot>;
  readonly name: string;
}

/** Seconds after which to ask again for what is not loaded yet. Renovate waits up to 60. */
const RETRY_AFTER = 15;

const MAX_READY = 10_000;
const MAX_READY_BYTES = 16 * 1024 * 1024;
const MAX_TARGET_LENGTH = 512;

/** The raw path of a request, without the query. */
function pathOf({ url = '' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

export class Routes {
  readonly #options: RouteOptions;
  readonly #datasources: ReadonlyMap<string, LiveDatasource>;
  readonly #default: LiveDatasource;
  /**
   * Ready answers to lookups by raw request target (docs/decisions/007): what Renovate asks is asked again and again, and
   * the same bytes go out until the generation changes. An answer counts as long as its datasource has the very
   * snapshot it was made of.
   */
  readonly #ready = new LRUCache<string, Ready>({
    max: MAX_READY,
    maxSize: MAX_READY_BYTES,
    sizeCalculation: ({ answered }, target) => answered.reply.body.length + target.length + 400,
  });

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#datasources = new Map(options.datasources.map((live) => [live.name, live]));
    this.#default = this.#datasources.get(options.defaultDatasource) as LiveDatasource;
  }

  livez(): Answered {
    return { reply: createReply(200, { 'content-type': 'text/plain' }, 'ok\n') };
  }

  readyz(): Answered {
    const { datasources, now, failFrozen, stopping } = this.#options;
    const { ready, body } = readiness(datasources, { now: now(), failFrozen, stopping: stopping.aborted });
    return { reply: json(body, { 'cache-control': 'no-store' }, ready ? 200 : 503) };
  }

  async metrics(): Promise<Answered> {
    const { registry } = this.#options.metrics;
    const text = await registry.metrics();
    return { reply: createReply(200, { 'content-type': registry.contentType }, text) };
  }

  /** Throws or rejects with `QueryError` for a question that cannot be answered as put. */
  answer(request: IncomingMessage): Answered | Promise<Answered> {
    return this.#readyAnswer(request.url ?? '') ?? this.#make(request);
  }

  #readyAnswer(target: string): Answered | undefined {
    const ready = this.#ready.get(target);
    if (!ready) return undefined;
    const { answered, live, name } = ready;
    const snapshot = ready.snapshot.deref();
    if (!snapshot || snapshot !== live.snapshot) return undefined;
    this.#options.asked.note(live.name, name, { known: true, pinned: false }, snapshot);
    return answered;
  }

  #make(request: IncomingMessage): Answered | Promise<Answered> {
    const path = pathOf(request);
    const target = parsePath(path, this.#datasources, this.#default);
    if (target.kind === 'package') return this.#package(target, request);
    const reply = this.#other(target, request);
    const route = target.kind;
    return reply instanceof Promise ? reply.then((each) => ({ reply: each, route })) : { reply, route };
  }

  #other(target: Exclude<Target, { kind: 'package' }>, request: IncomingMessage): Reply | Promise<Reply> {
    const { preset, asked, now } = this.#options;
    const names = [...this.#datasources.keys()];
    switch (target.kind) {
      case 'root':
        return json({ service: 'apk-beacon', default: this.#default.name, datasources: names });
      case 'invalid':
        return problem(400, target.fact);
      case 'preset':
        return json(preset(target.live ? [target.live.name] : names, ownUrl(request)));
      case 'datasource':
        return json(datasourceStatus(target.live, now()));
      case 'asked':
        return createReply(
          200,
          { 'cache-control': 'no-cache', 'content-type': JSON_TYPE },
          asked.body(target.live),
        );
      case 'index':
        return this.#index(target);
    }
  }

  #package(
    target: Extract<Target, { kind: 'package' }>,
    request: IncomingMessage,
  ): Answered | Promise<Answered> {
    const { live, view: route } = target;
    const answer = (snapshot: Snapshot | undefined): Answered =>
      snapshot ? this.#lookUp(target, snapshot, request) : { ...this.#notLoaded(live), route };
    return live.snapshot ? answer(live.snapshot) : this.#firstSnapshot(live).then(answer);
  }

  #lookUp(
    { live, name, view: route }: Extract<Target, { kind: 'package' }>,
    snapshot: Snapshot,
    request: IncomingMessage,
  ): Answered {
    const { lookups, asked, maxAge } = this.#options;
    const { url = '' } = request;
    const parameters = parametersOf(url);
    const query = parseLookupQuery(parameters, live.archs);
    const generation = { 'x-apk-beacon-generation': snapshot.generation };
    const datasource = live.name;
    if (route === 'explain') {
      const pin = parameters['current'];
      const report = snapshot.catalog.report(name, query.archs);
      const explanation = explain(report, query, typeof pin === 'string' ? pin : undefined, snapshot.catalog);
      return { reply: json(explanation, { ...generation, 'cache-control': 'no-cache' }), route };
    }
    const lookup = { datasource, snapshot, name, query };
    const releases = lookups.releases(lookup);
    const pinned = speaksForPin(parameters, request) || lookups.wasServed(datasource, name);
    asked.note(datasource, name, { known: releases !== undefined, pinned }, snapshot);
    if (!releases) {
      const reply = json(lookups.unknownName(lookup), { ...generation, 'cache-control': 'no-cache' }, 404);
      return { reply, route, lookup: { datasource, result: 'unknown' } };
    }
    if (route === 'latest') {
      const newest = newestInRange(releases, parameters['range']);
      if (!newest) {
        const reply = problem(404, `no release of ${name} in ${datasource} fits`, generation);
        return { reply, route, lookup: { datasource, result: 'unknown' } };
      }
      const headers = { ...generation, 'cache-control': `max-age=${maxAge}`, 'content-type': 'text/plain' };
      const reply = createReply(200, headers, `${newest.version.text}\n`);
      return { reply, route, lookup: { datasource, result: 'found' } };
    }
    const { body, etag } = lookups.render(releases, query);
    const headers = { ...generation, 'cache-control': `max-age=${maxAge}`, etag, 'content-type': JSON_TYPE };
    const reply = createReply(200, headers, body);
    const times = this.#options.metrics.requestTimes.of(route, 200);
    const answered: Answered = { reply, route, times, lookup: { datasource, result: 'found' } };
    if (url.length <= MAX_TARGET_LENGTH)
      this.#ready.set(url, { answered, live, snapshot: new WeakRef(snapshot), name });
    return answered;
  }

  async #index({ live, arch }: Extract<Target, { kind: 'index' }>): Promise<Reply> {
    const { virtualIndexes, maxAge } = this.#options;
    if (arch !== ANY_ARCH && !live.archs.includes(arch)) {
      const known = [...live.archs, ANY_ARCH].join(', ');
      return problem(404, `no arch ${arch} in ${live.name}, expected one of ${known}`);
    }
    const snapshot = live.snapshot ?? (await this.#firstSnapshot(live));
    if (!snapshot) {
      const { reply, lookup } = this.#notLoaded(live);
      this.#options.metrics.countLookup(live.name, lookup.result);
      return reply;
    }
    const { bytes, etag } = await virtualIndexes.archive(snapshot, arch);
    const headers: Headers = {
      'x-apk-beacon-generation': snapshot.generation,
      'cache-control': `max-age=${maxAge}`,
      etag,
      'content-type': 'application/gzip',
    };
    return createReply(200, headers, bytes);
  }

  /** Waited for as long as a client is patient. */
  async #firstSnapshot(live: LiveDatasource): Promise<Snapshot | undefined> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), this.#options.hold);
    try {
      return await live.whenReady(AbortSignal.any([patience.signal, this.#options.stopping]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Never a 404 and never a 503 with Retry-After: Renovate takes both for "no such package". */
  #notLoaded({ name, missing: indexes }: LiveDatasource): Required<Pick<Answered, 'reply' | 'lookup'>> {
    const missing = indexes.map(({ spec, failure }) => ({ index: spec.label, error: failure?.message }));
    const body = { error: `${name} is not loaded yet`, datasource: name, missing };
    const headers = { 'retry-after': String(RETRY_AFTER), 'cache-control': 'no-store' };
    return { reply: json(body, headers, 429), lookup: { datasource: name, result: 'not-loaded' } };
  }
}

function parametersOf(url: string): QueryParameters {
  const start = url.indexOf('?');
  return start < 0 ? {} : parseQueryString(url.slice(start + 1));
}

/** Does the request tell a pin, or come from Renovate, which asks for nothing else? */
function speaksForPin({ current }: QueryParameters, { headers }: IncomingMessage): boolean {
  return (current !== undefined && current !== '') || /renovate/i.test(headers['user-agent'] ?? '');
}

/** As the client wrote it; of a `Host` that could be no host, nothing is taken over. */
function ownUrl({ headers }: IncomingMessage): string {
  const { host = '' } = headers;
  return `http://${/^[A-Za-z0-9._-]+(:\d+)?$|^\[[0-9a-fA-F:.]+\](:\d+)?$/.test(host) ? host : 'localhost'}`;
}
