import { readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openSqlite } from '../../src/ledger-store/sqlite.ts';
import { makeFolder, writeAtomically } from '../../src/repository/atomic-file.ts';
import { requestRefresh } from '../../src/service/refresh-request.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a file is written into a folder that is made with those above it, by several at once', async () => {
  const file = join(await temporaryDirectory(), 'new/folder/file');
  await Promise.all(['one', 'two', 'three'].map((text) => writeAtomically(file, [text])));
  expect(['one', 'two', 'three']).toContain(await readFile(file, 'utf8'));
});

test('where no folder can be made, that is an error', async () => {
  const link = join(await temporaryDirectory(), 'link');
  await symlink('/proc/nowhere', link);
  await expect(makeFolder(join(link, 'folder'))).rejects.toThrow(/E[A-Z]+/);
  const folder = '/proc/no/folder';
  await expect(writeAtomically(`${folder}/file`, ['x'])).rejects.toThrow(/E[A-Z]+/);
  await expect(openSqlite(`${folder}/file`, () => undefined)).rejects.toThrow(/E[A-Z]+/);
  await expect(requestRefresh(folder)).rejects.toThrow(/E[A-Z]+/);
});
