/** The project as the npm package that a release publishes. */
import { execFile } from 'node:child_process';
import { cp, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './service.ts';

const run = promisify(execFile);

/** What a release needs of a checkout, so that nothing of this one is changed. */
const needed = [
  'package.json', 'package-lock.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'src', 'scripts', 'test', 'docs', '.ci',
]; // prettier-ignore

/** A checkout of its own, with this one's dependencies. The caller removes it. */
export async function checkout(): Promise<string> {
  const folder = await temporaryFolder();
  for (const name of needed) {
    const options = { recursive: true, filter: (path: string) => !path.includes('/fixtures/') };
    await cp(name, join(folder, name), options);
  }
  await symlink(resolve('node_modules'), join(folder, 'node_modules'));
  return folder;
}

export interface Packed {
  /** Path of the tarball. */
  readonly tarball: string;
  readonly version: string;
  readonly files: readonly string[];
  /** Bytes, as downloaded. */
  readonly size: number;
}

/** `npm pack`, which builds first. The tarball is in the project. */
export async function pack(project: string): Promise<Packed> {
  const args = ['pack', '--json'];
  const { stdout } = await run('npm', args, { cwd: project });
  const [packed] = JSON.parse(stdout) as [
    { filename: string; version: string; size: number; files: { path: string }[] },
  ];
  const { filename, version, size, files } = packed;
  return { tarball: join(project, filename), version, size, files: files.map(({ path }) => path) };
}
