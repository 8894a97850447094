/** Addresses that pages link to. The service has all of them; a static export has relative ones and no search. */
export interface Links {
  readonly home: string;
  readonly datasource: (datasource: string) => string;
  /** The page of a package, with what becomes of `current` if given. */
  readonly package: (datasource: string, name: string) => string;
  /** The same question as JSON for Renovate. */
  readonly releases: (datasource: string, name: string) => string;
  /** JSON with every version and why it is or is not offered. */
  readonly explain?: ((datasource: string, name: string) => string) | undefined;
  readonly badge?: ((datasource: string, name: string) => string) | undefined;
  readonly search?: ((datasource: string) => string) | undefined;
  readonly readiness?: string | undefined;
  readonly lookupLog?: ((datasource: string) => string) | undefined;
}

/** Absolute paths, as the service answers them. */
export const serviceLinks: Links = {
  home: '/',
  datasource: (datasource) => `/${datasource}`,
  package: servicePath,
  // A browser that follows it gets JSON; at the address itself it would get the page again.
  releases: (datasource, name) => `${servicePath(datasource, name)}.json`,
  explain: (datasource, name) => `${servicePath(datasource, name)}/explain`,
  badge: (datasource, name) => `${servicePath(datasource, name)}/badge.svg`,
  search: (datasource) => `/${datasource}/-/search`,
  readiness: '/readyz',
  lookupLog: (datasource) => `/${datasource}/-/asked`,
};

function servicePath(datasource: string, name: string): string {
  return `/${datasource}/${encodeURIComponent(name)}`;
}
