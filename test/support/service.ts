/** A whole service in this process, asked through `inject`. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { assemble, type Service } from '../../src/cli/serve.ts';
import { loadConfig, type Config } from '../../src/config.ts';
import { testKey } from './signed-index.ts';

export interface TestService extends Service, AsyncDisposable {
  readonly config: Config;
  /** What was logged, a line each. */
  readonly logs: readonly string[];
  readonly get: (path: string, headers?: Record<string, string>) => Promise<LightMyRequestResponse>;
  /** Begins to stop, as SIGTERM does. */
  readonly stop: () => void;
}

export interface ServiceOptions {
  /** The configuration file's content; `keys` of its datasources default to the test key. */
  readonly config: Record<string, unknown>;
  readonly cacheDir?: string;
  readonly environment?: Record<string, string>;
  readonly logLevel?: string;
}

/** Assembled; nothing is restored or fetched until the test says so. */
export async function startService(options: ServiceOptions): Promise<TestService> {
  const folder = await temporaryFolder();
  const config = await writeConfig(folder, options);
  const stop = new AbortController();
  const logs: string[] = [];
  const logger = pino(
    { level: options.logLevel ?? 'info' },
    { write: (line: string) => void logs.push(line) },
  );
  const service = await assemble({ config, logger, signal: stop.signal });
  return {
    ...service,
    config,
    logs,
    get: (path, headers = {}) => service.server.inject({ method: 'GET', url: path, headers }),
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await service.server.close();
      await service.beacon.close();
      await rm(folder, { recursive: true, force: true });
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

/** The packages of tests are of any age; a test of freezing says what it wants. */
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
