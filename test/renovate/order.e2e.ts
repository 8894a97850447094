/**
 * The order of versions with Renovate's own code (docs/decisions/010-renovate-order.md). Counts the pins of the real
 * Wolfi index that get a wrong proposal, for each way of asking. With the preset and a known pin there are none. Also
 * checks that `src/answers/renovate-order.ts` and `test/support/renovate-model.ts` describe Renovate correctly.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultReadLimits, readIndex } from '../../src/apk/read-index.ts';
import type { Packages } from '../../src/apk/packages.ts';
import { compareVersions, isPreRelease, parseVersion, type Version } from '../../src/apk/version.ts';
import { filterForRenovate, listAll } from '../../src/answers/renovate-list.ts';
import { renovateOrderFor } from '../../src/answers/renovate-order.ts';
import { finish } from '../../src/catalog/steps.ts';
import { misled, versionLists } from '../support/misled.ts';
import { readOracle } from '../support/oracle.ts';
import { propose } from '../support/renovate-model.ts';
import { sharedData } from '../support/shared-data.ts';
import { lookup, toRelease, versioning } from './support/lookup.ts';

type Offered = ReadonlyMap<string, readonly Version[]>;

/** One way to put a pin to Renovate: the list it gets and its settings. */
type Way = (offered: readonly Version[], pin: Version) => Promise<readonly string[]>;

const plain =
  (name: string): Way =>
  (offered, pin) =>
    lookup(
      offered.map(({ text }) => ({ version: text })),
      pin.text,
      { versioning: name, rollbackPrs: true },
    );

const ways: Record<string, Way> = {
  'versioning apk, plain list': plain('apk'),
  'versioning loose, plain list': plain('loose'),
  'preset, pin unknown': (offered, pin) =>
    lookup(finish(listAll(offered)).map(toRelease), pin.text, preset(pin)),
  'preset, pin known': (offered, pin) =>
    lookup(finish(filterForRenovate(offered, pin)).listed.map(toRelease), pin.text, preset(pin)),
};

function preset(pin: Version): object {
  return { versioning: renovateOrderFor(pin).versioning, rollbackPrs: true, maxMajorIncrement: 0 };
}

interface Count {
  readonly names: Set<string>;
  pins: number;
}

/** Asks about the pin as it stands in the list, and as it would be if it had been withdrawn. */
async function countMisled(offered: Offered, isOfInterest: (versions: readonly Version[]) => boolean) {
  const counts: Record<string, { present: Count; withdrawn: Count }> = {};
  let asked = 0;
  let namesInFull = 0;
  for (const way of Object.keys(ways))
    counts[way] = { present: { names: new Set(), pins: 0 }, withdrawn: { names: new Set(), pins: 0 } };
  for (const [name, versions] of offered) {
    const inFull = isOfInterest(versions);
    if (inFull) namesInFull += 1;
    const pins = inFull ? versions : sample(name, versions);
    for (const pin of pins) {
      asked += 1;
      for (const [way, ask] of Object.entries(ways)) {
        for (const state of ['present', 'withdrawn'] as const) {
          const list = state === 'present' ? versions : versions.filter((one) => one !== pin);
          const proposals = (await ask(list, pin)).map((text) => parseVersion(text) as Version);
          const known = proposals.map((one) => list.find(({ text }) => text === one.text) ?? one);
          if (misled(known, list, pin) === undefined) continue;
          const count = (counts[way] as { present: Count; withdrawn: Count })[state];
          count.names.add(name);
          count.pins += 1;
        }
      }
    }
  }
  return { counts, asked, namesInFull };
}

/** Where all orders agree on every pair, pins cannot differ in kind: the oldest of every twentieth name is asked. */
function sample(name: string, versions: readonly Version[]): readonly Version[] {
  const isChosen = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 20 === 0;
  return isChosen ? versions.slice(0, 1) : [];
}

const disputed = new Map<string, boolean>();

/**
 * Could any of Renovate's orders err here? Neighbours are put to its own code: an order that has them all right has all
 * pairs right. Packages of one origin have the same list, which is asked about once.
 */
function isDisputed(versions: readonly Version[]): boolean {
  if (versions.some(isPreRelease)) return true;
  const key = versions.map(({ text }) => text).join(' ');
  let is = disputed.get(key);
  if (is === undefined) {
    is = ['apk', 'loose', 'rpm'].some((name) => {
      const api = versioning(name);
      return versions.some((version, i) => {
        const newer = versions[i + 1];
        return !api.isVersion(version.text) || (newer && api.sortVersions(version.text, newer.text) >= 0);
      });
    });
    disputed.set(key, is);
  }
  return is;
}

