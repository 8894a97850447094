/** The process that reads a feed, seen from the service. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { borrowBytes } from '../apk/memory.ts';
import { cut, IndexError, printable } from '../errors.ts';
import { MALFORMED, type FeedReaderJob } from './feed-job.ts';

/** Of what is kept of a feed. The largest known one has 20 MB. */
const MAX_REDUCED = 256 * 1024 * 1024;
/** In megabytes. */
const MAX_HEAP = 400;

/** Beside this file in the sources, beside the bundle once built. */
const reader = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './feed-reader.ts' : './feed-reader.mjs', import.meta.url),
);

export interface FeedProcess {
  readonly write: (piece: Buffer) => Promise<void>;
  /** What is kept of the feed. Rejects with `feed-malformed` for one that cannot be used. */
  readonly end: () => Promise<Buffer>;
  readonly kill: () => void;
}

export function startFeedReader(job: FeedReaderJob): FeedProcess {
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${MAX_HEAP}`, '--v8-pool-size=1', reader, JSON.stringify(job)],
    { stdio: ['pipe', 'pipe', 'pipe'], env: {} },
  );
  let complaint = '';
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (complaint = (complaint + text).slice(0, 2000)));
  const output = readOutput(child.stdout);
  // Looked at once the process has ended.
  output.catch(() => undefined);
  const result = new Promise<Buffer>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) output.then(resolve, reject);
      else if (code === MALFORMED) reject(new IndexError('feed-malformed', printable(complaint)));
      else
        reject(
          new IndexError(
            'feed-malformed',
            `its reader ended with ${signal ?? code}: ${cut(printable(complaint), 200)}`,
          ),
        );
    });
  });
  let isOver = false;
  result.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  // What is wrong shows when the process has ended.
  child.stdin.on('error', () => undefined);
  return {
    write: async (piece) => {
      await new Promise<void>((resolve) => child.stdin.write(piece, () => resolve()));
      if (isOver || child.stdin.destroyed) await result;
    },
    end: () => {
      child.stdin.end();
      return result;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

/** Its length in four bytes, then what is kept. */
async function readOutput(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  let place: Buffer | undefined;
  let length = 0;
  for await (const piece of stream) {
    let rest = piece;
    if (!place) {
      head = Buffer.concat([head, piece]);
      if (head.length < 4) continue;
      const expected = head.readUInt32LE();
      if (expected > MAX_REDUCED)
        throw new IndexError('fetch-too-large', `${expected} bytes would be kept of it`);
      place = borrowBytes(expected);
      rest = head.subarray(4);
    }
    length += rest.copy(place, length);
  }
  if (!place || length < place.length) throw new IndexError('feed-malformed', 'its reader stopped');
  return place;
}
