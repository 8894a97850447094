/** `ledger`: takes the ledger out of its database, merges one in, and checks it. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Config } from '../config/config.ts';
import { printable, UsageError } from '../errors.ts';
import { exportLines, importLines, verify } from '../ledger-store/transfer.ts';
import { createLogger } from '../service/logger.ts';
import { openLedger } from '../service/ledger.ts';

export const ledgerActions = ['export', 'import', 'verify'] as const;

export interface LedgerStreams {
  readonly input: Readable;
  readonly output: Writable;
}

export async function ledgerCommand(
  words: readonly string[],
  config: Config,
  { input, output }: LedgerStreams,
): Promise<number> {
  const [action, ...more] = words;
  if (action === undefined || !(ledgerActions as readonly string[]).includes(action) || more.length > 0)
    throw new UsageError(`usage: ledger ${ledgerActions.join('|')}`);
  const { logLevel, logFormat: format } = config;
  const logger = await createLogger(logLevel, { format, terminal: process.stderr.isTTY, destination: 2 });
  const ledger = openLedger(config, { logger, now: Date.now, pause: () => undefined });
  const database = await ledger.database();
  if (!database)
    throw new UsageError(
      'ledger needs a cache directory or a database (cacheDir, ledger): without one it is in memory',
    );
  try {
    switch (action as (typeof ledgerActions)[number]) {
      case 'export':
        for await (const line of exportLines(database))
          if (!output.write(`${line}\n`)) await once(output, 'drain');
        return 0;
      case 'import': {
        const { added, dated } = await importLines(database, linesOf(input));
        output.write(`${added} indexes added, ${dated} packages with an earlier date\n`);
        return 0;
      }
      case 'verify': {
        const faults = await verify(database, Date.now());
        for (const fault of faults) output.write(`${printable(fault)}\n`);
        if (faults.length === 0) output.write('the ledger is sound\n');
        return faults.length === 0 ? 0 : 1;
      }
    }
  } finally {
    await ledger.close();
  }
}

/** Reads only once asked: what the interface reads before is lost. */
async function* linesOf(input: Readable): AsyncGenerator<string> {
  yield* createInterface({ input });
}
