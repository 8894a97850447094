/** The query parameters of a lookup. */
import { parseConstraint, type Constraint } from '../apk/constraint.ts';
import { parseVersion, type Version } from '../apk/version.ts';
import { cut } from '../errors.ts';
import type { PackageRoute } from './target.ts';

export interface LookupQuery {
  /** `?arch=x86_64`, repeatable and comma-separated: only these archs. */
  readonly archs: readonly string[] | undefined;
  /** `?current=1.0-r0`: the current pin, a version (`=`) or a line (`~1.0`). */
  readonly current: Constraint | undefined;
  /** `?line=1.35`: only versions of that line. */
  readonly line: Version | undefined;
  /** `?strip=revision`: versions without `-rN`, once each. */
  readonly stripRevision: boolean;
  /** `?revision=4`: the revision of a pin whose file has version and revision in different places. */
  readonly revision?: string | undefined;
  /**
   * The file takes the newest revision together with the version. In a definition the version repeats that of a pin, which
   * may get any revision.
   */
  readonly takesRevision?: boolean;
}

/** An invalid query; the message names the parameter and what was expected. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
}

export type QueryParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

const ofPin = ['arch', 'current', 'line', 'strip', 'revision'] as const;

/** The parameters of each kind of lookup. */
export const lookupParameters = {
  releases: ofPin,
  latest: ['arch', 'line', 'range', 'strip'],
  explain: [...ofPin, 'all'],
  advisories: ['arch', 'current', 'target', 'strip', 'revision'],
  'badge.svg': ['arch', 'line', 'strip'],
} as const satisfies Record<PackageRoute, readonly string[]>;

/** Throws `QueryError` for a parameter that is not `known`: the answer would be to another question. */
export function refuseUnknown(parameters: QueryParameters, known: readonly string[]): void {
  const unknown = Object.keys(parameters).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new QueryError(`${cut(unknown)}: not a parameter here, expected some of ${known.join(', ')}`);
}

/** Throws `QueryError`. An unreadable `current` is not an error: lookups must not fail because of a pin. */
export function parseLookupQuery(parameters: QueryParameters, knownArchs: readonly string[]): LookupQuery {
  const revision = /^\d{1,9}$/.exec(all(parameters['revision']).at(-1) ?? '')?.[0];
  return {
    archs: parseArchs(all(parameters['arch']), knownArchs),
    current: parseCurrent(all(parameters['current']).at(-1)),
    line: parseLine(all(parameters['line']).at(-1)),
    stripRevision: parseStrip(all(parameters['strip']).at(-1)),
    revision,
    takesRevision: revision !== undefined && parameters['kind'] !== 'definition',
  };
}

function all(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

function parseArchs(values: readonly string[], known: readonly string[]): readonly string[] | undefined {
  const asked = values.flatMap((value) => value.split(',')).filter((arch) => arch !== '');
  const unknown = asked.find((arch) => !known.includes(arch));
  if (unknown !== undefined) throw new QueryError(`arch: unknown, expected some of ${known.join(', ')}`);
  return asked.length === 0 ? undefined : known.filter((arch) => asked.includes(arch));
}

/** A pin as users write it: `1.0-r0`, `=1.0-r0`, `~1.0`, `="1.0-r0"`, `@edge=1.0-r0`, `=1.0-r0@edge`. */
function parseCurrent(value = ''): Constraint | undefined {
  const plain = barePin(value);
  const version = parseVersion(plain);
  return version ? { operator: '=', version } : parseConstraint(plain);
}

/** A pin without quotes and tags. */
export function barePin(text: string): string {
  return text.replace(/["']|@[^=~@"']+/g, '');
}

/** The pinned version; `undefined` for a pin that allows several. */
export function pinnedVersion({ current }: LookupQuery): Version | undefined {
  return current && current.operator.replaceAll('=', '') === '' ? current.version : undefined;
}

/** The full version of a pin whose file has version and revision in different places; `undefined` for other pins. */
export function versionWithRevision(query: LookupQuery): Version | undefined {
  const { stripRevision, revision } = query;
  const pinned = stripRevision && revision !== undefined ? pinnedVersion(query) : undefined;
  return pinned && parseVersion(`${pinned.text}-r${revision}`);
}

function parseLine(value: string | undefined): Version | undefined {
  if (value === undefined || value === '') return undefined;
  const line = parseVersion(value);
  if (!line) throw new QueryError('line: expected the beginning of a version, such as 1.35');
  return line;
}

function parseStrip(value: string | undefined): boolean {
  if (value === undefined || value === '') return false;
  if (value === 'revision') return true;
  throw new QueryError('strip: expected revision');
}
