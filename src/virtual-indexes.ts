/** Virtual indexes as archives: made when first asked for, kept as long as their generation is served. */
import { createHash, createSign } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import { pack } from 'tar-stream';
import { virtualIndex } from './catalog/virtual-index.ts';
import type { Snapshot } from './repository/live-datasource.ts';

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

export interface IndexArchive {
  readonly bytes: Buffer;
  readonly etag: string;
}

export class VirtualIndexes {
  readonly #signer: Signer | undefined;
  readonly #archives = new WeakMap<Snapshot, Map<string, Promise<IndexArchive>>>();

  /** Without a signer the archives have no signature. */
  constructor(signer: Signer | undefined) {
    this.#signer = signer;
  }

  /** The APKINDEX.tar.gz of an arch, or of `any`. */
  archive(snapshot: Snapshot, arch: string): Promise<IndexArchive> {
    const ofSnapshot = this.#archives.get(snapshot) ?? new Map<string, Promise<IndexArchive>>();
    this.#archives.set(snapshot, ofSnapshot);
    const known = ofSnapshot.get(arch);
    if (known) return known;
    const made = this.#make(snapshot, arch);
    ofSnapshot.set(arch, made);
    made.catch(() => ofSnapshot.delete(arch));
    return made;
  }

  async #make({ catalog, generation }: Snapshot, arch: string): Promise<IndexArchive> {
    const stanzas: string[] = [];
    for (const stanza of virtualIndex(catalog, arch)) {
      stanzas.push(stanza);
      if (stanzas.length % SLICE === 0) await setImmediate();
    }
    const body = await gzip(
      await tar([
        { name: 'DESCRIPTION', content: `apk-beacon ${generation}` },
        { name: 'APKINDEX', content: stanzas.join('') },
      ]),
    );
    const bytes = this.#signer ? Buffer.concat([await signatureMember(body, this.#signer), body]) : body;
    return { bytes, etag: `"${createHash('sha1').update(bytes).digest('base64url')}"` };
  }
}

/** RSA with SHA-256 over the compressed bytes behind it, as apk-tools 3 and apko verify it. */
async function signatureMember(body: Uint8Array, { keyName, privateKey }: Signer): Promise<Buffer> {
  const content = createSign('RSA-SHA256')
    .update(body)
    .sign(await privateKey());
  const archive = await tar([{ name: `.SIGN.RSA256.${keyName}`, content }]);
  return gzip(archive.subarray(0, archive.length - TAR_END));
}

async function tar(files: readonly { name: string; content: string | Uint8Array }[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, content } of files) archive.entry({ name, mtime: new Date(0) }, Buffer.from(content));
  archive.finalize();
  return buffer(archive);
}
