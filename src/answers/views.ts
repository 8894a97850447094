/**
 * Datasources asked with an age (docs/decisions/017). A view is made when it is asked for and holds until a refresh, or
 * until the next package is old enough.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RowSet } from '../apk/packages.ts';
import { nameWith, type Age } from '../catalog/age.ts';
import { cooledInSteps, showing, type Cooled } from '../catalog/cooldown.ts';
import { earlyFixes } from './early-fixes.ts';
import type { Snapshot } from '../repository/live-datasource.ts';

/** Of one generation of a datasource. Anyone may ask for any age. */
const MAX_VIEWS = 4;

interface Made {
  readonly snapshot: Snapshot;
  /** It holds for time limits from `from` to before `until`. */
  readonly from: number;
  readonly until: number;
}

export class Views {
  readonly #now: () => number;
  /** By age. Weak, so that a past generation does not stay in memory. */
  readonly #made = new WeakMap<Snapshot, LRUCache<string, Made>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The view of `base` if it was made and still holds. */
  known(base: Snapshot, age: Age): Snapshot | undefined {
    const made = this.#made.get(base)?.get(nameWith('', { age }));
    const limit = this.#limit(age);
    return made && made.from <= limit && limit < made.until ? made.snapshot : undefined;
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
    const views = this.#made.get(base) ?? new LRUCache<string, Made>({ max: MAX_VIEWS });
    this.#made.set(base, views);
    views.set(nameWith('', { age }), { snapshot, from, until });
    return snapshot;
  }

  /** What was released later is hidden. By the clock of this machine: one that is behind hides more, never less. */
  #limit({ seconds }: Age): number {
    return Math.floor(this.#now() / 1000) - seconds;
  }
}

function countOf(sets: readonly RowSet[]): number {
  return sets.reduce((sum, { size }) => sum + size, 0);
}

/** The same wherever the same packages are hidden, whatever the age. */
function generationOf({ generation }: Snapshot, { hidden }: Cooled): string {
  const hash = createHash('sha256').update(`${generation} without `);
  for (const { bits } of hidden) hash.update(bits);
  return hash.digest('hex').slice(0, 12);
}
