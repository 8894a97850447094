/** `serve`: answers lookups and keeps every index fresh until stopped. */
import { redactAddress } from '../addresses.ts';
import { createPrivateKey } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { LookupLog } from '../metrics/lookup-log.ts';
import type { Config } from '../config/config.ts';
import { errorLine, UsageError } from '../errors.ts';
import { Lookups } from '../answers/lookup.ts';
import { LookupCounts } from '../metrics/lookup-counts.ts';
import { Metrics } from '../metrics/metrics.ts';
import type { Notifier } from '../notify-delivery/notifier.ts';
import { PastDatasources } from '../repository/past-datasources.ts';
import { PinsWithFixes } from '../metrics/pins-with-fixes.ts';
import { RecentChanges } from '../metrics/recent-changes.ts';
import { readSecret, type Secret } from '../repository/credentials.ts';
import { firstRequestSent } from '../repository/upstream-client.ts';
import { ServedVersions } from '../answers/served-versions.ts';
import { Surveyor } from '../metrics/survey.ts';
import { IndexWriter, type Signer } from '../answers/index-writer.ts';
import { Mirrors } from '../answers/mirror.ts';
import { VirtualIndexes } from '../answers/virtual-index.ts';
import { Beacon } from './beacon.ts';
import { createNotifiers } from './notify.ts';
import { localUrl, presetFor, routingSources } from './preset.ts';
import { onRefreshRequest } from './refresh-request.ts';

const SAVE_EVERY = 30_000;
/** How long the server waits at most for the first request to an upstream, in milliseconds. */
const SERVER_WAITS = 100;

interface ServeOptions {
  readonly config: Config;
  readonly logger: FastifyBaseLogger;
  /** Aborts to stop: requests are answered for the drain time, then the server closes. */
  readonly signal: AbortSignal;
  /** Unix milliseconds; the machine's clock by default. */
  readonly now?: () => number;
  /** Called with a function that refreshes at once. */
  readonly onRefreshNow?: (refreshNow: () => void) => void;
}

/** The parts of a running service. */
interface Core {
  readonly beacon: Beacon;
  readonly served: ServedVersions;
  readonly surveyor: Surveyor;
  readonly asked: LookupLog;
  readonly lookupCounts: LookupCounts;
  readonly metrics: Metrics;
  readonly changes: RecentChanges;
  readonly pins: PinsWithFixes;
  readonly notifiers: readonly Notifier[];
}

export interface Service extends Core {
  readonly server: FastifyInstance;
}

/** Creates everything of a service without starting it; for tests. */
export async function assemble(options: ServeOptions): Promise<Service> {
  const core = assembleCore(options);
  return { ...core, server: await serverOf(core, options) };
}

function assembleCore({ config, logger, signal, now = Date.now }: ServeOptions): Core {
  const surveyor = new Surveyor(signal, (name, error) =>
    logger.error({ err: error }, `cannot count the withheld versions of ${name}`),
  );
  const names = Object.keys(config.datasources);
  const lookupCounts = new LookupCounts(names);
  const changes = new RecentChanges();
  const beacon = new Beacon({
    config,
    logger,
    now,
    lookupCount: () => lookupCounts.answered,
    onChange: (datasource, index, change) => changes.note(datasource, { ...change, index, at: now() }),
  });
  const asked = new LookupLog(names, now);
  const pins = new PinsWithFixes(names, now);
  const { datasources } = beacon;
  const ledger = () => beacon.ledger.status;
  const notifiers = createNotifiers({ config, logger, now, beacon, asked });
  const kept = () => beacon.pasts.kept;
  const metrics = new Metrics({
    ...{ datasources, ledger, kept, lookupCounts, surveyor, asked, pins, now },
    notifications: () => notifiers.map(({ status }) => status),
  });
  beacon.onRefresh(metrics.countRefresh);
  const served = new ServedVersions(config.cacheDir && join(config.cacheDir, 'served.json'), {
    warn: (message, error) => logger.warn(`${message}: ${errorLine(error)}`),
  });
  return { beacon, served, surveyor, asked, lookupCounts, metrics, changes, pins, notifiers };
}

