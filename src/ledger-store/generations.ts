/** The SQL with which the ledger writes a generation and reads earlier ones. */
import type { PackageTable } from '../apk/package-table.ts';
import type { Dated, Gone } from '../ledger/dates.ts';
import { identityAt } from '../ledger/identities.ts';
import { insertSql, NAMES_A_QUERY, placeholders, type Query, type Row, type Value } from './database.ts';

/** An accepted index. */
export interface AcceptedIndex {
  readonly packages: PackageTable;
  readonly digest: string;
  readonly keyName: string | undefined;
  /** Unix seconds. */
  readonly madeAt: number;
  /** From the disk, which may be behind: that it is not the newest is no change of the repository. */
  readonly isRestored?: boolean;
  /**
   * Digest of the index that its reader had before. Two datasources may read one repository, and a cache may give an
   * older index to the second.
   */
  readonly before?: string | undefined;
}

/** The columns of a generation and of a package, after the number of the index. */
export const generationColumns = ['number', 'seen_at', 'digest', 'signer', 'made_at', 'packages'] as const;
export const packageColumns = [
  ...['name', 'version', 'identity', 'built_at', 'released_at', 'appeared', 'vanished', 'replaces'],
] as const;

/** The newest generation. */
export interface Head {
  readonly number: number;
  readonly digest: string;
  readonly madeAt: number;
}

/** The values of the first columns of a package: index, name, version, identity, build time. */
export function packageValues(id: number, { columns, strings }: PackageTable, row: number): readonly Value[] {
  return [
    id,
    strings.names.list.text(columns.name[row] as number),
    strings.values.text(columns.version[row] as number),
    identityAt(columns.identity, row),
    columns.builtAt[row] as number,
  ];
}

/** Whether the dates are those of the database, judged by their sum. An import makes some earlier. */
export async function hasDates(query: Query, id: number, { releasedAt }: Dated): Promise<boolean> {
  // Any identity: so SQLite reads the index with the dates, and not every package that ever was.
  const sql =
    'SELECT SUM(released_at) FROM ledger_package WHERE index_id = ? AND vanished IS NULL AND identity >= ?';
  const [row] = await query(sql, [id, new Uint8Array()]);
  return Number(row?.[0]) === releasedAt.reduce((sum, date) => sum + date, 0);
}

export async function headOf(query: Query, id: number): Promise<Head | undefined> {
  const [row] = await query(
    'SELECT number, digest, made_at FROM ledger_generation WHERE index_id = ? ORDER BY number DESC LIMIT 1',
    [id],
  );
  if (!row) return undefined;
  return { number: Number(row[0]), digest: String(row[1]), madeAt: Number(row[2]) };
}

/** When the ledger of an index that has generations began; unix milliseconds. */
export async function beginningOf(query: Query, id: number): Promise<number> {
  const sql = 'SELECT seen_at FROM ledger_generation WHERE index_id = ? ORDER BY number LIMIT 1';
  const [row] = await query(sql, [id]);
  return Number(row?.[0]);
}

/** The newest time in the ledger, of whatever index; unix milliseconds. `undefined` if it is empty. */
export async function newestTime(query: Query): Promise<number | undefined> {
  // By index, because the newest generation of each is found by its key.
  const [row] = await query(
    `SELECT MAX((SELECT seen_at FROM ledger_generation WHERE index_id = ledger_index.id ORDER BY number DESC LIMIT 1))
     FROM ledger_index`,
  );
  const newest = row?.[0] ?? undefined;
  return newest === undefined ? undefined : Number(newest);
}

export async function addGeneration(
  query: Query,
  id: number,
  {
    number,
    seenAt,
    accepted,
    packages,
  }: { number: number; seenAt: number; accepted: AcceptedIndex; packages: number },
): Promise<void> {
  const values = [id, number, seenAt, accepted.digest, accepted.keyName ?? null, accepted.madeAt, packages];
  await query(insertSql('ledger_generation', ['index_id', ...generationColumns], 1), values);
}

/**
 * The number of an earlier generation with this index, seen by another observer, or the newest one if none recorded
 * this older index. Replicas and mirrors are never exactly in step; if one lags behind, that is not a change of the
 * repository. Many indexes have no time (those of melange and apk 3), so the same time does not decide.
 */
export async function numberBehind(
  query: Query,
  id: number,
  head: Head,
  { digest, madeAt }: AcceptedIndex,
): Promise<number | undefined> {
  if (digest === head.digest || (head.madeAt > 0 && madeAt > head.madeAt)) return undefined;
  const [row] = await query(
    'SELECT MAX(number) FROM ledger_generation WHERE index_id = ? AND digest = ? AND number < ?',
    [id, digest, head.number],
  );
  const number = row?.[0] ?? undefined;
  if (number !== undefined) return Number(number);
  return madeAt > 0 && madeAt < head.madeAt ? head.number : undefined;
}

/** Earlier packages with the names of those that appeared. */
export async function pastOf(
  query: Query,
  id: number,
  packages: PackageTable,
  appeared: readonly number[],
): Promise<{ of: (row: number) => { gone: Gone | undefined; other: Uint8Array | undefined } }> {
  const names = [...new Set(appeared.map((row) => String(packageValues(id, packages, row)[1])))];
  const rows: Row[] = [];
  for (let start = 0; start < names.length; start += NAMES_A_QUERY) {
    const some = names.slice(start, start + NAMES_A_QUERY);
    // In the order in which they existed, so that the last one counts. With the plus, SQLite finds them by name.
    const sql = `SELECT p.name, p.version, p.identity, p.released_at, g.seen_at
      FROM ledger_package p LEFT JOIN ledger_generation g ON g.index_id = p.index_id AND g.number = p.vanished
      WHERE p.index_id = ? AND p.name IN (${placeholders(some.length)}) ORDER BY +p.appeared`;
    rows.push(...(await query(sql, [id, ...some])));
  }
  const byVersion = Map.groupBy(rows, ([name, version]) => `${String(name)} ${String(version)}`);
  return {
    of(row) {
      const [, name, version, identity] = packageValues(id, packages, row);
      const same = byVersion.get(`${String(name)} ${String(version)}`) ?? [];
      const isOwn = (each: Row): boolean =>
        Buffer.compare(each[2] as Uint8Array, identity as Uint8Array) === 0;
      const own = same.findLast(isOwn);
      const other = same.findLast((each) => !isOwn(each))?.[2] as Uint8Array | undefined;
      const gone =
        own && (own[4] ?? undefined) !== undefined
          ? { releasedAt: Number(own[3]), vanishedAt: Math.floor(Number(own[4]) / 1000) }
          : undefined;
      return { gone, other };
    },
  };
}
