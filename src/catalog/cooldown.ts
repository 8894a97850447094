/**
 * A catalog as if packages younger than an age did not exist (docs/decisions/017). The age counts from the release
 * date; packages without one are hidden.
 */
import { RowSet } from '../apk/packages.ts';
import type { Catalog } from './catalog.ts';

export interface Cooled {
  readonly catalog: Catalog;
  /** The hidden rows, one set for each source. */
  readonly hidden: readonly RowSet[];
  /** Packages hidden because their age is unknown. */
  readonly undated: number;
  /** It is the same for any time limit from `from` to before `until` (unix seconds). */
  readonly from: number;
  readonly until: number;
}

/** About a quarter of a millisecond's work. */
const ROWS_A_STEP = 2 ** 16;

/** Hides what was released after `limit` (unix seconds). */
export function* cooledInSteps(catalog: Catalog, limit: number): Generator<undefined, Cooled> {
  const found: Found = { undated: 0, from: -Infinity, until: Infinity };
  const hidden: RowSet[] = [];
  for (const { packages, dates } of catalog.sources) {
    const rows = new RowSet(packages.rowCount);
    const releasedAt = dates?.releasedAt ?? packages.buildTimes;
    for (let start = 0; start < packages.rowCount; start += ROWS_A_STEP) {
      hideYounger(rows, releasedAt.subarray(start, start + ROWS_A_STEP), { start, limit, found });
      yield;
    }
    hidden.push(rows);
  }
  return { catalog: catalog.without(hidden), hidden, ...found };
}

/** The same with some of the hidden packages: `shown` has a set of rows for each source. */
export function showing(catalog: Catalog, cooled: Cooled, shown: readonly RowSet[]): Cooled {
  let { undated } = cooled;
  const hidden = catalog.sources.map(({ packages, dates }, i) => {
    const rows = new RowSet(packages.rowCount);
    const releasedAt = dates?.releasedAt ?? packages.buildTimes;
    for (const row of (cooled.hidden[i] as RowSet).rows())
      if (!shown[i]?.has(row)) rows.add(row);
      else if (releasedAt[row] === 0) undated -= 1;
    return rows;
  });
  return { ...cooled, catalog: catalog.without(hidden), hidden, undated };
}

interface Found {
  undated: number;
  from: number;
  until: number;
}

function hideYounger(
  rows: RowSet,
  dates: Uint32Array,
  { start, limit, found }: { readonly start: number; readonly limit: number; readonly found: Found },
): void {
  let { undated, from, until } = found;
  for (let i = 0; i < dates.length; i += 1) {
    const date = dates[i] as number;
    if (date > 0 && date <= limit) {
      if (date > from) from = date;
      continue;
    }
    rows.add(start + i);
    if (date === 0) undated += 1;
    else if (date < until) until = date;
  }
  Object.assign(found, { undated, from, until });
}
