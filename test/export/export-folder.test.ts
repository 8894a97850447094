import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { ExportFolder, type ExportTotals } from '../../src/export/export-folder.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

type Files = Readonly<Record<string, string>>;

const datasource = { generation: 'one', archs: ['x86_64'], names: 1 };
const long = (text: string): string => text.repeat(2000);

function exportTo(folder: string, files: Files, options = {}): ExportTotals {
  const target = new ExportFolder(folder, options);
  for (const [path, body] of Object.entries(files)) target.add({ path, body, servedAt: undefined });
  return { ...target.commit({ wolfi: datasource }) };
}

/** Every file below `folder` with what is in it and its inode, which a rewritten file does not keep. */
async function tree(folder: string): Promise<Record<string, { text: string; inode: number }>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = files.toSorted().map(async (file) => {
    const value = { text: await readFile(file, 'latin1'), inode: (await stat(file)).ino };
    return [file.slice(folder.length + 1), value] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

test('an export is what was added, with compressed copies that pay, and a manifest', async () => {
  const out = join(await temporaryDirectory(), 'new', 'site');
  const totals = exportTo(out, { 'wolfi/short': 'x', 'wolfi/long': long('y') }, { brotli: true });
  const files = await tree(out);
  expect(Object.keys(files)).toEqual([
    'manifest.json',
    'wolfi/long',
    'wolfi/long.br',
    'wolfi/long.gz',
    'wolfi/short',
  ]);
  expect(gunzipSync(await readFile(join(out, 'wolfi/long.gz'))).toString()).toBe(long('y'));
  expect(brotliDecompressSync(await readFile(join(out, 'wolfi/long.br'))).toString()).toBe(long('y'));
  expect(JSON.parse(files['manifest.json']?.text ?? '')).toEqual({
    format: 1,
    datasources: { wolfi: datasource },
    files: {
      'wolfi/short': { sha256: '2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881', bytes: 1 },
      'wolfi/long': {
        sha256: '087172687d8d958e6c4f809c140da4e8a7506c3feec441e8ab06a87e6f625acb',
        bytes: 2000,
      },
    },
  });
  expect(totals).toMatchObject({ files: 2, bytes: 2001, written: 5, deleted: 0 });
});

test('two runs are the same, and the second writes nothing', async () => {
  const out = await temporaryDirectory();
  const files = { 'wolfi/a': long('a'), 'wolfi/-/latest/a': '1\n' };
  exportTo(out, files);
  const before = await tree(out);
  expect(exportTo(out, files)).toMatchObject({ written: 0, deleted: 0 });
  expect(await tree(out)).toEqual(before);
  const elsewhere = await temporaryDirectory();
  exportTo(elsewhere, files);
  const texts = (of: typeof before): unknown => Object.entries(of).map(([path, { text }]) => [path, text]);
  expect(texts(await tree(elsewhere))).toEqual(texts(before));
});

test('only what changed is written, and what vanished is deleted with its copies and folders', async () => {
  const out = await temporaryDirectory();
  exportTo(out, { 'wolfi/same': long('s'), 'wolfi/other': 'old', 'wolfi/deep/er/gone': long('g') });
  const before = await tree(out);
  const totals = exportTo(out, { 'wolfi/same': long('s'), 'wolfi/other': 'new' });
  const after = await tree(out);
  expect(Object.keys(after)).toEqual(['manifest.json', 'wolfi/other', 'wolfi/same', 'wolfi/same.gz']);
  expect(after['wolfi/same']).toEqual(before['wolfi/same']);
  expect(after['wolfi/same.gz']).toEqual(before['wolfi/same.gz']);
  expect(after['wolfi/other']?.text).toBe('new');
  expect(totals).toMatchObject({ written: 2, deleted: 2 });
  expect(await readdir(join(out, 'wolfi'))).not.toContain('deep');
});

test('a file may become a folder and a folder a file', async () => {
  const out = await temporaryDirectory();
  exportTo(out, { 'wolfi/bin': 'file', 'wolfi/usr/sh': 'below' });
  exportTo(out, { 'wolfi/bin/sh': 'below', 'wolfi/usr': 'file' });
  expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/bin/sh', 'wolfi/usr']);
});

test('until the commit nothing is changed, and what was staged is gone afterwards', async () => {
  const out = await temporaryDirectory();
  exportTo(out, { 'wolfi/a': 'old' });
  const before = await tree(out);
  const target = new ExportFolder(out);
  target.add({ path: 'wolfi/a', body: 'new', servedAt: undefined });
  expect(await readFile(join(out, 'wolfi/a'), 'utf8')).toBe('old');
  target.discard();
  expect(await tree(out)).toEqual(before);
});

test('a run that was cut off anywhere is completed by the next', async () => {
  const out = await temporaryDirectory();
  // As after a kill between two renames of the very first run: answers and staged files, no manifest.
  await mkdir(join(out, '.staging/wolfi'), { recursive: true });
  await mkdir(join(out, 'wolfi'));
  await writeFile(join(out, '.staging/wolfi/b'), 'staged');
  await writeFile(join(out, 'wolfi/stray'), 'of a generation that never was');
  exportTo(out, { 'wolfi/a': 'a' });
  expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/a']);
});

test('a damaged file is written again, whatever the manifest says', async () => {
  const out = await temporaryDirectory();
  exportTo(out, { 'wolfi/a': 'good' });
  await writeFile(join(out, 'wolfi/a'), 'evil');
  expect(exportTo(out, { 'wolfi/a': 'good' })).toMatchObject({ written: 1 });
  expect(await readFile(join(out, 'wolfi/a'), 'utf8')).toBe('good');
});

test('a folder that holds something else is refused, files beside the datasources are left alone', async () => {
  const out = await temporaryDirectory();
  await writeFile(join(out, 'thesis.txt'), 'precious');
  expect(() => new ExportFolder(out)).toThrow(/is not empty and holds no export/);
  expect(await readdir(out)).toEqual(['thesis.txt']);

  const site = await temporaryDirectory();
  exportTo(site, { 'wolfi/a': 'a' });
  await writeFile(join(site, 'robots.txt'), 'mine');
  exportTo(site, { 'wolfi/b': 'b' });
  expect(Object.keys(await tree(site))).toEqual(['manifest.json', 'robots.txt', 'wolfi/b']);
});
