/**
 * What a request path asks for. Package names may hold `/` (`/bin/sh`) and come encoded or not, so paths are read from
 * the raw target, segment by segment, and decoded once.
 */

export const MAX_NAME_LENGTH = 256;

export type Target =
  | { readonly kind: 'root' }
  | { readonly kind: 'datasource'; readonly datasource: string }
  | { readonly kind: 'asked'; readonly datasource: string }
  | { readonly kind: 'package'; readonly datasource: string; readonly name: string; readonly view: View }
  /** A package of the datasource that its pin's file builds on. */
  | { readonly kind: 'routed'; readonly name: string }
  /** The virtual index of one arch, or of what all have. */
  | { readonly kind: 'index'; readonly datasource: string; readonly arch: string }
  /** The Renovate preset of one datasource, or of all. */
  | { readonly kind: 'preset'; readonly datasource: string | undefined }
  | { readonly kind: 'invalid'; readonly fact: string };

const TOO_LONG: Target = {
  kind: 'invalid',
  fact: `the package name is longer than ${MAX_NAME_LENGTH} characters`,
};

const PRESET = 'renovate.json';
const INDEX = 'APKINDEX.tar.gz';

/** What of a package is asked for; the last segment of the path unless it is the only one of the name. */
export type View = 'releases' | 'latest' | 'explain';

const views: readonly string[] = ['latest', 'explain'] satisfies View[];

export function isView(segment: string): boolean {
  return views.includes(segment);
}

/**
 * `path` is the raw path, without the query. A first segment that names a datasource is that datasource; anything else
 * is a package of the default one.
 */
export function parsePath(path: string, datasources: readonly string[], defaultDatasource: string): Target {
  const raw = path.replace(/^\//, '').replace(/\/$/, '').split('/');
  let segments: string[];
  try {
    segments = raw.map((segment) => decodeURIComponent(segment));
  } catch {
    return { kind: 'invalid', fact: 'the path is no valid percent-encoding' };
  }
  if (segments.length === 1 && segments[0] === '') return { kind: 'root' };
  const [first = ''] = segments;
  const isNamed = datasources.includes(first);
  const datasource = isNamed ? first : defaultDatasource;
  const rest = isNamed ? segments.slice(1) : segments;
  if (rest.length === 0) return { kind: 'datasource', datasource };
  if (rest[0] === '-') return parseExtra(datasource, rest.slice(1));
  if (rest.length === 1 && rest[0] === PRESET) {
    return { kind: 'preset', datasource: isNamed ? datasource : undefined };
  }
  const [arch = ''] = rest;
  if (rest.length === 2 && rest[1] === INDEX) return { kind: 'index', datasource, arch };
  return parsePackage(datasource, rest);
}

/** Behind `/-/`, which is no package name: what is no lookup, and `latest` as static files can have it. */
function parseExtra(datasource: string, [what, ...segments]: readonly string[]): Target {
  if (what === 'asked' && segments.length === 0) return { kind: 'asked', datasource };
  if (what === 'latest' && segments.length > 0) return parsePackage(datasource, [...segments, what]);
  if (what === 'for' && segments.length > 0) return parseRouted(segments.join('/'));
  return { kind: 'invalid', fact: 'behind /-/ there are asked, for/{name} and latest/{name}' };
}

function parseRouted(name: string): Target {
  return name.length > MAX_NAME_LENGTH ? TOO_LONG : { kind: 'routed', name };
}

function parsePackage(datasource: string, segments: readonly string[]): Target {
  const last = segments.at(-1) ?? '';
  const hasView = segments.length > 1 && isView(last);
  const name = (hasView ? segments.slice(0, -1) : segments).join('/');
  if (name.length > MAX_NAME_LENGTH) return TOO_LONG;
  return { kind: 'package', datasource, name, view: hasView ? (last as View) : 'releases' };
}
