/**
 * Renovate's orders of versions. It decides by its own order which of the listed releases it proposes, and none of its
 * orders is apk's. The preset selects the least wrong one for each pin: `rpm`, but `loose` for pins of a pre-release. The
 * rules were observed in Renovate 44.121.2; each names the source file that it mirrors. No code was copied.
 */
import { isPreRelease, type Version } from '../apk/version.ts';
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
export const rpm: RenovateOrder = {
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

/** A `~` is a run of its own: a version has one at most. */
function endOfRun(text: string, start: number): number {
  const kind = kindOf(text.charCodeAt(start));
  let at = start + 1;
  while (at < text.length && kindOf(text.charCodeAt(at)) === kind) at += 1;
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
export const loose: RenovateOrder = {
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

export function majorOf(version: Version, { minorOf }: RenovateOrder): string {
  return minorOf(version).split('.')[0] ?? '';
}

function joinNumbers(numbers: readonly string[]): string {
  return numbers
    .slice(0, 2)
    .map((digits) => BigInt(digits))
    .join('.');
}
