import { mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { IndexStore } from '../../src/repository/index-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const location = 'https://apks.example.com/os/x86_64/APKINDEX.tar.gz';
const index = { location, terms: 'strict' };
const bytes = Buffer.from('an archive\nof two lines');
const meta = { validators: { etag: '"1"', lastModified: undefined }, firstSeenAt: 1_000_000 };

let folder: string;
let warnings: string[];
let store: IndexStore;
const open = (): IndexStore =>
  new IndexStore(folder, (message, error) => void warnings.push(`${message}: ${String(error)}`));

beforeEach(async () => {
  folder = await temporaryDirectory();
  warnings = [];
  store = open();
});

async function keptFile(): Promise<string> {
  const [name = ''] = (await readdir(join(folder, 'indexes'))).filter((each) => each.endsWith('.apkindex'));
  return join(folder, 'indexes', name);
}

test('restores what was saved, and when upstream confirmed it', async () => {
  await store.save(index, bytes, meta);
  await store.confirm(index, 5_000_000);
  const kept = await store.load(index, 100);
  expect(kept && Buffer.from(kept.bytes)).toEqual(bytes);
  expect(kept).toMatchObject({ validators: { etag: '"1"' }, firstSeenAt: 1_000_000, confirmedAt: 5_000_000 });
  expect(await store.load({ ...index, location: `${location}?other` }, 100)).toBeUndefined();
  expect(await store.load({ ...index, terms: 'lax' }, 100)).toBeUndefined();
  expect(warnings).toEqual([]);
});

test('an earlier index is not confirmed in place of one that could not be kept', async () => {
  await store.save(index, bytes, meta);
  await store.confirm(index, 5_000_000);
  const path = await keptFile();
  await rename(path, `${path}.earlier`);
  await mkdir(join(path, 'in the way'), { recursive: true });
  await store.save(index, Buffer.from('a later archive'), meta);
  expect(warnings).toEqual([expect.stringContaining('cannot keep indexes')]);
  await rm(path, { recursive: true });
  await rename(`${path}.earlier`, path);
  await store.confirm(index, 9_000_000);
  expect(await store.load(index, 100)).toMatchObject({ confirmedAt: 5_000_000 });
  await store.save(index, bytes, meta);
  await store.confirm(index, 9_000_000);
  expect(await store.load(index, 100)).toMatchObject({ confirmedAt: 9_000_000 });
});

test('is the same for another password, and keeps none', async () => {
  const as = (userinfo: string): typeof index => ({
    ...index,
    location: location.replace('//', `//${userinfo}@`),
  });
  await store.save(as('me:c4n4ry'), bytes, meta);
  expect(await store.load(as('me:other'), 100)).toBeDefined();
  expect(await store.load(as('you:c4n4ry'), 100)).toBeUndefined();
  expect(`${await keptFile()} ${await readFile(await keptFile(), 'latin1')}`).not.toContain('c4n4ry');
});

test('two writers at once leave one of both, whole', async () => {
  const other = Buffer.alloc(1_000_000, 'b');
  const first = Buffer.alloc(1_000_000, 'a');
  await Promise.all([
    open().save(index, first, meta),
    store.save(index, other, meta),
    store.save(index, first, meta),
  ]);
  const kept = await store.load(index, 2_000_000);
  expect([first, other].some((each) => each.equals(kept?.bytes ?? Buffer.alloc(0)))).toBe(true);
  expect(await readdir(dirname(await keptFile()))).toHaveLength(1);
  expect(warnings).toEqual([]);
});

describe('unusable files are skipped with one warning that names the file', () => {
  const header = (change: (header: Record<string, unknown>) => unknown) => (file: Buffer): Buffer => {
    const end = file.indexOf('\n');
    const changed = change(JSON.parse(file.toString('utf8', 0, end)) as Record<string, unknown>);
    return Buffer.concat([Buffer.from(JSON.stringify(changed)), file.subarray(end)]);
  }; // prettier-ignore

  test.each<[what: string, change: (file: Buffer) => Buffer, why: string]>([
    ['an empty file', () => Buffer.alloc(0), 'no header'],
    ['a header cut short', (file) => file.subarray(0, 20), 'no header'],
    ['a header that is no JSON', (file) => Buffer.concat([Buffer.from('{'), file]), 'JSON'],
    ['a header that is null', header(() => null), 'expected object'],
    ['an older format', header((old) => ({ ...old, format: 2 })), 'another format than 3'],
    ['the index of another address', header((old) => ({ ...old, identity: 'x' })), 'to another index'],
    [
      'a validator that cannot be sent',
      header((old) => ({ ...old, validators: { etag: 'a\r\nx: y' } })),
      'pattern',
    ],
    ['a header without a time', header((old) => ({ ...old, firstSeenAt: undefined })), 'expected number'],
    [
      'a file beyond the limit',
      (file) => Buffer.concat([file, Buffer.alloc(100_000)]),
      'larger than 1000 bytes',
    ],
  ])('%s', async (_what, change, why) => {
    await store.save(index, bytes, meta);
    const path = await keptFile();
    await writeFile(path, change(await readFile(path)));
    expect(await store.load(index, 1000)).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining(why)]);
    expect(warnings[0]).toContain(path);
    await store.save(index, bytes, meta);
    expect(await store.load(index, 1000)).toBeDefined();
  });

  test('a folder in its place', async () => {
    await store.save(index, bytes, meta);
    const path = await keptFile();
    folder = await temporaryDirectory();
    await mkdir(join(folder, 'indexes', path.split('/').at(-1) ?? ''), { recursive: true });
    expect(await open().load(index, 1000)).toBeUndefined();
    expect(warnings).toEqual([expect.stringContaining('not a file')]);
  });
});

