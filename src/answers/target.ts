/**
 * Parses request paths. Package names may contain `/` (`/bin/sh`), encoded or not, so the raw path is split into
 * segments and decoded once.
 */
import { indexNames } from '../addresses.ts';
import { parseWhen, type When } from '../catalog/age.ts';
import type { LiveDatasource } from '../repository/live-datasource.ts';
import type { IndexFormat } from './index-writer.ts';

export const MAX_NAME_LENGTH = 256;

/** A datasource, now, with an age, or at a past time. */
export interface DatasourceRef {
  readonly live: LiveDatasource;
  readonly when: When | undefined;
}

/** A kind of target, such as `'package'`. */
export type TargetOf<K extends Target['kind']> = Extract<Target, { kind: K }>;

export type Target =
  | { readonly kind: 'root' }
  | ({ readonly kind: 'datasource' } & DatasourceRef)
  | { readonly kind: 'asked'; readonly live: LiveDatasource }
  | ({ readonly kind: 'search' } & DatasourceRef)
  /** The packages that appeared and vanished, or the changes of one package. */
  | { readonly kind: 'changes'; readonly live: LiveDatasource; readonly name: string | undefined }
  | { readonly kind: 'atom'; readonly live: LiveDatasource }
  | ({ readonly kind: 'package'; readonly name: string; readonly route: PackageRoute } & DatasourceRef)
  /** A package of the datasource that the pin's file builds on. */
  | { readonly kind: 'routed'; readonly name: string; readonly when: When | undefined }
  /** The virtual index of one arch, or of `any`. */
  | ({ readonly kind: 'index'; readonly arch: string; readonly format: IndexFormat } & DatasourceRef)
  /** A package file, as the index of the view names it. */
  | ({ readonly kind: 'file'; readonly arch: string; readonly file: string } & DatasourceRef)
  /** The Renovate preset of one datasource, or of all. */
  | { readonly kind: 'preset'; readonly live: LiveDatasource | undefined; readonly when: When | undefined }
  | { readonly kind: 'invalid'; readonly fact: string };

const TOO_LONG: Target = {
  kind: 'invalid',
  fact: `the package name is longer than ${MAX_NAME_LENGTH} characters`,
};

const PRESET = 'renovate.json';
const indexes: ReadonlyMap<string, IndexFormat> = new Map([
  [indexNames[0], 'v2'],
  [indexNames[1], 'adb'],
]);
const ATOM = 'advisories.atom';

/** The requested form of an answer: the last segment of the path, unless the name has only one. */
export type PackageRoute = 'releases' | 'latest' | 'explain' | 'advisories' | 'badge.svg';

const routes: readonly string[] = ['latest', 'explain', 'advisories', 'badge.svg'] satisfies PackageRoute[];

export function isPackageRoute(segment: string): boolean {
  return routes.includes(segment);
}

/**
 * `path` is the raw path without the query. If the first segment is a datasource, the rest is looked up there;
 * otherwise the path is a package of the default datasource. `/wolfi@7d/…` is a view of a datasource, and
 * `/wolfi@2026-07-24T06:00Z/…` is the datasource at that time. `/@7d/…` is for the requests of a preset with an age:
 * `/@7d/wolfi/…`, `/@7d/-/for/…` and `/@7d/renovate.json`.
 */
