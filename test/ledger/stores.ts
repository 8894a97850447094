/** Databases for the tests of the ledger, each empty. */
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openPostgres } from '../../src/ledger-store/postgres.ts';
import { openSqlite } from '../../src/ledger-store/sqlite.ts';
import { exportLines, importLines } from '../../src/ledger-store/transfer.ts';
import type { PostgresServer } from '../support/postgres.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import type { Store } from './observer.ts';

export async function sqliteStore(): Promise<Store & { readonly file: string }> {
  const folder = await temporaryDirectory();
  const file = join(folder, 'ledger', 'ledger.sqlite');
  return {
    file,
    open: () => openSqlite(file, () => undefined),
    lose: () => rm(file),
    async backUp() {
      const backup = join(folder, 'backup');
      await copyFile(file, backup);
      return () => copyFile(backup, file);
    },
    config: { cacheDir: folder },
  };
}

export async function postgresStore(server: PostgresServer): Promise<Store> {
  const { address, empty } = await server.schema();
  const open = async (): ReturnType<Store['open']> => {
    const database = await openPostgres(address);
    onTestFinished(() => database.close());
    return database;
  };
  return {
    open,
    lose: empty,
    async backUp() {
      const lines = await Array.fromAsync(exportLines(await open()));
      return async () => {
        await empty();
        await importLines(await open(), lines.values() as unknown as AsyncIterable<string>);
      };
    },
    config: { ledger: address },
  };
}
