/** Judges Renovate's proposals for a pin by apk's order, and generates lists of versions. */
import fc from 'fast-check';
import { compareVersions, isPreRelease, parseVersion, type Version } from '../../src/apk/version.ts';
import type { Buckets } from './renovate-model.ts';

/**
 * Why the proposals for this pin are wrong; `undefined` if they are right. Proposals are right if they contain the
 * newest stable version, unless it is the pin, and otherwise only versions between the pin and it. If there are only
 * pre-releases, or the pin is a newer pre-release, the newest of all counts.
 */
export function misled(
  proposals: readonly Version[],
  offered: readonly Version[],
  pin: Version,
): string | undefined {
  const stable = offered.filter((version) => !isPreRelease(version));
  const newestStable = stable.at(-1);
  const followsPreReleases = !newestStable || (isPreRelease(pin) && compareVersions(newestStable, pin) < 0);
  const right = followsPreReleases ? offered.at(-1) : newestStable;
  if (!right) return proposals.length > 0 ? `${pin.text}: proposes what is not there` : undefined;

  const isDone = compareVersions(right, pin) === 0;
  for (const proposal of proposals) {
    if (!offered.includes(proposal)) return `${pin.text} -> ${proposal.text}, which is not offered`;
    if (proposal === right) continue;
    if (compareVersions(proposal, pin) <= 0) return `${pin.text} -> ${proposal.text}, a downgrade`;
    if (compareVersions(proposal, right) > 0) return `${pin.text} -> ${proposal.text}, beyond ${right.text}`;
    if (isPreRelease(proposal) && !isPreRelease(pin) && !followsPreReleases)
      return `${pin.text} -> ${proposal.text}, unstable`;
  }
  if (!isDone && !proposals.includes(right)) return `${pin.text} is not led to ${right.text}`;
  return undefined;
}

const someNumber = fc.constantFrom('0', '1', '2', '3', '9', '10', '05', '09');
const suffix = fc
  .tuple(
    fc.constantFrom('alpha', 'beta', 'pre', 'rc', 'cvs', 'svn', 'git', 'hg', 'p'),
    fc.constantFrom('', '1', '2', '9', '10'),
  )
  .map(([name, count]) => `_${name}${count}`);

/** Versions from a small set, so that many are close to each other. */
const someVersion = fc
  .record({
    numbers: fc.array(someNumber, { minLength: 1, maxLength: 3 }),
    letter: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: '', freq: 4 }),
    suffix: fc.option(suffix, { nil: '', freq: 2 }),
    hash: fc.option(fc.constantFrom('~0a1', '~9'), { nil: '', freq: 12 }),
    revision: fc.constantFrom('', '-r0', '-r1', '-r2', '-r10'),
  })
  .map((parts) => {
    const text = parts.numbers.join('.') + parts.letter + parts.suffix + parts.hash + parts.revision;
    return parseVersion(text) as Version;
  });

/**
 * A list of different versions, ascending by apk's order, a pin that is one of them or not, and Renovate's settings.
 */
export const versionLists: fc.Arbitrary<{
  readonly offered: readonly Version[];
  readonly pin: Version;
  readonly buckets: Buckets;
}> = fc
  .record({
    all: fc.array(someVersion, { minLength: 1, maxLength: 9 }),
    isPresent: fc.boolean(),
    at: fc.nat(8),
    buckets: fc.record({
      separateMajorMinor: fc.boolean(),
      separateMultipleMajor: fc.boolean(),
      separateMultipleMinor: fc.boolean(),
      separateMinorPatch: fc.boolean(),
    }),
  })
  .map(({ all, isPresent, at, buckets }) => {
    const pin = all[at % all.length] as Version;
    const sorted = [...all].sort(compareVersions);
    const distinct = sorted.filter((version, i) => {
      const before = sorted[i - 1];
      return !before || compareVersions(before, version) !== 0;
    });
    const present = distinct.find((version) => compareVersions(version, pin) === 0) as Version;
    return {
      offered: isPresent ? distinct : distinct.filter((one) => one !== present),
      pin: present,
      buckets,
    };
  });
