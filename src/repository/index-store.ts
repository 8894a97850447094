/**
 * The last good index of each repository and arch on disk, for a start before the network answers.
 *
 * One file an index: a line of JSON that tells what it is, then the archive as it was fetched, signatures included –
 * what is read back goes through the same verification as what was fetched. Files are replaced atomically; the time of
 * the file is when upstream last confirmed it.
 */
import { addressIdentity, redactAddress } from '../addresses.ts';
import { createHash } from 'node:crypto';
import { open, readdir, readFile, rm, stat, unlink, utimes, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { borrowBytes } from '../apk/memory.ts';
import { removeOrphans, writeAtomically } from './atomic-file.ts';

import type { Validators } from './fetch-index.ts';

const FORMAT = 3;
const NEWLINE = 0x0a;
/** Far above any header; an archive's own limit is the caller's. */
const MAX_HEADER_BYTES = 64 * 1024;
/** Milliseconds after which an acceptance that nothing came of lapses. */
const ACCEPTANCE_AGE = 86_400_000;
/** Files of earlier formats, which were named by the location alone. */
const EARLIER_FORMAT = /-[0-9a-f]{12}\.(apkindex|parsed|held\.json|accepted\.json)$/;

/** Which index it is about. */
export interface KeptIndex {
  readonly location: string;
  /**
   * Everything that decides whether it may be served: trust, keys, guards. What was taken under some terms is neither
   * given back nor replaced under others.
   */
  readonly terms: string;
}

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
  validators: z.object({
    etag: headerValue.optional(),
    lastModified: headerValue.optional(),
    alternative: z.boolean().optional(),
  }),
  firstSeenAt: z.number(),
});

/** An index that the guards did not let pass. */
export interface HeldBack {
  readonly digest: string;
  readonly code: string;
  readonly message: string;
}

