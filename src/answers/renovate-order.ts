/**
 * Renovate's orders of versions, and the answers that work with them.
 *
 * Renovate decides by its own order which of the listed releases it proposes, and none of its orders is apk's. The
 * preset selects the least wrong one for each pin (`rpm`, but `loose` for pins of a pre-release). If the pin is known
 * (`?current=`), the answer is filtered: it lists only releases on which Renovate's order and apk's agree, and the pin
 * in the way that makes Renovate move it (docs/decisions/010-renovate-order.md). The rules were observed in Renovate
 * 44.121.2; each names the source file that it mirrors. No code was copied.
 */
import { satisfies, type Constraint } from '../apk/constraint.ts';
import { compareVersions, isPreRelease, type Version } from '../apk/version.ts';
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
import { compareNaturally } from './natural-order.ts';

/** A versioning of Renovate: which versions it can read, and their order. */
export interface RenovateOrder {
  readonly versioning: 'rpm' | 'loose';
  /** Releases that it cannot read are dropped first (`modules/datasource/common.ts`). */
  readonly reads: (version: Version) => boolean;
  /** Negative if `a` is older; zero if Renovate cannot distinguish them. */
  readonly compare: (a: Version, b: Version) => number;
  /** Major and minor; they separate updates (`workers/repository/process/lookup/bucket.ts`). */
  readonly minorOf: (version: Version) => string;
}

/**
 * `modules/versioning/rpm`: compares runs of digits or letters one by one. Digits are newer than letters and compare as
 * numbers, letters compare as text. If one version is the beginning of the other, the longer one is newer. So it is
 * right for `_p`, `_git`, letters and revisions; wrong for pre-releases and for apk's rule that numbers with a leading
 * zero compare as text.
 */
const rpm: RenovateOrder = {
  versioning: 'rpm',
  reads: () => true,
  compare: (a, b) => {
    const [left, right] = [splitAtRevision(a), splitAtRevision(b)];
    const order = compareRuns(left.upstream, right.upstream);
    if (order !== 0) return order;
    // After a `~`, any revision is older than none, and all revisions are equal.
    if (left.upstream.includes('~')) return Number(left.revision === '') - Number(right.revision === '');
    return compareRuns(left.revision, right.revision);
  },
  // The first two numbers, even if the second is the revision.
  minorOf: ({ text }) => joinNumbers(text.match(/\d+/g) ?? []),
};

function splitAtRevision({ text }: Version): { readonly upstream: string; readonly revision: string } {
  const dash = text.indexOf('-');
  return dash < 0
    ? { upstream: text, revision: '' }
    : { upstream: text.slice(0, dash), revision: text.slice(dash + 1) };
}

/** Run by run, without a list of runs: a name may have hundreds of thousands of versions. */
function compareRuns(a: string, b: string): number {
  for (let [atA, atB] = [0, 0]; ;) {
    const [startA, startB] = [startOfRun(a, atA), startOfRun(b, atB)];
    if (startA === a.length && startB === b.length) return 0;
    [atA, atB] = [endOfRun(a, startA), endOfRun(b, startB)];
    const left = startA < a.length ? a.slice(startA, atA) : undefined;
    const right = startB < b.length ? b.slice(startB, atB) : undefined;
    const order = compareRun(left, right);
    if (order !== 0) return order;
  }
}

/** The kind of run that a character belongs to; 0 for separators. */
function kindOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return 1;
  if (code >= 0x61 && code <= 0x7a) return 2;
  return code === 0x7e ? 3 : 0;
}

function startOfRun(text: string, from: number): number {
  let at = from;
  while (at < text.length && kindOf(text.charCodeAt(at)) === 0) at += 1;
  return at;
}

/** A `~` is a run of its own. */
function endOfRun(text: string, start: number): number {
  const kind = kindOf(text.charCodeAt(start));
  let at = start + 1;
  while (kind !== 3 && at < text.length && kindOf(text.charCodeAt(at)) === kind) at += 1;
  return Math.min(at, text.length);
}

/** `undefined` is the end, which is older than all but `~`. */
function compareRun(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === '~' || b === '~') return a === '~' ? -1 : 1;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  if (isDigits(a) !== isDigits(b)) return isDigits(a) ? 1 : -1;
  return isDigits(a) ? compareNumbers(a, b) : a < b ? -1 : 1;
}

function isDigits(run: string): boolean {
  return run.charAt(0) <= '9';
}

function compareNumbers(a: string, b: string): number {
  if (a.length <= 15 && b.length <= 15) return Number(a) - Number(b);
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : Number(left > right);
}

/**
 * `modules/versioning/loose`: compares the dotted numbers (more numbers are newer), then the rest as text with numbers
 * in it. In that text `_` sorts before `-`, so every suffix is older than none: right for pre-releases, wrong for `_p`.
 */
const loose: RenovateOrder = {
  versioning: 'loose',
  reads: ({ text }) => {
    const looksLikeCommit = /^[a-f0-9]{7,40}$/.test(text) && !/^\d+$/.test(text);
    return !looksLikeCommit && splitAtSuffix(text).numbers.length <= 6;
  },
  compare: (a, b) => {
    const [left, right] = [splitAtSuffix(a.text), splitAtSuffix(b.text)];
    for (let i = 0; i < Math.max(left.numbers.length, right.numbers.length); i += 1) {
      const [one, other] = [left.numbers[i], right.numbers[i]];
      if (one === undefined || other === undefined) return one === undefined ? -1 : 1;
      const order = compareNumbers(one, other);
      if (order !== 0) return order;
    }
    if (left.suffix === '' || right.suffix === '')
      return Number(left.suffix === '') - Number(right.suffix === '');
    return compareNaturally(left.suffix, right.suffix);
  },
  minorOf: ({ text }) => joinNumbers(splitAtSuffix(text).numbers),
};

