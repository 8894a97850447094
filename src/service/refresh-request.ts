/**
 * Asks another process with the same cache directory to refresh now, through the modification time of a file. This
 * works without a shell for signals, and from another container with the same volume.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../repository/atomic-file.ts';

/** Milliseconds between checks of the file. They are cheap, and network file systems do not report changes. */
const LOOK_EVERY = 2000;

const fileIn = (cacheDir: string): string => join(cacheDir, 'refresh-requested');

export async function requestRefresh(cacheDir: string): Promise<void> {
  await makeFolder(cacheDir);
  await writeFile(fileIn(cacheDir), `${new Date().toISOString()}\n`);
}

/** Calls `refreshNow` for each request until `signal` aborts. Does not keep the process alive. */
export function onRefreshRequest(cacheDir: string, refreshNow: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  const file = fileIn(cacheDir);
  const listener: Parameters<typeof watchFile>[1] = (current, previous) => {
    if (current.mtimeMs > 0 && current.mtimeMs !== previous.mtimeMs) refreshNow();
  };
  watchFile(file, { persistent: false, interval: LOOK_EVERY }, listener);
  signal.addEventListener('abort', () => unwatchFile(file, listener), { once: true });
}
