import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { ZipFile } from 'yazl';
import { IndexError } from '../../src/errors.ts';
import { FeedReaders } from '../../src/repository/feed-process.ts';
import { FeedQueue } from '../../src/repository/feed-queue.ts';
import { IndexStore } from '../../src/repository/index-store.ts';
import { LiveFeed, type FeedServices } from '../../src/repository/live-feed.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { startClient } from '../support/upstream.ts';

function feedAt(
  location: string,
  services: Pick<FeedServices, 'readers' | 'queue'> & Partial<FeedServices>,
): LiveFeed {
  return new LiveFeed(
    {
      ...{
        kind: 'osv',
        ecosystems: ['Wolfi'],
        location,
        label: location,
        terms: '',
        refresh: 1000,
        maxBytes: 1000,
      },
      ...{ guards: { rollback: 'refuse', maxShrink: 0.4 }, repositories: [], cached: false },
    },
    {
      ...{ client: startClient(), credentials: () => Promise.resolve(undefined) },
      store: new IndexStore(undefined, () => undefined),
      ...{ now: Date.now, pause: () => undefined, warn: () => undefined, scratch: undefined },
      ...services,
    },
  );
}

test.each([
  ['does not exist yet', 'new/cache'],
  ['cannot be made', 'feed.zip/cache'],
])('a zip is read at once if the folder for its temporary file %s', async (_, scratch) => {
  const folder = await temporaryDirectory();
  const zip = new ZipFile();
  const affected = [
    {
      package: { ecosystem: 'Wolfi', name: 'app' },
      ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }] }],
    },
  ];
  zip.addBuffer(Buffer.from(JSON.stringify({ id: 'CVE-2099-0001', affected })), 'CVE-2099-0001.json');
  zip.end();
  const location = join(folder, 'feed.zip');
  await writeFile(location, await buffer(zip.outputStream));
  const readers = new FeedReaders();
  onTestFinished(() => readers.close());
  const feed = feedAt(location, { readers, queue: new FeedQueue(0), scratch: join(folder, scratch) });
  expect(await feed.refresh(new AbortController().signal)).toEqual({ status: 'changed' });
  expect(feed.loaded?.feed.facts.pairs).toBe(1);
});

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
  const feed = feedAt(location, { readers, queue });
  const outcome = await feed.refresh(new AbortController().signal);
  expect(outcome).toMatchObject({ failure: { message: `${location}: no records` } });
  expect(read).toBe(2);
  await other;
});
