/**
 * Real tools, if installed. If one is missing, its tests are skipped with a message. In CI all are installed, and
 * `APK_BEACON_REQUIRE_TOOLS=1` turns a missing one into a failure, so that nothing is skipped unnoticed.
 */
import { spawnSync, type SpawnSyncOptions } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

// sbin is where Debian keeps some of them, and Go installs into its own folder.
const path = [process.env['PATH'], '/usr/sbin', '/sbin', join(homedir(), 'go/bin')].join(delimiter);

export const environment: NodeJS.ProcessEnv = { ...process.env, PATH: path, LC_ALL: 'C.UTF-8' };

function isExecutable(tool: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Suites that need these executables, and `root` where one is named so. */
export function describeWith(tools: readonly string[], title: string, suite: () => void): void {
  const missing = tools.filter((tool) => (tool === 'root' ? process.getuid?.() !== 0 : !isExecutable(tool)));
  if (missing.length === 0) {
    describe(title, suite);
  } else if (process.env['APK_BEACON_REQUIRE_TOOLS'] === '1') {
    throw new Error(`${title}: needs ${missing.join(', ')}`);
  } else {
    process.stderr.write(`skipped: ${title}: needs ${missing.join(', ')}\n`);
    // Not `describe.skip`: that would still run the suite's body, which makes folders.
    it.skip(`${title} (needs ${missing.join(', ')})`, () => expect.unreachable());
  }
}

export interface Ran {
  readonly status: number | null;
  /** Output on both streams. */
  readonly output: string;
  readonly stdout: string;
}

export function run(command: string, args: readonly string[], options: SpawnSyncOptions = {}): Ran {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    env: environment,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 240_000,
    ...options,
  });
  if (result.error) throw result.error;
  const stdout = String(result.stdout);
  return { status: result.status, stdout, output: stdout + String(result.stderr) };
}

/** Like `run`, for steps that must work for the test to mean anything. */
export function mustRun(command: string, args: readonly string[], options: SpawnSyncOptions = {}): Ran {
  const ran = run(command, args, options);
  if (ran.status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: exit ${String(ran.status)}\n${ran.output}`);
  }
  return ran;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-companion-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** For `beforeAll`, whose caller removes it in `afterAll`. */
export const makeFolder = () => mkdtempSync(join(tmpdir(), 'apk-beacon-companion-'));
