/**
 * The last good index of each repository and arch on disk, for a start before the network answers.
 *
 * One file an index: a line of JSON that tells what it is, then the archive as it was fetched, signatures included –
 * what is read back goes through the same verification as what was fetched. Files are written aside and renamed; the
 * time of the file is when upstream last confirmed it.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Validators } from './fetch-index.ts';
import type { IndexSummary } from './guards.ts';

const FORMAT = 1;
const NEWLINE = 0x0a;

/** What is kept with an archive. Times are unix milliseconds. */
export interface StoredMeta {
  readonly validators: Validators;
  readonly summary: IndexSummary;
  /** When this very index was first seen. */
  readonly firstSeenAt: number;
}

export interface StoredIndex extends StoredMeta {
  readonly bytes: Uint8Array;
  /** When upstream last said that this is the latest. */
  readonly confirmedAt: number;
}

interface Header extends StoredMeta {
  readonly format: number;
  readonly address: string;
}

export class IndexStore {
  readonly #folder: string | undefined;
  readonly #warn: (message: string, error: unknown) => void;
  /** Writing failed once: a read-only or full disk. It is tried again, but not complained about again. */
  #complained = false;

  /** Without a folder nothing is kept. `warn` is called at most once for what cannot be written. */
  constructor(folder: string | undefined, warn: (message: string, error: unknown) => void) {
    this.#folder = folder;
    this.#warn = warn;
  }

  /** The index kept for `address`, or `undefined` where there is none that can be used. */
  async load(address: string): Promise<StoredIndex | undefined> {
    const path = this.#path(address, 'apkindex');
    if (path === undefined) return undefined;
    try {
      const [file, { mtimeMs }] = await Promise.all([readFile(path), stat(path)]);
      const end = file.indexOf(NEWLINE);
      const {
        format,
        address: own,
        ...meta
      } = JSON.parse(file.toString('utf8', 0, Math.max(0, end))) as Header;
      if (format !== FORMAT) throw new Error(`format ${JSON.stringify(format)}, expected ${FORMAT}`);
      if (own !== address) throw new Error('it is of another index');
      return { ...meta, bytes: file.subarray(end + 1), confirmedAt: mtimeMs };
    } catch (error) {
      if (!isMissing(error)) this.#warn(`ignoring the cached index ${path}`, error);
      return undefined;
    }
  }

  async save(address: string, bytes: Uint8Array, meta: StoredMeta): Promise<void> {
    const header: Header = { format: FORMAT, address, ...meta };
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
    await mkdir(this.#folder as string, { recursive: true });
    await writeFile(path, JSON.stringify({ digest: accepted }));
  }

  async accepted(address: string): Promise<string | undefined> {
    return (await this.#readJson<{ digest: string }>(this.#path(address, 'accepted.json')))?.digest;
  }

  #path(address: string, ending: string): string | undefined {
    if (this.#folder === undefined) return undefined;
    const readable = address
      .replace(/^[a-z]+:\/\//, '')
      .replace(/[^A-Za-z0-9.-]+/g, '_')
      .slice(0, 80);
    return join(
      this.#folder,
      'indexes',
      `${readable}-${digest(Buffer.from(address)).slice(0, 12)}.${ending}`,
    );
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
    const aside = `${path}.${process.pid}.new`;
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

/** An index that the guards did not let pass. */
export interface HeldBack {
  readonly digest: string;
  readonly code: string;
  readonly message: string;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
