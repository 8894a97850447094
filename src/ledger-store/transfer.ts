/** `ledger export`, `import` and `verify`: the whole ledger as lines of JSON, and whether it is consistent. */
import * as z from 'zod';
import { IDENTITY_BYTES, identityText } from '../apk/identity.ts';
import { insertSql, lockIndex, type Database, type Query, type Row, type Value } from './database.ts';
import { generationColumns, packageColumns } from './generations.ts';

const FORMAT = 1;
const END = JSON.stringify({ end: true });
const ROWS_A_PAGE = 2000;
const ROWS_A_SLICE = 200;

/**
 * A header line; then lines for each index, its generations and its packages; and a line that ends the export, so that
 * an incomplete one is recognized. Rows that a running service adds meanwhile are omitted, so that packages and
 * generations match.
 */
export async function* exportLines({ query }: Pick<Database, 'query'>): AsyncGenerator<string> {
  yield JSON.stringify({ ledger: FORMAT });
  for (const [id, location, arch] of await query('SELECT id, location, arch FROM ledger_index ORDER BY id')) {
    yield JSON.stringify({ index: location, arch });
    const generations = await query(
      `SELECT ${generationColumns.join(', ')} FROM ledger_generation WHERE index_id = ? ORDER BY number`,
      [id as Value],
    );
    for (const row of generations) yield JSON.stringify({ generation: row.map(plain) });
    const last = Number(generations.at(-1)?.[0] ?? 0);
    for await (const row of packagesOf(query, Number(id), last))
      yield JSON.stringify({ package: row.map(plain) });
  }
  yield END;
}

/** The packages as of the generation `last`. */
async function* packagesOf(query: Query, id: number, last: number): AsyncGenerator<Row> {
  const columns = packageColumns.join(', ').replace('vanished', 'CASE WHEN vanished <= ? THEN vanished END');
  for (let after = 0, more = true; more;) {
    // With the pluses, SQLite reads the table in order, instead of sorting all packages of the index for each page.
    const rows = await query(
      `SELECT ${columns}, id FROM ledger_package WHERE +index_id = ? AND id > ? AND +appeared <= ?
       ORDER BY id LIMIT ${ROWS_A_PAGE}`,
      [last, id, after, last],
    );
    for (const row of rows) yield row.slice(0, -1);
    more = rows.length === ROWS_A_PAGE;
    after = Number(rows.at(-1)?.at(-1) ?? 0);
  }
}

/** Byte strings become an object with base64. */
function plain(value: Value): unknown {
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value;
}

const whole = z.int().min(0);
/** As a column of dates in memory holds them. */
const seconds = whole.max(2 ** 32 - 1);
const identityBytes = z
  .object({ base64: z.string() })
  .transform(({ base64 }) => Buffer.from(base64, 'base64'))
  .refine(({ length }) => length === IDENTITY_BYTES, `expected ${IDENTITY_BYTES} bytes`);

/** The values are in the order of `generationColumns` and `packageColumns`. */
const lineSchema = z.object({
  ledger: z.unknown().optional(),
  index: z.string().optional(),
  arch: z.string().optional(),
  generation: z.tuple([whole, whole, z.string(), z.string().nullable(), whole, whole]).optional(),
  package: z
    .tuple([
      z.string(),
      z.string(),
      identityBytes,
      seconds,
      seconds,
      whole,
      whole.nullable(),
      identityBytes.nullable(),
    ])
    .optional(),
  end: z.literal(true).optional(),
});

type PackageValues = NonNullable<z.output<typeof lineSchema>['package']>;

function parseLine(text: string): z.output<typeof lineSchema> {
  const result = lineSchema.safeParse(JSON.parse(text));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new Error([...(issue?.path ?? []), issue?.message].join(': '));
}

interface Imported {
  /** The number of new indexes. */
  readonly added: number;
  /** The number of packages of existing indexes that got an earlier date. */
  readonly dated: number;
}

/**
 * Imports everything or nothing. A new index is imported with its history. In an existing index, packages get the
 * earlier of two dates; its own history stays. What existed when the imported ledger began has the date of its
 * publisher there, so it counts from that beginning.
 */
