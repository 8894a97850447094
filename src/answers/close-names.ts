/** Names similar to an unknown one. */
import { eachInSteps, ITEMS_A_STEP } from '../catalog/steps.ts';
import { editDistance } from '../edit-distance.ts';
import { compareNaturally } from './natural-order.ts';

const MAX_DISTANCE = 3;
const MAX_SUGGESTIONS = 3;

/** The suffix of a package of one release line: `-3.6`, `22`. */
const LINE_SUFFIX = /^-?\d[\d.]*$/;
/** Positions at which a name can end and a suffix begin. */
const SEPARATORS = '-.0123456789';

interface Match {
  readonly name: string;
  /** Lower is closer. */
  readonly score: number;
}

/** Properties of the requested name that exclude most other names quickly. */
interface Requested {
  readonly length: number;
  readonly mask: number;
  readonly repeated: number;
  /** The most edits. */
  readonly limit: number;
}

/**
 * The names of one generation. Two names are at least as many edits apart as one has letters that the other lacks. So
 * masks of their letters and their lengths exclude nearly all names quickly, without reading them. Upper and lower
 * case are the same letter.
 */
export class CloseNames {
  readonly #names: readonly string[];
  readonly #lengths: Int32Array;
  /** Two masks per name: its letters, and the letters that occur more than once. */
  readonly #masks: Int32Array;
  readonly #masksOfRepeated: Int32Array;

  private constructor(names: readonly string[], masks: readonly number[], repeated: readonly number[]) {
    this.#names = names;
    this.#lengths = Int32Array.from(names, ({ length }) => length);
    this.#masks = Int32Array.from(masks);
    this.#masksOfRepeated = Int32Array.from(repeated);
  }

  static *of(names: Iterable<string>): Generator<undefined, CloseNames> {
    const all: string[] = [];
    const masks: number[] = [];
    const repeated: number[] = [];
    yield* eachInSteps(names, (name) => {
      all.push(name);
      masks.push(letterMask(name));
      repeated.push(repeatedMask(name));
    });
    return new CloseNames(all, masks, repeated);
  }

  /**
   * Up to three similar names, in this order: at most one edit apart, release lines (`etcd-3.6` for `etcd`) newest first,
   * then names further apart or with the same beginning.
   */
  *to(given: string): Generator<undefined, readonly string[]> {
    const name = given.toLowerCase();
    const limit = Math.min(MAX_DISTANCE, Math.ceil(name.length / 3));
    const requested = { length: name.length, mask: letterMask(name), repeated: repeatedMask(name), limit };
    let closest: Match[] = [];
    for (let from = 0; from < this.#names.length; from += ITEMS_A_STEP) {
      for (const candidate of this.#candidates(requested, from)) {
        const lower = candidate.toLowerCase();
        const score = scoreOfLonger(name, lower) ?? editDistance(name, lower, limit);
        if (score === undefined || score > (closest[MAX_SUGGESTIONS - 1]?.score ?? Infinity)) continue;
        closest = [...closest, { name: candidate, score }].sort(byScore).slice(0, MAX_SUGGESTIONS);
      }
      yield;
    }
    return closest.map((match) => match.name);
  }

  /** The names of one step, starting at number `from`, that may begin with the requested name or be close to it. */
  #candidates({ length, mask, repeated, limit }: Requested, from: number): readonly string[] {
    const [masks, masksOfRepeated, lengths] = [this.#masks, this.#masksOfRepeated, this.#lengths];
    const found: string[] = [];
    const to = Math.min(masks.length, from + ITEMS_A_STEP);
    for (let i = from; i < to; i += 1) {
      const own = masks[i] as number;
      const missing = mask & ~own;
      const longer = (lengths[i] as number) - length;
      const mayBeLonger = missing === 0 && longer > 0;
      if (!mayBeLonger && Math.abs(longer) > limit) continue;
      // Each letter that the other lacks costs an edit, and so does each letter of difference in length.
      const ownRepeated = masksOfRepeated[i] as number;
      const mayBeClose =
        countBits(missing) + countBits(repeated & ~ownRepeated) + Math.max(0, longer) <= limit &&
        countBits(own & ~mask) + countBits(ownRepeated & ~repeated) + Math.max(0, -longer) <= limit;
      if (mayBeClose || mayBeLonger) found.push(this.#names[i] as string);
    }
    return found;
  }
}

/**
 * The distance of a release line is between one and two edits, that of other names with this beginning more than three.
 */
function scoreOfLonger(name: string, candidate: string): number | undefined {
  if (name.length < 3 || !candidate.startsWith(name)) return undefined;
  const rest = candidate.slice(name.length);
  if (rest === '' || !SEPARATORS.includes(rest.charAt(0))) return undefined;
  return LINE_SUFFIX.test(rest) ? 1.5 : MAX_DISTANCE + rest.length / 100;
}

function byScore(a: Match, b: Match): number {
  if (a.score !== b.score) return a.score - b.score;
  const order = compareNaturally(a.name, b.name);
  return a.score === 1.5 ? -order : order;
}

/** One bit per letter, whatever its case; some letters share a bit. */
export function letterMask(name: string): number {
  let mask = 0;
  for (let i = 0; i < name.length; i += 1) mask |= 1 << (name.charCodeAt(i) & 31);
  return mask;
}

/** One bit per letter that occurs more than once. */
function repeatedMask(name: string): number {
  let [once, again] = [0, 0];
  for (let i = 0; i < name.length; i += 1) {
    const bit = 1 << (name.charCodeAt(i) & 31);
    again |= once & bit;
    once |= bit;
  }
  return again;
}

export function countBits(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
