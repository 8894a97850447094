/**
 * The pipeline from an archive's bytes to packages: split → verify → inflate → untar → scan. Nothing of the index is
 * inflated before its signature is verified, and packages are read from the verified bytes only.
 */
import { createHash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import { cut, IndexError } from '../errors.ts';
import { IndexScanner } from './index-scanner.ts';
import { release } from './memory.ts';
import { inPieces, type Pause } from './pieces.ts';
import { splitSignatures, verifySignature, type TrustedKey } from './signature.ts';
import type { ScannedIndex } from './table-builder.ts';
import { TarReader } from './tar.ts';

/** Where reading stops. An index that needs more is refused, not cut. */
export interface ReadLimits {
  /** Of the inflated tar, in bytes; apko's limit is 300 MiB. */
  readonly maxInflatedBytes: number;
  /** Inflated to compressed size, checked once `ratioFreeBytes` have come. Wolfi's is 4.6. */
  readonly maxRatio: number;
  readonly maxLineBytes: number;
  readonly maxPackages: number;
}

export const defaultReadLimits: ReadLimits = {
  maxInflatedBytes: 300 * 1024 * 1024,
  maxRatio: 100,
  maxLineBytes: 8 * 1024 * 1024,
  maxPackages: 5_000_000,
};

/** Below this inflated size a bad ratio does no harm: a small index of alike packages may have one. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const DESCRIPTION_BYTES = 4096;

export interface ReadOptions {
  /** Trusted keys, or `unverified` to take the index as it is. */
  readonly keys: readonly TrustedKey[] | 'unverified';
  readonly limits: ReadLimits;
  /** The arch the index was asked for. */
  readonly arch?: string | undefined;
  /** Without `arch`: the archs wanted of a file that may hold several. */
  readonly archs?: readonly string[] | undefined;
  /** Called between chunks: lets the caller share the thread with others. */
  readonly pause?: Pause | undefined;
  readonly signal?: AbortSignal;
}

/** An index that was verified (unless told not to) and read to its end. */
export interface VerifiedIndex extends ScannedIndex {
  /** What the repository says of itself, e.g. `v3.22.2-206-ge2cfd1f9853`; often empty. */
  readonly description: string;
  /** When the index was made, by the clock of who made it (tar header), in unix seconds; 0 where not told. */
  readonly madeAt: number;
  /** Name of the key that vouches for it, `undefined` if it was not verified. */
  readonly keyName: string | undefined;
  /** SHA-256 of the body's compressed bytes, hex: the same index has the same digest whoever signed it. */
  readonly digest: string;
}

/** Reads the bytes of an APKINDEX.tar.gz. Throws an `IndexError` of the code that fits. */
export async function readIndex(bytes: Uint8Array, options: ReadOptions): Promise<VerifiedIndex> {
  const { body, keyName } = await verifyArchive(bytes, options);
  const contents = await readBody(body, options);
  return { ...contents, keyName, digest: await digestOf(body, options.pause) };
}

/** The part that signatures are of, and the key that vouches for it unless told not to look. */
async function verifyArchive(
  bytes: Uint8Array,
  { keys, pause }: Pick<ReadOptions, 'keys' | 'pause'>,
): Promise<{ body: Uint8Array; keyName: string | undefined }> {
  refuseOtherFormats(bytes);
  const archive = splitSignatures(bytes);
  const key = keys === 'unverified' ? undefined : await verifySignature(archive, keys, pause);
  return { body: archive.body, keyName: key?.name };
}

/** apk-tools 3 has an index format of its own, `ADB.`, `ADBd` or `ADBc`, which Alpine and Wolfi do not serve yet. */
function refuseOtherFormats(bytes: Uint8Array): void {
  if (Buffer.from(bytes.subarray(0, 3)).toString('latin1') === 'ADB') {
    throw new IndexError(
      'index-unsupported',
      'this is an apk v3 index (ADB), which is not supported yet; point apk-beacon at the APKINDEX.tar.gz',
    );
  }
}

type Contents = ScannedIndex & Pick<VerifiedIndex, 'description' | 'madeAt'>;

async function readBody(body: Uint8Array, options: ReadOptions): Promise<Contents> {
  const { limits, arch, archs, pause, signal } = options;
  const scanner = new IndexScanner({ ...limits, arch, archs, compressedBytes: body.length });
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
      if (current === 'APKINDEX') scanner.push(chunk);
      else description += Buffer.from(chunk).toString('utf8');
    },
    done: () => undefined,
  });

  let inflated = 0;
  for await (const chunk of inflate(body, signal)) {
    inflated += chunk.length;
    checkSize(inflated, body.length, limits);
    tar.push(chunk);
    release(chunk);
    await pause?.();
  }
  tar.end();
  if (!hasIndex) throw new IndexError('archive-malformed', 'tar: no APKINDEX in it');
  return { ...(await inSteps(scanner.finish(), pause)), description: description.trim(), madeAt };
}

async function inSteps<T>(work: Generator<undefined, T>, pause: Pause | undefined): Promise<T> {
  let step = work.next();
  for (; !step.done; step = work.next()) await pause?.();
  return step.value;
}

/** Inflates on zlib's own thread while the caller reads the chunk before. */
async function* inflate(body: Uint8Array, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  gunzip.end(body);
  try {
    for await (const chunk of gunzip) {
      signal?.throwIfAborted();
      yield chunk as Buffer;
    }
  } catch (cause) {
    if (cause instanceof IndexError || signal?.aborted) throw cause;
    throw new IndexError('archive-malformed', 'the index member is no intact gzip', { cause });
  }
  // zlib passes over zero bytes behind the last member; apk refuses any byte there.
  if (gunzip.bytesWritten !== body.length) {
    throw new IndexError(
      'archive-malformed',
      `${body.length - gunzip.bytesWritten} bytes behind the last gzip member`,
    );
  }
}

function checkSize(inflated: number, compressed: number, limits: ReadLimits): void {
  if (inflated > limits.maxInflatedBytes) {
    throw new IndexError('archive-too-large', `inflates to more than ${limits.maxInflatedBytes} bytes`);
  }
  if (inflated > RATIO_FREE_BYTES && inflated > compressed * limits.maxRatio) {
    throw new IndexError('archive-too-large', `inflates to more than ${limits.maxRatio} times its size`);
  }
}

/** What `VerifiedIndex` calls its digest. */
async function digestOf(bytes: Uint8Array, pause: Pause | undefined): Promise<string> {
  const hash = createHash('sha256');
  await inPieces(bytes, pause, (piece) => hash.update(piece));
  return hash.digest('hex');
}
