/**
 * Real APKs in a signed repository, as apk and apko accept them: signature ‖ control ‖ data per package, and a signed
 * APKINDEX.tar.gz over them. Everything is deterministic: same input, same bytes.
 */
import { createHash, createPublicKey, createSign, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';

export type ApkFile =
  | { readonly path: string; readonly type: 'directory'; readonly mode?: number }
  | {
      readonly path: string;
      readonly type: 'file';
      readonly mode?: number;
      readonly content: string | Buffer;
    }
  | { readonly path: string; readonly type: 'symlink'; readonly target: string };

export interface ApkPackage {
  readonly name: string;
  /** With the revision: `1.2-r0`. */
  readonly version: string;
  readonly arch?: string;
  readonly origin?: string;
  readonly description?: string;
  readonly license?: string;
  readonly depends?: readonly string[];
  readonly provides?: readonly string[];
  readonly replaces?: readonly string[];
  /** Seconds since the epoch. */
  readonly buildDate?: number;
  /** What the index claims to be the installed size; the sum of the files otherwise. */
  readonly installedSize?: number;
  readonly files?: readonly ApkFile[];
}

export interface SigningKey {
  /** `NAME.rsa.pub`, as signatures mention it. */
  readonly name: string;
  readonly privatePem: string;
  readonly publicPem: string;
}

export interface BuiltApk {
  readonly bytes: Buffer;
  /** Compressed, as signatures and checksums cover it. */
  readonly control: Buffer;
  readonly size: number;
}

const buildDate = 1_750_000_000;

export function signingKey(name = 'companion-test.rsa.pub'): SigningKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    name,
    // The form melange reads.
    privatePem: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    publicPem: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** Builds the packages for one arch and writes `dir/arch`. Packages are listed in the given order. */
export async function signedRepository(options: {
  readonly dir: string;
  readonly arch: string;
  readonly packages: readonly ApkPackage[];
  readonly key: SigningKey;
  /** When the index says that it was made, in unix seconds. */
  readonly madeAt?: number;
  /** Stanzas of packages that are there already, by name, version and arch: those are not built again. */
  readonly known?: Map<string, string>;
}): Promise<void> {
  const { dir, arch, packages, key, madeAt = buildDate, known = new Map<string, string>() } = options;
  const folder = join(dir, arch);
  mkdirSync(folder, { recursive: true });
  const stanzas: string[] = [];
  for (const own of packages) {
    const apkPackage = { arch, ...own };
    const id = `${apkPackage.name} ${apkPackage.version} ${arch}`;
    let text = known.get(id);
    if (text === undefined) {
      const apk = await buildApk(apkPackage, key);
      writeFileSync(join(folder, `${apkPackage.name}-${apkPackage.version}.apk`), apk.bytes);
      text = stanza(apkPackage, apk);
      known.set(id, text);
    }
    stanzas.push(text);
  }
  const body = gzip(
    await tar([
      { header: { name: 'DESCRIPTION' }, content: 'packages for tests' },
      { header: { name: 'APKINDEX', mtime: new Date(madeAt * 1000) }, content: stanzas.join('') },
    ]),
  );
  writeFileSync(join(folder, 'APKINDEX.tar.gz'), Buffer.concat([await signatureOf(body, key), body]));
}

export async function buildApk(apkPackage: ApkPackage, key: SigningKey): Promise<BuiltApk> {
  const files = withParents(apkPackage.files ?? []);
  const size = files.reduce((sum, file) => sum + (file.type === 'file' ? contentOf(file).length : 0), 0);
  const data = gzip(await tar(files.map(toEntry)));
  const info = pkginfo(apkPackage, apkPackage.installedSize ?? size, sha256(data));
  const control = gzip(withoutEnd(await tar([{ header: { name: '.PKGINFO' }, content: info }])));
  return { bytes: Buffer.concat([await signatureOf(control, key), control, data]), control, size };
}

/** The signature's member: a tar cut before its end, so that all members together are one tar. */
export async function signatureOf(
  bytes: Buffer,
  { name, privatePem }: SigningKey,
  algorithm: 'RSA' | 'RSA256' = 'RSA256',
): Promise<Buffer> {
  const signature = createSign(algorithm === 'RSA' ? 'RSA-SHA1' : 'RSA-SHA256')
    .update(bytes)
    .sign(privatePem);
  return gzip(
    withoutEnd(await tar([{ header: { name: `.SIGN.${algorithm}.${name}` }, content: signature }])),
  );
}

/** A folder's content as a package's files: modes and links are kept, owner and times are not. */
export function filesOf(folder: string, prefix = ''): ApkFile[] {
  return readdirSync(join(folder, prefix))
    .sort()
    .flatMap((entry): ApkFile[] => {
      const path = prefix === '' ? entry : `${prefix}/${entry}`;
      const full = join(folder, path);
      const stat = lstatSync(full);
      const mode = stat.mode & 0o7777;
      if (stat.isSymbolicLink()) return [{ path, type: 'symlink', target: readlinkSync(full) }];
      if (stat.isDirectory()) return [{ path, type: 'directory', mode }, ...filesOf(folder, path)];
      return [{ path, type: 'file', mode, content: readFileSync(full) }];
    });
}

function pkginfo(apkPackage: ApkPackage, size: number, datahash: string): string {
  const lines = [
    ['pkgname', apkPackage.name],
    ['pkgver', apkPackage.version],
    ['arch', apkPackage.arch ?? 'x86_64'],
    ['size', String(size)],
    ['origin', apkPackage.origin ?? apkPackage.name],
    ['pkgdesc', apkPackage.description ?? apkPackage.name],
    ['url', ''],
    ['commit', ''],
    ['builddate', String(apkPackage.buildDate ?? buildDate)],
    ['license', apkPackage.license ?? 'MIT'],
    ...(apkPackage.depends ?? []).map((name) => ['depend', name]),
    ...(apkPackage.provides ?? []).map((name) => ['provides', name]),
    ...(apkPackage.replaces ?? []).map((name) => ['replaces', name]),
    ['datahash', datahash],
  ];
  return lines.map(([key, value]) => `${key} = ${value}\n`).join('');
}

function stanza(apkPackage: ApkPackage, { bytes, control, size }: BuiltApk): string {
  const lines = [
    `C:Q1${createHash('sha1').update(control).digest('base64')}`,
    `P:${apkPackage.name}`,
    `V:${apkPackage.version}`,
    `A:${apkPackage.arch ?? 'x86_64'}`,
    `S:${bytes.length}`,
    `I:${apkPackage.installedSize ?? size}`,
    `T:${apkPackage.description ?? apkPackage.name}`,
    'U:',
    `L:${apkPackage.license ?? 'MIT'}`,
    `o:${apkPackage.origin ?? apkPackage.name}`,
    `t:${apkPackage.buildDate ?? buildDate}`,
    ...(apkPackage.depends?.length ? [`D:${apkPackage.depends.join(' ')}`] : []),
    ...(apkPackage.provides?.length ? [`p:${apkPackage.provides.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n\n`;
}

interface Entry {
  readonly header: Partial<Header> & Pick<Header, 'name'>;
  readonly content: string | Buffer;
}

function toEntry(file: ApkFile): Entry {
  switch (file.type) {
    case 'directory':
      return { header: { name: `${file.path}/`, type: 'directory', mode: file.mode ?? 0o755 }, content: '' };
    case 'symlink':
      return {
        header: {
          name: file.path,
          type: 'symlink',
          linkname: file.target,
          mode: 0o777,
          pax: checksum(file.target),
        },
        content: '',
      };
    case 'file': {
      const content = contentOf(file);
      return { header: { name: file.path, mode: file.mode ?? 0o644, pax: checksum(content) }, content };
    }
  }
}

const contentOf = ({ content }: { readonly content: string | Buffer }) => Buffer.from(content);
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** apk keeps one of these per file in its database; without it, it would not notice a changed file. */
const checksum = (content: string | Buffer) => ({
  'APK-TOOLS.checksum.SHA1': createHash('sha1').update(content).digest('hex'),
});

/** Directories that the files imply, in front of what lies in them. */
function withParents(files: readonly ApkFile[]): readonly ApkFile[] {
  const all = new Map<string, ApkFile>();
  for (const file of files) {
    const parts = file.path.split('/').slice(0, -1);
    for (const depth of parts.keys()) {
      const path = parts.slice(0, depth + 1).join('/');
      if (!all.has(path)) all.set(path, { path, type: 'directory' });
    }
    all.set(file.path, file);
  }
  return [...all.values()];
}

async function tar(entries: readonly Entry[]): Promise<Buffer> {
  const stream = pack();
  const chunks: Buffer[] = [];
  const read = (async () => {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  })();
  for (const { header, content } of entries) {
    const owned = {
      uid: 0,
      gid: 0,
      uname: 'root',
      gname: 'root',
      mtime: new Date(buildDate * 1000),
      ...header,
    };
    stream.entry(owned, Buffer.from(content));
  }
  stream.finalize();
  await read;
  return Buffer.concat(chunks);
}

/** Two blocks of zeros end a tar. */
const withoutEnd = (archive: Buffer) => archive.subarray(0, archive.length - 1024);

/** Node writes neither time nor file name into the header, so the bytes depend on the content alone. */
const gzip = (bytes: Buffer) => gzipSync(bytes);
