/**
 * Which versions an answer lists, so that Renovate decides as apk would. If the pin is known (`?current=`), the answer is
 * filtered: it lists only releases on which Renovate's order and apk's agree, and the pin in the way that makes Renovate
 * move it (docs/decisions/010-renovate-order.md). Each rule names the source file of Renovate 44.121.2 that it mirrors; no
 * code was copied.
 */
import { satisfies, type Constraint } from '../apk/constraint.ts';
import { compareVersions, isPreRelease, numbersOf, type Version } from '../apk/version.ts';
import {
  eachInSteps,
  filterInSteps,
  findInSteps,
  findLastInSteps,
  isStep,
  mapInSteps,
  sortInSteps,
} from '../catalog/steps.ts';
import { countBefore } from '../sorted.ts';
import { loose, majorOf, renovateOrderFor, rpm, type RenovateOrder } from './renovate-order.ts';

/** One version of an answer. */
export interface Listed {
  readonly version: Version;
  /** Listed only for its pins; must never be proposed. */
  readonly deprecated: boolean;
  /** Renovate proposes it only for unstable pins or on request. */
  readonly unstable: boolean;
  /** The text to list instead of the version. */
  readonly shortened?: string | undefined;
}

/**
 * What Renovate does with a filtered answer:
 * - `none`: the pin is the target;
 * - `update`: an ordinary update;
 * - `rollback`: the pin is not listed, and `rollbackPrs` leads to the target. Also used for newer versions that
 *   Renovate considers older;
 * - `unreachable`: Renovate cannot read the pin or the target, or cannot distinguish them.
 */
type UpdatePath = 'none' | 'update' | 'rollback' | 'unreachable';

export interface FilteredVersions {
  readonly updatePath: UpdatePath;
  /** The version that the pin should move to; `undefined` if nothing is offered. */
  readonly target: Version | undefined;
  /** Ascending by apk's order. */
  readonly listed: readonly Listed[];
}

/**
 * The list for a pin of one version. `offered` has all versions, ascending in apk's order. A pin that is not among them
 * counts as withdrawn.
 */
export function* filterForRenovate(
  offered: readonly Version[],
  pin: Version,
): Generator<undefined, FilteredVersions> {
  const target = yield* targetOf(offered, pin);
  if (!target) return { updatePath: 'none', target, listed: [] };

  const present = yield* findInSteps(offered, (version) => compareVersions(version, pin) === 0);
  if (present === target)
    return {
      updatePath: 'none',
      target,
      listed: yield* markUnstable(yield* agreed(offered, pin, target), pin),
    };

  const updatePath = updatePathTo(target, pin);
  switch (updatePath) {
    case 'update': {
      const isNewer = compareVersions(target, pin) > 0;
      const listed = yield* markUnstable(isNewer ? yield* agreed(offered, pin, target) : [target], pin);
      return { updatePath, target, listed: present ? listed : yield* insert(listed, withdrawn(pin)) };
    }
    case 'rollback':
      return { updatePath, target, listed: yield* markUnstable(yield* upTo(target, offered, pin), pin) };
    case 'unreachable':
      return { updatePath, target, listed: yield* markUnstable(offered, pin) };
  }
}

/**
 * The version a pin should move to: the newest stable one. If the pin is a newer pre-release, or nothing is stable, the
 * newest of all.
 */
function* targetOf(offered: readonly Version[], pin: Version): Generator<undefined, Version | undefined> {
  const newest = offered.at(-1);
  const newestStable = yield* findLastInSteps(offered, (version) => !isPreRelease(version));
  if (!newestStable) return newest;
  return isPreRelease(pin) && compareVersions(newestStable, pin) < 0 ? newest : newestStable;
}

function updatePathTo(target: Version, pin: Version): Exclude<UpdatePath, 'none'> {
  const order = renovateOrderFor(pin);
  if (!order.reads(target) || !order.reads(pin)) return 'unreachable';
  const step = order.compare(target, pin);
  if (step === 0) return 'unreachable';
  return step > 0 ? 'update' : 'rollback';
}

/**
 * The target, and versions that Renovate considers older than both the target and the pin, so that a rollback ends at
 * the target.
 */
function* upTo(
  target: Version,
  offered: readonly Version[],
  pin: Version,
): Generator<undefined, readonly Version[]> {
  const { compare, reads } = renovateOrderFor(pin);
  const isBelow = (version: Version): boolean => compare(version, target) < 0 && compare(version, pin) < 0;
  return yield* filterInSteps(
    offered,
    (version) => version === target || (reads(version) && isBelow(version)),
  );
}

/**
 * Those of `offered` that Renovate orders as apk does: older ones below the pin, and above it a chain in which every
 * version is newer than the one before in both orders. So the highest version of each of Renovate's buckets
 * (`workers/repository/process/lookup/bucket.ts`) is apk's newest there. The target is added first, then stable
 * versions from the newest down, then pre-releases if they still fit.
 */
