/** Routes requests to replies: lookups to `lookup-routes.ts`, the rest is answered here. */
import type { IncomingMessage } from 'node:http';
import { isKnown } from '../answers/held-back.ts';
import type { Mirrors } from '../answers/mirror.ts';
import {
  lookupParameters,
  parseLookupQuery,
  QueryError,
  refuseUnknown,
  type QueryParameters,
} from '../answers/query.ts';
import { Searches } from '../answers/search.ts';
import {
  MAX_NAME_LENGTH,
  parsePath,
  parsePeerName,
  type DatasourceRef,
  type Target,
  type TargetOf,
} from '../answers/target.ts';
import { ANY_ARCH, type VirtualIndexes } from '../answers/virtual-index.ts';
import { nameWith, type When } from '../catalog/age.ts';
import { timeText } from '../catalog/time.ts';
import type { ReadHistory } from '../check/history.ts';
import { errorLine, RefusedError } from '../errors.ts';
import { changeJson, parseSince, type Changes } from '../ledger/changes.ts';
import type { LedgerStatus } from '../ledger/status.ts';
import type { LookupCounts } from '../metrics/lookup-counts.ts';
import type { NotifyStatus } from '../notify/status.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { notAskedBody } from '../routing/not-asked.ts';
import type { RoutingSource } from '../routing/route.ts';
import { notLoaded, type Answered } from './answered.ts';
import { advisoriesAtom, changesAtom } from './atom.ts';
import { LookupRoutes, type LookupOptions } from './lookup-routes.ts';
import { prefersAtom, prefersHtml } from './negotiate.ts';
import type { PackageQuestion, Pages, PageSources } from './pages.ts';
import {
  busy,
  createReply,
  json,
  JSON_TYPE,
  negotiated,
  problem,
  retryLater,
  type Headers,
  type Reply,
} from './reply.ts';
import { ownUrl, parametersOf, pathOf, pinOf, splitUrl } from './request.ts';
import { Snapshots, type SnapshotOptions } from './snapshots.ts';
import { datasourceStatus, readiness } from './status.ts';
import { LongLookups } from './long-lookups.ts';

/** Milliseconds. Of an index or feed that cannot be refreshed, checks are not answered if it was confirmed earlier. */
const MAX_OUTDATED = 3_600_000;

export interface RouteOptions extends PageSources, SnapshotOptions, LookupOptions {
  /** The routing settings of the datasources. */
  readonly routing: readonly RoutingSource[];
  readonly virtualIndexes: VirtualIndexes;
  readonly mirrors: Mirrors;
  readonly ledger: () => LedgerStatus;
  /** The state of the receivers of a datasource. */
  readonly notifications: (live: LiveDatasource) => readonly NotifyStatus[];
  /** The changes since a time (unix milliseconds). */
  readonly changesSince: (live: LiveDatasource, since: number, name: string | undefined) => Promise<Changes>;
  readonly vanished: ReadHistory;
  readonly lookupCounts: LookupCounts;
  readonly failFrozen: boolean;
  /** The Renovate preset of these datasources; `url` is the address that the client used. */
  readonly preset: (
    datasources: readonly string[],
    asked: { readonly url: string; readonly when: When | undefined },
  ) => object;
  /** Clients need a token. */
  readonly hasToken: boolean;
}

export class Routes {
  readonly #options: RouteOptions;
  readonly #datasources: ReadonlyMap<string, LiveDatasource>;
  readonly #default: LiveDatasource;
  readonly #askedBodies = new WeakMap<
    LiveDatasource,
    { readonly plain: Buffer; readonly revision: number; readonly body: Buffer }
  >();

  readonly #longLookups = new LongLookups();
  readonly #snapshots: Snapshots;
  readonly #lookups: LookupRoutes;
  readonly #searches = new Searches();
  #pages: Promise<Pages> | undefined;
  #openApi: Promise<Answered> | undefined;
  #metricsUnderWay: Promise<Answered> | undefined;

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#snapshots = new Snapshots(options, this.#longLookups);
    this.#lookups = new LookupRoutes(options, this.#snapshots, this.#longLookups);
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

