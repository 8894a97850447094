/** The metadata of a release: one version everywhere, notes from the changelog, the source of an image. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { provenance } from '../scripts/provenance.ts';
import { releaseNotes } from '../scripts/release-notes.ts';
import { only, packageOf } from '../scripts/sbom.ts';
import {
  apkVersion,
  packageVersion,
  places,
  releasedChangelog,
  versionsIn,
  withVersion,
} from '../scripts/version.ts';

const read = (file: string): string => readFileSync(file, 'utf8');

describe('the version', () => {
  test.each(places)('%s has that of package.json', (file, pattern) => {
    expect(withVersion(file, pattern, read(file), packageVersion())).toBe(read(file));
  });

  test('the lock file has it too', () => {
    const { version, packages } = JSON.parse(read('package-lock.json')) as {
      version: string;
      packages: Record<string, { version: string }>;
    };
    expect([version, packages['']?.version]).toEqual([packageVersion(), packageVersion()]);
  });

  test('is named by no other file', () => {
    const files = execFileSync('git', ['grep', '-lIE', 'apk-beacon[:@=]v?[0-9]+\\.[0-9]+'], {
      encoding: 'utf8',
    });
    const known = new Set(places.map(([file]) => file));
    expect(
      files
        .trim()
        .split('\n')
        .filter((file) => !known.has(file) && !file.startsWith('test/')),
    ).toEqual([]);
  });

  test.each(places)('a new one is written to %s, and nothing else is changed', (file, pattern) => {
    const text = read(file);
    const next = withVersion(file, pattern, text, '12.34.56');
    expect(new Set(versionsIn(file, pattern, next))).toEqual(new Set(['12.34.56']));
    expect(next).not.toContain(`apk-beacon:${packageVersion()}`);
    expect(withVersion(file, pattern, next, packageVersion())).toBe(text);
  });

  test('a pre-release is written as apk has it where apk reads it', () => {
    expect(apkVersion('1.0.0-rc.1')).toBe('1.0.0_rc1');
    const written = places.map(([file, pattern]) => {
      const next = withVersion(file, pattern, read(file), '1.0.0-rc.1');
      return [file, new Set(versionsIn(file, pattern, next))] as const;
    });
    expect(written.filter(([, versions]) => versions.has('1.0.0_rc1')).map(([file]) => file)).toEqual([
      'apkontainer.yaml',
      'deploy/apk/apk-beacon.yaml',
    ]);
  });

  test('a place without one is an error', () => {
    expect(() => versionsIn('README.md', /(?<=v)\d/, 'nothing')).toThrow('README.md: no version found');
  });
});

test('placeholders of the project’s addresses are where docs/release.md says, and nowhere else', () => {
  const rows = [...read('docs/release.md').matchAll(/^ {2}\| `([^`]*acme\/apk-beacon)` .*\| (.*) \|$/gm)];
  expect(rows).toHaveLength(4);
  for (const [, placeholder = '', places = ''] of rows) {
    const listed = [...places.matchAll(/`([\w./-]+\.\w+)`/g)].map(([, file]) => file);
    const found = execFileSync('git', ['grep', '-lF', placeholder, '--', ':!test', ':!docs/release.md'], {
      encoding: 'utf8',
    });
    expect(listed.toSorted(), placeholder).toEqual(found.trim().split('\n'));
  }
  expect(JSON.parse(read('package.json'))).not.toHaveProperty('repository');
});

test('GitLab and GitHub run every suite that .ci/run does', () => {
  const whole = read('.ci/run');
  const [, beside = ''] = /^for suite in (.+); do$/m.exec(whole) ?? [];
  const alone = [...whole.matchAll(/^step bash \.ci\/(\w+)$/gm)].map(([, suite]) => suite);
  const suites = [...beside.split(' '), ...alone].toSorted();
  expect(suites).toContain('chain');
  for (const file of ['.gitlab-ci.yml', '.github/workflows/check.yml']) {
    const [, matrix = ''] = /^ *(?:- )?suite: \[(.+)\]$/im.exec(read(file)) ?? [];
    expect(matrix.split(', ').toSorted(), file).toEqual(suites);
  }
});

test('git reads the checkout in the containers of GitHub’s jobs, where it belongs to another user', () => {
  const { env } = parse(read('.github/workflows/check.yml')) as { env: Record<string, unknown> };
  const variables = Object.entries(env).map(([name, value]) => [name, String(value)]);
  const args = ['config', '--get-all', 'safe.directory'];
  const options = { env: { PATH: process.env['PATH'], ...Object.fromEntries(variables) }, encoding: 'utf8' };
  expect(execFileSync('git', args, options as { encoding: 'utf8' }).trim()).toMatch(/^\*$/m);
});

test('releases of several lines do not wait for each other on GitHub, which would cancel one that waits', () => {
  const { concurrency } = parse(read('.github/workflows/release.yml')) as { concurrency: { group: string } };
  expect(concurrency.group).toContain('github.ref');
});

describe('the changelog', () => {
  const changelog =
    '# Changelog\n\n## Unreleased\n\n- A new thing.\n\n## 0.1.0 (2026-01-02)\n\n- The first\n  thing.\n\n## 0.0.1\n';

  test('may be in groups', () => {
    const grouped = '## Unreleased\n\n### Service\n\n- A new thing.\n\n## 0.1.0\n\n- The first.\n';
    const released = releasedChangelog(grouped, '0.2.0', '2026-11-25');
    expect(releaseNotes(released, '0.2.0')).toBe('### Service\n\n- A new thing.\n');
  });

  test('what is unreleased becomes this version’s', () => {
    expect(releasedChangelog(changelog, '0.2.0', '2026-11-25')).toContain(
      '## 0.2.0 (2026-11-25)\n\n- A new thing.',
    );
    expect(() =>
      releasedChangelog(changelog.replace('- A new thing.\n\n', ''), '0.2.0', '2026-11-25'),
    ).toThrow('nothing under ## Unreleased');
  });

  test('notes are the section of the version, and a version without is an error', () => {
    expect(releaseNotes(changelog, '0.1.0')).toBe('- The first\n  thing.\n');
    expect(() => releaseNotes(changelog, '0.0.1')).toThrow('no notes for 0.0.1');
    expect(() => releaseNotes(changelog, '0.1')).toThrow('no notes for 0.1');
  });

  test('there is something to release', () => {
    expect(releaseNotes(releasedChangelog(read('CHANGELOG.md'), '99.0.0', '2026-01-01'), '99.0.0')).toMatch(
      /^(?:### .+\n\n)?- /,
    );
  });
});

describe('provenance', () => {
  const build = {
    commit: 'a'.repeat(40),
    dockerfile: `ARG BUILD_IMAGE=docker.io/library/node:24@sha256:${'b'.repeat(64)}\nARG RUNTIME_IMAGE=gcr.io/node:24\n`,
    finishedOn: '2026-11-25T12:00:00.000Z',
  };
  const baseImages = [
    { uri: 'docker://docker.io/library/node:24', digest: { sha256: 'b'.repeat(64) } },
    { uri: 'docker://gcr.io/node:24' },
  ];

  test('names sources, base images and the job, on GitLab', () => {
    const environment = {
      GITLAB_CI: 'true',
      CI_PROJECT_URL: 'https://gitlab.example.com/acme/apk-beacon',
      CI_COMMIT_TAG: 'v0.1.0',
      CI_RUNNER_ID: '7',
      CI_JOB_URL: 'https://gitlab.example.com/acme/apk-beacon/-/jobs/42',
    };
    expect(provenance({ ...build, environment })).toEqual({
      buildDefinition: {
        buildType: `https://gitlab.example.com/acme/apk-beacon/blob/${build.commit}/.ci/release`,
        externalParameters: { source: 'https://gitlab.example.com/acme/apk-beacon', ref: 'refs/tags/v0.1.0' },
        resolvedDependencies: [
          {
            uri: 'git+https://gitlab.example.com/acme/apk-beacon@refs/tags/v0.1.0',
            digest: { gitCommit: build.commit },
          },
          ...baseImages,
        ],
      },
      runDetails: {
        builder: { id: 'https://gitlab.example.com/acme/apk-beacon/-/runners/7' },
        metadata: { invocationId: environment.CI_JOB_URL, finishedOn: build.finishedOn },
      },
    });
  });

  test('and on GitHub', () => {
    const environment = {
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'acme/apk-beacon',
      GITHUB_REF: 'refs/tags/v0.1.0',
      GITHUB_WORKFLOW_REF: 'acme/apk-beacon/.github/workflows/release.yml@refs/tags/v0.1.0',
      GITHUB_RUN_ID: '42',
      GITHUB_RUN_ATTEMPT: '1',
    };
    expect(provenance({ ...build, environment })).toMatchObject({
      buildDefinition: { resolvedDependencies: [{ digest: { gitCommit: build.commit } }, ...baseImages] },
      runDetails: {
        builder: { id: `https://github.com/${environment.GITHUB_WORKFLOW_REF}` },
        metadata: { invocationId: 'https://github.com/acme/apk-beacon/actions/runs/42/attempts/1' },
      },
    });
  });

  test('is not made elsewhere', () => {
    expect(() => provenance({ ...build, environment: {} })).toThrow('GITHUB_SERVER_URL is not set');
  });
});

describe('the SBOM', () => {
  const locked = {
    'node_modules/a': { version: '1.0.0' },
    'node_modules/a/node_modules/@scope/b': { version: '2.0.0' },
    'node_modules/@scope/b': { version: '3.0.0' },
  };

  test.each([
    ['src/main.ts', undefined],
    ['node_modules/a/index.js', 'a@1.0.0'],
    ['node_modules/@scope/b/lib/index.js', '@scope/b@3.0.0'],
    ['../elsewhere/node_modules/a/index.js', 'a@1.0.0'],
    ['node_modules/a/node_modules/@scope/b/lib/index.js', '@scope/b@2.0.0'],
  ])('%s is of %s', (file, name) => expect(packageOf(file, locked)).toBe(name));

  test('a package that the lock file does not name is an error', () => {
    expect(() => packageOf('node_modules/c/index.js', locked)).toThrow(
      'package-lock.json does not name node_modules/c',
    );
  });

  test('has only what files are of, and how that hangs together', () => {
    const component = (name: string) => ({ 'bom-ref': name });
    const bom = {
      metadata: { component: component('own@1') },
      components: ['a@1.0.0', '@scope/b@2.0.0', '@scope/b@3.0.0'].map(component),
      dependencies: [
        { ref: 'own@1', dependsOn: ['a@1.0.0', '@scope/b@3.0.0'] },
        { ref: 'a@1.0.0', dependsOn: ['@scope/b@2.0.0'] },
        { ref: '@scope/b@3.0.0', dependsOn: [] },
      ],
    };
    const files = ['src/main.ts', 'node_modules/a/index.js', 'node_modules/a/node_modules/@scope/b/index.js'];
    expect(only(bom, files, locked)).toEqual({
      ...bom,
      components: ['a@1.0.0', '@scope/b@2.0.0'].map(component),
      dependencies: [
        { ref: 'own@1', dependsOn: ['a@1.0.0'] },
        { ref: 'a@1.0.0', dependsOn: ['@scope/b@2.0.0'] },
      ],
    });
  });
});
