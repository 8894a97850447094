/**
 * The layers of an image as apko 1.2 makes them (`layering: { strategy: origin, budget: N }`): one for each origin, from the
 * largest down; what does not fit the budget shares the last one. All packages without an origin share a layer. The top
 * layer has what belongs to no package: the database of all packages, links, accounts. A package that replaces files of
 * another shares its layer, too; the index does not have that information, so it is ignored here.
 */

/** A package in an image. */
export interface Installed {
  readonly name: string;
  readonly version: string;
  /** The same for the same build. */
  readonly identity: string;
  readonly origin: string;
  /** Bytes: of the package, compressed, and of its files. */
  readonly packed: number;
  readonly installed: number;
}

export interface Layer {
  readonly packages: readonly Installed[];
  /** More than one for the last layer, if not every origin fits. Of packages without one, their names. */
  readonly origins: readonly string[];
}

/** Without the layer on top. */
export function layersOf(packages: readonly Installed[], budget = 1): readonly Layer[] {
  const groups = [...Map.groupBy(packages, ({ origin }) => origin).values()].sort(
    (a, b) => sum(b, 'installed') - sum(a, 'installed') || (lastName(a) < lastName(b) ? -1 : 1),
  );
  const kept = groups.length > budget ? Math.max(budget - 1, 0) : groups.length;
  const rest = groups.slice(kept).flat();
  return [...groups.slice(0, kept), ...(rest.length > 0 ? [rest] : [])].map((each) => ({
    packages: each.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    origins: [...new Set(each.map(({ origin, name }) => origin || name))],
  }));
}

export function sum(packages: readonly Installed[], size: 'packed' | 'installed'): number {
  return packages.reduce((total, each) => total + each[size], 0);
}

function lastName(packages: readonly Installed[]): string {
  return packages.reduce((last, { name }) => (name > last ? name : last), '');
}