export async function importLines(database: Database, lines: AsyncIterable<string>): Promise<Imported> {
  return await database.transaction(async (query) => {
    let current: { readonly id: number; readonly isNew: boolean } | undefined;
    // When the imported ledger of the index began, in unix seconds.
    let begunAt = 0;
    let [added, dated, number] = [0, 0, 0];
    let isWhole = false;
    let waiting: Value[][] = [];
    const flush = async (): Promise<void> => {
      if (waiting.length > 0)
        await query(
          insertSql('ledger_package', ['index_id', ...packageColumns], waiting.length),
          waiting.flat(),
        );
      waiting = [];
    };
    for await (const text of lines) {
      number += 1;
      try {
        const line = parseLine(text);
        if (number === 1) {
          if (line.ledger !== FORMAT) throw new Error(`not an export of format ${FORMAT}`);
        } else if (isWhole) throw new Error('expected nothing after the end of the export');
        else if (line.end) isWhole = true;
        else if (line.index !== undefined) {
          await flush();
          current = await lockIndex(query, line.index, String(line.arch));
          if (current.isNew) added += 1;
          begunAt = 0;
        } else if (!current) throw new Error('expected an index first');
        else if (line.generation) {
          begunAt ||= Math.floor(line.generation[1] / 1000);
          if (!current.isNew) continue;
          const values = [current.id, ...line.generation];
          await query(insertSql('ledger_generation', ['index_id', ...generationColumns], 1), values);
        } else if (line.package) {
          if (current.isNew) waiting.push([current.id, ...line.package]);
          else dated += await dateEarlier(query, current.id, line.package, begunAt);
          if (waiting.length === ROWS_A_SLICE) await flush();
        } else throw new Error('neither an index, a generation nor a package');
      } catch (cause) {
        throw new Error(`line ${number}`, { cause });
      }
    }
    if (number === 0) throw new Error('there is nothing to import: the input is empty');
    if (!isWhole) throw new Error(`the export is incomplete: its last line is not ${END}`);
    await flush();
    // Without statistics, which PostgreSQL gathers only a minute later, it plans the next queries badly.
    if (database.kind === 'postgres') await query('ANALYZE ledger_package');
    return { added, dated };
  });
}

async function dateEarlier(
  query: Query,
  id: number,
  [, , identity, , date, , vanished]: PackageValues,
  begunAt: number,
): Promise<number> {
  // The time of an absence does not count.
  if (vanished !== null) return 0;
  const releasedAt = Math.max(date, begunAt);
  const rows = await query(
    `UPDATE ledger_package SET released_at = ? WHERE index_id = ? AND identity = ? AND vanished IS NULL
     AND released_at > ? RETURNING id`,
    [releasedAt, id, identity, releasedAt],
  );
  return rows.length;
}

/** The inconsistencies of a ledger, one per line; empty if there are none. */
export async function verify(
  { kind, query }: Pick<Database, 'kind' | 'query'>,
  now: number,
): Promise<readonly string[]> {
  const faults = kind === 'sqlite' ? await damageOf(query) : [];
  for (const [id, location, arch] of await query('SELECT id, location, arch FROM ledger_index ORDER BY id'))
    for (const fault of await faultsOf(query, Number(id), now))
      faults.push(`${String(location)} for ${String(arch)}: ${fault}`);
  return faults;
}

/** The first damage of an SQLite file. The queries below do not read every part of it. */
async function damageOf(query: Query): Promise<string[]> {
  const [[found] = []] = await query('PRAGMA quick_check(1)');
  return found === 'ok' ? [] : [`the file is damaged: ${String(found).replaceAll('\n', ' ')}`];
}

async function faultsOf(query: Query, id: number, now: number): Promise<readonly string[]> {
  const faults: string[] = [];
  const generations = await query(
    'SELECT number, seen_at, packages FROM ledger_generation WHERE index_id = ? ORDER BY number',
    [id],
  );
  const count = async (column: 'appeared' | 'vanished'): Promise<ReadonlyMap<number, number>> => {
    const rows = await query(
      `SELECT ${column}, COUNT(*) FROM ledger_package WHERE index_id = ? AND ${column} IS NOT NULL GROUP BY ${column}`,
      [id],
    );
    return new Map(rows.map(([number, packages]) => [Number(number), Number(packages)]));
  };
  const [appeared, vanished] = [await count('appeared'), await count('vanished')];
  let [present, before] = [0, -Infinity];
  for (const [i, row] of generations.entries()) {
    const [number, seenAt, packages] = row.map(Number) as [number, number, number];
    if (number !== i + 1) faults.push(`generation ${i + 1} is missing`);
    if (seenAt < before) faults.push(`generation ${number} was seen before the previous one`);
    if (seenAt > now) faults.push(`generation ${number} was seen at ${date(seenAt)}, which is in the future`);
    present += (appeared.get(number) ?? 0) - (vanished.get(number) ?? 0);
    if (present !== packages)
      faults.push(`generation ${number} had ${packages} packages, but the ledger has ${present}`);
    before = seenAt;
  }
  const twice = await query(
    `SELECT name, identity FROM ledger_package WHERE index_id = ? AND vanished IS NULL
     GROUP BY name, identity HAVING COUNT(*) > 1 LIMIT 10`,
    [id],
  );
  for (const [name, identity] of twice)
    faults.push(`${String(name)} (${identityText(identity as Uint8Array)}) occurs twice`);
  const odd = await query(
    'SELECT COUNT(*) FROM ledger_package WHERE index_id = ? AND (released_at > ? OR vanished <= appeared)',
    [id, Math.ceil(now / 1000)],
  );
  if (Number(odd[0]?.[0]) > 0)
    faults.push(
      `${Number(odd[0]?.[0])} packages have a date in the future, or vanished no later than they appeared`,
    );
  return faults;
}

function date(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
