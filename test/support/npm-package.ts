/** The project as the npm package that a release publishes. */
import { execFile } from 'node:child_process';
import { cp, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './service.ts';

const run = promisify(execFile);

/** The files of this checkout in a folder of their own, with this one's dependencies. The caller removes it. */
export async function checkout(): Promise<string> {
  const folder = await temporaryFolder();
  const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']);
  for (const name of stdout.split('\0').filter((path) => path !== '' && !path.startsWith('test/fixtures/')))
    await cp(name, join(folder, name));
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
