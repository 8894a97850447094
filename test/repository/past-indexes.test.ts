import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PastIndexes } from '../../src/repository/past-indexes.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const DAY = 86_400_000;
const [one, two, three] = ['1'.repeat(64), '2'.repeat(64), '3'.repeat(64)];

async function setUp(): Promise<{
  folder: string;
  clock: { now: number; uptime: number };
  warnings: string[];
  files: PastIndexes;
  /** The same folder after a restart. */
  restarted: () => PastIndexes;
}> {
  const folder = join(await temporaryDirectory(), 'past');
  const clock = { now: Date.UTC(2026, 6, 24), uptime: 0 };
  const warnings: string[] = [];
  const restarted = (): PastIndexes =>
    new PastIndexes({
      folder,
      keepFor: 7 * DAY,
      now: () => clock.now,
      uptime: () => clock.uptime,
      warn: (message) => void warnings.push(message),
    });
  return { folder, clock, warnings, files: restarted(), restarted };
}

const bytesOf = async (files: PastIndexes, digest: string): Promise<string | undefined> => {
  const bytes = await files.load(digest, 1000);
  return bytes && Buffer.from(bytes).toString();
};

test('what is kept is loaded, and what is larger than allowed is not', async () => {
  const { files } = await setUp();
  await files.keep(one, Buffer.from('an index'));
  expect(await bytesOf(files, one)).toBe('an index');
  expect(await files.load(one, 7)).toBeUndefined();
  expect(await files.has(one)).toBe(true);
  expect(await files.has(two)).toBe(false);
  expect(await files.load(two, 1000)).toBeUndefined();
  expect(files.kept).toEqual({ files: 1, bytes: 8 });
});

test('a file goes when its index was not confirmed for long, and not before', async () => {
  const { files, clock, folder } = await setUp();
  await files.keep(one, Buffer.from('1'));
  clock.now += 6 * DAY;
  await files.confirm(one);
  clock.now += DAY;
  await files.keep(two, Buffer.from('2'));
  clock.now += 6 * DAY;
  await files.sweep();
  expect(await readdir(folder)).toEqual([one, two]);
  clock.now += 1;
  await files.sweep();
  expect(await readdir(folder)).toEqual([two]);
  expect(files.kept).toEqual({ files: 1, bytes: 1 });
});

test('where nothing new comes, files go as well', async () => {
  const { files, clock, folder } = await setUp();
  await files.keep(one, Buffer.from('1'));
  await files.keep(two, Buffer.from('2'));
  for (let day = 0; day < 8; day += 1) {
    clock.now += DAY;
    await files.confirm(two);
  }
  expect(await readdir(folder)).toEqual([two]);
});

test('a clock that is set back removes nothing', async () => {
  const { files, clock, folder } = await setUp();
  await files.keep(one, Buffer.from('1'));
  clock.now -= 100 * DAY;
  await files.keep(two, Buffer.from('2'));
  await files.sweep();
  expect(await readdir(folder)).toEqual([one, two]);
});

test.each([
  ['while the service runs', false],
  ['before it starts', true],
])('a clock that jumps far ahead %s removes nothing until it has gone on for long', async (_, restarts) => {
  const { files: before, clock, folder, restarted } = await setUp();
  await before.keep(one, Buffer.from('1'));
  await before.keep(two, Buffer.from('2'));
  const files = restarts ? restarted() : before;
  const goOn = async (days: number): Promise<readonly string[]> => {
    clock.now += days * DAY;
    clock.uptime += days * DAY;
    await files.keep(two, Buffer.from('2'));
    return await readdir(folder);
  };
  clock.now += 365 * DAY;
  expect(await goOn(0)).toEqual([one, two]);
  expect(await goOn(6)).toEqual([one, two]);
  clock.now -= 365 * DAY;
  expect(await goOn(0)).toEqual([one, two]);
  clock.now += 365 * DAY;
  expect(await goOn(6)).toEqual([one, two]);
  expect(files.kept).toEqual({ files: 2, bytes: 2 });
  expect(await goOn(1)).toEqual([two]);
});

test('a clock that is set when the service runs already is used at once', async () => {
  const { files: before, clock, folder, restarted } = await setUp();
  await before.keep(one, Buffer.from('1'));
  const { now } = clock;
  clock.now = 0;
  const files = restarted();
  await files.keep(two, Buffer.from('2'));
  clock.now = now + 4 * DAY;
  await files.confirm(two);
  clock.now += 4 * DAY;
  await files.confirm(two);
  expect(await readdir(folder)).toEqual([two]);
});

test('only files of indexes are counted and removed, and unfinished ones of killed processes', async () => {
  const { files, clock, folder } = await setUp();
  await mkdir(folder, { recursive: true });
  await files.keep(three, Buffer.from('3'));
  const old = (clock.now - 30 * DAY) / 1000;
  for (const name of ['README', `${one}.x.new`, two]) {
    await writeFile(join(folder, name), 'x');
    await utimes(join(folder, name), old, old);
  }
  await files.sweep();
  expect((await readdir(folder)).toSorted()).toEqual([three, 'README'].toSorted());
  expect(files.kept).toEqual({ files: 1, bytes: 1 });
});

test.each(['', '../secret', `../${one}`, one.slice(1), `${one}0`, one.replace('1', 'A'), `${one}\n`])(
  '%j is no digest: it leads nowhere',
  async (digest) => {
    const { files, folder } = await setUp();
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, '..', 'secret'), 'secret');
    await writeFile(join(folder, '..', one), 'secret');
    expect(await files.load(digest, 1000)).toBeUndefined();
    expect(await files.has(digest)).toBe(false);
    await files.keep(digest, Buffer.from('x'));
    await files.confirm(digest);
    expect(await readdir(folder)).toEqual([]);
  },
);

describe('where nothing can be written', () => {
  test('one warning is given, and all goes on', async () => {
    const { folder, files, warnings } = await setUp();
    await symlink('/proc/nowhere', folder);
    await files.keep(one, Buffer.from('1'));
    await files.keep(two, Buffer.from('2'));
    expect(warnings).toEqual([expect.stringMatching(/^cannot keep past indexes in .*, going on without: /)]);
    expect(await files.load(one, 1000)).toBeUndefined();
    expect(files.kept).toEqual({ files: 0, bytes: 0 });
  });

  test('without a folder nothing is kept', async () => {
    const files = new PastIndexes({
      folder: undefined,
      keepFor: 0,
      now: Date.now,
      warn: (message) => expect.fail(message),
    });
    expect(files.isOn).toBe(false);
    await files.keep(one, Buffer.from('1'));
    await files.sweep();
    expect(await files.load(one, 1000)).toBeUndefined();
  });
});
