import { createHash, createPublicKey } from 'node:crypto';
import { expect, test } from 'vitest';
import { builtinKeys } from '../../src/repository/builtin-keys.ts';

/** SHA-256 of each file, so that none changes unnoticed. */
const known = new Map([
  ['wolfi-signing.rsa.pub', 'f0031424cf46f7db780ce63a45f0fd6aa6f85f601e6bb3b7a91fe3d4d5b7d2cc'],
  [
    'alpine-devel@lists.alpinelinux.org-4a6a0840.rsa.pub',
    '9c102bcc376af1498d549b77bdbfa815ae86faa1d2d82f040e616b18ef2df2d4',
  ],
  [
    'alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub',
    '207e4696d3c05f7cb05966aee557307151f1f00217af4143c1bcaf33b8df733f',
  ],
  [
    'alpine-devel@lists.alpinelinux.org-616ae350.rsa.pub',
    'd11f6b21c61b4274e182eb888883a8ba8acdbf820dcc7a6d82a7d9fc2fd2836d',
  ],
]);

test('the built-in keys are the known ones, found by name', () => {
  const hashes = [...builtinKeys].map(([name, { pem }]) => [
    name,
    createHash('sha256').update(pem).digest('hex'),
  ]);
  expect(new Map(hashes as [string, string][])).toEqual(known);
});

test.each([...builtinKeys.values()])('$name is an RSA key in SPKI form', ({ pem }) => {
  const key = createPublicKey(pem);
  expect(key.asymmetricKeyType).toBe('rsa');
  expect(key.export({ type: 'spki', format: 'pem' })).toBe(pem);
});
