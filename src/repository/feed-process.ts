/** The process that starts readers of feeds, seen from the service. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { temporaryBytes } from '../apk/memory.ts';
import { IndexError } from '../errors.ts';
import type { FeedReaderJob, FeedReply, FeedRequest } from './feed-job.ts';

/** The largest size of a reduced feed. The largest known one has 20 MB. */
const MAX_REDUCED = 256 * 1024 * 1024;

/** Beside this file in the sources, and in the bundle once built. */
const starter = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './feed-starter.ts' : './feed-starter.mjs', import.meta.url),
);

/** One feed that is being read. */
export interface FeedProcess {
  readonly write: (piece: Buffer) => Promise<void>;
  /** The reduced feed. Rejects with `feed-malformed` for an unusable one. */
  readonly end: () => Promise<Buffer>;
  /** Stops the reader and waits until it has ended. */
  readonly stop: () => Promise<void>;
}

/** Reads one feed at a time. */
export class FeedReaders {
  #starter: ChildProcess | undefined;

  /** Call it early, while this process is small: see `feed-starter.ts`. */
  start(): ChildProcess {
    if (this.#starter?.connected) return this.#starter;
    const child = fork(starter, {
      execArgv: ['--max-semi-space-size=1', '--v8-pool-size=1'],
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('error', () => undefined);
    child.setMaxListeners(0);
    this.#starter = child;
    return child;
  }

  read(job: FeedReaderJob): FeedProcess {
    const child = this.start();
    const output = new Output();
    const result = Promise.withResolvers<Buffer>();
    // Awaited by `end` and `write`.
    result.promise.catch(() => undefined);
    let taken = Promise.withResolvers<void>();
    let isOver = false;
    const finish = (work: () => Buffer): void => {
      isOver = true;
      child.off('message', onReply).off('exit', onExit);
      try {
        result.resolve(work());
      } catch (error) {
        result.reject(error);
      }
      taken.resolve();
    };
    const fail = (fact: string): void =>
      finish(() => {
        throw new IndexError('feed-malformed', fact);
      });
    const onReply = (reply: FeedReply): void => {
      if ('taken' in reply) taken.resolve();
      else if ('output' in reply) output.add(reply.output);
      else if ('done' in reply) finish(() => output.whole());
      else fail(reply.failed);
    };
    const onExit = (): void => fail('the process that reads it has ended');
    child.on('message', onReply).on('exit', onExit);
    const send = (request: FeedRequest): void => {
      if (child.connected) child.send(request);
      else if (!isOver) onExit();
    };
    send({ job });
    return {
      write: async (piece) => {
        taken = Promise.withResolvers();
        if (!isOver) {
          send({ piece });
          await taken.promise;
        }
        if (isOver) await result.promise;
      },
      end: () => {
        if (!isOver) send({ end: true });
        return result.promise;
      },
      stop: async () => {
        if (!isOver) send({ stop: true });
        await result.promise.catch(() => undefined);
      },
    };
  }

  close(): void {
    this.#starter?.kill('SIGKILL');
  }
}

/** The length in four bytes, then the reduced feed. */
class Output {
  #head = Buffer.alloc(0);
  #place: Buffer | undefined;
  #length = 0;

  add(piece: Uint8Array): void {
    let rest = piece;
    if (!this.#place) {
      this.#head = Buffer.concat([this.#head, piece]);
      if (this.#head.length < 4) return;
      this.#place = temporaryBytes(Math.min(this.#head.readUInt32LE(), MAX_REDUCED + 1));
      rest = this.#head.subarray(4);
    }
    const fitting = rest.subarray(0, this.#place.length - this.#length);
    this.#place.set(fitting, this.#length);
    this.#length += fitting.length;
  }

  whole(): Buffer {
    if (!this.#place || this.#length < this.#place.length)
      throw new IndexError('feed-malformed', 'the process that reads it has stopped');
    if (this.#place.length > MAX_REDUCED)
      throw new IndexError('fetch-too-large', `its reduced form has more than ${MAX_REDUCED} bytes`);
    return this.#place;
  }
}
