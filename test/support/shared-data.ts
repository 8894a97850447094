import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/**
 * The folder of real indexes beside the checkout, too large to be in the repository, or `undefined`; what needs it is
 * then skipped, and says so once a file.
 */
export const sharedData: string | undefined = existsSync(`${folder}wolfi-2026-07-24`) ? folder : undefined;
if (!sharedData) process.stderr.write('skipped: tests on real indexes, which are not beside this checkout\n');
