/**
 * Pins that were looked up in no datasource, by reason. They show where an `images:` line is missing. Bounded: the
 * oldest are forgotten first.
 */
import { LRUCache } from 'lru-cache';

const MAX_REASONS = 200;
const MAX_NAMES = 20;
const MAX_REASON_LENGTH = 300;

export interface NotAskedReason {
  readonly reason: string;
  /** The number of lookups. */
  readonly count: number;
  /** Unix milliseconds. */
  readonly lastAskedAt: number;
  /** Package names; only some if there are many. */
  readonly names: readonly string[];
}

interface Entry {
  count: number;
  lastAskedAt: number;
  readonly names: Set<string>;
}

export class NotAsked {
  readonly #reasons = new LRUCache<string, Entry>({ max: MAX_REASONS });
  readonly #now: () => number;
  #revision = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Increases with every note. */
  get revision(): number {
    return this.#revision;
  }

  note(reason: string, name: string): void {
    this.#revision += 1;
    const key = reason.slice(0, MAX_REASON_LENGTH);
    const entry = this.#reasons.get(key) ?? { count: 0, lastAskedAt: 0, names: new Set<string>() };
    entry.count += 1;
    entry.lastAskedAt = this.#now();
    if (entry.names.size < MAX_NAMES) entry.names.add(name);
    this.#reasons.set(key, entry);
  }

  /** Most frequent first. */
  list(): readonly NotAskedReason[] {
    return [...this.#reasons.entries()]
      .map(([reason, { count, lastAskedAt, names }]) => ({
        reason,
        count,
        lastAskedAt,
        names: [...names].toSorted(),
      }))
      .toSorted((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1));
  }
}

/** As shown in JSON. */
export function notAskedBody(notAsked: NotAsked): readonly object[] {
  return notAsked.list().map(({ lastAskedAt, ...each }) => ({
    ...each,
    lastAskedAt: new Date(lastAskedAt).toISOString(),
  }));
}
