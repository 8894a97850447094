#!/usr/bin/env -S node --max-semi-space-size=4 --v8-pool-size=1
/** argv → command; signals → AbortSignal; error code → exit code. */
import { runCommand } from './cli/commands.ts';
import { errorLines, IndexError } from './errors.ts';

/** As a shell would report a process that died of the signal. */
const FORCED = { SIGINT: 130, SIGTERM: 143 } as const;

// Arguments may hold a password in a URL; from here on `ps` and `top` do not show them.
process.title = 'apk-beacon';

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (stop.signal.aborted) process.exit(FORCED[name]);
    stop.abort(name);
  });
}

try {
  process.exitCode = await runCommand(process.argv.slice(2), process.env, stop.signal);
} catch (error) {
  process.stderr.write(`apk-beacon: ${explainFailure(error)}\n`);
  process.exitCode = error instanceof IndexError && error.code === 'config-invalid' ? 2 : 1;
}

function explainFailure(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    const { address = '', port = 0 } = error as { address?: string; port?: number };
    return `${address}:${port} is in use by another process; choose another with --listen HOST:PORT`;
  }
  return errorLines(error);
}
