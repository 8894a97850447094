import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ServedVersions } from '../../src/answers/served-versions.ts';
import { temporaryFolder } from '../support/service.ts';

test('versions are recalled per datasource, most recently served and newest first', () => {
  const served = new ServedVersions(undefined);
  served.note('wolfi', 'curl', ['1', '2']);
  served.note('wolfi', 'curl', ['2', '3']);
  expect(served.recall('wolfi', 'curl')).toEqual(['3', '2', '1']);
  expect(served.recall('alpine', 'curl')).toEqual([]);
});

test('names and versions are bounded; the least recently served are dropped first', () => {
  const served = new ServedVersions(undefined);
  served.note('wolfi', 'first', ['1']);
  served.note('wolfi', 'second', ['1']);
  served.note('wolfi', 'first', ['1', '2']);
  for (let i = 0; i < 19_999; i += 1) served.note('wolfi', `name-${i}`, ['1']);
  expect(served.recall('wolfi', 'second')).toEqual([]);
  expect(served.recall('wolfi', 'first')).toEqual(['2', '1']);
  served.note(
    'wolfi',
    'many',
    Array.from({ length: 500 }, (_, i) => `${i}`),
  );
  expect(served.recall('wolfi', 'many')).toHaveLength(32);
  expect(served.recall('wolfi', 'many')[0]).toBe('499');
});

test('versions survive a restart, and a foreign file is ignored', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'cache', 'served.json');
  const before = new ServedVersions(file);
  await before.load();
  before.note('wolfi', '__proto__', ['1', '2']);
  await before.save();
  const after = new ServedVersions(file);
  await after.load();
  expect(after.recall('wolfi', '__proto__')).toEqual(['2', '1']);
  const kept = await readFile(file, 'utf8');
  for (const text of [
    '',
    'null',
    '{',
    '{"format":2}',
    kept.slice(0, -3),
    '{"format":1,"versions":[[1,2],["a",[3]]]}',
  ]) {
    await writeFile(file, text);
    const other = new ServedVersions(file);
    await other.load();
    expect(other.recall('wolfi', '__proto__')).toEqual([]);
  }
  await rm(file);
  await mkdir(file);
  const unwritable = new ServedVersions(file);
  unwritable.note('wolfi', 'curl', ['1']);
  await expect(unwritable.save()).resolves.toBeUndefined();
  await rm(folder, { recursive: true });
});

test.each(['', '{"format":1,"vers', 'null', '{"format":0,"versions":[]}', '{"format":1,"versions":[[1,2]]}'])(
  'a damaged file (%j) gives one warning, and a missing one none',
  async (text) => {
    const folder = await temporaryFolder();
    const file = join(folder, 'served.json');
    const warnings: string[] = [];
    const served = new ServedVersions(file, { warn: (message) => void warnings.push(message) });
    await served.load();
    expect(warnings).toEqual([]);
    await writeFile(file, text);
    await served.load();
    expect(warnings).toEqual([expect.stringContaining(file)]);
    await rm(folder, { recursive: true });
  },
);

test('two processes that write to one folder do not damage the file, whatever their ids', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'served.json');
  const both = [new ServedVersions(file), new ServedVersions(file)];
  const versions = Array.from({ length: 32 }, (_, i) => `1.${i}`);
  for (let round = 0; round < 10; round += 1) {
    for (const [i, served] of both.entries())
      for (let n = 0; n < 200; n += 1) served.note('wolfi', `name-${n}`, [...versions, `${i}.${round}`]);
    await Promise.all(both.map((served) => served.save()));
    const warnings: string[] = [];
    const next = new ServedVersions(file, { warn: (message) => void warnings.push(message) });
    await next.load();
    expect(warnings).toEqual([]);
    expect(next.recall('wolfi', 'name-199')[0]).toMatch(new RegExp(`^[01]\\.${round}$`));
  }
  expect(await readdir(folder)).toEqual(['served.json']);
  await rm(folder, { recursive: true });
});

test('the partial file of a killed process is removed once it is old', async () => {
  const folder = await temporaryFolder();
  const file = join(folder, 'served.json');
  for (const name of ['served.json.1.new', 'served.json.2.new', 'other.new'])
    await writeFile(join(folder, name), '');
  for (const name of ['served.json.1.new', 'other.new']) await utimes(join(folder, name), 1, 1);
  await new ServedVersions(file).load();
  expect(await readdir(folder)).toEqual(['other.new', 'served.json.2.new']);
  await rm(folder, { recursive: true });
});
