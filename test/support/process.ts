/** The service as a separate process, as users start it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../scripts/end-with-us.ts';
import { compileCache } from './compile-cache.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface RunningProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Lines of both outputs so far. */
  readonly lines: readonly string[];
  /** The first line, past or to come, that matches; rejects when the process ends before. */
  readonly line: (pattern: RegExp) => Promise<string>;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** `program` is what is run: the sources, or a bundle. */
export function start(
  args: readonly string[],
  environment: Record<string, string> = {},
  program = main,
): RunningProcess {
  return startProgram(process.execPath, [program, ...args], environment);
}

/** Any other program. */
export function startProgram(
  program: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): RunningProcess {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', ...compileCache, ...environment },
  });
  endWithUs(child);
  const lines: string[] = [];
  const waiting: { pattern: RegExp; resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  for (const output of [child.stdout, child.stderr]) {
    createInterface(output).on('line', (line) => {
      lines.push(line);
      for (const each of waiting.filter(({ pattern }) => pattern.test(line))) each.resolve(line);
    });
  }
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => (code ?? signal) as number | string);
  void ended.then((how) => {
    for (const each of waiting) each.reject(new Error(`ended with ${how}:\n${lines.join('\n')}`));
  });
  return {
    child,
    lines,
    ended,
    line: (pattern) => {
      const past = lines.find((line) => pattern.test(line));
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve, reject) => void waiting.push({ pattern, resolve, reject }));
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Where a started service listens. */
export async function addressOf(service: RunningProcess): Promise<string> {
  const line = await service.line(/Server listening at/);
  return /http:\/\/[^"\s]+/.exec(line)?.[0] ?? '';
}
