/**
 * The last good index of each repository and arch on disk, for a start before the network answers.
 *
 * One file an index: a line of JSON that tells what it is, then the archive as it was fetched, signatures included –
 * what is read back goes through the same verification as what was fetched. Files are written aside and renamed; the
 * time of the file is when upstream last confirmed it.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { borrowBytes } from '../apk/memory.ts';
import { redactAddress } from './fetch-error.ts';
import type { Validators } from './fetch-index.ts';

const FORMAT = 2;
const NEWLINE = 0x0a;
/** Far above any header; an archive's own limit is the caller's. */
const MAX_HEADER_BYTES = 64 * 1024;
/** Milliseconds after which a file that was begun is one that nobody will finish. */
const ORPHAN_AGE = 3_600_000;

/** What is kept with an archive. Times are unix milliseconds. */
export interface StoredMeta {
  readonly validators: Validators;
  /** When this very index was first seen. */
  readonly firstSeenAt: number;
}

export interface StoredIndex extends StoredMeta {
  readonly bytes: Uint8Array;
  /** When upstream last said that this is the latest. */
  readonly confirmedAt: number;
}

/** Something that can be sent as the value of a header. */
const headerValue = z.string().regex(/^[\x20-\x7e]{1,1000}$/);
const headerSchema = z.object({
  format: z.literal(FORMAT, `another format than ${FORMAT}`),
  /** Whose index it is. */
  identity: z.string(),
  validators: z.object({ etag: headerValue.optional(), lastModified: headerValue.optional() }),
  firstSeenAt: z.number(),
});

export class IndexStore {
  readonly #folder: string | undefined;
  readonly #warn: (message: string, error: unknown) => void;
  /** Writing failed once: a read-only or full disk. It is tried again, but not complained about again. */
  #complained = false;
  #swept: Promise<void> | undefined;

  /** Without a folder nothing is kept. `warn` is called at most once for what cannot be written. */
  constructor(folder: string | undefined, warn: (message: string, error: unknown) => void) {
    this.#folder = folder;
    this.#warn = warn;
  }

  /** The index of at most `maxBytes` kept for `address`, or `undefined` where there is none that can be used. */
  async load(address: string, maxBytes: number): Promise<StoredIndex | undefined> {
    const path = this.#path(address, 'apkindex');
    if (path === undefined) return undefined;
    const swept = this.#sweep();
    try {
      const { header, bytes, mtimeMs } = await readKept(path, maxBytes);
      const { identity, validators, firstSeenAt } = parseHeader(header);
      if (identity !== identityOf(address)) throw new Error('it is of another index');
      return { validators, firstSeenAt, bytes, confirmedAt: mtimeMs };
    } catch (error) {
      if (!isMissing(error)) this.#warn(`ignoring the cached index ${path}`, error);
      return undefined;
    } finally {
      await swept;
    }
  }

  async save(address: string, bytes: Uint8Array, { validators, firstSeenAt }: StoredMeta): Promise<void> {
    const header: z.input<typeof headerSchema> = {
      format: FORMAT,
      identity: identityOf(address),
      validators,
      firstSeenAt,
    };
    await this.#write(this.#path(address, 'apkindex'), [Buffer.from(`${JSON.stringify(header)}\n`), bytes]);
  }

  /** Remembers that upstream confirmed what is kept at `now` (unix milliseconds). */
  async confirm(address: string, now: number): Promise<void> {
    const path = this.#path(address, 'apkindex');
    if (path !== undefined) await utimes(path, now / 1000, now / 1000).catch(() => undefined);
  }

  /** Notes the digest of an index that was held back, for `apk-beacon accept`; without one, forgets it. */
  async setHeldBack(address: string, held: HeldBack | undefined): Promise<void> {
    const path = this.#path(address, 'held.json');
    if (path === undefined) return;
    if (held) await this.#write(path, [Buffer.from(JSON.stringify(held))]);
    else await rm(path, { force: true }).catch(() => undefined);
  }

  async heldBack(address: string): Promise<HeldBack | undefined> {
    return await this.#readJson<HeldBack>(this.#path(address, 'held.json'));
  }

