/**
 * A separate process that reads one feed, because gigabytes pass through it. The feed arrives on standard input; the
 * reduced feed is written to standard output. The argument is JSON: `FeedReaderJob`.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { reduceFeed, type Scratch } from '../advisories/reduce.ts';
import { errorLine, IndexError } from '../errors.ts';
import { MALFORMED, type FeedReaderJob } from './feed-job.ts';

async function main({ scratch, ...job }: FeedReaderJob): Promise<void> {
  setPriority(10);
  const files: (() => void)[] = [];
  try {
    const reduced = await reduceFeed(process.stdin, job, () => {
      const { file, remove } = createScratch(scratch);
      files.push(remove);
      return file;
    });
    const length = Buffer.alloc(4);
    length.writeUInt32LE(reduced.length);
    process.stdout.write(length);
    process.stdout.write(reduced);
  } catch (error) {
    process.stderr.write(errorLine(error));
    process.exitCode = error instanceof IndexError ? MALFORMED : 1;
    process.stdin.destroy();
  } finally {
    for (const remove of files) remove();
  }
}

/** A file without a name, which disappears with the process, in the first of these folders that can be written. */
function createScratch([folder = '', ...others]: readonly string[]): { file: Scratch; remove: () => void } {
  const path = join(folder, `feed-${randomUUID()}.new`);
  let file: number;
  try {
    file = openSync(path, 'wx+', 0o600);
  } catch (error) {
    if (others.length === 0) throw error;
    return createScratch(others);
  }
  rmSync(path);
  return {
    file: {
      write: (piece) => {
        for (let written = 0; written < piece.length;) written += writeSync(file, piece, written);
      },
      size: () => fstatSync(file).size,
      read: (position, length) => {
        const bytes = Buffer.allocUnsafe(length);
        return bytes.subarray(0, readSync(file, bytes, 0, length, position));
      },
    },
    remove: () => closeSync(file),
  };
}

await main(JSON.parse(process.argv[2] ?? '{}') as FeedReaderJob);
