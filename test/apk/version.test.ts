import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalText,
  orderKey,
  compareVersions,
  isInLine,
  isPreRelease,
  parseVersion,
  revisionOf,
  withoutRevision,
  type Version,
} from '../../src/apk/version.ts';
import { readOracle } from '../support/oracle.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (!parsed) throw new Error(`${text} is not a version`);
  return parsed;
}

/** Each version is older than every one below it. */
const ascending = [
  '0.9',
  '1.0_alpha',
  '1.0_alpha2',
  '1.0_alpha10',
  '1.0_alpha_p1',
  '1.0_beta',
  '1.0_pre1',
  '1.0_rc1',
  '1.0_rc9',
  '1.0_rc10',
  '1.0',
  '1.0-r0',
  '1.0-r1',
  '1.0-r10',
  '1.0~abc',
  '1.0_git20240101',
  '1.0_p1',
  '1.0_p1-r2',
  '1.0_p2',
  '1.0a',
  '1.0b',
  '1.0.0',
  '1.0.1',
  '1.010',
  '1.02',
  '1.05',
  '1.1',
  '1.10',
  '2',
  '9007199254740993',
  '9007199254740995',
];

describe('the order of versions', () => {
  for (const [i, older] of ascending.entries()) {
    test(`${older} is older than the ${ascending.length - i - 1} below it`, () => {
      for (const newer of ascending.slice(i + 1)) {
        expect(compareVersions(version(older), version(newer)), `${older} < ${newer}`).toBeLessThan(0);
        expect(compareVersions(version(newer), version(older)), `${newer} > ${older}`).toBeGreaterThan(0);
      }
    });
  }

  test('leading zeros of the first number do not count, numbers wrap at 64 bits', () => {
    expect(compareVersions(version('006'), version('6'))).toBe(0);
    expect(compareVersions(version('18446744073709551617'), version('1'))).toBe(0);
  });

  test('agrees with apk-tools 3.0.6 on every recorded pair', () => {
    const pairs = readOracle<[string, '<' | '=' | '>', string][]>('version-order.json');
    const disagreements = pairs.filter(([left, sign, right]) => {
      const order = compareVersions(version(left), version(right));
      return (order < 0 ? '<' : order > 0 ? '>' : '=') !== sign;
    });
    expect(pairs).toHaveLength(2500);
    expect(disagreements).toEqual([]);
  });

  test('is antisymmetric and transitive, and sorting is stable', () => {
    const number = fc.stringMatching(/^[0-9]{1,4}$/);
    const anyVersion = fc
      .record({
        numbers: fc.array(number, { minLength: 1, maxLength: 3 }),
        letter: fc.constantFrom('', '', 'a', 'b'),
        suffix: fc.array(fc.constantFrom('_alpha', '_rc', '_rc1', '_rc10', '_git', '_p', '_p1'), {
          maxLength: 2,
        }),
        hash: fc.constantFrom('', '', '~ab', '~b'),
        revision: fc.constantFrom('', '-r0', '-r1', '-r10'),
      })
      .map(({ numbers, letter, suffix, hash, revision }) =>
        version(numbers.join('.') + letter + suffix.join('') + hash + revision),
      );
    fc.assert(
      fc.property(anyVersion, anyVersion, anyVersion, (a, b, c) => {
        const [ab, bc, ac] = [compareVersions(a, b), compareVersions(b, c), compareVersions(a, c)];
        expect(Math.sign(ab)).toBe(Number(orderKey(a) > orderKey(b)) - Number(orderKey(a) < orderKey(b)));
        const antisymmetric = Math.sign(compareVersions(b, a)) === -Math.sign(ab) || ab === 0;
        const transitive =
          (ab > 0 || bc > 0 || ac <= 0) &&
          (ab < 0 || bc < 0 || ac >= 0) &&
          (ab !== 0 || bc !== 0 || ac === 0);
        return antisymmetric && transitive;
      }),
      { numRuns: 100_000 },
    );
    fc.assert(
      fc.property(fc.array(anyVersion), (versions) => {
        const labelled = versions.map((value, index) => ({ value, index }));
        const sorted = labelled.toSorted((a, b) => compareVersions(a.value, b.value));
        return sorted.every((item, i) => {
          const next = sorted[i + 1];
          return !next || compareVersions(item.value, next.value) !== 0 || item.index < next.index;
        });
      }),
    );
  });
});

