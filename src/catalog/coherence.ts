/**
 * Which packages can be installed as far as their exact dependencies (`D:` with `=`) tell.
 *
 * Repositories publish packages before what they need exactly, so a package counts only if each of its exact
 * dependencies is met by a package that counts. Packages may need each other in circles: everything that can be
 * reached is taken to be installable, then what has an unmet dependency is struck out until nothing more falls.
 */
import type { ExactDependency } from '../apk/packages.ts';
import type { Carrier, PackageId, Reading } from './carriers.ts';
import { isStep } from './steps.ts';

/** A package that is not settled yet. */
interface Open {
  readonly dependencies: readonly ExactDependency[];
  /** What the dependencies ask for, in their order. */
  readonly needs: readonly Need[];
  /** The needs that it meets itself while it stands. */
  readonly meets: Need[];
  fallen: boolean;
}

/** One version of a name on one arch, which packages need. */
interface Need {
  /** How many packages meet it and have not fallen. */
  standing: number;
  readonly neededBy: Open[];
}

export class Coherence {
  /** Of packages with exact dependencies the first one that is unmet, or `undefined`. */
  readonly #settled = new Map<PackageId, ExactDependency | undefined>();

  /** The first exact dependency of the carrier's package that nothing installable meets. */
  *unmet(carrier: Carrier, reading: Reading): Generator<undefined, ExactDependency | undefined> {
    if (carrier.package.exactDependencies.length === 0) return undefined;
    if (!this.#settled.has(carrier.id)) yield* this.#settle(carrier, reading);
    return this.#settled.get(carrier.id);
  }

  /** Settles the package and all it needs, in time linear in the dependencies and in what can meet them. */
  *#settle(root: Carrier, reading: Reading): Generator<undefined, void> {
    const open = yield* this.#reach(root, reading);
    const falling = [...open.values()].filter(hasUnmetNeed);
    for (let next = falling.pop(), i = 0; next; next = falling.pop(), i += 1) {
      if (isStep(i)) yield;
      if (next.fallen) continue;
      next.fallen = true;
      for (const need of next.meets) {
        need.standing -= 1;
        if (need.standing === 0) for (const each of need.neededBy) falling.push(each);
      }
    }
    for (const [id, { dependencies, needs }] of open)
      this.#settled.set(id, dependencies[needs.findIndex(({ standing }) => standing === 0)]);
  }

  /** The packages that `root` needs, directly or not, and that are not settled, with `root` itself. */
  *#reach(root: Carrier, reading: Reading): Generator<undefined, ReadonlyMap<PackageId, Open>> {
    const open = new Map<PackageId, Open>([[root.id, opened(root)]]);
    const needs = new Map<string, Need>();
    const waiting = [root];
    for (let next = waiting.pop(), i = 0; next; next = waiting.pop()) {
      const { arch } = next.source;
      const { dependencies, needs: own } = open.get(next.id) as Open & { needs: Need[] };
      for (const { name, version } of dependencies) {
        if (isStep((i += 1))) yield;
        const key = `${arch} ${name}=${reading.versionKey(version)}`;
        let need = needs.get(key);
        if (!need) {
          need = { standing: 0, neededBy: [] };
          needs.set(key, need);
          for (const carrier of yield* reading.meeting(name, version, arch)) {
            if (this.#settled.get(carrier.id)) continue;
            need.standing += 1;
            const known = open.get(carrier.id);
            if (known) known.meets.push(need);
            else if (!this.#settled.has(carrier.id) && carrier.package.exactDependencies.length > 0) {
              const entered = opened(carrier);
              entered.meets.push(need);
              open.set(carrier.id, entered);
              waiting.push(carrier);
            }
          }
        }
        own.push(need);
        need.neededBy.push(open.get(next.id) as Open);
      }
    }
    return open;
  }
}

function opened({ package: { exactDependencies } }: Carrier): Open {
  return { dependencies: exactDependencies, needs: [], meets: [], fallen: false };
}

function hasUnmetNeed({ needs }: Open): boolean {
  return needs.some(({ standing }) => standing === 0);
}
