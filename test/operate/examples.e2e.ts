/** compose.yaml and the GitHub workflow: read by real parsers; the service accepts their configurations. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig, type Config } from '../../src/config/config.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { haveTools, run } from './tools.ts';

const configOf = (environment: Readonly<Record<string, string>>): Config =>
  loadConfig({ words: [], settings: {}, own: {} }, environment);

interface Composed {
  readonly services: Record<
    string,
    {
      readonly image: string;
      readonly environment: Record<string, string>;
      readonly configs?: unknown;
      readonly volumes: readonly { readonly source: string; readonly target: string }[];
      readonly read_only: boolean;
    }
  >;
}

describe.skipIf(!haveTools('compose-spec'))('compose.yaml', () => {
  test('is what Compose takes, with a configuration that the service takes', async () => {
    const { services } = JSON.parse(await run('compose-spec', ['--format=json', 'compose.yaml'])) as Composed;
    expect(Object.keys(services)).toEqual(['apk-beacon']);
    const { environment = {}, configs, volumes, read_only: readOnly } = services['apk-beacon'] ?? {};
    expect(Object.keys(configOf(environment).datasources)).toEqual(['wolfi']);
    // Compose would copy them into the container, whose root is read-only.
    expect(configs).toBeUndefined();
    // The image can write only here, and keeps its indexes here.
    expect(readOnly).toBe(true);
    const [, cacheDir] = /APK_BEACON_CACHE_DIR=(\S+)/.exec(await readFile('Dockerfile', 'utf8')) ?? [];
    expect(volumes?.map(({ target }) => target)).toEqual([cacheDir]);
  });

  test('would be refused with a key that Compose does not know', async () => {
    const file = join(await temporaryDirectory(), 'compose.yaml');
    await writeFile(file, (await readFile('compose.yaml', 'utf8')).replace('read_only', 'readonly'));
    await expect(run('compose-spec', [file])).rejects.toThrow(/readonly/);
  });
});

interface Workflow {
  readonly jobs: Record<
    string,
    {
      readonly services: Record<string, { readonly image: string; readonly env: Record<string, string> }>;
      readonly env: Record<string, string>;
      readonly steps: readonly { readonly run: string }[];
    }
  >;
}

describe.skipIf(!haveTools('actionlint'))('the GitHub workflow', () => {
  test('is without a fault and does what the GitLab job does', async () => {
    await run('actionlint', ['deploy/github/renovate.yml']);
    const { jobs } = parse(await readFile('deploy/github/renovate.yml', 'utf8')) as Workflow;
    const { services, env, steps } = jobs['renovate'] as Workflow['jobs'][string];
    expect(Object.keys(services)).toEqual(['apk-beacon']);
    const { listen, datasources } = configOf(services['apk-beacon']?.env ?? {});
    expect(listen.port).toBe(3000);
    expect(Object.keys(datasources)).toEqual(['wolfi', 'alpine']);
    expect(env['BEACON_URL']).toBe('http://apk-beacon:3000');
    expect(JSON.parse(env['RENOVATE_HOST_RULES'] ?? '')).toEqual([
      { matchHost: 'http://apk-beacon:3000/', allowInternal: true },
    ]);

    const file = await readFile('deploy/gitlab/renovate.gitlab-ci.yml', 'utf8');
    const [, gitlab] = parseAllDocuments(file).map(
      (document) => document.toJS() as { renovate: { script: readonly string[] } },
    );
    const words = (lines: readonly string[]): readonly string[] => lines.join('\n').trim().split(/\s+/);
    const script = words(gitlab?.renovate.script ?? []).map((word) => (word === 'merge' ? 'pull' : word));
    expect(words(steps.map((step) => step.run))).toEqual(script);
  });
});