  /** Concurrent requests share one text. */
  metrics(): Promise<Answered> {
    this.#metricsUnderWay ??= this.#renderMetrics().finally(() => {
      this.#metricsUnderWay = undefined;
    });
    return this.#metricsUnderWay;
  }

  async #renderMetrics(): Promise<Answered> {
    const { registry } = this.#options.metrics;
    const text = await registry.metrics();
    return { reply: createReply(200, { 'content-type': registry.contentType }, text) };
  }

  /** Made at the first request: most instances never get one. */
  openApi(): Promise<Answered> {
    this.#openApi ??= import('./openapi.ts').then(({ openApi }) => ({
      reply: json(openApi(this.#options)),
      route: 'openapi',
    }));
    return this.#openApi;
  }

  /** Judges pins of files. Rejects with `QueryError` for an invalid body. */
  async check(body: unknown): Promise<Answered> {
    const { answerCheck } = await import('./checks.ts');
    const { routing, now, vanished } = this.#options;
    const snapshots = new Map<string, Snapshot>();
    for (const live of this.#datasources.values()) {
      const snapshot = live.snapshot ?? (await this.#snapshots.first(live));
      if (!snapshot) return { reply: notLoaded(live).reply, route: 'check' };
      snapshots.set(live.name, snapshot);
    }
    const answer = await answerCheck(body, snapshots, { routing, now: now(), history: vanished });
    for (const live of this.#datasources.values()) {
      const { spec, loaded, failure } = live.outdated(now() - MAX_OUTDATED) ?? {};
      if (!spec || !answer.judgments.some(({ datasource }) => datasource === live.name)) continue;
      const since = timeText(loaded?.confirmedAt ?? 0);
      const fact = `${live.name} cannot be refreshed: ${spec.label} is of ${since}: ${failure?.message}`;
      return { reply: problem(503, fact), route: 'check' };
    }
    return { reply: json(answer, { 'cache-control': 'no-store' }), route: 'check' };
  }

  /** Throws or rejects with `QueryError` for an invalid question. */
  answer(request: IncomingMessage): Answered | Promise<Answered> {
    const answered = prefersHtml(request.headers)
      ? this.#page(request)
      : (this.#lookups.cached(request.url ?? '') ?? this.#make(request));
    if (!(answered instanceof Promise)) return answered;
    return answered.catch((error: unknown) => {
      const { status, message } = refusalIn(error);
      return { reply: status === 429 ? busy(message) : problem(status, message) };
    });
  }

  #make(request: IncomingMessage): Answered | Promise<Answered> {
    const path = pathOf(request);
    const target = parsePath(path, this.#datasources, this.#default);
    if (target.kind === 'routed') return this.#lookups.routed(target, request);
    if (target.kind === 'package')
      return target.route === 'badge.svg'
        ? this.#badge(target, request)
        : this.#lookups.package(target, request);
    if (target.kind === 'file') return this.#file(target);
    const reply = this.#other(target, request);
    const route = target.kind;
    return reply instanceof Promise ? reply.then((each) => ({ reply: each, route })) : { reply, route };
  }

  #other(
    target: Exclude<Target, { kind: 'package' | 'routed' | 'file' }>,
    request: IncomingMessage,
  ): Reply | Promise<Reply> {
    const { preset } = this.#options;
    const names = [...this.#datasources.keys()];
    switch (target.kind) {
      case 'root':
        return json({ service: 'apk-beacon', default: this.#default.name, datasources: names }, negotiated);
      case 'invalid':
        return problem(400, target.fact);
      case 'preset':
        return json(
          preset(target.live ? [target.live.name] : names, { url: ownUrl(request), when: target.when }),
        );
      case 'datasource':
        return this.#status(target);
      case 'asked':
        return createReply(
          200,
          { 'cache-control': 'no-cache', 'content-type': JSON_TYPE },
          this.#askedBody(target.live),
        );
      case 'search':
        return this.#search(target, parametersOf(request.url ?? ''));
      case 'changes':
        return this.#changes(target, request);
      case 'atom':
        return this.#atom(target.live, ownUrl(request));
      case 'index':
        return this.#index(target);
    }
  }

  async #status(target: DatasourceRef): Promise<Reply> {
    const { now, ledger, notifications } = this.#options;
    const { live, when } = target;
    const snapshot = when ? live.snapshot && (await this.#snapshots.of(target)) : live.snapshot;
    const facts = { when, now: now(), ledger: ledger(), notifications: notifications(live) };
    return json(datasourceStatus(live, snapshot, facts), negotiated);
  }

  #atom({ name: datasource }: LiveDatasource, ownAddress: string): Reply {
    const { pins, now, publicUrl } = this.#options;
    const url = publicUrl ?? ownAddress;
    const self = `${url}/${encodeURIComponent(datasource)}/-/advisories.atom`;
    const text = advisoriesAtom(pins.list(datasource), { datasource, url, self, now: now() });
    const headers = { 'cache-control': 'no-cache', 'content-type': 'application/atom+xml; charset=utf-8' };
    return createReply(200, headers, text);
  }

  /** The lookups of a datasource, and pins that were looked up in none. Cached until either changes. */
  #askedBody(live: LiveDatasource): Buffer {
    const { asked, routed } = this.#options;
    const plain = asked.body(live);
    const { revision } = routed.notAsked;
    const last = this.#askedBodies.get(live);
    if (last?.plain === plain && last.revision === revision) return last.body;
    const notAsked = JSON.stringify(notAskedBody(routed.notAsked));
    const body = Buffer.concat([plain.subarray(0, -1), Buffer.from(`,"notAsked":${notAsked}}`)]);
    this.#askedBodies.set(live, { plain, revision, body });
    return body;
  }

  /** The page for an address. Addresses without a page answer as usual. */
  async #page(request: IncomingMessage): Promise<Answered> {
    const target = parsePath(pathOf(request), this.#datasources, this.#default);
    const hasPage =
      ['root', 'datasource', 'search', 'invalid'].includes(target.kind) ||
      (target.kind === 'package' && target.route === 'releases');
    if (!hasPage) return this.#make(request);
    const pages = await this.#loadPages();
    try {
      const reply = await this.#pageOf(target, pages, request);
      return reply ? { reply, route: 'page' } : await this.#make(request);
    } catch (error) {
      if (error instanceof QueryError) return { reply: pages.problem(400, error.message), route: 'page' };
      const { status, message } = refusalIn(error);
      return {
        reply: pages.problem(status, message, status === 429 ? retryLater : undefined),
        route: 'page',
      };
    }
  }

  /** Loads the pages at the first request for one; most instances never serve any. */
  #loadPages(): Promise<Pages> {
    this.#pages ??= import('./pages.ts').then((module) => new module.Pages(this.#options));
    return this.#pages;
  }

  async #pageOf(target: Target, pages: Pages, request: IncomingMessage): Promise<Reply | undefined> {
    switch (target.kind) {
      case 'root':
        return pages.home(this.#options.publicUrl ?? ownUrl(request));
      case 'datasource':
        return pages.datasource(target, target.live.snapshot && (await this.#snapshots.of(target)));
      case 'invalid':
        return pages.problem(400, target.fact);
      case 'search':
        return this.#search(target, parametersOf(request.url ?? ''), pages);
      case 'package': {
        const { live, name } = target;
        const snapshot = await this.#snapshots.of(target);
        if (!snapshot) return pages.problem(429, `${live.name} is not loaded yet`, retryLater);
        const question = questionOf(target, snapshot, request);
        const isName = isKnown(snapshot, name);
        const peer = parsePeerName(name, live.archs);
        if (!isName && peer && isKnown(snapshot, peer.name)) return undefined;
        const { lookups } = this.#options;
        return this.#longLookups.run(`page ${snapshot.generation} ${request.url}`, function* () {
          if (isName) return yield* pages.package(question);
          return yield* pages.package(question, {
            closeNames: yield* lookups.closeNames(snapshot, name),
            served: snapshot.past ? [] : lookups.served(live.name, name),
          });
        });
      }
      case 'asked':
      case 'changes':
      case 'atom':
      case 'routed':
      case 'preset':
      case 'index':
      case 'file':
        return undefined;
    }
  }

  async #badge(target: TargetOf<'package'>, request: IncomingMessage): Promise<Answered> {
    const { route } = target;
    const snapshot = await this.#snapshots.of(target);
    if (!snapshot) return { ...notLoaded(target.live), route };
    const question = questionOf(target, snapshot, request);
    const pages = await this.#loadPages();
    const reply = await this.#longLookups.run(`badge ${snapshot.generation} ${request.url}`, () =>
      pages.badge(question),
    );
    return { reply, route };
  }

  async #search(target: DatasourceRef, parameters: QueryParameters, pages?: Pages): Promise<Reply> {
    const { live, when } = target;
    refuseUnknown(parameters, ['q']);
    const query = parameters['q'] ?? '';
    if (typeof query !== 'string') throw new QueryError('q: expected one value');
    if (query.length > MAX_NAME_LENGTH)
      throw new QueryError(`q: expected no more than ${MAX_NAME_LENGTH} characters`);
    const snapshot = await this.#snapshots.of(target);
    if (!snapshot && pages) return pages.problem(429, `${live.name} is not loaded yet`, retryLater);
    if (!snapshot) return notLoaded(live).reply;
    const found = await this.#snapshots.queueFor(when)(() => this.#searches.find(snapshot, query));
    const datasource = nameWith(live.name, when);
    if (pages) return pages.search(datasource, query, found);
    const headers = { 'x-apk-beacon-generation': snapshot.generation, ...negotiated };
    return json({ datasource, query, ...found }, headers);
  }

  async #index(target: TargetOf<'index'>): Promise<Reply> {
    const { live, arch, format } = target;
    const { virtualIndexes, mirrors, maxAge } = this.#options;
    if (arch !== ANY_ARCH && !live.archs.includes(arch)) {
      const known = [...live.archs, ANY_ARCH].join(', ');
      return problem(404, `no arch ${arch} in ${live.name}, expected one of ${known}`);
    }
    const snapshot = await this.#snapshots.of(target);
    if (!snapshot) {
      const { reply, lookup } = notLoaded(live);
      this.#options.lookupCounts.count(live.name, lookup.result);
      return reply;
    }
    const isMirror = target.when !== undefined && 'age' in target.when && arch !== ANY_ARCH;
    if (isMirror && !mirrors.canMirror(snapshot, arch))
      return problem(
        404,
        `the packages of ${live.name} for ${arch} are not in the format of apk 2, so they cannot be mirrored`,
      );
    const queue = this.#snapshots.queueFor(target.when);
    const { bytes, etag } = await (isMirror ? mirrors : virtualIndexes).archive(
      snapshot,
      arch,
      format,
      queue,
    );
    const headers: Headers = {
      'x-apk-beacon-generation': snapshot.generation,
      'cache-control': `max-age=${maxAge}`,
      etag,
      'content-type': format === 'v2' ? 'application/gzip' : 'application/octet-stream',
    };
    return createReply(200, headers, bytes);
  }

  /** A package of a view: a redirect, or the package itself if clients cannot download it from the repository. */
  async #file(target: TargetOf<'file'>): Promise<Answered> {
    const { live, when, arch, file } = target;
    const route = 'file';
    const snapshot = await this.#snapshots.of(target);
    if (!snapshot) return { ...notLoaded(live), route };
    const queue = this.#snapshots.queueFor(when);
    const origin = await this.#options.mirrors.find(snapshot, arch, file, queue);
    const shown = nameWith(live.name, when);
    if (!origin) return { reply: problem(404, `no ${file} in the index of ${shown} for ${arch}`), route };
    const found = await origin.index.packageFile(file);
    const headers = { 'x-apk-beacon-generation': snapshot.generation };
    if (found.kind === 'public')
      return {
        reply: createReply(302, { ...headers, location: found.url.href, 'cache-control': 'no-store' }, ''),
        route,
      };
    if (found.kind === 'private' && !this.#options.hasToken)
      return {
        reply: problem(403, `${file} is in a private repository: it is forwarded only if clientToken is set`),
        route,
      };
    return { reply: createReply(200, headers, ''), file: found, route };
  }

  async #changes({ live, name }: TargetOf<'changes'>, request: IncomingMessage): Promise<Reply> {
    const { changesSince, now, publicUrl, ledger } = this.#options;
    const target = splitUrl(request.url ?? '').join('?');
    const parameters = parametersOf(target);
    refuseUnknown(parameters, ['since']);
    const { since: given = '7d' } = parameters;
    const since = typeof given === 'string' ? parseSince(given, now()) : undefined;
    if (since === undefined)
      throw new QueryError('since: expected a time such as 2026-07-24T06:00Z or an age such as 24h or 7d');
    const found = await changesSince(live, since, name).catch((error: unknown) => {
      throw new RefusedError(429, `the ledger cannot be read: ${errorLine(error)}`);
    });
    if (prefersAtom(request.headers)) {
      const url = publicUrl ?? ownUrl(request);
      const feed = { datasource: live.name, url, self: `${url}${target}`, now: now() };
      const headers = { ...negotiated, 'content-type': 'application/atom+xml; charset=utf-8' };
      return createReply(200, headers, changesAtom(found, feed, name));
    }
    const body = {
      datasource: live.name,
      ...(name !== undefined && { package: name }),
      since: new Date(since).toISOString(),
      kept: ledger().kind !== 'memory',
      changes: found.changes.map(changeJson),
      more: found.more,
    };
    return json(body, negotiated);
  }
}

/** The status and message of an expected error; throws any other. */
function refusalIn(error: unknown): RefusedError {
  if (error instanceof RefusedError) return error;
  throw error;
}

function questionOf(
  { live, when, name, route }: TargetOf<'package'>,
  snapshot: Snapshot,
  { url = '' }: IncomingMessage,
): PackageQuestion {
  const parameters = parametersOf(url);
  refuseUnknown(parameters, lookupParameters[route]);
  return {
    live,
    when,
    snapshot,
    name,
    query: parseLookupQuery(parameters, live.archs),
    pin: pinOf(parameters),
  };
}
