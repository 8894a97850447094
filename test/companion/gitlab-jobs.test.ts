/**
 * What the jobs of deploy/gitlab/images do: their scripts as GitLab runs them, in a repository with a history. apko and
 * cosign are stand-ins that write down their arguments.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

import { resolveDefinition } from '../../companion/include.ts';
import { imagePipeline, toImage } from '../../companion/jobs.ts';
import { buildApk, signingKey } from '../support/apk-repository.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';
import { environment, mustRun, run, temporaryFolder, type Ran } from './tools.ts';

const shipped = resolve('deploy/gitlab/images');

interface Job {
  readonly rules?: readonly { readonly if: string; readonly when?: string }[];
  readonly when?: string;
  readonly extends?: string;
  readonly before_script?: readonly string[];
  readonly script?: readonly string[];
}

const jobsOf = (file: string) => parse(readFileSync(join(shipped, file), 'utf8')) as Record<string, Job>;

const { variables } = parse(readFileSync(join(shipped, '.gitlab-ci.yml'), 'utf8')) as {
  variables: Record<string, string>;
};

/** What README.md adds to `renovate.json`. */
const renovateConfig = JSON.parse(
  /```json\n([^]*?)```/.exec(readFileSync(join(shipped, 'README.md'), 'utf8'))?.[1] ?? '',
) as { gitIgnoredAuthors: string[]; customManagers: [{ matchStrings: [string] }] };

/** What of the variables does not depend on others. */
const plainVariables = Object.fromEntries(
  Object.entries(variables)
    .map(([name, value]) => [name, String(value)])
    .filter(([, value]) => !value?.includes('$')),
) as Record<string, string>;

