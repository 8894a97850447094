/** `/openapi.json` describes every route. `test/http/openapi.test.ts` requests each of them. */
import { lookupParameters } from '../answers/query.ts';
import { MAX_NAME_LENGTH, type PackageRoute, type Target } from '../answers/target.ts';
import { version } from '../version.ts';
import { bodySchemas, referenceTo, type BodyName } from './body-schemas.ts';

/** The kinds of requests; the compiler finds a route that is not described. */
type Route =
  | Exclude<Target['kind'], 'package' | 'invalid'>
  | PackageRoute
  | 'adbIndex'
  | 'changesOfPackage'
  | 'wholePreset'
  | 'check'
  | 'live'
  | 'ready'
  | 'metrics'
  | 'openapi';

interface Described {
  readonly path: string;
  /** GET unless given. */
  readonly method?: 'post';
  readonly summary: string;
  readonly query?: readonly (keyof typeof parameters)[];
  /** Media types of a 200; the first is the default. */
  readonly types: readonly string[];
  /** The schema of the JSON of a 200. */
  readonly body?: BodyName;
  /** The same of the other statuses; `Problem` unless given. */
  readonly otherBody?: BodyName;
  /** The schema of the body of the request. */
  readonly request?: BodyName;
  /** Statuses besides 200, and 401 where a token is needed. */
  readonly others: readonly number[];
  /** Headers of answers below 400; `Cache-Control` unless given. */
  readonly headers?: readonly HeaderName[];
  /** No token is ever needed. */
  readonly open?: true;
}

const JSON_TYPE = 'application/json';
const HTML = 'text/html';
const TEXT = 'text/plain';
const ATOM = 'application/atom+xml';

const string = { type: 'string' };

/** Parameters of paths and queries by name. */
const parameters = {
  datasource: { description: 'Name in the configuration, optionally with an age or a time', schema: string },
  package: {
    description: 'Name of a package, or a provided name such as so:libssl.so.3',
    schema: { type: 'string', maxLength: MAX_NAME_LENGTH },
  },
  age: { description: 'Whole hours or days, optionally with +security', schema: string, example: '7d' },
  file: { description: 'A file that the index names', schema: string, example: 'curl-8.20.0-r1.apk' },
  arch: {
    description:
      'An arch of the datasource; in the path of an index also any; in a query several, separated by commas',
    schema: string,
    example: 'x86_64',
  },
  current: {
    description: 'The current pin, a version or a constraint',
    schema: string,
    example: '8.20.0-r1',
  },
  line: { description: 'Only versions of this line', schema: string, example: '8.20' },
  strip: {
    description: 'revision: versions without -rN, once each',
    schema: { type: 'string', enum: ['revision'] },
  },
  revision: {
    description: 'With strip: the revision of the current pin',
    schema: { type: 'string', pattern: '^[0-9]{1,9}$' },
  },
  all: { description: 'As text: every version, not only the ten newest', schema: string },
  target: { description: 'The version to which the pin would be raised', schema: string },
  range: { description: 'APK constraints, otherwise a semver range', schema: string, example: '>=2.3 <3' },
  since: { description: 'A time or an age; by default 7d', schema: string, example: '2026-07-24T06:00Z' },
  q: { description: 'A part of a name', schema: { type: 'string', maxLength: MAX_NAME_LENGTH } },
  kind: { description: 'The kind of the file, as the preset writes it', schema: string },
  at: { description: 'A JSON list of what the file says about the pin', schema: string },
  only: { description: 'The datasources of the preset, separated by commas', schema: string },
} as const;

const headers = {
  'Cache-Control': { description: 'How long the answer may be reused', schema: string },
  ETag: { description: 'Changes only with the answer; for If-None-Match', schema: string },
  Location: { description: 'Where the package is', schema: string },
  'Retry-After': { description: 'Seconds after which to ask again', schema: { type: 'integer' } },
  'WWW-Authenticate': { description: 'How to send the token', schema: string },
  'X-Apk-Beacon-Datasource': { description: 'The datasource that the pin belongs to', schema: string },
  'X-Apk-Beacon-Generation': { description: 'Changes with any index or feed', schema: string },
} as const;

type HeaderName = keyof typeof headers;

const ofGeneration = ['Cache-Control', 'X-Apk-Beacon-Generation'] as const;
const conditional = [...ofGeneration, 'ETag'] as const;

/** Headers of a status, whatever the route. */
const headersOfStatus: Readonly<Record<number, readonly HeaderName[]>> = {
  302: ['Location'],
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
};

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer' },
  password: { type: 'http', scheme: 'basic', description: 'The token as the password of any user' },
};

