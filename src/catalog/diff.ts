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
  const newest: { readonly name: string; readonly version: string; readonly builtAt: number }[] = [];
  for (const name of after.names()) {
    const old = new Set(before.named(name).map(({ version }) => version));
    for (const { version, builtAt = 0 } of after.named(name)) {
      packages += 1;
      if (packages % PACKAGES_A_STEP === 0) yield;
      if (old.delete(version)) {
        kept += 1;
        continue;
      }
      added += 1;
      newest.push({ name, version, builtAt });
    }
  }
  newest.sort((a, b) => b.builtAt - a.builtAt || (textOf(a) < textOf(b) ? -1 : 1));
  return {
    added,
    removed: before.packageCount - kept,
    newest: newest.slice(0, NEWEST).map(({ name, version }) => ({ name, version })),
  };
}

/** `name-version` */
export function textOf({ name, version }: IndexChange['newest'][number]): string {
  return `${name}-${version}`;
}
