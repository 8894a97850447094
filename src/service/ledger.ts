/** Opens the configured ledger, and names indexes in it. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { redactAddress } from '../addresses.ts';
import type { Pause } from '../apk/pieces.ts';
import type { Config, DatasourceConfig } from '../config/config.ts';
import { isPostgresUrl } from '../config/schema.ts';
import { errorLine, IndexError, UsageError } from '../errors.ts';
import type { Database, LedgerIndex } from '../ledger-store/database.ts';
import { History } from '../ledger-store/history.ts';
import { Ledger } from '../ledger-store/ledger.ts';
import { indexSpecs } from './index-specs.ts';
import { readSecret } from '../repository/credentials.ts';
import type { IndexSpec, LiveIndex } from '../repository/live-index.ts';
import type { PastLedger } from '../repository/past-datasources.ts';

interface LedgerServices {
  readonly logger: Pick<FastifyBaseLogger, 'info' | 'warn'>;
  readonly now: () => number;
  readonly pause: Pause;
  /** For background work. */
  readonly backgroundPause?: Pause | undefined;
  /** Answers have no dates: those on disk are good enough, and no ledger is begun in the cache directory. */
  readonly withoutDates?: boolean | undefined;
  /** A damaged file is an error. By default it is moved aside, and the ledger begins again. */
  readonly keepsDamaged?: boolean | undefined;
  /** A missing ledger is an error. By default one is created. */
  readonly mustExist?: boolean | undefined;
}

/** Milliseconds after a failure in which PostgreSQL is not used. */
const REST = 5000;

/** PostgreSQL if configured, otherwise SQLite in the cache directory; without one the ledger is in memory. */
export function openLedger(
  { cacheDir, ledger, environment }: Pick<Config, 'cacheDir' | 'ledger' | 'environment'>,
  services: LedgerServices,
): Ledger {
  const { logger, now, pause, backgroundPause, withoutDates = false, mustExist = false } = services;
  const folder = cacheDir === undefined ? undefined : join(cacheDir, 'ledger');
  const options = { folder, trustsFolder: withoutDates, now, pause, backgroundPause, log: logger };
  if (ledger !== undefined)
    return new Ledger(
      { ...options, rest: REST, open: () => openPostgresLedger(ledger, environment, mustExist) },
      'postgres',
    );
  if (folder === undefined || (withoutDates && !existsSync(folder)))
    return new Ledger({ ...options, folder: undefined, open: undefined }, 'memory');
  return new Ledger({ ...options, open: () => openFile(folder, services) }, 'sqlite');
}

/** A secret is read again for each try: it may be rotated. */
async function openPostgresLedger(
  ledger: NonNullable<Config['ledger']>,
  environment: Config['environment'],
  mustExist: boolean,
): Promise<Database> {
  const address = typeof ledger === 'string' ? ledger : await readSecret(ledger, environment);
  if (!isPostgresUrl(address)) throw new IndexError('config-invalid', 'ledger: expected a postgres:// URL');
  const { openPostgres } = await import('../ledger-store/postgres.ts');
  return await openPostgres(address, { mustExist });
}

async function openFile(
  folder: string,
  { logger, keepsDamaged = false, mustExist = false }: LedgerServices,
): Promise<Database> {
  const { openSqlite } = await import('../ledger-store/sqlite.ts');
  const file = join(folder, 'ledger.sqlite');
  if (mustExist)
    await access(file).catch((cause: unknown) => {
      throw new UsageError('there is no ledger', { cause });
    });
  const onDamaged = (renamedTo: string, error: unknown): void =>
    logger.warn(`the ledger is damaged and was moved to ${renamedTo}: ${errorLine(error)}`);
  return await openSqlite(file, keepsDamaged ? undefined : onDamaged);
}

/** The ledger's earlier generations; `undefined` for a ledger in memory. */
export function pastLedger(ledger: Ledger, pause: Pause): PastLedger | undefined {
  if (ledger.status.kind === 'memory') return undefined;
  const history = new History(() => ledger.database(), pause);
  return {
    at: (index, at) => history.at(inLedger(index), at),
    begunAt: (index) => history.begunAt(inLedger(index)),
    dates: (index, generation, packages) => history.dates(inLedger(index), generation, packages),
    generations: (index) => history.generations(inLedger(index)),
  };
}

/** The present and former addresses of a datasource's indexes in the ledger. */
export function ledgerLocations(config: Config, datasource: DatasourceConfig): ReadonlySet<string> {
  const specs = datasource.repositories.flatMap((repository) => indexSpecs(datasource, repository, config));
  return new Set(
    specs.map((spec) => ledgerIndexOf(spec)).flatMap(({ location, formerly }) => [location, ...formerly]),
  );
}

export function inLedger({ spec, loaded }: LiveIndex): LedgerIndex {
  return ledgerIndexOf(spec, loaded?.index.arch);
}

/**
 * The identity of an index in the ledger: its address, with secret parts as a hash. Apart for an unverified index: anyone
 * on the network can write it, so it must not change the dates of the verified one.
 */
export function ledgerIndexOf(
  { location, arch, formerly = [], label, isUnverified = false }: IndexSpec,
  found?: string,
): LedgerIndex {
  const [at, ...before] = [location, ...formerly].map(
    (address) => `${ledgerAddress(address)}${isUnverified ? ' (unverified)' : ''}`,
  );
  return {
    location: at as string,
    arch: arch ?? found ?? 'noarch',
    isArchFound: arch === undefined,
    formerly: before,
    label,
  };
}

/** Without the password, so that a changed one does not begin a new ledger. With the user, who may see another index. */
function ledgerAddress(address: string): string {
  const url = URL.parse(address);
  const shown = redactAddress(address);
  if (!url || (url.search === '' && url.username === '')) return shown;
  const hash = createHash('sha256')
    .update(JSON.stringify([url.search, url.username]))
    .digest('hex');
  return `${shown} (${hash.slice(0, 12)})`;
}
