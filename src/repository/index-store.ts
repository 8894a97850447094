/**
 * Keeps the last good index of each repository and arch on disk, so that a start need not wait for the network.
 *
 * One file per index: a line of JSON metadata, then the archive as fetched, with signatures. A restored archive is
 * verified like a fetched one. Files are replaced atomically; the modification time is when upstream last confirmed the
 * index.
 */
import { addressIdentity, redactAddress } from '../addresses.ts';
import { createHash } from 'node:crypto';
import { open, readdir, readFile, rm, stat, unlink, utimes, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { temporaryBytes } from '../apk/memory.ts';
import { codeOf, IndexError } from '../errors.ts';
import { version } from '../version.ts';
import { removeOrphans, writeAtomically } from './atomic-file.ts';
import type { Validators } from './conditional.ts';
import { createQueue } from './pace.ts';

const FORMAT = 3;
const NEWLINE = 0x0a;
/** Far above any real header; the caller limits the archive. */
const MAX_HEADER_BYTES = 64 * 1024;
/** Milliseconds after which an unused acceptance expires. */
const ACCEPTANCE_AGE = 86_400_000;
/** Files of earlier formats, named by the location only. */
const EARLIER_FORMAT = /-[0-9a-f]{12}\.(apkindex|parsed|held\.json|accepted\.json)$/;

/** The identity of an index. */
export interface KeptIndex {
  readonly location: string;
  /**
   * Everything that decides whether it may be served: trust, keys, guards. An index accepted under one policy is
   * neither restored nor replaced under another.
   */
  readonly terms: string;
}

/** Metadata of an archive. Times are unix milliseconds. */
export interface StoredMeta {
  readonly validators: Validators;
  /** When this very index was first seen. */
  readonly firstSeenAt: number;
}

export interface StoredIndex extends StoredMeta {
  readonly bytes: Uint8Array;
  /** When upstream last confirmed that this is the latest. */
  readonly confirmedAt: number;
  /** The version of the program that kept it; `undefined` for old versions. */
  readonly program: string | undefined;
}

/** A valid header value. */
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
  program: z.string().optional(),
});

