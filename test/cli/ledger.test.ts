import { open, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder } from '../../src/repository/atomic-file.ts';
import { ledgerCommandSuite, run } from '../ledger/command-suite.ts';
import { built, Observer, START } from '../ledger/observer.ts';
import { sqliteStore } from '../ledger/stores.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

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

test('verify reports damage to a part that it does not need itself', async () => {
  const store = await sqliteStore();
  const one = new Observer({ folder: await temporaryDirectory(), store });
  await one.see([built('curl', '8.0-r0', START)]);
  const database = await one.ledger.database();
  const [[page] = []] =
    (await database?.query("SELECT rootpage FROM sqlite_schema WHERE name = 'ledger_republished'")) ?? [];
  await one.ledger.close();
  const file = await open(store.file, 'r+');
  await file.write(Buffer.alloc(4096, 0xaa), 0, 4096, (Number(page) - 1) * 4096);
  await file.close();
  expect(await run(store, 'verify')).toMatchObject({
    code: 1,
    output: expect.stringMatching(/^the file is damaged: .* page \d+: .*\n$/) as string,
  });
});
