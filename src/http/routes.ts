/** Routes requests to replies. */
import type { IncomingMessage } from 'node:http';
import { parse as parseQueryString } from 'node:querystring';
import { LRUCache } from 'lru-cache';
import { describe } from '../answers/describe.ts';
import { heldBackIn } from '../answers/held-back.ts';
import { joinInSteps } from '../answers/body.ts';
import { explainInSteps, explanationBody } from '../answers/explain.ts';
import { advisoriesInSteps, explainAdvisoriesInSteps, Security } from '../answers/security.ts';
import { parseLookupQuery, QueryError, type QueryParameters } from '../answers/query.ts';
import { parseVersion } from '../apk/version.ts';
import { newestInRange } from '../answers/range.ts';
import type { Mirrors } from '../answers/mirror.ts';
import { ANY_ARCH } from '../answers/virtual-index.ts';
import type { Lookups } from '../answers/lookup.ts';
import type { ReadHistory } from '../check/history.ts';
import type { RenderOptions } from '../answers/render.ts';
import type { LookupCounts, LookupResult } from '../metrics/lookup-counts.ts';
import { changeJson, parseSince, type Changes } from '../ledger/changes.ts';
import type { LedgerStatus } from '../ledger/status.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { NotifyStatus } from '../notify/status.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { RefusedError } from '../errors.ts';
import type { PastDatasources } from '../repository/past-datasources.ts';
import type { AskedPin, PinsWithFixes } from '../metrics/pins-with-fixes.ts';
import type { Times } from '../metrics/request-times.ts';
import type { VirtualIndexes } from '../answers/virtual-index.ts';
import { Searches } from '../answers/search.ts';
import {
  MAX_NAME_LENGTH,
  parsePath,
  parsePeerName,
  type AskedDatasource,
  type Target,
} from '../answers/target.ts';
import { Views } from '../answers/views.ts';
import { ageInWords, nameWith, type Age, type When } from '../catalog/age.ts';
import { timeText } from '../catalog/time.ts';
import { advisoriesAtom, changesAtom } from './atom.ts';
import { prefersAtom, prefersHtml, prefersText } from './negotiate.ts';
import type { PackageQuestion, Pages, PageSources } from './pages.ts';
import {
  busy,
  createReply,
  json,
  JSON_TYPE,
  problem,
  retryLater,
  type Headers,
  type Reply,
} from './reply.ts';
import { markedLink, needsMark, noOpinionBody, type RoutedLookups } from './routed-lookup.ts';
import { createQueue } from '../repository/pace.ts';
import type { PassedOn } from './package-files.ts';
import { Turns } from './turns.ts';
import { datasourceStatus, readiness } from './status.ts';
import { notAskedBody } from '../routing/not-asked.ts';
import type { RoutingSource } from '../routing/route.ts';

export interface RouteOptions extends PageSources {
  readonly lookups: Lookups;
  readonly routed: RoutedLookups;
  /** The datasources as far as they tell which pins are theirs. */
  readonly routing: readonly RoutingSource[];
  readonly virtualIndexes: VirtualIndexes;
  readonly mirrors: Mirrors;
  readonly ledger: () => LedgerStatus;
  /** Of the receivers that are told of the datasource. */
  readonly notifications: (live: LiveDatasource) => readonly NotifyStatus[];
  /** What appeared and vanished since then (unix milliseconds). */
  readonly changesSince: (live: LiveDatasource, since: number, name: string | undefined) => Promise<Changes>;
  /** What datasources were. */
  readonly pasts: PastDatasources;
  readonly vanished: ReadHistory;
  readonly metrics: Metrics;
  readonly lookupCounts: LookupCounts;
  readonly pins: PinsWithFixes;
  /** Milliseconds a lookup waits for the first index. */
  readonly hold: number;
  /** Seconds that clients may cache an answer. */
  readonly maxAge: number;
  readonly failFrozen: boolean;
  /** The Renovate preset of these datasources; `url` is the address that the client used. */
  readonly preset: (
    datasources: readonly string[],
    asked: { readonly url: string; readonly when: When | undefined },
  ) => object;
  /** Clients need a token. */
  readonly hasToken: boolean;
  /** The address of the service for clients, if configured. */
  readonly publicUrl: string | undefined;
  /** Aborts when the service begins to stop. */
  readonly stopping: AbortSignal;
}

