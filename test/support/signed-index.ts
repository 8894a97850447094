/** Builds indexes, signed with a key of this run. */
import { createHash, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { parseKey, type TrustedKey } from '../../src/apk/signature.ts';

/** Fields of a stanza by their letters. */
export type Stanza = Readonly<Record<string, string>>;

export interface TestKey extends TrustedKey {
  readonly pem: string;
  readonly privateKey: KeyObject;
}

const keys = new Map<string, TestKey>();

/** A key pair under that key name, made once a run. */
export function testKey(name = 'test.rsa.pub'): TestKey {
  const known = keys.get(name);
  if (known) return known;
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const key = { ...parseKey(name, pem), pem, privateKey };
  keys.set(name, key);
  return key;
}

/** A package with the fields that apk-tools 3 requires; `fields` adds or replaces some. */
export function pkg(name: string, version: string, fields: Stanza = {}): Stanza {
  const identity = createHash('sha1')
    .update(JSON.stringify([name, version, fields]))
    .digest('base64');
  return { C: `Q1${identity}`, P: name, V: version, A: 'x86_64', S: '1', I: '1', T: '', L: 'MIT', ...fields };
}

export function indexText(stanzas: readonly Stanza[]): string {
  return stanzas
    .map(
      (stanza) =>
        Object.entries(stanza)
          .map(([key, value]) => `${key}:${value}\n`)
          .join('') + '\n',
    )
    .join('');
}

export interface TarFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'pax-header';
  /** Unix seconds. */
  readonly madeAt?: number;
}

/** A tar of these files; `marked: false` leaves out the end-of-archive marker, as signature members do. */
export async function tar(files: readonly TarFile[], { marked = true } = {}): Promise<Buffer> {
  const archive = pack();
  const paxOffsets: number[] = [];
  let offset = 0;
  for (const { name, content, type = 'file', madeAt = 0 } of files) {
    const linkname = type === 'link' || type === 'symlink' ? 'APKINDEX' : undefined;
    if (type === 'pax-header') paxOffsets.push(offset);
    const known = type === 'pax-header' ? 'file' : type;
    const bytes = Buffer.from(content);
    archive.entry(
      { name, type: known, mtime: new Date(madeAt * 1000), ...(linkname && { linkname }) },
      bytes,
    );
    offset += 512 + Math.ceil(bytes.length / 512) * 512;
  }
  archive.finalize();
  const bytes = await buffer(archive);
  for (const at of paxOffsets) changeHeader(bytes, at, (header) => header.write('x', 156));
  return marked ? bytes : bytes.subarray(0, bytes.length - 1024);
}

/** Changes the tar header at `offset` and sets its checksum right again. */
export function changeHeader(archive: Buffer, offset: number, change: (header: Buffer) => void): void {
  const header = archive.subarray(offset, offset + 512);
  change(header);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

/** The unsigned member of an index with this text. */
export async function indexBody(
  text: string | Uint8Array,
  description = 'test',
  madeAt = 0,
): Promise<Buffer> {
  return gzipSync(
    await tar([
      { name: 'DESCRIPTION', content: description },
      { name: 'APKINDEX', content: text, madeAt },
    ]),
  );
}

export interface SignatureSpec {
  readonly key: TestKey;
  readonly algorithm?: 'RSA' | 'RSA256' | 'RSA512';
  /** The key name to write, if not the key's own. */
  readonly as?: string;
}

const digests = { RSA: 'RSA-SHA1', RSA256: 'RSA-SHA256', RSA512: 'RSA-SHA512' } as const;

export function signatureFile(
  body: Uint8Array,
  { key, algorithm = 'RSA256', as = key.name }: SignatureSpec,
): TarFile {
  const content = createSign(digests[algorithm]).update(body).sign(key.privateKey);
  return { name: `.SIGN.${algorithm}.${as}`, content };
}

/** One signature member with a signature of `body` by each key. */
export async function signatureMember(
  body: Uint8Array,
  signatures: readonly SignatureSpec[],
): Promise<Buffer> {
  return gzipSync(
    await tar(
      signatures.map((spec) => signatureFile(body, spec)),
      { marked: false },
    ),
  );
}

/** A whole APKINDEX.tar.gz. */
export async function signedIndex(
  stanzas: readonly Stanza[],
  signatures: readonly SignatureSpec[] = [{ key: testKey() }],
  madeAt = 0,
): Promise<Buffer> {
  const body = await indexBody(indexText(stanzas), 'test', madeAt);
  return Buffer.concat([await signatureMember(body, signatures), body]);
}
