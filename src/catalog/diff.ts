/** The changes of a new index. */
import type { Packages } from '../apk/packages.ts';

export interface IndexChange {
  /** Versions of names that did not exist before. */
  readonly added: number;
  readonly removed: number;
  /** Some of the added packages, latest build first. */
  readonly newest: readonly { readonly name: string; readonly version: string }[];
}

const NEWEST = 5;
const PACKAGES_A_STEP = 400;

/** Compares two indexes in steps, so that the caller can do other work in between. */
export function* diffIndexes(before: Packages, after: Packages): Generator<undefined, IndexChange> {
  let added = 0;
  let kept = 0;
  let packages = 0;
  let newest: Added[] = [];
  for (const name of after.names()) {
    const old = new Set<string>();
    for (const { version } of before.named(name)) {
      if ((packages += 1) % PACKAGES_A_STEP === 0) yield;
      old.add(version);
    }
    for (const { version, builtAt = 0 } of after.named(name)) {
      if ((packages += 1) % PACKAGES_A_STEP === 0) yield;
      if (old.delete(version)) {
        kept += 1;
        continue;
      }
      added += 1;
      newest.push({ name, version, builtAt });
      if (newest.length < 2 * NEWEST) continue;
      newest = newest.sort(byBuildTime).slice(0, NEWEST);
    }
  }
  newest.sort(byBuildTime);
  return {
    added,
    removed: before.packageCount - kept,
    newest: newest.slice(0, NEWEST).map(({ name, version }) => ({ name, version })),
  };
}

interface Added {
  readonly name: string;
  readonly version: string;
  readonly builtAt: number;
}

function byBuildTime(a: Added, b: Added): number {
  return b.builtAt - a.builtAt || (textOf(a) < textOf(b) ? -1 : 1);
}

/** `name-version` */
export function textOf({ name, version }: IndexChange['newest'][number]): string {
  return `${name}-${version}`;
}
