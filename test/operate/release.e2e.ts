/** The parts of a release that can be tested without registries: its version, package, images and pipelines. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkout } from '../support/npm-package.ts';
import { startNpmRegistry, type NpmRegistry } from '../support/npm-registry.ts';
import { startProgram, type RunningProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/service.ts';
import { haveTools, run } from './tools.ts';

const execute = promisify(execFile);
const parser = resolve('.cache/operate/node_modules/gitlab-ci-local/dist/index.js');
const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };

let project: string;
const git = (...args: readonly string[]): Promise<string> =>
  run('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], { cwd: project });

beforeAll(async () => {
  project = await checkout();
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'first');
  await git('remote', 'add', 'origin', 'git@gitlab.example.com:acme/apk-beacon.git');
});
afterAll(() => rm(project, { recursive: true, force: true }));

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
}

/** `.ci/release`, with nothing of this process's environment but what tools need. */
async function release(args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, CI_REPOSITORY_URL: project, ...environment };
  return execute('.ci/release', args, { cwd: project, env, maxBuffer: 64e6 });
}

describe.skipIf(!haveTools('npm', 'git'))('a new version', () => {
  const next = '7.8.9';

  test('is one command: all places, the changelog, a commit and a tag', async () => {
    await expect(release(['check', `v${next}`])).rejects.toThrow(
      `the tag is v${next}, package.json says ${version}`,
    );
    const env = {
      ...process.env,
      GIT_AUTHOR_NAME: 'test',
      GIT_AUTHOR_EMAIL: 'test@example.com',
      GIT_COMMITTER_NAME: 'test',
      GIT_COMMITTER_EMAIL: 'test@example.com',
    };
    await execute('npm', ['version', next], { cwd: project, env });
    expect((await git('describe', '--exact-match', '--tags')).trim()).toBe(`v${next}`);
    expect((await git('status', '--porcelain')).trim()).toBe('');
    expect(await git('grep', '--files-with-matches', '--fixed-strings', `apk-beacon:${next}`)).toContain(
      'compose.yaml',
    );
    expect(await readFile(join(project, 'CHANGELOG.md'), 'utf8')).toMatch(
      /^## 7\.8\.9 \(\d{4}-\d\d-\d\d\)$/m,
    );
    await release(['check', `v${next}`]);
    expect((await release(['notes'])).stdout).toMatch(/^### .*\n\n- /);
  });

  test('is the latest, unless it is a pre-release or of an older line', async () => {
    const latest = async (): Promise<string> => (await release(['latest'])).stdout;
    expect(await latest()).toBe('true\n');
    await git('tag', 'v7.10.0');
    expect(await latest()).toBe('false\n');
    await git('tag', '--delete', 'v7.10.0');
    await execute('npm', ['pkg', 'set', 'version=7.9.0-rc.1'], { cwd: project });
    expect(await latest()).toBe('false\n');
    await git('checkout', '--quiet', '--', 'package.json');
    await expect(release(['latest'], { CI_REPOSITORY_URL: '/nowhere' })).rejects.toThrow('cannot be listed');
  });

  test('is not released while a place names another', async () => {
    const file = join(project, 'compose.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(next, '7.8.8'));
    await expect(release(['check', `v${next}`])).rejects.toThrow(
      `compose.yaml says 7.8.8, package.json ${next}`,
    );
    await git('checkout', '--quiet', '--', 'compose.yaml');
  });

  test('its SBOM lists the content of the bundle, and no tools', async () => {
    const node = resolve('node_modules/.bin/node');
    const { stdout } = await execute(node, ['scripts/sbom.ts'], { cwd: project, maxBuffer: 64e6 });
    const { components, metadata } = JSON.parse(stdout) as {
      components: { name: string; purl: string; licenses: unknown[] }[];
      metadata: { component: { name: string; version: string } };
    };
    const names = components.map(({ name }) => name);
    expect(metadata.component).toMatchObject({ name: 'apk-beacon', version: next });
    expect(names).toEqual(expect.arrayContaining(['fastify', 'pino', 'undici', 'zod']));
    for (const tool of ['esbuild', 'typescript', 'vitest', 'eslint']) expect(names).not.toContain(tool);
    expect(components.every(({ purl }) => purl.startsWith('pkg:npm/'))).toBe(true);
  });

  test('nothing else is taken for a step', async () => {
    await expect(release(['notes', 'please'])).rejects.toThrow('usage: .ci/release');
    await expect(release(['sign', 'apk-beacon:latest'])).rejects.toThrow('expected NAME@sha256:');
  });
});

describe.skipIf(!haveTools('npm'))('the npm package', () => {
  let registry: NpmRegistry;
  let environment: Record<string, string>;

  beforeAll(async () => {
    registry = await startNpmRegistry();
    const home = await temporaryFolder();
    const { host } = new URL(registry.url);
    await writeFile(
      join(home, '.npmrc'),
      `registry=${registry.url}\n//${host}/:_authToken=token\nupdate-notifier=false\n`,
    );
    environment = { HOME: home, CI_PROJECT_URL: 'https://gitlab.example.com/acme/apk-beacon' };
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  test('is published once, says where its sources are, and runs by npx', async () => {
    const current = (JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string })
      .version;
    await release(['npm'], environment);
    const published = registry.package('apk-beacon');
    expect(published?.['dist-tags']).toEqual({ latest: current });
    expect(published?.versions[current]).toMatchObject({
      repository: { type: 'git', url: 'git+https://gitlab.example.com/acme/apk-beacon.git' },
      license: 'MIT',
    });
    const again = await release(['npm'], environment);
    expect(again.stderr).toContain(`apk-beacon@${current} is published already`);
    expect(registry.publications()).toBe(1);

    const env = {
      PATH: [resolve('node_modules/.bin'), process.env['PATH']].join(delimiter),
      ...environment,
    };
    const cwd = await temporaryFolder();
    const { stdout } = await execute('npx', ['--yes', `apk-beacon@${current}`, 'version'], { cwd, env });
    expect(stdout).toBe(`${current}\n`);
  });

  test('a pre-release is not the default version', async () => {
    const before = registry.package('apk-beacon')?.['dist-tags']['latest'];
    await execute('npm', ['pkg', 'set', 'version=8.0.0-rc.1'], { cwd: project });
    await release(['npm'], environment);
    expect(registry.package('apk-beacon')?.['dist-tags']).toEqual({ latest: before, next: '8.0.0-rc.1' });
    await git('checkout', '--quiet', '--', 'package.json');
  });

  test('a later release of an older line is not the default version', async () => {
    const before = registry.package('apk-beacon')?.['dist-tags'];
    await git('tag', 'v7.7.11');
    await execute('npm', ['pkg', 'set', 'version=7.7.10'], { cwd: project });
    const blind = { ...environment, CI_REPOSITORY_URL: '/nowhere' };
    await expect(release(['npm'], blind)).rejects.toThrow('the tags cannot be listed');
    await release(['npm'], environment);
    expect(registry.package('apk-beacon')?.['dist-tags']).toEqual({ ...before, 'release-7.7': '7.7.10' });
    await git('tag', '--delete', 'v7.7.11');
    await git('checkout', '--quiet', '--', 'package.json');
  });

  test('is not published without the address of its sources', async () => {
    const { HOME = '' } = environment;
    await expect(release(['npm'], { HOME })).rejects.toThrow('the address of the sources is unknown');
  });
});

interface Index {
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform: { readonly architecture: string };
  }[];
}

describe.skipIf(!haveTools('buildah', 'docker-registry', 'unshare', 'ldd', 'npm'))('the image', () => {
  const env = { ...process.env, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' };
  const buildah = (...args: readonly string[]): Promise<string> => run('buildah', args, { env });
  const local = 'localhost/apk-beacon-test';
  let registry: RunningProcess;
  let host: string;
  let folder: string;
  let current: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    current = (JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string })
      .version;
    host = await startRegistry();
    await run('test/operate/local-images.sh', [process.execPath], { env });
    // The runtime for two archs. Its programs are this machine's in both: nothing of it is run to build the image.
    // What a run that was cut off has left.
    await buildah('manifest', 'rm', `${local}/runtimes`).catch(() => undefined);
    await buildah('manifest', 'create', `${local}/runtimes`);
    for (const arch of ['amd64', 'arm64']) {
      const container = (await buildah('from', '--pull-never', `${local}/runtime`)).trim();
      await buildah('config', '--arch', arch, container);
      await buildah('commit', '--quiet', '--rm', '--format=docker', container, `${local}/runtime-${arch}`);
      await buildah('manifest', 'add', `${local}/runtimes`, `${local}/runtime-${arch}`);
    }
    const target = `docker://${host}/runtime:1`;
    await buildah('manifest', 'push', '--all', '--tls-verify=false', `${local}/runtimes`, target);
  }, 600_000);
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    for (const list of [`${local}/runtimes`, `${host}/acme/apk-beacon:${current}`])
      await buildah('manifest', 'rm', list).catch(() => undefined);
    for (const name of ['runtime-amd64', 'runtime-arm64', 'runtime', 'build'])
      await buildah('rmi', '--force', `${local}/${name}`).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  });

  async function startRegistry(): Promise<string> {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const address = `127.0.0.1:${(probe.address() as AddressInfo).port}`;
    probe.close();
    await once(probe, 'close');
    const config = {
      version: 0.1,
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
      http: { addr: address },
    };
    await mkdir(join(folder, 'registry'));
    await writeFile(join(folder, 'registry.json'), JSON.stringify(config));
    registry = startProgram('docker-registry', ['serve', join(folder, 'registry.json')]);
    await Promise.race([
      (async () => {
        while (!(await fetch(`http://${address}/v2/`).catch(() => undefined))?.ok)
          await new Promise((resolve) => setTimeout(resolve, 50));
      })(),
      registry.ended.then(() => Promise.reject(new Error(registry.lines.join('\n')))),
    ]);
    return address;
  }

  async function manifest<T>(reference: string): Promise<T> {
    const accept = [
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.docker.distribution.manifest.v2+json',
    ];
    const response = await fetch(`http://${host}/v2/acme/apk-beacon/${reference}`, {
      headers: { accept: accept.join(', ') },
    });
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as T;
  }

  test('is pushed for both archs, says what it is of, and is named by its digest', async () => {
    const { stdout } = await release(['image', `${host}/acme/apk-beacon`], {
      STORAGE_DRIVER: 'vfs',
      BUILDAH_ISOLATION: 'chroot',
      CI_PROJECT_URL: 'https://gitlab.example.com/acme/apk-beacon',
      RELEASE_BUILD_OPTIONS: `--tls-verify=false --network=host --build-arg=BUILD_IMAGE=${local}/build --build-arg=RUNTIME_IMAGE=${host}/runtime:1`,
      RELEASE_PUSH_OPTIONS: '--tls-verify=false',
    });
    const [, digest = ''] = /^127\.0\.0\.1:\d+\/acme\/apk-beacon@(sha256:[0-9a-f]{64})\n$/.exec(stdout) ?? [];
    const index = await manifest<Index>(`manifests/${digest}`);
    expect(index.manifests.map(({ platform }) => platform.architecture).toSorted()).toEqual([
      'amd64',
      'arm64',
    ]);
    expect(await manifest<Index>(`manifests/${current}`)).toEqual(index);
    expect(await manifest<Index>('manifests/latest')).toEqual(index);
    for (const each of index.manifests) {
      const { config } = await manifest<{ config: { digest: string } }>(`manifests/${each.digest}`);
      const image = await manifest<{ architecture: string; created: string; config: { Labels: object } }>(
        `blobs/${config.digest}`,
      );
      expect(image.architecture).toBe(each.platform.architecture);
      expect(image.config.Labels).toMatchObject({
        'org.opencontainers.image.title': 'apk-beacon',
        'org.opencontainers.image.version': current,
        'org.opencontainers.image.source': 'https://gitlab.example.com/acme/apk-beacon',
        'org.opencontainers.image.revision': (await git('rev-parse', 'HEAD')).trim(),
      });
    }
  }, 600_000);
});

