/**
 * The static recipes of `packages/` built by melange itself, in bubblewrap. Their build environment is one stand-in
 * package, `busybox`, made of Debian's static busybox: the recipes' own scripts run, unchanged.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { signedRepository, signingKey, type ApkFile, type SigningKey } from '../support/apk-repository.ts';
import { environment, mustRun } from './tools.ts';

export const staticRecipes = ['bootc-baselayout', 'nori-user', 'pinewall-config'];

/** What Wolfi's busybox and baselayout give a build, as far as these recipes go. */
export function buildEnvironment(): ApkFile[] {
  const applets = mustRun('busybox', ['--list']).stdout.trim().split('\n');
  return [
    { path: 'bin/busybox', type: 'file', mode: 0o755, content: readFileSync('/bin/busybox') },
    ...applets
      .filter((applet) => applet !== 'busybox')
      .map((applet): ApkFile => ({ path: `bin/${applet}`, type: 'symlink', target: 'busybox' })),
    { path: 'etc/os-release', type: 'file', content: 'ID=wolfi\nVERSION_ID=20230201\n' },
    { path: 'etc/passwd', type: 'file', content: 'root:x:0:0:root:/root:/bin/sh\n' },
    { path: 'etc/group', type: 'file', content: 'root:x:0:\n' },
    ...['tmp', 'dev', 'proc', 'sys', 'home/build', 'root', 'var'].map((path): ApkFile => ({
      path,
      type: 'directory',
      mode: path === 'tmp' ? 0o1777 : 0o755,
    })),
  ];
}

/** Builds them for both arches into `folder/built/ARCH`, signed with the key that is returned and saved beside. */
export async function buildStaticPackages(folder: string): Promise<SigningKey> {
  const key = signingKey();
  const publicKey = join(folder, key.name);
  const privateKey = publicKey.replace(/\.pub$/, '');
  writeFileSync(publicKey, key.publicPem);
  writeFileSync(privateKey, key.privatePem, { mode: 0o600 });
  const environmentDir = join(folder, 'environment');
  mkdirSync(join(folder, 'built'), { recursive: true });
  const busybox = { name: 'busybox', version: '1.37.0-r61', files: buildEnvironment() };
  for (const arch of ['x86_64', 'aarch64']) {
    // The other arch's environment runs this machine's busybox: static files do not care.
    await signedRepository({ dir: environmentDir, arch, packages: [{ ...busybox, arch }], key });
    for (const recipe of staticRecipes) {
      mustRun(
        'melange',
        [
          ...['build', '--arch', arch, '--runner', 'bubblewrap', '--source-dir', `packages/${recipe}`],
          ...['--repository-append', environmentDir, '--keyring-append', publicKey],
          ...['--signing-key', privateKey, '--out-dir', join(folder, 'built')],
          // Of a clone without history or remote, too.
          ...['--git-commit', '0'.repeat(40), '--git-repo-url', 'https://example.org'],
          `packages/${recipe}.yaml`,
        ],
        { env: { ...environment, SOURCE_DATE_EPOCH: '1750000000' } },
      );
    }
  }
  return key;
}
