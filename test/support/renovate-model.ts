/**
 * A small model of what Renovate 44.121.2 proposes for a pin, fast enough for thousands of generated lists.
 * `test/renovate/order.e2e.ts` compares it with Renovate's own code.
 */
import type { Listed } from '../../src/answers/renovate-list.ts';
import type { RenovateOrder } from '../../src/answers/renovate-order.ts';
import type { Version } from '../../src/apk/version.ts';

/** Renovate's settings that decide into how many updates the newer versions are sorted; names are Renovate's. */
export interface Buckets {
  readonly separateMajorMinor: boolean;
  readonly separateMultipleMajor: boolean;
  readonly separateMultipleMinor: boolean;
  readonly separateMinorPatch: boolean;
}

/**
 * The versions it would write in place of the pin: one a bucket, and with `rollbackPrs`, which is on as in the preset,
 * one below a pin that is not listed.
 */
export function propose(
  listed: readonly Listed[],
  pin: Version,
  order: RenovateOrder,
  buckets: Buckets,
): readonly Version[] {
  const { compare, reads } = order;
  if (!reads(pin)) return [];
  const releases = listed.filter(({ version }) => reads(version));
  const current = releases.find(({ version }) => compare(version, pin) === 0);
  const older = releases.filter(({ version }) => compare(version, pin) < 0);
  if (!current && older.length === 0) return [];
  const rollback = current ? [] : highest(older, compare);
  const isOnStable = current?.unstable === false;
  const newer = releases
    .filter(({ version }) => compare(version, pin) > 0)
    .filter(({ deprecated }) => !current || current.deprecated || !deprecated)
    .filter(({ version, unstable }) => !unstable || (!isOnStable && isSameRelease(version, pin, order)));
  const byBucket = Map.groupBy(newer, ({ version }) => bucketOf(version, pin, order, buckets));
  return [...rollback, ...[...byBucket.values()].flatMap((bucket) => highest(bucket, compare))];
}

function highest(listed: readonly Listed[], compare: RenovateOrder['compare']): readonly Version[] {
  return listed
    .map(({ version }) => version)
    .sort(compare)
    .slice(-1);
}

/** Renovate's major, minor and patch: to `rpm` any three first numbers, to `loose` only dotted ones. */
function numbers({ text }: Version, { versioning }: RenovateOrder): readonly (bigint | undefined)[] {
  const dotted = versioning === 'loose' ? (/^[\d.]+/.exec(text)?.[0] ?? '') : text;
  const found = (dotted.match(/\d+/g) ?? []).map((digits) => BigInt(digits));
  return [found[0], found[1], found[2]];
}

function isSameRelease(version: Version, pin: Version, order: RenovateOrder): boolean {
  return numbers(version, order).join('.') === numbers(pin, order).join('.');
}

function bucketOf(version: Version, pin: Version, order: RenovateOrder, buckets: Buckets): string {
  const [major, minor] = numbers(version, order);
  const [pinMajor, pinMinor] = numbers(pin, order);
  if (!buckets.separateMajorMinor) return 'latest';
  if (major !== pinMajor) return buckets.separateMultipleMajor ? `v${major}` : 'major';
  if (minor === undefined || pinMinor === undefined) return 'non-major';
  if (minor !== pinMinor && buckets.separateMultipleMinor) return `v${major}.${minor}`;
  if (buckets.separateMinorPatch) return minor === pinMinor ? 'patch' : 'minor';
  return 'non-major';
}
