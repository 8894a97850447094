/**
 * Starts a reader for each feed. A separate small process, because starting a process copies the page tables of its
 * parent: tens of milliseconds for the service with its indexes. It ends with the service.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cut, printable } from '../errors.ts';
import { MALFORMED, type FeedReaderJob, type FeedReply, type FeedRequest } from './feed-job.ts';

/** In megabytes. */
const MAX_HEAP = 256;

/** Beside this file in the sources as in the bundle. */
const reader = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './feed-reader.ts' : './feed-reader.mjs', import.meta.url),
);

let current: ChildProcess | undefined;

process.on('message', (request: FeedRequest) => {
  if ('job' in request) start(request.job);
  else if ('piece' in request) current?.stdin?.write(request.piece, () => send({ taken: true }));
  else if ('end' in request) current?.stdin?.end();
  else current?.kill('SIGKILL');
});
process.on('disconnect', () => {
  current?.kill('SIGKILL');
  process.exit();
});
// Signals to the group are for the service, which ends this process.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);

function start(job: FeedReaderJob): void {
  const child = spawn(
    process.execPath,
    [
      `--max-old-space-size=${MAX_HEAP}`,
      '--max-semi-space-size=4',
      '--v8-pool-size=1',
      reader,
      JSON.stringify(job),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], env: {} },
  );
  current = child;
  let complaint = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(0, 2000)));
  child.stdout.on('data', (output: Buffer) => send({ output }));
  // The reader's exit code shows the problem.
  child.stdin.on('error', () => undefined);
  let hasStarted = true;
  child.once('error', (error) => {
    hasStarted = false;
    send({ failed: `its reader cannot be started: ${error.message}` });
  });
  child.once('close', (code, signal) => {
    if (!hasStarted) return;
    if (code === 0) send({ done: true });
    else if (code === MALFORMED) send({ failed: printable(complaint) });
    else send({ failed: `its reader ended with ${signal ?? code}: ${cut(printable(complaint), 200)}` });
  });
}

function send(reply: FeedReply): void {
  if (process.connected) process.send?.(reply);
}
