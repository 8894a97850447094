/** The GitLab jobs that users include, read by a real parser that checks them against GitLab's own schema. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/config.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { listen } from '../support/upstream.ts';
import { haveTools, run } from './tools.ts';

const renovateFile = 'deploy/gitlab/renovate.gitlab-ci.yml';
const exportFile = 'deploy/gitlab/export.gitlab-ci.yml';
// .ci/operate installs it here, apart from our own dependencies.
const parser = resolve('.cache/operate/node_modules/gitlab-ci-local/dist/index.js');
const execute = promisify(execFile);

interface Job {
  readonly image: { readonly name: string };
  readonly services?: readonly {
    readonly name: string;
    readonly alias: string;
    readonly variables: Readonly<Record<string, string>>;
  }[];
  readonly variables: Readonly<Record<string, string>>;
  readonly script: readonly string[];
  readonly after_script?: readonly string[];
}

interface Pipeline {
  readonly change?: (text: string) => string;
  readonly inputs?: Readonly<Record<string, string>>;
}

/** The parser's result for a project that includes `file`. */
async function list(
  file: string,
  args: readonly string[],
  { change = (text) => text, inputs = {} }: Pipeline = {},
): Promise<string> {
  const folder = await temporaryDirectory();
  const include = [{ local: file, inputs }];
  await mkdir(join(folder, 'deploy/gitlab'), { recursive: true });
  await writeFile(join(folder, file), change(await readFile(file, 'utf8')));
  await writeFile(join(folder, '.gitlab-ci.yml'), JSON.stringify({ include }));
  for (const words of [
    ['init', '-q'],
    ['remote', 'add', 'origin', 'git@gitlab.example.com:group/project.git'],
    // Only files that git knows can be included.
    ['add', '--all'],
  ])
    await run('git', words, { cwd: folder });
  return run(process.execPath, [parser, ...args], { cwd: folder });
}

const image = 'registry.example.com/acme/apk-beacon:0.1.0';
const required: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [renovateFile]: { image },
  [exportFile]: { url: 'https://acme.gitlab.io/apk-beacon' },
};

async function job(file: string, name: string, inputs: Readonly<Record<string, string>> = {}): Promise<Job> {
  const text = await list(file, ['--preview'], { inputs: { ...required[file], ...inputs } });
  return (parse(text) as Record<string, Job>)[name] as Job;
}

