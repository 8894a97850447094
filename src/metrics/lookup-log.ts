/**
 * Names that clients looked up recently. A name that is in no index (any more) shows here before a build fails.
 * Bounded: the oldest are dropped first. Names that were not looked up for a week are dropped, too, because a pin may
 * have been corrected.
 *
 * Browsers, probes and scanners request paths that nobody pins (`/favicon.ico`, `/health`, `/.env`). So an unknown name
 * is listed only if the request had a pin or came from Renovate, or if the name was found before.
 */
import { LRUCache } from 'lru-cache';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';

const MAX_NAMES = 5000;
/** Milliseconds. */
const FORGET_AFTER = 7 * 86_400_000;

interface Entry {
  /** Lookups since this process first saw the name. */
  count: number;
  /** Unix milliseconds. */
  lastAskedAt: number;
  /** Whether an index has the name now. */
  known: boolean;
  /** The generation for which `known` was computed. Not a snapshot, which would stay in memory. */
  generation: string;
  /** The generation of the datasource (without an age) in which this process first saw the name, and when. */
  readonly firstIn: string;
  readonly firstAskedAt: number;
}

export interface AskedName extends Readonly<Entry> {
  readonly name: string;
}

interface CachedBody {
  readonly body: Buffer;
  readonly revision: number;
  readonly generation: string | undefined;
  /** When the first of its names is dropped; unix milliseconds. */
  readonly until: number;
}

interface Lookup {
  readonly known: boolean;
  readonly pinned: boolean;
}

export class LookupLog {
  readonly #names = new Map<string, LRUCache<string, Entry>>();
  readonly #now: () => number;
  readonly #bodies = new Map<string, CachedBody>();
  /** Increases with every note. */
  #revision = 0;

  constructor(datasources: readonly string[], now: () => number, { max = MAX_NAMES } = {}) {
    this.#now = now;
    for (const name of datasources) this.#names.set(name, new LRUCache({ max }));
  }

  /** Records a lookup of `name`; `pinned` if the request suggests a pin. */
  note(datasource: string, name: string, { known, pinned }: Lookup, { generation, view }: Snapshot): void {
    const names = this.#names.get(datasource);
    const entry = names?.get(name);
    if (!known && !pinned && !entry) return;
    this.#revision += 1;
    const now = this.#now();
    if (entry) {
      entry.count += 1;
      entry.lastAskedAt = now;
      entry.known = known;
      entry.generation = generation;
    } else {
      const first = { firstIn: view?.base.generation ?? generation, firstAskedAt: now };
      names?.set(name, { count: 1, lastAskedAt: now, known, generation, ...first });
    }
  }

  /** `GET /{datasource}/-/asked`: cached until another name is looked up or one is forgotten. */
  body(live: LiveDatasource): Buffer {
    const generation = live.snapshot?.generation;
    const revision = this.#revision;
    const last = this.#bodies.get(live.name);
    if (last?.revision === revision && last.generation === generation && this.#now() <= last.until)
      return last.body;
    const names = this.list(live);
    const body = Buffer.from(JSON.stringify(askedBody(live.name, names)));
    const until = Math.min(...names.map(({ lastAskedAt }) => lastAskedAt)) + FORGET_AFTER;
    this.#bodies.set(live.name, { body, revision, generation, until });
    return body;
  }

  /** Recent lookups by name. Names that a refresh removed become unknown, even if they are not asked again. */
  list({ name: datasource, snapshot }: LiveDatasource): readonly AskedName[] {
    const oldest = this.#now() - FORGET_AFTER;
    return [...(this.#names.get(datasource)?.entries() ?? [])]
      .filter(([, { lastAskedAt }]) => lastAskedAt >= oldest)
      .map(([name, entry]) => {
        if (snapshot && entry.generation !== snapshot.generation) {
          entry.known = snapshot.catalog.has(name);
          entry.generation = snapshot.generation;
        }
        return { ...entry, name };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** Unknown names are separate, because they are the purpose of this list. */
function askedBody(datasource: string, names: readonly AskedName[]): object {
  const shown = (known: boolean): readonly object[] =>
    names
      .filter((each) => each.known === known)
      .map(({ name, count, lastAskedAt }) => ({
        name,
        count,
        lastAskedAt: new Date(lastAskedAt).toISOString(),
      }));
  return { datasource, unknown: shown(false), known: shown(true) };
}
