/** How many typing errors two words are apart. */

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
