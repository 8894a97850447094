/**
 * Prints the provenance of an image as a SLSA predicate (https://slsa.dev/spec/v1.0/provenance), from the variables of
 * a GitLab or GitHub job. cosign attaches it to the image, signed.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

type Environment = Readonly<Record<string, string | undefined>>;

interface Resource {
  readonly uri: string;
  readonly digest?: Readonly<Record<string, string>>;
}

interface Build {
  readonly environment: Environment;
  readonly commit: string;
  readonly dockerfile: string;
  readonly finishedOn: string;
}

interface Pipeline {
  readonly source: string;
  readonly ref: string;
  readonly builder: string;
  readonly invocation: string;
}

export function provenance({ environment, commit, dockerfile, finishedOn }: Build): object {
  const { source, ref, builder, invocation } = pipelineOf(environment);
  const sources: Resource = { uri: `git+${source}@${ref}`, digest: { gitCommit: commit } };
  return {
    buildDefinition: {
      buildType: `${source}/blob/${commit}/.ci/release`,
      externalParameters: { source, ref },
      resolvedDependencies: [sources, ...baseImages(dockerfile)],
    },
    runDetails: { builder: { id: builder }, metadata: { invocationId: invocation, finishedOn } },
  };
}

function pipelineOf(environment: Environment): Pipeline {
  const value = (name: string): string => {
    const text = environment[name];
    if (!text) throw new Error(`${name} is not set: provenance is made by GitLab CI or GitHub Actions`);
    return text;
  };
  if (environment['GITLAB_CI']) {
    return {
      source: value('CI_PROJECT_URL'),
      ref: `refs/tags/${value('CI_COMMIT_TAG')}`,
      builder: `${value('CI_PROJECT_URL')}/-/runners/${value('CI_RUNNER_ID')}`,
      invocation: value('CI_JOB_URL'),
    };
  }
  const source = `${value('GITHUB_SERVER_URL')}/${value('GITHUB_REPOSITORY')}`;
  return {
    source,
    ref: value('GITHUB_REF'),
    builder: `${value('GITHUB_SERVER_URL')}/${value('GITHUB_WORKFLOW_REF')}`,
    invocation: `${source}/actions/runs/${value('GITHUB_RUN_ID')}/attempts/${value('GITHUB_RUN_ATTEMPT')}`,
  };
}

/** The base images of the Dockerfile, with their digests if pinned. */
function baseImages(dockerfile: string): readonly Resource[] {
  return [...dockerfile.matchAll(/^ARG \w+_IMAGE=(\S+?)(?:@sha256:([0-9a-f]{64}))?$/gm)].map(
    ([, image = '', sha256]) => ({ uri: `docker://${image}`, ...(sha256 && { digest: { sha256 } }) }),
  );
}

if (import.meta.main) {
  const build = {
    environment: process.env,
    commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
    dockerfile: readFileSync('Dockerfile', 'utf8'),
    finishedOn: new Date().toISOString(),
  };
  process.stdout.write(`${JSON.stringify(provenance(build), null, 2)}\n`);
}
