/**
 * The last offered versions of each watched name and the pending events, in the ledger's database. Both change in one
 * transaction: a killed process either has the event, or finds the change at its next start.
 */
import { createEvent, joinEvents, type Event } from '../notify/event.ts';
import { changesOf, changeTo, type Change, type Offer } from '../notify/offers.ts';
import { isBehind, type Position } from '../notify/position.ts';
import { insertSql, placeholders, type Database, type Query } from '../ledger-store/database.ts';

/** The stored state of a name. */
export interface Watched extends Offer {
  /** When it was last looked up; unix milliseconds, like all times here. */
  readonly askedAt: number;
}

/** The observation of one generation by one replica. */
export interface Observation {
  readonly position: Position;
  /** `wolfi@7d` */
  readonly datasource: string;
  readonly generation: string;
  readonly offers: ReadonlyMap<string, Offer>;
  /** When names were last looked up. */
  readonly askedAt: ReadonlyMap<string, number>;
  /** New names that were looked up before this generation: their earlier versions are unknown. */
  readonly askedBefore: ReadonlySet<string>;
  /** Names that are no longer watched. */
  readonly forgotten: readonly string[];
  readonly at: number;
}

export interface Pending {
  readonly count: number;
  readonly oldestAt: number | undefined;
  /** When the oldest event is due. */
  readonly dueAt: number | undefined;
}

/** Milliseconds after which another process may repeat an unfinished call. */
const CLAIM = 120_000;
/** The longest delay of a call, in milliseconds. */
export const MAX_WAIT = 3_600_000;
/**
 * The order of sending. At most one event was tried and one waits, so a wrong clock does not change the order.
 */
const inOrder = 'ORDER BY attempts DESC, made_at';
/** Milliseconds by which clocks of replicas may differ. */
const CLOCK_SLACK = 60_000;
const ROWS_A_QUERY = 200;
const nameColumns = ['watch', 'name', 'newest', 'versions', 'asked_at'] as const;

/** The events of one receiver and one datasource. */
export class Outbox {
  readonly #database: () => Promise<Database>;
  readonly #watch: string;

  constructor(database: () => Promise<Database>, watch: string) {
    this.#database = database;
    this.#watch = watch;
  }

