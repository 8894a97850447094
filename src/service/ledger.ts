/** Which ledger a configuration has, and what an index is called in it. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { redactAddress } from '../addresses.ts';
import type { Pause } from '../apk/pieces.ts';
import type { Config } from '../config/config.ts';
import { errorLine } from '../errors.ts';
import type { Database } from '../ledger-store/database.ts';
import { Ledger, type LedgerIndex } from '../ledger-store/ledger.ts';
import type { IndexSpec } from '../repository/live-index.ts';

export interface LedgerServices {
  readonly logger: Pick<FastifyBaseLogger, 'info' | 'warn'>;
  readonly now: () => number;
  readonly pause: Pause;
}

/** SQLite in the cache directory; without one the ledger is in memory. */
export function openLedger({ cacheDir }: Config, { logger, now, pause }: LedgerServices): Ledger {
  const folder = cacheDir === undefined ? undefined : join(cacheDir, 'ledger');
  const open = folder === undefined ? undefined : () => openFile(folder, logger);
  return new Ledger({ folder, open, now, pause, log: logger }, open ? 'sqlite' : 'memory');
}

async function openFile(folder: string, logger: LedgerServices['logger']): Promise<Database> {
  const { openSqlite } = await import('../ledger-store/sqlite.ts');
  return await openSqlite(join(folder, 'ledger.sqlite'), (aside, error) =>
    logger.warn(`the ledger is damaged and was moved to ${aside}: ${errorLine(error)}`),
  );
}

/** The index in the ledger: its address, with what would tell a secret as a hash. */
export function ledgerIndexOf(
  { location, arch, formerly = [], label }: IndexSpec,
  found?: string,
): LedgerIndex {
  return {
    location: ledgerAddress(location),
    arch: arch ?? found ?? 'noarch',
    formerly: formerly.map(ledgerAddress),
    label,
  };
}

/** A password is no part of it: a changed one must not begin a ledger anew. The user is, who may see another index. */
function ledgerAddress(address: string): string {
  const url = URL.parse(address);
  const shown = redactAddress(address);
  if (!url || (url.search === '' && url.username === '')) return shown;
  const hash = createHash('sha256')
    .update(JSON.stringify([url.search, url.username]))
    .digest('hex');
  return `${shown} (${hash.slice(0, 12)})`;
}