function splitAtSuffix(text: string): { readonly numbers: readonly string[]; readonly suffix: string } {
  const numbers = /^\d+(?:\.\d+)*/.exec(text)?.[0] ?? '';
  return { numbers: numbers.split('.'), suffix: text.slice(numbers.length) };
}

/** The order that the preset selects for this pin. */
export function renovateOrderFor(pin: Version): RenovateOrder {
  return isPreRelease(pin) ? loose : rpm;
}

/** One version of an answer. */
export interface Listed {
  readonly version: Version;
  /** Listed only for its pins; must never be proposed. */
  readonly deprecated: boolean;
  /** Renovate proposes it only for unstable pins or on request. */
  readonly unstable: boolean;
}

/**
 * What Renovate does with a filtered answer:
 * - `none`: the pin is the target;
 * - `update`: an ordinary update;
 * - `rollback`: the pin is not listed, and `rollbackPrs` leads to the target. Also used for newer versions that
 *   Renovate considers older;
 * - `unreachable`: Renovate cannot read the pin or the target, or cannot distinguish them.
 */
export type UpdatePath = 'none' | 'update' | 'rollback' | 'unreachable';

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
    return { updatePath: 'none', target, listed: yield* flag(yield* agreed(offered, pin, target), pin) };

  const updatePath = updatePathTo(target, pin);
  switch (updatePath) {
    case 'update': {
      const isNewer = compareVersions(target, pin) > 0;
      const listed = yield* flag(isNewer ? yield* agreed(offered, pin, target) : [target], pin);
      return { updatePath, target, listed: present ? listed : yield* insert(listed, withdrawn(pin)) };
    }
    case 'rollback':
      return { updatePath, target, listed: yield* flag(yield* upTo(target, offered, pin), pin) };
    case 'unreachable':
      return { updatePath, target, listed: yield* flag(offered, pin) };
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
   * `older` and `newer` are the nearest versions in the list. Whether it is between them, or the pin, in Renovate's
   * order too.
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
function* flag(
  versions: readonly Version[],
  pin: Version | undefined,
): Generator<undefined, readonly Listed[]> {
  // Stable ones that keep a pre-release from being what the pin follows.
  const isStable = (version: Version): boolean =>
    pin && isPreRelease(pin) ? isStableAbove(version, pin) : !isPreRelease(version);
  const isFollowed = (yield* findInSteps(versions, isStable)) === undefined;
  return yield* mapInSteps(versions, (version) => ({
    version,
    deprecated: false,
    unstable: !isFollowed && isPreRelease(version),
  }));
}

function isStableAbove(version: Version, pin: Version): boolean {
  return !isPreRelease(version) && compareVersions(version, pin) > 0;
}

/**
 * A withdrawn pin in the list makes Renovate look for updates of it, where `rollbackPrs` alone would look for older
 * versions only, and give up without any (`workers/repository/process/lookup/index.ts`, `rollback.ts`).
 */
function withdrawn(pin: Version): Listed {
  return { version: pin, deprecated: true, unstable: false };
}

/** Behind those that apk calls equal. */
function* insert(listed: readonly Listed[], added: Listed): Generator<undefined, readonly Listed[]> {
  const newer = yield* findInSteps(listed, ({ version }) => compareVersions(version, added.version) > 0);
  return listed.toSpliced(newer ? listed.indexOf(newer) : listed.length, 0, added);
}

/** If the pin is not known, everything is listed. */
export function listAll(offered: readonly Version[]): Generator<undefined, readonly Listed[]> {
  return flag(offered, undefined);
}

/**
 * What to list for a pin with an operator (`~1.35`), for which the preset has Renovate use the versioning `apk`:
 * everything. If nothing is left of its line but newer versions are there, its bound is listed as deprecated for the
 * same reason as a withdrawn pin.
 */
export function* filterRangeForRenovate(
  offered: readonly Version[],
  pin: Constraint,
): Generator<undefined, readonly Listed[]> {
  const listed = yield* listAll(offered);
  const newest = offered.at(-1);
  const isLost =
    pin.operator.includes('~') &&
    newest !== undefined &&
    compareVersions(newest, pin.version) > 0 &&
    !(yield* findInSteps(offered, (version) => satisfies(version, pin)));
  return isLost ? yield* insert(listed, withdrawn(pin.version)) : listed;
}

/**
 * Which withdrawn versions may be listed as deprecated in an answer for unknown pins.
 *
 * Renovate skips deprecated releases only if the pin is in the list and not deprecated itself, and a rollback may end
 * at a deprecated one. So the result is chosen such that, whichever of `remembered` is pinned, none of the result is
 * proposed, and a pin of the result moves to an offered version. This holds with updates separated by major, the
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

function majorOf(version: Version, { minorOf }: RenovateOrder): string {
  return minorOf(version).split('.')[0] ?? '';
}

function joinNumbers(numbers: readonly string[]): string {
  return numbers
    .slice(0, 2)
    .map((digits) => BigInt(digits))
    .join('.');
}
