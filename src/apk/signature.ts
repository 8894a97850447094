/**
 * Signatures of an index. A signature member is a tar without an end marker that contains `.SIGN.<algorithm>.<key
 * name>` files. Each is a PKCS#1 v1.5 signature over the raw (compressed) bytes after the last signature member.
 */
import { constants, createPublicKey, createVerify, publicDecrypt, type KeyObject } from 'node:crypto';
import { cut, cutList, IndexError } from '../errors.ts';
import { inflateMember, isGzip } from './gzip-members.ts';
import { hashOf, inPieces, type Pause } from './pieces.ts';
import { TarReader } from './tar.ts';

/** The digest of each algorithm name that apk-tools writes (extract_v2.c); DSA is not supported. */
const digests = new Map([
  ['RSA', 'sha1'],
  ['RSA256', 'sha256'],
  ['RSA512', 'sha512'],
]);

/** A signature block has a few hundred bytes per key; apk reads at most 64 KiB of each. */
const MAX_SIGNATURE_MEMBER_BYTES = 256 * 1024;
const MAX_SIGNATURE_MEMBERS = 16;
/** Enough for the start of a member, pax headers included. */
const PROBE_BYTES = 4096;
const TAR_BLOCK = 512;

/** A trusted public key, with the file name by which `.SIGN.*` entries refer to it. */
export interface TrustedKey {
  readonly name: string;
  readonly key: KeyObject;
}

export interface Signature {
  /** As written: `RSA`, `RSA256`, `RSA512` or an unknown one. */
  readonly algorithm: string;
  readonly keyName: string;
  readonly bytes: Uint8Array;
}

/** An archive without its leading signature members. `body` is not inflated yet. */
export interface SignedArchive {
  readonly signatures: readonly Signature[];
  readonly body: Uint8Array;
}

/**
 * Parses a PEM (SPKI) public key: RSA or, for ADB, elliptic-curve. Throws `config-invalid` with the key and the reason.
 */
export function parseKey(name: string, pem: string): TrustedKey {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new IndexError('config-invalid', `key ${name} is not a PEM public key`, { cause });
  }
  checkKey(key, `key ${name}`);
  return { name, key };
}

/** Curves that an ADB may be signed with besides RSA (apk-tools 3 with OpenSSL); OpenWrt uses the first. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1', 'secp256k1'];
/** Size of the modulus in bits. Shorter ones were factored or soon can be (NIST SP 800-131A). */
const MIN_MODULUS = 2048;

/** Throws `config-invalid` for a key whose signatures can be forged. `what` names the key and its file. */
export function checkKey(key: KeyObject, what: string): void {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const refuse = (fact: string): never => {
    throw new IndexError('config-invalid', `${what} ${fact}`);
  };
  if (key.asymmetricKeyType === 'ec') {
    if (!CURVES.includes(namedCurve))
      refuse(`is on the curve ${namedCurve}, expected ${CURVES.join(' or ')}`);
    return;
  }
  if (key.asymmetricKeyType !== 'rsa') refuse(`is of type ${key.asymmetricKeyType}, not rsa or ec`);
  if (modulusLength < MIN_MODULUS) refuse(`has ${modulusLength} bits, expected at least ${MIN_MODULUS}`);
  // With exponent 1 a signature is the padded digest itself; an even exponent has no inverse.
  if (publicExponent < 3n || publicExponent % 2n === 0n) refuse(`has the public exponent ${publicExponent}`);
}

/** Splits an archive at the byte where its last signature member ends. */
export function splitSignatures(bytes: Uint8Array): SignedArchive {
  const signatures: Signature[] = [];
  let start = 0;
  for (let members = 0; ; members += 1) {
    if (start >= bytes.length) {
      throw new IndexError(
        'archive-malformed',
        members === 0 ? 'empty file' : 'no index after the signatures',
      );
    }
    if (!isGzip(bytes, start)) {
      throw new IndexError(
        'archive-malformed',
        `not gzip at byte ${start}: ${describeStart(bytes.subarray(start))}`,
      );
    }
    const probe = inflateMember(bytes, start, PROBE_BYTES);
    const isTold = probe.content.length >= TAR_BLOCK || typeof probe.end === 'number';
    if (isTold && !startsWithSignature(probe.content)) return { signatures, body: bytes.subarray(start) };
    if (members === MAX_SIGNATURE_MEMBERS) {
      throw new IndexError('archive-malformed', `more than ${MAX_SIGNATURE_MEMBERS} signature members`);
    }
    const member = probe.end === 'more' ? inflateMember(bytes, start, MAX_SIGNATURE_MEMBER_BYTES) : probe;
    if (typeof member.end === 'string') {
      const fact =
        member.end === 'cut' ? 'ends in the middle' : `is larger than ${MAX_SIGNATURE_MEMBER_BYTES} bytes`;
      throw new IndexError('archive-malformed', `gzip member at byte ${start} ${fact}`);
    }
    signatures.push(...readSignatures(member.content));
    start = member.end;
  }
}

