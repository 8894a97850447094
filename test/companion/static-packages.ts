/**
 * The static recipes of `packages/` built by melange itself, in bubblewrap. Their build environment is one stand-in
 * package, `busybox`, made of Debian's busybox and bash: the recipes' own scripts run, unchanged, and find no command
 * that Wolfi's busybox lacks.
 */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { signedRepository, signingKey, type ApkFile, type SigningKey } from '../support/apk-repository.ts';
import { environment, mustRun } from './tools.ts';
import { commandsIn } from './shell-words.ts';
import { commands, recipeFiles, stepsOf } from './wolfi.ts';

export const staticRecipes = ['bootc-baselayout', 'nori-user', 'pinewall-config', 'verify-apk'];

/** What Wolfi's busybox and baselayout give a build, as far as these recipes go. */
export function buildEnvironment(): ApkFile[] {
  const debian = new Set(mustRun('busybox', ['--list']).stdout.split('\n'));
  const steps = recipeFiles.flatMap((file) => Object.values(stepsOf(file)).flat());
  const called = new Set(steps.flatMap(({ runs }) => [...commandsIn(runs ?? '')]));
  const applets = (commands['busybox'] ?? []).filter((applet) => applet !== 'sh');
  return [
    { path: 'bin/busybox', type: 'file', mode: 0o755, content: readFileSync('/bin/busybox') },
    // As Wolfi's: apko makes a link for each line.
    {
      path: 'etc/busybox-paths.d/busybox',
      type: 'file',
      content: applets.flatMap((applet) => (debian.has(applet) ? `/bin/${applet}\n` : [])).join(''),
    },
    // Debian's has not all of them: then this machine's own program, if a recipe calls it.
    ...applets
      .filter((applet) => !debian.has(applet) && called.has(applet))
      .flatMap((applet) => program(applet, undefined, `bin/${applet}`)),
    // As a shell, Debian's busybox would run all applets it has, whether there is a link or not.
    ...program('bash', '/bin/bash', 'bin/sh'),
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

/** One of this machine's programs with the libraries it is linked with, as a package's files. */
export function program(
  name: string,
  file = mustRun('sh', ['-c', `command -v ${name}`]).stdout.trim(),
  path = `usr/bin/${name}`,
): ApkFile[] {
  const libraries = [...mustRun('ldd', [file]).stdout.matchAll(/(\/\S+) \(0x/g)].map(
    ([, path]) => path ?? '',
  );
  return [
    { path, type: 'file', mode: 0o755, content: readFileSync(realpathSync(file)) },
    ...libraries.map((library): ApkFile => ({
      path: library.slice(1),
      type: 'file',
      mode: 0o755,
      content: readFileSync(library),
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
