#!/usr/bin/env -S node --max-semi-space-size=4 --no-allocation-site-pretenuring --v8-pool-size=1
/**
 * argv → command; signals → AbortSignal; error code → exit code. The version of Node is checked before any import: an
 * older Node would fail within a dependency.
 */
import type { IndexError } from './errors.ts';

/** The oldest Node this runs on, as in package.json: undici needs 22.19. */
const OLDEST_NODE = [22, 19] as const;
/** As a shell reports a process that died of the signal. */
const KILLED = { SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
/** As for a wrong configuration: no command of this program can run. */
const WRONG_NODE = 2;
/** The exit code if the command fails. */
let failureCode = 1;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) await main();
else {
  process.stderr.write(
    `apk-beacon: needs Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}\n`,
  );
  process.exitCode = WRONG_NODE;
}

async function main(): Promise<void> {
  // Arguments may contain a password in a URL; this hides them from `ps` and `top`.
  process.title = 'apk-beacon';
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(KILLED[name]);
      stop.abort(new Error(`stopped by ${name}`));
    });
  }
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endWithOutput);
  const [{ prepareCommand }, { errorLines }] = await Promise.all([
    import('./cli/commands.ts'),
    import('./errors.ts'),
  ]);
  try {
    const command = prepareCommand(process.argv.slice(2), process.env, stop.signal);
    process.exitCode = failureCode = command.failureCode ?? failureCode;
    process.exitCode = await command.run();
  } catch (error) {
    process.stderr.write(`apk-beacon: ${portInUse(error) ?? errorLines(error)}\n`);
    process.exitCode = (error as Partial<IndexError>).code === 'config-invalid' ? 2 : failureCode;
  }
}

/**
 * Ends a command whose output cannot be written. If its reader has enough, such as `head`, it ends as by the signal for
 * that, which Node ignores.
 */
function endWithOutput({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') process.exit(KILLED.SIGPIPE);
  process.stderr.write(`apk-beacon: cannot write the output: ${message}\n`);
  process.exit(failureCode);
}

function portInUse(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) return undefined;
  const { address = '', port = 0 } = error as { address?: string; port?: number };
  return `${address}:${port} is in use by another process; choose another with --listen HOST:PORT`;
}