const routes: Readonly<Record<Route, Described>> = {
  root: { path: '/', summary: 'The datasources', types: [JSON_TYPE, HTML], body: 'Service', others: [] },
  datasource: {
    path: '/{datasource}',
    summary: 'Indexes, their state and age',
    types: [JSON_TYPE, HTML],
    body: 'Datasource',
    others: [400, 410, 429],
  },
  releases: {
    path: '/{datasource}/{package}',
    summary: 'Releases as Renovate’s custom datasource reads them',
    query: lookupParameters.releases,
    types: [JSON_TYPE, HTML],
    body: 'Releases',
    others: [304, 400, 404, 410, 422, 429],
    headers: conditional,
  },
  latest: {
    path: '/{datasource}/{package}/latest',
    summary: 'The newest version as text',
    query: lookupParameters.latest,
    types: [TEXT],
    others: [400, 404, 410, 422, 429],
    headers: ofGeneration,
  },
  explain: {
    path: '/{datasource}/{package}/explain',
    summary: 'Every version, why it is or is not offered, and what Renovate would propose for a pin',
    query: lookupParameters.explain,
    types: [JSON_TYPE, TEXT],
    body: 'Explanation',
    others: [400, 410, 422, 429],
    headers: ofGeneration,
  },
  advisories: {
    path: '/{datasource}/{package}/advisories',
    summary: 'Vulnerabilities at a pin, and which of them another version fixes',
    query: lookupParameters.advisories,
    types: [JSON_TYPE],
    body: 'Advisories',
    others: [400, 404, 410, 422, 429],
    headers: ofGeneration,
  },
  'badge.svg': {
    path: '/{datasource}/{package}/badge.svg',
    summary: 'The newest version as a picture',
    query: lookupParameters['badge.svg'],
    types: ['image/svg+xml'],
    others: [400, 410, 422, 429],
  },
  routed: {
    path: '/-/for/{package}',
    summary: 'Releases from the datasource that the file of a pin builds on, or no opinion',
    query: ['kind', 'at', 'only', ...lookupParameters.releases],
    types: [JSON_TYPE],
    body: 'Releases',
    others: [304, 400, 404, 410, 422, 429],
    headers: [...conditional, 'X-Apk-Beacon-Datasource'],
  },
  search: {
    path: '/{datasource}/-/search',
    summary: 'Names of packages and provided names that match: exact, prefixes, parts, typos',
    query: ['q'],
    types: [JSON_TYPE, HTML],
    body: 'SearchHits',
    others: [400, 404, 410, 429],
    headers: ofGeneration,
  },
  asked: {
    path: '/{datasource}/-/asked',
    summary: 'Names that were looked up in the last week',
    types: [JSON_TYPE],
    body: 'Asked',
    others: [400, 404],
  },
  changes: {
    path: '/{datasource}/-/changes',
    summary: 'Packages that appeared, vanished or were republished',
    query: ['since'],
    types: [JSON_TYPE, ATOM],
    body: 'Changes',
    others: [400, 404, 429],
  },
  changesOfPackage: {
    path: '/{datasource}/-/changes/{package}',
    summary: 'The same for one package',
    query: ['since'],
    types: [JSON_TYPE, ATOM],
    body: 'Changes',
    others: [400, 404, 429],
  },
  atom: {
    path: '/{datasource}/-/advisories.atom',
    summary: 'Pins that were looked up and have a fix',
    types: [ATOM],
    others: [400, 404],
  },
  index: {
    path: '/{datasource}/{arch}/APKINDEX.tar.gz',
    summary: 'An index of the offered versions, for Renovate’s own apk datasource',
    types: ['application/gzip'],
    others: [304, 400, 404, 410, 429, 502],
    headers: conditional,
  },
  adbIndex: {
    path: '/{datasource}/{arch}/Packages.adb',
    summary: 'The same index in the format of apk 3',
    types: ['application/octet-stream'],
    others: [304, 400, 404, 410, 429, 502],
    headers: conditional,
  },
  file: {
    path: '/{datasource}@{age}/{arch}/{file}',
    summary: 'A package that the index of a view lists: a redirect to it, or the package',
    types: ['application/octet-stream'],
    others: [302, 400, 403, 404, 429, 502],
    headers: ofGeneration,
  },
  preset: {
    path: '/{datasource}/renovate.json',
    summary: 'The Renovate preset of one datasource',
    types: [JSON_TYPE],
    body: 'Preset',
    others: [400, 404],
  },
  wholePreset: {
    path: '/renovate.json',
    summary: 'The Renovate preset of all datasources',
    types: [JSON_TYPE],
    body: 'Preset',
    others: [],
  },
  check: {
    path: '/-/check',
    method: 'post',
    summary: 'Judges pins of files; used by apk-beacon check --url',
    types: [JSON_TYPE],
    request: 'CheckRequest',
    body: 'CheckAnswer',
    others: [400, 413, 415, 422, 429, 503],
  },
  live: {
    path: '/livez',
    summary: 'Whether the process answers',
    types: [TEXT],
    others: [],
    headers: [],
    open: true,
  },
  ready: {
    path: '/readyz',
    summary: 'Whether lookups are answered',
    types: [JSON_TYPE],
    body: 'Readiness',
    otherBody: 'Readiness',
    others: [503],
    open: true,
  },
  metrics: {
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    types: [TEXT],
    others: [],
    headers: [],
    open: true,
  },
  openapi: {
    path: '/openapi.json',
    summary: 'This description',
    types: [JSON_TYPE],
    body: 'OpenApi',
    others: [],
  },
};

