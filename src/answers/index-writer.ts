/** Writes indexes from stanzas, in the format of apk 2 or apk 3, signed with the operator's key. */
import { createSign } from 'node:crypto';
import type { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { constants, crc32, createDeflateRaw, deflateRawSync, gzip as gzipCallback } from 'node:zlib';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { inSteps } from '../apk/pieces.ts';
import { createPause } from '../repository/pace.ts';
import { etagInSteps } from './body.ts';
import { AdbWriter } from './virtual-adb.ts';

const gzip = promisify(gzipCallback);

/** An end-of-archive marker is two blocks of zeros; a signature member has none. */
const TAR_END = 1024;
const TAR_BLOCK = 512;
const ZEROS = Buffer.alloc(64 * 1024);
/** Characters of stanzas that are written at once. */
const PIECE = 64 * 1024;

export interface Signer {
  readonly keyName: string;
  /** The private key, PEM. */
  readonly privateKey: () => Promise<string>;
}

/** Of apk 2 or of apk 3. */
export type IndexFormat = 'v2' | 'adb';

export interface IndexArchive {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** Stanzas; `undefined` where the writer may pause. */
export type Stanzas = Iterable<string | undefined> | AsyncIterable<string | undefined>;

export class IndexWriter {
  readonly #signer: Signer | undefined;

  /** Without a signer the indexes have no signature. */
  constructor(signer: Signer | undefined) {
    this.#signer = signer;
  }

  async write(stanzas: Stanzas, description: string, format: IndexFormat): Promise<IndexArchive> {
    const bytes = await (format === 'adb'
      ? this.#adb(stanzas, description)
      : this.#archive(stanzas, description));
    return { bytes, etag: await inSteps(etagInSteps(bytes), createPause()) };
  }

  async #adb(stanzas: Stanzas, description: string): Promise<Buffer> {
    const writer = new AdbWriter();
    const pause = createPause();
    for await (const each of stanzas) {
      if (each !== undefined) writer.add(each);
      await pause();
    }
    return writer.file(description, await this.#signer?.privateKey());
  }

  /**
   * The text is never in memory as a whole: it is compressed as it arrives. A tar entry begins with its length, which
   * is known only at the end; so the part before the text is compressed last, as separate deflate blocks.
   */
  async #archive(stanzas: Stanzas, description: string): Promise<Buffer> {
    const deflate = createDeflateRaw();
    const deflated = deflate.toArray() as Promise<Buffer[]>;
    const { size, crc } = await writeStanzas(stanzas, deflate);
    deflate.end();
    const head = await tarHead(description, size);
    const body = [
      GZIP_HEADER,
      deflateRawSync(head, { finishFlush: constants.Z_SYNC_FLUSH }),
      ...(await deflated),
      gzipTrailer(joinCrcs(crc32(head), crc, paddedSize(size)), head.length + paddedSize(size)),
    ];
    const signature = this.#signer ? [await signatureMember(body, this.#signer)] : [];
    return Buffer.concat([...signature, ...body]);
  }
}

/** The part of the archive before the text. */
async function tarHead(description: string, size: number): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: 'DESCRIPTION', mtime: new Date(0) }, description);
  const text = archive.entry({ name: 'APKINDEX', size, mtime: new Date(0) });
  // The entry ends without its content, which pack() reports as an error.
  text.on('error', () => undefined);
  const blocks = 2 + Math.ceil(Buffer.byteLength(description) / TAR_BLOCK);
  const pieces: Buffer[] = [];
  for await (const piece of archive as AsyncIterable<Buffer>) {
    pieces.push(piece);
    if (lengthOf(pieces) === blocks * TAR_BLOCK) break;
  }
  return Buffer.concat(pieces);
}

function lengthOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** The padding of an entry, and the end of the archive. */
function paddedSize(size: number): number {
  return Math.ceil(size / TAR_BLOCK) * TAR_BLOCK + TAR_END;
}

/** RFC 1952: deflate, no other fields. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);

function gzipTrailer(crc: number, size: number): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  return trailer;
}

/** The CRC-32 of two concatenated texts. CRC is linear, so the first is extended by zeros in place of the second. */
function joinCrcs(first: number, second: number, secondSize: number): number {
  let [shifted, zeros] = [first, 0];
  for (let left = secondSize; left > 0; left -= ZEROS.length) {
    const piece = ZEROS.subarray(0, left);
    [shifted, zeros] = [crc32(piece, shifted), crc32(piece, zeros)];
  }
  return (shifted ^ zeros ^ second) >>> 0;
}

/**
 * Writes the stanzas and the end of the archive, with pauses for other requests. Returns the bytes of the stanzas, and
 * the CRC-32 of all that was written.
 */
async function writeStanzas(stanzas: Stanzas, to: Writable): Promise<{ size: number; crc: number }> {
  const pause = createPause();
  let [size, crc] = [0, 0];
  let piece = '';
  // Reuses one buffer, because the memory of many would be freed too late.
  const reused = Buffer.allocUnsafeSlow(4 * PIECE);
  const send = async (bytes: Buffer): Promise<void> => {
    crc = crc32(bytes, crc);
    await new Promise<void>((resolve, reject) => {
      to.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  };
  const flush = async (): Promise<void> => {
    const bytes = piece.length > PIECE ? Buffer.from(piece) : reused.subarray(0, reused.write(piece));
    size += bytes.length;
    piece = '';
    await send(bytes);
  };
  for await (const stanza of stanzas) {
    if (stanza !== undefined) {
      if (piece !== '' && piece.length + stanza.length > PIECE) await flush();
      piece += stanza;
    }
    await pause();
  }
  await flush();
  await send(Buffer.alloc(paddedSize(size) - size));
  return { size, crc };
}

/** RSA with SHA-256 over the compressed bytes behind it, as apk-tools 3 and apko verify it. */
async function signatureMember(
  body: readonly Uint8Array[],
  { keyName, privateKey }: Signer,
): Promise<Buffer> {
  const sign = createSign('RSA-SHA256');
  for (const piece of body) sign.update(piece);
  const content = sign.sign(await privateKey());
  const archive = pack();
  archive.entry({ name: `.SIGN.RSA256.${keyName}`, mtime: new Date(0) }, content);
  archive.finalize();
  const bytes = await buffer(archive);
  return gzip(bytes.subarray(0, bytes.length - TAR_END));
}