/** The comment on top of a file shows how it is included. */
async function documented(file: string): Promise<{ file: string; inputs: Record<string, string> }> {
  const text = await readFile(file, 'utf8');
  const lines = text.split('\n').filter((line) => /^# {3}/.test(line));
  const { include } = parse(lines.map((line) => line.slice(4)).join('\n')) as {
    include: { file: string; inputs: Record<string, string> }[];
  };
  return include[0] as { file: string; inputs: Record<string, string> };
}

describe.skipIf(!haveTools(parser, 'git', 'curl'))('the GitLab jobs', () => {
  test.each([
    [renovateFile, 'renovate', ['schedule', 'trigger']],
    [exportFile, 'pages', ['schedule']],
  ])('%s is one job, of some pipelines only, as it is documented', async (file, name, sources) => {
    const { file: included, inputs } = await documented(file);
    expect(included).toBe(file);
    const jobs = async (source: string): Promise<readonly string[]> => {
      const text = await list(file, ['--list-csv', '--variable', `CI_PIPELINE_SOURCE=${source}`], { inputs });
      return text
        .split('\n')
        .filter((line) => /^\w+;/.test(line) && !line.startsWith('name;'))
        .map((line) => line.replace(/;.*/, ''));
    };
    for (const source of ['schedule', 'trigger', 'push'])
      expect(await jobs(source), source).toEqual(sources.includes(source) ? [name] : []);
  });

  test('finds unknown and missing keys', async () => {
    const change = (from: string, to: string) => ({
      inputs: required[renovateFile] ?? {},
      change: (text: string) => text.replace(from, to),
    });
    await expect(list(renovateFile, ['--list'], change('after_script:', 'afterscript:'))).rejects.toThrow(
      /afterscript/,
    );
    await expect(list(renovateFile, ['--list'])).rejects.toThrow(/image/);
    await expect(
      list(renovateFile, ['--list'], { inputs: { image, onboarding: 'perhaps' } }),
    ).rejects.toThrow(/onboarding/);
  });

  test.each([renovateFile, exportFile])(
    '%s takes text only, which GitLab puts into variables as it is',
    async (file) => {
      const [spec] = parseAllDocuments(await readFile(file, 'utf8')).map(
        (document) => document.toJS() as { spec: { inputs: Record<string, Record<string, unknown>> } },
      );
      for (const [name, input] of Object.entries(spec?.spec.inputs ?? {})) {
        expect(input, name).not.toHaveProperty('type');
        expect(input['description'], name).toMatch(/\.$/);
        if ('default' in input) expect(typeof input['default'], name).toBe('string');
      }
    },
  );

  test('the service gets a configuration that it takes and listens where the runner waits', async () => {
    const { services: [service] = [], variables } = await job(renovateFile, 'renovate', { port: '3456' });
    expect(service).toMatchObject({ name: image, alias: 'apk-beacon' });
    const everything = { ...variables, ...service?.variables };
    const config = loadConfig({ words: [], settings: {}, own: {} }, everything);
    expect(config.listen).toEqual({ host: '0.0.0.0', port: 3456 });
    expect(Object.keys(config.datasources)).toEqual(['wolfi', 'alpine']);
    expect(variables['HEALTHCHECK_TCP_PORT']).toBe('3456');
    expect(JSON.parse(variables['RENOVATE_HOST_RULES'] ?? '')).toEqual([
      { matchHost: 'http://apk-beacon:3456/', allowInternal: true },
    ]);
    // All variables of a job reach its services, so none may look like a setting.
    expect(Object.keys(variables).filter((name) => name.startsWith('APK_BEACON'))).toEqual([]);
  });

  test('a user’s own configuration reaches the service unchanged', async () => {
    const config = 'datasources:\n  private:\n    repositories:\n      - url: https://apk.example.com/os\n';
    const { services: [service] = [] } = await job(renovateFile, 'renovate', { config });
    expect(service?.variables['APK_BEACON_CONFIG']).toBe(config);
  });

  test('one project, or a whole group, whose projects are asked to take part', async () => {
    const { variables: one } = await job(renovateFile, 'renovate');
    expect(one).toMatchObject({
      RENOVATE_AUTODISCOVER: 'true',
      RENOVATE_AUTODISCOVER_FILTER: '$CI_PROJECT_PATH',
      RENOVATE_ONBOARDING: 'false',
    });
    const inputs = {
      repositories: 'acme/images/**',
      onboarding: 'true',
      preset: 'local>acme/renovate-presets',
    };
    const { variables: group } = await job(renovateFile, 'renovate', inputs);
    expect(group).toMatchObject({
      RENOVATE_AUTODISCOVER_FILTER: 'acme/images/**',
      RENOVATE_ONBOARDING: 'true',
    });
    expect(JSON.parse(group['RENOVATE_ONBOARDING_CONFIG'] ?? '')).toEqual({
      extends: ['local>acme/renovate-presets'],
    });
  });

  test('Renovate runs in any case, and keeps merge requests open when apk-beacon is not ready', async () => {
    const { script, variables, after_script: after = [] } = await job(renovateFile, 'renovate');
    const impatient = script.map((line) =>
      line.replace('--retry 30 --retry-delay 2', '--retry 1 --retry-delay 1'),
    );
    expect(impatient).not.toEqual(script);
    const folder = await temporaryDirectory();
    const renovate = join(folder, 'renovate');
    await writeFile(renovate, '#!/bin/sh\necho "renovate prunes: ${RENOVATE_PRUNE_STALE_BRANCHES:-true}"\n');
    await chmod(renovate, 0o755);
    const server = createServer((request, response) => {
      const bodies: Record<string, unknown> = { '/': { datasources: ['one', 'two'] }, '/readyz': {} };
      response.statusCode = request.url === '/readyz' && !ready ? 503 : 200;
      response.end(JSON.stringify(bodies[request.url ?? ''] ?? { asked: request.url }));
    });
    let ready = true;
    const { origin } = await listen(server, 'http');
    const shell = async (lines: readonly string[]): Promise<string> => {
      const path = [folder, resolve('node_modules/.bin'), process.env['PATH']].join(delimiter);
      const env = { ...variables, PATH: path, BEACON_URL: origin };
      return (await execute('bash', ['-e', '-o', 'pipefail', '-c', lines.join('\n')], { env, cwd: folder }))
        .stdout;
    };
    expect(await shell(impatient)).toBe('renovate prunes: true\n');
    await shell(after);
    expect(JSON.parse(await readFile(join(folder, 'asked.json'), 'utf8'))).toEqual([
      { asked: '/one/-/asked' },
      { asked: '/two/-/asked' },
    ]);
    ready = false;
    expect(await shell(impatient)).toBe(
      'apk-beacon is not ready; merge requests of APK pins stay as they are\nrenovate prunes: false\n',
    );
  });

  test('the export has a configuration that the command takes, and only such variables', async () => {
    const { variables, script } = await job(exportFile, 'pages');
    const config = loadConfig({ words: [], settings: {}, own: {} }, variables);
    expect(Object.keys(config.datasources)).toEqual(['wolfi', 'alpine']);
    expect(script.map((line) => line.trim())).toEqual([
      'npx --yes "apk-beacon@0.1.0" export --out public',
      'npx --yes "apk-beacon@0.1.0" preset --static --url "https://acme.gitlab.io/apk-beacon" > public/renovate.json',
    ]);
  });
});
