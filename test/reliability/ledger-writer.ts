/**
 * Writes one generation after another into a ledger, until it is killed: `ledger-writer FOLDER STORE FIRST`. Tells on
 * standard output the number of each generation that is written.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from '../../src/ledger-store/database.ts';
import { openSqlite } from '../../src/ledger-store/sqlite.ts';
import { built, Observer, START } from '../ledger/observer.ts';
import type { Stanza } from '../support/signed-index.ts';

const PACKAGES = 40;
/** Generations after which all names change, so that no name has thousands of versions. */
const AGE = 200;

/** What is there in a generation: versions come, packages vanish and return, some are built anew. */
export function stanzasOf(generation: number): readonly Stanza[] {
  return Array.from({ length: PACKAGES }, (_, i) => i)
    .filter((i) => (generation + i) % 17 !== 0)
    .map((i) => {
      const version = `${Math.floor((generation + i * 3) / 20)}-r0`;
      const build = (generation + i) % 50 < 2 ? 'rebuilt' : '';
      return built(`p${i}-${Math.floor(generation / AGE)}`, version, START, build);
    });
}

/** Someone who sees the generations, each at its own time. */
export function observerOf(folder: string, open: () => Promise<Database>): Observer {
  const none = (): Promise<never> => Promise.reject(new Error('not here'));
  return new Observer({ folder, store: { open, lose: none, backUp: none, config: {} } });
}

export async function see(one: Observer, generation: number): Promise<void> {
  one.now = START + generation * 60;
  await one.take(stanzasOf(generation), { madeAt: generation });
  const { error } = one.ledger.status;
  if (error !== undefined) throw new Error(error);
}

export function openStore(folder: string, store: string): () => Promise<Database> {
  if (store === 'sqlite') return () => openSqlite(join(folder, 'ledger', 'ledger.sqlite'), refuse);
  return async () => {
    const { openPostgres } = await import('../../src/ledger-store/postgres.ts');
    return await openPostgres(store);
  };
}

/** A kill must not damage the file. */
function refuse(_aside: string, error: unknown): never {
  throw error;
}

if (import.meta.main) {
  const [folder = '', store = '', first = ''] = process.argv.slice(2);
  const one = observerOf(folder, openStore(folder, store));
  for (let generation = Number(first); ; generation += 1) {
    await see(one, generation);
    writeSync(1, `${generation}\n`);
  }
}
