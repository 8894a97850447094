/**
 * Ages before the real Renovate: many names, each with a release that is old enough or only looks so. Once Renovate waits
 * seven days itself (`minimumReleaseAge`), once the preset of a view does. The history of the repository is played to
 * the service with its clock.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, temporaryFolder, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { allowInternal } from './support/preset.ts';
import { lookUp } from './support/run.ts';

/** Of each sort. `RELEASES=1000` for the long proof. */
const RELEASES = Number(process.env['RELEASES'] ?? 100);
const PINS_A_FILE = 40;
const DAY = 86_400_000;
const NOW = Date.now();

/** When the repository changes, in days before now. */
const changes = [30, 20, 20 - 1 / 24, 10, 5, 5 - 1 / 24, 2] as const;

/** A release as the repository has it from so many days ago on, until the next entry; `undefined`: not at all. */
interface History {
  readonly at: (typeof changes)[number];
  /** Its build time, in days before now; `undefined` for none. */
  readonly built?: number | undefined;
  /** Other content under the same name and version. */
  readonly content?: string;
  readonly gone?: boolean;
}

const early: Readonly<Record<string, readonly History[]>> = {
  backdated: [{ at: 2, built: 60 }],
  'future-dated': [{ at: 2, built: -10 }],
  'without a date': [{ at: 2 }],
  're-published': [
    { at: 20, built: 20 },
    { at: 2, built: 20, content: 'another' },
  ],
  'withdrawn and returned': [
    { at: 20, built: 20 },
    { at: 20 - 1 / 24, gone: true },
    { at: 2, built: 20 },
  ],
};

const honest: Readonly<Record<string, readonly History[]>> = {
  plain: [{ at: 10, built: 10 }],
  'built long before': [{ at: 10, built: 40 }],
  'of a clock that is ahead': [{ at: 10, built: 3 }],
  'without a date, seen long ago': [{ at: 10 }],
  'away for an hour': [
    { at: 10, built: 10 },
    { at: 5, gone: true },
    { at: 5 - 1 / 24, built: 10 },
  ],
};

interface Named {
  readonly name: string;
  readonly kind: string;
  readonly history: readonly History[];
}

function named(prefix: string, kinds: typeof early): readonly Named[] {
  const all = Object.entries(kinds);
  return Array.from({ length: RELEASES }, (_, i) => {
    const [kind, history] = all[i % all.length] as (typeof all)[number];
    return { name: `${prefix}${i}`, kind, history };
  });
}

const tooEarly = named('early', early);
const oldEnough = named('honest', honest);

const seconds = (daysAgo: number): string => String(Math.floor((NOW - daysAgo * DAY) / 1000));

function stanzasAt(time: number): readonly Stanza[] {
  return [...tooEarly, ...oldEnough].flatMap(({ name, history }) => {
    const release = history.findLast(({ at }) => at >= time);
    const first = pkg(name, '1.0-r0', { t: seconds(90) });
    if (!release || release.gone === true) return [first];
    const t = release.built === undefined ? '' : seconds(release.built);
    return [first, pkg(name, '1.1-r0', { t, T: release.content ?? '' })];
  });
}

let upstream: Upstream;
let service: TestService;
let url = '';
let folder = '';

beforeAll(async () => {
  upstream = await startUpstream();
  folder = await temporaryFolder();
  let now = (): number => NOW;
  service = await startService({
    config: {
      datasources: { wolfi: { repositories: [{ url: upstream.url, maxAge: 'never', maxShrink: 1 }] } },
    },
    // With its ledger on disk, which remembers what is gone.
    cacheDir: folder,
    logLevel: 'warn',
    now: () => now(),
  });
  for (const daysAgo of changes) {
    now = () => NOW - daysAgo * DAY;
    for (const arch of ['x86_64', 'aarch64'])
      upstream.serve(arch, await signedIndex(stanzasAt(daysAgo).map((each) => ({ ...each, A: arch }))));
    await service.beacon.refreshOnce(new AbortController().signal);
  }
  now = Date.now;
  const isTold = (line: string): boolean => line.includes('took over the name');
  expect(service.logs.filter((line) => !isTold(line))).toEqual([]);
  url = await service.server.listen({ host: '127.0.0.1', port: 0 });
}, 60_000);

afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** In files of some pins each: every address carries what its file says. */
const files = Object.fromEntries(
  [...Map.groupBy([...tooEarly, ...oldEnough].entries(), ([i]) => Math.floor(i / PINS_A_FILE))].map(
    ([number, some]) => {
      const pins = some.map(([, { name }]) => `    - ${name}=1.0-r0\n`).join('');
      return [
        `image-${number}.yaml`,
        `contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages:\n${pins}`,
      ];
    },
  ),
);

describe.each([
  ['minimumReleaseAge', { extends: ['/renovate.json'], minimumReleaseAge: '7 days' }],
  ['the preset of a view', { extends: ['/@7d/renovate.json'] }],
])('with %s', (_, configuration) => {
  test(
    `of ${RELEASES} releases that look old none gets through, of ${RELEASES} honest ones none is stuck`,
    { timeout: 300_000 },
    async () => {
      const report = await lookUp({
        files: {
          ...files,
          'renovate.json': JSON.stringify({
            ...configuration,
            extends: configuration.extends.map((path) => `${url}${path}`),
          }),
        },
        // The log of so many lookups takes longer than they do.
        environment: { ...allowInternal(url), LOG_LEVEL: 'warn' },
      });
      const proposed = new Map(
        Object.keys(files)
          .flatMap((file) => report.dependencies.get(file) ?? [])
          .map(({ depName, updates }) => [
            depName,
            updates.filter(({ pendingChecks }) => pendingChecks !== true).map(({ newValue }) => newValue),
          ]),
      );
      expect(proposed.size).toBe(2 * RELEASES);
      const wrong = (names: readonly Named[], expected: readonly string[]): readonly string[] =>
        names
          .filter(({ name }) => JSON.stringify(proposed.get(name)) !== JSON.stringify(expected))
          .map(({ name, kind }) => `${name} (${kind}): ${proposed.get(name)?.join()}`);
      expect(wrong(tooEarly, [])).toEqual([]);
      expect(wrong(oldEnough, ['1.1-r0'])).toEqual([]);
    },
  );
});
