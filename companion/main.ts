/**
 * Prints the child pipeline of an image or package repository:
 *
 *   apk-beacon-images images   [--folder images]   [--changed FILE] [--publish]
 *   apk-beacon-images packages [--folder packages] [--changed FILE] [--publish]
 *   apk-beacon-images show     [--folder images] NAME.yaml
 *
 * FILE has one changed path per line, as `git diff --name-only` prints them; `-` is standard input. Without it
 * everything is built. `show` prints a definition with its includes merged, without asking any repository.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify as toYaml } from 'yaml';

import { errorLine } from './errors.ts';
import { resolveDefinition } from './include.ts';
import { imagePipeline, toImage, type Changed } from './jobs.ts';
import { packagePipeline } from './package-jobs.ts';
import { parseRecipe } from './recipes.ts';

const usage =
  'usage: apk-beacon-images images|packages|show [--folder DIR] [--changed FILE] [--publish] [NAME.yaml]';

function run(argv: readonly string[]): string {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      folder: { type: 'string' },
      changed: { type: 'string' },
      publish: { type: 'boolean', default: false },
    },
  });
  const [command, file] = positionals;
  const changed = readChanged(values.changed);
  const purpose = values.publish ? 'publish' : 'verify';
  switch (command) {
    case 'images': {
      const folder = values.folder ?? 'images';
      const images = definitionsIn(folder).flatMap((name) => toImage(folder, resolveIn(folder, name)) ?? []);
      return print(imagePipeline(images, changed, purpose));
    }
    case 'packages': {
      const folder = values.folder ?? 'packages';
      const recipes = definitionsIn(folder).map((name) =>
        parseRecipe(readFileSync(join(folder, name), 'utf8'), name.replace(/\.yaml$/, '')),
      );
      return print(packagePipeline(folder, recipes, changed, purpose));
    }
    case 'show':
      if (file === undefined) throw new Error(usage);
      return print(resolveIn(values.folder ?? 'images', file).definition);
    case undefined:
    default:
      throw new Error(usage);
  }
}

// No anchors: GitLab reads them, people should not have to.
const print = (value: unknown) => toYaml(value, { aliasDuplicateObjects: false });

const definitionsIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort();

const resolveIn = (folder: string, name: string) =>
  resolveDefinition(name, (included) => readFileSync(join(folder, included), 'utf8'));

function readChanged(file: string | undefined): Changed {
  if (file === undefined) return 'everything';
  const lines = readFileSync(file === '-' ? 0 : file, 'utf8').split('\n');
  return new Set(lines.filter((line) => line !== ''));
}

try {
  process.stdout.write(run(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${errorLine(error)}\n`);
  process.exitCode = 1;
}