test('half-written files of a killed process are removed once they are old', async () => {
  await store.save(index, bytes, meta);
  const path = await keptFile();
  await writeFile(`${path}.old.new`, 'x');
  await writeFile(`${path}.fresh.new`, 'x');
  await utimes(`${path}.old.new`, 1, 1);
  await open().load(index, 1000);
  expect((await readdir(join(folder, 'indexes'))).filter((name) => name.endsWith('.new'))).toEqual([
    expect.stringContaining('.fresh.new'),
  ]);
});

test('files of earlier versions are ignored and removed', async () => {
  await store.save(index, bytes, meta);
  const kept = await keptFile();
  const old = `apks.example.com_os_x86_64_APKINDEX.tar.gz-${'0'.repeat(12)}`;
  for (const ending of ['apkindex', 'parsed', 'held.json', 'accepted.json'])
    await writeFile(join(dirname(kept), `${old}.${ending}`), 'x');
  expect(await open().load(index, 1000)).toBeDefined();
  expect(await readdir(dirname(kept))).toEqual([basename(kept)]);
});

describe('an acceptance', () => {
  const day = 86_400_000;

  test('counts once, for one index, under the same terms', async () => {
    await store.accept(index, 'a', 0);
    expect(await store.takeAcceptance(index, 'b', 1)).toBe(false);
    expect(await store.takeAcceptance({ ...index, terms: 'lax' }, 'a', 1)).toBe(false);
    expect(await store.takeAcceptance(index, 'a', 1)).toBe(true);
    await store.settle(index, 'a');
    await store.settle(index, 'b');
    expect(await store.takeAcceptance(index, 'a', 1)).toBe(false);
  });

  test('counts for each datasource of the process that has the index', async () => {
    await store.accept(index, 'a', 0);
    const take = (): Promise<boolean> => store.takeAcceptance(index, 'a', 1);
    expect(await Promise.all([take(), take()])).toEqual([true, true]);
    await store.settle(index, 'a');
    expect(await take()).toBe(true);
  });

  test('counts for one of two processes that share the folder', async () => {
    await store.accept(index, 'a', 0);
    const taken = await Promise.all([store, open()].map((each) => each.takeAcceptance(index, 'a', 1)));
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  test('lapses after a day, and when another index is taken', async () => {
    await store.accept(index, 'a', 0);
    expect(await store.takeAcceptance(index, 'a', day + 1)).toBe(false);
    await store.accept(index, 'a', 0);
    await store.settle(index, 'b');
    expect(await store.takeAcceptance(index, 'a', 1)).toBe(false);
  });

  test.each(['', '{}', '{"digest":"a"}', '{"digest":"a","acceptedAt":"now"}'])(
    'that says %j is none',
    async (text) => {
      await store.accept(index, 'a', 0);
      const names = await readdir(join(folder, 'indexes'));
      await writeFile(join(folder, 'indexes', names[0] ?? ''), text);
      expect(await store.takeAcceptance(index, 'a', 1)).toBe(false);
    },
  );
});
