/** `?range=`: constraints of apk or ranges of semver. */
import semver from 'semver';
import { parseConstraint, satisfies, type Constraint } from '../apk/constraint.ts';
import type { Version } from '../apk/version.ts';
import { newestRelease, type Release } from './releases.ts';
import { QueryError } from './query.ts';

/** A version with its revision. Other versions are ranges of semver: `1.2` is any 1.2. */
const EXACT = /^\d[^ ]*-r\d+$/;

/** Throws `QueryError` for a range that is neither. */
export function* newestInRange(
  releases: readonly Release[],
  range: string | readonly string[] | undefined,
): Generator<undefined, Release | undefined> {
  if (range === undefined || range === '') return yield* newestRelease(releases);
  if (typeof range !== 'string') throw new QueryError('range: expected one value');
  const fits = parseRange(range);
  return yield* newestRelease(releases, ({ version }) => fits(version));
}

/**
 * APK constraints, separated by blanks or commas, all of which must hold (`~1.35`, `>=2.3 <3`, `1.35.4-r0`). Anything
 * else is a semver range (`^1.2`, `1.x`), compared with the first three numbers of a version.
 */
function parseRange(range: string): (version: Version) => boolean {
  if (range.length > 256) throw new QueryError('range: longer than 256 characters');
  const parts = new Set(range.split(/[ ,]/).filter((part) => part !== ''));
  const constraints = [...parts].map((part) => parseConstraint(EXACT.test(part) ? `=${part}` : part));
  if (constraints.length > 0 && constraints.every((each): each is Constraint => each !== undefined)) {
    return (version) => constraints.every((constraint) => satisfies(version, constraint));
  }
  if (semver.validRange(range) === null)
    throw new QueryError('range: expected an APK constraint such as ~1.35 or a semver range such as ^1.2');
  const parsed = new semver.Range(range);
  return (version) => {
    const coerced = semver.coerce(version.text);
    return coerced !== null && parsed.test(coerced);
  };
}
