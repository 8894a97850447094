import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { deltaCommand } from '../../src/cli/delta.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const { signal } = new AbortController();

afterEach(() => void vi.restoreAllMocks());

const sized = (name: string, version: string, packed: number): Stanza =>
  pkg(name, version, { S: String(packed), I: String(3 * packed), o: name });

const base = 'contents: { packages: [busybox] }\nlayering: { strategy: origin, budget: 9 }\n';
const image = (version: string): string =>
  `include: base.yaml\ncontents: { packages: ["containerd=${version}"] }\narchs: [amd64]\n`;

async function delta(old: string, now: string, { json = false, datasource = 'wolfi' } = {}): Promise<string> {
  const folder = await temporaryDirectory();
  await using upstream = await startUpstream();
  const stanzas = [
    sized('busybox', '1-r0', 400_000),
    sized('containerd', '2.0-r0', 2e7),
    sized('containerd', '2.1-r0', 3e7),
  ];
  for (const arch of ['x86_64', 'aarch64'])
    upstream.serve(arch, await signedIndex(stanzas.map((each) => ({ ...each, A: arch }))));
  const files = { 'base.yaml': base, 'old.yaml': old, 'new.yaml': now };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await using service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url] } } },
  });
  const written: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  const words = ['old.yaml', 'new.yaml'].map((name) => join(folder, name));
  expect(await deltaCommand(words, service.config, { json, datasource, signal })).toBe(0);
  return written.join('');
}

describe('delta', () => {
  test('lists the layers that hosts download, with approximate sizes', async () => {
    expect(await delta(image('2.0-r0'), image('2.1-r0'))).toBe(
      [
        'x86_64: hosts download about 30.0 MB of 30.4 MB (98.7 %), 2 of 3 layers',
        '  containerd 2.0-r0 → 2.1-r0',
        '    30.0 MB  containerd: containerd',
        '       5 kB  the layer on top, with the database of packages',
        '',
      ].join('\n'),
    );
  });

  test('as JSON has every arch of both images', async () => {
    const both = (version: string): string => image(version).replace('[amd64]', '[amd64, arm64]');
    const { archs } = JSON.parse(await delta(both('2.0-r0'), both('2.1-r0'), { json: true })) as {
      archs: { arch: string; bytes: number; withdrawn: string[] }[];
    };
    expect(archs).toMatchObject([
      { arch: 'x86_64', bytes: 30_005_000, withdrawn: [] },
      { arch: 'aarch64', bytes: 30_005_000 },
    ]);
  });

  test('says when nothing changes, and what the index does not have any more', async () => {
    expect(await delta(image('2.1-r0'), image('2.1-r0'))).toBe(
      'x86_64: hosts download nothing of 3 layers\n',
    );
    expect(await delta(image('1.9-r0'), image('2.1-r0'))).toContain(
      'no longer in the index, counted as the newest version: containerd=1.9-r0',
    );
  });

  test('refuses a datasource and an arch that are not there', async () => {
    await expect(delta(image('2.0-r0'), image('2.1-r0'), { datasource: 'alpine' })).rejects.toThrow(
      'unknown datasource alpine, expected one of wolfi',
    );
    await expect(delta(image('2.0-r0'), image('2.1-r0'), { datasource: 'constructor' })).rejects.toThrow(
      'unknown datasource constructor',
    );
    const riscv = image('2.1-r0').replace('amd64', 'riscv64');
    await expect(delta(image('2.0-r0'), riscv)).rejects.toThrow('wolfi has no arch that both images have');
  });
});