export function parsePath(
  path: string,
  datasources: ReadonlyMap<string, LiveDatasource>,
  defaultDatasource: LiveDatasource,
): Target {
  const raw = path.replace(/^\//, '').replace(/\/$/, '').split('/');
  let segments: string[];
  try {
    segments = raw.map((segment) => decodeURIComponent(segment));
  } catch {
    return { kind: 'invalid', fact: 'the path has an invalid percent-encoding' };
  }
  if (segments.length === 1 && segments[0] === '') return { kind: 'root' };
  const [first = ''] = segments;
  const at = first.indexOf('@');
  const [before, after] = at < 0 ? [first, undefined] : [first.slice(0, at), first.slice(at + 1)];
  const named = datasources.get(before);
  if (after === undefined || !(named || (/^\d/.test(after) && before === '')))
    return parseRest(segments, named, { live: named ?? defaultDatasource, when: undefined });
  const when = parseWhen(after);
  if ('fact' in when) return { kind: 'invalid', fact: when.fact };
  if (named) return parseRest(segments, named, { live: named, when });
  const [next = '', what] = segments.slice(1);
  const inner = datasources.get(next);
  const isForAll = (next === '-' && what === 'for') || (next === PRESET && what === undefined);
  if (inner ?? isForAll)
    return parseRest(segments.slice(1), inner, { live: inner ?? defaultDatasource, when });
  return { kind: 'invalid', fact: `after /${first}/, expected a datasource, -/for/{name} or ${PRESET}` };
}

/** `segments` begin with the datasource if it is `named`. */
function parseRest(
  segments: readonly string[],
  named: LiveDatasource | undefined,
  asked: DatasourceRef,
): Target {
  const rest = named ? segments.slice(1) : segments;
  if (rest.length === 0) return { kind: 'datasource', ...asked };
  if (rest[0] === '-') return parseExtra(asked, rest.slice(1));
  if (rest.length === 1 && rest[0] === PRESET) return { kind: 'preset', live: named, when: asked.when };
  const [arch = ''] = rest;
  const format = indexes.get(rest[1] ?? '');
  if (rest.length === 2 && format) return { kind: 'index', ...asked, arch, format };
  const file = rest[1] ?? '';
  if (rest.length === 2 && asked.when && 'age' in asked.when && file.endsWith('.apk'))
    return { kind: 'file', ...asked, arch, file };
  return parsePackage(asked, rest);
}

/** Paths after `/-/`, which is not a package name: routes other than lookups, and lookups at the paths of static files. */
function parseExtra(asked: DatasourceRef, [what, ...segments]: readonly string[]): Target {
  const { live, when } = asked;
  if (what === 'search' && segments.length === 0) return { kind: 'search', ...asked };
  if ((what === 'latest' || what === 'advisories') && segments.length > 0)
    return parsePackage(asked, [...segments, what]);
  if (what === 'for' && segments.length > 0) return parseRouted(segments.join('/'), when);
  if (when && ['asked', 'changes', ATOM].includes(what ?? ''))
    return {
      kind: 'invalid',
      fact: `${what} is only for the datasource without an age or time: /${live.name}/-/${what}`,
    };
  if (what === 'asked' && segments.length === 0) return { kind: 'asked', live };
  if (what === 'changes') {
    const name = segments.length === 0 ? undefined : segments.join('/');
    return name !== undefined && name.length > MAX_NAME_LENGTH ? TOO_LONG : { kind: 'changes', live, name };
  }
  if (what === ATOM && segments.length === 0) return { kind: 'atom', live };
  return {
    kind: 'invalid',
    fact: 'after /-/, expected asked, changes, search, advisories.atom, for/{name}, latest/{name} or advisories/{name}',
  };
}

function parseRouted(name: string, when: When | undefined): Target {
  return name.length > MAX_NAME_LENGTH ? TOO_LONG : { kind: 'routed', name, when };
}

function parsePackage(asked: DatasourceRef, segments: readonly string[]): Target {
  const last = segments.at(-1) ?? '';
  const hasRoute = segments.length > 1 && isPackageRoute(last);
  const name = (hasRoute ? segments.slice(0, -1) : segments).join('/');
  if (name.length > MAX_NAME_LENGTH) return TOO_LONG;
  return { kind: 'package', ...asked, name, route: hasRoute ? (last as PackageRoute) : 'releases' };
}

/**
 * The paths of similar services: `{arch}/{name}`, and `.json` after the name. Only tried if the whole path is not a
 * name, so no package is hidden.
 */
export function parsePeerName(
  name: string,
  archs: readonly string[],
): { readonly name: string; readonly arch: string | undefined } | undefined {
  const slash = name.indexOf('/');
  const arch = archs.find((each) => slash > 0 && each === name.slice(0, slash));
  const rest = arch === undefined ? name : name.slice(slash + 1);
  const bare = rest.endsWith('.json') ? rest.slice(0, -'.json'.length) : rest;
  return bare === '' || bare === name ? undefined : { name: bare, arch };
}
