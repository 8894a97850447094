import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { IndexError } from '../../src/errors.ts';
import type { FeedReaders } from '../../src/repository/feed-process.ts';
import { FeedQueue } from '../../src/repository/feed-queue.ts';
import { IndexStore } from '../../src/repository/index-store.ts';
import { LiveFeed } from '../../src/repository/live-feed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startClient } from '../support/upstream.ts';

test('a feed that takes long to read, not to fetch, gives way to one that was never read', async () => {
  const location = join(await temporaryDirectory(), 'feed.json');
  await writeFile(location, '{}');
  const queue = new FeedQueue(0);
  let read = 0;
  let other: Promise<void> | undefined;
  const reading = Promise.withResolvers<Buffer>();
  const readers = {
    read: () => ({
      write: () => Promise.resolve(),
      end: () => {
        read += 1;
        if (other) return Promise.reject(new IndexError('feed-malformed', 'no records'));
        other = queue.take(true, () => Promise.resolve());
        return reading.promise;
      },
      stop: () => {
        reading.reject(new IndexError('feed-malformed', 'its reader ended with SIGKILL'));
        return Promise.resolve();
      },
    }),
  } as unknown as FeedReaders;
  const feed = new LiveFeed(
    {
      ...{ kind: 'secdb', location, label: location, terms: '', refresh: 1000, maxBytes: 1000 },
      ...{ guards: { rollback: 'refuse', maxShrink: 0.4 }, repositories: [], cached: false },
    },
    {
      ...{ client: startClient(), credentials: () => Promise.resolve(undefined), readers, queue },
      store: new IndexStore(undefined, () => undefined),
      ...{ now: Date.now, pause: () => undefined, warn: () => undefined, scratch: undefined },
    },
  );
  const outcome = await feed.refresh(new AbortController().signal);
  expect(outcome).toMatchObject({ failure: { message: `${location}: no records` } });
  expect(read).toBe(2);
  await other;
});
