import { expect, test } from 'vitest';
import { operatorSpan, parseConstraint, satisfies } from '../../src/apk/constraint.ts';
import { parseVersion } from '../../src/apk/version.ts';

test.each([
  ['>=2.3', '2.3', true],
  ['>=2.3', '2.3-r1', true],
  ['>=2.3', '2.3_rc1', false],
  ['<2', '1.9.9-r3', true],
  ['<=2', '2', true],
  ['>2', '2', false],
  ['=1.2.3-r0', '1.2.3-r0', true],
  ['==1.2.3-r0', '1.2.3-r0', true],
  ['=1.2', '1.2.3-r0', false],
  ['~1.35', '1.35.4-r1', true],
  ['=~1.2', '1.2.3-r1', true],
  ['~=1.2', '1.3', false],
  ['~1.2.3-r1', '1.2.3-r10', false],
  ['>~1.2', '1.3', true],
  ['<~1.2', '1.2.9', true],
])('%s takes %s: %s', (constraint, version, expected) => {
  const [parsed, candidate] = [parseConstraint(constraint), parseVersion(version)];
  expect(parsed && candidate && satisfies(candidate, parsed)).toBe(expected);
});

test.each(['', '1.2', '>=', '><Q1abc', '>=latest', '^1.2', '~1.2 <2'])('%j is no constraint', (text) => {
  expect(parseConstraint(text)).toBeUndefined();
});

test('the operator of a dependency is found', () => {
  const text = 'so:libc.so.6>=2.43';
  const { start, end } = operatorSpan(text);
  expect([text.slice(0, start), text.slice(start, end), text.slice(end)]).toEqual([
    'so:libc.so.6',
    '>=',
    '2.43',
  ]);
});
