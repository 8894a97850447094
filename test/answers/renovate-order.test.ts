import { describe, expect, test } from 'vitest';
import { compareVersions, parseVersion, type Version } from '../../src/apk/version.ts';
import { renovateOrderFor } from '../../src/answers/renovate-order.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (!parsed) throw new Error(`${text} is not a version`);
  return parsed;
}

describe('the order Renovate is asked to use', () => {
  /** To apk the second version is always the newer one; to Renovate it is (`<`), or the older one or the same. */
  const cases: [pin: string, sign: '<' | '>' | '=', other: string][] = [
    ['1.9.17-r3', '<', '1.9.17_p2-r7'],
    ['1.3.7-r6', '<', '1.3.7_git20260617-r2'],
    ['1.1.1-r0', '<', '1.1.1a-r0'],
    ['1.0y-r0', '<', '1.0z-r0'],
    ['1.0-r9', '<', '1.0-r10'],
    ['1.0', '<', '1.0-r0'],
    ['1.0_rc1-r0', '<', '1.0-r0'],
    ['1.0_rc9-r0', '<', '1.0_rc10-r0'],
    ['1.0_rc1-r5', '<', '1.0_rc2-r0'],
    ['4.09-r1', '>', '4.5.14-r0'],
    ['1.05-r0', '>', '1.1-r0'],
    ['1.05-r0', '=', '1.5-r0'],
    ['1.0_rc1-r0', '>', '1.0_p1-r0'],
    ['1.0~ab-r0', '<', '1.0~abc-r0'],
    ['1.0~1-r0', '>', '1.0~a1-r0'],
    ['1.0-r0', '>', '1.0~ab-r0'],
  ];
  test.each(cases)('%s %s %s, where apk says <', (pin, sign, other) => {
    const [a, b] = [version(pin), version(other)];
    const order = renovateOrderFor(a).compare(a, b);
    expect(order < 0 ? '<' : order > 0 ? '>' : '=').toBe(sign);
    expect(compareVersions(a, b)).toBeLessThan(0);
  });
});
