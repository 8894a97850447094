/**
 * Datasources at past times: snapshots of the indexes that were current then (docs/decisions/018). The ledger names
 * these indexes; their files were kept. Anyone may request any time, so snapshots are made one at a time and few are
 * cached.
 */
import type { PackageTable } from '../apk/package-table.ts';
import type { VerifiedIndex } from '../apk/read-index.ts';
import { release } from '../apk/memory.ts';
import type { ReleaseDates } from '../catalog/catalog.ts';
import { timeText } from '../catalog/time.ts';
import { errorLine, RefusedError } from '../errors.ts';
import { summarize } from './guards.ts';
import { generationOf, type LiveDatasource, type Part, type Snapshot } from './live-datasource.ts';
import type { LiveIndex } from './live-index.ts';
import { createQueue } from './pace.ts';
import type { PastIndexes } from './past-indexes.ts';

/** A generation of one index in the ledger. Times are in unix milliseconds. */
export interface PastGeneration {
  readonly number: number;
  readonly seenAt: number;
  readonly digest: string;
  /** Name of the key; `undefined` if it was not verified. */
  readonly signer: string | undefined;
  readonly packages: number;
}

/** What past datasources need of the ledger. */
export interface PastLedger {
  /**
   * The generation that was current then, and when the next one was seen. `undefined` if the ledger begins later or
   * is empty.
   */
  at(
    index: LiveIndex,
    at: number,
  ): Promise<{ readonly generation: PastGeneration; readonly until: number | undefined } | undefined>;
  begunAt(index: LiveIndex): Promise<number | undefined>;
  dates(index: LiveIndex, generation: PastGeneration, packages: PackageTable): Promise<ReleaseDates>;
  /** Newest first. */
  generations(index: LiveIndex): AsyncIterable<PastGeneration>;
}

export interface PastOptions {
  /** `undefined` for a ledger in memory, which knows only the present. */
  readonly ledger: PastLedger | undefined;
  readonly files: PastIndexes;
  readonly now: () => number;
}

/** Each takes as much memory as its datasource, except for shared indexes. */
const MAX_KEPT = 2;
/** The most requested times that are not loaded yet. */
const MAX_WAITING = 8;
/** How long a request waits, in milliseconds. Loading continues afterwards. */
const PATIENCE = 30_000;
/** How far in the past replicas with another clock may still add a generation, in milliseconds. */
const CLOCKS_DIFFER = 5 * 60_000;

interface Kept {
  readonly live: LiveDatasource;
  readonly snapshot: Snapshot;
  readonly parts: ReadonlyMap<LiveIndex, Part>;
  /** It is valid for times from `from` to before `until`. */
  readonly from: number;
  readonly until: number;
}

interface Found {
  readonly index: LiveIndex;
  readonly generation: PastGeneration;
}

export class PastDatasources {
  readonly #options: PastOptions;
  /** By identity, least recently used first. */
  readonly #kept = new Map<string, Kept>();
  readonly #underWay = new Map<string, Promise<Snapshot>>();
  readonly #oneAtATime = createQueue();

  constructor(options: PastOptions) {
    this.#options = options;
  }

