import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/**
 * The folder of real indexes beside the checkout; they are too large for the repository. If it is `undefined`, tests
 * that need it are skipped, with a message per file.
 */
export const sharedData: string | undefined = existsSync(`${folder}wolfi-2026-07-24`) ? folder : undefined;
if (!sharedData) process.stderr.write('skipped: tests on real indexes, which are not beside this checkout\n');
