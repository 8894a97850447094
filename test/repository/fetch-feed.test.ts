import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IndexError } from '../../src/errors.ts';
import { fetchFeed } from '../../src/repository/fetch-feed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startClient } from '../support/upstream.ts';

const { signal } = new AbortController();
const maxBytes = 1_000_000;

test('a local file that grows while it is read is read up to the size that was allowed', async () => {
  const path = join(await temporaryDirectory(), 'feed.json');
  await writeFile(path, Buffer.alloc(maxBytes));
  let taken = 0;
  await fetchFeed(path, {
    client: startClient(),
    maxBytes,
    signal,
    async take(piece) {
      taken += piece.length;
      if (taken <= 2 * maxBytes) await appendFile(path, piece);
    },
  });
  expect(taken).toBe(maxBytes);
});

test('a local file that cannot be read is named; what its reader says of it stays', async () => {
  // It can be opened, but the memory at the address 0 cannot be read.
  await expect(
    fetchFeed('/proc/self/mem', { client: startClient(), maxBytes, signal, take: () => Promise.resolve() }),
  ).rejects.toThrow('cannot read /proc/self/mem');
  const path = join(await temporaryDirectory(), 'feed.json');
  await writeFile(path, '{}');
  const malformed = new IndexError('feed-malformed', 'no records');
  await expect(
    fetchFeed(path, { client: startClient(), maxBytes, signal, take: () => Promise.reject(malformed) }),
  ).rejects.toBe(malformed);
});
