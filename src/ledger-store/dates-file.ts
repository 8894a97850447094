/**
 * The dates of the last index, in a file beside the database. They survive the loss of the database, so that no known
 * date is forgotten, and a start needs no query per package. A line of JSON, then the identities, then the dates.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { IDENTITY_BYTES } from '../apk/identity.ts';
import { codeOf } from '../errors.ts';
import type { Dated } from '../ledger/dates.ts';
import { removeOrphansOf, writeAtomically } from '../repository/atomic-file.ts';

const FORMAT = 1;
const NEWLINE = 0x0a;

/** Dates, and their generation in the database. */
export interface Known extends Dated {
  /** 0 if no database has it. */
  readonly generation: number;
  /** Of the index. */
  readonly digest: string;
  /** When the ledger that has these dates began; unix seconds. Earlier ones are dates of publishers. */
  readonly observedSince: number;
  /**
   * Unix seconds. If no database was reached yet, the date of the packages that existed at first. Not in the file.
   */
  readonly begunAt?: number | undefined;
  /** Made while the database failed, which may have earlier dates. Not in the file. */
  readonly isUnwritten?: boolean;
}

const headerSchema = z.object({
  format: z.literal(FORMAT),
  key: z.string(),
  generation: z.int(),
  digest: z.string(),
  // Files of earlier versions do not have it.
  observedSince: z.int().default(0),
  packages: z.int(),
});

export async function readDates(folder: string, key: string): Promise<Known | undefined> {
  const path = pathOf(folder, key);
  await removeOrphansOf(path);
  const bytes = await readFile(path).catch(ignoreMissing);
  if (!bytes) return undefined;
  const end = bytes.indexOf(NEWLINE);
  const { generation, digest, observedSince, packages, ...header } = headerSchema.parse(
    JSON.parse(bytes.toString('utf8', 0, end)),
  );
  const start = end + 1;
  if (header.key !== key) throw new Error('it belongs to another index');
  if (bytes.length !== start + packages * (IDENTITY_BYTES + 4)) throw new Error('it is truncated');
  const identities = bytes.subarray(start, start + packages * IDENTITY_BYTES);
  const dates = Uint8Array.from(bytes.subarray(start + packages * IDENTITY_BYTES));
  return { identities, releasedAt: new Uint32Array(dates.buffer), generation, digest, observedSince };
}

export async function writeDates(folder: string, key: string, known: Known): Promise<void> {
  const { identities, releasedAt, generation, digest, observedSince } = known;
  const header = { format: FORMAT, key, generation, digest, observedSince, packages: releasedAt.length };
  const dates = new Uint8Array(releasedAt.buffer, releasedAt.byteOffset, releasedAt.byteLength);
  await writeAtomically(pathOf(folder, key), [`${JSON.stringify(header)}\n`, identities, dates]);
}

function pathOf(folder: string, key: string): string {
  return join(folder, 'dates', `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.dates`);
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}