const meanings: Readonly<Record<number, string>> = {
  302: 'The address of the package',
  304: 'Not changed since the given ETag',
  400: 'The address or a parameter is invalid',
  401: 'The request lacks the token of the service',
  403: 'The package is of a private repository, and no clientToken is set',
  404: 'Not in any index, or no such datasource',
  410: 'That past time cannot be answered any more',
  413: 'The body is too large, or has too many values',
  415: 'The body is not JSON',
  422: 'Too many packages have the name to compare them',
  429: 'Not loaded yet, or too many requests of this kind; see Retry-After',
  502: 'The repository cannot be read',
  503: 'Not ready, or for checks: an index is outdated',
};

/** OpenAPI 3.1. `publicUrl`: the address of the service, if configured. */
export function openApi({
  publicUrl,
  hasToken = false,
}: { readonly publicUrl?: string | undefined; readonly hasToken?: boolean } = {}): object {
  const paths = Object.entries(routes).map(([operationId, route]) => [
    route.path,
    { [route.method ?? 'get']: { operationId, ...operationOf(route) } },
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'apk-beacon',
      description:
        'Without a datasource, the default one answers: `/{package}`. A datasource may have an age (`/wolfi@7d/…`): it then answers as if younger packages did not exist; `/wolfi@7d+security/…` shows fixes at once. It may have a time (`/wolfi@2026-07-24T06:00Z/…`): it then answers as it did then, or with 410 if it cannot. `asked`, `changes` and `advisories.atom` have neither.',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    ...(publicUrl !== undefined && { servers: [{ url: publicUrl }] }),
    ...(hasToken && { security: Object.keys(securitySchemes).map((scheme) => ({ [scheme]: [] })) }),
    paths: Object.fromEntries(paths) as object,
    components: { schemas: bodySchemas(), headers, securitySchemes },
  };
}

function operationOf(route: Described): object {
  const { path, summary, query = [], types, body, request, others, open } = route;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as keyof typeof parameters);
  const statuses = open ? others : [...others, 401];
  return {
    summary,
    ...(open && { security: [] }),
    parameters: [
      ...inPath.map((name) => ({ name, in: 'path', required: true, ...parameters[name] })),
      ...query.map((name) => ({ name, in: 'query', required: false, ...parameters[name] })),
    ],
    ...(request && { requestBody: { required: true, content: contentOf([JSON_TYPE], request) } }),
    responses: {
      200: { description: summary, headers: headersOf(200, route), content: contentOf(types, body) },
      ...Object.fromEntries(statuses.map((status) => [status, otherResponse(status, route)])),
    },
  };
}

function otherResponse(status: number, route: Described): object {
  const { types, otherBody = 'Problem' } = route;
  const described = { description: meanings[status], headers: headersOf(status, route) };
  if (status < 400) return described;
  // The token is checked before the format is chosen.
  const forms = types.includes(HTML) && status !== 401 ? [JSON_TYPE, HTML] : [JSON_TYPE];
  return { ...described, content: contentOf(forms, otherBody) };
}

function headersOf(status: number, { headers: own = ['Cache-Control'] }: Described): object {
  const names = [...(status < 400 ? own : []), ...(headersOfStatus[status] ?? [])];
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function contentOf(types: readonly string[], body: BodyName | undefined): object {
  const schema = body && { schema: { $ref: referenceTo(body) } };
  return Object.fromEntries(types.map((type) => [type, type === JSON_TYPE ? { ...schema } : {}]));
}