  /** The snapshot of `live` at that time (unix milliseconds), if it is in memory. */
  known(live: LiveDatasource, at: number): Snapshot | undefined {
    for (const each of this.#kept.values())
      if (each.live === live && each.from <= at && at < each.until) return each.snapshot;
    return undefined;
  }

  /** The snapshot of `live` at a time that is not in the future. Rejects with `RefusedError`. */
  async at(live: LiveDatasource, at: number): Promise<Snapshot> {
    const key = `${live.name} ${at}`;
    let made = this.#underWay.get(key);
    if (!made) {
      if (this.#underWay.size >= MAX_WAITING)
        throw new RefusedError(429, 'too many times are requested at once');
      made = this.#oneAtATime(() => this.#make(live, at)).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, made);
    }
    return await patiently(made, live.name);
  }

  async #make(live: LiveDatasource, at: number): Promise<Snapshot> {
    const { found, from, until } = await this.#find(live, at);
    const key = JSON.stringify([live.name, ...found.map(({ generation }) => idOf(generation))]);
    const known = this.#kept.get(key);
    this.#kept.delete(key);
    const kept = known ? { ...known, until } : { ...(await this.#load(live, found, from)), from, until };
    this.#kept.set(key, kept);
    return kept.snapshot;
  }

  /** The generations that were current then, and the period for which that is true. */
  async #find(
    live: LiveDatasource,
    at: number,
  ): Promise<{ readonly found: readonly Found[]; readonly from: number; readonly until: number }> {
    const { ledger, now } = this.#options;
    if (!ledger)
      throw new RefusedError(410, `${live.name} keeps no ledger (cacheDir), so past times are unknown`);
    const found: Found[] = [];
    let [from, until] = [0, now() - CLOCKS_DIFFER];
    try {
      for (const index of live.indexes) {
        const current = await ledger.at(index, at);
        const begunAt = current ? undefined : await ledger.begunAt(index);
        if (current) found.push({ index, generation: current.generation });
        else if (index.spec.required) throw beginsLater(index, begunAt);
        from = Math.max(from, current?.generation.seenAt ?? 0);
        until = Math.min(until, current?.until ?? begunAt ?? Infinity);
      }
    } catch (error) {
      if (error instanceof RefusedError) throw error;
      throw new RefusedError(429, `the ledger cannot be read: ${errorLine(error)}`);
    }
    return { found, from, until };
  }

  async #load(
    live: LiveDatasource,
    found: readonly Found[],
    from: number,
  ): Promise<Pick<Kept, 'live' | 'snapshot' | 'parts'>> {
    const there = found.map((each) => this.#inMemory(each));
    // Evict first, so that only the kept ones and the one being loaded are in memory.
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    const parts = new Map<LiveIndex, Part>();
    for (const [i, each] of found.entries()) {
      const { seenAt } = each.generation;
      const index = there[i] ?? (await this.#read(each));
      const dates = await this.#options.ledger?.dates(each.index, each.generation, index.packages);
      const summary = summarize(index, seenAt);
      parts.set(each.index, { live: each.index, index, dates, summary, confirmedAt: seenAt });
    }
    const { catalog, identity } = live.compose([...parts.values()]);
    const generation = generationOf([...identity, ...found.map((each) => idOf(each.generation))]);
    const indexes = found.map(({ index: { spec }, index, generation: { digest, signer, seenAt } }) => {
      const { index: read, summary } = parts.get(index) as Part;
      const { packages, names } = summary;
      return { spec, arch: spec.arch ?? read.arch, digest, signer, takenAt: seenAt, packages, names };
    });
    return { live, parts, snapshot: { catalog, generation, past: { from, indexes } } };
  }

  /** The index, if it is the current one or that of another time that is kept in memory. */
  #inMemory({ index, generation: { digest } }: Found): VerifiedIndex | undefined {
    const others = [...this.#kept.values()].map(({ parts }) => parts.get(index));
    return [index.loaded, ...others].find((each) => each?.index.digest === digest)?.index;
  }

  /** Reads and verifies the file with the keys that are trusted now, whenever it was signed. */
  async #read({ index, generation }: Found): Promise<VerifiedIndex> {
    const { files } = this.#options;
    const { digest, seenAt } = generation;
    const { label, maxCompressedBytes } = index.spec;
    const bytes = await files.load(digest, maxCompressedBytes);
    if (!bytes) throw new RefusedError(410, await this.#notKept(index, generation));
    const read = await index.readPast(bytes).catch((error: unknown) => {
      throw new RefusedError(410, `${label} of ${timeText(seenAt)} cannot be read: ${errorLine(error)}`);
    });
    release(bytes);
    if (read.digest === digest) return read;
    throw new RefusedError(410, `the file kept for ${label} of ${timeText(seenAt)} belongs to another index`);
  }

  async #notKept(index: LiveIndex, { seenAt }: PastGeneration): Promise<string> {
    const { files } = this.#options;
    const fact = `${index.spec.label} of ${timeText(seenAt)} is not kept`;
    if (!files.isOn) return `${fact}: past indexes are kept if keepIndexes is set`;
    const since = await this.#keptSince(index);
    return since === undefined
      ? `${fact}, and no other file is kept`
      : `${fact}; files are kept from ${timeText(since)} on`;
  }

  /** The time from which on every generation can be answered. */
  async #keptSince(index: LiveIndex): Promise<number | undefined> {
    const { ledger, files } = this.#options;
    let since: number | undefined;
    for await (const { digest, seenAt } of ledger?.generations(index) ?? []) {
      if (index.loaded?.index.digest !== digest && !(await files.has(digest))) break;
      since = seenAt;
    }
    return since;
  }
}

/** Equal on all replicas that share a ledger. */
function idOf({ digest, seenAt }: PastGeneration): readonly [string, number] {
  return [digest, seenAt];
}

function beginsLater({ spec: { label } }: LiveIndex, begunAt: number | undefined): RefusedError {
  const fact = begunAt === undefined ? 'has not begun' : `begins at ${timeText(begunAt)}`;
  return new RefusedError(410, `the ledger of ${label} ${fact}`);
}

async function patiently<T>(work: Promise<T>, name: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new RefusedError(429, `${name} of that time is still being loaded`));
  }, PATIENCE);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
