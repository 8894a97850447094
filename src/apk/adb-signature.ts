/**
 * Signatures of an ADB. A signature block is a version (0), the digest of the values, 16 bytes that name the key, and
 * the signature: with SHA-512, RSA (PKCS#1 v1.5) or ECDSA, over the schema, those 18 bytes and the values' digest.
 */
import { constants, createHash, verify, type KeyObject } from 'node:crypto';
import { cutList, IndexError } from '../errors.ts';
import type { AdbFile } from './adb-file.ts';
import { hashOf, type Pause } from './pieces.ts';
import type { TrustedKey } from './signature.ts';

const HEAD_BYTES = 18;
const KEY_ID_BYTES = 16;
/** Digests that apk knows, by number: the name, and how many bytes of the digest count. apk itself writes SHA-512. */
const digests = new Map([
  [3, ['sha256', 32]],
  [4, ['sha512', 64]],
  [5, ['sha256', 20]],
] as const);

/** Signatures to check; the rest counts as bad. apk has no such limit: one good signature suffices. */
const MAX_VERIFICATIONS = 1024;

/** Digests of some bytes, each computed once. */
export type DigestOf = (name: 'sha256' | 'sha512') => Promise<Buffer>;

export function digestsOf(bytes: Uint8Array, pause: Pause | undefined): DigestOf {
  const known = new Map<string, Promise<Buffer>>();
  return (name) => {
    const digest = known.get(name) ?? hashOf(bytes, name, pause);
    known.set(name, digest);
    return digest;
  };
}

/**
 * The key that signed the file. One good signature suffices, as in apk. Throws `signature-missing`,
 * `signature-untrusted` or `signature-bad`.
 */
export async function verifyAdb(
  { schema, signatures }: AdbFile,
  digestOf: DigestOf,
  keys: readonly TrustedKey[],
  pause?: Pause,
): Promise<TrustedKey> {
  if (signatures.length === 0) throw new IndexError('signature-missing', 'the index is not signed');
  const byId = new Map(keys.flatMap((key) => keyIds(key.key).map((id) => [id, key] as const)));
  let verifications = 0;
  let bad: TrustedKey | undefined;
  for (const block of signatures) {
    const key = byId.get(keyIdOf(block));
    const digest = digests.get(block[1] as 3 | 4 | 5);
    if (block[0] !== 0 || !key || !digest || verifications === MAX_VERIFICATIONS) continue;
    verifications += 1;
    const [name, length] = digest;
    const hash = (await digestOf(name)).subarray(0, length);
    const signed = Buffer.concat([schema, block.subarray(0, HEAD_BYTES), hash]);
    if (isSignedBy(key.key, signed, block.subarray(HEAD_BYTES))) return key;
    bad = key;
    await pause?.();
  }
  if (bad) throw new IndexError('signature-bad', `the signature by ${bad.name} does not match the index`);
  const ids = cutList([...new Set(signatures.map(signerOf))]);
  const known =
    cutList(
      [...byId].map(([id, { name }]) => `${name} (${id})`),
      8,
    ) || 'none';
  throw new IndexError('signature-untrusted', `signed by keys with the ids ${ids}; trusted keys: ${known}`);
}

function keyIdOf(block: Buffer): string {
  return block.toString('hex', 2, HEAD_BYTES);
}

/** For messages: the id of the key, and why the signature was skipped if its key is trusted. */
function signerOf(block: Buffer): string {
  if (block.length < HEAD_BYTES) return 'nothing';
  const [version, digest] = block;
  const isKnown = version === 0 && digests.has(digest as 3 | 4 | 5);
  return isKnown ? keyIdOf(block) : `${keyIdOf(block)} (unknown: version ${version}, digest ${digest})`;
}

function isSignedBy(key: KeyObject, signed: Buffer, signature: Buffer): boolean {
  try {
    return verify('sha512', signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
  } catch {
    // OpenSSL throws for some signatures that are empty or too long.
    return false;
  }
}

/** How signatures may name a key: the beginning of a digest of it, in hex. */
export function keyIds(key: KeyObject): readonly string[] {
  return publicForms(key).map((form) =>
    createHash('sha512')
      .update(form)
      .digest('hex')
      .slice(0, 2 * KEY_ID_BYTES),
  );
}

/** An RSA key in PKCS#1; otherwise the point in both forms, because apk takes the one in the key file. */
function publicForms(key: KeyObject): readonly Buffer[] {
  if (key.asymmetricKeyType === 'rsa') return [key.export({ type: 'pkcs1', format: 'der' })];
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  const [right, up] = [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
  const isOdd = (up.at(-1) ?? 0) & 1;
  return [Buffer.concat([Buffer.of(4), right, up]), Buffer.concat([Buffer.of(2 + isOdd), right])];
}
