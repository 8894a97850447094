import { readFileSync } from 'node:fs';
import { Advisories, type Group } from '../../src/advisories/advisories.ts';
import { highestFix, isOpen } from '../../src/advisories/affected.ts';
import { Feed } from '../../src/advisories/feed.ts';
import type { FeedKind } from '../../src/advisories/feed-builder.ts';
import { reduceFeed, type Scratch } from '../../src/advisories/reduce.ts';
import { finish } from '../../src/catalog/steps.ts';

const folder = new URL('../fixtures/advisories/', import.meta.url);

export function fixture(name: string): Buffer {
  return readFileSync(new URL(name, folder));
}

/** A file in memory. */
export function scratch(): Scratch {
  const written: Buffer[] = [];
  const whole = (): Buffer => {
    if (written.length > 1) written.push(Buffer.concat(written.splice(0)));
    return written[0] ?? Buffer.alloc(0);
  };
  return {
    write: (piece) => void written.push(piece),
    size: () => whole().length,
    read: (position, length) => whole().subarray(position, position + length),
  };
}

/** Splits the bytes into pieces, so that boundaries fall anywhere. */
export async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += 1000)
    yield await Promise.resolve(bytes.subarray(start, start + 1000));
}

export async function read(
  bytes: Buffer | string,
  kind: FeedKind = 'secdb',
  ecosystems?: readonly string[],
  latest = Infinity,
): Promise<Feed> {
  const reduced = await reduceFeed(pieces(Buffer.from(bytes)), { kind, ecosystems, latest }, scratch);
  return finish(Feed.read(reduced, 'digest'));
}

/** A feed of OSV: by package and identifier its `[introduced, fixed]`, or why there is no fix. */
export async function osv(
  packages: Readonly<
    Record<string, Readonly<Record<string, readonly [string, string | { status: string }]>>>
  >,
): Promise<Feed> {
  const records = Object.entries(packages).flatMap(([name, ids]) =>
    Object.entries(ids).map(([id, [introduced, end]]) => ({
      id,
      affected: [
        {
          package: { ecosystem: 'Wolfi', name },
          ranges: [
            {
              type: 'ECOSYSTEM',
              events: [{ introduced }, ...(typeof end === 'string' ? [{ fixed: end }] : [])],
            },
          ],
          ecosystem_specific: {
            components: typeof end === 'string' ? [] : [{ latest_event_status: end.status }],
          },
        },
      ],
    })),
  );
  return await read(JSON.stringify(records), 'osv', ['Wolfi']);
}

export function about(
  feeds: readonly Feed[],
  names: readonly string[],
  archs: readonly string[] = ['x86_64'],
): readonly Group[] {
  return finish(new Advisories(feeds).about(names, archs));
}

/** By identifier: the highest fix, `open` with its statuses, or `not affected`. */
export function summary(groups: readonly Group[]): Record<string, string> {
  return Object.fromEntries(
    groups.flatMap(({ ids, affected }) => {
      const state = isOpen(affected)
        ? ['open', ...affected.statuses].join(' ')
        : (highestFix(affected)?.text ?? (affected.intervals.length > 0 ? 'until' : 'not affected'));
      return ids.split(' ').map((id) => [id, state]);
    }),
  );
}
