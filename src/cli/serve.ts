/** `serve`: answers lookups and keeps every index fresh until told to stop. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Config } from '../config.ts';
import { buildServer } from '../http/server.ts';
import { Lookups } from '../lookup.ts';
import { Metrics } from '../metrics.ts';
import { readSecret } from '../repository/credentials.ts';
import { ServedVersions } from '../served-versions.ts';
import { Beacon } from './beacon.ts';
import { localUrl, presetFor } from './preset.ts';

const SAVE_EVERY = 30_000;

export interface ServeOptions {
  readonly config: Config;
  readonly logger: FastifyBaseLogger;
  /** Aborts to stop: requests are still answered for the drain time, then the server closes. */
  readonly signal: AbortSignal;
  /** Called with a function that refreshes at once. */
  readonly onRefreshNow?: (refreshNow: () => void) => void;
}

/** Everything of a running service, put together and not yet started. */
export interface Service {
  readonly beacon: Beacon;
  readonly server: FastifyInstance;
  readonly served: ServedVersions;
}

export function assemble({ config, logger, signal }: ServeOptions): Service {
  const now = Date.now;
  const beacon = new Beacon({ config, logger, now, onRefresh: (...facts) => metrics.countRefresh(...facts) });
  const metrics = new Metrics(beacon.datasources, now);
  const served = new ServedVersions(config.cacheDir && join(config.cacheDir, 'served.json'));
  const { clientToken } = config;
  const server = buildServer({
    datasources: beacon.datasources,
    defaultDatasource: config.defaultDatasource,
    lookups: new Lookups(served),
    metrics,
    logger,
    hold: config.hold,
    maxAge: Math.floor(Math.min(60, config.refresh / 10_000)),
    failFrozen: config.frozen === 'fail',
    clientToken: clientToken && (() => readSecret(clientToken, config.environment)),
    preset: (names, url) => presetFor(config, names, config.publicUrl ?? url),
    now,
    stopping: signal,
  });
  return { beacon, server, served };
}

export async function serve(options: ServeOptions): Promise<void> {
  const { config, logger, signal, onRefreshNow } = options;
  const { beacon, server, served } = assemble(options);
  await beacon.checkKeys(signal);
  await served.load();
  await server.listen(config.listen);
  introduce(config, logger);
  onRefreshNow?.(() => beacon.refreshNow());
  await beacon.restore(signal);
  await Promise.all([beacon.keepFresh(signal), saveNowAndThen(served, signal)]);

  logger.info(`stopping: answering for ${config.drain / 1000} s more`);
  await sleep(config.drain);
  await server.close();
  await Promise.all([served.save(), beacon.close()]);
}

/** What is served, from where, and the line to put into Renovate. */
function introduce(config: Config, logger: FastifyBaseLogger): void {
  const base = config.publicUrl ?? localUrl(config);
  for (const [name, { repositories, archs }] of Object.entries(config.datasources)) {
    const from = repositories.map(({ url }) => url.replace(/\/\/[^/@]*@/, '//***@')).join(', ');
    logger.info(`datasource ${name}: ${from} for ${archs.join(' and ')}`);
    for (const { url, trust } of repositories) {
      if (trust === 'none')
        logger.warn(`signatures of ${url.replace(/\/\/[^/@]*@/, '//***@')} are NOT CHECKED (trust: none)`);
    }
  }
  logger.info(`for Renovate: "extends": ["${base}/renovate.json"]`);
}

async function saveNowAndThen(served: ServedVersions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(SAVE_EVERY, undefined, { signal }).catch(() => undefined);
    await served.save();
  }
}
