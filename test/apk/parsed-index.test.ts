import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSameTable, packIndex, unpackIndex } from '../../src/apk/parsed-index.ts';
import {
  defaultReadLimits,
  readIndex,
  type ReadOptions,
  type VerifiedIndex,
} from '../../src/apk/read-index.ts';
import type { Packages } from '../../src/apk/packages.ts';
import { pkg, signedIndex, testKey, type Stanza } from '../support/signed-index.ts';

const options: ReadOptions = { keys: [testKey()], limits: defaultReadLimits, arch: 'x86_64' };

const stanzas = [
  pkg('curl', '8.20.0-r0', { p: 'cmd:curl=8.20.0-r0 so:libcurl.so.4=4.8.0', t: '1767225600', o: 'curl' }),
  pkg('curl-ünï', '1-r0', { D: 'curl=8.20.0-r0', U: 'https://curl.se/' }),
  pkg('other', '1-r0', { A: 'aarch64' }),
];

async function packed(
  of: readonly Stanza[],
): Promise<{ archive: Buffer; fresh: VerifiedIndex; bytes: Buffer }> {
  const archive = await signedIndex(of);
  const fresh = await readIndex(archive, options);
  return { archive, fresh, bytes: Buffer.concat(await packIndex(fresh, archive, options)) };
}

/** All that can be asked of packages. */
function answers(packages: Packages): unknown {
  const names = [...packages.names()].toSorted();
  const provided = [...packages.providedNames()].toSorted();
  const seen = (list: ReturnType<Packages['named']>): unknown =>
    list.map(
      ({
        row,
        name,
        version,
        builtAt,
        origin,
        commit,
        url,
        provides,
        dependencies,
        priority,
        conflictsWithItself,
        unusable,
      }) => ({
        ...{
          row,
          name,
          version,
          builtAt,
          origin,
          commit,
          url,
          provides,
          dependencies,
          priority,
          conflictsWithItself,
          unusable,
        },
      }),
    );
  return {
    counts: [packages.packageCount, packages.nameCount],
    named: names.map((name) => [name, seen(packages.named(name))]),
    providing: provided.map((name) => [name, seen(packages.providing(name))]),
    unknown: [packages.named('nobody'), packages.providing('nobody')],
  };
}

test('what comes back is what was read, for all that can be asked', async () => {
  const { archive, fresh, bytes } = await packed(stanzas);
  const back = await unpackIndex(bytes, archive, options);
  expect({ ...back, packages: undefined }).toEqual({ ...fresh, packages: undefined });
  expect(answers((back as VerifiedIndex).packages)).toEqual(answers(fresh.packages));
  expect(isSameTable((back as VerifiedIndex).packages, fresh.packages)).toBe(true);
});

test('and so for any packages', async () => {
  const word = fc.stringMatching(/^[a-zé]{1,6}$/);
  const stanza = fc
    .record({
      name: word,
      version: fc.nat(50),
      provides: fc.array(word, { maxLength: 3 }),
      built: fc.nat(2 ** 31),
    })
    .map(({ name, version, provides, built }) =>
      pkg(name, `${version}-r0`, {
        t: String(built),
        ...(provides.length > 0 && { p: provides.join('=1 ') }),
      }),
    );
  await fc.assert(
    fc.asyncProperty(fc.array(stanza, { maxLength: 40 }), async (list) => {
      const { archive, fresh, bytes } = await packed(list);
      const back = await unpackIndex(bytes, archive, options);
      expect(answers((back as VerifiedIndex).packages)).toEqual(answers(fresh.packages));
    }),
    { numRuns: 50 },
  );
});

describe('nothing is taken', () => {
  test('that is damaged anywhere, cut or longer', async () => {
    const { archive, fresh, bytes } = await packed(stanzas);
    for (let at = 0; at < bytes.length; at += 7) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 0x10;
      // The header may be spelt otherwise and mean the same.
      const back = await unpackIndex(damaged, archive, options).catch(() => undefined);
      if (back) expect(answers(back.packages), `byte ${at}`).toEqual(answers(fresh.packages));
      if (back) expect({ ...back, packages: undefined }).toEqual({ ...fresh, packages: undefined });
    }
    const lengths = [0, 1, bytes.length >> 1, bytes.length - 1];
    for (const length of lengths)
      expect(await unpackIndex(bytes.subarray(0, length), archive, options)).toBe(undefined);
    expect(await unpackIndex(Buffer.concat([bytes, Buffer.of(0)]), archive, options)).toBe(undefined);
  });

  test('for another archive, other limits or another arch', async () => {
    const { archive, bytes } = await packed(stanzas);
    const other = await signedIndex(stanzas.slice(1));
    expect(await unpackIndex(bytes, other, options)).toBe(undefined);
    const limits = { ...defaultReadLimits, maxPackages: 17 };
    expect(await unpackIndex(bytes, archive, { ...options, limits })).toBe(undefined);
    expect(await unpackIndex(bytes, archive, { ...options, arch: 'aarch64' })).toBe(undefined);
  });

  test('of an archive that no trusted key has signed', async () => {
    const { archive, bytes } = await packed(stanzas);
    const untrusted = unpackIndex(bytes, archive, { ...options, keys: [testKey('other.rsa.pub')] });
    await expect(untrusted).rejects.toMatchObject({ code: 'signature-untrusted' });
    const unverified = await unpackIndex(bytes, archive, { ...options, keys: 'unverified' });
    expect(unverified?.keyName).toBe(undefined);
  });
});
