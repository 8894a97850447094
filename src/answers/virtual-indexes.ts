/**
 * Virtual indexes as archives: made when first asked for, one at a time, and kept as long as their generation is served.
 * An index is never in memory as text: it goes through gzip stanza by stanza, twice, because a tar entry begins with its
 * length.
 */
import { createHash, createSign } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { createGzip, gzip as gzipCallback } from 'node:zlib';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import { AdbWriter } from './virtual-adb.ts';
import { virtualIndex } from './virtual-index.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { createQueue } from '../repository/pace.ts';

const gzip = promisify(gzipCallback);

/** An end-of-archive marker is two blocks of zeros; a signature member goes without. */
const TAR_END = 1024;
/** Stanzas that are rendered before other requests have their turn. */
const SLICE = 200;

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

export class VirtualIndexes {
  readonly #signer: Signer | undefined;
  readonly #archives = new WeakMap<Snapshot, Map<string, Promise<IndexArchive>>>();
  readonly #oneAtATime = createQueue();

  /** Without a signer the archives have no signature. */
  constructor(signer: Signer | undefined) {
    this.#signer = signer;
  }

  /** The APKINDEX.tar.gz of an arch, or of `any`, or the same as Packages.adb. */
  archive(snapshot: Snapshot, arch: string, format: IndexFormat): Promise<IndexArchive> {
    const ofSnapshot = this.#archives.get(snapshot) ?? new Map<string, Promise<IndexArchive>>();
    this.#archives.set(snapshot, ofSnapshot);
    const known = ofSnapshot.get(`${format} ${arch}`);
    if (known) return known;
    const make = format === 'adb' ? this.#makeAdb : this.#makeArchive;
    const made = this.#oneAtATime(() => make.call(this, snapshot, arch)).then((bytes) => ({
      bytes,
      etag: `"${createHash('sha1').update(bytes).digest('base64url')}"`,
    }));
    ofSnapshot.set(`${format} ${arch}`, made);
    made.catch(() => ofSnapshot.delete(`${format} ${arch}`));
    return made;
  }

  async #makeAdb({ catalog, generation }: Snapshot, arch: string): Promise<Buffer> {
    const writer = new AdbWriter();
    let count = 0;
    for (const stanza of virtualIndex(catalog, arch)) {
      writer.add(stanza);
      count += 1;
      if (count % SLICE === 0) await setImmediate();
    }
    return writer.file(`apk-beacon ${generation}`, await this.#signer?.privateKey());
  }

  async #makeArchive({ catalog, generation }: Snapshot, arch: string): Promise<Buffer> {
    let size = 0;
    for await (const text of slices(virtualIndex(catalog, arch))) size += Buffer.byteLength(text);
    const archive = pack();
    const zipped = buffer(archive.pipe(createGzip()));
    archive.entry({ name: 'DESCRIPTION', mtime: new Date(0) }, `apk-beacon ${generation}`);
    const entry = archive.entry({ name: 'APKINDEX', size, mtime: new Date(0) });
    for await (const text of slices(virtualIndex(catalog, arch)))
      if (!entry.write(Buffer.from(text))) await once(entry, 'drain');
    entry.end(undefined);
    archive.finalize();
    const body = await zipped;
    return this.#signer ? Buffer.concat([await signatureMember(body, this.#signer), body]) : body;
  }
}

/** Several stanzas at a time, between which other requests have their turn. */
async function* slices(stanzas: Iterable<string>): AsyncGenerator<string> {
  let slice: string[] = [];
  for (const stanza of stanzas) {
    slice.push(stanza);
    if (slice.length < SLICE) continue;
    yield slice.join('');
    slice = [];
    await setImmediate();
  }
  yield slice.join('');
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
