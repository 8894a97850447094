/**
 * The child pipeline of a package repository, for GitLab: one job per recipe and arch, in the order of dependencies.
 * Each writes only its own index. One job writes the repository's index, after everything was built and tested on every
 * arch. So no two jobs write it, and no arch gets ahead of another.
 */
import { join } from 'node:path/posix';

import {
  concernsEveryJob,
  nothingToDo,
  preamble,
  type Changed,
  type Pipeline,
  type Purpose,
} from './jobs.ts';
import { buildOrder, type Recipe } from './recipes.ts';

/** Tags of GitLab's runners, with Go's names of archs. */
const runnerTags = new Map([
  ['x86_64', 'amd64'],
  ['aarch64', 'arm64'],
]);

/** `published` is what is not built again: see `publishedIn`. */
export function packagePipeline(
  folder: string,
  recipes: readonly Recipe[],
  changed: Changed,
  purpose: Purpose,
  published: ReadonlySet<string> = new Set(),
): Pipeline {
  const order = buildOrder(recipes);
  const touched = recipes
    .filter(({ name }) => isRecipeTouched(join(folder, name), changed, purpose))
    .map(({ name, packages: [first], version, archs }) => ({
      name,
      archs: archs.filter((arch) => !published.has(`${arch}/${first?.name ?? ''}-${version}`)),
    }))
    .filter(({ archs }) => archs.length > 0);
  if (touched.length === 0) return nothingToDo;

  const built = new Set(touched.flatMap(({ name, archs }) => archs.map((arch) => `${name}:${arch}`)));
  // Packages that are not rebuilt come from the published repository.
  const builds = (names: readonly string[], arch: string) =>
    names
      .filter((name) => built.has(`${name}:${arch}`))
      .map((name) => ({ job: `build:${name}:${arch}`, artifacts: true }));

  const jobs: Record<string, Pipeline[string]> = { ...preamble('.gitlab/packages.yml', purpose) };
  for (const { name, archs } of touched) {
    for (const arch of archs) {
      const shared = { variables: { PACKAGE: name, ARCH: arch }, tags: [runnerTags.get(arch) ?? arch] };
      const { beforeBuild = [], beforeTest = [] } = order.get(name) ?? {};
      jobs[`build:${name}:${arch}`] = {
        extends: '.build-package',
        ...shared,
        needs: builds(beforeBuild, arch),
      };
      jobs[`test:${name}:${arch}`] = { extends: '.test-package', ...shared, needs: builds(beforeTest, arch) };
    }
  }
  if (purpose === 'publish') {
    // In the stage after build and test, without `needs`: it waits for all of them and gets all their packages.
    jobs['publish'] = { extends: '.publish-packages', resource_group: 'apk-repository' };
  }
  return jobs;
}

function isRecipeTouched(path: string, changed: Changed, purpose: Purpose): boolean {
  if (changed === 'everything') return true;
  for (const file of changed) {
    if (file === `${path}.yaml` || file.startsWith(`${path}/`)) return true;
    // A change of the pipeline is tested on every recipe, but does not publish versions again.
    if (purpose === 'verify' && concernsEveryJob(file)) return true;
  }
  return false;
}
