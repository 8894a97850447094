/**
 * Which versions were served for which names. Only these can be pinned because of an answer. If such a version is
 * withdrawn, even a query without a pin can be answered for its pins. Bounded, and kept on disk.
 */
import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { codeOf } from '../errors.ts';
import { removeOrphansOf, writeAtomically } from '../repository/atomic-file.ts';

const FORMAT = 1;
/** The remembered versions per name. */
export const MAX_VERSIONS = 32;
/** Twice the size of the largest file. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

const fileSchema = z.object({
  format: z.literal(FORMAT),
  versions: z.array(z.tuple([z.string(), z.array(z.string())])),
});

interface ServedVersionsOptions {
  readonly maxNames?: number;
  readonly warn?: (message: string, error: unknown) => void;
}

export class ServedVersions {
  readonly #file: string | undefined;
  readonly #warn: (message: string, error: unknown) => void;
  readonly #maxNames: number;
  /** By datasource and name, most recently asked last; versions most recently served first. */
  readonly #versions = new Map<string, readonly string[]>();
  #changed = false;

  /** Without a file, nothing outlives the process. `warn` is called once if the file cannot be read. */
  constructor(
    file: string | undefined,
    { maxNames = 20_000, warn = () => undefined }: ServedVersionsOptions = {},
  ) {
    this.#file = file;
    this.#maxNames = maxNames;
    this.#warn = warn;
  }

  /** Versions ever served for `name`, most recently served and newest first. */
  recall(datasource: string, name: string): readonly string[] {
    return this.#versions.get(key(datasource, name)) ?? [];
  }

  /** Records served versions, oldest first. */
  note(datasource: string, name: string, versions: readonly string[]): void {
    const id = key(datasource, name);
    const before = this.#versions.get(id) ?? [];
    const newest = versions.slice(-MAX_VERSIONS).toReversed();
    const after = [...newest, ...before.filter((version) => !newest.includes(version))].slice(
      0,
      MAX_VERSIONS,
    );
    this.#versions.delete(id);
    this.#versions.set(id, after);
    if (after.length === before.length && after.every((version, i) => version === before[i])) return;
    this.#changed = true;
    const oldest = this.#versions.keys().next().value;
    if (this.#versions.size > this.#maxNames && oldest !== undefined) this.#versions.delete(oldest);
  }

  /** Reads the file of an earlier process; an unreadable file is ignored. */
  async load(): Promise<void> {
    if (this.#file === undefined) return;
    await removeOrphansOf(this.#file);
    try {
      const { size } = await stat(this.#file);
      if (size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
      const { versions } = fileSchema.parse(JSON.parse(await readFile(this.#file, 'utf8')));
      for (const [id, list] of versions.slice(-this.#maxNames))
        this.#versions.set(id, list.slice(0, MAX_VERSIONS));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      this.#warn(`ignoring the versions served before, ${this.#file}`, error);
    }
  }

  /** Writes the changes since the last call. If the disk cannot be written, only this record is lost. */
  async save(): Promise<void> {
    if (this.#file === undefined || !this.#changed) return;
    this.#changed = false;
    try {
      await writeAtomically(this.#file, [JSON.stringify({ format: FORMAT, versions: [...this.#versions] })]);
    } catch {
      this.#changed = true;
    }
  }
}

function key(datasource: string, name: string): string {
  return `${datasource} ${name}`;
}
