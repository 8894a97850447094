/**
 * The recipe of linux-lts run by melange: it fetches a package from a mirror on loopback, verifies it and lays it out.
 * Mirror, kernel and signing key are made here; the scripts, the verifier and depmod are the real ones.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { buildApk, signedRepository, signingKey, type ApkFile } from '../support/apk-repository.ts';
import { recipe } from './stand-ins.ts';
import { buildEnvironment } from './static-packages.ts';
import { describeWith, environment, makeFolder, mustRun } from './tools.ts';

const tools = ['melange', 'bwrap', 'busybox', 'depmod', 'ldd', 'tar', 'root'];

describeWith(tools, 'the recipe of linux-lts', () => {
  const folder = makeFolder();
  const repositoryKey = signingKey();
  const alpineKey = signingKey('alpine-test.rsa.pub');
  const { version } = recipe('linux-lts');
  const release = `${version}-0-lts`;
  const requested: string[] = [];
  let served: Buffer;
  let mirror: Server;

  beforeAll(async () => {
    writeFileSync(join(folder, repositoryKey.name), repositoryKey.publicPem);
    writeFileSync(join(folder, 'signing.rsa'), repositoryKey.privatePem);
    const programs: Readonly<Record<string, readonly ApkFile[]>> = {
      busybox: buildEnvironment(),
      'ca-certificates-bundle': [],
      kmod: program('depmod'),
      'nodejs-24': program('node', process.execPath),
    };
    await signedRepository({
      dir: join(folder, 'environment'),
      arch: 'x86_64',
      packages: Object.entries(programs).map(([name, files]) => ({ name, version: '1.37.0-r0', files })),
      key: repositoryKey,
    });
    cpSync('packages/linux-lts', join(folder, 'sources'), { recursive: true });
    writeFileSync(join(folder, 'sources/keys', alpineKey.name), alpineKey.publicPem);

    mirror = createServer((request, response) => {
      requested.push(request.url ?? '');
      response.end(served);
    }).listen(0, '127.0.0.1');
    await once(mirror, 'listening');
    const { port } = mirror.address() as AddressInfo;
    writeFileSync(join(folder, 'vars.yaml'), `alpine-mirror: http://127.0.0.1:${port}\n`);
  });
  afterAll(() => {
    mirror.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const kernel = (kernelVersion: string, key = alpineKey) =>
    buildApk(
      {
        name: 'linux-lts',
        version: kernelVersion,
        files: [
          { path: 'boot/vmlinuz-lts', type: 'file', content: 'a kernel' },
          { path: `boot/config-${release}`, type: 'file', content: 'CONFIG_EXT4_FS=m\n' },
          { path: `boot/System.map-${release}`, type: 'file', content: '0 _text\n' },
          // depmod wants an ELF file, and any will do.
          {
            path: `lib/modules/${release}/kernel/ext4.ko`,
            type: 'file',
            mode: 0o755,
            content: readFileSync('/bin/busybox'),
          },
        ],
      },
      key,
    );

  /** Not `run`: the mirror is in this process and has to answer meanwhile. */
  const build = async (): Promise<string> => {
    const out = mkdtempSync(join(folder, 'out-'));
    const args = [
      ...['build', '--arch', 'x86_64', '--runner', 'bubblewrap', '--source-dir', join(folder, 'sources')],
      ...['--vars-file', join(folder, 'vars.yaml'), '--out-dir', out],
      ...['--repository-append', join(folder, 'environment')],
      ...['--keyring-append', join(folder, repositoryKey.name), '--signing-key', join(folder, 'signing.rsa')],
      ...['--git-commit', '0'.repeat(40), '--git-repo-url', 'https://example.org'],
      'packages/linux-lts.yaml',
    ];
    await promisify(execFile)('melange', args, { env: environment, maxBuffer: 64 * 1024 * 1024 });
    return join(out, `x86_64/linux-lts-${version}-r0.apk`);
  };

  it('lays out a verified kernel as bootc wants it', async () => {
    served = (await kernel(`${version}-r0`)).bytes;
    const apk = await build();
    expect(requested).toEqual([`/x86_64/linux-lts-${version}-r0.apk`]);
    const files = mustRun('tar', ['-tzf', apk])
      .stdout.split('\n')
      .filter((path) => path.includes('modules/') && !path.endsWith('/'));
    for (const name of ['vmlinuz', 'config', 'System.map', 'modules.dep', 'kernel/ext4.ko']) {
      expect(files).toContain(`usr/lib/modules/${release}/${name}`);
    }
    // Nothing in /boot: there bootc puts what it boots.
    expect(mustRun('tar', ['-tzf', apk]).stdout).not.toMatch(/^boot/m);
    const info = mustRun('tar', ['-xzOf', apk, '.PKGINFO']).stdout;
    expect(info).toMatch(/^depend = kmod$/m);
  });

  it.each([
    ['an older kernel under the name of the wanted one', () => kernel('6.18.1-r0'), 'pkgver is 6.18.1-r0'],
    [
      'a kernel signed by somebody else',
      () => kernel(`${version}-r0`, signingKey(alpineKey.name)),
      'no trusted key',
    ],
  ])('does not build %s', async (_, make, message) => {
    served = (await make()).bytes;
    await expect(build()).rejects.toThrow(message);
  });

  /** One of this machine's programs with the libraries it is linked with, as a package's files. */
  function program(
    name: string,
    file = mustRun('sh', ['-c', `command -v ${name}`]).stdout.trim(),
  ): ApkFile[] {
    const libraries = [...mustRun('ldd', [file]).stdout.matchAll(/(\/\S+) \(0x/g)].map(
      ([, path]) => path ?? '',
    );
    return [
      { path: `usr/bin/${name}`, type: 'file', mode: 0o755, content: readFileSync(realpathSync(file)) },
      ...libraries.map((path): ApkFile => ({
        path: path.slice(1),
        type: 'file',
        mode: 0o755,
        content: readFileSync(path),
      })),
    ];
  }
});