describe('what is a version', () => {
  test.each([
    '',
    'latest',
    '1.',
    '1.0bc',
    '1.0-1',
    '1.0_foo',
    '1.0-r',
    '1.0~xyz',
    '1a1',
    '1-r1-r2',
    'v1',
    '1.0_pree',
  ])('%j is none', (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });

  test('agrees with apk-tools 3.0.6 on every recorded text', () => {
    const cases = readOracle<[string, boolean][]>('version-valid.json');
    expect(cases).toHaveLength(1000);
    expect(cases.filter(([text, valid]) => (parseVersion(text) !== undefined) !== valid)).toEqual([]);
  });

  test.each([
    ['a number', '1'],
    ['numbers', '.1'],
    ['suffixes', '_p'],
  ])('a text with %s of more than 4096 characters is none', (_, seed) => {
    const text = `1${seed.repeat(4096)}`;
    expect(parseVersion(text.slice(0, 4095))?.text).toBe(text.slice(0, 4095));
    expect(parseVersion(text.slice(0, 4097))).toBeUndefined();
  });
});

test.each([
  ['1.0_alpha', true],
  ['1.0_beta2-r1', true],
  ['1.0_pre1', true],
  ['1.0_rc1-r0', true],
  ['1.0_rc1_p2', true],
  ['1.0', false],
  ['1.0_git20240101', false],
  ['1.9.17_p2-r7', false],
  ['0.0.1', false],
])('%s is a pre-release: %s', (text, expected) => {
  expect(isPreRelease(version(text))).toBe(expected);
});

test.each([
  ['1.35.4-r1', '1.35', true],
  ['1.35', '1.35', true],
  ['1.35_rc1', '1.35', true],
  ['1.350', '1.35', false],
  ['1.3.5', '1.35', false],
  ['1', '1.35', false],
  ['1.2.3-r10', '1.2.3-r1', false],
])('%s is of line %s: %s', (text, line, expected) => {
  expect(isInLine(version(text), version(line))).toBe(expected);
});

test('the revision can be taken off', () => {
  expect(revisionOf(version('1.0_p1-r12'))).toBe('12');
  expect(withoutRevision(version('1.0_p1-r12')).text).toBe('1.0_p1');
  expect(revisionOf(version('1.0'))).toBeUndefined();
  expect(withoutRevision(version('1.0')).text).toBe('1.0');
});

test('a number that wraps to 0 has another canonical text than a written 0', () => {
  const [zero, wrapped, twice] = ['1.0', '1.18446744073709551616', '1.36893488147419103232'].map(version);
  if (!zero || !wrapped || !twice) throw new Error('invalid');
  expect(compareVersions(zero, wrapped)).toBeLessThan(0);
  expect(canonicalText(zero)).not.toBe(canonicalText(wrapped));
  expect(canonicalText(twice)).toBe(canonicalText(wrapped));
});

test('versions have the same canonical text exactly if apk calls them equal', () => {
  const number = fc.constantFrom(
    '0',
    '00',
    '1',
    '01',
    '001',
    '10',
    '18446744073709551616',
    '18446744073709551617',
  );
  const text = fc
    .tuple(
      number,
      fc.array(number, { maxLength: 2 }),
      fc.constantFrom('', 'a', '_rc', '_rc1', '_rc01', '_p0', '~ab', '~0ab'),
      fc.constantFrom('', '-r0', '-r00', '-r1', '-r01'),
    )
    .map(([first, rest, suffix, revision]) => [first, ...rest].join('.') + suffix + revision);
  fc.assert(
    fc.property(text, text, (left, right) => {
      const [a, b] = [parseVersion(left), parseVersion(right)];
      if (!a || !b) throw new Error('invalid');
      expect(canonicalText(a) === canonicalText(b)).toBe(compareVersions(a, b) === 0);
      expect(orderKey(a) < orderKey(b)).toBe(compareVersions(a, b) < 0);
    }),
    { numRuns: 3000 },
  );
});
