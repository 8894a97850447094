import { readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder } from '../../src/repository/atomic-file.ts';
import { ledgerCommandSuite, run } from '../ledger/command-suite.ts';
import { sqliteStore } from '../ledger/stores.ts';

ledgerCommandSuite(sqliteStore);

test.each(['verify', 'export', 'show', 'import'])(
  '%s of a damaged file fails and leaves it, instead of an empty ledger',
  async (action) => {
    const store = await sqliteStore();
    await makeFolder(dirname(store.file));
    await writeFile(store.file, 'no database'.repeat(1000));
    await expect(run(store, action, '{"ledger":1}')).rejects.toThrow(`${store.file} is damaged`);
    expect(await readFile(store.file, 'utf8')).toMatch(/^no database/);
  },
);
