/** What appeared and vanished since a time, read from the ledger's database. */
import { identityText } from '../apk/identity.ts';
import { MAX_CHANGES, type Change, type Vanished } from '../ledger/changes.ts';
import { NAMES_A_QUERY, placeholders, type Query, type Row } from './database.ts';

/** The most vanished versions that are read, the latest first. */
const MAX_VANISHED = 5000;

/** Reads one more than is returned, to know whether there are more. */
export async function changesOf(
  query: Query,
  id: number,
  {
    index: { arch, repository },
    since,
    name,
  }: {
    readonly index: { readonly arch: string; readonly repository: string };
    readonly since: number;
    readonly name: string | undefined;
  },
): Promise<readonly Change[]> {
  const isNamed = name !== undefined;
  // SQLite finds packages by generation, or by name because of the plus. Sorted by name, it would read all of them for each
  // generation.
  const rowsOf = (column: 'appeared' | 'vanished'): Promise<readonly Row[]> =>
    query(
      `SELECT g.seen_at, p.name, p.version, p.identity, p.replaces FROM ledger_generation g
       JOIN ledger_package p ON p.index_id = g.index_id AND ${isNamed ? '+' : ''}p.${column} = g.number
       WHERE g.index_id = ? AND g.number > 1 AND g.seen_at >= ?${isNamed ? ' AND p.name = ?' : ''}
       ORDER BY g.number DESC, p.id LIMIT ${MAX_CHANGES + 1}`,
      [id, since, ...(isNamed ? [name] : [])],
    );
  const changeOf = (row: Row, kind: Change['kind']): Change => ({
    at: Number(row[0]),
    kind,
    name: String(row[1]),
    version: String(row[2]),
    arch,
    repository,
    identity: identityText(row[3] as Uint8Array),
    ...(kind === 'republished' && { before: identityText(row[4] as Uint8Array) }),
  });
  return [
    ...(await rowsOf('appeared')).map((row) => changeOf(row, row[4] === null ? 'appeared' : 'republished')),
    ...(await rowsOf('vanished')).map((row) => changeOf(row, 'vanished')),
  ];
}

/** `archs` by index. */
export async function vanishedOf(
  query: Query,
  archs: ReadonlyMap<number, string>,
  names: readonly string[],
): Promise<readonly Vanished[]> {
  const vanished: Vanished[] = [];
  for (let start = 0; archs.size > 0 && start < names.length; start += NAMES_A_QUERY) {
    const some = names.slice(start, start + NAMES_A_QUERY);
    const rows = await query(
      `SELECT p.index_id, p.name, p.version, MAX(g.seen_at) FROM ledger_package p
       JOIN ledger_generation g ON g.index_id = p.index_id AND g.number = p.vanished
       WHERE p.index_id IN (${placeholders(archs.size)}) AND p.name IN (${placeholders(some.length)})
       GROUP BY p.index_id, p.name, p.version ORDER BY 4 DESC LIMIT ${MAX_VANISHED}`,
      [...archs.keys(), ...some],
    );
    for (const [id, name, version, at] of rows)
      vanished.push({
        name: String(name),
        version: String(version),
        arch: archs.get(Number(id)) ?? '',
        at: Number(at),
      });
  }
  return vanished;
}
