/**
 * Verifies one APK and writes the tar of its files, so that what is unpacked is what was verified. It runs in the
 * build environment of linux-lts.yaml, where there is Node and nothing of this project: no imports but Node's.
 *
 * An APK is three gzip members: signature ‖ control ‖ data. The signature covers the compressed control member;
 * its .PKGINFO carries the SHA-256 of the compressed data member. So: signature → control → data, and nothing is
 * read before what vouches for it. `apk verify` does that too, but does not ask whether this is the package that
 * was wanted: a mirror could serve an older kernel, rightly signed.
 */
import { createHash, createVerify } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

export interface Wanted {
  readonly name: string;
  readonly version: string;
  readonly arch: string;
}

/** Trusted public keys, PEM, by the file name that signatures mention. */
export type Keys = ReadonlyMap<string, string>;

interface Member {
  readonly compressed: Buffer;
  readonly content: Buffer;
}

const digests = new Map([
  ['RSA', 'RSA-SHA1'], // Alpine's packages to this day
  ['RSA256', 'RSA-SHA256'],
  ['RSA512', 'RSA-SHA512'],
]);

/** The data member's tar. Throws unless a trusted key signed exactly the wanted package. */
export function verifiedFiles(apk: Buffer, keys: Keys, wanted: Wanted): Buffer {
  const signature = firstMember(apk);
  const control = firstMember(apk.subarray(signature.compressed.length));
  const data = apk.subarray(signature.compressed.length + control.compressed.length);

  if (!isSigned(control.compressed, tarEntries(signature.content), keys)) {
    throw new Error(`no trusted key signed it; trusted: ${[...keys.keys()].join(', ')}`);
  }
  const info = pkginfo(control.content);
  for (const [field, expected] of [
    ['pkgname', wanted.name],
    ['pkgver', wanted.version],
    ['arch', wanted.arch],
  ] as const) {
    if (info.get(field) !== expected) {
      throw new Error(`${field} is ${info.get(field) ?? 'missing'}, wanted ${expected}`);
    }
  }
  if (createHash('sha256').update(data).digest('hex') !== info.get('datahash')) {
    throw new Error('the files are not those the signature vouches for: wrong datahash');
  }
  return gunzipSync(data);
}

function isSigned(control: Buffer, signatures: Iterable<TarEntry>, keys: Keys): boolean {
  for (const { name, content } of signatures) {
    const [, algorithm, keyName] = /^\.SIGN\.([A-Z0-9]+)\.(.+)$/.exec(name) ?? [];
    const digest = digests.get(algorithm ?? '');
    const key = keys.get(keyName ?? '');
    if (digest === undefined || key === undefined) continue;
    if (createVerify(digest).update(control).verify(key, content)) return true;
  }
  return false;
}

/** Only inflating tells where a member ends: the magic bytes of the next one may occur inside of it by chance. */
function firstMember(bytes: Buffer): Member {
  for (let end = nextMember(bytes, 1); end !== -1; end = nextMember(bytes, end + 1)) {
    const compressed = bytes.subarray(0, end);
    try {
      return { compressed, content: gunzipSync(compressed) };
    } catch {
      // By chance, then: cut there, the checksum of the member is missing.
    }
  }
  throw new Error('not an APK: a gzip member is missing');
}

function nextMember(bytes: Buffer, from: number): number {
  return bytes.indexOf(Buffer.from([0x1f, 0x8b, 0x08]), from);
}

interface TarEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** Regular files of a small tar; pax headers in front of them are skipped, as Alpine ≥ 3.22 writes some. */
function* tarEntries(tar: Buffer): Generator<TarEntry> {
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const header = tar.subarray(at, at + 512);
    const name = text(header.subarray(0, 100));
    const size = Number.parseInt(text(header.subarray(124, 136)).trim(), 8);
    const type = String.fromCharCode(header[156] ?? 0);
    if (!Number.isSafeInteger(size)) throw new Error(`not an APK: no size of ${name}`);
    if (type === '0' || type === '\0') yield { name, content: tar.subarray(at + 512, at + 512 + size) };
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

function text(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? field.length : end);
}

function pkginfo(control: Buffer): ReadonlyMap<string, string> {
  for (const { name, content } of tarEntries(control)) {
    if (name !== '.PKGINFO') continue;
    const pairs = content
      .toString('utf8')
      .split('\n')
      .map((line) => line.split(' = ', 2))
      .filter((pair): pair is [string, string] => pair.length === 2);
    return new Map(pairs);
  }
  throw new Error('not an APK: no .PKGINFO');
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      keys: { type: 'string' },
      out: { type: 'string' },
      name: { type: 'string' },
      version: { type: 'string' },
      arch: { type: 'string' },
    },
  });
  const { keys, out, name, version, arch } = values;
  const [file] = positionals;
  if (!file || !keys || !out || !name || !version || !arch) {
    throw new Error('usage: verify-apk.ts --keys DIR --out TAR --name N --version V --arch A FILE');
  }
  const trusted = new Map(
    readdirSync(keys)
      .filter((key) => key.endsWith('.rsa.pub'))
      .map((key) => [key, readFileSync(join(keys, key), 'utf8')]),
  );
  writeFileSync(out, verifiedFiles(readFileSync(file), trusted, { name, version, arch }));
}

if (import.meta.main) main();
