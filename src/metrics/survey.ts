/** How many versions a whole catalog offers and withholds, and why. */
import type { Catalog, NameReport, VersionReport, WithheldReason } from '../catalog/catalog.ts';

export interface Survey {
  /** Package names; what packages provide is not counted again. */
  readonly names: number;
  /** Those of them without a single release. */
  readonly namesWithoutRelease: number;
  readonly offered: number;
  /** Those of them that need something that nothing in the datasource meets, such as a base repository's packages. */
  readonly needingMore: number;
  /** Versions that are in an index and not offered. Each counts for one reason. */
  readonly withheld: Readonly<Record<WithheldReason, number>>;
}

/** Surveys in steps, at most a name each, so that the caller can do other things in between or give up. */
export function* surveyCatalog(catalog: Catalog): Generator<undefined, Survey> {
  const withheld: Record<WithheldReason, number> = {
    'invalid-version': 0,
    'unversioned-provide': 0,
    'conflicting-provides': 0,
    'foreign-arch': 0,
    'unknown-field': 0,
    'dependency-unmet': 0,
    'missing-on-arch': 0,
  };
  let names = 0;
  let namesWithoutRelease = 0;
  let offered = 0;
  let needingMore = 0;
  const missing = yield* catalog.missingNeeds();
  for (const name of catalog.names()) {
    const report = yield* catalog.reportInSteps(name);
    const held = report.versions.filter((version) => !version.offered);
    for (const version of held) withheld[withheldReason(version, report)] += 1;
    for (const { offered: isOffered, chosenOn } of report.versions)
      if (isOffered && chosenOn.some((each) => missing(each).length > 0)) needingMore += 1;
    names += 1;
    offered += report.versions.length - held.length;
    if (held.length === report.versions.length) namesWithoutRelease += 1;
    yield;
  }
  return { names, namesWithoutRelease, offered, needingMore, withheld };
}

/** What stands against the version where it is missed, or simply that it is missing there. */
function withheldReason({ candidates, missingOn }: VersionReport, { carriedBy }: NameReport): WithheldReason {
  const refused = candidates.find(
    ({ arch, obstacle }) => obstacle && (carriedBy.length === 0 || missingOn.includes(arch)),
  );
  return refused?.obstacle?.reason ?? 'missing-on-arch';
}
