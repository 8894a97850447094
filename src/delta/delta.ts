/** Predicts what a host downloads to update from one image to another, from the sizes in the index. */
import { layersOf, sum, type Installed, type Layer } from './layers.ts';

/** An image on one arch. */
export interface Contents {
  readonly packages: readonly Installed[];
  /** The budget of `layering`; `undefined` for an image of one layer. */
  readonly budget: number | undefined;
}

export interface PackageChange {
  readonly name: string;
  /** Absent if it is new. */
  readonly from?: string;
  /** Absent if it was removed. */
  readonly to?: string;
}

export interface DeltaLayer {
  readonly origins: readonly string[];
  readonly packages: readonly string[];
  /** The estimated compressed size. */
  readonly bytes: number;
}

export interface Delta {
  readonly changes: readonly PackageChange[];
  /** The layers of the new image that hosts of the old one do not have. */
  readonly layers: readonly DeltaLayer[];
  /** The layer that has the database of packages; it changes with every package. 0 if nothing changes. */
  readonly top: number;
  /** The estimated size of the download. */
  readonly bytes: number;
  /** The size of the whole new image, and the number of its layers. */
  readonly whole: { readonly bytes: number; readonly layers: number };
}

/** The layer on top, compressed, as `test/companion/delta.e2e.ts` measures it: 31 bytes a file, about 41 files a package. */
const DATABASE_BYTES = { base: 2500, perPackage: 1250 };

export function deltaOf(before: Contents, after: Contents): Delta {
  const changes = changesOf(before.packages, after.packages);
  const known = new Set(layersOf(before.packages, before.budget).map(identityOf));
  const all = layersOf(after.packages, after.budget);
  // An image without layering has only one layer, with everything in it.
  const top = after.budget === undefined ? 0 : databaseBytes(after.packages);
  const layers = all.filter((layer) => !known.has(identityOf(layer))).map(deltaLayer);
  const changedTop = changes.length > 0 || layers.length > 0 ? top : 0;
  return {
    changes,
    layers,
    top: changedTop,
    bytes: layers.reduce((total, { bytes }) => total + bytes, changedTop),
    whole: {
      bytes: sum(after.packages, 'packed') + top,
      layers: all.length + (after.budget === undefined ? 0 : 1),
    },
  };
}

/** A layer is the same if the same builds are in it. */
function identityOf({ packages }: Layer): string {
  return packages.map(({ name, version, identity }) => `${name} ${version} ${identity}`).join('\n');
}

function deltaLayer({ packages, origins }: Layer): DeltaLayer {
  return { origins, packages: packages.map(({ name }) => name), bytes: sum(packages, 'packed') };
}

function databaseBytes(packages: readonly Installed[]): number {
  return DATABASE_BYTES.base + DATABASE_BYTES.perPackage * packages.length;
}

function changesOf(before: readonly Installed[], after: readonly Installed[]): readonly PackageChange[] {
  const old = new Map(before.map((each) => [each.name, each]));
  const now = new Map(after.map((each) => [each.name, each]));
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  return names.flatMap((name) => {
    const [from, to] = [old.get(name), now.get(name)];
    if (from && to && from.version === to.version && from.identity === to.identity) return [];
    return [{ name, ...(from && { from: from.version }), ...(to && { to: to.version }) }];
  });
}
