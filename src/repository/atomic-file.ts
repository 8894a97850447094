/**
 * Writes files atomically: under another name, flushed to disk, then renamed. The temporary name is random, because in
 * containers that share a volume every process has the id 1.
 */
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Suffix of files that are being written. */
const ENDING = '.new';
/** Milliseconds after which a temporary file counts as abandoned. */
const ORPHAN_AGE = 3_600_000;

/**
 * Replaces the file at `path`; creates its folder if needed. With `like`, the new file has that mode, and that owner if the
 * system allows it.
 */
export async function writeAtomically(
  path: string,
  pieces: readonly (Uint8Array | string)[],
  like?: Pick<Stats, 'mode' | 'uid' | 'gid'>,
): Promise<void> {
  const aside = `${path}.${randomUUID()}${ENDING}`;
  await makeFolder(dirname(path));
  try {
    const file = await open(aside, 'wx');
    try {
      for (const piece of pieces) await file.writeFile(piece);
      if (like) {
        await file.chown(like.uid, like.gid).catch(() => undefined);
        await file.chmod(like.mode);
      }
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

/** With those above it. Node's own way to do so never ends where none can be made, as in /proc. */
export async function makeFolder(folder: string): Promise<void> {
  const isThere = (): Promise<boolean> =>
    access(folder).then(
      () => true,
      () => false,
    );
  if (await isThere()) return;
  await makeFolder(dirname(folder));
  await mkdir(folder).catch(async (error: unknown) => {
    // Another process may have been faster.
    if (!(await isThere())) throw error;
  });
}

/** Removes temporary files that killed processes left in `folder` for files whose names start with `prefix`. */
export async function removeOrphans(folder: string, prefix = ''): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix) || !name.endsWith(ENDING)) continue;
    const path = join(folder, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats && Date.now() - stats.mtimeMs > ORPHAN_AGE)
      await rm(path, { force: true }).catch(() => undefined);
  }
}

/** The same for one file, in a folder with files of others. */
export function removeOrphansOf(path: string): Promise<void> {
  return removeOrphans(dirname(path), `${basename(path)}.`);
}
