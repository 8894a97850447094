/** Checks answers of a service against the document at `/openapi.json`. */
import type { IncomingHttpHeaders } from 'node:http';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parsePath } from '../../src/answers/target.ts';
import { openApi } from '../../src/http/openapi.ts';
import { splitUrl } from '../../src/http/request.ts';
import type { LiveDatasource } from '../../src/repository/live-datasource.ts';

interface Content {
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, { readonly schema?: { readonly $ref: string } }>>;
}

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, Content>>;
}

export interface OpenApi {
  readonly components: { readonly headers: Readonly<Record<string, object>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const document = openApi() as OpenApi;
const operations = new Map(
  Object.values(document.paths).flatMap((path) =>
    Object.values(path).map((operation) => [operation.operationId, operation] as const),
  ),
);
/** Of requests that no operation describes. */
const refused: Content = {
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } }, 'text/html': {} },
};

const ajv = new Ajv2020({
  strict: false,
  formats: {
    'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/,
    date: /^\d{4}-\d\d-\d\d$/,
    uri: (text) => URL.canParse(text),
  },
}).addSchema(document, 'openapi');

export interface Answer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Throws if the status, a header, the type or the body is not described. */
export function checkDescribed(operationId: string | undefined, { statusCode, headers, body }: Answer): void {
  const where = `openapi.json: ${operationId ?? 'no operation'}, ${statusCode}`;
  const operation = operations.get(operationId ?? '');
  const described = statusCode === 405 || !operation ? refused : operation.responses[statusCode];
  if (!described) throw new Error(`${where} is not described`);
  for (const name of Object.keys(document.components.headers)) {
    // Of refusals, only what a client should heed.
    if (statusCode >= 400 && !['Retry-After', 'WWW-Authenticate'].includes(name)) continue;
    if (headers[name.toLowerCase()] !== undefined && !described.headers?.[name])
      throw new Error(`${where}: the header ${name} is not described`);
  }
  const type = headers['content-type']?.split(';')[0];
  if (type === undefined || body === '') return;
  const form = described.content?.[type];
  if (!form) throw new Error(`${where}: ${type} is not described`);
  if (type !== 'application/json') return;
  if (!form.schema) throw new Error(`${where} has no schema`);
  const isValid = ajv.getSchema(`openapi${form.schema.$ref}`) as ValidateFunction;
  if (!isValid(JSON.parse(body)))
    throw new Error(`${where}: ${ajv.errorsText(isValid.errors)}: ${body.slice(0, 2000)}`);
}

const ofServer: Readonly<Record<string, string>> = {
  '/livez': 'live',
  '/healthz': 'live',
  '/readyz': 'ready',
  '/metrics': 'metrics',
  '/openapi.json': 'openapi',
  '/-/check': 'check',
};

/** The operation that answers a GET of this target. */
export function operationOf(
  target: string,
  datasources: readonly LiveDatasource[],
  defaultDatasource: string,
): string | undefined {
  const [path] = splitUrl(target);
  if (Object.hasOwn(ofServer, path)) return ofServer[path];
  const byName = new Map(datasources.map((live) => [live.name, live]));
  const parsed = parsePath(path, byName, byName.get(defaultDatasource) as LiveDatasource);
  switch (parsed.kind) {
    case 'package':
      return parsed.route;
    case 'index':
      return parsed.format === 'adb' ? 'adbIndex' : 'index';
    case 'changes':
      return parsed.name === undefined ? 'changes' : 'changesOfPackage';
    case 'preset':
      return parsed.live ? 'preset' : 'wholePreset';
    case 'invalid':
      return undefined;
    case 'asked':
    case 'atom':
    case 'datasource':
    case 'file':
    case 'root':
    case 'routed':
    case 'search':
      return parsed.kind;
  }
}
