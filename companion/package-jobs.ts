/**
 * The child pipeline of a package repository, for GitLab: one job per recipe and arch, in the order of dependencies.
 * Each writes only its own index. One job writes the repository's index, after everything was built and tested on every
 * arch. So no two jobs write it, and no arch gets ahead of another.
 */
import { join } from 'node:path/posix';

import { CompanionError } from './errors.ts';
import {
  isTouched,
  nothingToDo,
  preamble,
  type Changed,
  type Job,
  type Pipeline,
  type Purpose,
} from './jobs.ts';
import { buildOrder, type Recipe } from './recipes.ts';

/** Tags of GitLab's runners: variables that `.gitlab/packages.yml` defines. */
const runnerTags = new Map([
  ['x86_64', '$AMD64_RUNNER'],
  ['aarch64', '$ARM64_RUNNER'],
]);

/**
 * Versions in `published` (see `publishedIn`) are not built again. A merge request that changes a recipe but not its
 * published version is refused: published packages are never replaced, so the change would have no effect.
 */
export function packagePipeline(
  folder: string,
  recipes: readonly Recipe[],
  changed: Changed,
  purpose: Purpose,
  published: ReadonlySet<string> = new Set(),
): Pipeline {
  const order = buildOrder(recipes);
  const touched = recipes
    .map((recipe) => ({
      name: recipe.name,
      archs: archsToBuild(recipe, join(folder, recipe.name), changed, purpose, published),
    }))
    .filter(({ archs }) => archs.length > 0);
  if (touched.length === 0) return nothingToDo;

  const built = new Set(touched.flatMap(({ name, archs }) => archs.map((arch) => `${name}:${arch}`)));
  /** Jobs whose packages are needed. Those that are not rebuilt come from the published repository. */
  const builds = (names: readonly string[], arch: string) => {
    const rebuilt = names.filter((name) => built.has(`${name}:${arch}`));
    // A job's artifacts include the packages that it got itself.
    const handedOn = new Set(rebuilt.flatMap((name) => order.get(name)?.beforeBuild ?? []));
    return rebuilt.filter((name) => !handedOn.has(name)).map((name) => `build:${name}:${arch}`);
  };

  const jobs: Record<string, Pipeline[string]> = { ...preamble('.gitlab/packages.yml', purpose) };
  for (const { name, archs } of touched) {
    for (const arch of archs) {
      const shared = { variables: { PACKAGE: name, ARCH: arch }, tags: [runnerTags.get(arch) ?? arch] };
      const { beforeBuild = [], beforeTest = [] } = order.get(name) ?? {};
      const build = { extends: '.build-package', ...shared };
      const test = { extends: '.test-package', ...shared };
      Object.assign(
        jobs,
        waitingFor(builds(beforeBuild, arch), `build:${name}:${arch}`, build),
        waitingFor(builds(beforeTest, arch), `test:${name}:${arch}`, test),
      );
    }
  }
  if (purpose === 'publish') {
    // In the stage after build and test, without `needs`: it waits for all of them and gets all their packages.
    jobs['publish'] = { extends: '.publish-packages', resource_group: 'apk-repository' };
  }
  return jobs;
}

/** As many jobs as GitLab lets a job wait for. */
const MAX_NEEDS = 50;

/** The job, which gets the packages of others. If those are too many, jobs between them gather the packages. */
function waitingFor(others: readonly string[], name: string, job: Job): Pipeline {
  const needing = (names: readonly string[]) => ({
    ...job,
    needs: names.map((needed) => ({ job: needed, artifacts: true })),
  });
  if (others.length <= MAX_NEEDS) return { [name]: needing(others) };
  const gathering: Record<string, Job> = {};
  for (let start = 0; start < others.length; start += MAX_NEEDS) {
    gathering[`gather:${name}:${start / MAX_NEEDS + 1}`] = {
      ...needing(others.slice(start, start + MAX_NEEDS)),
      extends: '.gather-packages',
    };
  }
  return { ...gathering, [name]: needing(Object.keys(gathering)) };
}

/** `path` is the recipe's, without `.yaml`. */
function archsToBuild(
  { packages: [first], version, archs }: Recipe,
  path: string,
  changed: Changed,
  purpose: Purpose,
  published: ReadonlySet<string>,
): readonly string[] {
  const built = `${first?.name ?? ''}-${version}`;
  const missing = archs.filter((arch) => !published.has(`${arch}/${built}`));
  const isOwnChange = isChanged(path, changed);
  if (purpose === 'publish') return isOwnChange ? missing : [];
  if (changed !== 'everything' && isOwnChange && missing.length < archs.length)
    throw new CompanionError(`${path}.yaml: ${built} is published already; raise the version or the epoch`);
  // A change of the pipeline is tested on every recipe, but does not publish versions again.
  return isOwnChange || isTouched([], changed) ? archs : [];
}

/** Whether the recipe or one of its sources changed. */
function isChanged(path: string, changed: Changed): boolean {
  if (changed === 'everything') return true;
  for (const file of changed) if (file === `${path}.yaml` || file.startsWith(`${path}/`)) return true;
  return false;
}
