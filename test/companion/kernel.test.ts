import { gunzipSync, gzipSync } from 'node:zlib';
import { readdirSync, readFileSync } from 'node:fs';
import { createPublicKey } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';

import { verifiedFiles, type Keys } from '../../packages/verify-apk/verify-apk.ts';
import { buildApk, signatureOf, signingKey, type BuiltApk } from '../support/apk-repository.ts';

describe('verification of the kernel before it is unpacked', () => {
  const key = signingKey('alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub');
  const keys: Keys = new Map([[key.name, key.publicPem]]);
  const wanted = { name: 'linux-lts', version: '6.18.42-r0', arch: 'x86_64' };
  const kernel = {
    ...wanted,
    files: [{ path: 'boot/vmlinuz-lts', type: 'file', content: 'a kernel' }],
  } as const;
  let apk: BuiltApk;
  let data: Buffer;

  beforeAll(async () => {
    apk = await buildApk(kernel, key);
    data = apk.bytes.subarray(apk.bytes.indexOf(apk.control) + apk.control.length);
  });

  it('hands out the files of a rightly signed package', () => {
    expect(verifiedFiles(apk.bytes, keys, wanted)).toEqual(gunzipSync(data));
  });

  it("takes Alpine's signatures, which are over SHA-1", async () => {
    const signature = await signatureOf(apk.control, key, 'RSA');
    expect(verifiedFiles(Buffer.concat([signature, apk.control, data]), keys, wanted)).toEqual(
      gunzipSync(data),
    );
  });

  it('refuses files that are not those the signature vouches for', () => {
    const other = Buffer.concat([apk.bytes.subarray(0, -data.length), gzipSync('another kernel')]);
    expect(() => verifiedFiles(other, keys, wanted)).toThrow('wrong datahash');
  });

  it('refuses a signature by another key, even under the name of a trusted one', async () => {
    const forged = await buildApk(kernel, { ...signingKey(key.name) });
    expect(() => verifiedFiles(forged.bytes, keys, wanted)).toThrow('no trusted key signed it');
    expect(() => verifiedFiles(apk.bytes, new Map([['other.rsa.pub', key.publicPem]]), wanted)).toThrow(
      'no trusted key',
    );
  });

  it('refuses a control member that was exchanged under the signature', async () => {
    const other = await buildApk({ ...kernel, description: 'other' }, key);
    const signature = apk.bytes.subarray(0, apk.bytes.indexOf(apk.control));
    expect(() => verifiedFiles(Buffer.concat([signature, other.control, data]), keys, wanted)).toThrow(
      'no trusted key',
    );
  });

  it.each([
    ['an older one', { ...kernel, version: '6.18.1-r0' }, 'pkgver is 6.18.1-r0'],
    ['another arch', { ...kernel, arch: 'aarch64' }, 'arch is aarch64'],
    ['another package', { ...kernel, name: 'linux-virt' }, 'pkgname is linux-virt'],
  ])('refuses %s, rightly signed', async (_, served, message) => {
    const { bytes } = await buildApk(served, key);
    expect(() => verifiedFiles(bytes, keys, wanted)).toThrow(message);
  });

  it('refuses an unsigned package and every cut of a signed one', () => {
    expect(() => verifiedFiles(Buffer.concat([apk.control, data]), keys, wanted)).toThrow();
    for (let length = 0; length < apk.bytes.length; length += 7) {
      expect(() => verifiedFiles(apk.bytes.subarray(0, length), keys, wanted), `${length} bytes`).toThrow();
    }
  });

  it('has a key of Alpine for each arch it is built for', () => {
    const names = readdirSync('packages/verify-apk/keys').filter((name) => name.endsWith('.rsa.pub'));
    expect(names).toHaveLength(2);
    for (const name of names) {
      const pem = readFileSync(`packages/verify-apk/keys/${name}`, 'utf8');
      expect(createPublicKey(pem).asymmetricKeyDetails?.modulusLength, name).toBe(4096);
    }
  });
});
