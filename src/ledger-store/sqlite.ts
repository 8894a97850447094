/** The ledger in an SQLite file. SQLite comes with Node. */
import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '../repository/atomic-file.ts';
import { createQueue } from '../repository/pace.ts';
import { schema, inDialect, type Database, type Query, type Row, type Dialect } from './database.ts';

/** Milliseconds between two attempts while another process writes, and in total. */
const RETRY_EVERY = 20;
const PATIENCE = 30_000;
/** Result codes of SQLite: busy, corrupt, not a database. */
const [BUSY, CORRUPT, NOT_A_DATABASE] = [5, 11, 26] as const;

const dialect: Dialect = {
  id: 'INTEGER PRIMARY KEY',
  bytes: 'BLOB',
  'by name': '(index_id, name)',
  // Includes the dates, so that their sum, for which a start waits, reads no row of the table.
  present: 'ledger_present_dates ON ledger_package (index_id, identity, released_at)',
  'identity in hex': 'hex(identity)',
};

/** An index of earlier versions, without the dates. */
const OUTDATED = 'DROP INDEX IF EXISTS ledger_present';

/** Statements that are kept prepared. */
const MAX_STATEMENTS = 50;

/** Opens or creates the file. With `onDamaged`, which gets the new name, a damaged file is renamed. */
export async function openSqlite(
  file: string,
  onDamaged: ((renamedTo: string, error: unknown) => void) | undefined,
): Promise<Database> {
  await makeFolder(dirname(file));
  try {
    return await open(file);
  } catch (error) {
    if (!onDamaged || !isDamage(error)) throw withFileName(file, error);
    const renamedTo = `${file}.damaged-${new Date().toISOString().replaceAll(':', '')}`;
    await rename(file, renamedTo);
    for (const end of ['-wal', '-shm']) await rename(file + end, renamedTo + end).catch(() => undefined);
    onDamaged(renamedTo, error);
    return await open(file);
  }
}

async function open(file: string): Promise<Database> {
  const { DatabaseSync } = await withoutWarning(() => import('node:sqlite'));
  const database = new DatabaseSync(file);
  // Asynchronous only for a common interface. The work is done at once, so callers query no more than a slice.
  const query = queriesOf(database);
  try {
    // A killed process loses nothing that was committed; only a machine that loses power may lose the last commits.
    for (const pragma of ['journal_mode = WAL', 'synchronous = NORMAL', 'journal_size_limit = 8388608'])
      await withRetries(() => database.exec(`PRAGMA ${pragma}`));
    for (const sql of [...schema, OUTDATED]) await withRetries(() => database.exec(inDialect(sql, dialect)));
  } catch (error) {
    database.close();
    throw error;
  }
  const oneAtATime = createQueue();
  const named = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw withFileName(file, error);
    });
  // A separate connection: reads do not wait for writes and see only committed data.
  const reader = new DatabaseSync(file, { readOnly: true });
  const read = queriesOf(reader);
  const transaction = async <T>(work: (query: Query) => Promise<T>): Promise<T> => {
    await withRetries(() => database.exec('BEGIN IMMEDIATE'));
    try {
      const result = await work(query);
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };
  return {
    kind: 'sqlite',
    query: (sql, values) => named(read(sql, values)),
    transaction: (work) => oneAtATime(() => named(transaction(work))),
    close: () =>
      oneAtATime(() => {
        reader.close();
        database.close();
        return Promise.resolve();
      }),
  };
}

/** Queries of a connection; statements stay prepared. */
function queriesOf(connection: DatabaseSync): Query {
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (!statement) {
      if (statements.size >= MAX_STATEMENTS) statements.clear();
      statement = connection.prepare(inDialect(sql, dialect));
      statement.setReturnArrays(true);
      statements.set(sql, statement);
    }
    return statement;
  };
  return (sql, values = []) => withRetries(() => prepared(sql).all(...values) as unknown as Row[]);
}

/** Retries without blocking the thread while another process writes. */
async function withRetries<T>(work: () => T): Promise<T> {
  for (const began = performance.now(); ;) {
    try {
      return work();
    } catch (error) {
      if (codeOf(error) !== BUSY || performance.now() - began > PATIENCE) throw error;
      await sleep(RETRY_EVERY);
    }
  }
}

/**
 * An error of SQLite with the file, which its own messages leave out. Damage within the file shows only when that part is
 * read; the file may be in use then, so it is left to the operator.
 */
function withFileName(file: string, error: unknown): unknown {
  if (codeOf(error) === undefined) return error;
  const advice =
    'damaged; stop the service, move this file and those beside it (-wal, -shm) away, and start it again';
  return new Error(isDamage(error) ? `${file} is ${advice}` : file, { cause: error });
}

function isDamage(error: unknown): boolean {
  const code = codeOf(error);
  return code === CORRUPT || code === NOT_A_DATABASE;
}

/** The primary result code, which is the lowest byte of an extended one. */
function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined;
}

/** Suppresses the warning of Node 22 that its SQLite is experimental. */
async function withoutWarning<T>(load: () => Promise<T>): Promise<T> {
  const emitWarning = process.emitWarning.bind(process) as (...all: unknown[]) => void;
  process.emitWarning = (...given: unknown[]) => {
    if (!String(given[0]).includes('SQLite')) emitWarning(...given);
  };
  try {
    return await load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
