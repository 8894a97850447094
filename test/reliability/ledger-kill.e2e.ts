/** A ledger whose writer is killed at any moment, again and again, is the same as one whose writer never was. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/ledger-store/database.ts';
import { openSqlite } from '../../src/ledger-store/sqlite.ts';
import { exportLines, verify } from '../../src/ledger-store/transfer.ts';
import { hasPostgres, startPostgres } from '../support/postgres.ts';
import { startProgram } from '../support/process.ts';
import { temporaryFolder } from '../support/service.ts';
import { observerOf, openStore, see } from './ledger-writer.ts';

/** `KILLS=10000` for the long proof. */
const KILLS = Number(process.env['KILLS'] ?? 50);
/** Milliseconds that a writer lives at most after it has written something. */
const LIFE = 25;

let programs: string;
let writer: string;

beforeAll(async () => {
  programs = await temporaryFolder();
  writer = join(programs, 'writer.mjs');
  // One file starts three times as fast as the sources.
  await build({
    entryPoints: ['test/reliability/ledger-writer.ts'],
    outfile: writer,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    external: ['pg-native'],
    banner: { js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);' },
  });
});
afterAll(() => rm(programs, { recursive: true, force: true }));

/** Returns the number of the last generation that a writer told of. */
async function killWriters(folder: string, store: string): Promise<number> {
  let told = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const doomed = startProgram(process.execPath, [writer, folder, store, String(told + 1)]);
    await doomed.line(/^\d+$/);
    await sleep(Math.random() * LIFE);
    doomed.child.kill('SIGKILL');
    expect(await doomed.ended, doomed.lines.join('\n')).toBe('SIGKILL');
    told = Math.max(told, ...doomed.lines.map(Number));
    if (kill % 500 === 0) process.stdout.write(`${kill} kills, ${told} generations\n`);
  }
  return told;
}

/** The ledger of someone who was never killed. */
async function undisturbed(generations: number): Promise<readonly string[]> {
  const folder = await temporaryFolder();
  const one = observerOf(folder, () => openSqlite(join(folder, 'ledger', 'ledger.sqlite'), () => undefined));
  for (let generation = 1; generation <= generations; generation += 1) await see(one, generation);
  const lines = await contentOf(await one.ledger.database());
  await one.ledger.close();
  await rm(folder, { recursive: true, force: true });
  return lines;
}

async function contentOf(database: Database | undefined): Promise<readonly string[]> {
  return database ? await Array.fromAsync(exportLines(database)) : [];
}

async function proveUnharmed(folder: string, store: string): Promise<void> {
  const told = await killWriters(folder, store);
  const database = await openStore(folder, store)();
  expect(await verify(database, Date.now() + 1e13)).toEqual([]);
  const lines = await contentOf(database);
  await database.close();
  const written = lines.filter((line) => line.startsWith('{"generation"')).length;
  process.stdout.write(
    `${KILLS} kills, ${told} generations told, ${written} written, ${lines.length} lines\n`,
  );
  // The last one may be written and not told.
  expect([told, told + 1]).toContain(written);
  expect(lines).toEqual(await undisturbed(written));
}

describe(`after ${KILLS} kills nothing is lost and nothing is there twice`, { timeout: 36_000_000 }, () => {
  test('in SQLite', async () => {
    const folder = await temporaryFolder();
    await proveUnharmed(folder, 'sqlite');
    await rm(folder, { recursive: true, force: true });
  });

  test.runIf(hasPostgres)('in PostgreSQL', async () => {
    await using server = await startPostgres();
    const folder = await temporaryFolder();
    await proveUnharmed(folder, (await server.schema()).address);
    await rm(folder, { recursive: true, force: true });
  });
});
