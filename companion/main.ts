/** Prints the child pipelines of image and package repositories, and what their scripts need to know: see `help`. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { normalize } from 'node:path/posix';
import { parseArgs } from 'node:util';
import { stringify as toYaml } from 'yaml';

import { CompanionError, errorLine } from './errors.ts';
import { resolveDefinition } from './include.ts';
import { imagePipeline, isBase, toImage, versionOf, type Changed } from './jobs.ts';
import { packagePipeline } from './package-jobs.ts';
import { publishedIn } from './published.ts';
import { buildOrder, inBuildOrder, parseRecipe, type Recipe } from './recipes.ts';

const usage =
  'usage: apk-beacon-images images|packages|list|show|version|order [--folder DIR] [--changed FILE] [--publish] ' +
  '[--missing-in REPOSITORY] [--bases] [--exclude PATH] [NAME]; --help explains it';

const help = `Usage: apk-beacon-images COMMAND [options]

Commands:
  images                     print the child pipeline for the images
  packages                   print the child pipeline for the packages
  list                       list the definitions that get jobs
  show NAME.yaml             print a definition with its includes merged, without asking a repository
  version NAME.yaml          print the version that the first package of a definition is pinned to
  order [NAME|IMAGE.yaml …]  list recipes in an order in which they can be built: those of the named packages, or of
                             the packages that a definition in images/ lists, and those that these need; by default
                             all recipes

Options:
  --folder DIR    where the definitions or recipes are (images, or packages for packages and order); definitions may be
                  in subfolders; names that begin with a dot are left out
  --changed FILE  build only what these changed paths need: one per line, as git diff --name-only prints them; - is
                  standard input. Without it everything is built
  --publish       publish what is built; otherwise it is only verified
  --missing-in REPOSITORY
                  publish only packages whose version is not in this repository, and refuse a changed recipe whose
                  version is; repeatable. HTTP_AUTH has the password of the repository
  --bases         also give jobs to definitions that are only included
  --exclude PATH  leave out a folder or a file of the definitions' folder; repeatable
`;

function parseCall(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        folder: { type: 'string' },
        changed: { type: 'string' },
        publish: { type: 'boolean', default: false },
        'missing-in': { type: 'string', multiple: true, default: [] },
        bases: { type: 'boolean', default: false },
        exclude: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    // Node's message continues with how to pass an argument that begins with a dash.
    throw new CompanionError(`${errorLine(error).replace(/\. To .*/, '')}; ${usage}`);
  }
}

/** How many names a command takes at most; `order` takes any number. */
const maxNames = new Map([
  ['images', 0],
  ['packages', 0],
  ['list', 0],
  ['show', 1],
  ['version', 1],
]);

async function run(argv: readonly string[]): Promise<string> {
  const { values, positionals } = parseCall(argv);
  const [command, ...names] = positionals;
  const [name] = names;
  if (values.help || command === 'help') return help;
  const surplus = names[maxNames.get(command ?? '') ?? names.length];
  if (surplus !== undefined) throw new CompanionError(`unexpected argument ${surplus}; ${usage}`);
  const purpose = values.publish ? 'publish' : 'verify';
  const images = values.folder ?? 'images';
  const packages = values.folder ?? 'packages';
  switch (command) {
    case 'images': {
      const all = withJobs(images, values).map((resolved) => toImage(images, resolved));
      return toText(imagePipeline(all, readChanged(values.changed), purpose));
    }
    case 'packages': {
      const recipes = recipesIn(packages);
      warnOfCycles(recipes);
      const archs = [...new Set(recipes.flatMap((recipe) => recipe.archs))];
      const published = await publishedIn(values['missing-in'], archs, process.env);
      return toText(packagePipeline(packages, recipes, readChanged(values.changed), purpose, published));
    }
    case 'list':
      return lines(withJobs(images, values).map(({ files }) => files[0] ?? ''));
    case 'show':
      if (name === undefined) break;
      return toText(resolveIn(images, name).definition);
    case 'version':
      if (name === undefined) break;
      return lines([versionOf(resolveIn(images, name).ownPackages) ?? '']);
    case 'order':
      return lines(order(recipesIn(packages), names));
    case undefined:
      break;
    default:
      throw new CompanionError(`unknown command ${command}; ${usage}`);
  }
  throw new CompanionError(usage);
}

// No anchors: people read this too.
const toText = (value: unknown) => toYaml(value, { aliasDuplicateObjects: false });

const lines = (values: readonly string[]) => values.map((value) => `${value}\n`).join('');

const isHidden = (path: string) => path.split('/').some((part) => part.startsWith('.'));

/** Definitions that get jobs. Those that get none are reported. */
function withJobs(folder: string, options: { readonly bases: boolean; readonly exclude: readonly string[] }) {
  const excluded = options.exclude.map((path) => {
    if (existsSync(join(folder, path))) return normalize(path).replace(/\/$/, '');
    throw new CompanionError(`--exclude ${path}: not in ${folder}`);
  });
  const isExcluded = (path: string) => excluded.some((own) => path === own || path.startsWith(`${own}/`));
  return readdirSync(folder, { encoding: 'utf8', recursive: true })
    .filter((path) => path.endsWith('.yaml') && !isHidden(path) && !isExcluded(path))
    .sort()
    .map((path) => resolveIn(folder, path))
    .filter((resolved) => {
      if (options.bases || !isBase(resolved)) return true;
      warn(`${resolved.files[0] ?? ''} is only included by others and gets no job; --bases gives it one`);
      return false;
    });
}

/** Not in subfolders, which have the sources of recipes. */
function recipesIn(folder: string): readonly Recipe[] {
  const recipes = readdirSync(folder)
    .filter((path) => path.endsWith('.yaml') && !isHidden(path))
    .sort()
    .map((path) => parseRecipe(readFileSync(join(folder, path), 'utf8'), path.replace(/\.yaml$/, '')));
  refuseTwins(recipes);
  return recipes;
}

/**
 * Two recipes may build the same package or subpackage after one was copied. Hosts would get whichever was published
 * last or has the higher version.
 */
function refuseTwins(recipes: readonly Recipe[]): void {
  const builtBy = new Map<string, string>();
  for (const { name, archs, packages } of recipes) {
    // Without those that have a variable which only melange knows. A Set, because one recipe may have several
    // subpackages of a name, each with an `if:` of its own.
    const known = new Set(packages.map((own) => own.name).filter((own) => !own.includes('${{')));
    for (const built of archs.flatMap((arch) => [...known].map((own) => `${own} for ${arch}`))) {
      const other = builtBy.get(built);
      if (other !== undefined) throw new CompanionError(`${other}.yaml and ${name}.yaml both build ${built}`);
      builtBy.set(built, name);
    }
  }
}

/** `include:` is relative to apko's working directory, even in a definition of a subfolder. */
const resolveIn = (folder: string, name: string) =>
  resolveDefinition(name, (included) => readFileSync(join(folder, included), 'utf8'));

function order(recipes: readonly Recipe[], names: readonly string[]): readonly string[] {
  const built = new Set(recipes.flatMap(({ packages }) => packages.map(({ name }) => name)));
  const wanted = names.flatMap((name) => {
    if (!name.endsWith('.yaml')) return [name];
    const listed = resolveIn('images', name).definition.contents?.packages ?? [];
    return listed.map((entry) => entry.split(/[=~<>@]/, 1)[0] ?? '').filter((own) => built.has(own));
  });
  // An image that needs none of them must not build all.
  return names.length > 0 && wanted.length === 0 ? [] : inBuildOrder(recipes, wanted);
}

function warnOfCycles(recipes: readonly Recipe[]): void {
  const named = new Set<string>();
  for (const [name, { asPublished }] of buildOrder(recipes)) {
    if (asPublished.length === 0 || named.has(name)) continue;
    for (const other of asPublished) named.add(other);
    const cycle = asPublished.join(', ');
    warn(`${cycle}: need each other to be built, so each is built with the published packages of the others`);
  }
}

const warn = (text: string) => process.stderr.write(`${text}\n`);

function readChanged(file: string | undefined): Changed {
  if (file === undefined) return 'everything';
  const changed = readFileSync(file === '-' ? 0 : file, 'utf8').split('\n');
  return new Set(changed.filter((line) => line !== ''));
}

// Ends without a trace when the reader has enough, such as `head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(141);
});
try {
  process.stdout.write(await run(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${errorLine(error)}\n`);
  process.exitCode = 1;
}
