/** A complete service in this process, queried over a socket. Each answer is checked against its description. */
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import {
  Agent,
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { assemble, type Service } from '../../src/service/serve.ts';
import { loadConfig, type Config } from '../../src/config/config.ts';
import { checkDescribed, operationOf } from './contract.ts';
import { testKey } from './signed-index.ts';

export interface TestService extends Service, AsyncDisposable {
  readonly config: Config;
  /** Log lines. */
  readonly logs: readonly string[];
  readonly get: (path: string, headers?: Record<string, string>) => Promise<TestResponse>;
  readonly ask: (method: string, path: string, headers?: Record<string, string>) => Promise<TestResponse>;
  /** Begins to stop, as SIGTERM does. */
  readonly stop: () => void;
}

export interface TestResponse {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawPayload: Buffer;
  readonly body: string;
  /** Whatever the test takes it for. */
  readonly json: <T = any>() => T; // eslint-disable-line
}

export interface ServiceOptions {
  /** The configuration file's content; `keys` of its datasources default to the test key. */
  readonly config: Record<string, unknown>;
  readonly cacheDir?: string;
  readonly environment?: Record<string, string>;
  readonly logLevel?: string;
  /** The clock of the service, in unix milliseconds. */
  readonly now?: () => number;
}

/** Assembles a service. Nothing is restored or fetched until the test starts it. */
export async function startService(options: ServiceOptions): Promise<TestService> {
  const folder = await temporaryFolder();
  const config = await writeConfig(folder, options);
  const stop = new AbortController();
  const logs: string[] = [];
  const logger = pino(
    { level: options.logLevel ?? 'info' },
    { write: (line: string) => void logs.push(line) },
  );
  const service = await assemble({
    config,
    logger,
    signal: stop.signal,
    ...(options.now && { now: options.now }),
  });
  await service.server.ready();
  const asking = client((request, response) => service.server.routing(request, response));
  const ask: TestService['ask'] = async (method, path, headers) => {
    const answer = await asking.ask(method, path, headers);
    checkDescribed(operationOf(path, service.beacon.datasources, config.defaultDatasource), answer);
    return answer;
  };
  return {
    ...service,
    config,
    logs,
    get: (path, headers) => ask('GET', path, headers),
    ask,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      asking.close();
      await service.server.close();
      await service.beacon.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asks over connections that are kept, of a server that is started for the first question. */
function client(handle: TestService['server']['routing']): Pick<TestService, 'ask'> & { close: () => void } {
  const agent = new Agent({ keepAlive: true });
  let server: Promise<Server> | undefined;
  const start = async (): Promise<Server> => {
    const started = createServer(handle).listen(0, '127.0.0.1');
    await once(started, 'listening');
    return started;
  };
  return {
    async ask(method, path, headers = {}) {
      const { port } = (await (server ??= start())).address() as AddressInfo;
      const asked = request({ host: '127.0.0.1', port, method, path, headers, agent }).end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      const rawPayload = await buffer(answer);
      const body = rawPayload.toString();
      return {
        statusCode: answer.statusCode ?? 0,
        headers: answer.headers,
        rawPayload,
        body,
        json: <T>() => JSON.parse(body) as T,
      };
    },
    close() {
      agent.destroy();
      void server?.then((started) => {
        started.close();
        started.closeAllConnections();
      });
    },
  };
}

/** The configuration as it would be read from a file with this content. */
export async function writeConfig(
  folder: string,
  { config, cacheDir, environment = {} }: ServiceOptions,
): Promise<Config> {
  // A restarted service finds its key where it was: what is kept on disk is kept for these keys.
  const keyFile = join(cacheDir ?? folder, testKey().name);
  await mkdir(dirname(keyFile), { recursive: true });
  await writeFile(keyFile, testKey().pem);
  const datasources = Object.fromEntries(
    Object.entries(config['datasources'] as Record<string, object>).map(([name, datasource]) => [
      name,
      { keys: [keyFile], ...withoutMaxAge(datasource) },
    ]),
  );
  const file = join(folder, 'apk-beacon.yaml');
  await writeFile(file, stringify({ cacheDir: cacheDir ?? null, hold: '50ms', ...config, datasources }));
  return loadConfig({ words: [], settings: { config: [file] }, own: {} }, environment);
}

/** Test packages have any age; tests of freezing set `maxAge` themselves. */
function withoutMaxAge(datasource: object): object {
  const { repositories } = datasource as { repositories: (string | object)[] };
  return {
    ...datasource,
    repositories: repositories.map((each) => ({
      maxAge: 'never',
      ...(typeof each === 'string' ? { url: each } : each),
    })),
  };
}

export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'apk-beacon-'));
}
