/** Child processes of the measurements. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { endWithUs } from '../scripts/end-with-us.ts';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const child = (name: string): string => join(folder('results/child'), `${name}.mjs`);

/**
 * Builds the children as JavaScript. Stripping types at each start would cost tens of milliseconds and megabytes, also
 * in the measured service, which loads the probe.
 */
export async function buildChildren(): Promise<void> {
  await build({
    entryPoints: globSync(join(folder('child'), '*.ts')),
    outdir: folder('results/child'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
}

const environment = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' };

/** Runs the child to its end and parses the JSON it prints. */
export async function runChild<T>(
  name: string,
  args: readonly string[],
  flags: readonly string[] = [],
): Promise<T> {
  const run = promisify(execFile)(process.execPath, [...flags, child(name), ...args], {
    env: environment,
    maxBuffer: 2 ** 26,
  });
  endWithUs(run.child);
  const { stdout } = await run;
  return JSON.parse(stdout) as T;
}

/** Milliseconds to wait for a line or state. The slowest is that of a big feed: half a minute on busy cores. */
const MAX_WAIT = 180_000;

export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** Lines of both outputs so far. */
  readonly lines: readonly string[];
  /** The first matching line, from `after` on. Rejects after three minutes, or if the process ends before. */
  readonly line: (pattern: RegExp, after?: number) => Promise<string>;
  readonly isRunning: () => boolean;
  /** Asks a child that listens to its channel. */
  readonly ask: <T>(question: string) => Promise<T>;
  readonly signal: (name: NodeJS.Signals) => void;
}

/** Starts a command that keeps running. */
export function start(command: string, args: readonly string[]): Running {
  const process_ = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: environment,
  });
  return running(endWithUs(process_), [command, ...args].join(' '));
}

export function startChild(name: string, args: readonly string[]): Running {
  return start(process.execPath, [child(name), ...args]);
}

/** Lets `ask` query a Node process that has no code for measurements. */
export const probe: readonly string[] = ['--import', child('probe')];

function running(process_: ChildProcess, title: string): Running {
  const lines: string[] = [];
  const ended = once(process_, 'close');
  const isRunning = (): boolean => process_.exitCode === null && process_.signalCode === null;
  const ending = (): Error => new Error(`${title} ended:\n${lines.join('\n')}`);
  const missing = (pattern: RegExp): Error =>
    new Error(
      `${title} wrote no line with ${pattern} in ${MAX_WAIT / 1000} s; its last lines:\n${lines.slice(-10).join('\n')}`,
    );
  const output = new EventEmitter().setMaxListeners(0);
  for (const stream of [process_.stdout, process_.stderr]) {
    if (!stream) continue;
    createInterface(stream).on('line', (line) => {
      lines.push(line);
      output.emit('line');
    });
  }
  return {
    pid: process_.pid ?? 0,
    lines,
    isRunning,
    line: async (pattern, after = 0) => {
      const signal = AbortSignal.timeout(MAX_WAIT);
      for (;;) {
        const found = lines.slice(after).find((line) => pattern.test(line));
        if (found !== undefined) return found;
        if (!isRunning()) throw ending();
        const next = once(output, 'line', { signal }).catch(() => Promise.reject(missing(pattern)));
        await Promise.race([ended, next]);
      }
    },
    ask: async <T>(question: string) => {
      process_.send(question);
      const failed = ended.then(() => Promise.reject(ending()));
      const [answer] = (await Promise.race([once(process_, 'message'), failed])) as [T];
      return answer;
    },
    signal: (name) => process_.kill(name),
    async [Symbol.asyncDispose]() {
      if (isRunning()) process_.kill('SIGKILL');
      await ended;
    },
  };
}

/** Waits for a state that nothing reports. Rejects after three minutes. */
export async function until(state: string, isReached: () => boolean | Promise<boolean>): Promise<void> {
  const last = performance.now() + MAX_WAIT;
  while (!(await isReached())) {
    if (performance.now() > last) throw new Error(`waited ${MAX_WAIT / 1000} s until ${state}`);
    await sleep(50);
  }
}