  async isShared(): Promise<boolean> {
    return (await this.#database()).kind === 'postgres';
  }

  async watched(): Promise<ReadonlyMap<string, Watched>> {
    return await readWatched((await this.#database()).query, this.#watch);
  }

  /**
   * Stores an observation and the resulting event. Returns the changes; `undefined` if other replicas are ahead.
   */
  async see(observation: Observation): Promise<readonly Change[] | undefined> {
    const database = await this.#database();
    return await database.transaction(async (query) => {
      const { position, offers, askedAt, askedBefore, forgotten } = observation;
      if (isBehind(position, await this.#lock(query), database.kind === 'postgres')) return undefined;
      const before = await readWatched(query, this.#watch);
      const unknown = [...offers].filter(([name]) => !before.has(name) && askedBefore.has(name));
      const changes = [
        ...changesOf(before, offers),
        ...unknown.map(([name, offer]) => changeTo(name, offer)),
      ];
      const rows = [...offers].flatMap(([name, { newest, versions }]) => {
        const known = before.get(name);
        const asked = Math.max(askedAt.get(name) ?? 0, known?.askedAt ?? 0);
        const isSame = known?.versions === versions && known.newest === newest && known.askedAt === asked;
        return isSame ? [] : [[this.#watch, name, newest, versions, asked]];
      });
      for (const some of slices(rows)) {
        const sql = `${insertSql('notify_name', nameColumns, some.length)} ON CONFLICT (watch, name) DO UPDATE
          SET newest = excluded.newest, versions = excluded.versions, asked_at = excluded.asked_at`;
        await query(sql, some.flat());
      }
      for (const some of slices(forgotten))
        await query(`DELETE FROM notify_name WHERE watch = ? AND name IN (${placeholders(some.length)})`, [
          this.#watch,
          ...some,
        ]);
      await query('UPDATE notify_watch SET position = ? WHERE watch = ?', [
        JSON.stringify(position),
        this.#watch,
      ]);
      if (changes.length > 0) await this.#add(query, observation, changes);
      return changes;
    });
  }

  /**
   * Claims the oldest event, if it is due, for one call, so that no other process gets it meanwhile. An event that is
   * due later than possible was postponed by a clock that was ahead, and is due now.
   */
  async claim(now: number): Promise<{ readonly event: Event; readonly attempt: number } | undefined> {
    const database = await this.#database();
    const rows = await database.transaction((query) =>
      query(
        `UPDATE notify_event SET attempts = attempts + 1, due_at = ? WHERE (due_at <= ? OR due_at > ?) AND id =
           (SELECT id FROM notify_event WHERE watch = ? ${inOrder} LIMIT 1)
         RETURNING event, attempts`,
        [now + CLAIM, now, now + MAX_WAIT + CLOCK_SLACK, this.#watch],
      ),
    );
    const [row] = rows;
    return row && { event: JSON.parse(String(row[0])) as Event, attempt: Number(row[1]) };
  }

  /** Removes an event that was delivered or dropped. */
  async settle(id: string): Promise<void> {
    const database = await this.#database();
    await database.transaction((query) => query('DELETE FROM notify_event WHERE id = ?', [id]));
  }

  /** Schedules another call. */
  async postpone(id: string, dueAt: number): Promise<void> {
    const database = await this.#database();
    await database.transaction((query) =>
      query('UPDATE notify_event SET due_at = ? WHERE id = ?', [dueAt, id]),
    );
  }

  async pending(): Promise<Pending> {
    const { query } = await this.#database();
    const rows = await query(`SELECT made_at, due_at FROM notify_event WHERE watch = ? ${inOrder}`, [
      this.#watch,
    ]);
    const [oldest] = rows;
    return {
      count: rows.length,
      oldestAt: oldest && Number(oldest[0]),
      dueAt: oldest && Number(oldest[1]),
    };
  }

  /** Locks this watch until the transaction ends. Returns the last observed position. */
  async #lock(query: Query): Promise<Position> {
    await query('INSERT INTO notify_watch (watch, position) VALUES (?, ?) ON CONFLICT DO NOTHING', [
      this.#watch,
      '{}',
    ]);
    const sql = 'UPDATE notify_watch SET watch = watch WHERE watch = ? RETURNING position';
    const [row] = await query(sql, [this.#watch]);
    return JSON.parse(String(row?.[0])) as Position;
  }

  /** Merges the next event into one that was not sent yet, so that an outage of any length ends with two calls. */
  async #add(
    query: Query,
    { at, datasource, generation }: Observation,
    changes: readonly Change[],
  ): Promise<void> {
    const event = createEvent(this.#watch, { at, datasource, generation, changes });
    const [waiting] = await query(
      'DELETE FROM notify_event WHERE watch = ? AND attempts = 0 RETURNING event, due_at',
      [this.#watch],
    );
    const whole = waiting ? joinEvents(this.#watch, JSON.parse(String(waiting[0])) as Event, event) : event;
    const dueAt = waiting ? Number(waiting[1]) : at;
    const columns = ['id', 'watch', 'event', 'made_at', 'due_at', 'attempts'];
    await query(`${insertSql('notify_event', columns, 1)} ON CONFLICT DO NOTHING`, [
      ...[whole.id, this.#watch, JSON.stringify(whole), whole.at, dueAt, 0],
    ]);
  }
}

async function readWatched(query: Query, watch: string): Promise<ReadonlyMap<string, Watched>> {
  const sql = 'SELECT name, newest, versions, asked_at FROM notify_name WHERE watch = ?';
  const rows = await query(sql, [watch]);
  return new Map(
    rows.map(([name, newest, versions, askedAt]) => [
      String(name),
      { newest: String(newest), versions: String(versions), askedAt: Number(askedAt) },
    ]),
  );
}

function* slices<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += ROWS_A_QUERY)
    yield items.slice(start, start + ROWS_A_QUERY);
}
