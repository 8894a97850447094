/** Reads earlier generations of an index from the ledger. */
import { randomInt } from 'node:crypto';
import { identityText, wordsOf } from '../apk/identity.ts';
import type { PackageTable } from '../apk/package-table.ts';
import { inSteps, type Pause } from '../apk/pieces.ts';
import type { ReleaseDates, Republished } from '../catalog/catalog.ts';
import { compare, type Dated } from '../ledger/dates.ts';
import { identityAt, IdentityTable } from '../ledger/identities.ts';
import type { PastGeneration } from '../repository/past-datasources.ts';
import { findIndex, type Database, type LedgerIndex, type Query, type Row, type Value } from './database.ts';

const GENERATION =
  'SELECT number, seen_at, digest, signer, packages FROM ledger_generation WHERE index_id = ?';

/** The generation that was current at `at` (unix milliseconds). */
export async function generationAt(
  query: Query,
  id: number,
  at: number,
): Promise<PastGeneration | undefined> {
  // Newest first, because most requested times are recent.
  const [row] = await query(`${GENERATION} AND seen_at <= ? ORDER BY number DESC LIMIT 1`, [id, at]);
  return row && generationOf(row);
}

export async function generationNumbered(
  query: Query,
  id: number,
  number: number,
): Promise<PastGeneration | undefined> {
  const [row] = await query(`${GENERATION} AND number = ?`, [id, number]);
  return row && generationOf(row);
}

const GENERATIONS_A_PAGE = 200;

/** Newest first. */
export async function* generationsOf(query: Query, id: number): AsyncGenerator<PastGeneration> {
  for (let before = 2 ** 31 - 1, more = true; more;) {
    const sql = `${GENERATION} AND number < ? ORDER BY number DESC LIMIT ${GENERATIONS_A_PAGE}`;
    const page = (await query(sql, [id, before])).map(generationOf);
    yield* page;
    more = page.length === GENERATIONS_A_PAGE;
    before = page.at(-1)?.number ?? 0;
  }
}

function generationOf([number, seenAt, digest, signer, packages]: Row): PastGeneration {
  return {
    number: Number(number),
    seenAt: Number(seenAt),
    digest: String(digest),
    signer: typeof signer === 'string' ? signer : undefined,
    packages: Number(packages),
  };
}

/** Rows of the table that a query reads: a database in this process blocks the thread for as long as that takes. */
const ROWS_A_QUERY = 4000;

/** Calls `use` with the packages for which `condition` is true, some at a time, in the order in which they appeared. */
async function forEachPackage(
  query: Query,
  columns: string,
  condition: string,
  values: readonly Value[],
  use: (rows: readonly Row[]) => Promise<void> | void,
): Promise<void> {
  const [[last] = []] = await query('SELECT MAX(id) FROM ledger_package');
  // By ranges of the key: a LIMIT would not bound the number of rows that are scanned.
  for (let after = 0; after < Number(last); after += ROWS_A_QUERY) {
    const rows = await query(
      `SELECT ${columns} FROM ledger_package WHERE id > ? AND id <= ? AND ${condition} ORDER BY id`,
      [after, after + ROWS_A_QUERY, ...values],
    );
    await use(rows);
  }
}

/** The same with the packages of a generation. */
async function forEachPresent(
  query: Query,
  id: number,
  number: number,
  columns: string,
  use: (rows: readonly Row[]) => Promise<void> | void,
): Promise<void> {
  const condition = '+index_id = ? AND +appeared <= ? AND (vanished IS NULL OR vanished > ?)';
  await forEachPackage(query, columns, condition, [id, number, number], use);
}

/** A package of a generation. Dates are in unix seconds. */
export interface RecordedPackage {
  readonly name: string;
  readonly version: string;
  /** `Q1…` */
  readonly identity: string;
  /** As published (`t:`); 0 if absent. */
  readonly builtAt: number;
  /** When it counted as released. */
  readonly releasedAt: number;
}

/** Every package of a generation, in the order in which they appeared. */
export async function packagesOf(
  query: Query,
  id: number,
  number: number,
  use: (packages: readonly RecordedPackage[]) => Promise<void> | void,
): Promise<void> {
  const columns = 'name, version, {identity in hex}, built_at, released_at';
  await forEachPresent(query, id, number, columns, (rows) => {
    const identities = identitiesOf(rows.map((row) => row[2]));
    return use(
      rows.map(([name, version, , builtAt, releasedAt], i) => ({
        name: String(name),
        version: String(version),
        identity: identityText(identityAt(identities, i)),
        builtAt: Number(builtAt),
        releasedAt: Number(releasedAt),
      })),
    );
  });
}

