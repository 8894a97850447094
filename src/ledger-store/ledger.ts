/**
 * Runs the ledger: compares each accepted index with the one before, writes the difference, and computes when each
 * package counts as released. Lookups read these dates from memory.
 *
 * A failure here never stops an index from being served. While the database fails, dates come from the last index and
 * new packages are dated now; the next accepted index makes up for it.
 */
import { randomInt } from 'node:crypto';
import { wordsOf } from '../apk/identity.ts';
import type { PackageTable } from '../apk/package-table.ts';
import { inSteps, type Pause } from '../apk/pieces.ts';
import type { ReleaseDates, Republished } from '../catalog/catalog.ts';
import { counted, errorLine } from '../errors.ts';
import { MAX_CHANGES, type Change, type Changes, type Vanished } from '../ledger/changes.ts';
import { isSet, ledgerTime, TOLERATED_LAG } from '../ledger/clock.ts';
import { compare, firstDate, mergeDates, returnDate, without, type Dated } from '../ledger/dates.ts';
import { IdentityTable, identityAt } from '../ledger/identities.ts';
import type { LedgerKind, LedgerStatus } from '../ledger/status.ts';
import { compareTexts } from '../sorted.ts';
import { createQueue } from '../repository/pace.ts';
import {
  findIndex,
  insertSql,
  lockIndex,
  placeholders,
  type Database,
  type LedgerIndex,
  type Query,
  type Value,
} from './database.ts';
import { readDates, writeDates, type Known } from './dates-file.ts';
import { changesOf, vanishedOf } from './changes.ts';
import {
  addGeneration,
  beginningOf,
  hasDates,
  headOf,
  newestTime,
  numberBehind,
  packageColumns,
  packageValues,
  pastOf,
  type AcceptedIndex,
  type Head,
} from './generations.ts';
import { presentIn, republishedIn, vanishedAfter } from './history.ts';

export interface LedgerOptions {
  /** The folder for the dates of the last indexes. */
  readonly folder: string | undefined;
  /** Absent for a ledger in memory. */
  readonly open: (() => Promise<Database>) | undefined;
  /**
   * Milliseconds after a failure during which the database is not used, so that many indexes do not each wait for it.
   */
  readonly rest?: number;
  /**
   * The dates in the folder are not compared with the database, which takes long. An import may have made some of them
   * earlier.
   */
  readonly trustsFolder?: boolean | undefined;
  readonly now: () => number;
  readonly pause: Pause;
  /** For background work; by default `pause`. */
  readonly backgroundPause?: Pause | undefined;
  readonly log: Pick<Console, 'info' | 'warn'>;
}

/** Rows that are read or written between two pauses. */
const ROWS_A_SLICE = 200;

/** An observed index, and its known dates. */
interface Observation {
  readonly index: LedgerIndex;
  readonly accepted: AcceptedIndex;
  readonly known: Known | undefined;
  /**
   * The database may have earlier dates: the known dates are from a file or were made while it failed, or replicas write
   * to the database as well.
   */
  readonly mayDiffer: boolean;
}

/** An observation of an index that has generations in the database. */
interface LaterObservation extends Observation {
  readonly id: number;
  /** Its newest generation. */
  readonly head: Head;
}

interface Base {
  readonly base: Dated;
  /** The number of an earlier generation, if the observed index is that one. */
  readonly behind: number | undefined;
  /** What this process knew, unless it is the base. */
  readonly last: Dated | undefined;
}

interface Outcome {
  readonly known: Known;
  readonly republished: ReadonlyMap<number, Republished>;
  /** It is not the newest: what is known of that stays. */
  readonly isBehind?: boolean;
  /** Rows that took the name and version of another package. */
  readonly replacing?: readonly number[];
}