/** An index that the guards held back. */
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
  /** A write failed: a read-only or full disk. Later writes are tried, but not reported again. */
  #hasWarned = false;
  /** Files with an earlier index, because the last one could not be written. */
  readonly #outdated = new Set<string>();
  /** The digests of taken acceptances, by their path. */
  readonly #taken = new Map<string, string>();
  /** For acceptances. */
  readonly #oneAtATime = createQueue();
  #swept: Promise<void> | undefined;

  /** Without a folder, nothing is kept. `warn` is called at most once for failed writes. */
  constructor(folder: string | undefined, warn: (message: string, error: unknown) => void) {
    this.#folder = folder;
    this.#warn = warn;
  }

  /** The kept archive of `index`, if it is usable and has at most `maxBytes`. */
  async load(index: KeptIndex, maxBytes: number): Promise<StoredIndex | undefined> {
    const path = this.#path(index, 'apkindex');
    if (path === undefined) return undefined;
    const swept = this.#sweep();
    try {
      const { header, bytes, mtimeMs } = await readKept(path, maxBytes);
      const { identity, validators, firstSeenAt, program } = parseHeader(header);
      if (identity !== identityOf(index)) throw new Error('it belongs to another index');
      return { validators, firstSeenAt, program, bytes, confirmedAt: mtimeMs };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#warn(`ignoring the cached index ${path}`, error);
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
      program: version,
    };
    const path = this.#path(index, 'apkindex');
    if (path === undefined) return;
    if (await this.#write(path, [`${JSON.stringify(header)}\n`, bytes])) this.#outdated.delete(path);
    else this.#outdated.add(path);
  }

  /** Records that upstream confirmed the kept index at `now` (unix milliseconds). */
  async confirm(index: KeptIndex, now: number): Promise<void> {
    const path = this.#path(index, 'apkindex');
    if (path === undefined || this.#outdated.has(path)) return;
    await utimes(path, now / 1000, now / 1000).catch(() => undefined);
  }

  /** Records the digest of an index that was held back, for `apk-beacon accept`. */
  async setHeldBack(index: KeptIndex, held: HeldBack): Promise<void> {
    const path = this.#path(index, 'held.json');
    if (path !== undefined) await this.#write(path, [JSON.stringify(held)]);
  }

  async heldBack(index: KeptIndex): Promise<HeldBack | undefined> {
    return await readJson(heldSchema, this.#path(index, 'held.json'));
  }

  /** Lets the index with this digest pass the guards once, at its next fetch. */
  async accept(index: KeptIndex, digest: string, now: number): Promise<void> {
    const path = this.#path(index, 'accepted.json');
    if (path === undefined) throw new Error('there is no cache directory');
    const acceptance: z.input<typeof acceptanceSchema> = { digest, acceptedAt: now };
    await writeAtomically(path, [JSON.stringify(acceptance)]);
  }

  /**
   * Takes the acceptance of the index with this digest. Returns whether there was one. It is valid for a day and until
   * another index is accepted, in one process: there, all datasources with the index may take it. If its file cannot be
   * removed, it is not valid.
   */
  async takeAcceptance(index: KeptIndex, digest: string, now: number): Promise<boolean> {
    const path = this.#path(index, 'accepted.json');
    if (path === undefined) return false;
    return await this.#oneAtATime(async () => {
      if (this.#taken.get(path) === digest) return true;
      const acceptance = await readJson(acceptanceSchema, path);
      if (acceptance?.digest !== digest) return false;
      // If several processes share the folder, `unlink` succeeds in one of them; `rm` may succeed in all.
      const isUsedUp = await unlink(path).then(
        () => true,
        () => false,
      );
      const isValid = isUsedUp && Math.abs(now - acceptance.acceptedAt) < ACCEPTANCE_AGE;
      if (isValid) this.#taken.set(path, digest);
      return isValid;
    });
  }

  /** Clears what was held back: upstream serves the last good index again. */
  async clearHeldBack(index: KeptIndex): Promise<void> {
    await this.#remove(index, 'held.json');
  }

  /** The index with this digest was accepted: clears what was held back, and acceptances of others. */
  async settle(index: KeptIndex, digest: string): Promise<void> {
    const path = this.#path(index, 'accepted.json');
    if (path !== undefined && this.#taken.get(path) !== digest) this.#taken.delete(path);
    await Promise.all([this.#remove(index, 'held.json'), this.#remove(index, 'accepted.json')]);
  }

  async #remove(index: KeptIndex, ending: string): Promise<void> {
    const path = this.#path(index, ending);
    if (path !== undefined) await rm(path, { force: true }).catch(() => undefined);
  }

  /** The file name shows the address. Neither the name nor the file contains a user name, password or query. */
  #path(index: KeptIndex, ending: string): string | undefined {
    if (this.#folder === undefined) return undefined;
    const readable = redactAddress(index.location)
      .replace(/^[a-z]+:\/\//, '')
      .replace(/[^A-Za-z0-9.-]+/g, '_')
      .slice(0, 80);
    return join(this.#folder, 'indexes', `${readable}-${identityOf(index).slice(0, 16)}.${ending}`);
  }

  /** Removes temporary files of killed processes and files of earlier versions. */
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

  /** Returns whether the file was written. */
  async #write(path: string, pieces: readonly (Uint8Array | string)[]): Promise<boolean> {
    try {
      await writeAtomically(path, pieces);
      this.#hasWarned = false;
      return true;
    } catch (error) {
      if (!this.#hasWarned) this.#warn(`cannot keep indexes in ${this.#folder}, going on without`, error);
      this.#hasWarned = true;
      return false;
    }
  }
}

/** A kept index or feed, with a label for messages. */
interface Guarded extends KeptIndex {
  readonly label: string;
}

interface Digested {
  readonly digest: string;
}

/**
 * Runs `check` on what upstream offers. If that throws an `IndexError`, the offer is held back and recorded for an
 * operator to accept, and the error is thrown; an accepted offer passes.
 */
export async function checkOrHoldBack(
  store: IndexStore,
  kept: Guarded,
  {
    last,
    next,
    now,
  }: { readonly last: Digested | undefined; readonly next: Digested; readonly now: () => number },
  check: () => void | Promise<void>,
): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof IndexError)) throw error;
    if (!(await store.takeAcceptance(kept, next.digest, now()))) {
      await store.setHeldBack(kept, { digest: next.digest, code: error.code, message: error.message });
      throw new IndexError(error.code, `${kept.label} is held back: ${error.message}`);
    }
  }
  // An acceptance stays valid while the last good one is served again: mirrors may differ for a while.
  if (last?.digest === next.digest) await store.clearHeldBack(kept);
  else await store.settle(kept, next.digest);
}

/** The content of a small file; `undefined` if it is missing or invalid. */
async function readJson<T>(schema: z.ZodType<T>, path: string | undefined): Promise<T | undefined> {
  if (path === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** The parts of a kept file, and its modification time. */
async function readKept(
  path: string,
  maxBytes: number,
): Promise<{ header: string; bytes: Uint8Array; mtimeMs: number }> {
  // Checked before the file is opened: opening a pipe would wait for its writer.
  if (!(await stat(path)).isFile()) throw new Error('it is not a file');
  const file = await open(path);
  try {
    const { size, mtimeMs } = await file.stat();
    const start = await readAt(file, Buffer.alloc(Math.min(size, MAX_HEADER_BYTES)), 0);
    const end = start.indexOf(NEWLINE);
    if (end < 0) throw new Error('it has no header');
    const length = size - end - 1;
    if (length > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
    // Separate memory, which can be released, and a single read; `readFile` makes many.
    const bytes = await readAt(file, temporaryBytes(length), end + 1);
    return { header: start.toString('utf8', 0, end), bytes, mtimeMs };
  } finally {
    await file.close();
  }
}

/** Fills `buffer` from `position` on; returns less at the end of the file. */
async function readAt(file: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  return bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
}

function parseHeader(line: string): z.output<typeof headerSchema> {
  const result = headerSchema.safeParse(JSON.parse(line));
  if (result.success) return result.data;
  throw new Error(result.error.issues[0]?.message);
}

/** Without the password, so that a changed password keeps the index. With the user, who may see another index. */
function identityOf({ location, terms }: KeptIndex): string {
  return createHash('sha256')
    .update(JSON.stringify([FORMAT, addressIdentity(location), terms]))
    .digest('hex');
}
