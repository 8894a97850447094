/**
 * The pins that the preset finds and the datasources it asks, in files that have misled extractors
 * (`test/fixtures/pins`). Guards against the defects of the best-known public setup: one dependency per file
 * (`combination`), an undefined datasource derived from `include:`, environment variables mistaken for pins.
 */
import { globSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { published, startBeacon, type Beacon } from './support/beacon.ts';
import { allowInternal, exampleFor } from './support/preset.ts';
import { lookUp, routeOf, type Dependency, type Report } from './support/run.ts';

const folder = fileURLToPath(new URL('../fixtures/pins/', import.meta.url));
const files = Object.fromEntries(
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path.slice(folder.length), readFileSync(path, 'utf8')]),
);
/** Our own images and recipes. */
const companion = Object.fromEntries(
  globSync('{images,packages}/*.yaml').map((path) => [`companion/${path}`, readFileSync(path, 'utf8')]),
);
const expected = JSON.parse(files['expected.json'] ?? '') as Record<string, string[]>;

/** `curl=8.19.0-r0 wolfi`, `linux-lts=6.18.42+1 alpine`. */
async function show(dependency: Dependency): Promise<string> {
  const { depName, currentValue, currentDigest } = dependency;
  return `${depName}=${currentValue}${currentDigest ? `+${currentDigest}` : ''} ${await routeOf(dependency)}`;
}

/** Renovate's own managers find base images, and pins of `apk add` that they cannot look up. */
function ours(dependencies: readonly Dependency[] = []): readonly Dependency[] {
  return dependencies.filter(({ datasource }) => datasource?.startsWith('custom.'));
}

describe('pins', () => {
  let beacon: Beacon;
  let report: Report;
  beforeAll(async () => {
    beacon = await startBeacon({
      datasources: { wolfi: [published('curl=8.19.0-r0')], alpine: [published('other=1.0-r0')] },
      routing: {
        wolfi: { unknown: 'ask' },
        alpine: { images: ['alpine:*'], includes: ['alpine-base.yaml'] },
      },
    });
    report = await lookUp({
      files: { ...files, ...companion, 'renovate.json': exampleFor(beacon.url) },
      environment: { ...allowInternal(beacon.url), RENOVATE_DRY_RUN: 'extract' },
    });
  });
  afterAll(() => beacon[Symbol.asyncDispose]());

  test.each(Object.keys(files))('%s: every pin is found, and nothing else', async (file) => {
    const found = await Promise.all(ours(report.dependencies.get(file)).map(show));
    expect(found.sort()).toEqual([...(expected[file] ?? [])].sort());
  });

  test.each(Object.keys(companion))('%s: as many as a plain count finds', (file) => {
    const found = ours(report.dependencies.get(file))
      // Version and epoch of a recipe that repackages are no list of packages.
      .filter(({ depType }) => depType !== 'melange-repackaged')
      .map(({ depName, currentValue }) => `${depName}=${currentValue}`);
    expect(found).toEqual(pinsOf(parse(companion[file] ?? '')));
  });

  test('among our own images are pins at all', () => {
    const count = Object.values(companion).flatMap((text) => pinsOf(parse(text))).length;
    expect(count).toBeGreaterThan(5);
  });

  test('each is asked about with the pin in the address, encoded', () => {
    const all = ['images/hostile.yaml', 'recipes/linux-lts.yaml'].flatMap(
      (file) => report.dependencies.get(file) ?? [],
    );
    const urls = (name: string): unknown => ours(all).find(({ depName }) => depName === name)?.registryUrls;
    const asked = (name: string): string => String(urls(name)).replace(/&kind=.*$/, '');
    expect(asked('libstdc++')).toBe(`${beacon.url}/-/for/libstdc%2B%2B?current=15.2.0-r10`);
    expect(asked('so:libssl.so.3')).toBe(`${beacon.url}/-/for/so%3Alibssl.so.3?current=3`);
    expect(asked('go')).toBe(`${beacon.url}/-/for/go?current=%3D~1.25`);
    expect(asked('linux-lts')).toBe(
      `${beacon.url}/alpine/linux-lts?strip=revision&current=6.18.42&revision=1`,
    );
  });

  test('Renovate logs no warning', () => {
    // Our recipes name sources on GitHub, whose tags and commits this suite cannot ask for.
    const expectedWarning = 'GitHub token is required for some dependencies';
    const warnings = report.log.filter(({ level, msg }) => level >= 40 && msg !== expectedWarning);
    expect(warnings.map(({ msg }) => msg)).toEqual([]);
  });
});

/** All of `contents.packages`, wherever that is, that have a version. */
function pinsOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { contents } = value as { contents?: { packages?: readonly string[] } };
  const own = contents?.packages?.filter((line) => /^[a-z0-9.+-]+=[0-9]/i.test(line)) ?? [];
  return [...own, ...Object.values(value).flatMap(pinsOf)];
}
