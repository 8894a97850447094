/**
 * An APKINDEX of what is on offer: verified, merged over the repositories, coherent, and for `any` what all archs have.
 * It is made to be read, by Renovate's own `apk` datasource above all; packages cannot be installed by it, because it
 * does not tell their real identities and sizes. Names that packages provide with a version are records of their own,
 * since that datasource knows nothing of provides.
 */
import { createHash, createSign } from 'node:crypto';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGunzip, createGzip, gzip as gzipCallback } from 'node:zlib';
import { promisify } from 'node:util';
import { pack } from 'tar-stream';
import type { Catalog, VersionReport } from '../catalog/catalog.ts';
import { eachInSteps, isStep, sortInSteps } from '../catalog/steps.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { createPause, createQueue } from '../repository/pace.ts';
import { AdbWriter } from './virtual-adb.ts';

/** In place of an arch: what every arch of the datasource has. */
export const ANY_ARCH = 'any';

/** apk-package(5): what a package may be called. Other provided names (`so:`, `/bin/sh`) cannot be records. */
const PACKAGE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._+-]*$/;

/** Would end a line or change a terminal; no value with one is taken over. */
const CONTROL = /\p{Cc}/u;

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

/** The archives: made when first asked for, one at a time, and kept as long as their generation is served. */
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
    const key = `${format} ${arch}`;
    const known = ofSnapshot.get(key);
    if (known) return known;
    const make = format === 'adb' ? this.#makeAdb : this.#makeArchive;
    const made = this.#oneAtATime(() => make.call(this, snapshot, arch)).then((bytes) => ({
      bytes,
      etag: `"${createHash('sha1').update(bytes).digest('base64url')}"`,
    }));
    ofSnapshot.set(key, made);
    made.catch(() => ofSnapshot.delete(key));
    return made;
  }

  async #makeAdb({ catalog, generation }: Snapshot, arch: string): Promise<Buffer> {
    const writer = new AdbWriter();
    const pause = createPause();
    for (const each of virtualIndex(catalog, arch)) {
      if (each !== undefined) writer.add(each);
      await pause();
    }
    return writer.file(`apk-beacon ${generation}`, await this.#signer?.privateKey());
  }

  /** The text is never whole in memory: it is kept compressed until its length is known, with which a tar entry begins. */
  async #makeArchive({ catalog, generation }: Snapshot, arch: string): Promise<Buffer> {
    const zip = createGzip({ level: 1 });
    const zippedText = zip.toArray() as Promise<Buffer[]>;
    const size = await write(virtualIndex(catalog, arch), zip);
    zip.end();
    const archive = pack();
    const zipped = buffer(archive.pipe(createGzip()));
    archive.entry({ name: 'DESCRIPTION', mtime: new Date(0) }, `apk-beacon ${generation}`);
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
async function write(stanzas: Iterable<string | undefined>, to: Writable): Promise<number> {
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
  for (const stanza of stanzas) {
    if (stanza !== undefined) {
      if (piece !== '' && piece.length + stanza.length > PIECE) await flush();
      piece += stanza;
    }
    await pause();
  }
  await flush();
  return size;
}

/**
 * Stanza by stanza and sorted by name, so that the same catalog always gives the same text. In between, `undefined`
 * where the caller can do other things.
 */
export function* virtualIndex(catalog: Catalog, arch: string): Generator<string | undefined> {
  const archs = arch === ANY_ARCH ? catalog.archs : [arch];
  if (CONTROL.test(arch)) return;
  for (const name of yield* recordNames(catalog)) {
    yield;
    if (catalog.crowdOf(name, archs) !== undefined) continue;
    const { versions } = yield* catalog.reportInSteps(name, archs);
    for (const [i, version] of versions.entries()) {
      if (isStep(i)) yield;
      if (version.offered) yield stanza(name, version, arch === ANY_ARCH ? 'noarch' : arch);
    }
  }
}

function* recordNames(catalog: Catalog): Generator<undefined, readonly string[]> {
  const names = new Set<string>();
  for (const { packages } of catalog.sources)
    for (const some of [packages.names(), packages.providedNames()])
      yield* eachInSteps(some, (name) => {
        if (PACKAGE_NAME.test(name)) names.add(name);
      });
  return yield* sortInSteps([...names], (a, b) => (a < b ? -1 : 1));
}

function stanza(name: string, { version, releasedAt, chosen }: VersionReport, arch: string): string {
  const identity = createHash('sha1').update(`${name}=${version} for ${arch}`).digest('base64');
  const [origin, commit, url] = [chosen.package.origin, chosen.package.commit, chosen.package.url].map(
    (text) => (CONTROL.test(text) ? '' : text),
  );
  const fields: readonly (readonly [string, string | number | undefined])[] = [
    ['C', `Q1${identity}`],
    ['P', name],
    ['V', version],
    ['A', arch],
    ['S', 1],
    ['I', 1],
    ['T', origin || name],
    ['U', url || undefined],
    ['L', 'unknown'],
    ['o', origin || undefined],
    ['t', releasedAt],
    ['c', commit || undefined],
  ];
  const lines = fields.filter(([, value]) => value !== undefined).map(([key, value]) => `${key}:${value}\n`);
  return `${lines.join('')}\n`;
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
