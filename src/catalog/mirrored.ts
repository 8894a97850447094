/**
 * The packages of an arch that can be installed from a view (docs/decisions/019): the offered ones, except those that
 * directly or indirectly need something that only hidden packages have.
 */
import { RowSet, type Package } from '../apk/packages.ts';
import type { Catalog } from './catalog.ts';
import { eachInSteps, isStep } from './steps.ts';

/** One set of rows for each source; those of other archs are empty. */
export function* mirroredRows(
  view: Catalog,
  base: Catalog,
  arch: string,
): Generator<undefined, readonly RowSet[]> {
  let rows = yield* offeredRows(view, arch);
  let gone = yield* namesOf(base, arch, (row, source) => !rows[source]?.has(row));
  while (gone.size > 0) {
    const without = rows.map((kept, i) => complementOf(kept, base.sources[i]?.packages.rowCount ?? 0));
    const [here, everywhere] = [base.without(without).needs(), base.needs()];
    const lost = rows.map((kept) => new RowSet(8 * kept.bits.length));
    for (const [source, kept] of rows.entries()) {
      let i = 0;
      for (const row of kept.rows()) {
        if (isStep((i += 1))) yield;
        const each = base.sources[source]?.packages.at(row) as Package;
        if (!needsOneOf(each, gone)) continue;
        const missing = yield* here.missing({ package: each, arch });
        if (missing.length === 0) continue;
        const always = new Set(yield* everywhere.missing({ package: each, arch }));
        if (missing.some((need) => !always.has(need))) lost[source]?.add(row);
      }
    }
    gone = yield* namesOf(base, arch, (row, source) => lost[source]?.has(row) === true);
    rows = rows.map((kept, i) => difference(kept, lost[i] as RowSet));
  }
  return rows;
}

/** Of several packages of one name and version, the one of the repository listed first. */
function* offeredRows(view: Catalog, arch: string): Generator<undefined, readonly RowSet[]> {
  const rows = view.sources.map(({ packages }) => new RowSet(packages.rowCount));
  for (const name of view.names()) {
    yield;
    const { versions = [] } = (yield* view.reportUnlessCrowded(name, [arch])) ?? {};
    const seen = new Set<string>();
    for (const [i, { candidates }] of versions.entries()) {
      if (isStep(i)) yield;
      for (const { version, provided, obstacle, source, package: each } of candidates) {
        if (provided || obstacle || seen.has(version)) continue;
        seen.add(version);
        rows[source]?.add(each.row);
      }
    }
  }
  return rows;
}

/** The names that some packages of the arch have. */
function* namesOf(
  { sources }: Catalog,
  arch: string,
  isMeant: (row: number, source: number) => boolean,
): Generator<undefined, ReadonlySet<string>> {
  const names = new Set<string>();
  for (const [source, { packages, arch: own }] of sources.entries()) {
    if (own !== arch) continue;
    for (let row = 0; row < packages.rowCount; row += 1) {
      if (isStep(row)) yield;
      if (!isMeant(row, source)) continue;
      const each = packages.at(row);
      names.add(each.name);
      yield* eachInSteps(each.provides, ({ name }) => {
        names.add(name);
      });
    }
  }
  return names;
}

function needsOneOf({ dependencies }: Package, names: ReadonlySet<string>): boolean {
  for (const { name, conflict } of dependencies) if (!conflict && names.has(name)) return true;
  return false;
}

function complementOf(rows: RowSet, rowCount: number): RowSet {
  const others = new RowSet(rowCount);
  for (let row = 0; row < rowCount; row += 1) if (!rows.has(row)) others.add(row);
  return others;
}

function difference(rows: RowSet, without: RowSet): RowSet {
  const left = new RowSet(8 * rows.bits.length);
  for (const row of rows.rows()) if (!without.has(row)) left.add(row);
  return left;
}