/** Decodes texts, because a separate byte string for each takes longer. */
function identitiesOf(texts: readonly (Value | undefined)[]): Uint8Array {
  return Buffer.from(texts.join(''), 'hex');
}

/** The packages of a generation with their dates, and the packages that were republished. */
export async function presentIn(
  query: Query,
  id: number,
  number: number,
  pause: Pause,
): Promise<Dated & { readonly replaces: readonly (readonly [identity: Uint8Array, before: Uint8Array])[] }> {
  const identities: Uint8Array[] = [];
  const dates: Uint32Array[] = [];
  const replaces: [Uint8Array, Uint8Array][] = [];
  const columns = '{identity in hex}, released_at, replaces';
  await forEachPresent(query, id, number, columns, async (rows) => {
    const all = identitiesOf(rows.map(([identity]) => identity));
    identities.push(all);
    dates.push(Uint32Array.from(rows, ([, releasedAt]) => Number(releasedAt)));
    for (const [i, [, , before]] of rows.entries())
      if (before instanceof Uint8Array) replaces.push([identityAt(all, i), before]);
    await pause();
  });
  return { identities: Buffer.concat(identities), releasedAt: joined(dates), replaces };
}

/** The identities of the packages that vanished after a generation. */
export async function vanishedAfter(
  query: Query,
  id: number,
  number: number,
  pause: Pause,
): Promise<Uint8Array> {
  const identities: Uint8Array[] = [];
  const condition = '+index_id = ? AND vanished > ?';
  await forEachPackage(query, '{identity in hex}', condition, [id, number], async (rows) => {
    identities.push(identitiesOf(rows.map(([identity]) => identity)));
    await pause();
  });
  return Buffer.concat(identities);
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const part of parts) {
    all.set(part, start);
    start += part.length;
  }
  return all;
}

/** By row, packages that took the name and version of another. Releases the table. */
export function republishedIn(
  table: IdentityTable,
  replaces: readonly (readonly [identity: Uint8Array, before: Uint8Array])[],
): ReadonlyMap<number, Republished> {
  const rows = replaces.map(
    ([identity, before]) => [table.find(wordsOf(identity), 0), { before: identityText(before) }] as const,
  );
  table.release();
  return new Map(rows.filter(([row]) => row >= 0));
}

/** Earlier generations, for answers. */
export class History {
  readonly #database: () => Promise<Database> | undefined;
  readonly #pause: Pause;
  readonly #seed = randomInt(2 ** 32);

  constructor(database: () => Promise<Database> | undefined, pause: Pause) {
    this.#database = database;
    this.#pause = pause;
  }

  /** The generation that was current at `at`, and when the next one was seen (unix milliseconds). */
  async at(
    index: LedgerIndex,
    at: number,
  ): Promise<{ readonly generation: PastGeneration; readonly until: number | undefined } | undefined> {
    const found = await this.#find(index);
    const generation = found && (await generationAt(found.query, found.id, at));
    if (!generation) return undefined;
    const next = await generationNumbered(found.query, found.id, generation.number + 1);
    return { generation, until: next?.seenAt };
  }

  async begunAt(index: LedgerIndex): Promise<number | undefined> {
    const found = await this.#find(index);
    return found && (await generationNumbered(found.query, found.id, 1))?.seenAt;
  }

  /** Newest first. */
  async *generations(index: LedgerIndex): AsyncGenerator<PastGeneration> {
    const found = await this.#find(index);
    if (found) yield* generationsOf(found.query, found.id);
  }

  /** When the packages of a generation counted as released then. */
  async dates(
    index: LedgerIndex,
    { number, seenAt }: PastGeneration,
    { columns: { identity } }: PackageTable,
  ): Promise<ReleaseDates> {
    const found = await this.#find(index);
    const known = found ? await presentIn(found.query, found.id, number, this.#pause) : nothing;
    const compared = compare(known, identity, this.#seed);
    const { releasedAt, appeared } = await inSteps(compared, this.#pause);
    // Only in a damaged ledger: dated by this generation, the latest possible date.
    for (const row of appeared) releasedAt[row] = Math.floor(seenAt / 1000);
    const table = await inSteps(IdentityTable.make(identity, this.#seed), this.#pause);
    return { releasedAt, republished: republishedIn(table, known.replaces) };
  }

  async #find(index: LedgerIndex): Promise<{ readonly query: Query; readonly id: number } | undefined> {
    const database = await this.#database();
    const found = database && (await findIndex(database.query, index));
    return found && { query: database.query, id: found.id };
  }
}

const nothing = { identities: new Uint8Array(0), releasedAt: new Uint32Array(0), replaces: [] };