describe('jobs', () => {
  let work: string;
  let bin: string;
  let home: string;
  /** The repository in GitLab, behind its address. */
  let project: string;

  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    writeFileSync(join(work, path), text);
  };
  const read = (path: string) => readFileSync(join(work, path), 'utf8');
  const gitAt = (date: string, ...args: string[]) =>
    mustRun('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-C', work, ...args], {
      env: { ...environment, GIT_COMMITTER_DATE: date },
    }).stdout.trim();
  const git = (...args: string[]) => gitAt('', ...args);
  const commit = (date = '') => {
    git('add', '--all');
    gitAt(date, 'commit', '--quiet', '--allow-empty', '--message', 'change');
    return git('rev-parse', 'HEAD');
  };
  const command = (name: string, script: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  };

  beforeEach(() => {
    work = temporaryFolder();
    bin = temporaryFolder();
    home = temporaryFolder();
    project = temporaryFolder();
    mustRun('git', ['init', '--quiet', '--bare', '--initial-branch=main', project]);
    mustRun('git', ['-C', project, 'config', 'receive.advertisePushOptions', 'true']);
    const address = 'https://lock:secret@gitlab.example.org:8443/gitlab/acme/images.git';
    writeFileSync(
      join(home, '.gitconfig'),
      `[url "${project}"]\ninsteadOf = ${address}\n[safe]\ndirectory = ${project}\n`,
    );
    command('apk-beacon-images', `exec '${process.execPath}' '${resolve('companion/main.ts')}' "$@"`);
    git('init', '--quiet', '--initial-branch=main');
    cpSync(join(shipped, '.gitlab'), join(work, '.gitlab'), { recursive: true });
    cpSync(join(shipped, '.gitlab-ci.yml'), join(work, '.gitlab-ci.yml'));
    write('images/niri.yaml', 'contents: { packages: [niri=26.04-r0] }\ncmd: init');
    for (const name of ['one', 'two']) {
      write(`packages/${name}.yaml`, `package: { name: ${name}, version: "1", epoch: 0 }`);
    }
  });

  /** Runs a job's script as GitLab's runner does, in a checkout that belongs to somebody else. */
  const runJob = (file: string, name: string, env: Readonly<Record<string, string>>): Ran => {
    const jobs = jobsOf(file);
    const job = jobs[name] ?? {};
    const base = jobs[job.extends ?? ''] ?? {};
    const steps = [...(job.before_script ?? base.before_script ?? []), ...(job.script ?? [])];
    const own = {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      HOME: home,
      GIT_TEST_ASSUME_DIFFERENT_OWNER: '1',
    };
    return run('sh', ['-e', '-c', steps.join('\n')], {
      cwd: work,
      env: { ...plainVariables, ...own, ...env },
    });
  };

  describe('generate', () => {
    const generate = (env: Readonly<Record<string, string>>) => {
      const ran = runJob('.gitlab-ci.yml', 'generate', env);
      expect(ran.status, ran.output).toBe(0);
      return ['images', 'packages'].flatMap((kind) =>
        Object.keys(parse(read(`${kind}.generated.yml`)) as object).filter((job) =>
          /^(build|publish):[^:]+(:x86_64)?$/.test(job),
        ),
      );
    };
    const mergeRequest = (base: string) =>
      generate({ CI_PIPELINE_SOURCE: 'merge_request_event', CI_MERGE_REQUEST_DIFF_BASE_SHA: base });

    it('builds what a file has left, and what has one with an unusual name', () => {
      write('packages/one/config', 'the same in both places\n');
      const base = commit();
      mkdirSync(join(work, 'packages/two'));
      renameSync(join(work, 'packages/one/config'), join(work, 'packages/two/config'));
      const moved = commit();
      expect(mergeRequest(base)).toEqual(['build:one:x86_64', 'build:two:x86_64']);
      write('packages/two/größe', '');
      commit();
      expect(mergeRequest(moved)).toEqual(['build:two:x86_64']);
    });

    it.each([
      ['images', 'packages', ['build:one:x86_64', 'build:two:x86_64']],
      ['packages', 'images', ['build:niri']],
    ])('works in a repository without %s, which has only %s', (absent, _present, jobs) => {
      rmSync(join(work, absent), { recursive: true });
      commit();
      expect(mergeRequest('')).toEqual(jobs);
    });

    it('builds what a push has changed, and all if its start is not known', () => {
      const base = commit();
      write('images/niri.yaml', 'contents: { packages: [niri=26.04-r1] }\ncmd: init');
      commit();
      const push = (before: string) => generate({ CI_PIPELINE_SOURCE: 'push', CI_COMMIT_BEFORE_SHA: before });
      expect(push(base)).toEqual(['publish:niri']);
      expect(push('0'.repeat(40))).toEqual(['publish:niri', 'build:one:x86_64', 'build:two:x86_64']);
    });

    it.each(['schedule', 'web', 'api', 'trigger'])(
      'builds all images and no package in a pipeline of %s',
      (source) => {
        commit();
        expect(generate({ CI_PIPELINE_SOURCE: source, CI_COMMIT_BEFORE_SHA: '0'.repeat(40) })).toEqual([
          'publish:niri',
        ]);
      },
    );

    describe('with a repository', () => {
      let env: Record<string, string>;

      beforeEach(async () => {
        env = { APK_REPOSITORIES: join(work, 'apks') };
        for (const arch of ['x86_64', 'aarch64']) {
          mkdirSync(join(work, 'apks', arch), { recursive: true });
          const published = [pkg('one', '1-r0', { A: arch }), pkg('two', '0-r0', { A: arch })];
          writeFileSync(join(work, 'apks', arch, 'APKINDEX.tar.gz'), await signedIndex(published));
        }
      });

      it('makes up at night for packages that a failed pipeline left out', () => {
        commit();
        expect(generate({ ...env, CI_PIPELINE_SOURCE: 'schedule' })).toEqual([
          'publish:niri',
          'build:two:x86_64',
        ]);
      });

      it('refuses a merge request that changes a published package without a new version', () => {
        const base = commit();
        write('packages/one/config', '');
        const request = { CI_PIPELINE_SOURCE: 'merge_request_event', CI_MERGE_REQUEST_DIFF_BASE_SHA: base };
        commit();
        expect(runJob('.gitlab-ci.yml', 'generate', { ...env, ...request })).toMatchObject({
          status: 1,
          output: expect.stringContaining('one-1-r0 is published already; raise') as string,
        });
        write('packages/one.yaml', 'package: { name: one, version: "1", epoch: 1 }');
        commit();
        expect(generate({ ...env, ...request })).toEqual(['build:one:x86_64']);
      });

      it('builds nothing of the target where the checkout is merged with it', () => {
        const base = commit();
        git('checkout', '--quiet', '-b', 'target');
        write('packages/one/config', 'published by now');
        const target = commit();
        git('checkout', '--quiet', base);
        write('packages/two/config', 'of the branch');
        commit();
        git('merge', '--quiet', '--no-edit', target);
        const request = {
          CI_PIPELINE_SOURCE: 'merge_request_event',
          CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
          CI_MERGE_REQUEST_TARGET_BRANCH_SHA: target,
        };
        expect(generate({ ...env, ...request })).toEqual(['build:two:x86_64']);
      });
    });
  });

  it('updates images and locks at night although a package cannot be built', () => {
    const { images, 'lock:refresh': refresh } = jobsOf('.gitlab-ci.yml');
    expect(images?.when).toBe('always');
    expect(refresh?.rules?.map((rule) => rule.when)).toEqual(['always']);
  });

  describe('lock', () => {
    /** As apko writes it: with a checksum of the definition, and the versions that are published now. */
    const lockScript = (published: string) =>
      [
        'for definition; do :; done',
        `printf '    "checksum": "%s"\\n${published}\\n' "$(cksum < "$definition")" > "\${definition%.yaml}.lock.json"`,
      ].join('\n');
    const fresh = / {4}"checksum": ".+"\nfresh\n$/;

    /** What is in branches of the project after the job. */
    const lock = (env: Readonly<Record<string, string>>) => {
      command('apko', lockScript('fresh'));
      commit();
      git('push', '--quiet', project, 'HEAD:refs/heads/main');
      write('images/niri.yaml', 'contents: { packages: [niri=26.04-r1] }');
      const request = commit();
      const ran = runJob('.gitlab/images.yml', '.lock-images', {
        IMAGES: 'niri',
        LOCK_TOKEN: 'secret',
        CI_PROJECT_ID: '1',
        CI_MERGE_REQUEST_SOURCE_PROJECT_ID: '1',
        CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: 'renovate/niri',
        CI_SERVER_HOST: 'gitlab.example.org',
        CI_PROJECT_PATH: 'acme/images',
        CI_PROJECT_URL: 'https://gitlab.example.org:8443/gitlab/acme/images',
        ...env,
      });
      const branches = mustRun('git', ['-C', project, 'branch', '--format=%(refname:short)']).stdout;
      return { ...ran, request, branches: branches.trim().split('\n') };
    };

    it('pushes fresh locks to the branch of the merge request, wherever GitLab is', () => {
      const { status, output, branches, request } = lock({});
      expect(branches, output).toEqual(['main', 'renovate/niri']);
      const show = (what: string) => mustRun('git', ['-C', project, 'show', ...what.split(' ')]).stdout;
      expect(show('renovate/niri:images/niri.lock.json')).toMatch(fresh);
      expect(mustRun('git', ['-C', project, 'rev-parse', 'renovate/niri~']).stdout.trim()).toBe(request);
      // Whom Renovate is told to ignore.
      expect(show('--no-patch --format=%ae%n%ce renovate/niri')).toMatch(/^(apko-lock@.+\n){2}$/);
      expect(renovateConfig.gitIgnoredAuthors).toEqual(['apko-lock@*']);
      // The pipeline of the new commit goes on.
      expect(status).toBe(1);
    });

    it('leaves a lock of the same definition, although newer packages are published', () => {
      write('images/bootc.yaml', 'contents: { packages: [bootc=1.16.9-r0] }');
      command('apko', lockScript('older'));
      for (const name of ['bootc', 'niri'])
        mustRun(join(bin, 'apko'), [`${name}.yaml`], { cwd: join(work, 'images') });
      const { output, request } = lock({ IMAGES: 'bootc niri' });
      const changed = mustRun('git', ['-C', project, 'diff', '--name-only', request, 'renovate/niri']);
      expect(changed.stdout, output).toBe('images/niri.lock.json\n');

      git('pull', '--quiet', project, 'renovate/niri');
      command('apko', lockScript('newer'));
      const again = runJob('.gitlab/images.yml', '.lock-images', { IMAGES: 'bootc niri' });
      expect(again.status, again.output).toBe(0);
    });

    it('pushes a lock whose name git would quote', () => {
      write('images/café.yaml', 'contents: { packages: [caddy=2.11.4-r2] }');
      const { output } = lock({ IMAGES: 'café' });
      const show = mustRun('git', ['-C', project, 'show', 'renovate/niri:images/café.lock.json']);
      expect(show.stdout, output).toMatch(fresh);
    });

    it('pushes nothing but the locks where the checkout is merged with the target', () => {
      write('images/bootc.lock.json', 'old');
      const own = commit();
      git('checkout', '--quiet', '-b', 'target');
      write('images/bootc.lock.json', 'of the target');
      commit();
      git('checkout', '--quiet', own);
      write('README.md', 'of the branch');
      const source = commit();
      git('merge', '--quiet', '--no-edit', 'target');
      const { output } = lock({ CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: source });
      const show = mustRun('git', ['-C', project, 'diff', '--name-status', source, 'renovate/niri']);
      expect(show.stdout, output).toBe('A\timages/niri.lock.json\n');
      expect(mustRun('git', ['-C', project, 'rev-parse', 'renovate/niri~']).stdout.trim()).toBe(source);
    });

    it("pushes nothing of a fork, whose branch may have the name of one of the project's", () => {
      const fork = { CI_MERGE_REQUEST_SOURCE_PROJECT_ID: '2', CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: 'main' };
      const { status, output } = lock(fork);
      expect(mustRun('git', ['-C', project, 'log', '--format=%s', 'main']).stdout).toBe('change\n');
      expect(status).toBe(1);
      expect(output).toContain('the locks are stale');
    });

    it('writes no password into a lock', () => {
      const repositories = 'https://apks.example.org/wolfi@7d https://reader:password@apks.example.org/os';
      const { status, output, branches } = lock({ APK_REPOSITORIES: repositories });
      expect({ status, branches }).toEqual({ status: 1, branches: ['main'] });
      expect(output).toContain('HTTP_AUTH');
      expect(output).not.toContain('reader:');
      expect(existsSync(join(work, 'images/niri.lock.json'))).toBe(false);
      expect(lock({ APK_REPOSITORIES: 'https://apks.example.org/wolfi@7d' }).branches).toContain(
        'renovate/niri',
      );
    });

    it('has no job at night that could only fail, without a token', () => {
      const { 'lock:refresh': refresh } = jobsOf('.gitlab-ci.yml');
      expect(refresh?.rules).toMatchObject([{ if: '$CI_PIPELINE_SOURCE == "schedule" && $LOCK_TOKEN' }]);
    });

    it('opens a merge request at night, which merges itself if a token that may merge is there', () => {
      writeFileSync(join(project, 'hooks/pre-receive'), `#!/bin/sh\nenv > '${home}/push'\n`, { mode: 0o755 });
      const other = 'https://lock:merging@gitlab.example.org:8443/gitlab/acme/images.git';
      writeFileSync(join(home, '.gitconfig'), `[url "${project}"]\ninsteadOf = ${other}\n`, { flag: 'a' });
      commit();
      const optionsWith = (tokens: Readonly<Record<string, string>>) => {
        command('apko', lockScript(JSON.stringify(tokens)));
        const ran = runJob('.gitlab-ci.yml', 'lock:refresh', {
          CI_DEFAULT_BRANCH: 'main',
          CI_SERVER_HOST: 'gitlab.example.org',
          CI_PROJECT_URL: 'https://gitlab.example.org:8443/gitlab/acme/images',
          ...tokens,
        });
        expect(ran.status, ran.output).toBe(0);
        const received = readFileSync(join(home, 'push'), 'utf8');
        return [...received.matchAll(/^GIT_PUSH_OPTION_\d+=(.*)$/gm)].map(([, option]) => option).sort();
      };
      const opened = [
        'merge_request.create',
        'merge_request.remove_source_branch',
        'merge_request.target=main',
        'merge_request.title=chore(images): refresh the locks',
      ];
      expect(optionsWith({ LOCK_TOKEN: 'secret' })).toEqual(opened);
      // Only the second token's address leads to the project.
      rmSync(join(home, 'push'));
      expect(optionsWith({ LOCK_TOKEN: 'unknown', MERGE_TOKEN: 'merging' })).toEqual([
        'merge_request.auto_merge',
        ...opened,
      ]);
    });

    it('refreshes the other locks at night if one definition cannot be locked, and fails', () => {
      write('images/bootc.yaml', 'contents: { packages: [bootc=1.16.9-r0] }');
      const withdrawn = 'case $* in *bootc.yaml) echo "bootc=1.16.9-r0: not found" >&2; exit 1 ;; esac';
      command('apko', `${withdrawn}\n${lockScript('newer')}`);
      commit();
      const { status, output } = runJob('.gitlab-ci.yml', 'lock:refresh', {
        CI_DEFAULT_BRANCH: 'main',
        CI_SERVER_HOST: 'gitlab.example.org',
        CI_PROJECT_URL: 'https://gitlab.example.org:8443/gitlab/acme/images',
        LOCK_TOKEN: 'secret',
      });
      expect({ status, output }).toMatchObject({ status: 1 });
      expect(output).toContain('no fresh lock of bootc.yaml');
      const changed = mustRun('git', ['-C', project, 'show', '--format=', '--name-only', 'apko-lock']).stdout;
      expect(changed).toBe('images/niri.lock.json\n');
    });

    it('says what to do without a token, in a repository that has no Justfile', () => {
      const { output } = lock({ LOCK_TOKEN: '' });
      const [, called] = /^ {2}(\S.*)$/m.exec(output) ?? [];
      git('checkout', '--quiet', '.');
      const ran = run('sh', ['-c', called ?? ''], {
        cwd: work,
        env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
      });
      expect(ran.status, ran.output).toBe(0);
      expect(read('images/niri.lock.json')).toMatch(fresh);
    });
  });

  describe('publish', () => {
    /** What apko is called with by a job of this commit, and what is signed. */
    const publish = (commit: string, env: Readonly<Record<string, string>> = {}) => {
      git('push', '--quiet', project, 'HEAD:refs/heads/main');
      git('checkout', '--quiet', commit);
      command('cosign', `echo "$@ $(cat)" > '${work}/login.txt'`);
      command('apko', `echo "$@" >> '${work}/apko.txt'; echo digest > ../references.txt`);
      const ran = runJob('.gitlab/images.yml', '.publish-image', {
        IMAGE: 'niri',
        FILES: 'images/niri.yaml images/niri.lock.json',
        TAGS: 'latest 26.04-r0',
        REGISTRY: 'registry.example.org/acme',
        CI_REPOSITORY_URL: project,
        CI_DEFAULT_BRANCH: 'main',
        CI_REGISTRY: 'registry.example.org',
        CI_REGISTRY_USER: 'ci',
        CI_REGISTRY_PASSWORD: 'of the job',
        ...env,
      });
      return {
        ...ran,
        login: existsSync(join(work, 'login.txt')) ? read('login.txt') : '',
        apko: existsSync(join(work, 'apko.txt')) ? read('apko.txt') : '',
        signed: existsSync(join(work, 'references.txt')) ? read('references.txt') : '',
      };
    };

    it('publishes under every tag, also if a newer commit has changed something else', () => {
      const own = commit();
      write('images/bootc.yaml', 'contents: { packages: [bootc=1-r0] }');
      commit();
      const { status, output, apko, signed } = publish(own, {
        APK_REPOSITORIES: 'https://apks.example.org/a https://apks.example.org/b',
        APK_KEYS: 'https://apks.example.org/own.rsa.pub',
      });
      expect(status, output).toBe(0);
      expect(apko).toContain(
        ' -b https://apks.example.org/a -b https://apks.example.org/b -k https://apks.example.org/own.rsa.pub ',
      );
      const references = ['latest', '26.04-r0'].map((tag) => `registry.example.org/acme/niri:${tag}`);
      expect(apko).toMatch(new RegExp(`^publish .* niri.yaml ${references.join(' ')}\\n$`));
      expect(signed).toBe('digest\n');
    });

    const other = { REGISTRY: 'ghcr.io/acme', REGISTRY_USER: 'acme', REGISTRY_PASSWORD: 'secret' };

    it("logs in to the project's registry, or to another one with its own password only", () => {
      expect(publish(commit()).login).toBe(
        'login registry.example.org --username ci --password-stdin of the job\n',
      );
      expect(publish(commit(), other).login).toBe('login ghcr.io --username acme --password-stdin secret\n');
    });

    it('signs each digest once with the identity of the job, which cosign would do every night', () => {
      write('references.txt', 'new\nsigned\n');
      const identity = 'gitlab.example.org/acme/images//.gitlab-ci.yml@refs/heads/main';
      const verified = `verify --certificate-oidc-issuer https://gitlab.example.org --certificate-identity https://${identity} signed`;
      command('cosign', `echo "$@" >> '${work}/cosign.txt'; [ "$1" != verify ] || [ "$*" = '${verified}' ]`);
      const sign = (env: Readonly<Record<string, string>>) => {
        rmSync(join(work, 'cosign.txt'), { force: true });
        const ran = runJob('.gitlab/images.yml', '.sign-image', {
          ...other,
          CI_SERVER_URL: 'https://gitlab.example.org',
          ...env,
        });
        expect(ran.status, ran.output).toBe(0);
        const [login, ...calls] = read('cosign.txt').trim().split('\n');
        expect(login).toMatch(/^login ghcr\.io /);
        return calls.filter((call) => call.startsWith('sign '));
      };
      // In the form that bootc and podman find.
      const signs = 'sign --yes --new-bundle-format=false --use-signing-config=false';
      expect(sign({ CI_CONFIG_REF_URI: identity })).toEqual([`${signs} new`]);
      // Before GitLab 18.11.
      expect(sign({})).toEqual([`${signs} new`, `${signs} signed`]);
      expect(sign({ COSIGN_PRIVATE_KEY: 'key' })).toEqual(
        ['new', 'signed'].map((digest) => `${signs} --key env://COSIGN_PRIVATE_KEY ${digest}`),
      );
    });

    it('fails if a digest could not be signed', () => {
      write('references.txt', 'one\ntwo\n');
      command('cosign', `case "$*" in sign*one | verify*) exit 1 ;; esac`);
      expect(runJob('.gitlab/images.yml', '.sign-image', other).status).toBe(1);
    });

    it('leaves the image to the pipeline of a newer commit that changes it, which may have come first', () => {
      const own = commit();
      write('images/niri.lock.json', '{}');
      commit();
      expect(publish(own)).toMatchObject({ status: 0, apko: '', signed: '' });
    });

    it('knows a newer commit by a file with a blank or a dollar sign in its name', () => {
      const base = "the $base's [1].yaml";
      write('images/niri.yaml', `include: "${base}"`);
      write(`images/${base}`, 'cmd: init');
      const resolved = resolveDefinition('niri.yaml', (file) => read(`images/${file}`));
      const { 'publish:niri': job } = imagePipeline([toImage('images', resolved)], 'everything', 'publish');
      const { FILES } = (job as { variables: { FILES: string } }).variables;
      expect(FILES).not.toContain('$');
      const own = commit();
      write(`images/${base}`, 'cmd: sh');
      commit();
      expect(publish(own, { FILES })).toMatchObject({ status: 0, apko: '', signed: '' });
    });

    it('publishes nothing if it cannot find out whether there is a newer commit', () => {
      const { status, apko } = publish(commit(), { FILES: ':(nonsense)images/niri.yaml' });
      expect(apko).toBe('');
      expect(status).not.toBe(0);
    });

    it('gives apko, which is started in images/, and melange the same file as a key', () => {
      write('keys/own.rsa.pub', 'a key');
      write('built/x86_64/one-1-r0.apk', 'one');
      const keys = { APK_KEYS: `keys/own.rsa.pub ${join(work, 'keys/own.rsa.pub')}` };
      const { apko, output } = publish(commit(), keys);
      const named = (called: string, option: string) =>
        [...called.matchAll(new RegExp(` ${option} (\\S+)`, 'g'))].map(([, path = '']) => path);
      expect(
        named(apko, '-k').map((key) => readFileSync(resolve(work, 'images', key), 'utf8')),
        output,
      ).toEqual(['a key', 'a key']);
      command('melange', `[ "$1" != build ] || echo "$@" > '${work}/melange.txt'`);
      const built = runJob('.gitlab/packages.yml', '.build-package', {
        ARCH: 'x86_64',
        PACKAGE: 'one',
        ...keys,
      });
      expect(built.status, built.output).toBe(0);
      const own = named(read('melange.txt'), '--keyring-append').filter((key) => key.endsWith('own.rsa.pub'));
      expect(own.map((key) => readFileSync(resolve(work, key), 'utf8'))).toEqual(['a key', 'a key']);
    });

    it.each(['APK_REPOSITORIES', 'APK_KEYS'])(
      "publishes no password of %s, which apko would write into the image's /etc/apko.json",
      (variable) => {
        const address = 'https://reader:password@apks.example.org/os';
        expect(publish(commit(), { [variable]: address })).toMatchObject({ status: 1, apko: '' });
      },
    );
  });

  it('tests the version that was built, not a newer one of another repository', () => {
    const query = `[ "$1" != query ] || echo one=1-r0`;
    command('melange', `${query}; [ "$1" != test ] || echo "$@" > '${work}/melange.txt'`);
    const { status, output } = runJob('.gitlab/packages.yml', '.test-package', {
      ARCH: 'x86_64',
      PACKAGE: 'one',
    });
    expect(status, output).toBe(0);
    expect(read('melange.txt')).toMatch(/ packages\/one\.yaml one=1-r0\n$/);
  });

  it('has its images, pinned by digest, found by the manager of README.md', () => {
    const [{ matchStrings }] = renovateConfig.customManagers;
    const digest = `sha256:${'0a'.repeat(32)}`;
    const pinned = readFileSync(join(shipped, '.gitlab-ci.yml'), 'utf8').replace(
      /\$CI_REGISTRY_IMAGE\/(?:apko|melange):latest/g,
      (image) => image.replace('$CI_REGISTRY_IMAGE', 'registry.example.org:5000/hosts') + `@${digest}`,
    );
    const found = [...pinned.matchAll(new RegExp(matchStrings[0], 'g'))].map(({ groups }) => ({ ...groups }));
    expect(found).toEqual(
      ['apko', 'melange'].map((name) => ({
        depName: `registry.example.org:5000/hosts/${name}`,
        currentValue: 'latest',
        currentDigest: digest,
      })),
    );
  });

  describe('publishing packages', () => {
    const publish = (repository: string, env: Readonly<Record<string, string>> = {}) => {
      command(
        'melange',
        `for argument; do [ "$last" != -o ] || echo index > "$argument"; last=$argument; done
        ! flock -n '${repository}/.lock' true || echo unlocked`,
      );
      write('key.rsa', 'private');
      return runJob('.gitlab/packages.yml', '.publish-packages', {
        APK_REPOSITORY_DIR: repository,
        APK_SIGNING_KEY: 'key.rsa',
        ...env,
      });
    };
    const there = (repository: string) =>
      readdirSync(repository, { recursive: true })
        .filter((path) => path !== '.lock')
        .toSorted();

    it('refuses a runner without the repository, instead of making one', () => {
      write('built/x86_64/one-1-r0.apk', 'one');
      const repository = join(temporaryFolder(), 'apks');
      expect(publish(repository)).toMatchObject({
        status: 1,
        output: expect.stringContaining('no directory') as string,
      });
      expect(existsSync(repository)).toBe(false);
    });

    it('refuses a key by whose name apko would not find the signature', () => {
      write('built/x86_64/one-1-r0.apk', 'one');
      const repository = temporaryFolder();
      expect(publish(repository, { APK_KEY_NAME: 'packages-2026' })).toMatchObject({
        status: 1,
        output: expect.stringContaining('it must end in .rsa') as string,
      });
      expect(there(repository)).toEqual([]);
      expect(publish(repository, { APK_KEY_NAME: 'packages-2026.rsa' })).toMatchObject({ status: 0 });
    });

    /** A package that a job has built, with a key of its own, of sources that were changed then. */
    const built = async (name: string, changed: number) => {
      const apk = { name, version: '1-r0', arch: 'x86_64', buildDate: changed };
      return (await buildApk(apk, signingKey())).bytes;
    };
    const apk = (folder: string, name: string) => join(folder, `x86_64/${name}-1-r0.apk`);

    /** `one`, which is new, and `two`, which another pipeline has published already, of its sources as they were then. */
    const publishBoth = async (changed: number, published: Buffer) => {
      mkdirSync(join(work, 'built/x86_64'), { recursive: true });
      for (const name of ['one', 'two']) {
        writeFileSync(apk(join(work, 'built'), name), await built(name, changed));
      }
      const repository = temporaryFolder();
      mkdirSync(join(repository, 'x86_64'));
      writeFileSync(apk(repository, 'two'), published);
      return { repository, ...publish(repository) };
    };

    it('leaves nothing behind when one of its packages is published already, from other sources', async () => {
      for (const published of [await built('two', 1), Buffer.from('no package')]) {
        const { repository, status, output } = await publishBoth(2, published);
        expect({ status, output }).toEqual({
          status: 1,
          output: expect.stringContaining('two-1-r0.apk is published already') as string,
        });
        expect(there(repository)).toEqual(['x86_64', 'x86_64/two-1-r0.apk']);
        expect(readFileSync(apk(repository, 'two'))).toEqual(published);
      }
    });

    it('goes on where a job was stopped, and where another pipeline built the same', async () => {
      const published = await built('two', 1);
      const { repository, status, output } = await publishBoth(1, published);
      expect(status, output).toBe(0);
      // A job of another project would wait.
      expect(output).not.toContain('unlocked');
      expect(there(repository)).toEqual([
        'x86_64',
        ...['APKINDEX.tar.gz', 'one-1-r0.apk', 'two-1-r0.apk'].map((name) => `x86_64/${name}`),
      ]);
      // Hosts may have it already.
      expect(readFileSync(apk(repository, 'two'))).toEqual(published);
      // What goes into the index.
      expect(readFileSync(apk(join(work, 'built'), 'two'))).toEqual(published);
    });

    it('knows the same sources at a later commit, and others by their date', () => {
      command('melange', `[ "$1" != build ] || echo "$SOURCE_DATE_EPOCH" >> '${work}/dates.txt'`);
      write('built/x86_64/one-1-r0.apk', '');
      const change = (second: number, path: string) => {
        write(path, 'changed');
        commit(`@${second} +0000`);
        const ran = runJob('.gitlab/packages.yml', '.build-package', { ARCH: 'x86_64', PACKAGE: 'one' });
        expect(ran.status, ran.output).toBe(0);
      };
      change(1001, 'packages/one.yaml');
      change(1002, 'packages/two.yaml');
      change(1003, 'packages/one/config');
      expect(read('dates.txt')).toBe('1001\n1001\n1003\n');
    });
  });
});
