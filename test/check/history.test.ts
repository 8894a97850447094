/** Since when a version is gone, as a ledger knows it. */
import { expect, test } from 'vitest';
import { withHistory } from '../../src/check/history.ts';
import type { PinToJudge, Judgment, Problem } from '../../src/check/judgment.ts';
import type { Vanished } from '../../src/ledger/changes.ts';

const pin = (name: string, operator: string, version: string): PinToJudge => ({
  ...{ text: `${name}${operator}${version}`, name, operator, version, tag: undefined, tagIsBehind: false },
  ...{ tool: 'apko', isRuntime: false, isLocked: false, context: {}, world: '0' },
});
const judged = (rule: Problem['rule'], archs: readonly string[]): Judgment => ({
  datasource: 'wolfi',
  problems: [{ rule, message: 'it is not there', archs }],
});
const vanished: readonly Vanished[] = [
  { name: 'curl', version: '8.1-r0', arch: 'x86_64', at: Date.UTC(2026, 10, 20, 6) },
  { name: 'curl', version: '8.1-r0', arch: 'aarch64', at: Date.UTC(2026, 10, 18, 23) },
  { name: 'curl', version: '8.0-r0', arch: 'x86_64', at: Date.UTC(2026, 9, 1) },
];
const both = ['x86_64', 'aarch64'];

test.each([
  [
    pin('curl', '=', '8.1-r0'),
    judged('withdrawn', both),
    '; withdrawn on 2026-11-18',
    'the first arch counts',
  ],
  [pin('curl', '=', '8.1'), judged('withdrawn', both), '; withdrawn on 2026-11-18', 'as apko reads it'],
  [
    pin('curl', '=', '8.1-r0'),
    judged('missing-on-arch', ['x86_64']),
    '; withdrawn from x86_64 on 2026-11-20',
    '',
  ],
  [
    pin('curl', '~', '8'),
    judged('unsatisfiable', both),
    '; the last that did, 8.1-r0, was withdrawn on 2026-11-18',
    'the last one that fitted',
  ],
  [pin('curl', '=', '8.0-r0'), judged('missing-on-arch', ['aarch64']), '', 'never seen there'],
  [pin('curl', '=', '9-r0'), judged('withdrawn', both), '', 'never seen'],
  [pin('curl', '=', '8.1-r0'), judged('behind', both), '', 'still there'],
  [pin('git', '=', '1-r0'), judged('withdrawn', both), '', 'another name'],
])('%o', async (asked, judgment, more) => {
  const [found] = await withHistory([asked], [judgment], () => Promise.resolve(vanished));
  const [problem] = found?.problems ?? [];
  expect(problem?.message).toBe(`it is not there${more}`);
  expect(problem?.since).toBe(more === '' ? undefined : more.slice(-10));
});

test('asks once for each datasource, for names with such problems only', async () => {
  const calls: unknown[] = [];
  const pins = [pin('curl', '=', '9'), pin('curl', '=', '8'), pin('git', '=', '1'), pin('jq', '=', '1')];
  const judgments = [judged('withdrawn', both), judged('unsatisfiable', both), judged('behind', both)];
  const elsewhere = { ...judged('withdrawn', both), datasource: 'alpine' };
  await withHistory(pins, [...judgments, elsewhere], (datasource, names) => {
    calls.push([datasource, names]);
    return Promise.resolve([]);
  });
  expect(calls).toEqual([
    ['wolfi', ['curl']],
    ['alpine', ['jq']],
  ]);
});
