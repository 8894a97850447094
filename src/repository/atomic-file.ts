/**
 * Files that are there whole or not at all: written under another name, flushed to disk, renamed. The other name is
 * random, not made of a process id: containers that share a volume all run as process 1.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What the names of files that are being written end with. */
const ENDING = '.new';
/** Milliseconds after which nobody is still writing a file. */
const ORPHAN_AGE = 3_600_000;

/** Replaces the file at `path`; its folder is made if there is none. */
export async function writeAtomically(path: string, pieces: readonly (Uint8Array | string)[]): Promise<void> {
  const aside = `${path}.${randomUUID()}${ENDING}`;
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(aside, 'wx');
    try {
      for (const piece of pieces) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Removes what killed processes have left half-written of files in `folder` whose names begin with `prefix`. */
export async function removeOrphans(folder: string, prefix = ''): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix) || !name.endsWith(ENDING)) continue;
    const path = join(folder, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats && Date.now() - stats.mtimeMs > ORPHAN_AGE)
      await rm(path, { force: true }).catch(() => undefined);
  }
}

/** The same for one file, whose folder may hold what is not ours. */
export function removeOrphansOf(path: string): Promise<void> {
  return removeOrphans(dirname(path), `${basename(path)}.`);
}
