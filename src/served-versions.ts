/**
 * Which versions of which names were served: the only pins that can come of an answer. When such a version is gone,
 * a question that does not tell its pin can still be answered as if it did. Bounded, and kept on disk.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const FORMAT = 1;
const MAX_NAMES = 20_000;
const MAX_VERSIONS = 32;

export class ServedVersions {
  readonly #file: string | undefined;
  /** By datasource and name, most recently asked last; versions, most recently served first. */
  readonly #versions = new Map<string, readonly string[]>();
  #changed = false;

  /** Without a file the memory ends with the process. */
  constructor(file: string | undefined) {
    this.#file = file;
  }

  /** Versions served for `name` at any time, most recently served and newest first. */
  recall(datasource: string, name: string): readonly string[] {
    return this.#versions.get(key(datasource, name)) ?? [];
  }

  /** Notes what is being served: versions, oldest first. */
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
    if (this.#versions.size > MAX_NAMES && oldest !== undefined) this.#versions.delete(oldest);
  }

  /** Reads what an earlier process kept; anything unreadable is as good as nothing. */
  async load(): Promise<void> {
    if (this.#file === undefined) return;
    const kept: unknown = await readFile(this.#file, 'utf8')
      .then((text): unknown => JSON.parse(text))
      .catch(() => undefined);
    if (typeof kept !== 'object' || kept === null || !('format' in kept) || kept.format !== FORMAT) return;
    const { versions } = kept as { versions?: unknown };
    if (!Array.isArray(versions)) return;
    for (const entry of versions as unknown[]) {
      const [id, list] = Array.isArray(entry) ? (entry as unknown[]) : [];
      if (typeof id !== 'string' || !Array.isArray(list)) continue;
      const texts = list.filter((version) => typeof version === 'string').slice(0, MAX_VERSIONS);
      if (this.#versions.size < MAX_NAMES) this.#versions.set(id, texts);
    }
  }

  /** Writes what has changed since the last time. A disk that cannot be written to costs the memory, nothing else. */
  async save(): Promise<void> {
    if (this.#file === undefined || !this.#changed) return;
    this.#changed = false;
    const aside = `${this.#file}.${process.pid}.new`;
    try {
      await mkdir(dirname(this.#file), { recursive: true });
      await writeFile(aside, JSON.stringify({ format: FORMAT, versions: [...this.#versions] }));
      await rename(aside, this.#file);
    } catch {
      this.#changed = true;
    }
  }
}

function key(datasource: string, name: string): string {
  return `${datasource} ${name}`;
}
