/** The examples of README.md, run against a small signed repository; Wolfi itself changes every hour. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressOf, start, type RunningProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const readme = await readFile('README.md', 'utf8');
const examples = consoleExamples(readme);

let folder: string;
let service: RunningProcess;
let address: string;
let options: readonly string[];

beforeAll(async () => {
  folder = await temporaryFolder();
  const seconds = (date: string): string => String(Date.parse(date) / 1000);
  const old = pkg('containerd', '2.3.3-r4', { t: seconds('2026-11-20T09:12:00Z') });
  const newer = pkg('containerd', '2.3.4-r0', { t: seconds('2026-11-24T16:40:00Z') });
  // The newer build is published for x86_64 only.
  for (const [arch, packages] of [
    ['x86_64', [old, newer]],
    ['aarch64', [old]],
  ] as const) {
    await mkdir(join(folder, 'os', arch), { recursive: true });
    const index = await signedIndex(packages.map((each) => ({ ...each, A: arch })));
    await writeFile(join(folder, 'os', arch, 'APKINDEX.tar.gz'), index);
  }
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  options = ['--cache-dir', 'none', '--name', 'wolfi', '--repository', join(folder, 'os'), '--key', key];
  service = start(['--listen', '127.0.0.1:0', ...options]);
  address = await addressOf(service);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('README', () => {
  test('has an example of a lookup and one of explain', () => {
    const programs = examples.map(({ command }) => command.split(' ')[0]);
    expect(programs).toEqual(expect.arrayContaining(['curl', 'npx']));
  });

  test.each(examples)('$command prints what README shows', async ({ command, output }) => {
    expect(await run(command)).toBe(output);
  });

  test('names scripts that exist', async () => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: object };
    const named = [...readme.matchAll(/\bnpm (?:run )?(test|start|run [\w:]+|[\w:]+)\b/g)].map(
      ([, word = '']) => word.replace(/^run /, ''),
    );
    expect(named).toEqual(expect.arrayContaining(['test', 'demo', 'start']));
    expect(named.filter((name) => name !== 'ci' && !Object.hasOwn(scripts, name))).toEqual([]);
  });

  test('has fewer than 120 lines', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThan(120);
  });
});

interface Example {
  readonly command: string;
  readonly output: string;
}

/** Each `$ command` of a console block, with the lines up to the next one. */
function consoleExamples(markdown: string): readonly Example[] {
  return [...markdown.matchAll(/^```console\n(.*?)^```/gms)].flatMap(([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command = '', ...lines] = part.trimEnd().split('\n');
        return { command, output: lines.join('\n') };
      }),
  );
}

/** Runs `curl localhost:3000/…`, and `npx apk-beacon …` as README says for a clone. */
async function run(command: string): Promise<string> {
  const [program, ...words] = command.split(' ');
  if (program === 'curl') {
    const { body } = await request(`${address}${words.join(' ').replace(/^localhost:3000/, '')}`);
    return (await body.text()).trimEnd();
  }
  if (program !== 'npx' || words[0] !== 'apk-beacon') throw new Error(`cannot run ${command}`);
  const inClone = /write `npm (.*?)` instead of `npx apk-beacon`/.exec(readme)?.[1]?.split(' ') ?? [];
  const { stdout } = await promisify(execFile)('npm', [...inClone, ...words.slice(1), ...options]);
  return stdout.trimEnd();
}
