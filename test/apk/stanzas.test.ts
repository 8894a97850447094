import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { defaultReadLimits } from '../../src/apk/read-index.ts';
import { stanzasOf, type Stanza } from '../../src/apk/stanzas.ts';
import { indexText, pkg, tar } from '../support/signed-index.ts';

async function read(text: string): Promise<readonly Stanza[]> {
  const body = gzipSync(await tar([{ name: 'APKINDEX', content: text }]), { level: 1 });
  return Array.fromAsync(stanzasOf(body, { limits: { ...defaultReadLimits, maxRatio: Infinity } }));
}

test('stanzas are found in an index of many chunks, and the last one without an empty line', async () => {
  const written = Array.from({ length: 40 }, (_, i) =>
    indexText([pkg(`name-${i}`, '1-r0', { T: 'x'.repeat(20_000 * (i % 20)) })]),
  );
  const stanzas = await read(written.join('').trimEnd());
  expect(stanzas.map(({ text }) => text)).toEqual(written);
});
