/** Names similar to an unknown one. */
import { eachInSteps, isStep } from '../catalog/steps.ts';
import { editDistance } from '../edit-distance.ts';

const MAX_DISTANCE = 3;
const MAX_SUGGESTIONS = 3;

/** The suffix of a package of one release line: `-3.6`, `22`. */
const LINE_SUFFIX = /^-?\d[\d.]*$/;
/** Positions at which a name can end and a suffix begin. */
const SEPARATORS = '-.0123456789';

const collator = new Intl.Collator('en', { numeric: true });

interface Match {
  readonly name: string;
  /** Lower is closer. */
  readonly score: number;
}

/**
 * The names of one generation. Each has a mask of its letters. Two names are at least as many edits apart as one has
 * letters that the other lacks, so the mask excludes most names quickly.
 */
export class CloseNames {
  readonly #names: readonly string[];
  readonly #masks: Uint32Array;

  private constructor(names: readonly string[], masks: Uint32Array) {
    this.#names = names;
    this.#masks = masks;
  }

  static *of(names: Iterable<string>): Generator<undefined, CloseNames> {
    const all: string[] = [];
    const masks: number[] = [];
    yield* eachInSteps(names, (name) => {
      all.push(name);
      masks.push(letterMask(name));
    });
    return new CloseNames(all, Uint32Array.from(masks));
  }

  /**
   * Up to three similar names, in this order: one edit apart, release lines (`etcd-3.6` for `etcd`) newest first, then
   * names further apart or with the same beginning.
   */
  *to(name: string): Generator<undefined, readonly string[]> {
    const limit = Math.min(MAX_DISTANCE, Math.ceil(name.length / 3));
    const mask = letterMask(name);
    let closest: Match[] = [];
    const { length } = name;
    for (let i = 0; i < this.#masks.length; i += 1) {
      if (isStep(i)) yield;
      const own = this.#masks[i] as number;
      const candidate = this.#names[i] as string;
      const longer = candidate.length - length;
      const missing = mask & ~own;
      // Each letter that the other lacks costs an edit, and so does each letter of difference in length.
      const mayBeClose =
        countBits(missing) + Math.max(0, longer) <= limit &&
        countBits(own & ~mask) + Math.max(0, -longer) <= limit;
      if (!mayBeClose && (missing !== 0 || longer <= 0)) continue;
      const score =
        (longer > 0 && missing === 0 ? scoreOfLonger(name, candidate) : undefined) ??
        (mayBeClose ? editDistance(name, candidate, limit) : undefined);
      if (score === undefined || score > (closest[MAX_SUGGESTIONS - 1]?.score ?? Infinity)) continue;
      closest = [...closest, { name: candidate, score }].sort(byScore).slice(0, MAX_SUGGESTIONS);
    }
    return closest.map((match) => match.name);
  }
}

/**
 * The distance of a release line is between one and two edits, that of other names with this beginning more than three.
 */
function scoreOfLonger(name: string, candidate: string): number | undefined {
  if (name.length < 3 || !candidate.startsWith(name)) return undefined;
  const rest = candidate.slice(name.length);
  if (!SEPARATORS.includes(rest.charAt(0))) return undefined;
  return LINE_SUFFIX.test(rest) ? 1.5 : MAX_DISTANCE + rest.length / 100;
}

function byScore(a: Match, b: Match): number {
  if (a.score !== b.score) return a.score - b.score;
  const order = collator.compare(a.name, b.name);
  return a.score === 1.5 ? -order : order;
}

/** One bit per letter; some letters share a bit. */
export function letterMask(name: string): number {
  let mask = 0;
  for (let i = 0; i < name.length; i += 1) mask |= 1 << (name.charCodeAt(i) & 31);
  return mask >>> 0;
}

export function countBits(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
