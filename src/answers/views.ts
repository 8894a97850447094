/**
 * Views: datasources with an age (docs/decisions/017). A view is made on request and is valid until a refresh, or until
 * the next package is old enough.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RowSet } from '../apk/packages.ts';
import { nameWith, type Age } from '../catalog/age.ts';
import { cooledInSteps, showing, type Cooled } from '../catalog/cooldown.ts';
import { earlyFixes } from './early-fixes.ts';
import type { Snapshot } from '../repository/live-datasource.ts';

/** The limit for one generation of a datasource, because anyone may request any age. */
const MAX_VIEWS = 4;

interface CachedView {
  readonly snapshot: Snapshot;
  /** It is valid for time limits from `from` to before `until`. */
  readonly from: number;
  readonly until: number;
}

export class Views {
  readonly #now: () => number;
  /** By age. Weak, so that a past generation does not stay in memory. */
  readonly #cached = new WeakMap<Snapshot, LRUCache<string, CachedView>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The view of `base`, if it was made and is still valid. */
  known(base: Snapshot, age: Age): Snapshot | undefined {
    const cached = this.#cached.get(base)?.get(nameWith('', { age }));
    const limit = this.#limit(age);
    return cached && cached.from <= limit && limit < cached.until ? cached.snapshot : undefined;
  }

  *of(base: Snapshot, age: Age): Generator<undefined, Snapshot> {
    const limit = this.#limit(age);
    const plain = yield* cooledInSteps(base.catalog, limit);
    const fixes = age.security ? yield* earlyFixes(base, plain) : [];
    const cooled = fixes.length > 0 ? showing(base.catalog, plain, fixes) : plain;
    const { catalog, hidden, undated, from, until } = cooled;
    const snapshot: Snapshot = {
      catalog,
      advisories: base.advisories,
      origins: base.origins,
      generation: generationOf(base, cooled),
      view: {
        base,
        age,
        limit,
        hidden: countOf(hidden),
        early: countOf(fixes),
        undated,
        since: from + age.seconds,
        until: until + age.seconds,
      },
    };
    const views = this.#cached.get(base) ?? new LRUCache<string, CachedView>({ max: MAX_VIEWS });
    this.#cached.set(base, views);
    views.set(nameWith('', { age }), { snapshot, from, until });
    return snapshot;
  }

  /** Packages released later are hidden. Uses the clock of this machine; one that is behind hides more, never less. */
  #limit({ seconds }: Age): number {
    return Math.floor(this.#now() / 1000) - seconds;
  }
}

function countOf(sets: readonly RowSet[]): number {
  return sets.reduce((sum, { size }) => sum + size, 0);
}

/** Equal if the same packages are hidden, whatever the age. */
function generationOf({ generation }: Snapshot, { hidden }: Cooled): string {
  const hash = createHash('sha256').update(`${generation} without `);
  for (const { bits } of hidden) hash.update(bits);
  return hash.digest('hex').slice(0, 12);
}
