/** The job of docs/delta.md, run as GitLab does in a merge request. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

test('the job lists what each changed image costs, also those in subfolders', async () => {
  const page = await readFile('docs/delta.md', 'utf8');
  const [, block = ''] = /^```yaml\n(delta:\n[^]*?)^```/m.exec(page) ?? [];
  const { delta } = parse(block) as { delta: { script: readonly string[] } };

  const folder = await temporaryFolder();
  const work = join(folder, 'work');
  const write = async (path: string, text: string | Buffer) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const index = await signedIndex(['8.1-r0', '8.2-r0'].map((version) => pkg('curl', version)));
  await write('os/x86_64/APKINDEX.tar.gz', index);
  await write(`${testKey().name}`, testKey().pem);
  const options = `--cache-dir none --arch x86_64 --repository '${folder}/os' --key '${folder}/${testKey().name}'`;
  await write(
    'bin/npx',
    `#!/bin/sh\nshift\nexec '${process.execPath}' '${resolve('src/main.ts')}' "$@" ${options}\n`,
  );
  await chmod(join(folder, 'bin/npx'), 0o755);

  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-C', work, ...args]);
  await mkdir(work);
  git('init', '--quiet');
  await write('work/images/wolfi-base.yaml', 'archs: [x86_64]\n');
  for (const version of ['8.1-r0', '8.2-r0']) {
    for (const image of ['one', 'desktop/two'])
      await write(
        `work/images/${image}.yaml`,
        `include: wolfi-base.yaml\ncontents: { packages: [curl=${version}] }\n`,
      );
    git('add', '.');
    git('commit', '--quiet', '--message', version);
  }
  execFileSync('bash', ['-eo', 'pipefail', '-c', delta.script.join('\n')], {
    cwd: work,
    stdio: 'pipe',
    env: {
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      CI_MERGE_REQUEST_DIFF_BASE_SHA: git('rev-parse', 'HEAD~').toString().trim(),
    },
  });
  const written = (await readFile(join(work, 'delta.txt'), 'utf8')).split('\n');
  const change = '  curl 8.1-r0 → 8.2-r0';
  expect(written.filter((line) => line.endsWith('.yaml') || line === change)).toEqual([
    ...['desktop/two.yaml', change],
    ...['one.yaml', change],
  ]);
});