const none: ReadonlyMap<number, Republished> = new Map();

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #known = new Map<string, Known>();
  readonly #oneAtATime = createQueue();
  readonly #seed = randomInt(2 ** 32);
  #database: Promise<Database> | undefined;
  readonly #kind: LedgerKind;
  #error: string | undefined;
  #restsUntil = -Infinity;
  /** The newest time in it or given by it; unix milliseconds. */
  #newest = -Infinity;
  #republished = 0;
  #lost = 0;
  /** Writes of the first generation of an index. */
  readonly #writing = new Map<string, Promise<void>>();
  /** How many calls wait for the ledger. */
  #waiting = 0;

  constructor(options: LedgerOptions, kind: LedgerKind) {
    this.#options = options;
    this.#kind = kind;
  }

  get status(): LedgerStatus {
    return {
      kind: this.#kind,
      error: this.#error,
      clockBehind: Math.max(0, Math.round((this.#newest - this.#options.now()) / 1000)),
      republished: this.#republished,
      lost: this.#lost,
    };
  }

  /** The database; `undefined` for a ledger in memory. */
  database(): Promise<Database> | undefined {
    if (!this.#options.open) return undefined;
    this.#database ??= this.#options.open().catch((error: unknown) => {
      this.#database = undefined;
      throw error;
    });
    return this.#database;
  }

  /** The release dates of the packages of an accepted index. While the clock was never set, those of new ones are 0. */
  async datesOf(index: LedgerIndex, accepted: AcceptedIndex): Promise<ReleaseDates> {
    return await this.#inTurn(async () => {
      if (!isSet(this.#options.now())) {
        this.#options.log.warn(`${index.label}: the clock was never set, so no package is dated by it`);
        const known = await this.#knownOf(index);
        const { releasedAt } = await this.#compare(known ?? nothing, accepted.packages);
        return { releasedAt, republished: none, isProvisional: true };
      }
      const { known, republished, isProvisional } = await this.#date(index, accepted);
      return { releasedAt: known.releasedAt, republished, isProvisional };
    });
  }

  /**
   * The packages that appeared or vanished since a time, all or of one name. The first generation is not a change.
   */
  async changes(
    indexes: readonly (LedgerIndex & { readonly repository: string })[],
    since: number,
    name: string | undefined,
  ): Promise<Changes> {
    const database = await this.database();
    if (!database) return { changes: [], more: false };
    const all: Change[] = [];
    for (const index of indexes) {
      const found = await findIndex(database.query, index);
      if (found) all.push(...(await changesOf(database.query, found.id, { index, since, name })));
    }
    all.sort((a, b) => b.at - a.at || compareTexts(a.name, b.name) || compareTexts(a.arch, b.arch));
    return { changes: all.slice(0, MAX_CHANGES), more: all.length > MAX_CHANGES };
  }

  /** The versions of these names that vanished from these indexes. Nothing while the database fails. */
  async vanished(indexes: readonly LedgerIndex[], names: readonly string[]): Promise<readonly Vanished[]> {
    if (names.length === 0 || performance.now() < this.#restsUntil) return [];
    try {
      const database = await this.database();
      if (!database) return [];
      const found = await Promise.all(indexes.map((index) => findIndex(database.query, index)));
      const archs = new Map(found.flatMap((each, i) => (each ? [[each.id, indexes[i]?.arch ?? '']] : [])));
      return await vanishedOf(database.query, archs, names);
    } catch (error) {
      this.#restsUntil = performance.now() + (this.#options.rest ?? 0);
      this.#options.log.warn(`the ledger cannot be read: ${errorLine(error)}`);
      return [];
    }
  }

  /** Waits for what is still being written. */
  async settled(): Promise<void> {
    await this.#inTurn(() => Promise.all(this.#writing.values()));
  }

  async close(): Promise<void> {
    await this.settled();
    const database = await this.#database?.catch(() => undefined);
    this.#database = undefined;
    await database?.close();
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    return await this.#oneAtATime(work).finally(() => {
      this.#waiting -= 1;
    });
  }

  async #date(
    index: LedgerIndex,
    accepted: AcceptedIndex,
  ): Promise<Outcome & { readonly isProvisional: boolean }> {
    const key = keyOf(index);
    const isRemembered = this.#known.has(key);
    const known = await this.#knownOf(index);
    // The packages of the first index are written while it is already served.
    await this.#writing.get(key);
    try {
      const database = performance.now() < this.#restsUntil ? undefined : await this.database();
      if (database) {
        const outcome = await this.#record(database, key, {
          index,
          accepted,
          known,
          mayDiffer:
            database.kind === 'postgres' ||
            known?.isUnwritten === true ||
            (!isRemembered && !this.#options.trustsFolder),
        });
        this.#error = undefined;
        this.#noteRepublished(index, accepted.packages, outcome.replacing ?? []);
        if (outcome.isBehind !== true) await this.#keep(key, outcome.known, known);
        return { ...outcome, isProvisional: false };
      }
    } catch (error) {
      this.#restsUntil = performance.now() + (this.#options.rest ?? 0);
      this.#noteFailure(index, error);
    }
    const dated = await this.#withoutDatabase(index, accepted, known);
    this.#known.set(key, dated);
    return { known: dated, republished: none, isProvisional: this.#options.open !== undefined };
  }

  /** New packages are dated now, except by a ledger in memory on its first index. */
  async #withoutDatabase(
    index: LedgerIndex,
    { packages, digest }: AcceptedIndex,
    known: Known | undefined,
  ): Promise<Known> {
    const { identities, releasedAt, appeared } = await this.#compare(known ?? nothing, packages);
    const now = Math.floor(this.#time(index) / 1000);
    const { open } = this.#options;
    const isFirst = !known && !open;
    const begunAt = known ? known.begunAt : open && now;
    // With the date of what existed at first it would get its build time later. After a clock is set back, time stands.
    const date = known?.begunAt === now ? now + 1 : now;
    for (const row of appeared)
      releasedAt[row] = isFirst ? firstDate(packages.columns.builtAt[row] as number, now) : date;
    const { generation, observedSince } = known ?? { generation: 0, observedSince: now };
    return { identities, releasedAt, generation, digest, observedSince, begunAt, isUnwritten: true };
  }

  async #record(database: Database, key: string, observation: Observation): Promise<Outcome> {
    const { query } = database;
    const found = await findIndex(query, observation.index);
    if (!found || !(await headOf(query, found.id))) {
      const begun = await this.#begin(database, key, observation);
      if (begun) return begun;
    }
    return await database.transaction(async (inside) => {
      const id = await this.#indexId(inside, observation.index);
      // Another process may have been faster.
      const head = (await headOf(inside, id)) as Head;
      return await this.#append(inside, { ...observation, id, head });
    });
  }

  /** The first generation of an index, or the first again after a loss. `undefined` if another replica was faster. */
  async #begin(
    database: Database,
    key: string,
    { index, accepted, known }: Observation,
  ): Promise<Outcome | undefined> {
    const { packages, digest } = accepted;
    const seenAt = this.#time(index, await newestTime(database.query));
    const now = Math.floor(seenAt / 1000);
    const { identities, releasedAt } = await this.#firstDates(packages, known, now);
    const write = async (query: Query): Promise<boolean> => {
      const id = await this.#indexId(query, index);
      if (await headOf(query, id)) return false;
      const rows = packages.columns.name.length;
      await addGeneration(query, id, { number: 1, seenAt, accepted, packages: rows });
      await this.#insert(
        query,
        rows,
        (row) => [...packageValues(id, packages, row), releasedAt[row] as number, ...[1, null, null]],
        database.kind === 'postgres' ? this.#options.pause : this.#firstWritePause,
      );
      return true;
    };
    const writing = database.transaction(write);
    // Replicas must not begin the ledger twice. A file belongs to one process, whose lookups need not wait.
    if (database.kind === 'postgres') {
      if (!(await writing)) return undefined;
    } else
      this.#writing.set(
        key,
        writing.then(
          () => undefined,
          (error: unknown) => this.#noteFailure(index, error),
        ),
      );
    // A process that was killed while it wrote the first generation has lost nothing: the file has all of it.
    if (known !== undefined && known.generation > 1) {
      this.#lost += 1;
      this.#options.log.warn(
        `${index.label}: the ledger was lost; packages of the last index keep their dates, others are dated now`,
      );
    }
    const { observedSince } = known ?? { observedSince: now };
    return { known: { identities, releasedAt, generation: 1, digest, observedSince }, republished: none };
  }

  /** The dates of the packages of a first generation. `now` is in unix seconds. */
  async #firstDates(packages: PackageTable, known: Known | undefined, now: number): Promise<Dated> {
    const { identities, releasedAt, appeared } = await this.#compare(known ?? nothing, packages);
    const { builtAt } = packages.columns;
    for (const row of appeared) releasedAt[row] = known ? now : firstDate(builtAt[row] as number, now);
    const begunAt = known?.begunAt;
    if (begunAt !== undefined)
      for (let row = 0; row < releasedAt.length; row += 1)
        if (releasedAt[row] === begunAt) releasedAt[row] = firstDate(builtAt[row] as number, begunAt);
    return { identities, releasedAt };
  }

  async #append(query: Query, observation: LaterObservation): Promise<Outcome> {
    const { id, head, index, accepted } = observation;
    const { packages, digest } = accepted;
    const seenAt = this.#time(index, await newestTime(query));
    const seenAtSeconds = Math.floor(seenAt / 1000);
    const { base, behind, last } = await this.#baseOf(query, observation);
    const { identities, releasedAt, appeared, vanished } = await this.#compare(base, packages);
    const past = await pastOf(query, id, packages, appeared);
    const lastKnown = last && (await this.#tableOf(last.identities));
    const words = wordsOf(identities);
    const replaces = new Map<number, Uint8Array>();
    for (const row of appeared) {
      const { gone, other } = past.of(row);
      const found = lastKnown?.find(words, row) ?? -1;
      if (found >= 0) releasedAt[row] = (last as Dated).releasedAt[found] as number;
      else releasedAt[row] = gone ? returnDate(gone, seenAtSeconds) : seenAtSeconds;
      if (other) replaces.set(row, other);
    }
    lastKnown?.release();
    const isNew = behind === undefined && head.digest !== digest;
    const number = (behind ?? head.number) + Number(isNew);
    if (isNew) {
      await addGeneration(query, id, {
        number,
        seenAt,
        accepted,
        packages: base.releasedAt.length - vanished.length + appeared.length,
      });
      await this.#vanish(query, id, number, base, vanished);
      await this.#insert(query, appeared.length, (i) => {
        const row = appeared[i] as number;
        return [
          ...packageValues(id, packages, row),
          releasedAt[row] as number,
          ...[number, null, replaces.get(row) ?? null],
        ];
      });
    }
    const observedSince = Math.floor((await beginningOf(query, id)) / 1000);
    return {
      known: { identities, releasedAt, generation: number, digest, observedSince },
      republished: await this.#republishedOf(query, id, identities),
      isBehind: behind !== undefined,
      replacing: isNew ? [...replaces.keys()] : [],
    };
  }

  /** The generation that an index is compared with. */
  async #baseOf(query: Query, { id, head, accepted, known, mayDiffer }: LaterObservation): Promise<Base> {
    const isCurrent =
      known?.generation === head.number &&
      known.digest === head.digest &&
      (!mayDiffer || (await hasDates(query, id, known)));
    const hasSeenHead = isCurrent && (accepted.before ?? head.digest) === head.digest;
    const mayLag = !hasSeenHead || accepted.isRestored === true;
    const behind = mayLag ? await numberBehind(query, id, head, accepted) : undefined;
    const last = isCurrent || !known ? undefined : await this.#stillKnown(query, id, known);
    if (behind !== undefined)
      return { base: await presentIn(query, id, behind, this.#options.pause), behind, last };
    return { base: isCurrent ? known : await this.#merged(query, id, head, last), behind, last };
  }

  /**
   * What was known, without what vanished since: another observer saw that, and the time of an absence does not count.
   * It may be from another ledger, which proves only that a package was there when that began.
   */
  async #stillKnown(query: Query, id: number, known: Known): Promise<Dated> {
    const { pause } = this.#options;
    const vanished = await vanishedAfter(query, id, known.generation, pause);
    const { identities, releasedAt } = await inSteps(without(known, vanished, this.#seed), pause);
    return { identities, releasedAt: releasedAt.map((date) => Math.max(date, known.observedSince)) };
  }

  /** The packages of the last generation, with the earlier of their dates there and in the file of dates. */
  async #merged(query: Query, id: number, head: Head, known: Dated | undefined): Promise<Dated> {
    const base = await presentIn(query, id, head.number, this.#options.pause);
    if (!known) return base;
    const earlier = await inSteps(mergeDates(base, known, this.#seed), this.#options.pause);
    for (const row of earlier) {
      const values = [base.releasedAt[row] as number, id, identityAt(base.identities, row)];
      await query(
        'UPDATE ledger_package SET released_at = ? WHERE index_id = ? AND identity = ? AND vanished IS NULL',
        values,
      );
      await this.#options.pause();
    }
    return base;
  }

  async #vanish(
    query: Query,
    id: number,
    number: number,
    base: Dated,
    vanished: readonly number[],
  ): Promise<void> {
    for (let start = 0; start < vanished.length; start += ROWS_A_SLICE) {
      const some = vanished.slice(start, start + ROWS_A_SLICE);
      await query(
        `UPDATE ledger_package SET vanished = ? WHERE index_id = ? AND vanished IS NULL
         AND identity IN (${placeholders(some.length)})`,
        [number, id, ...some.map((row) => identityAt(base.identities, row))],
      );
      await this.#options.pause();
    }
  }

  /** Slow unless a call waits, because other indexes are still being read at the first start. */
  readonly #firstWritePause: Pause = () => {
    const { pause, backgroundPause = pause } = this.#options;
    return this.#waiting > 0 ? pause() : backgroundPause();
  };

  async #insert(
    query: Query,
    count: number,
    valuesOf: (i: number) => readonly Value[],
    pause = this.#options.pause,
  ): Promise<void> {
    for (let start = 0; start < count; start += ROWS_A_SLICE) {
      const rows = Math.min(ROWS_A_SLICE, count - start);
      const values = Array.from({ length: rows }, (_, i) => valuesOf(start + i)).flat();
      await query(insertSql('ledger_package', ['index_id', ...packageColumns], rows), values);
      await pause();
    }
  }

  async #republishedOf(
    query: Query,
    id: number,
    identities: Uint8Array,
  ): Promise<ReadonlyMap<number, Republished>> {
    const rows = await query(
      'SELECT identity, replaces FROM ledger_package WHERE index_id = ? AND vanished IS NULL AND replaces IS NOT NULL',
      [id],
    );
    if (rows.length === 0) return none;
    return republishedIn(await this.#tableOf(identities), rows as unknown as [Uint8Array, Uint8Array][]);
  }

  /**
   * The number of the index; creates one if needed, or uses that of a former address or arch. Locks the index until the
   * end of the transaction: replicas write one after another.
   */
  async #indexId(query: Query, index: LedgerIndex): Promise<number> {
    const { location, arch, label } = index;
    const found = await findIndex(query, index);
    if (found && (found.location !== location || found.arch !== arch)) {
      await query('UPDATE ledger_index SET location = ?, arch = ? WHERE id = ?', [location, arch, found.id]);
      this.#options.log.info(`${label}: continues the ledger of ${found.location} for ${found.arch}`);
    }
    return (await lockIndex(query, location, arch)).id;
  }

  async #compare(
    before: Dated,
    { columns: { identity: identities } }: PackageTable,
  ): Promise<Dated & { appeared: readonly number[]; vanished: readonly number[] }> {
    const work = compare(before, identities, this.#seed);
    return { identities, ...(await inSteps(work, this.#options.pause)) };
  }

  async #tableOf(identities: Uint8Array): Promise<IdentityTable> {
    return await inSteps(IdentityTable.make(identities, this.#seed), this.#options.pause);
  }

  #noteFailure({ label }: LedgerIndex, error: unknown): void {
    this.#error = errorLine(error);
    this.#options.log.warn(`${label}: the ledger cannot be written: ${this.#error}`);
  }

  /** The time to record; `newest` is the newest one in the database. Warns if the clock is behind it. */
  #time({ label }: LedgerIndex, newest = -Infinity): number {
    const now = this.#options.now();
    this.#newest = ledgerTime(now, Math.max(newest, this.#newest));
    const behind = this.#newest - now;
    if (behind > TOLERATED_LAG)
      this.#options.log.warn(
        `${label}: the clock is ${Math.round(behind / 1000)} s behind the newest time in the ledger; new packages are dated by the ledger`,
      );
    return this.#newest;
  }

  #noteRepublished({ label }: LedgerIndex, packages: PackageTable, rows: readonly number[]): void {
    this.#republished += rows.length;
    if (rows.length === 0) return;
    const names = rows.slice(0, 5).map((row) => {
      const [, name, version] = packageValues(0, packages, row);
      return `${String(name)}-${String(version)}`;
    });
    this.#options.log.warn(
      `${label}: ${counted(rows.length, 'package')} took over the name and version of another package: ${names.join(', ')}${rows.length > 5 ? ', …' : ''}`,
    );
  }

  /** The dates of the last index, from memory or the folder. */
  async #knownOf(index: LedgerIndex): Promise<Known | undefined> {
    const { folder, log } = this.#options;
    const { label } = index;
    const key = keyOf(index);
    const remembered = this.#known.get(key);
    if (remembered || folder === undefined) return remembered;
    return await readDates(folder, key).catch((error: unknown) => {
      log.warn(`${label}: ignoring the dates of the last index: ${errorLine(error)}`);
      return undefined;
    });
  }

  async #keep(key: string, known: Known, before: Known | undefined): Promise<void> {
    const { folder, log } = this.#options;
    this.#known.set(key, known);
    const isSame = before?.generation === known.generation && before.digest === known.digest;
    if (folder === undefined || isSame) return;
    await writeDates(folder, key, known).catch((error: unknown) => {
      log.warn(`the dates of the last index cannot be kept: ${errorLine(error)}`);
    });
  }
}

const nothing: Dated = { identities: new Uint8Array(0), releasedAt: new Uint32Array(0) };

/** The key for the dates in memory and in the folder. */
function keyOf({ location, arch, isArchFound }: LedgerIndex): string {
  return `${location} ${isArchFound ? '*' : arch}`;
}
