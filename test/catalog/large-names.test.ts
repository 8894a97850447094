/**
 * Indexes that are crafted to be slow: a name with very many versions, a package with very many provides, very many
 * packages of one version. Work must grow linearly. The bound is generous: quadratic work takes minutes.
 */
import { describe, expect, test } from 'vitest';
import { diffIndexes } from '../../src/catalog/diff.ts';
import { explain } from '../../src/answers/explain.ts';
import { parseLookupQuery } from '../../src/answers/query.ts';
import { newestInRange } from '../../src/answers/range.ts';
import { virtualIndex } from '../../src/answers/virtual-index.ts';
import { finish } from '../../src/catalog/steps.ts';
import { surveyCatalog } from '../../src/metrics/survey.ts';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { catalog, releases, scanned } from '../support/catalogs.ts';
import { type Stanza } from '../support/signed-index.ts';

const BOUND = 60_000;

function explained(from: Catalog, name: string): { versions: number; offered: number } {
  const report = from.report(name);
  const { versions } = explain(report, parseLookupQuery({}, from.archs), undefined, from);
  return { versions: versions.length, offered: versions.filter(({ offered }) => offered).length };
}

/** `count` numbers in an order that is neither rising nor falling. */
const shuffled = (count: number): number[] => Array.from({ length: count }, (_, i) => (i * 7919) % count);

describe('work grows with the size of the index', { timeout: BOUND }, () => {
  const versions = shuffled(40_000);

  test('a name with 40,000 versions', () => {
    const from = catalog(versions.map((i) => ({ P: 'a', V: `${i}-r0`, t: '1' })));
    expect(explained(from, 'a')).toEqual({ versions: 40_000, offered: 40_000 });
    const all = releases(from, 'a');
    expect(all).toHaveLength(40_000);
    expect(finish(newestInRange(all, '<7 >=0 <8'))?.version.text).toBe('6-r0');
    expect(finish(newestInRange(all, '6.x || 3.x'))?.version.text).toBe('6-r0');
  });

  test('30,000 versions that each need the same version of another name', () => {
    const stanzas = versions.slice(0, 30_000).flatMap((i): Stanza[] => [
      { P: 'a', V: `${i}-r0`, D: `b=${i}-r0` },
      { P: 'b', V: `${i}-r0` },
    ]);
    expect(explained(catalog(stanzas), 'a')).toEqual({ versions: 30_000, offered: 30_000 });
  });

  test('a name that more than 40,000 packages have is refused at once, and nothing else is', () => {
    const crowd = Array.from({ length: 40_001 }, (_, i): Stanza => ({ P: 'crowd', V: `${i}` }));
    const from = catalog([...crowd, { P: 'b', V: '1-r0', D: 'crowd' }]);
    expect(() => from.report('crowd')).toThrow(
      'crowd: 40001 packages have this name, more than the 40000 that are compared',
    );
    expect(releases(from, 'b')).toHaveLength(1);
    expect(finish(surveyCatalog(from)).offered).toBe(1);
    expect([...virtualIndex(from, 'any')].join('')).not.toContain('P:crowd');
  });

  test('a chain of 15,000 packages that each need the next one; the last has a missing dependency', () => {
    const stanzas = Array.from({ length: 15_000 }, (_, i): Stanza => ({
      P: `a${i}`,
      V: '1',
      D: `a${i + 1}=1`,
    }));
    const from = catalog(stanzas);
    expect(explained(from, 'a0')).toEqual({ versions: 1, offered: 0 });
    expect(finish(surveyCatalog(from)).withheld['dependency-unmet']).toBe(15_000);
  });

  test('10,000 packages of one version, all of which need another 10,000', () => {
    const stanzas = Array.from({ length: 10_000 }, (_, i): Stanza[] => [
      { P: `a${i}`, V: '1', p: 'a=1', D: `${i % 2 === 0 ? 'gone=1 ' : ''}b=1` },
      { P: `b${i}`, V: '1', p: 'b=1', D: 'a=1' },
    ]);
    expect(explained(catalog(stanzas.flat()), 'a').versions).toBe(1);
  });

  test('a package that provides 20,000 names, and one that needs them all', () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `so:lib${i}.so.1=1`).join(' ');
    const from = catalog([
      { P: 'a', V: '1', p: names },
      { P: 'b', V: '1', D: names },
    ]);
    expect(explained(from, 'so:lib77.so.1').offered).toBe(1);
    expect(explained(from, 'b').offered).toBe(1);
  });

  test('the difference of two indexes with 60,000 versions of a name', () => {
    const before = scanned(versions.slice(1).map((i) => ({ P: 'a', V: `${i}-r0` })));
    const after = scanned(versions.map((i) => ({ P: 'a', V: `${i}-r0` })));
    expect(finish(diffIndexes(before, after))).toEqual({
      added: 1,
      removed: 0,
      newest: [{ name: 'a', version: '0-r0' }],
    });
  });
});

test('a long report is made in many steps', () => {
  const from = catalog(shuffled(20_000).map((i) => ({ P: 'a', V: `${i}-r0`, D: `a=${i}-r0` })));
  const work = from.reportInSteps('a');
  let steps = 0;
  let step = work.next();
  for (; !step.done; step = work.next()) steps += 1;
  expect(step.value).toEqual(from.report('a'));
  expect(steps).toBeGreaterThan(80);
});