/** Loads the server late, because the first refresh starts before it. */
async function serverOf(
  { beacon, served, surveyor, asked, lookupCounts, metrics, changes, pins, notifiers }: Core,
  { config, logger, signal, now = Date.now }: ServeOptions,
): Promise<FastifyInstance> {
  const { buildServer } = await import('../http/server.ts');
  const { RoutedLookups } = await import('../http/routed-lookup.ts');
  const { clientToken } = config;
  const writer = new IndexWriter(signer(config));
  return buildServer({
    datasources: beacon.datasources,
    defaultDatasource: config.defaultDatasource,
    lookups: new Lookups(served),
    routed: new RoutedLookups(routingSources(config), now),
    routing: routingSources(config),
    virtualIndexes: new VirtualIndexes(writer),
    mirrors: new Mirrors(writer),
    ledger: () => beacon.ledger.status,
    notifications: (live) =>
      notifiers.filter((notifier) => notifier.live === live).map(({ status }) => status),
    changesSince: (live, since, name) => beacon.changes(live, since, name),
    pasts: new PastDatasources({ ledger: beacon.pastLedger(), files: beacon.pasts, now }),
    vanished: (datasource, names) => beacon.vanished(datasource, names),
    metrics,
    lookupCounts,
    asked,
    surveyor,
    changes,
    pins,
    logger,
    hold: config.hold,
    maxAge: Math.floor(Math.min(60, config.refresh / 10_000)),
    failFrozen: config.frozen === 'fail',
    clientToken: clientToken && (() => readSecret(clientToken, config.environment)),
    hasToken: clientToken !== undefined,
    preset: (names, { url, when }) => presetFor(config, names, config.publicUrl ?? url, { when }),
    publicUrl: config.publicUrl,
    now,
    stopping: signal,
  });
}

/** Read for every index that is written, because the key may be rotated. */
function signer({ signingKey, environment }: Config): Signer | undefined {
  if (!signingKey) return undefined;
  return { keyName: signingKey.name, privateKey: () => readSecret(signingKey.key, environment) };
}

export async function serve(options: ServeOptions): Promise<void> {
  const { config, logger, signal, onRefreshNow } = options;
  const core = assembleCore(options);
  const { beacon, served, notifiers } = core;
  const refreshNow = (): void => beacon.refreshNow();
  // Early: without a listener, the signal for it ends the process.
  onRefreshNow?.(refreshNow);
  await Promise.all([beacon.checkKeys(signal), checkSecrets(config), served.load()]);
  const over = new AbortController();
  const ending = AbortSignal.any([signal, over.signal]);
  const sent = firstRequestSent(SERVER_WAITS);
  const fresh = keepCurrent(beacon, ending);
  fresh.catch(() => undefined);
  // Loading the server takes a tenth of a second, in which nothing can be sent; arriving data is buffered.
  await sent;
  const reporting = Promise.all(notifiers.map((notifier) => notifier.keepReporting(ending)));
  const server = await listening(core, options).catch(async (error: unknown) => {
    over.abort();
    await reporting;
    await beacon.close();
    throw error;
  });
  try {
    logStartup(config, logger, server.server.address() as AddressInfo);
    if (config.cacheDir !== undefined) onRefreshRequest(config.cacheDir, refreshNow, ending);
    await untilAborted(signal, async () => {
      await Promise.all([fresh, saveNowAndThen(served, ending)]);
    });
    logger.info(`stopping: answering for ${config.drain / 1000} s more`);
    await sleep(config.drain);
  } finally {
    over.abort();
    await Promise.all([server.close(), reporting]);
    await Promise.all([served.save(), beacon.close()]);
  }
}

/** Throws for secrets that cannot be used. They are read again for each request, so every request would fail. */
async function checkSecrets({ clientToken, signingKey, environment }: Config): Promise<void> {
  const read = (key: string, secret: Secret): Promise<string> =>
    readSecret(secret, environment).catch((cause: unknown) => {
      throw new UsageError(key, { cause });
    });
  if (clientToken) await read('clientToken', clientToken);
  if (signingKey && !isRsaKey(await read('signingKey.key', signingKey.key)))
    throw new UsageError('signingKey.key: expected an RSA private key in PEM, without a passphrase');
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

/** Restores indexes from disk, then refreshes until `signal` aborts. */
async function keepCurrent(beacon: Beacon, signal: AbortSignal): Promise<void> {
  await beacon.restore(signal);
  await beacon.keepFresh(signal);
}

async function listening(core: Core, options: ServeOptions): Promise<FastifyInstance> {
  const server = await serverOf(core, options);
  const address = await server.listen(options.config.listen);
  options.logger.info(`Server listening at ${address}`);
  return server;
}

/** Runs `work`; an abort by `signal` is not a failure. */
async function untilAborted(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The datasources, their sources, and the line for Renovate. `port` is the one that was chosen for port 0. */
function logStartup(config: Config, logger: FastifyBaseLogger, { port }: AddressInfo): void {
  const base = config.publicUrl ?? localUrl({ listen: { ...config.listen, port } });
  for (const [name, { repositories, archs }] of Object.entries(config.datasources)) {
    const from = repositories.map(({ url }) => redactAddress(url)).join(', ');
    logger.info(`datasource ${name}: ${from} for ${archs.join(' and ')}`);
    for (const { url, trust } of repositories) {
      if (trust === 'none') logger.warn(`signatures of ${redactAddress(url)} are NOT CHECKED (trust: none)`);
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