const heldSchema: z.ZodType<HeldBack> = z.object({
  digest: z.string(),
  code: z.string(),
  message: z.string(),
});
/** `acceptedAt` is in unix milliseconds. */
const acceptanceSchema = z.object({ digest: z.string(), acceptedAt: z.number() });

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

  /** The index of at most `maxBytes` kept of `index`, or `undefined` where there is none that can be used. */
  async load(index: KeptIndex, maxBytes: number): Promise<StoredIndex | undefined> {
    const path = this.#path(index, 'apkindex');
    if (path === undefined) return undefined;
    const swept = this.#sweep();
    try {
      const { header, bytes, mtimeMs } = await readKept(path, maxBytes);
      const { identity, validators, firstSeenAt } = parseHeader(header);
      if (identity !== identityOf(index)) throw new Error('it is of another index');
      return { validators, firstSeenAt, bytes, confirmedAt: mtimeMs };
    } catch (error) {
      if (!isMissing(error)) this.#warn(`ignoring the cached index ${path}`, error);
      return undefined;
    } finally {
      await swept;
    }
  }

  async save(index: KeptIndex, bytes: Uint8Array, { validators, firstSeenAt }: StoredMeta): Promise<void> {
    const header: z.input<typeof headerSchema> = {
      format: FORMAT,
      identity: identityOf(index),
      validators,
      firstSeenAt,
    };
    await this.#write(this.#path(index, 'apkindex'), [`${JSON.stringify(header)}\n`, bytes]);
  }

  /** Remembers that upstream confirmed what is kept at `now` (unix milliseconds). */
  async confirm(index: KeptIndex, now: number): Promise<void> {
    const path = this.#path(index, 'apkindex');
    if (path !== undefined) await utimes(path, now / 1000, now / 1000).catch(() => undefined);
  }

  /** Notes the digest of an index that was held back, for `apk-beacon accept`. */
  async setHeldBack(index: KeptIndex, held: HeldBack): Promise<void> {
    await this.#write(this.#path(index, 'held.json'), [JSON.stringify(held)]);
  }

  async heldBack(index: KeptIndex): Promise<HeldBack | undefined> {
    return await readJson(heldSchema, this.#path(index, 'held.json'));
  }

  /** Lets the index with this digest pass the guards once, the next time it is fetched. */
  async accept(index: KeptIndex, digest: string, now: number): Promise<void> {
    const path = this.#path(index, 'accepted.json');
    if (path === undefined) throw new Error('there is no cache directory');
    const acceptance: z.input<typeof acceptanceSchema> = { digest, acceptedAt: now };
    await writeAtomically(path, [JSON.stringify(acceptance)]);
  }

  /**
   * Uses up the acceptance of the index with this digest. Returns whether there was one. It counts once, for a day, and
   * until another index is taken; one that cannot be removed does not count.
   */
  async takeAcceptance(index: KeptIndex, digest: string, now: number): Promise<boolean> {
    const path = this.#path(index, 'accepted.json');
    const acceptance = await readJson(acceptanceSchema, path);
    if (path === undefined || acceptance?.digest !== digest) return false;
    // Of several processes that share the folder, `unlink` succeeds in one; `rm` may in all.
    const isUsedUp = await unlink(path).then(
      () => true,
      () => false,
    );
    return isUsedUp && Math.abs(now - acceptance.acceptedAt) < ACCEPTANCE_AGE;
  }

  /** Nothing is held back any more: upstream shows the last good index again. */
  async clearHeldBack(index: KeptIndex): Promise<void> {
    await this.#remove(index, 'held.json');
  }

  /** Another index was taken: what was held back and what was accepted count no more. */
  async settle(index: KeptIndex): Promise<void> {
    await Promise.all([this.#remove(index, 'held.json'), this.#remove(index, 'accepted.json')]);
  }

  async #remove(index: KeptIndex, ending: string): Promise<void> {
    const path = this.#path(index, ending);
    if (path !== undefined) await rm(path, { force: true }).catch(() => undefined);
  }

  /** The file name shows the address; neither it nor the file holds a user name, password or query. */
  #path(index: KeptIndex, ending: string): string | undefined {
    if (this.#folder === undefined) return undefined;
    const readable = redactAddress(index.location)
      .replace(/^[a-z]+:\/\//, '')
      .replace(/[^A-Za-z0-9.-]+/g, '_')
      .slice(0, 80);
    return join(this.#folder, 'indexes', `${readable}-${identityOf(index).slice(0, 16)}.${ending}`);
  }

  /** Removes what processes that were killed have left half-written, and what earlier versions kept. */
  #sweep(): Promise<void> {
    this.#swept ??= this.#removeLeftovers().catch(() => undefined);
    return this.#swept;
  }

  async #removeLeftovers(): Promise<void> {
    const folder = join(this.#folder ?? '', 'indexes');
    await removeOrphans(folder);
    for (const name of await readdir(folder))
      if (EARLIER_FORMAT.test(name)) await rm(join(folder, name), { force: true });
  }

  async #write(path: string | undefined, pieces: readonly (Uint8Array | string)[]): Promise<void> {
    if (path === undefined) return;
    try {
      await writeAtomically(path, pieces);
      this.#complained = false;
    } catch (error) {
      if (!this.#complained) this.#warn(`cannot keep indexes in ${this.#folder}, going on without`, error);
      this.#complained = true;
    }
  }
}

/** What a small file says; `undefined` if it is missing or says something else. */
async function readJson<T>(schema: z.ZodType<T>, path: string | undefined): Promise<T | undefined> {
  if (path === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
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

function parseHeader(line: string): z.output<typeof headerSchema> {
  const result = headerSchema.safeParse(JSON.parse(line));
  if (result.success) return result.data;
  throw new Error(result.error.issues[0]?.message);
}

/** Holds no password: a changed one must not lose what is kept. The user counts, who may be shown another index. */
function identityOf({ location, terms }: KeptIndex): string {
  return createHash('sha256')
    .update(JSON.stringify([FORMAT, addressIdentity(location), terms]))
    .digest('hex');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
