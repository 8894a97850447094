/** Names similar to an unknown one. */

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
  readonly #lengths: Uint32Array;

  constructor(names: Iterable<string>) {
    this.#names = [...names];
    this.#masks = Uint32Array.from(this.#names, letterMask);
    this.#lengths = Uint32Array.from(this.#names, ({ length }) => length);
  }

  /**
   * Up to three similar names, in this order: one edit apart, release lines (`etcd-3.6` for `etcd`) newest first, then
   * names further apart or with the same beginning.
   */
  to(name: string): readonly string[] {
    const limit = Math.min(MAX_DISTANCE, Math.ceil(name.length / 3));
    const mask = letterMask(name);
    const matches: Match[] = [];
    const { length } = name;
    for (let i = 0; i < this.#masks.length; i += 1) {
      const own = this.#masks[i] as number;
      const longer = (this.#lengths[i] as number) - length;
      const missing = mask & ~own;
      // Each letter that the other lacks costs an edit, and so does each letter of difference in length.
      const mayBeClose =
        countBits(missing) + Math.max(0, longer) <= limit &&
        countBits(own & ~mask) + Math.max(0, -longer) <= limit;
      if (!mayBeClose && (missing !== 0 || longer <= 0)) continue;
      const candidate = this.#names[i] as string;
      const score =
        (longer > 0 && missing === 0 ? scoreOfLonger(name, candidate) : undefined) ??
        (mayBeClose ? editDistance(name, candidate, limit) : undefined);
      if (score !== undefined) matches.push({ name: candidate, score });
    }
    return matches
      .sort(byScore)
      .slice(0, MAX_SUGGESTIONS)
      .map((match) => match.name);
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

/** Three rows of the table, used in turn and overwritten by every call. */
const rows: readonly Uint16Array[] = [1, 2, 3].map(() => new Uint16Array(512));

/**
 * Optimal string alignment: letters inserted, omitted, replaced, or two neighbours swapped. `undefined` if that is more
 * than `limit`. Only cells within `limit` edits are computed.
 */
export function editDistance(a: string, b: string, limit: number): number | undefined {
  if (Math.abs(a.length - b.length) > limit || b.length >= 511) return undefined;
  const [start, endA, endB] = withoutCommonEnds(a, b);
  const [height, width] = [endA - start, endB - start];
  const beyond = limit + 1;
  let [beforeLast, last, row] = rows as [Uint16Array, Uint16Array, Uint16Array];
  for (let j = 0; j <= width; j += 1) last[j] = j;
  for (let i = 1; i <= height; i += 1) {
    const from = Math.max(1, i - limit);
    const to = Math.min(width, i + limit);
    row[from - 1] = from === 1 ? i : beyond;
    let best = row[from - 1] as number;
    const code = a.charCodeAt(start + i - 1);
    const codeBefore = i > 1 ? a.charCodeAt(start + i - 2) : -1;
    for (let j = from; j <= to; j += 1) {
      const other = b.charCodeAt(start + j - 1);
      let cost = (last[j - 1] as number) + (code === other ? 0 : 1);
      cost = Math.min(cost, (row[j - 1] as number) + 1, (last[j] as number) + 1);
      if (j > 1 && codeBefore === other && code === b.charCodeAt(start + j - 2))
        cost = Math.min(cost, (beforeLast[j - 2] as number) + 1);
      row[j] = cost;
      if (cost < best) best = cost;
    }
    if (to < width) row[to + 1] = beyond;
    // A swap refers to the row before the last, which may be one edit better.
    if (best > limit + 1) return undefined;
    [beforeLast, last, row] = [last, row, beforeLast];
  }
  const distance = last[width] as number;
  return distance <= limit ? distance : undefined;
}

/** The first difference, and the ends of the differing parts. */
function withoutCommonEnds(a: string, b: string): readonly [start: number, endA: number, endB: number] {
  let [endA, endB] = [a.length, b.length];
  while (endA > 0 && endB > 0 && a.charCodeAt(endA - 1) === b.charCodeAt(endB - 1)) {
    endA -= 1;
    endB -= 1;
  }
  let start = 0;
  while (start < endA && start < endB && a.charCodeAt(start) === b.charCodeAt(start)) start += 1;
  return [start, endA, endB];
}
