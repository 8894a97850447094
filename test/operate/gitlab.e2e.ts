/** The GitLab jobs, by a real parser that checks them against GitLab's own schema. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/config.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { haveTools, run } from './tools.ts';

const file = 'deploy/gitlab/renovate.gitlab-ci.yml';
// Where .ci/operate puts it, so that its dependencies are none of ours.
const parser = resolve('.cache/operate/node_modules/gitlab-ci-local/dist/index.js');

/** What the parser makes of a file, in a repository of its own; `variables` as a pipeline would have them. */
async function list(text: string, ...args: readonly string[]): Promise<string> {
  const folder = await temporaryDirectory();
  await writeFile(join(folder, '.gitlab-ci.yml'), text);
  for (const words of [
    ['init', '-q'],
    ['remote', 'add', 'origin', 'git@gitlab.example.com:group/project.git'],
  ])
    await run('git', words, { cwd: folder });
  await cp('LICENSE', join(folder, 'LICENSE'));
  return run(process.execPath, [parser, ...args], { cwd: folder });
}

describe.skipIf(!haveTools(parser, 'git'))('the GitLab jobs', () => {
  test('are what runs in a scheduled pipeline, and nothing else', async () => {
    const text = await readFile(file, 'utf8');
    const scheduled = await list(text, '--list-csv', '--variable', 'CI_PIPELINE_SOURCE=schedule');
    expect(scheduled.match(/^(renovate|pages);/gm)).toEqual(expect.arrayContaining(['renovate;', 'pages;']));
    expect(await list(text, '--list-csv', '--variable', 'CI_PIPELINE_SOURCE=push')).not.toMatch(
      /^(renovate|pages);/m,
    );
  });

  test('a key that GitLab does not know is found', async () => {
    const text = await readFile(file, 'utf8');
    await expect(list(text.replace('after_script:', 'afterscript:'), '--list')).rejects.toThrow(
      /afterscript/,
    );
    await expect(list(text.replace('    - renovate\n', ''), '--list')).rejects.toThrow(/script/);
  });

  test('give the service a configuration that it takes, and wait for the port it listens on', async () => {
    const expanded = parse(await list(await readFile(file, 'utf8'), '--preview')) as Record<
      string,
      {
        services?: { name: string; alias: string; variables: Record<string, string> }[];
        variables?: Record<string, string>;
      }
    >;
    const { variables = {}, services: [service] = [] } = expanded['renovate'] ?? {};
    const globals = (expanded['variables'] ?? {}) as unknown as Record<string, string>;
    const value = (text = ''): string => {
      const inner = text.replace(
        /\$([A-Z_]+)/g,
        (whole, name: string) => variables[name] ?? globals[name] ?? whole,
      );
      return inner === text ? text : value(inner);
    };
    expect(service?.alias).toBe('apk-beacon');
    expect(value(variables['HEALTHCHECK_TCP_PORT'])).toBe('3000');
    const environment = Object.fromEntries(
      Object.entries(service?.variables ?? {}).map(([name, text]) => [name, value(text)]),
    );
    const config = loadConfig({ words: [], settings: {}, own: {} }, environment);
    expect(config.listen).toEqual({ host: '0.0.0.0', port: 3000 });
    expect(Object.keys(config.datasources)).toEqual(['wolfi', 'alpine']);
    expect(value(variables['RENOVATE_HOST_RULES'])).toBe(
      '[{"matchHost":"http://apk-beacon:3000/","allowInternal":true}]',
    );
  });
});
