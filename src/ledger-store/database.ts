/**
 * The database interface of the ledger. The SQL is the same for all databases: `?` stands for a value, and words in
 * braces are replaced for each database.
 */

export type Value = string | number | Uint8Array | null;
export type Row = readonly Value[];

export type Query = (sql: string, values?: readonly Value[]) => Promise<readonly Row[]>;

export interface Database {
  readonly kind: 'sqlite' | 'postgres';
  readonly query: Query;
  /** Runs `work` in a transaction. Transactions of one process run one after another. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The identity of an index; see `ledgerIndexOf`. */
export interface LedgerIndex {
  readonly location: string;
  readonly arch: string;
  /** The arch was found in its packages, so it may change. */
  readonly isArchFound?: boolean;
  /** Its former addresses, newest first. */
  readonly formerly: readonly string[];
  /** For logs. */
  readonly label: string;
}

/** The tables. */
export const schema: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS ledger_index (
     id {id}, location TEXT NOT NULL, arch TEXT NOT NULL, UNIQUE (location, arch))`,
  `CREATE TABLE IF NOT EXISTS ledger_generation (
     index_id INTEGER NOT NULL, number INTEGER NOT NULL, seen_at BIGINT NOT NULL, digest TEXT NOT NULL,
     signer TEXT, made_at BIGINT NOT NULL, packages INTEGER NOT NULL, PRIMARY KEY (index_id, number))`,
  `CREATE TABLE IF NOT EXISTS ledger_package (
     id {id}, index_id INTEGER NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, identity {bytes} NOT NULL,
     built_at BIGINT NOT NULL, released_at BIGINT NOT NULL, appeared INTEGER NOT NULL, vanished INTEGER,
     replaces {bytes})`,
  'CREATE INDEX IF NOT EXISTS ledger_by_name ON ledger_package {by name}',
  'CREATE INDEX IF NOT EXISTS ledger_by_appeared ON ledger_package (index_id, appeared)',
  `CREATE INDEX IF NOT EXISTS ledger_by_vanished ON ledger_package (index_id, vanished)
     WHERE vanished IS NOT NULL`,
  'CREATE INDEX IF NOT EXISTS {present} WHERE vanished IS NULL',
  `CREATE INDEX IF NOT EXISTS ledger_republished ON ledger_package (index_id)
     WHERE vanished IS NULL AND replaces IS NOT NULL`,
  'CREATE TABLE IF NOT EXISTS notify_watch (watch TEXT PRIMARY KEY, position TEXT NOT NULL)',
  `CREATE TABLE IF NOT EXISTS notify_name (
     watch TEXT NOT NULL, name TEXT NOT NULL, newest TEXT NOT NULL, versions TEXT NOT NULL,
     asked_at BIGINT NOT NULL, PRIMARY KEY (watch, name))`,
  `CREATE TABLE IF NOT EXISTS notify_event (
     id TEXT PRIMARY KEY, watch TEXT NOT NULL, event TEXT NOT NULL, made_at BIGINT NOT NULL,
     due_at BIGINT NOT NULL, attempts INTEGER NOT NULL)`,
];

/** The number of an index; creates one if needed. Locks the index until the transaction ends. */
export async function lockIndex(
  query: Query,
  location: string,
  arch: string,
): Promise<{ readonly id: number; readonly isNew: boolean }> {
  const added = await query(
    'INSERT INTO ledger_index (location, arch) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id',
    [location, arch],
  );
  const sql = 'UPDATE ledger_index SET arch = arch WHERE location = ? AND arch = ? RETURNING id';
  const [row] = await query(sql, [location, arch]);
  return { id: Number(row?.[0]), isNew: added.length > 0 };
}

/** The database's SQL for byte strings, an auto-increment key, two indexes, and an identity as text. */
export type Dialect = Readonly<Record<'id' | 'bytes' | 'by name' | 'present' | 'identity in hex', string>>;

export function inDialect(sql: string, dialect: Dialect): string {
  return sql.replace(/\{([a-z ]+)\}/g, (_, word: keyof Dialect) => dialect[word]);
}

/** Names in one statement. */
export const NAMES_A_QUERY = 100;

/** The index under its address, or under a former one; if its arch was found in it, also under another arch. */
export async function findIndex(
  query: Query,
  { location, arch, isArchFound = false, formerly }: Omit<LedgerIndex, 'label'>,
): Promise<{ readonly id: number; readonly location: string; readonly arch: string } | undefined> {
  for (const at of [location, ...formerly]) {
    const rows = await query('SELECT id, arch FROM ledger_index WHERE location = ? ORDER BY id DESC', [at]);
    const row = rows.find((each) => each[1] === arch) ?? (isArchFound ? rows[0] : undefined);
    if (row) return { id: Number(row[0]), location: at, arch: String(row[1]) };
  }
  return undefined;
}

/** `?, ?, ?`. */
export function placeholders(count: number): string {
  return Array<string>(count).fill('?').join(', ');
}

/** `INSERT INTO … VALUES` for many rows. */
export function insertSql(table: string, columns: readonly string[], rows: number): string {
  const one = `(${placeholders(columns.length)})`;
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${Array<string>(rows).fill(one).join(', ')}`;
}
