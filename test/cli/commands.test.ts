import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { completionScript, type Shell } from '../../src/cli/completion.ts';
import { start } from '../support/process.ts';

const names = commands.map(({ name }) => name);

async function output(...args: string[]): Promise<string> {
  await using run = start(args);
  expect(await run.ended).toBe(0);
  return run.lines.join('\n');
}

describe('help', () => {
  test('of a command has its usage, its flags and its examples, and is the same in both ways', async () => {
    const text = await output('explain', '--help');
    expect(text).toContain('Usage: apk-beacon explain NAME[=PIN] [--all] [--json] [--url URL] [options]');
    expect(text).toMatch(/^ {2}--url URL {2}ask a running service/m);
    expect(text).toContain('  apk-beacon explain curl=8.9.1-r4');
    expect(text).not.toContain('--brotli');
    expect(await output('help', 'explain')).toBe(text);
  });

  test('in general lists every command', async () => {
    const text = await output('help');
    for (const name of names) expect(text).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  });

  test('of an unknown command names the one that was meant', async () => {
    await using run = start(['help', 'exprot']);
    expect(await run.ended).toBe(2);
    expect(run.lines).toEqual(['apk-beacon: unknown command exprot, did you mean export?']);
  });

  test.each(commands)('the examples of $name run it', ({ name, examples, flags }) => {
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example).toContain('apk-beacon');
      if (name !== 'serve') expect(example).toContain(`apk-beacon ${name}`);
    }
    expect(new Set(flags.map((flag) => flag.name)).size).toBe(flags.length);
  });
});

/** Whether the shell is installed here; otherwise its tests are skipped. */
function has(shell: Shell): boolean {
  const found = spawnSync(shell, ['-c', ':']).status === 0;
  if (!found) process.stderr.write(`skipped: completion in ${shell}, which is not installed\n`);
  return found;
}

async function run(shell: Shell, script: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(shell, ['-c', script]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Command lines up to the cursor, required completions, and forbidden ones. */
const cases: [line: string, expected: string[], absent: string[]][] = [
  ['apk-beacon ex', ['explain', 'export'], ['serve']],
  ['apk-beacon explain --', ['--all', '--url', '--config'], ['--brotli']],
  ['apk-beacon export --', ['--out', '--brotli'], ['--all']],
  ['apk-beacon --log-level ', ['debug', 'silent'], ['serve']],
  ['apk-beacon completion ', ['bash', 'zsh', 'fish'], []],
  ['apk-beacon help ', names, []],
];

describe('completion', () => {
  test.runIf(has('bash')).each(cases)('bash: %s', async (line, expected, absent) => {
    const words = line.split(' ');
    const script = `${completionScript('bash', commands)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_apk_beacon
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const found = await run('bash', script);
    expect(found).toEqual(expect.arrayContaining(expected));
    for (const word of absent) expect(found).not.toContain(word);
  });

  test.runIf(has('fish')).each(cases)('fish: %s', async (line, expected, absent) => {
    const script = `${completionScript('fish', commands)}\ncomplete -C '${line}'`;
    const found = (await run('fish', script)).map((each) => each.split('\t')[0]);
    expect(found).toEqual(expect.arrayContaining(expected));
    for (const word of absent) expect(found).not.toContain(word);
  });

  test.runIf(has('zsh'))('zsh takes the script, and completes with it', async () => {
    const script = `autoload -U compinit && compinit -D -u
${completionScript('zsh', commands)}
print -r -- $_comps[apk-beacon]
_describe() { print -rl -- $commands }
_arguments() { print -rl -- "$@" }
words=(apk-beacon ex) CURRENT=2
_apk-beacon
words=(apk-beacon export --) CURRENT=3
_apk-beacon`;
    const found = await run('zsh', script);
    expect(found[0]).toBe('_apk-beacon');
    expect(found).toContain(
      'explain:explain why a version is or is not offered, and what a pin would be updated to',
    );
    expect(found).toContain('--out[folder to write to]:folder:_files -/');
    expect(found).not.toContain('--all[every version, not only the ten newest]');
  });

  test('of another shell is refused', async () => {
    await using failing = start(['completion', 'tcsh']);
    expect(await failing.ended).toBe(2);
    expect(failing.lines).toEqual(['apk-beacon: usage: completion bash|zsh|fish']);
  });
});