export interface Answered {
  readonly reply: Reply;
  /** In place of the body of a 200: a package that is passed on. */
  readonly file?: PassedOn;
  /** For request time metrics; absent if not measured. */
  readonly route?: string;
  /** Where its time is counted unless it becomes a 304; set in advance for cached replies. */
  readonly times?: Times;
  readonly lookup?: { readonly datasource: string; readonly result: LookupResult };
}

/**
 * A cached reply and what it was made from. Weak, so that it does not keep the packages of a past generation in memory.
 */
interface Ready {
  readonly answered: Answered;
  readonly asked: AskedDatasource;
  readonly snapshot: WeakRef<Snapshot>;
  readonly name: string;
  readonly pin: AskedPin | undefined;
}

/** What a routed lookup adds to the datasource's answer. */
interface Routed {
  readonly headers: Headers;
  readonly mark: RenderOptions['mark'];
}

/** Headers of JSON at an address that also has a page. */
const negotiated: Headers = { 'cache-control': 'no-cache', vary: 'accept' };

const MAX_READY = 10_000;
const MAX_READY_BYTES = 16 * 1024 * 1024;
const MAX_TARGET_LENGTH = 512;
/** Requests for a view with fixes, or for the search or the virtual index of a view: anyone may ask for any age. */
const MAX_VIEWS_WAITING = 8;

/** The raw path of a request, without the query. */
function pathOf({ url = '' }: IncomingMessage): string {
  return splitUrl(url)[0];
}

