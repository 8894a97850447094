/**
 * The pipeline from an index's bytes to packages. The bytes themselves show which of the two formats they have:
 *
 *   APKINDEX.tar.gz (apk 2): split → verify → inflate → untar → scan
 *   ADB (apk 3):             inflate → split → verify → read
 *
 * Packages are read from verified bytes only. An archive's index is not inflated before it is verified. An ADB has its
 * signatures inside, over inflated bytes; so it is inflated first, and only its blocks are read before verification.
 */
import { createGunzip } from 'node:zlib';
import { cut, IndexError } from '../errors.ts';
import { closeAdb, isAdb, openAdb, type AdbFile } from './adb-file.ts';
import { readAdbIndex } from './adb-index.ts';
import { digestsOf, verifyAdb } from './adb-signature.ts';
import { IndexScanner } from './index-scanner.ts';
import { checkSize, CHUNK_BYTES, inflate, type InflateLimits } from './inflate.ts';
import { release } from './memory.ts';
import { hashOf, inSteps, type Pause } from './pieces.ts';
import { splitSignatures, verifySignature, type TrustedKey } from './signature.ts';
import type { ScannedIndex } from './table-builder.ts';
import { TarReader } from './tar.ts';

/** Limits of reading. An index that exceeds one is refused, not truncated. */
export interface ReadLimits extends InflateLimits {
  readonly maxLineBytes: number;
  readonly maxPackages: number;
  /** Whether the sizes of packages are read as well. */
  readonly withSizes?: boolean | undefined;
}

export const defaultReadLimits: ReadLimits = {
  maxInflatedBytes: 300 * 1024 * 1024,
  maxRatio: 100,
  maxLineBytes: 2 * 1024 * 1024,
  maxPackages: 5_000_000,
};

const DESCRIPTION_BYTES = 4096;
/** Inflated text that is scanned at once: a few milliseconds' work even for code that V8 has not optimised yet. */
const PIECE_BYTES = 32 * 1024;

export interface ReadOptions {
  /** Trusted keys, or `unverified` to take the index as it is. */
  readonly keys: readonly TrustedKey[] | 'unverified';
  readonly limits: ReadLimits;
  /** The arch for which the index was requested. */
  readonly arch?: string | undefined;
  /** Without `arch`: the archs to read from a file that may have several. */
  readonly archs?: readonly string[] | undefined;
  /** Called between chunks, so that other work can run. */
  readonly pause?: Pause | undefined;
  readonly signal?: AbortSignal;
}

/** An index that was read completely, and verified unless configured otherwise. */
export interface VerifiedIndex extends ScannedIndex {
  /** The format it came in. */
  readonly format: 'v2' | 'adb';
  /** The repository's own description, e.g. `v3.22.2-206-ge2cfd1f9853`; often empty. */
  readonly description: string;
  /** When the index was made, by its maker's clock (tar header), in unix seconds; 0 if unknown, as in ADB. */
  readonly madeAt: number;
  /** Name of the key that signed it; `undefined` if it was not verified. */
  readonly keyName: string | undefined;
  /**
   * Hex digest of the signed bytes: the same index has the same digest, whoever signed it. SHA-256 of an archive's
   * compressed body; the first half of the SHA-512 of an ADB's values, which most of its signatures need anyway.
   */
  readonly digest: string;
}

/** Reads the bytes of an index. Throws an `IndexError`. */
export function readIndex(bytes: Uint8Array, options: ReadOptions): Promise<VerifiedIndex> {
  return isAdb(bytes) ? readAdb(bytes, options) : readArchive(bytes, options);
}

async function readArchive(bytes: Uint8Array, options: ReadOptions): Promise<VerifiedIndex> {
  const { keys, pause } = options;
  const archive = splitSignatures(bytes);
  const key = keys === 'unverified' ? undefined : await verifySignature(archive, keys, pause);
  const contents = await readBody(archive.body, options);
  const digest = (await hashOf(archive.body, 'sha256', pause)).toString('hex');
  return { ...contents, format: 'v2', keyName: key?.name, digest };
}

const DIGEST_BYTES = 32;

async function readAdb(bytes: Uint8Array, options: ReadOptions): Promise<VerifiedIndex> {
  const { keys, limits, arch, archs, pause } = options;
  const file = await openAdb(bytes, options);
  const digestOf = digestsOf(file.values, pause);
  const key = keys === 'unverified' ? undefined : await verifyAdb(file, digestOf, keys, pause);
  checkSchema(file);
  const work = readAdbIndex(file.values, { ...limits, arch, archs, compressedBytes: bytes.length });
  const contents = await inSteps(work, pause);
  const digest = (await digestOf('sha512')).toString('hex', 0, DIGEST_BYTES);
  closeAdb(file);
  return { ...contents, format: 'adb', madeAt: 0, keyName: key?.name, digest };
}

/** Refuses anything but an index: a package may be signed with the same key. */
function checkSchema({ schema, values }: AdbFile): void {
  const name = schema.toString('latin1');
  if (name !== 'indx') {
    throw new IndexError(
      'archive-malformed',
      `an ADB of the schema ${JSON.stringify(name)}, not of an index`,
    );
  }
  if (values[0] !== 0) throw new IndexError('index-unsupported', `an ADB of version ${values[0]}, not 0`);
}

type Facts = Pick<VerifiedIndex, 'description' | 'madeAt'>;

async function readBody(body: Uint8Array, options: ReadOptions): Promise<ScannedIndex & Facts> {
  const { limits, arch, archs, pause } = options;
  const scanner = new IndexScanner({ ...limits, arch, archs, compressedBytes: body.length });
  const work = unpack(body, options, (chunk) => scanner.push(chunk));
  let step = await work.next();
  while (!step.done) step = await work.next();
  return { ...(await inSteps(scanner.finish(), pause)), ...step.value };
}

/** Passes the text of an archive's index to `push` in pieces and yields after each. */
export async function* unpack(
  body: Uint8Array,
  { limits, pause, signal }: Pick<ReadOptions, 'limits' | 'pause' | 'signal'>,
  push: (chunk: Uint8Array) => void,
): AsyncGenerator<undefined, Facts> {
  let hasIndex = false;
  let current = '';
  let description = '';
  let madeAt = 0;
  const tar = new TarReader({
    entry: ({ name, size, modifiedAt }) => {
      if (name.startsWith('.SIGN.'))
        throw new IndexError('archive-malformed', `${cut(name)} inside the index member`);
      current = name;
      if (name === 'APKINDEX') {
        hasIndex = true;
        madeAt = modifiedAt;
      }
      return name === 'APKINDEX' || (name === 'DESCRIPTION' && size <= DESCRIPTION_BYTES);
    },
    data: (chunk) => {
      if (current === 'APKINDEX') push(chunk);
      else description += Buffer.from(chunk).toString('utf8');
    },
    done: () => undefined,
  });

  let inflated = 0;
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  for await (const chunk of inflate(gunzip, body, 'the gzip of the index member', signal)) {
    inflated += chunk.length;
    checkSize(inflated, body.length, limits);
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      tar.push(chunk.subarray(at, at + PIECE_BYTES));
      await pause?.();
    }
    release(chunk);
    yield;
  }
  // zlib ignores zero bytes after the last member; apk refuses any byte there.
  if (gunzip.bytesWritten !== body.length) {
    const behind = body.length - gunzip.bytesWritten;
    throw new IndexError('archive-malformed', `${behind} bytes after the last gzip member`);
  }
  tar.end();
  if (!hasIndex) throw new IndexError('archive-malformed', 'tar: no APKINDEX in it');
  return { description: description.trim(), madeAt };
}
