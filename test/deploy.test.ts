/** Files for deployment use existing metrics, in the same way everywhere. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { commands } from '../src/cli/commands.ts';
import { mayHavePins } from '../src/pins/read.ts';
import { startService } from './support/service.ts';

const rules = readFileSync('deploy/prometheus/apk-beacon.rules.yaml', 'utf8');
const operatorRule = readFileSync('deploy/kubernetes/monitoring/prometheusrule.yaml', 'utf8');
const dashboard = readFileSync('deploy/grafana/apk-beacon.json', 'utf8');

test('the PrometheusRule has the groups of the rules file', () => {
  const { spec } = parse(operatorRule) as { spec: { groups: unknown } };
  expect(spec.groups).toEqual((parse(rules) as { groups: unknown }).groups);
});

test('alerts and dashboard use metrics that the service has', async () => {
  await using service = await startService({
    config: { datasources: { one: { repositories: ['/nowhere'] } } },
  });
  const { body } = await service.get('/metrics');
  const known = [...body.matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['_bucket', '_count', '_sum'].map((suffix) => name + suffix) : [name],
  );
  for (const text of [rules, dashboard]) {
    const used = new Set(text.match(/\b(apk|http_server|process|nodejs)_[a-z0-9_]+/g));
    expect(used.size).toBeGreaterThan(5);
    expect([...used].filter((name) => !known.includes(name))).toEqual([]);
  }
});

test('the largest value of replicas in the dashboard is not that of several datasources', () => {
  const largest = [...dashboard.matchAll(/max by \(([^)]*)\)/g)].map(([, labels = '']) => labels.split(', '));
  expect(largest.length).toBeGreaterThan(3);
  // A repository is the same in each datasource.
  for (const labels of largest)
    expect(labels).toContainEqual(expect.stringMatching(/^(datasource|repository)$/));
});

test('everything that starts the service uses the Node flags of its first line', () => {
  const [, flags = ''] = /^#!\/usr\/bin\/env -S node (.*)\n/.exec(readFileSync('src/main.ts', 'utf8')) ?? [];
  expect(flags).toMatch(/^--/);
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  expect(scripts['start']).toBe(`exec node ${flags} src/main.ts`);
  expect(readFileSync('deploy/apk/files/apk-beacon', 'utf8')).toContain(`node ${flags} /usr/lib/`);
  const quoted = flags.split(' ').map((flag) => `"${flag}"`);
  expect(readFileSync('Dockerfile', 'utf8')).toContain(
    `ENTRYPOINT ["node", ${quoted.join(', ')}, "/usr/lib/`,
  );
});

test('each image that creates a cache folder configures the service to use it', () => {
  const { environment, paths } = parse(readFileSync('apkontainer.yaml', 'utf8')) as {
    environment: object;
    paths: { path: string }[];
  };
  const cacheDir = '/var/cache/apk-beacon';
  expect(paths.map(({ path }) => path)).toEqual([cacheDir]);
  expect(environment).toEqual({ APK_BEACON_CACHE_DIR: cacheDir });
  const dockerfile = readFileSync('Dockerfile', 'utf8');
  expect(dockerfile).toMatch(/^COPY .* \/var\/cache\/apk-beacon$/m);
  expect(dockerfile).toContain(`APK_BEACON_CACHE_DIR=${cacheDir}\n`);
  // %C is /var/cache, and CacheDirectory is below it.
  const unit = readFileSync('deploy/apk/files/apk-beacon.service', 'utf8');
  expect(unit).toMatch(/^CacheDirectory=apk-beacon\nEnvironment=APK_BEACON_CACHE_DIR=%C\/apk-beacon$/m);
});

test('the image’s last stage runs nothing, so that it needs no shell and no emulation', () => {
  const [, build = '', last = ''] = readFileSync('Dockerfile', 'utf8').split(/^FROM /m);
  expect(build).toMatch(/^--platform=\$BUILDPLATFORM /);
  expect(last).not.toMatch(/^RUN /m);
  expect(last).toMatch(/^USER 65532:65532$/m);
});

test('Renovate updates this repository with the rules of the example', () => {
  const read = (file: string): Record<string, unknown> =>
    JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const [own, example] = [read('renovate.json'), read('renovate.example.json')];
  for (const [key, value] of Object.entries(example)) {
    if (key === 'description') continue;
    if (Array.isArray(value)) expect(own[key], key).toEqual(expect.arrayContaining(value));
    else expect(own[key], key).toEqual(value);
  }
});

test('the tools that CI installs and the images of examples are found by Renovate', () => {
  const { customManagers } = JSON.parse(readFileSync('renovate.json', 'utf8')) as {
    customManagers: { managerFilePatterns: string[]; matchStrings: string[]; datasourceTemplate?: string }[];
  };
  const found = (file: string): readonly unknown[] =>
    customManagers
      .filter(
        ({ managerFilePatterns, datasourceTemplate = '' }) =>
          ['docker', 'go', 'npm'].includes(datasourceTemplate) &&
          managerFilePatterns.some((pattern) => new RegExp(pattern.slice(1, -1)).test(file)),
      )
      .flatMap(({ matchStrings, datasourceTemplate }) =>
        matchStrings
          .flatMap((pattern) => [...readFileSync(file, 'utf8').matchAll(new RegExp(pattern, 'g'))])
          .map(({ groups }) => [datasourceTemplate, groups?.['depName'], groups?.['currentValue']]),
      );
  const names = (file: string): readonly unknown[] =>
    found(file).map((each) => (each as string[]).slice(0, 2));
  expect(names('.ci/operate')).toEqual([
    ['go', 'sigs.k8s.io/kustomize/kustomize/v5'],
    ['go', 'github.com/yannh/kubeconform'],
    ['go', 'github.com/rhysd/actionlint'],
    ['go', 'github.com/compose-spec/compose-go/v2'],
    ['npm', 'gitlab-ci-local'],
  ]);
  expect(names('.ci/release')).toEqual([['go', 'github.com/sigstore/cosign/v2']]);
  const renovate = ['docker', 'ghcr.io/renovatebot/renovate', expect.stringMatching(/^\d+\.\d+\.\d+$/)];
  expect(found('deploy/gitlab/renovate.gitlab-ci.yml')).toContainEqual(renovate);
  expect(found('deploy/github/renovate.yml')).toContainEqual(renovate);
  expect(names('deploy/gitlab/export.gitlab-ci.yml')).toEqual([['docker', 'docker.io/library/node']]);
});

test.each(['deploy/gitlab/check.gitlab-ci.yml', '.pre-commit-hooks.yaml', 'action.yml', 'docs/check.md'])(
  '%s runs check with flags that it has',
  (file) => {
    const text = readFileSync(file, 'utf8');
    const known = commands.find(({ name }) => name === 'check')?.flags.map(({ name }) => name) ?? [];
    const lines =
      text.replaceAll(/\n +--/g, ' --').match(/^.*apk-beacon.* (?:check|pin)\b.*$/gm) ??
      text.match(/^.*\bcheck \$.*$/gm) ??
      [];
    expect(lines.length).toBeGreaterThan(0);
    for (const flag of lines.join('\n').matchAll(/ --([a-z-]+)/g))
      expect([...known, 'config', 'repository', 'yes', 'package']).toContain(flag[1]);
  },
);

test('the action brings a Node that apk-beacon runs on, because that of a runner may be older', () => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8')) as { engines: { node: string } };
  const [, major] =
    / --package node@(\d+) --package apk-beacon@/.exec(readFileSync('action.yml', 'utf8')) ?? [];
  expect(Number(major)).toBeGreaterThan(Number.parseFloat(engines.node.replace('>=', '')));
});

test('the hook of pre-commit is given every file that check reads', () => {
  const [hook] = parse(readFileSync('.pre-commit-hooks.yaml', 'utf8')) as [{ files: string }];
  const given = new RegExp(hook.files);
  for (const path of `Dockerfile docker/Dockerfile.alpine app.Dockerfile web/app.containerfile images/niri.yaml
    images/niri.lock.json .gitlab-ci.yml compose.yml entrypoint.sh install.bash install.ash bin/install
    README.md src/main.ts package.json .gitignore`.split(/\s+/))
    expect({ path, given: given.test(path) }).toEqual({ path, given: mayHavePins(path) });
});