function* agreed(
  offered: readonly Version[],
  pin: Version,
  target: Version,
): Generator<undefined, readonly Version[]> {
  const { compare, reads } = renovateOrderFor(pin);
  const sides = yield* mapInSteps(offered, (version) => compareVersions(version, pin));
  const kept = [...(yield* mapInSteps(offered, (version, i) => version === target || sides[i] === 0))];

  /**
   * Whether Renovate, too, orders the version between `older` and `newer`, the nearest ones that are kept, or below
   * the pin if apk does.
   */
  const fits = (version: Version, at: number, older: Version, newer: Version | undefined): boolean => {
    if ((sides[at] as number) < 0) return compare(version, pin) < 0;
    // Above the target of a pre-release, Renovate might prefer another pre-release.
    if (isPreRelease(pin) && compareVersions(version, target) > 0) return false;
    return compare(older, version) < 0 && (!newer || compare(version, newer) < 0);
  };
  const keepWhatFits = function* (isOfThisKind: (version: Version) => boolean): Generator<undefined, void> {
    const older = yield* nearestBefore(offered, pin, (i) => kept[i] === true && (sides[i] as number) > 0);
    let newer: Version | undefined;
    for (let i = offered.length - 1; i >= 0; i -= 1) {
      if (isStep(i)) yield;
      const version = offered[i] as Version;
      const isOf = !kept[i] && isOfThisKind(version) && reads(version);
      if (isOf && fits(version, i, older[i] as Version, newer)) kept[i] = true;
      if (kept[i]) newer = version;
    }
  };
  yield* keepWhatFits((version) => !isPreRelease(version));
  yield* keepWhatFits(isPreRelease);
  return yield* filterInSteps(offered, (_, i) => kept[i] === true);
}

/** For each version, the last one before it for which `counts` is true, or `none`. */
function nearestBefore(
  versions: readonly Version[],
  none: Version,
  counts: (index: number) => boolean,
): Generator<undefined, readonly Version[]> {
  let nearest = none;
  return mapInSteps(versions, (version, i) => {
    const before = nearest;
    if (counts(i)) nearest = version;
    return before;
  });
}

/**
 * Marks pre-releases as unstable, unless they are what this pin follows. Renovate heeds the mark whatever the
 * versioning says (`workers/repository/process/lookup/filter.ts`); `rpm` and `loose` themselves call everything stable.
 */
function* markUnstable(
  versions: readonly Version[],
  pin: Version | undefined,
): Generator<undefined, readonly Listed[]> {
  // A pin follows pre-releases if nothing is stable; if it is one itself, if nothing above it is.
  const counts = (version: Version): boolean =>
    pin === undefined || !isPreRelease(pin) || compareVersions(version, pin) > 0;
  const stable = yield* findInSteps(versions, (version) => !isPreRelease(version) && counts(version));
  return yield* mapInSteps(versions, (version) => ({
    version,
    deprecated: false,
    unstable: stable !== undefined && isPreRelease(version),
  }));
}

/**
 * Listed, a withdrawn pin makes Renovate look for updates. With `rollbackPrs` alone it would look only for older
 * versions, and give up if there are none (`workers/repository/process/lookup/index.ts`, `rollback.ts`).
 */
function withdrawn(pin: Version): Listed {
  return { version: pin, deprecated: true, unstable: false };
}

/** Inserts after versions that apk calls equal. */
function* insert(listed: readonly Listed[], added: Listed): Generator<undefined, readonly Listed[]> {
  const newer = yield* findInSteps(listed, ({ version }) => compareVersions(version, added.version) > 0);
  return listed.toSpliced(newer ? listed.indexOf(newer) : listed.length, 0, added);
}

/** If the pin is not known, everything is listed. */
export function listAll(offered: readonly Version[]): Generator<undefined, readonly Listed[]> {
  return markUnstable(offered, undefined);
}

/**
 * What to list for a pin with an operator (`~1.35`), for which the preset has Renovate use the versioning `apk`:
 * everything but older versions that Renovate takes for newer ones. If nothing is left of its line but newer versions are
 * there, its bound is listed as deprecated for the same reason as a withdrawn pin.
 */
export function* filterRangeForRenovate(
  offered: readonly Version[],
  pin: Constraint,
): Generator<undefined, readonly Listed[]> {
  const target =
    (yield* findLastInSteps(offered, (version) => !isPreRelease(version))) ?? offered.at(-1) ?? pin.version;
  const looksNewer = (version: Version, than: Version): boolean =>
    compareVersions(version, than) < 0 && rpm.compare(version, than) > 0;
  const inOrder = yield* filterInSteps(
    offered,
    (version) =>
      isPreRelease(version) ||
      satisfies(version, pin) ||
      !(looksNewer(version, target) || looksNewer(version, pin.version)),
  );
  const listed = yield* mapInSteps(yield* listAll(inOrder), (each) => ({
    ...each,
    shortened: shortenedFor(each.version, pin),
  }));
  const isLost =
    pin.operator.includes('~') &&
    compareVersions(target, pin.version) > 0 &&
    !(yield* findInSteps(offered, (version) => satisfies(version, pin)));
  return isLost ? yield* insert(listed, withdrawn(pin.version)) : listed;
}

