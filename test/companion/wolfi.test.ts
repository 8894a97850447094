/** Names and commands that images and recipes rely on, compared with real Wolfi. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';

import { resolveDefinition } from '../../companion/include.ts';
import { sharedData } from '../support/shared-data.ts';
import { commandsIn } from './shell-words.ts';
import {
  calledByBootc,
  commands,
  mentionedNames,
  onBothArchs,
  ownNames,
  pipelineNeeds,
  recipeFiles,
  recipes,
  recordedNames,
  stepsOf,
} from './wolfi.ts';

const mentioned = mentionedNames();
const definition = (file: string) =>
  resolveDefinition(basename(file), (name) => readFileSync(file.replace(/[^/]*$/, name), 'utf8'));

describe('names', () => {
  it('are all in real Wolfi, on both arches, or in a recipe of this repository', () => {
    const recorded = recordedNames();
    const missing = [...mentioned].filter(([name]) => !(name in recorded));
    expect(missing).toEqual([]);
    expect(mentioned.size).toBeGreaterThan(100);
  });

  it('are recorded as far as they are mentioned, and no further', () => {
    expect(Object.keys(recordedNames()).sort()).toEqual([...mentioned.keys()].sort());
  });

  it.skipIf(!sharedData)('are recorded as the indexes have them', { timeout: 120_000 }, () => {
    const real = onBothArchs(`${sharedData}wolfi-2026-07-24`);
    for (const [name, kind] of Object.entries(recordedNames())) expect(real[name], name).toBe(kind);
  });

  it('of pinned packages of this repository have the version of their recipe', () => {
    const pins = [
      'images/bootc.yaml',
      'images/niri.yaml',
      'images/pinewall-config.yaml',
      'apkontainer.yaml',
    ].map((file) => definition(file).ownPackages[0]?.split('='));
    for (const [name = '', version] of pins.map((pin) => pin ?? [])) {
      expect(ownNames, name).toContain(name);
      const recipe = recipes.find((each) => each.name === name);
      expect(version, name).toBe(recipe?.version);
    }
  });

  it('of pipelines are known to the record', () => {
    const used = recipeFiles.flatMap((file) =>
      Object.values(stepsOf(file))
        .flat()
        .flatMap(({ uses }) => uses ?? []),
    );
    expect([...new Set(used)].sort()).toEqual(Object.keys(pipelineNeeds).sort());
  });
});

/** What comes with a package: a compiler's names are in none of the lists of a recipe. */
const broughtBy: Readonly<Record<string, readonly string[]>> = {
  bootc: ['bootc'],
  composefs: ['mkcomposefs', 'composefs-info'],
  dracut: ['dracut', 'lsinitrd'],
  ostree: ['ostree'],
  blocky: ['blocky'],
  niri: ['niri'],
  seatd: ['seatd'],
  alacritty: ['alacritty'],
  'apk-beacon': ['apk-beacon'],
  'apk-beacon-images': ['apk-beacon-images'],
  'prometheus-node-exporter': ['node_exporter'],
  'verify-apk': ['verify-apk'],
};

/** Commands of these packages and of what they need at run time, as far as this repository's recipes tell. */
function offered(names: readonly string[]): ReadonlySet<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const command of [...(commands[name] ?? []), ...(broughtBy[name] ?? [])]) found.add(command);
    for (const { packages } of recipes) {
      const own = packages.find((each) => each.name === name);
      pending.push(...(own?.runtime ?? []));
    }
  }
  return found;
}

describe('commands', () => {
  it.each([
    ['wget -O "$apk" "$url"', ['wget']],
    ['a=1 b | c && ! d; if e; then f; fi', ['b', 'c', 'd', 'e', 'f']],
    ['x=$(readlink "$(which y)") # not this', ['readlink', 'which']],
    [
      "# no\nfor a in b c; do\n  find . -type f -exec chmod 0644 {} +\ndone\nprintf '%s' 'rm -rf'",
      ['find', 'chmod'],
    ],
    [
      'case $a in\n  one) two ;;\n  *) three ;;\nesac\n./configure\n$tool x\ncargo build \\\n  --release',
      ['two', 'three', 'cargo'],
    ],
  ])('of %j', (script, expected) => {
    expect([...commandsIn(script)].sort()).toEqual([...expected].sort());
  });

  it.each(recipeFiles.map((file, position) => [file, recipes[position]] as const))(
    '%s calls only what its environments have',
    (file, recipe) => {
      if (recipe === undefined) throw new Error('no recipe');
      const steps = stepsOf(file);
      const byPipelines = steps.build.flatMap(({ uses }) =>
        uses === undefined ? [] : (pipelineNeeds[uses] ?? []),
      );
      const called = (all: typeof steps.build) => [
        ...new Set(all.flatMap(({ runs }) => [...commandsIn(runs ?? '')])),
      ];
      const building = offered([...recipe.build, ...byPipelines]);
      expect(called(steps.build).filter((command) => !building.has(command))).toEqual([]);
      const testing = offered([...recipe.test, ...recipe.packages.map(({ name }) => name)]);
      expect(called(steps.test).filter((command) => !testing.has(command))).toEqual([]);
    },
  );

  it.each(['bootc', 'containerd', 'niri', 'pinewall-config'])('%s has all that bootc calls', (name) => {
    const listed = definition(`images/${name}.yaml`).definition.contents?.packages ?? [];
    const has = offered(listed.map((entry) => entry.split('=', 1)[0] ?? ''));
    expect(calledByBootc.filter((command) => !has.has(command))).toEqual([]);
  });
});
