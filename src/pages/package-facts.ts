/** What the page of a package shows besides its versions. */
import { changelogUrl } from '../answers/changelog-links.ts';
import type { LookupQuery } from '../answers/query.ts';
import { newestRelease, releasesFor } from '../answers/releases.ts';
import type { Catalog, NameReport } from '../catalog/catalog.ts';
import type { About } from './package-page.ts';

export interface PackageFacts {
  /** The release to pin, whatever the current pin is. */
  readonly newest: string | undefined;
  readonly about: About | undefined;
}

/** If nothing is offered, the facts are those of the newest withheld version. */
export function* packageFacts(
  report: NameReport,
  query: LookupQuery,
  catalog: Catalog,
): Generator<undefined, PackageFacts> {
  const newest = yield* newestRelease(yield* releasesFor(report, { ...query, current: undefined }, []));
  const candidate = newest?.candidate ?? report.versions.at(-1)?.chosen;
  if (!candidate) return { newest: undefined, about: undefined };
  const { origin, url } = candidate.package;
  const about = {
    homepage: url || undefined,
    changelog: changelogUrl(candidate, undefined),
    origin: origin || undefined,
    hasOrigin: origin !== '' && catalog.has(origin),
  };
  return { newest: newest?.version.text, about };
}