/**
 * Renovate shortens a version to as many numbers as a pin such as `~2025.03` has, and drops zeros in front of them
 * (`modules/versioning/apk`): `~2025.6`, which no version fits. What is already that short is written as it is.
 */
function shortenedFor(version: Version, { operator, version: line }: Constraint): string | undefined {
  const [numbers, wanted] = [numbersOf(version), numbersOf(line).length];
  const kept = numbers.slice(0, wanted);
  const losesZeros = kept.length < numbers.length && kept.some((number) => /^0\d/.test(number));
  return operator.includes('~') && losesZeros ? kept.join('.') : undefined;
}

/**
 * Which withdrawn versions may be listed as deprecated in an answer for unknown pins.
 *
 * Renovate skips deprecated releases only if the pin is in the list and not deprecated itself, and a rollback may end
 * at a deprecated one. The result is safe for every pin among `remembered`: Renovate never proposes one of the result,
 * and moves a pin that is among it to an offered version. This holds with updates separated by major, the
 * default. With `separateMinorPatch` or `separateMultipleMinor` the pin has to be known (`?current=`).
 *
 * They must be listed without a timestamp: with `minimumReleaseAge` Renovate might prefer an older one for its age.
 */
export function* safeToList(
  offered: readonly Version[],
  remembered: readonly Version[],
): Generator<undefined, readonly Version[]> {
  if (remembered.length === 0) return [];
  const sorted = new Map<RenovateOrder, Sorted>();
  for (const order of [rpm, loose]) sorted.set(order, yield* Sorted.of(offered, order));
  const byRpm = sorted.get(rpm) as Sorted;
  const listed: Version[] = [];
  const isSafeFor = (pin: Version, version: Version): boolean => {
    const order = renovateOrderFor(pin);
    const own = sorted.get(order) as Sorted;
    // With `separateMultipleMajor`, each major is a bucket; no supported setting is finer.
    if (order.compare(version, pin) > 0) return own.hasStableAbove(version, { sameMajor: true });
    const isPinListed = own.has(pin) || [...listed, version].some((other) => order.compare(other, pin) === 0);
    const above = own.firstAbove(version);
    return isPinListed || (above !== undefined && order.compare(above, pin) < 0);
  };
  // From the newest down, so that the newer listed ones are known.
  for (const version of [...remembered].sort((a, b) => rpm.compare(b, a))) {
    const hasUpdate = !isPreRelease(version) && byRpm.hasStableAbove(version, { sameMajor: false });
    const isDistinct = !byRpm.has(version) && listed.every((other) => rpm.compare(other, version) !== 0);
    if (hasUpdate && isDistinct && remembered.every((pin) => isSafeFor(pin, version))) listed.push(version);
  }
  return listed.sort(compareVersions);
}

/** Versions sorted in one of Renovate's orders, for binary search. */
class Sorted {
  readonly #order: RenovateOrder;
  readonly #versions: readonly Version[];
  #newestStable: Version | undefined;
  readonly #newestStableByMajor = new Map<string, Version>();

  /** `versions` in that order. */
  private constructor(versions: readonly Version[], order: RenovateOrder) {
    this.#order = order;
    this.#versions = versions;
  }

  static *of(versions: readonly Version[], order: RenovateOrder): Generator<undefined, Sorted> {
    const sorted = new Sorted(yield* sortInSteps([...versions], order.compare), order);
    yield* eachInSteps(sorted.#versions, (version) => {
      if (isPreRelease(version)) return;
      sorted.#newestStable = version;
      sorted.#newestStableByMajor.set(majorOf(version, order), version);
    });
    return sorted;
  }

  firstAbove(version: Version): Version | undefined {
    return this.#versions[this.#place(version, (order) => order <= 0)];
  }

  /** Whether there is one that Renovate cannot distinguish from `version`. */
  has(version: Version): boolean {
    const found = this.#versions[this.#place(version, (order) => order < 0)];
    return found !== undefined && this.#order.compare(found, version) === 0;
  }

  hasStableAbove(version: Version, { sameMajor }: { sameMajor: boolean }): boolean {
    const newest = sameMajor
      ? this.#newestStableByMajor.get(majorOf(version, this.#order))
      : this.#newestStable;
    return newest !== undefined && this.#order.compare(newest, version) > 0;
  }

  /** The index of the first version for which `isBefore` is false. */
  #place(version: Version, isBefore: (order: number) => boolean): number {
    return countBefore(this.#versions.length, (i) =>
      isBefore(this.#order.compare(this.#versions[i] as Version, version)),
    );
  }
}