interface Workflow {
  readonly jobs: Record<
    string,
    { readonly steps?: readonly { readonly run?: string; readonly uses?: string }[] }
  >;
}

describe.skipIf(!haveTools(parser, 'actionlint', 'shellcheck'))('the pipelines', () => {
  async function gitlabJobs(variables: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const given = Object.entries(variables).flatMap(([name, value]) => ['--variable', `${name}=${value}`]);
    const text = await run(process.execPath, [parser, '--list-csv', ...given], { cwd: project });
    return text
      .split('\n')
      .filter((line) => /^[a-z][^;]*;/.test(line) && !line.startsWith('name;'))
      .map((line) => line.replace(/;.*/, ''));
  }
  const checks = [
    'check',
    'suite: [reliability]',
    'suite: [renovate]',
    'suite: [operate]',
    'suite: [companion]',
    'suite: [browser]',
    'suite: [chain]',
  ];

  test('on GitLab are checks and suites for a change, and all of a release for a tag', async () => {
    expect(await gitlabJobs({ CI_PIPELINE_SOURCE: 'merge_request_event' })).toEqual(checks);
    const tagged = await gitlabJobs({ CI_COMMIT_TAG: 'v1.2.3' });
    expect(tagged.toSorted()).toEqual(
      [...checks, 'tag', 'container-image', 'npm-package', 'notes', 'release'].toSorted(),
    );
  });

  test('on GitHub are workflows without a fault, whose scripts shellcheck has read', async () => {
    const files = [
      '.github/workflows/check.yml',
      '.github/workflows/release.yml',
      'deploy/github/renovate.yml',
    ];
    await run('actionlint', files);
    const broken = join(await temporaryFolder(), 'broken.yml');
    await writeFile(
      broken,
      (await readFile('.github/workflows/release.yml', 'utf8')).replace('needs: check', 'needs: chek'),
    );
    await expect(run('actionlint', [broken])).rejects.toThrow();
  });

  test('run the same scripts', async () => {
    const gitlab = parse(await readFile('.gitlab-ci.yml', 'utf8')) as Record<string, { script?: string[] }>;
    const lines = Object.values(gitlab).flatMap(({ script = [] }) => script);
    const github = await Promise.all(
      ['check', 'release'].map(async (name) => {
        const { jobs } = parse(await readFile(`.github/workflows/${name}.yml`, 'utf8')) as Workflow;
        return Object.values(jobs).flatMap(({ steps = [] }) =>
          steps.flatMap(({ run: script = '' }) => script.split('\n')),
        );
      }),
    );
    const steps = (scripts: readonly string[]): readonly string[] =>
      [
        ...new Set(
          scripts.flatMap((line) => /\.ci\/release \w+|npm run \w+|bash "\.ci\/\$SUITE"/.exec(line) ?? []),
        ),
      ].toSorted();
    // GitLab has no release page that is the latest.
    expect(steps(github.flat())).toEqual([...steps(lines), '.ci/release latest'].toSorted());
    expect(steps(lines)).toEqual([
      '.ci/release check',
      '.ci/release image',
      '.ci/release notes',
      '.ci/release npm',
      '.ci/release sign',
      'bash ".ci/$SUITE"',
      'npm run check',
      'npm run demo',
    ]);
  });

  test('scripts are without a fault', async () => {
    await run('shellcheck', [
      '.ci/browser',
      '.ci/debian',
      '.ci/node',
      '.ci/operate',
      '.ci/release',
      '.ci/reliability',
      '.ci/renovate',
      '.ci/run',
      'test/operate/local-images.sh',
      'test/operate/run-image.sh',
    ]);
  });
});