async function wolfi(folder: string): Promise<Offered> {
  const packagesOf = async (arch: string): Promise<Packages> => {
    const bytes = readFileSync(`${folder}wolfi-2026-07-24/${arch}/APKINDEX.tar.gz`);
    return (await readIndex(bytes, { keys: 'unverified', limits: defaultReadLimits, arch })).packages;
  };
  const indexes = [await packagesOf('x86_64'), await packagesOf('aarch64')];
  const offered = new Map<string, readonly Version[]>();
  for (const name of new Set(indexes.flatMap((index) => [...index.names()]))) {
    const perArch = indexes.map((index) => new Set(index.named(name).map(({ version }) => version)));
    const carriers = perArch.filter((texts) => texts.size > 0);
    const common = [...(carriers[0] ?? [])].filter((text) => carriers.every((texts) => texts.has(text)));
    offered.set(name, ascending(common));
  }
  return offered;
}

function ascending(texts: readonly string[]): readonly Version[] {
  return texts
    .map(parseVersion)
    .filter((version) => version !== undefined)
    .sort(compareVersions);
}

function report(
  title: string,
  { counts, asked, namesInFull }: Awaited<ReturnType<typeof countMisled>>,
): void {
  const lines = Object.entries(counts).map(
    ([way, { present, withdrawn }]) =>
      `  ${way.padEnd(30)} present: ${present.names.size} names, ${present.pins} pins` +
      `   withdrawn: ${withdrawn.names.size} names, ${withdrawn.pins} pins`,
  );
  process.stdout.write(
    `${title}; of ${asked} pins, among them all of ${namesInFull} names, led astray:\n${lines.join('\n')}\n`,
  );
}

describe('the order of versions, by Renovate itself', () => {
  test('sorts as src/answers/renovate-order.ts says', () => {
    const oracle = readOracle<[string, string, string][]>('version-order.json');
    const lists = fc.sample(versionLists, { numRuns: 2000, seed: 1 });
    const pairs = [
      ...oracle.map(([a, , b]) => [parseVersion(a), parseVersion(b)]),
      ...lists.flatMap(({ offered, pin }) => offered.map((other) => [pin, other])),
    ].filter((pair): pair is [Version, Version] => !pair.includes(undefined));
    expect(pairs.length).toBeGreaterThan(5000);
    const differing = pairs.filter(([a, b]) =>
      [a, b].some((pin) => {
        const order = renovateOrderFor(pin);
        const api = versioning(order.versioning);
        if (api.isVersion(a.text) !== order.reads(a)) return true;
        if (!order.reads(a) || !order.reads(b)) return false;
        return Math.sign(api.sortVersions(a.text, b.text)) !== Math.sign(order.compare(a, b));
      }),
    );
    expect(differing.map(([a, b]) => `${a.text} ${b.text}`)).toEqual([]);
  });

  test('proposes for filtered and plain answers what the model says', async () => {
    for (const { offered, pin, buckets } of fc.sample(versionLists, { numRuns: 400, seed: 2 })) {
      for (const listed of [finish(filterForRenovate(offered, pin)).listed, finish(listAll(offered))]) {
        const real = await lookup(listed.map(toRelease), pin.text, { ...preset(pin), ...buckets });
        const modelled = propose(listed, pin, renovateOrderFor(pin), buckets).map(({ text }) => text);
        expect([...real].sort(), `${pin.text} among ${offered.map(({ text }) => text).join(' ')}`).toEqual(
          modelled.sort(),
        );
      }
    }
  });

  test('misleads no pin of a generated list that the preset passes on', async () => {
    const lists = fc.sample(versionLists, { numRuns: 120, seed: 3 }).map(({ offered }) => offered);
    const found = await countMisled(new Map(lists.map((list, i) => [`list ${i}`, list])), (list) =>
      list.every((pin) =>
        ['none', 'update', 'rollback'].includes(finish(filterForRenovate(list, pin)).updatePath),
      ),
    );
    report('generated lists', found);
    expect(found.asked).toBeGreaterThan(400);
    expect(found.counts['versioning apk, plain list']?.present.pins).toBeGreaterThan(0);
    expect(found.counts['preset, pin known']?.present.pins).toBe(0);
  });

  test.skipIf(!sharedData)('misleads no pin of the Wolfi index', { timeout: 1_500_000 }, async () => {
    const found = await countMisled(await wolfi(sharedData as string), isDisputed);
    report('Wolfi of 2026-07-24, both arches', found);
    expect(found.counts['preset, pin known']).toEqual({
      present: { names: new Set(), pins: 0 },
      withdrawn: { names: new Set(), pins: 0 },
    });
    expect([...(found.counts['versioning apk, plain list']?.present.names ?? [])]).toContain('sudo');
  });
});
