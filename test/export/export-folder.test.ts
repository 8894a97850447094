import { execFileSync } from 'node:child_process';
import { link, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, brotliDecompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
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

/** All files below `folder` with their text and inode. A rewritten file has a new inode. */
async function tree(folder: string): Promise<Record<string, { text: string; inode: number }>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = files.toSorted().map(async (file) => {
    const value = { text: await readFile(file, 'latin1'), inode: (await stat(file)).ino };
    return [file.slice(folder.length + 1), value] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

test('an export has the added files, compressed copies that save space, and a manifest', async () => {
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

test('copies of files beside the datasources are deleted when they are no longer needed', async () => {
  const out = await temporaryDirectory();
  exportTo(out, { 'index.html': long('h'), _redirects: long('r') }, { brotli: true });
  expect(exportTo(out, { _redirects: 'r' })).toMatchObject({ written: 2, deleted: 5 });
  expect(await readdir(out)).toEqual(['_redirects', 'manifest.json']);
});

test('only changed files are written; vanished ones are deleted with their copies and folders', async () => {
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

test('nothing changes before the commit, and staged files are gone afterwards', async () => {
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
  // As after a kill between two renames of the first run: answers and staged files, no manifest.
  await mkdir(join(out, '.staging/wolfi'), { recursive: true });
  await mkdir(join(out, 'wolfi'));
  await writeFile(join(out, '.staging/wolfi/b'), 'staged');
  await writeFile(join(out, 'wolfi/stray'), 'of a generation that never was');
  exportTo(out, { 'wolfi/a': 'a' });
  expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/a']);
});

test('a damaged file is written again, even if the manifest lists it', async () => {
  const out = await temporaryDirectory();
  exportTo(out, { 'wolfi/a': 'good' });
  await writeFile(join(out, 'wolfi/a'), 'evil');
  expect(exportTo(out, { 'wolfi/a': 'good' })).toMatchObject({ written: 1 });
  expect(await readFile(join(out, 'wolfi/a'), 'utf8')).toBe('good');
});

test('a folder with other content is refused; files beside the datasources are left alone', async () => {
  const out = await temporaryDirectory();
  await writeFile(join(out, 'thesis.txt'), 'precious');
  expect(() => new ExportFolder(out)).toThrow(/is not empty and is not an export/);
  expect(await readdir(out)).toEqual(['thesis.txt']);

  const site = await temporaryDirectory();
  exportTo(site, { 'wolfi/a': 'a' });
  await writeFile(join(site, 'robots.txt'), 'mine');
  exportTo(site, { 'wolfi/b': 'b' });
  expect(Object.keys(await tree(site))).toEqual(['manifest.json', 'robots.txt', 'wolfi/b']);
});

test('a folder is made with those above it; where none can be made, that is an error', async () => {
  const out = join(await temporaryDirectory(), 'new/folder');
  exportTo(out, { 'wolfi/a': 'a' });
  expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/a']);
  expect(() => new ExportFolder('/proc/no/folder')).toThrow(/ENOENT|EACCES|EROFS/);
});

describe('nothing outside the folder is touched, whatever is in it', () => {
  /** A foreign folder beside the export, with a file. */
  async function besideVictim(): Promise<{ out: string; victim: string }> {
    const parent = await temporaryDirectory();
    const [out, victim] = [join(parent, 'out'), join(parent, 'victim')];
    await mkdir(join(victim, 'deep'), { recursive: true });
    await writeFile(join(victim, 'a'), 'precious');
    await writeFile(join(victim, 'deep/b'), 'precious');
    exportTo(out, { 'wolfi/a': 'a', 'wolfi/deep/b': 'b', 'wolfi/-/latest/a': '1' });
    return { out, victim };
  }

  const manifestOf = (...names: readonly string[]): string =>
    JSON.stringify({ format: 1, datasources: Object.fromEntries(names.map((name) => [name, datasource])) });

  test.each([
    '../victim',
    '..',
    '.',
    '',
    '/etc',
    'wolfi/../../victim',
    '.staging',
    'Wolfi',
    'manifest.json',
    '__proto__x/..',
  ])('a manifest that names %j as a datasource is none of ours', async (name) => {
    const { out, victim } = await besideVictim();
    await writeFile(join(out, 'manifest.json'), manifestOf('wolfi', name));
    const before = [await tree(victim), await tree(out)];
    expect(() => exportTo(out, { 'wolfi/a': 'new' })).toThrow(/is not empty and is not an export/);
    expect([await tree(victim), await tree(out)]).toEqual(before);
  });

  test.each<[what: string, at: string, to: (victim: string) => string]>([
    ['the folder of a datasource', 'wolfi', (victim) => victim],
    ['the folder of a datasource, relative', 'wolfi', () => '../victim'],
    ['a folder of an earlier datasource', 'old', (victim) => victim],
    ['a folder below', 'wolfi/deep', (victim) => join(victim, 'deep')],
    ['a folder that nothing is in any more', 'wolfi/gone', (victim) => victim],
    ['a file', 'wolfi/a', (victim) => join(victim, 'a')],
    ['a file that is gone', 'wolfi/gone', (victim) => join(victim, 'a')],
    ['nothing', 'wolfi/a', () => '/nonexistent/file'],
    ['itself', 'wolfi/deep', () => 'deep'],
    ['the folder above', 'wolfi/deep', () => '..'],
    ['the staging folder', '.staging', (victim) => victim],
  ])('a link in place of %s is replaced, not followed', async (_, at, to) => {
    const { out, victim } = await besideVictim();
    await writeFile(join(out, 'manifest.json'), manifestOf('wolfi', 'old'));
    execFileSync('rm', ['-rf', join(out, at)]);
    await symlink(to(victim), join(out, at));
    const before = await tree(victim);
    exportTo(out, { 'wolfi/a': 'precious', 'wolfi/deep/b': 'new' });
    expect(await tree(victim)).toEqual(before);
    expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/a', 'wolfi/deep/b']);
    expect((await lstat(join(out, 'wolfi/a'))).isFile()).toBe(true);
    expect(await readFile(join(out, 'wolfi/deep/b'), 'utf8')).toBe('new');
  });

  test('a manifest that is a link is not read', async () => {
    const { out, victim } = await besideVictim();
    await writeFile(join(victim, 'manifest.json'), manifestOf('wolfi'));
    execFileSync('rm', [join(out, 'manifest.json')]);
    await symlink(join(victim, 'manifest.json'), join(out, 'manifest.json'));
    expect(() => exportTo(out, { 'wolfi/a': 'new' })).toThrow(/is not an export/);
  });

  test('a file with a second name elsewhere is replaced, not written to', async () => {
    const { out, victim } = await besideVictim();
    for (const name of ['wolfi/c', 'wolfi/gone']) await link(join(victim, 'a'), join(out, name));
    const before = await tree(victim);
    exportTo(out, { 'wolfi/c': 'new' });
    expect(await tree(victim)).toEqual(before);
    expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/c']);
  });

  test('a pipe is not waited for', async () => {
    const { out } = await besideVictim();
    execFileSync('rm', [join(out, 'wolfi/a')]);
    for (const name of ['wolfi/a', 'wolfi/gone']) execFileSync('mkfifo', [join(out, name)]);
    exportTo(out, { 'wolfi/a': 'new' });
    expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/a']);
  });

  test('the folder itself may be a link', async () => {
    const { out } = await besideVictim();
    await symlink(out, `${out}-link`);
    exportTo(`${out}-link`, { 'wolfi/a': 'new' });
    expect((await lstat(`${out}-link`)).isSymbolicLink()).toBe(true);
    expect(await readFile(join(out, 'wolfi/a'), 'utf8')).toBe('new');
  });

  test.each(['../victim/a', '/etc/passwd', 'wolfi/../../victim/a', 'wolfi//a', 'wolfi/.'])(
    'nothing can be added at %s',
    async (path) => {
      const { out, victim } = await besideVictim();
      const before = await tree(victim);
      expect(() => exportTo(out, { [path]: 'evil' })).toThrow(/is no path below/);
      expect(await tree(victim)).toEqual(before);
    },
  );
});

test('names that a file system takes for the same are refused, and the old export stays', async () => {
  const out = await temporaryDirectory();
  exportTo(out, { 'wolfi/a': 'old' });
  const before = await tree(out);
  for (const files of [
    { 'wolfi/Foo': '1', 'wolfi/foo': '2' },
    { 'wolfi/Foo/x': '1', 'wolfi/foo/y': '2' },
  ]) {
    const target = new ExportFolder(out, { foldsCase: true });
    expect(() => {
      for (const [path, body] of Object.entries(files)) target.add({ path, body, servedAt: undefined });
    }).toThrow(/wolfi\/Foo and wolfi\/foo are the same file there/);
    target.discard();
    expect(await tree(out)).toEqual(before);
  }
  exportTo(out, { 'wolfi/Foo': '1', 'wolfi/foo': '2' });
  expect(Object.keys(await tree(out))).toEqual(['manifest.json', 'wolfi/Foo', 'wolfi/foo']);
});

test('a manifest has no control characters', async () => {
  const out = await temporaryDirectory();
  const target = new ExportFolder(out);
  const servedAt = '/wolfi/\u001b[31m\u009b\u202e\u007f';
  target.add({ path: 'wolfi/-/name/x', body: 'x', servedAt });
  target.commit({ wolfi: datasource });
  const text = await readFile(join(out, 'manifest.json'), 'utf8');
  expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(text)).toMatchObject({ files: { 'wolfi/-/name/x': { servedAt } } });
});
