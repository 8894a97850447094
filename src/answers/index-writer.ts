/** Writes indexes of stanzas, in the format of apk 2 or of apk 3, signed with the key of the operator. */
import { createHash, createSign } from 'node:crypto';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip, createGzip, gzip as gzipCallback } from 'node:zlib';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { createPause } from '../repository/pace.ts';
import { AdbWriter } from './virtual-adb.ts';

const gzip = promisify(gzipCallback);

/** An end-of-archive marker is two blocks of zeros; a signature member goes without. */
const TAR_END = 1024;
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

/** In between, `undefined` where the writer can pause. */
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
    return { bytes, etag: `"${createHash('sha1').update(bytes).digest('base64url')}"` };
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

  /** The text is never whole in memory: it is kept compressed until its length is known, with which a tar entry begins. */
  async #archive(stanzas: Stanzas, description: string): Promise<Buffer> {
    const zip = createGzip({ level: 1 });
    const zippedText = zip.toArray() as Promise<Buffer[]>;
    const size = await write(stanzas, zip);
    zip.end();
    const archive = pack();
    const zipped = buffer(archive.pipe(createGzip()));
    archive.entry({ name: 'DESCRIPTION', mtime: new Date(0) }, description);
    const entry = archive.entry({ name: 'APKINDEX', size, mtime: new Date(0) });
    const text = Readable.from(takenOut(await zippedText)).pipe(createGunzip());
    for await (const piece of text as AsyncIterable<Buffer>)
      if (!entry.write(piece)) await once(entry, 'drain');
    entry.end(undefined);
    archive.finalize();
    const body = await zipped;
    return this.#signer ? Buffer.concat([await signatureMember(body, this.#signer), body]) : body;
  }
}

/** Takes the pieces out as they are read, so that their memory can be given back. */
function* takenOut(pieces: Buffer[]): Generator<Buffer> {
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) yield piece;
}

/** Writes the stanzas, with pauses for other requests, and returns how many bytes they have. */
async function write(stanzas: Stanzas, to: Writable): Promise<number> {
  const pause = createPause();
  let size = 0;
  let piece = '';
  // One buffer is used again: the memory of many would be given back too late.
  const reused = Buffer.allocUnsafeSlow(4 * PIECE);
  const flush = async (): Promise<void> => {
    const bytes = piece.length > PIECE ? Buffer.from(piece) : reused.subarray(0, reused.write(piece));
    size += bytes.length;
    piece = '';
    await new Promise<void>((resolve, reject) => {
      to.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  };
  for await (const stanza of stanzas) {
    if (stanza !== undefined) {
      if (piece !== '' && piece.length + stanza.length > PIECE) await flush();
      piece += stanza;
    }
    await pause();
  }
  await flush();
  return size;
}

/** RSA with SHA-256 over the compressed bytes behind it, as apk-tools 3 and apko verify it. */
async function signatureMember(body: Uint8Array, { keyName, privateKey }: Signer): Promise<Buffer> {
  const content = createSign('RSA-SHA256')
    .update(body)
    .sign(await privateKey());
  const archive = pack();
  archive.entry({ name: `.SIGN.RSA256.${keyName}`, mtime: new Date(0) }, content);
  archive.finalize();
  const bytes = await buffer(archive);
  return gzip(bytes.subarray(0, bytes.length - TAR_END));
}
