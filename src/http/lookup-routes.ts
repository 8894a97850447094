/** Answers requests about packages: lookups, explanations, advisories and badges. */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { joinInSteps } from '../answers/body.ts';
import { describe } from '../answers/describe.ts';
import { explainInSteps, explanationBody } from '../answers/explain.ts';
import { heldBackIn, isKnown } from '../answers/held-back.ts';
import type { Found, Lookups } from '../answers/lookup.ts';
import {
  lookupParameters,
  parseLookupQuery,
  QueryError,
  refuseUnknown,
  type LookupQuery,
  type QueryParameters,
} from '../answers/query.ts';
import { newestInRange } from '../answers/range.ts';
import type { RenderOptions } from '../answers/render.ts';
import { advisoriesInSteps, explainAdvisoriesInSteps, Security } from '../answers/security.ts';
import { parsePeerName, type DatasourceRef, type TargetOf } from '../answers/target.ts';
import { parseVersion } from '../apk/version.ts';
import { ageInWords, nameWith, type Age } from '../catalog/age.ts';
import type { LookupLog } from '../metrics/lookup-log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { TrackedPin, PinsWithFixes } from '../metrics/pins-with-fixes.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { notLoaded, type Answered } from './answered.ts';
import { prefersText } from './negotiate.ts';
import { createReply, json, JSON_TYPE, negotiated, problem, type Headers, type Reply } from './reply.ts';
import { ownUrl, parametersOf, pinOf, splitUrl } from './request.ts';
import { markedLink, needsMark, noOpinionBody, type RoutedLookups } from './routed-lookup.ts';
import type { Snapshots } from './snapshots.ts';
import type { LongLookups } from './long-lookups.ts';

const MAX_CACHED = 10_000;
const MAX_CACHED_BYTES = 16 * 1024 * 1024;
const MAX_TARGET_LENGTH = 512;

export interface LookupOptions {
  readonly datasources: readonly LiveDatasource[];
  readonly lookups: Lookups;
  readonly routed: RoutedLookups;
  readonly asked: LookupLog;
  readonly pins: PinsWithFixes;
  readonly metrics: Metrics;
  /** Seconds that clients may cache an answer. */
  readonly maxAge: number;
  /** The address of the service for clients, if configured. */
  readonly publicUrl: string | undefined;
}

/**
 * A cached reply and what it was made from. Weak, so that it does not keep the packages of a past generation in memory.
 */
interface CachedReply {
  readonly answered: Answered;
  readonly asked: DatasourceRef;
  readonly snapshot: WeakRef<Snapshot>;
  readonly name: string;
  readonly pin: TrackedPin | undefined;
}

/** A request about a package. */
interface PackageRequest {
  readonly request: IncomingMessage;
  readonly routed: Routed | undefined;
  readonly parameters: QueryParameters;
  readonly query: LookupQuery;
  /** Headers of every reply to it. */
  readonly common: Headers;
}

/** What a routed lookup adds to the datasource's answer. */
interface Routed {
  readonly headers: Headers;
  readonly replaceLink: RenderOptions['replaceLink'];
}

