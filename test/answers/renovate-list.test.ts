import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPreRelease, parseVersion, type Version } from '../../src/apk/version.ts';
import { parseConstraint } from '../../src/apk/constraint.ts';
import {
  listAll,
  safeToList,
  filterForRenovate,
  filterRangeForRenovate,
  type Listed,
} from '../../src/answers/renovate-list.ts';
import { renovateOrderFor } from '../../src/answers/renovate-order.ts';
import { finish } from '../../src/catalog/steps.ts';
import { misled, versionLists } from '../support/misled.ts';
import { propose } from '../support/renovate-model.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  if (!parsed) throw new Error(`${text} is not a version`);
  return parsed;
}

const versions = (...texts: string[]): Version[] => texts.map(version);

/** `1.0-r0`, `1.0-r0 deprecated` or `1.0-r0 unstable`. */
function show({ version: { text }, deprecated, unstable }: Listed): string {
  return text + (deprecated ? ' deprecated' : '') + (unstable ? ' unstable' : '');
}

describe('an answer for a known pin', () => {
  const cases: {
    what: string;
    offered: string[];
    pin: string;
    updatePath: string;
    target?: string;
    listed: string[];
  }[] = [
    {
      what: 'lists everything where the orders agree',
      offered: ['1.0-r0', '1.0-r1', '1.1-r0'],
      pin: '1.0-r1',
      updatePath: 'update',
      target: '1.1-r0',
      listed: ['1.0-r0', '1.0-r1', '1.1-r0'],
    },
    {
      what: 'lists a withdrawn pin as deprecated when there is something newer',
      offered: ['1.0-r0', '1.1-r0'],
      pin: '1.0-r1',
      updatePath: 'update',
      target: '1.1-r0',
      listed: ['1.0-r0', '1.0-r1 deprecated', '1.1-r0'],
    },
    {
      what: 'does not list a withdrawn pin that has nothing newer: a rollback',
      offered: ['1.0-r0', '1.1-r0'],
      pin: '2.0-r0',
      updatePath: 'rollback',
      target: '1.1-r0',
      listed: ['1.0-r0', '1.1-r0'],
    },
    {
      what: 'takes a rollback to a newer version that Renovate takes for an older one',
      offered: ['1.05-r0', '1.1-r0'],
      pin: '1.05-r0',
      updatePath: 'rollback',
      target: '1.1-r0',
      listed: ['1.1-r0'],
    },
    {
      what: 'takes an update down to an older version that Renovate takes for a newer one',
      offered: ['1.05-r0'],
      pin: '1.1-r0',
      updatePath: 'update',
      target: '1.05-r0',
      listed: ['1.05-r0', '1.1-r0 deprecated'],
    },
    {
      what: 'marks pre-releases as unstable for a pin on a stable version',
      offered: ['1.0-r0', '1.1-r0', '2.0_rc1-r0'],
      pin: '1.0-r0',
      updatePath: 'update',
      target: '1.1-r0',
      listed: ['1.0-r0', '1.1-r0', '2.0_rc1-r0 unstable'],
    },
    {
      what: 'leaves out a pre-release that Renovate would put above its release',
      offered: ['1.0-r0', '1.1_rc1-r0', '1.1-r0'],
      pin: '1.0-r0',
      updatePath: 'update',
      target: '1.1-r0',
      listed: ['1.0-r0', '1.1-r0'],
    },
    {
      what: 'leads from a pre-release to its release, and not beyond the newest stable one',
      offered: ['1.0_rc1-r0', '1.0-r0', '2.0_rc1-r0'],
      pin: '1.0_rc1-r0',
      updatePath: 'update',
      target: '1.0-r0',
      listed: ['1.0_rc1-r0 unstable', '1.0-r0'],
    },
    {
      what: 'leads from a pre-release to the newest one while its release is not there',
      offered: ['0.9-r0', '1.0_rc1-r0', '1.1_alpha1-r0'],
      pin: '1.0_rc1-r0',
      updatePath: 'update',
      target: '1.1_alpha1-r0',
      listed: ['0.9-r0', '1.0_rc1-r0', '1.1_alpha1-r0'],
    },
    {
      what: 'keeps a package usable that only ever has pre-releases',
      offered: ['0.1_alpha1-r0', '0.2_alpha1-r0'],
      pin: '0.1_alpha1-r0',
      updatePath: 'update',
      target: '0.2_alpha1-r0',
      listed: ['0.1_alpha1-r0', '0.2_alpha1-r0'],
    },
    {
      what: 'gives no update between versions that Renovate cannot distinguish',
      offered: ['1.05-r0', '1.5-r0'],
      pin: '1.05-r0',
      updatePath: 'unreachable',
      target: '1.5-r0',
      listed: ['1.05-r0', '1.5-r0'],
    },
  ];
  test.each(cases)('$what', ({ offered, pin, updatePath, target, listed }) => {
    const filtered = finish(filterForRenovate(versions(...offered), version(pin)));
    expect(filtered.listed.map(show)).toEqual(listed);
    expect(filtered.updatePath).toBe(updatePath);
    if (target) expect(filtered.target?.text).toBe(target);
  });

  test('lists nothing if nothing is offered', () => {
    expect(finish(filterForRenovate([], version('1.0-r0')))).toEqual({
      updatePath: 'none',
      target: undefined,
      listed: [],
    });
  });

  test('misleads no pin of any list, present or withdrawn, whatever the buckets', () => {
    fc.assert(
      fc.property(versionLists, ({ offered, pin, buckets }) => {
        const { listed, updatePath } = finish(filterForRenovate(offered, pin));
        const proposals = propose(listed, pin, renovateOrderFor(pin), buckets);
        if (updatePath === 'unreachable') return;
        expect(misled(proposals, offered, pin)).toBeUndefined();
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('an answer for a pin with an operator', () => {
  test('lists everything', () => {
    const offered = versions('1.35.1-r0', '1.36_rc1-r0', '1.36-r0');
    const listed = finish(filterRangeForRenovate(offered, parseConstraint('~1.35')!));
    expect(listed.map(show)).toEqual(['1.35.1-r0', '1.36_rc1-r0 unstable', '1.36-r0']);
  });
  test('lists the bound when its line is gone and newer ones are there', () => {
    const listed = finish(filterRangeForRenovate(versions('1.36-r0'), parseConstraint('~1.35')!));
    expect(listed.map(show)).toEqual(['1.35 deprecated', '1.36-r0']);
  });
  test('does not list the bound when only older ones are there: that is a rollback', () => {
    const listed = finish(filterRangeForRenovate(versions('1.34-r0'), parseConstraint('~1.35')!));
    expect(listed.map(show)).toEqual(['1.34-r0']);
  });
  test('does not list the bound when only a pre-release is newer, which Renovate does not propose', () => {
    const listed = finish(
      filterRangeForRenovate(versions('1.34-r0', '1.36_rc1-r0'), parseConstraint('~1.35')!),
    );
    expect(listed.map(show)).toEqual(['1.34-r0', '1.36_rc1-r0 unstable']);
  });
  test('does not list older versions that Renovate takes for newer ones', () => {
    const offered = versions('0.9-r0', '1.05-r0', '1.1-r0');
    expect(finish(filterRangeForRenovate(offered, parseConstraint('~1.1')!)).map(show)).toEqual([
      '0.9-r0',
      '1.1-r0',
    ]);
    expect(finish(filterRangeForRenovate(offered, parseConstraint('~1.05')!)).map(show)).toEqual([
      '0.9-r0',
      '1.05-r0',
      '1.1-r0',
    ]);
  });
  test.each([
    ['~2025.03', '2025.06.30-r0', '2025.06'],
    ['=~2025.03', '2025.06.30-r0', '2025.06'],
    ['~2025.03.01', '2025.06.30-r0', undefined],
    ['~2025', '2025.06.30-r0', undefined],
    ['~1.2', '1.10.05-r0', undefined],
    ['>2025.03', '2025.06.30-r0', undefined],
  ])('for %s, %s is shortened to %s: Renovate would drop the zero', (pin, version, text) => {
    const listed = finish(filterRangeForRenovate(versions(version), parseConstraint(pin)!));
    expect(listed.find((each) => each.version.text === version)?.shortened).toBe(text);
  });
});

describe('withdrawn versions in an answer for unknown pins', () => {
  const cases: { what: string; offered: string[]; remembered: string[]; safe: string[] }[] = [
    {
      what: 'one that has something newer is listed',
      offered: ['1.3-r0'],
      remembered: ['1.2-r0'],
      safe: ['1.2-r0'],
    },
    {
      what: 'one that is newer than all is not: that is a rollback',
      offered: ['1.3-r0'],
      remembered: ['1.4-r0'],
      safe: [],
    },
    {
      what: 'several of one minor are listed below a newer one of that minor',
      offered: ['1.2.9-r0'],
      remembered: ['1.2.3-r0', '1.2.4-r0'],
      safe: ['1.2.3-r0', '1.2.4-r0'],
    },
    {
      what: 'one that would be the target of another in its bucket is not',
      offered: ['2.0.0-r0'],
      remembered: ['1.2.4-r0', '1.2.3-r0'],
      safe: [],
    },
    {
      what: 'several are listed below a newer one of the same bucket',
      offered: ['1.5.0-r0'],
      remembered: ['1.2.3-r0', '1.4.0-r0'],
      safe: ['1.2.3-r0', '1.4.0-r0'],
    },
    {
      what: 'none is listed that a rollback from another would lead to',
      offered: ['1.2.0-r0', '1.5.0-r0'],
      remembered: ['1.2.1-r0', '1.4_rc1-r0'],
      safe: [],
    },
  ];
  test.each(cases)('$what', ({ offered, remembered, safe }) => {
    const listed = finish(safeToList(versions(...offered), versions(...remembered)));
    expect(listed.map(({ text }) => text)).toEqual(safe);
  });

  test('are never proposed, whichever of them is pinned, with updates separated by major or not', () => {
    fc.assert(
      fc.property(versionLists, fc.infiniteStream(fc.boolean()), ({ offered: all, buckets }, coin) => {
        const offered = all.filter(() => coin.next().value);
        const remembered = all.filter((one) => !offered.includes(one)).reverse();
        const safe = finish(safeToList(offered, remembered));
        const listed = [
          ...finish(listAll(offered)),
          ...safe.map((one): Listed => ({ version: one, deprecated: true, unstable: false })),
        ];
        for (const pin of all) {
          const settings = { ...buckets, separateMinorPatch: false, separateMultipleMinor: false };
          const proposals = propose(listed, pin, renovateOrderFor(pin), settings);
          expect(proposals.filter((one) => safe.includes(one))).toEqual([]);
          if (safe.includes(pin) && !isPreRelease(pin)) expect(proposals.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

test('a name of many versions is filtered in a time that grows with their number, not with its square', () => {
  const many = (count: number): readonly Version[] =>
    Array.from({ length: count }, (_, i) => parseVersion(`1.${i}.3-r${i % 7}`) as Version);
  // 30,000 took nine seconds.
  const versions = many(30_000);
  const began = process.cpuUsage();
  const { target, listed } = finish(filterForRenovate(versions, versions[100] as Version));
  const remembered = Array.from({ length: 32 }, (_, i) => parseVersion(`1.${i}.2-r0`) as Version);
  expect(finish(safeToList(versions, remembered))).toHaveLength(32);
  const { user } = process.cpuUsage(began);
  expect([target?.text, listed.length]).toEqual(['1.29999.3-r4', 30_000]);
  expect(user / 1000).toBeLessThan(3000);
});