  /** Lets the index with this digest pass the guards the next time it is fetched. */
  async accept(address: string, accepted: string): Promise<void> {
    const path = this.#path(address, 'accepted.json');
    if (path === undefined) throw new Error('there is no cache directory');
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, JSON.stringify({ digest: accepted }));
  }

  async accepted(address: string): Promise<string | undefined> {
    return (await this.#readJson<{ digest: string }>(this.#path(address, 'accepted.json')))?.digest;
  }

  /** The file name shows the address; neither it nor the file holds a user name, password or query. */
  #path(address: string, ending: string): string | undefined {
    if (this.#folder === undefined) return undefined;
    const readable = redactAddress(address)
      .replace(/^[a-z]+:\/\//, '')
      .replace(/[^A-Za-z0-9.-]+/g, '_')
      .slice(0, 80);
    return join(this.#folder, 'indexes', `${readable}-${identityOf(address).slice(0, 12)}.${ending}`);
  }

  /** Removes what processes that were killed have left half-written, and the tables that earlier versions kept. */
  #sweep(): Promise<void> {
    this.#swept ??= this.#removeOrphans().catch(() => undefined);
    return this.#swept;
  }

  async #removeOrphans(): Promise<void> {
    const folder = join(this.#folder ?? '', 'indexes');
    for (const name of await readdir(folder)) {
      if (name.endsWith('.parsed')) await rm(join(folder, name), { force: true });
      if (!name.endsWith('.new')) continue;
      const { mtimeMs } = await stat(join(folder, name));
      if (Date.now() - mtimeMs > ORPHAN_AGE) await rm(join(folder, name), { force: true });
    }
  }

  async #readJson<T>(path: string | undefined): Promise<T | undefined> {
    if (path === undefined) return undefined;
    try {
      return JSON.parse(await readFile(path, 'utf8')) as T;
    } catch {
      return undefined;
    }
  }

  async #write(path: string | undefined, pieces: readonly Uint8Array[]): Promise<void> {
    if (path === undefined) return;
    // Two datasources may have one index, and two processes one folder.
    const aside = `${path}.${randomUUID()}.new`;
    try {
      await mkdir(join(path, '..'), { recursive: true });
      const file = await open(aside, 'w');
      try {
        for (const piece of pieces) await file.writeFile(piece);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, path);
      this.#complained = false;
    } catch (error) {
      await rm(aside, { force: true }).catch(() => undefined);
      if (!this.#complained) this.#warn(`cannot keep indexes in ${this.#folder}, going on without`, error);
      this.#complained = true;
    }
  }
}

/** The parts of a kept file, and the time of its last change. */
async function readKept(
  path: string,
  maxBytes: number,
): Promise<{ header: string; bytes: Uint8Array; mtimeMs: number }> {
  // Before the file is opened: opening a pipe would wait for its writer.
  if (!(await stat(path)).isFile()) throw new Error('it is not a file');
  const file = await open(path);
  try {
    const { size, mtimeMs } = await file.stat();
    const start = await readAt(file, Buffer.alloc(Math.min(size, MAX_HEADER_BYTES)), 0);
    const end = start.indexOf(NEWLINE);
    if (end < 0) throw new Error('it has no header');
    const length = size - end - 1;
    if (length > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    // Memory of its own, which can be released; in one call, where `readFile` makes many.
    const bytes = await readAt(file, borrowBytes(length), end + 1);
    return { header: start.toString('utf8', 0, end), bytes, mtimeMs };
  } finally {
    await file.close();
  }
}

/** Fills `buffer` with what the file holds from `position` on; shorter if the file ends before. */
async function readAt(file: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  return bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
}

/** An index that the guards did not let pass. */
export interface HeldBack {
  readonly digest: string;
  readonly code: string;
  readonly message: string;
}

function parseHeader(line: string): z.output<typeof headerSchema> {
  const result = headerSchema.safeParse(JSON.parse(line));
  if (result.success) return result.data;
  throw new Error(result.error.issues[0]?.message);
}

/** The same for an index whoever asks for it: a changed password must not lose what is kept, nor be kept itself. */
function identityOf(address: string): string {
  const url = URL.parse(address);
  const known = url ? `${url.origin}${url.pathname}${url.search}` : address;
  return createHash('sha256').update(known).digest('hex');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