export class LookupRoutes {
  readonly #options: LookupOptions;
  readonly #datasources: ReadonlyMap<string, LiveDatasource>;
  readonly #snapshots: Snapshots;
  readonly #longLookups: LongLookups;
  /**
   * Cached replies by raw request target (docs/decisions/007): Renovate repeats its questions, and the same bytes are
   * sent until the generation changes. A reply is valid as long as its datasource, or the view of it, has the snapshot it
   * was made from.
   */
  readonly #cachedReplies = new LRUCache<string, CachedReply>({
    max: MAX_CACHED,
    maxSize: MAX_CACHED_BYTES,
    sizeCalculation: ({ answered }, target) => answered.reply.body.length + target.length + 400,
  });

  constructor(options: LookupOptions, snapshots: Snapshots, longLookups: LongLookups) {
    this.#options = options;
    this.#datasources = new Map(options.datasources.map((live) => [live.name, live]));
    this.#snapshots = snapshots;
    this.#longLookups = longLookups;
  }

  /** The cached answer, if it is still valid. */
  cached(target: string): Answered | undefined {
    const cached = this.#cachedReplies.get(target);
    if (!cached) return undefined;
    const { answered, asked, name, pin } = cached;
    const snapshot = cached.snapshot.deref();
    if (!snapshot || snapshot !== this.#snapshots.loaded(asked)) return undefined;
    if (!snapshot.past)
      this.#options.asked.note(asked.live.name, name, { known: true, pinned: false }, snapshot);
    if (pin) this.#options.pins.touch(pin);
    return answered;
  }

  /** Looks up a pin in the datasource that its file builds on. */
  routed({ name, when }: TargetOf<'routed'>, request: IncomingMessage): Answered | Promise<Answered> {
    const { routed, publicUrl } = this.#options;
    const parameters = parametersOf(request.url ?? '');
    const url = publicUrl ?? ownUrl(request);
    const route = routed.route(name, parameters);
    if ('noOpinion' in route) return { reply: json(noOpinionBody(route.noOpinion, url)), route: 'routed' };
    const live = this.#datasources.get(route.datasource) as LiveDatasource;
    const page = this.#pageOf({ live, when }, name, request);
    const replaceLink = needsMark(parameters)
      ? (changelogUrl: string | undefined) => markedLink(changelogUrl, live.name, page)
      : undefined;
    return this.package({ kind: 'package', live, when, name, route: 'releases' }, request, {
      headers: { 'x-apk-beacon-datasource': live.name },
      replaceLink,
    });
  }

  package(
    target: TargetOf<'package'>,
    request: IncomingMessage,
    routed?: Routed,
  ): Answered | Promise<Answered> {
    const { live, route } = target;
    const answer = (snapshot: Snapshot | undefined): Answered | Promise<Answered> => {
      if (!snapshot) return { ...notLoaded(live, routed?.headers), route };
      return this.#longLookups.run(`answer ${snapshot.generation} ${keyOf(request)}`, () =>
        this.#lookUp(target, snapshot, request, routed),
      );
    };
    const snapshot = this.#snapshots.of(target);
    return snapshot instanceof Promise ? snapshot.then(answer) : answer(snapshot);
  }

  *#lookUp(
    target: TargetOf<'package'>,
    snapshot: Snapshot,
    request: IncomingMessage,
    routed?: Routed,
  ): Generator<undefined, Answered> {
    const { live, name, route } = target;
    const { lookups, asked } = this.#options;
    const parameters = parametersOf(request.url ?? '');
    if (!routed) refuseUnknown(parameters, lookupParameters[route]);
    const query = parseLookupQuery(parameters, live.archs);
    const common = { 'x-apk-beacon-generation': snapshot.generation, ...routed?.headers };
    const question = { request, routed, parameters, query, common };
    const datasource = live.name;
    const peer = routed || isKnown(snapshot, name) ? undefined : parsePeerName(name, live.archs);
    if (peer && isKnown(snapshot, peer.name)) return yield* this.#lookUpPeer(target, peer, snapshot, request);
    if (route === 'advisories') return { reply: yield* this.#advisories(target, snapshot, question), route };
    if (route === 'explain') return { reply: yield* this.#explain(target, snapshot, question), route };
    const lookup = { datasource, snapshot, name, query };
    const found = yield* lookups.lookUpInSteps(lookup);
    const pinned = isAboutPin(parameters, request) || lookups.wasServed(lookup);
    // A lookup at a past time does not show that a name is missing now.
    if (!snapshot.past) asked.note(datasource, name, { known: found !== undefined, pinned }, snapshot);
    if (!found) {
      const reply = json(yield* lookups.unknownName(lookup), { ...common, ...negotiated }, 404);
      return { reply, route, lookup: { datasource, result: 'unknown' } };
    }
    return route === 'latest'
      ? yield* this.#latest(target, found, question)
      : yield* this.#releases(target, snapshot, found, question);
  }

  /** The newest release as text. */
  *#latest(
    { live, name, when, route }: TargetOf<'package'>,
    { releases }: Found,
    { parameters, common }: PackageRequest,
  ): Generator<undefined, Answered> {
    const datasource = live.name;
    const newest = yield* newestInRange(releases, parameters['range']);
    if (!newest) {
      const fact = `no release of ${name} in ${nameWith(datasource, when)} matches`;
      return { reply: problem(404, fact, common), route, lookup: { datasource, result: 'unknown' } };
    }
    const cacheControl = `max-age=${this.#options.maxAge}`;
    const headers = { ...common, 'cache-control': cacheControl, 'content-type': 'text/plain' };
    const reply = createReply(200, headers, `${newest.version.text}\n`);
    return { reply, route, lookup: { datasource, result: 'found' } };
  }

  /** The releases as JSON. Caches the reply, unless it is only for this client. */
  *#releases(
    { live, name, when, route }: TargetOf<'package'>,
    snapshot: Snapshot,
    found: Found,
    { request, routed, parameters, query, common }: PackageRequest,
  ): Generator<undefined, Answered> {
    const { lookups, maxAge, metrics, pins } = this.#options;
    const { url = '' } = request;
    const lookup = { datasource: live.name, result: 'found' } as const;
    const page = this.#pageOf({ live, when }, name, request);
    if (snapshot.view && found.releases.length === 0)
      return {
        reply: json(nothingYet(snapshot.view.age, page), { ...common, ...negotiated }),
        route,
        lookup,
      };
    const replaceLink = routed?.replaceLink;
    const { body, etag } = yield* lookups.renderInSteps(found, query, { page, replaceLink });
    const isOfAddress = replaceLink !== undefined || (found.marks !== '' && body.includes(page));
    const headers = {
      ...common,
      'cache-control': `max-age=${maxAge}`,
      vary: 'accept',
      etag,
      'content-type': JSON_TYPE,
    };
    const reply = createReply(200, headers, body);
    const times = metrics.requestTimes.of(route, 200);
    const written = pinOf(parameters);
    const how = [nameWith(live.name, when), query.archs, query.revision].join(' ');
    const pin =
      found.urgent && written ? pins.note(live.name, { name, pin: written, how }, found.urgent) : undefined;
    const answered: Answered = { reply, route, times, lookup };
    // A reply that contains the address that this client used is only for this client.
    if (url.length <= MAX_TARGET_LENGTH && !isOfAddress)
      this.#cachedReplies.set(url, {
        answered,
        asked: { live, when },
        snapshot: new WeakRef(snapshot),
        name,
        pin,
      });
    return answered;
  }

  /** Every version and why it is or is not offered: JSON, or text for people. */
  *#explain(
    { live, name }: TargetOf<'package'>,
    snapshot: Snapshot,
    { request, parameters, query, common }: PackageRequest,
  ): Generator<undefined, Reply> {
    const { lookups } = this.#options;
    const report = yield* snapshot.catalog.reportInSteps(name, query.archs);
    const plain = yield* explainInSteps(report, query, pinOf(parameters), snapshot.catalog, {
      served: snapshot.past ? [] : lookups.served(live.name, name),
      heldBack: yield* heldBackIn(snapshot, report),
    });
    const advisories = yield* explainAdvisoriesInSteps(snapshot.advisories, report, query);
    const explanation = advisories ? { ...plain, advisories } : plain;
    const headers = { ...common, 'cache-control': 'no-cache', vary: 'accept, user-agent' };
    if (!prefersText(request.headers))
      return createReply(200, { ...headers, 'content-type': JSON_TYPE }, yield* explanationBody(explanation));
    const close = report.versions.length === 0 ? yield* lookups.closeNames(snapshot, name) : [];
    const lines = yield* describe(explanation, close, {
      all: parameters['all'] !== undefined,
      allBy: '?all',
    });
    const text = yield* joinInSteps(lines, { separator: '\n', end: '\n' });
    return createReply(200, { ...headers, 'content-type': 'text/plain; charset=utf-8' }, text);
  }

  /** Open vulnerabilities at a pin, and what another version fixes. Also answers names that only a feed has. */
  *#advisories(
    { live, name, when }: TargetOf<'package'>,
    { catalog, advisories, past }: Snapshot,
    { parameters, query, common }: PackageRequest,
  ): Generator<undefined, Reply> {
    if (past)
      throw new QueryError(
        `there are no past advisories; the current ones are at /${live.name}/${encodeURIComponent(name)}/advisories`,
      );
    if (!advisories)
      return problem(404, `no advisories are configured for ${live.name} (advisories: known)`, common);
    const pin = pinOf(parameters);
    if (pin !== undefined && !query.current)
      throw new QueryError('current: expected an APK version such as 1.2.3-r0, or a constraint such as ~1.2');
    const wanted = parameters['target'];
    const target = typeof wanted === 'string' ? parseVersion(wanted) : undefined;
    if (wanted !== undefined && (!target || !pin))
      throw new QueryError('target: expected an APK version such as 1.2.3-r0, besides current');
    const report = yield* catalog.reportInSteps(name, query.archs);
    const security = new Security(advisories, report);
    if (report.versions.length === 0 && (yield* security.all()).length === 0)
      return problem(
        404,
        `neither the indexes nor the advisories of ${nameWith(live.name, when)} know ${name}`,
        common,
      );
    const body = yield* advisoriesInSteps(security, report, query, { pin, target });
    return json({ datasource: live.name, ...body }, { ...common, 'cache-control': 'no-cache' });
  }

  /** The page of a package, at the address of the service for clients. */
  #pageOf({ live, when }: DatasourceRef, name: string, request: IncomingMessage): string {
    const url = this.#options.publicUrl ?? ownUrl(request);
    return `${url}/${nameWith(live.name, when)}/${encodeURIComponent(name)}`;
  }

  /** A path of a similar service: the same answer as for the name, for one arch if given. */
  *#lookUpPeer(
    target: TargetOf<'package'>,
    { name, arch }: NonNullable<ReturnType<typeof parsePeerName>>,
    snapshot: Snapshot,
    request: IncomingMessage,
  ): Generator<undefined, Answered> {
    const [path = '', query = ''] = splitUrl(request.url ?? '');
    const { arch: other = arch } = parametersOf(request.url ?? '');
    if (arch !== undefined && other !== arch) throw new QueryError(`arch: the path has ${arch}`);
    const parameters = arch === undefined ? query : `${query}&arch=${encodeURIComponent(arch)}`;
    // A request of its own, so that the reply is cached under an unambiguous address.
    const asked = { url: `${path}?${parameters}`, headers: request.headers } as IncomingMessage;
    return yield* this.#lookUp({ ...target, name }, snapshot, asked);
  }
}

/** With a homepage and no releases, Renovate sees no update and logs no warning, as without an opinion. */
function nothingYet(age: Age, page: string): object {
  return {
    releases: [],
    homepage: page,
    heldBack: `no matching release is known to be ${ageInWords(age)} old`,
  };
}

/** Everything that the answer to a lookup depends on, except the generation. */
function keyOf(request: IncomingMessage): string {
  const { url = '', headers } = request;
  return `${url} ${isAboutPin({}, request)} ${prefersText(headers)} ${ownUrl(request)}`;
}

/** Whether the request has a pin or comes from Renovate, which looks up only pins. */
function isAboutPin({ current }: QueryParameters, { headers }: IncomingMessage): boolean {
  return (current !== undefined && current !== '') || /renovate/i.test(headers['user-agent'] ?? '');
}
