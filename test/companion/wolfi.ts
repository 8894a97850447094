/**
 * The parts of real Wolfi that the companion mentions: names, commands, packages of melange's own pipelines. The
 * origin of each file is in test/fixtures/wolfi/README.md; `node test/companion/wolfi.ts` rewrites names.json from the
 * real indexes.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'yaml';

import { resolveDefinition } from '../../companion/include.ts';
import { parseRecipe, type Recipe } from '../../companion/recipes.ts';
import { operatorSpan } from '../../src/apk/constraint.ts';

const fixture = (name: string) => `test/fixtures/wolfi/${name}.json`;
const load = (name: string) => JSON.parse(readFileSync(fixture(name), 'utf8')) as unknown;

/** Of both arches: whether a package has that name, or only provides it. */
export type Names = Readonly<Record<string, 'package' | 'provided'>>;

export const recordedNames = (): Names => load('names') as Names;
/** By package, the commands it has. */
export const commands = load('commands') as Readonly<Record<string, readonly string[]>>;
/** By pipeline of melange's own, the packages it adds to the build environment. */
export const pipelineNeeds = load('pipelines') as Readonly<Record<string, readonly string[]>>;

export const recipeFiles = [...globSync('packages/*.yaml').sort(), 'deploy/apk/apk-beacon.yaml'];
export const recipes: readonly Recipe[] = recipeFiles.map((file) =>
  parseRecipe(readFileSync(file, 'utf8'), basename(file, '.yaml')),
);
/** Names that a recipe of this repository builds or provides. */
export const ownNames: ReadonlySet<string> = new Set(
  recipes.flatMap(({ packages }) => packages.flatMap(({ name, provides }) => [name, ...provides])),
);

/** `bootc install to-disk`, generator and units of bootc 1.16.9; facts of a run, and its sources. */
export const calledByBootc = [
  ...[
    'bash',
    'blkid',
    'bootctl',
    'findmnt',
    'fsfreeze',
    'fstrim',
    'losetup',
    'lsblk',
    'mkfs.ext4',
    'mkfs.fat',
  ],
  ...['mount', 'sfdisk', 'skopeo', 'systemctl', 'udevadm', 'umount', 'wipefs'],
];

export interface Step {
  readonly uses?: string;
  readonly runs?: string;
  readonly pipeline?: readonly Step[];
}

interface RecipeText {
  readonly pipeline?: readonly Step[];
  readonly subpackages?: readonly { readonly pipeline?: readonly Step[]; readonly test?: Tested }[];
  readonly test?: Tested;
}

interface Tested {
  readonly pipeline?: readonly Step[];
}

/** All steps of a recipe: those that build and those that test. */
export function stepsOf(file: string): { readonly build: readonly Step[]; readonly test: readonly Step[] } {
  const recipe = parse(readFileSync(file, 'utf8')) as RecipeText;
  const flat = (steps: readonly Step[] = []): Step[] =>
    steps.flatMap((step) => [step, ...flat(step.pipeline)]);
  const subpackages = recipe.subpackages ?? [];
  return {
    build: [...flat(recipe.pipeline), ...subpackages.flatMap(({ pipeline }) => flat(pipeline))],
    test: [...flat(recipe.test?.pipeline), ...subpackages.flatMap(({ test }) => flat(test?.pipeline))],
  };
}

/** Every name of Wolfi's world that images and recipes mention and do not build themselves, with where. */
export function mentionedNames(): ReadonlyMap<string, readonly string[]> {
  const mentioned = new Map<string, string[]>();
  const add = (name: string, where: string) => {
    if (!ownNames.has(name)) mentioned.set(name, [...(mentioned.get(name) ?? []), where]);
  };
  for (const file of ['apkontainer.yaml', ...globSync('images/*.yaml').sort()]) {
    const text = (name: string) => readFileSync(file.startsWith('images/') ? `images/${name}` : name, 'utf8');
    const { definition, ownPackages } = resolveDefinition(basename(file), text);
    if (definition.contents?.repositories?.some((url) => url.includes('alpine'))) continue;
    for (const entry of ownPackages) add(entry.slice(0, operatorSpan(entry).start), file);
  }
  for (const [position, { build, test, packages }] of recipes.entries()) {
    const file = recipeFiles[position] ?? '';
    for (const name of [...build, ...test, ...packages.flatMap(({ runtime }) => runtime)]) add(name, file);
    for (const { uses } of Object.values(stepsOf(file)).flat()) {
      for (const name of uses === undefined ? [] : (pipelineNeeds[uses] ?? [])) add(name, file);
    }
  }
  return mentioned;
}

/** Names in a Wolfi index: packages and what they provide. */
export function namesIn(indexFile: string): Names {
  // The index is small tar: DESCRIPTION, then APKINDEX, whose lines are the only ones that look like this.
  const text = gunzipSync(readFileSync(indexFile)).toString('utf8');
  const names: Record<string, 'package' | 'provided'> = {};
  for (const [, provided = ''] of text.matchAll(/^p:(.*)$/gm)) {
    for (const entry of provided.split(' ')) names[entry.split('=', 1)[0] ?? ''] ??= 'provided';
  }
  for (const [, name = ''] of text.matchAll(/^P:(.*)$/gm)) names[name] = 'package';
  return names;
}

/** The names that both arches have. */
export function onBothArchs(folder: string): Names {
  const other = namesIn(`${folder}/aarch64/APKINDEX.tar.gz`);
  return Object.fromEntries(
    Object.entries(namesIn(`${folder}/x86_64/APKINDEX.tar.gz`)).filter(([name]) => name in other),
  );
}

if (import.meta.main) {
  const { sharedData } = await import('../support/shared-data.ts');
  if (sharedData === undefined) throw new Error('the real indexes are not beside this checkout');
  const real = onBothArchs(`${sharedData}wolfi-2026-07-24`);
  const known = [...mentionedNames().keys()].sort().flatMap((name) => {
    const kind = real[name];
    return kind === undefined ? [] : [[name, kind] as const];
  });
  writeFileSync(fixture('names'), `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`);
}