export class Routes {
  readonly #options: RouteOptions;
  readonly #datasources: ReadonlyMap<string, LiveDatasource>;
  readonly #default: LiveDatasource;
  /**
   * Cached replies by raw request target (docs/decisions/007): Renovate repeats its questions, and the same bytes are
   * sent until the generation changes. A reply is valid as long as its datasource, or the view of it, has the snapshot it
   * was made from.
   */
  readonly #ready = new LRUCache<string, Ready>({
    max: MAX_READY,
    maxSize: MAX_READY_BYTES,
    sizeCalculation: ({ answered }, target) => answered.reply.body.length + target.length + 400,
  });

  readonly #askedBodies = new WeakMap<
    LiveDatasource,
    { readonly plain: Buffer; readonly revision: number; readonly body: Buffer }
  >();

  readonly #turns = new Turns();
  /** For views with fixes, which take half a second each. */
  readonly #slowViews = new Turns(MAX_VIEWS_WAITING);
  readonly #views: Views;
  /** For what takes a view up to seconds and megabytes. */
  readonly #oneViewAtATime = createQueue();
  #viewsWaiting = 0;
  readonly #searches = new Searches();
  #pages: Promise<Pages> | undefined;
  #metricsUnderWay: Promise<Answered> | undefined;

  constructor(options: RouteOptions) {
    this.#options = options;
    this.#views = new Views(options.now);
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

  async openApi(): Promise<Answered> {
    const { openApi } = await import('./openapi.ts');
    return { reply: json(openApi()), route: 'openapi' };
  }

  /** Pins of files, judged. Rejects with `QueryError` for a body that is no question. */
  async check(body: unknown): Promise<Answered> {
    const { answerCheck } = await import('./checks.ts');
    const { routing, now, vanished } = this.#options;
    const snapshots = new Map<string, Snapshot>();
    for (const live of this.#datasources.values()) {
      const snapshot = live.snapshot ?? (await this.#firstSnapshot(live));
      if (!snapshot) return { reply: this.#notLoaded(live).reply, route: 'check' };
      snapshots.set(live.name, snapshot);
    }
    const answer = await answerCheck(body, snapshots, { routing, now: now(), history: vanished });
    return { reply: json(answer, { 'cache-control': 'no-store' }), route: 'check' };
  }

  /** Throws or rejects with `QueryError` for an invalid question. */
  answer(request: IncomingMessage): Answered | Promise<Answered> {
    const answered = prefersHtml(request.headers)
      ? this.#page(request)
      : (this.#readyAnswer(request.url ?? '') ?? this.#make(request));
    if (!(answered instanceof Promise)) return answered;
    return answered.catch((error: unknown) => {
      const { status, message } = refusalIn(error);
      return { reply: status === 429 ? busy(message) : problem(status, message) };
    });
  }

  #readyAnswer(target: string): Answered | undefined {
    const ready = this.#ready.get(target);
    if (!ready) return undefined;
    const { answered, asked, name, pin } = ready;
    const snapshot = ready.snapshot.deref();
    if (!snapshot || snapshot !== this.#loaded(asked)) return undefined;
    if (!snapshot.past)
      this.#options.asked.note(asked.live.name, name, { known: true, pinned: false }, snapshot);
    if (pin) this.#options.pins.touch(pin);
    return answered;
  }

  #make(request: IncomingMessage): Answered | Promise<Answered> {
    const path = pathOf(request);
    const target = parsePath(path, this.#datasources, this.#default);
    if (target.kind === 'package') return this.#package(target, request);
    if (target.kind === 'routed') return this.#routed(target, request);
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

  async #status(target: AskedDatasource): Promise<Reply> {
    const { now, ledger, notifications } = this.#options;
    const { live, when } = target;
    const snapshot = when ? live.snapshot && (await this.#snapshot(target)) : live.snapshot;
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

  /** The lookups of a datasource, and pins that were not asked of any. Cached until either changes. */
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

  /** A pin of the datasource that its file builds on. */
  #routed(
    { name, when }: Extract<Target, { kind: 'routed' }>,
    request: IncomingMessage,
  ): Answered | Promise<Answered> {
    const { routed, publicUrl } = this.#options;
    const parameters = parametersOf(request.url ?? '');
    const url = publicUrl ?? ownUrl(request);
    const route = routed.route(name, parameters);
    if ('noOpinion' in route) return { reply: json(noOpinionBody(route.noOpinion, url)), route: 'routed' };
    const live = this.#datasources.get(route.datasource) as LiveDatasource;
    const page = `${url}/${nameWith(live.name, when)}/${encodeURIComponent(name)}`;
    const mark = needsMark(parameters)
      ? (changelogUrl: string | undefined) => markedLink(changelogUrl, live.name, page)
      : undefined;
    return this.#package({ kind: 'package', live, when, name, view: 'releases' }, request, {
      headers: { 'x-apk-beacon-datasource': live.name },
      mark,
    });
  }

  #package(
    target: Extract<Target, { kind: 'package' }>,
    request: IncomingMessage,
    routed?: Routed,
  ): Answered | Promise<Answered> {
    const { live, view: route } = target;
    const answer = (snapshot: Snapshot | undefined): Answered | Promise<Answered> => {
      if (!snapshot) return { ...this.#notLoaded(live, routed?.headers), route };
      if (route === 'badge.svg') return this.#badge(questionOf(target, snapshot, request), request);
      return this.#turns.run(
        `answer ${snapshot.generation} ${keyOf(request)} ${routed || snapshot.advisories ? request.headers.host : ''}`,
        () => this.#lookUp(target, snapshot, request, routed),
      );
    };
    const snapshot = this.#snapshot(target);
    return snapshot instanceof Promise ? snapshot.then(answer) : answer(snapshot);
  }

  *#lookUp(
    target: Extract<Target, { kind: 'package' }>,
    snapshot: Snapshot,
    request: IncomingMessage,
    routed?: Routed,
  ): Generator<undefined, Answered> {
    const { live, name, view: route } = target;
    const { lookups, asked, maxAge } = this.#options;
    const { url = '' } = request;
    const parameters = parametersOf(url);
    const query = parseLookupQuery(parameters, live.archs);
    const generation = { 'x-apk-beacon-generation': snapshot.generation, ...routed?.headers };
    const datasource = live.name;
    const shown = nameWith(datasource, target.when);
    if (route === 'advisories') {
      const reply = yield* this.#advisories(target, snapshot, parameters, generation);
      return { reply, route };
    }
    if (route === 'explain') {
      const report = yield* snapshot.catalog.reportInSteps(name, query.archs);
      const plain = yield* explainInSteps(report, query, pinOf(parameters), snapshot.catalog, {
        served: snapshot.past ? [] : lookups.served(datasource, name),
        heldBack: yield* heldBackIn(snapshot, report),
      });
      const advisories = yield* explainAdvisoriesInSteps(snapshot.advisories, report, query);
      const explanation = advisories ? { ...plain, advisories } : plain;
      const headers = { ...generation, 'cache-control': 'no-cache', vary: 'accept, user-agent' };
      if (!prefersText(request.headers)) {
        const ofJson = { ...headers, 'content-type': JSON_TYPE };
        return { reply: createReply(200, ofJson, yield* explanationBody(explanation)), route };
      }
      const close = report.versions.length === 0 ? yield* lookups.closeNames(snapshot, name) : [];
      const all = parameters['all'] !== undefined;
      const lines = yield* describe(explanation, close, { all, allBy: '?all' });
      const text = yield* joinInSteps(lines, { separator: '\n', end: '\n' });
      const ofText = { ...headers, 'content-type': 'text/plain; charset=utf-8' };
      return { reply: createReply(200, ofText, text), route };
    }
    const lookup = { datasource, snapshot, name, query };
    const found = yield* lookups.lookUpInSteps(lookup);
    const releases = found?.releases;
    const peer = releases || routed ? undefined : parsePeerName(name, live.archs);
    if (peer && snapshot.catalog.has(peer.name))
      return yield* this.#lookUpPeer(target, peer, snapshot, request);
    const pinned = speaksForPin(parameters, request) || lookups.wasServed(lookup);
    // What is asked of the past tells nothing of what is missing now.
    if (!snapshot.past) asked.note(datasource, name, { known: releases !== undefined, pinned }, snapshot);
    if (!found || !releases) {
      const reply = json(yield* lookups.unknownName(lookup), { ...generation, ...negotiated }, 404);
      return { reply, route, lookup: { datasource, result: 'unknown' } };
    }
    if (route === 'latest') {
      const newest = yield* newestInRange(releases, parameters['range']);
      if (!newest) {
        const reply = problem(404, `no release of ${name} in ${shown} fits`, generation);
        return { reply, route, lookup: { datasource, result: 'unknown' } };
      }
      const headers = { ...generation, 'cache-control': `max-age=${maxAge}`, 'content-type': 'text/plain' };
      const reply = createReply(200, headers, `${newest.version.text}\n`);
      return { reply, route, lookup: { datasource, result: 'found' } };
    }
    const page = `${this.#options.publicUrl ?? ownUrl(request)}/${shown}/${encodeURIComponent(name)}`;
    if (snapshot.view && releases.length === 0) {
      const reply = json(nothingYet(snapshot.view.age, page), { ...generation, ...negotiated });
      return { reply, route, lookup: { datasource, result: 'found' } };
    }
    const { body, etag } = yield* lookups.renderInSteps(found, query, { page, mark: routed?.mark });
    const isOfAddress = routed?.mark !== undefined || (found.marks !== '' && body.includes(page));
    const headers = {
      ...generation,
      'cache-control': `max-age=${maxAge}`,
      vary: 'accept',
      etag,
      'content-type': JSON_TYPE,
    };
    const reply = createReply(200, headers, body);
    const times = this.#options.metrics.requestTimes.of(route, 200);
    const written = pinOf(parameters);
    const pin = found.urgent && written && this.#options.pins.note(datasource, name, written, found.urgent);
    const answered: Answered = { reply, route, times, lookup: { datasource, result: 'found' } };
    // One that contains the address that this client used is for this client.
    if (url.length <= MAX_TARGET_LENGTH && !isOfAddress)
      this.#ready.set(url, {
        answered,
        asked: { live, when: target.when },
        snapshot: new WeakRef(snapshot),
        name,
        pin: pin || undefined,
      });
    return answered;
  }

  /** What is open at a pin, and what another version fixes. A name that only a feed knows is answered as well. */
  *#advisories(
    { live, name }: Extract<Target, { kind: 'package' }>,
    { catalog, advisories, past }: Snapshot,
    parameters: QueryParameters,
    generation: Headers,
  ): Generator<undefined, Reply> {
    if (past)
      throw new QueryError(
        `advisories are those of today: /${live.name}/${encodeURIComponent(name)}/advisories`,
      );
    if (!advisories)
      return problem(404, `no advisories are configured for ${live.name} (advisories: known)`, generation);
    const query = parseLookupQuery(parameters, live.archs);
    const pin = pinOf(parameters);
    if (pin !== undefined && !query.current)
      throw new QueryError('current: expected an APK version such as 1.2.3-r0, or a constraint such as ~1.2');
    const wanted = parameters['target'];
    const target = typeof wanted === 'string' ? parseVersion(wanted) : undefined;
    if (wanted !== undefined && (!target || !pin))
      throw new QueryError('target: expected an APK version such as 1.2.3-r0, besides current');
    const report = yield* catalog.reportInSteps(name, query.archs);
    const security = new Security(advisories, report);
    if (report.versions.length === 0 && (yield* security.at(undefined)).length === 0)
      return problem(404, `neither the indexes nor the advisories of ${live.name} know ${name}`, generation);
    const body = yield* advisoriesInSteps(security, report, query, { pin, target });
    return json({ datasource: live.name, ...body }, { ...generation, 'cache-control': 'no-cache' });
  }

  /** A path of a similar service: the same answer as for the name, for one arch if given. */
  *#lookUpPeer(
    target: Extract<Target, { kind: 'package' }>,
    { name, arch }: NonNullable<ReturnType<typeof parsePeerName>>,
    snapshot: Snapshot,
    request: IncomingMessage,
  ): Generator<undefined, Answered> {
    const [path = '', query = ''] = splitUrl(request.url ?? '');
    const parameters = arch === undefined ? query : `${query}&arch=${encodeURIComponent(arch)}`;
    // A request of its own, so that the reply is cached under an unambiguous address.
    const asked = { url: `${path}?${parameters}`, headers: request.headers } as IncomingMessage;
    return yield* this.#lookUp({ ...target, name }, snapshot, asked);
  }

  /** The page for an address. Addresses without a page answer as usual. */
  async #page(request: IncomingMessage): Promise<Answered> {
    const target = parsePath(pathOf(request), this.#datasources, this.#default);
    const hasPage =
      ['root', 'datasource', 'search', 'invalid'].includes(target.kind) ||
      (target.kind === 'package' && target.view === 'releases');
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

  /** Loaded at the first request for a page: most instances never serve one. */
  #loadPages(): Promise<Pages> {
    this.#pages ??= import('./pages.ts').then((module) => new module.Pages(this.#options));
    return this.#pages;
  }

  async #pageOf(target: Target, pages: Pages, request: IncomingMessage): Promise<Reply | undefined> {
    switch (target.kind) {
      case 'root':
        return pages.home(this.#options.publicUrl ?? ownUrl(request));
      case 'datasource':
        return pages.datasource(target, target.live.snapshot && (await this.#snapshot(target)));
      case 'invalid':
        return pages.problem(400, target.fact);
      case 'search':
        return this.#search(target, parametersOf(request.url ?? ''), pages);
      case 'package': {
        const { live, name } = target;
        const snapshot = await this.#snapshot(target);
        if (!snapshot) return pages.problem(429, `${live.name} is not loaded yet`, retryLater);
        const question = questionOf(target, snapshot, request);
        const isKnown = snapshot.catalog.has(name);
        const peer = parsePeerName(name, live.archs);
        if (!isKnown && peer && snapshot.catalog.has(peer.name)) return undefined;
        const { lookups } = this.#options;
        return this.#turns.run(`page ${snapshot.generation} ${request.url}`, function* () {
          if (isKnown) return yield* pages.package(question);
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

  async #badge(question: PackageQuestion, { url }: IncomingMessage): Promise<Answered> {
    const pages = await this.#loadPages();
    const reply = await this.#turns.run(`badge ${question.snapshot.generation} ${url}`, () =>
      pages.badge(question),
    );
    return { reply, route: 'badge.svg' };
  }

  async #search(target: AskedDatasource, parameters: QueryParameters, pages?: Pages): Promise<Reply> {
    const { live, when } = target;
    const query = parameters['q'] ?? '';
    if (typeof query !== 'string') throw new QueryError('q: expected once');
    if (query.length > MAX_NAME_LENGTH)
      throw new QueryError(`q: expected no more than ${MAX_NAME_LENGTH} characters`);
    const snapshot = await this.#snapshot(target);
    if (!snapshot && pages) return pages.problem(429, `${live.name} is not loaded yet`, retryLater);
    if (!snapshot) return this.#notLoaded(live).reply;
    const found = await this.#inLine(when, () => this.#searches.find(snapshot, query));
    const datasource = nameWith(live.name, when);
    if (pages) return pages.search(datasource, query, found);
    const headers = { 'x-apk-beacon-generation': snapshot.generation, ...negotiated };
    return json({ datasource, query, ...found }, headers);
  }

  async #index(target: Extract<Target, { kind: 'index' }>): Promise<Reply> {
    const { live, arch, format } = target;
    const { virtualIndexes, mirrors, maxAge } = this.#options;
    if (arch !== ANY_ARCH && !live.archs.includes(arch)) {
      const known = [...live.archs, ANY_ARCH].join(', ');
      return problem(404, `no arch ${arch} in ${live.name}, expected one of ${known}`);
    }
    const snapshot = await this.#snapshot(target);
    if (!snapshot) {
      const { reply, lookup } = this.#notLoaded(live);
      this.#options.lookupCounts.count(live.name, lookup.result);
      return reply;
    }
    const isMirror = target.when !== undefined && 'age' in target.when && arch !== ANY_ARCH;
    if (isMirror && !mirrors.canMirror(snapshot, arch))
      return problem(
        404,
        `the packages of ${live.name} for ${arch} are not those of apk 2: no mirror of them`,
      );
    const { bytes, etag } = await this.#inLine(target.when, () =>
      (isMirror ? mirrors : virtualIndexes).archive(snapshot, arch, format),
    );
    const headers: Headers = {
      'x-apk-beacon-generation': snapshot.generation,
      'cache-control': `max-age=${maxAge}`,
      etag,
      'content-type': format === 'v2' ? 'application/gzip' : 'application/octet-stream',
    };
    return createReply(200, headers, bytes);
  }

  /** A package of a view: where it is, or the package itself where clients cannot get it. */
  async #file(target: Extract<Target, { kind: 'file' }>): Promise<Answered> {
    const { live, when, arch, file } = target;
    const route = 'file';
    const snapshot = await this.#snapshot(target);
    if (!snapshot) return { ...this.#notLoaded(live), route };
    const origin = await this.#options.mirrors.find(snapshot, arch, file);
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
        reply: problem(403, `${file} is of a private repository: it is passed on only if clientToken is set`),
        route,
      };
    return { reply: createReply(200, headers, ''), file: found, route };
  }

  async #changes(
    { live, name }: Extract<Target, { kind: 'changes' }>,
    request: IncomingMessage,
  ): Promise<Reply> {
    const { changesSince, now, publicUrl, ledger } = this.#options;
    const target = request.url ?? '';
    const { since: given = '7d' } = parametersOf(target);
    const since = typeof given === 'string' ? parseSince(given, now()) : undefined;
    if (since === undefined)
      throw new QueryError('since: expected a time such as 2026-07-24T06:00Z or an age such as 24h or 7d');
    const found = await changesSince(live, since, name);
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

  /** The result of `work`. Rejects with a `RefusedError` if it is for a view or a past and too many are in line. */
  async #inLine<T>(when: When | undefined, work: () => Promise<T>): Promise<T> {
    if (!when) return await work();
    if (this.#viewsWaiting >= MAX_VIEWS_WAITING)
      throw new RefusedError(429, 'too many ages are asked for at once');
    this.#viewsWaiting += 1;
    return await this.#oneViewAtATime(work).finally(() => {
      this.#viewsWaiting -= 1;
    });
  }

  /** What is loaded: of the datasource, or of its view or past if that was made and still holds. */
  #loaded({ live, when }: AskedDatasource): Snapshot | undefined {
    const { snapshot } = live;
    if (!when || !snapshot) return snapshot;
    return 'at' in when ? this.#options.pasts.known(live, when.at) : this.#views.known(snapshot, when.age);
  }

  /** The same, made if necessary. Waits for the first snapshot. */
  #snapshot(asked: AskedDatasource): Snapshot | undefined | Promise<Snapshot | undefined> {
    const { live } = asked;
    const made = (base: Snapshot | undefined) => base && this.#viewOf(base, asked);
    return (
      this.#loaded(asked) ?? (live.snapshot ? made(live.snapshot) : this.#firstSnapshot(live).then(made))
    );
  }

  #viewOf(base: Snapshot, { live, when }: AskedDatasource): Snapshot | Promise<Snapshot> {
    if (!when) return base;
    if ('age' in when) {
      const turns = when.age.security ? this.#slowViews : this.#turns;
      return turns.run(`view ${live.name} ${nameWith(base.generation, when)}`, () =>
        this.#views.of(base, when.age),
      );
    }
    const { pasts, now } = this.#options;
    if (when.at <= now()) return pasts.at(live, when.at);
    throw new QueryError(`${timeText(when.at)} is in the future: here it is ${timeText(now())}`);
  }

  /** Waits for the first snapshot, at most `hold`. */
  async #firstSnapshot(live: LiveDatasource): Promise<Snapshot | undefined> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), this.#options.hold);
    try {
      return await live.whenReady(AbortSignal.any([patience.signal, this.#options.stopping]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Never a 404 and never a 503 with Retry-After: to Renovate both mean "no such package". */
  #notLoaded(
    { name, missing: indexes, missingFeeds }: LiveDatasource,
    added: Headers = {},
  ): Required<Pick<Answered, 'reply' | 'lookup'>> {
    const missing = indexes.map(({ spec, failure }) => ({ index: spec.label, error: failure?.message }));
    for (const { spec, failure } of missingFeeds)
      missing.push({ index: spec.label, error: failure?.message });
    const body = { error: `${name} is not loaded yet`, datasource: name, missing };
    return {
      reply: json(body, { ...added, ...retryLater }, 429),
      lookup: { datasource: name, result: 'not-loaded' },
    };
  }
}

/** Why there is no answer, if the error is of that kind; otherwise throws it. */
function refusalIn(error: unknown): RefusedError {
  if (error instanceof RefusedError) return error;
  throw error;
}

function parametersOf(url: string): QueryParameters {
  const [, query] = splitUrl(url);
  return query === undefined ? {} : parseQueryString(query);
}

function splitUrl(url: string): readonly [path: string, query?: string] {
  const start = url.indexOf('?');
  return start < 0 ? [url] : [url.slice(0, start), url.slice(start + 1)];
}

/** With a homepage and no releases, Renovate sees no update and logs no warning, as without an opinion. */
function nothingYet(age: Age, page: string): object {
  return { releases: [], homepage: page, heldBack: `no such release is known to be ${ageInWords(age)} old` };
}

/** The pin as written; `undefined` if empty. */
function pinOf({ current }: QueryParameters): string | undefined {
  return typeof current === 'string' && current.trim() !== '' ? current.trim() : undefined;
}

function questionOf(
  { live, when, name }: Extract<Target, { kind: 'package' }>,
  snapshot: Snapshot,
  { url = '' }: IncomingMessage,
): PackageQuestion {
  const parameters = parametersOf(url);
  return {
    live,
    when,
    snapshot,
    name,
    query: parseLookupQuery(parameters, live.archs),
    pin: pinOf(parameters),
  };
}

/** Everything but the generation that the answer to a lookup depends on. */
function keyOf(request: IncomingMessage): string {
  return `${request.url ?? ''} ${speaksForPin({}, request)} ${prefersText(request.headers)}`;
}

/** Whether the request has a pin or comes from Renovate, which only asks for pins. */
function speaksForPin({ current }: QueryParameters, { headers }: IncomingMessage): boolean {
  return (current !== undefined && current !== '') || /renovate/i.test(headers['user-agent'] ?? '');
}

/** The address as the client wrote it; an invalid `Host` is ignored. */
function ownUrl({ headers }: IncomingMessage): string {
  const { host = '' } = headers;
  return `http://${/^[A-Za-z0-9._-]+(:\d+)?$|^\[[0-9a-fA-F:.]+\](:\d+)?$/.test(host) ? host : 'localhost'}`;
}
