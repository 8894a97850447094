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
    return new FeedProcess(this.start(), job);
  }

  close(): void {
    this.#starter?.kill('SIGKILL');
  }
}

/** One feed that is being read. */
export class FeedProcess {
  readonly #child: ChildProcess;
  readonly #output = new Output();
  readonly #result = Promise.withResolvers<Buffer>();
  #taken = Promise.withResolvers<void>();
  #isOver = false;

  constructor(child: ChildProcess, job: FeedReaderJob) {
    this.#child = child;
    // Awaited by `end` and `write`.
    this.#result.promise.catch(() => undefined);
    child.on('message', this.#onReply).on('exit', this.#onExit);
    this.#send({ job });
  }

  async write(piece: Buffer): Promise<void> {
    this.#taken = Promise.withResolvers();
    if (!this.#isOver) {
      this.#send({ piece });
      await this.#taken.promise;
    }
    if (this.#isOver) await this.#result.promise;
  }

  /** The reduced feed. Rejects with `feed-malformed` for an unusable one. */
  end(): Promise<Buffer> {
    if (!this.#isOver) this.#send({ end: true });
    return this.#result.promise;
  }

  /** Stops the reader and waits until it has ended. */
  async stop(): Promise<void> {
    if (!this.#isOver) this.#send({ stop: true });
    await this.#result.promise.catch(() => undefined);
  }

  #send(request: FeedRequest): void {
    if (this.#child.connected) this.#child.send(request);
    else if (!this.#isOver) this.#onExit();
  }

  readonly #onReply = (reply: FeedReply): void => {
    if ('taken' in reply) this.#taken.resolve();
    else if ('output' in reply) this.#output.add(reply.output);
    else if ('done' in reply) this.#finish(() => this.#output.whole());
    else this.#fail(reply.failed);
  };

  readonly #onExit = (): void => this.#fail('the process that reads it has ended');

  #fail(fact: string): void {
    this.#finish(() => {
      throw new IndexError('feed-malformed', fact);
    });
  }

  #finish(work: () => Buffer): void {
    this.#isOver = true;
    this.#child.off('message', this.#onReply).off('exit', this.#onExit);
    try {
      this.#result.resolve(work());
    } catch (error) {
      this.#result.reject(error);
    }
    this.#taken.resolve();
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
