/**
 * The child pipeline of an image repository, for GitLab: which images a change affects, and what is done with each. An
 * image is affected by its own file, by every file it includes and by the keys that they name, so a raised pin in
 * `bootc.yaml` also rebuilds the container host, the desktop and the router.
 *
 * `.gitlab/images.yml` of the repository defines what a job does; this file only decides which jobs exist.
 */
import { join } from 'node:path/posix';

import { isPreRelease, parseVersion, withoutRevision } from '../src/apk/version.ts';
import { CompanionError } from './errors.ts';
import type { Resolved } from './include.ts';

export interface Image {
  /** The definition's path without `.yaml`. */
  readonly name: string;
  /** Paths in the repository, as git prints them. */
  readonly files: readonly string[];
  readonly tags: readonly string[];
  /** The version of the first package, if it is pinned: the image's label. */
  readonly version: string | undefined;
}

/** Paths that changed, or `everything`: a nightly run, a first push, a change of the pipeline itself. */
export type Changed = ReadonlySet<string> | 'everything';

/** Merge requests only build images; the default branch publishes and signs them. */
export type Purpose = 'verify' | 'publish';

export type Job = Readonly<Record<string, unknown>>;
export type Pipeline = Readonly<Record<string, Job | readonly unknown[]>>;

/**
 * The generator decides which jobs run. Without explicit rules, GitLab would leave these jobs out of merge request
 * pipelines. The next commit does not cancel a pipeline that publishes, because its own publishes other things.
 */
const workflow = (purpose: Purpose) => ({
  ...(purpose === 'publish' ? { auto_cancel: { on_new_commit: 'none' } } : {}),
  rules: [{ when: 'always' }],
});

/** Included by every generated pipeline: the file of the repository that defines the jobs. */
export const preamble = (template: string, purpose: Purpose) => ({
  workflow: workflow(purpose),
  include: [{ local: template }],
});

/** GitLab refuses a pipeline without jobs. In the image that `generate` used: a runner may not reach its default one. */
export const nothingToDo: Pipeline = {
  workflow: workflow('verify'),
  'nothing-to-do': {
    stage: 'build',
    image: '$APKO_IMAGE',
    script: ['echo "nothing this pipeline builds has changed"'],
  },
};

/** Changes of these files affect every job. */
function concernsEveryJob(path: string): boolean {
  return path === '.gitlab-ci.yml' || path.startsWith('.gitlab/');
}

export function isTouched(files: Iterable<string>, changed: Changed): boolean {
  if (changed === 'everything') return true;
  for (const path of changed) if (concernsEveryJob(path)) return true;
  for (const file of files) if (changed.has(file)) return true;
  return false;
}

/**
 * A definition that is only included by others gets no job: it is named `…-base`, pins nothing and starts nothing. A
 * published base has a pin, or something to start.
 */
export function isBase({ files, ownPackages, definition }: Resolved): boolean {
  const { cmd, entrypoint } = definition;
  const startsNothing = !cmd && entrypoint === undefined;
  return (files[0] ?? '').endsWith('-base.yaml') && versionOf(ownPackages) === undefined && startsNothing;
}

/** What registries accept as the name of an image. apko itself builds under any name. */
const imageName = /^[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*$/;

export function toImage(folder: string, { files, ownPackages, definition }: Resolved): Image {
  const name = (files[0] ?? '').replace(/\.yaml$/, '');
  if (!imageName.test(name)) {
    throw new CompanionError(
      `${name}.yaml: no registry accepts its name; lower-case letters and digits, with . _ or - between them, are allowed`,
    );
  }
  // Files that become part of the image.
  const keys = (definition.contents?.keyring ?? []).filter((key) => !key.includes('://'));
  const paths = [...files, `${name}.lock.json`, ...keys].map((path) => join(folder, path));
  return { name, files: paths, tags: tagsOf(ownPackages), version: versionOf(ownPackages) };
}

/** The version that the first package is pinned to. */
export function versionOf([first]: readonly string[]): string | undefined {
  // apko writes the tag of a repository last: `curl=8.21.0-r0@local`.
  const text = first?.split('@', 1)[0]?.split('=', 2)[1];
  return text !== undefined && parseVersion(text) ? text : undefined;
}

/**
 * The tags of an image by the pin of its first package: `1.16.9-r0`, `1.16.9`, `1.16`, `1` and `latest`. A
 * pre-release does not move the short ones. A tag cannot contain `~`.
 */
export function tagsOf(ownPackages: readonly string[]): readonly string[] {
  const text = versionOf(ownPackages);
  const version = parseVersion(text ?? '');
  if (text === undefined || version === undefined) return ['latest'];
  const tags = [text];
  for (
    let short = withoutRevision(version).text;
    short !== '';
    short = short.replace(/(?:^|[._~-])[A-Za-z0-9]+$/, '')
  ) {
    if (short !== text) tags.push(short);
    if (isPreRelease(version)) break;
  }
  return ['latest', ...tags.map((tag) => tag.replaceAll('~', '-'))];
}

export function imagePipeline(images: readonly Image[], changed: Changed, purpose: Purpose): Pipeline {
  const touched = images.filter(({ files }) => isTouched(files, changed));
  if (touched.length === 0) return nothingToDo;
  const names = touched.map(({ name }) => name).join(' ');
  return Object.assign(
    preamble('.gitlab/images.yml', purpose),
    purpose === 'verify' ? { lock: { extends: '.lock-images', variables: { IMAGES: names } } } : {},
    ...touched.map((image) => (purpose === 'verify' ? buildJobs(image) : publishJobs(image))),
  ) as Pipeline;
}

function buildJobs({ name, version }: Image): Pipeline {
  return { [`build:${name}`]: { extends: '.build-image', variables: { IMAGE: name, ...label(version) } } };
}

function publishJobs({ name, files, tags, version }: Image): Pipeline {
  return {
    [`publish:${name}`]: {
      extends: '.publish-image',
      variables: {
        IMAGE: name,
        FILES: files.map(pathspec).join(' '),
        TAGS: tags.join(' '),
        ...label(version),
      },
      // One job at a time checks whether a newer commit has changed FILES, and publishes. Otherwise two pipelines could
      // leave the older image under the tags. GitLab does not allow a colon here.
      resource_group: `publish/${name}`,
    },
    [`sign:${name}`]: {
      extends: '.sign-image',
      variables: { IMAGE: name },
      needs: [{ job: `publish:${name}`, artifacts: true }],
    },
  };
}

/** The path as git takes it, without a character that GitLab or the shell would replace, or that would end it. */
const pathspec = (path: string) => path.replace(/[^\w./+@\u0080-\uffff-]/g, '?');

const label = (version: string | undefined) => (version === undefined ? {} : { VERSION: version });
