/** Catalogs made of stanzas, without files or servers. */
import { IndexScanner } from '../../src/apk/index-scanner.ts';
import { defaultReadLimits } from '../../src/apk/read-index.ts';
import type { Packages } from '../../src/apk/packages.ts';
import { releasesFor, parseVersions, type Release } from '../../src/answers/releases.ts';
import { finish } from '../../src/catalog/steps.ts';
import { Catalog, type CatalogOptions } from '../../src/catalog/catalog.ts';
import { parseLookupQuery, type QueryParameters } from '../../src/answers/query.ts';
import { indexText, type Stanza } from './signed-index.ts';

export function scanned(stanzas: readonly Stanza[], arch?: string): Packages {
  const scanner = new IndexScanner({ ...defaultReadLimits, arch });
  scanner.push(Buffer.from(indexText(stanzas)));
  return scanner.end().packages;
}

/** One repository on one arch. */
export function catalog(stanzas: readonly Stanza[], options: Partial<CatalogOptions> = {}): Catalog {
  return catalogOf({ x86_64: [stanzas] }, options);
}

/** For each arch the indexes of its repositories, named `repo0`, `repo1` and so on. */
export function catalogOf(
  archs: Readonly<Record<string, readonly (readonly Stanza[])[]>>,
  options: Partial<CatalogOptions> = {},
): Catalog {
  const sources = Object.entries(archs).flatMap(([arch, repositories]) =>
    repositories.map((stanzas, i) => ({
      repository: `repo${i}`,
      arch,
      packages: scanned(stanzas.map((stanza) => ({ ...stanza, A: arch }))),
    })),
  );
  return new Catalog({ sources, archs: Object.keys(archs), ...options });
}

/** The texts of the versions on offer, oldest first. */
export function offered(from: Catalog, name: string, archs?: readonly string[]): readonly string[] {
  return from
    .report(name, archs)
    .versions.filter((version) => version.offered)
    .map(({ version }) => version);
}

export function releases(
  from: Catalog,
  name: string,
  parameters: QueryParameters = {},
  remembered: readonly string[] = [],
): readonly Release[] {
  const query = parseLookupQuery(parameters, from.archs);
  return finish(releasesFor(from.report(name, query.archs), query, parseVersions(remembered)));
}
