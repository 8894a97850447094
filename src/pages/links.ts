import { withoutTrailingSlashes } from '../addresses.ts';

/** Addresses that pages link to. Static pages have relative ones, and no search, explanation or badge. */
export interface Links {
  readonly home: string;
  readonly datasource: (datasource: string) => string;
  /** The page of a package. */
  readonly package: (datasource: string, name: string) => string;
  /** The same question as JSON for Renovate. */
  readonly releases: (datasource: string, name: string) => string;
  /** JSON with every version and why it is or is not offered. */
  readonly explain?: ((datasource: string, name: string) => string) | undefined;
  readonly badge?: ((datasource: string, name: string) => string) | undefined;
  readonly search?: ((datasource: string) => string) | undefined;
  readonly readiness?: string | undefined;
  readonly stylesheet?: string | undefined;
}

/** Absolute paths of the service. A proxy may serve it below a path, that of `publicUrl`. */
export function serviceLinks(publicUrl: string | undefined): Links {
  const below = publicUrl === undefined ? '' : withoutTrailingSlashes(new URL(publicUrl).pathname);
  const pathOf = (datasource: string, name: string): string =>
    `${below}/${datasource}/${encodeURIComponent(name)}`;
  return {
    home: `${below}/`,
    datasource: (datasource) => `${below}/${datasource}`,
    package: pathOf,
    // With `.json`, browsers get JSON; without it they would get the page again.
    releases: (datasource, name) => `${pathOf(datasource, name)}.json`,
    explain: (datasource, name) => `${pathOf(datasource, name)}/explain`,
    badge: (datasource, name) => `${pathOf(datasource, name)}/badge.svg`,
    search: (datasource) => `${below}/${datasource}/-/search`,
    readiness: `${below}/readyz`,
  };
}
