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

/** Absolute paths of the service. */
export const serviceLinks: Links = {
  home: '/',
  datasource: (datasource) => `/${datasource}`,
  package: servicePath,
  // With `.json`, browsers get JSON; without it they would get the page again.
  releases: (datasource, name) => `${servicePath(datasource, name)}.json`,
  explain: (datasource, name) => `${servicePath(datasource, name)}/explain`,
  badge: (datasource, name) => `${servicePath(datasource, name)}/badge.svg`,
  search: (datasource) => `/${datasource}/-/search`,
  readiness: '/readyz',
};

function servicePath(datasource: string, name: string): string {
  return `/${datasource}/${encodeURIComponent(name)}`;
}
