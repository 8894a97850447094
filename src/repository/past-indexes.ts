/**
 * Keeps the files of indexes for a configured time after they were last the current ones (docs/decisions/018). A file is
 * named by the digest of its index and is as it was fetched, with signatures. Its modification time is when its index was
 * last current, by the clock of the service.
 */
import { open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryBytes } from '../apk/memory.ts';
import { errorLine } from '../errors.ts';
import { removeOrphans, writeAtomically } from './atomic-file.ts';

export interface PastIndexOptions {
  /** Absent: nothing is kept. */
  readonly folder: string | undefined;
  /** Milliseconds. */
  readonly keepFor: number;
  readonly now: () => number;
  /** A monotonic clock, in milliseconds. */
  readonly uptime?: () => number;
  readonly warn: (message: string) => void;
}

export interface KeptFiles {
  readonly files: number;
  readonly bytes: number;
}

const DIGEST = /^[0-9a-f]{64}$/;
/** Milliseconds between two sweeps if no file is added. */
const SWEEP_EVERY = 3_600_000;

export class PastIndexes {
  readonly #options: PastIndexOptions;
  #kept: KeptFiles = { files: 0, bytes: 0 };
  #sweptAt = -Infinity;
  /** The last trusted clock and the uptime then. Initially, when a file was last confirmed. */
  #last: Promise<{ readonly clock: number; readonly uptime: number }> | undefined;
  /** A write failed. Later ones are tried, but not reported again. */
  #hasWarned = false;

  constructor(options: PastIndexOptions) {
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#options.folder !== undefined;
  }

  /** All files, as of the last change. */
  get kept(): KeptFiles {
    return this.#kept;
  }

  /** Keeps the file of a current index. */
  async keep(digest: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(digest);
    if (path === undefined) return;
    await this.#trustsClock();
    try {
      await writeAtomically(path, [bytes]);
      this.#hasWarned = false;
    } catch (error) {
      const { folder, warn } = this.#options;
      if (!this.#hasWarned)
        warn(`cannot keep past indexes in ${folder}, going on without: ${errorLine(error)}`);
      this.#hasWarned = true;
      return;
    }
    await this.confirm(digest);
    await this.sweep();
  }

  /** Records that the index is still current. */
  async confirm(digest: string): Promise<void> {
    const path = this.#path(digest);
    if (path === undefined) return;
    await this.#trustsClock();
    const now = this.#options.now() / 1000;
    await utimes(path, now, now).catch(() => undefined);
    if (Math.abs(this.#options.now() - this.#sweptAt) >= SWEEP_EVERY) await this.sweep();
  }

  /** The file of an index, if it is there and has at most `maxBytes`. */
  async load(digest: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const path = this.#path(digest);
    if (path === undefined) return undefined;
    const file = await open(path).catch(() => undefined);
    try {
      const size = (await file?.stat())?.size ?? Infinity;
      if (!file || size > maxBytes) return undefined;
      const bytes = temporaryBytes(size);
      const { bytesRead } = await file.read(bytes, 0, size, 0);
      return bytesRead === size ? bytes : undefined;
    } finally {
      await file?.close();
    }
  }

  async has(digest: string): Promise<boolean> {
    const path = this.#path(digest);
    return path !== undefined && (await stat(path).catch(() => undefined)) !== undefined;
  }

  /** Removes files that are too old, and counts the others. */
  async sweep(): Promise<void> {
    const { folder, keepFor, now } = this.#options;
    if (folder === undefined) return;
    const mayRemove = await this.#trustsClock();
    this.#sweptAt = now();
    await removeOrphans(folder);
    let [files, bytes] = [0, 0];
    for (const name of await readdir(folder).catch(() => [])) {
      if (!DIGEST.test(name)) continue;
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (!found) continue;
      if (mayRemove && now() - found.mtimeMs > keepFor) {
        await rm(path, { force: true }).catch(() => undefined);
        continue;
      }
      files += 1;
      bytes += found.size;
    }
    this.#kept = { files, bytes };
  }

  /**
   * Whether the clock may be used to remove files: after a jump of more than `keepFor`, only once `keepFor` has
   * passed. Called before files are written, because it reads their times.
   */
  async #trustsClock(): Promise<boolean> {
    const { keepFor, now, uptime = () => performance.now() } = this.#options;
    const next = { clock: now(), uptime: uptime() };
    this.#last ??= this.#newest().then((newest) => ({ ...next, clock: newest ?? next.clock }));
    const last = await this.#last;
    const passed = next.uptime - last.uptime;
    const isTrusted = passed >= keepFor || next.clock - last.clock - passed <= keepFor;
    if (isTrusted)
      this.#last = Promise.resolve({ ...next, clock: Math.max(next.clock, last.clock + passed) });
    return isTrusted;
  }

  /** When any file was last confirmed. */
  async #newest(): Promise<number | undefined> {
    const { folder = '' } = this.#options;
    const names = (await readdir(folder).catch(() => [])).filter((name) => DIGEST.test(name));
    const found = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)));
    return names.length === 0 ? undefined : Math.max(...found.map((each) => each?.mtimeMs ?? 0));
  }

  /** `undefined` for anything but a digest: an imported ledger may contain any text. */
  #path(digest: string): string | undefined {
    const { folder } = this.#options;
    return folder === undefined || !DIGEST.test(digest) ? undefined : join(folder, digest);
  }
}