/**
 * The key that signed the archive. The first signature with a trusted key decides, as in apk-tools. Throws
 * `signature-missing`, `signature-untrusted` or `signature-bad`. Hashes in pieces on this thread: for its thread pool,
 * Node would first copy the whole body at once, which takes longer.
 */
export async function verifySignature(
  archive: SignedArchive,
  keys: readonly TrustedKey[],
  pause?: Pause,
): Promise<TrustedKey> {
  const { signatures, body } = archive;
  if (signatures.length === 0) throw new IndexError('signature-missing', 'the index is not signed');
  for (const { algorithm, keyName, bytes } of signatures) {
    const digest = digests.get(algorithm);
    // Several keys may have one name while a key is replaced.
    const trusted = keys.filter(({ name, key }) => name === keyName && key.asymmetricKeyType === 'rsa');
    if (!digest || trusted.length === 0) continue;
    for (const each of trusted) if (await isSignedBy(each.key, digest, body, bytes, pause)) return each;
    throw new IndexError(
      'signature-bad',
      `the ${algorithm} signature by ${keyName} does not match the index`,
    );
  }
  const names = cutList(
    signatures.map(({ algorithm, keyName }) => `${cut(keyName, 60)} (${cut(algorithm, 10)})`),
  );
  const known =
    cutList(
      keys.map(({ name }) => name),
      8,
    ) || 'none';
  const hint = await misnamedKey(archive, keys, pause);
  throw new IndexError('signature-untrusted', `signed by ${names}; trusted keys: ${known}${hint}`);
}

/** Signatures that are tried with all keys, for a hint. Real indexes have one or two. */
const MAX_HINTED_SIGNATURES = 4;

/** A trusted key of another name that made one of the signatures. Only for the message. */
async function misnamedKey(
  { signatures, body }: SignedArchive,
  keys: readonly TrustedKey[],
  pause: Pause | undefined,
): Promise<string> {
  const hashes = new Map<string, Buffer>();
  for (const { algorithm, keyName, bytes } of signatures.slice(0, MAX_HINTED_SIGNATURES)) {
    const digest = digests.get(algorithm);
    if (!digest) continue;
    const hash = hashes.get(digest) ?? (await hashOf(body, digest, pause));
    hashes.set(digest, hash);
    const key = keys.find((each) => containsHash(each.key, hash, bytes));
    if (key) return `; key ${key.name} matches if its file is named ${cut(keyName)}`;
  }
  return '';
}

/** Whether a signature contains this hash. Only for the hint; `isSignedBy` decides trust. */
function containsHash(key: KeyObject, hash: Buffer, signature: Uint8Array): boolean {
  try {
    const padding = constants.RSA_PKCS1_PADDING;
    return publicDecrypt({ key, padding }, signature).subarray(-hash.length).equals(hash);
  } catch {
    return false;
  }
}

async function isSignedBy(
  key: KeyObject,
  digest: string,
  body: Uint8Array,
  signature: Uint8Array,
  pause: Pause | undefined,
): Promise<boolean> {
  const verifier = createVerify(digest);
  await inPieces(body, pause, (piece) => verifier.update(piece));
  return verifier.verify({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
}

/** Whether the first file of a tar is a `.SIGN.` file; pax headers may precede it. */
function startsWithSignature(tar: Uint8Array): boolean {
  for (let offset = 0; offset + TAR_BLOCK <= tar.length;) {
    const header = Buffer.from(tar.buffer, tar.byteOffset + offset, TAR_BLOCK);
    const type = header.toString('latin1', 156, 157);
    if (type !== 'x' && type !== 'g') return header.toString('latin1', 0, 6) === '.SIGN.';
    const size = parseInt(header.toString('latin1', 124, 136), 8);
    if (!(size >= 0)) return false;
    offset += TAR_BLOCK + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  return false;
}

function readSignatures(tar: Uint8Array): Signature[] {
  const signatures: Signature[] = [];
  let pieces: Uint8Array[] = [];
  const reader = new TarReader({
    entry: () => {
      pieces = [];
      return true;
    },
    data: (piece) => pieces.push(new Uint8Array(piece)),
    done: ({ name }) => {
      const [, sign, algorithm, ...keyName] = name.split('.');
      if (sign !== 'SIGN' || !name.startsWith('.SIGN.') || keyName.length === 0) {
        throw new IndexError('archive-malformed', `${cut(name)} among the signatures`);
      }
      signatures.push({
        algorithm: algorithm ?? '',
        keyName: keyName.join('.'),
        bytes: Buffer.concat(pieces),
      });
    },
  });
  reader.push(tar);
  if (reader.end().marked) {
    throw new IndexError('archive-malformed', 'signature member has an end-of-archive marker');
  }
  return signatures;
}

/** Names the kind of content found instead. Never shows its bytes: they may come from an internal host. */
function describeStart(bytes: Uint8Array): string {
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1').trimStart();
  if (start.startsWith('<')) return 'HTML or XML';
  if (start.startsWith('{') || start.startsWith('[')) return 'JSON';
  return /^[\t\r\n\x20-\x7e]*$/.test(start) ? 'text' : 'binary data';
}
