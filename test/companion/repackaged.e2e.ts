/**
 * The recipes that repackage Alpine's packages, run by melange: they fetch from a mirror on loopback, verify and
 * unpack. Mirror, packages and signing key are made here; the scripts, the verifier, curl and depmod are real.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { buildApk, signedRepository, signingKey, type ApkFile } from '../support/apk-repository.ts';
import { kernelRelease, recipe } from './stand-ins.ts';
import { buildEnvironment, program } from './static-packages.ts';
import { describeWith, environment, makeFolder, mustRun } from './tools.ts';

const tools = ['melange', 'bwrap', 'busybox', 'bash', 'curl', 'depmod', 'ldd', 'tar', 'root'];

describeWith(tools, 'recipes that repackage', () => {
  const folder = makeFolder();
  const repositoryKey = signingKey();
  const alpineKey = signingKey('alpine-test.rsa.pub');
  const sourceVersion = (name: string) => recipe(name).version.replace(/-r\d+$/, '');
  const version = sourceVersion('linux-lts');
  const firmware = sourceVersion('linux-firmware');
  const served = new Map<string, Buffer>();
  const requested: string[] = [];
  let mirror: Server;

  beforeAll(async () => {
    writeFileSync(join(folder, repositoryKey.name), repositoryKey.publicPem);
    writeFileSync(join(folder, 'signing.rsa'), repositoryKey.privatePem);
    writeFileSync(join(folder, 'signing.rsa.pub'), repositoryKey.publicPem);
    const programs: Readonly<Record<string, readonly ApkFile[]>> = {
      busybox: buildEnvironment(),
      'ca-certificates-bundle': [],
      curl: program('curl'),
      kmod: program('depmod'),
      'nodejs-24': program('node', process.execPath),
    };
    await signedRepository({
      dir: join(folder, 'environment'),
      arch: 'x86_64',
      packages: Object.entries(programs).map(([name, files]) => ({ name, version: '1.37.0-r0', files })),
      key: repositoryKey,
    });

    mirror = createServer((request, response) => {
      requested.push(request.url ?? '');
      const body = served.get(request.url ?? '');
      response.writeHead(body ? 200 : 404).end(body);
    }).listen(0, '127.0.0.1');
    await once(mirror, 'listening');
    const { port } = mirror.address() as AddressInfo;
    writeFileSync(join(folder, 'vars.yaml'), `alpine-mirror: http://127.0.0.1:${port}\n`);

    // The shipped verifier, which trusts one more key.
    const verifier = join(folder, 'verify-apk');
    cpSync('packages/verify-apk', verifier, { recursive: true });
    writeFileSync(join(verifier, 'keys', alpineKey.name), alpineKey.publicPem);
    await build('packages/verify-apk.yaml', join(folder, 'verifier'), ['--source-dir', verifier]);
  });
  afterAll(() => {
    mirror.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Not synchronously: the mirror answers in this process. */
  const build = async (file: string, out = mkdtempSync(join(folder, 'out-')), more = repackaging) => {
    mkdirSync(out, { recursive: true });
    const args = [
      ...['build', '--arch', 'x86_64', '--runner', 'bubblewrap', '--out-dir', out, ...more],
      ...['--repository-append', join(folder, 'environment')],
      ...['--keyring-append', join(folder, repositoryKey.name), '--signing-key', join(folder, 'signing.rsa')],
      ...['--keyring-append', join(folder, 'signing.rsa.pub')],
      ...['--git-commit', '0'.repeat(40), '--git-repo-url', 'https://example.org'],
      file,
    ];
    await promisify(execFile)('melange', args, { env: environment, maxBuffer: 64 * 1024 * 1024 });
    return join(out, 'x86_64');
  };
  const repackaging = [
    ...['--empty-workspace', '--vars-file', join(folder, 'vars.yaml')],
    ...['--repository-append', join(folder, 'verifier')],
  ];

  const kernelPath = `/x86_64/linux-lts-${version}-r0.apk`;
  const kernel = async (kernelVersion: string, key = alpineKey) =>
    (
      await buildApk(
        {
          name: 'linux-lts',
          version: kernelVersion,
          files: [
            { path: 'boot/vmlinuz-lts', type: 'file', content: 'a kernel' },
            { path: `boot/config-${kernelRelease}`, type: 'file', content: 'CONFIG_EXT4_FS=m\n' },
            { path: `boot/System.map-${kernelRelease}`, type: 'file', content: '0 _text\n' },
            // depmod wants an ELF file, and any will do.
            {
              path: `lib/modules/${kernelRelease}/kernel/ext4.ko`,
              type: 'file',
              mode: 0o755,
              content: readFileSync('/bin/busybox'),
            },
          ],
        },
        key,
      )
    ).bytes;

  const filesIn = (apk: string) =>
    mustRun('tar', ['-tzf', apk])
      .stdout.split('\n')
      .filter((path) => path !== '' && !path.endsWith('/'));

  it('lays out a verified kernel as bootc wants it', async () => {
    served.set(kernelPath, await kernel(`${version}-r0`));
    const apk = join(await build('packages/linux-lts.yaml'), `linux-lts-${version}-r0.apk`);
    expect(requested).toEqual([kernelPath]);
    for (const name of ['vmlinuz', 'config', 'System.map', 'modules.dep', 'kernel/ext4.ko']) {
      expect(filesIn(apk)).toContain(`usr/lib/modules/${kernelRelease}/${name}`);
    }
    // Nothing in /boot: there bootc puts what it boots.
    expect(filesIn(apk).join('\n')).not.toMatch(/^boot/m);
    expect(mustRun('tar', ['-xzOf', apk, '.PKGINFO']).stdout).toMatch(/^depend = kmod$/m);
  });

  it.each([
    ['an older kernel under the name of the wanted one', () => kernel('6.18.1-r0'), 'pkgver is 6.18.1-r0'],
    [
      'a kernel signed by somebody else',
      () => kernel(`${version}-r0`, signingKey(alpineKey.name)),
      'no trusted key',
    ],
    ['a kernel that is not there', () => undefined, '404'],
  ])('does not build %s', async (_, make, message) => {
    const bytes = await make();
    served.delete(kernelPath);
    if (bytes) served.set(kernelPath, bytes);
    await expect(build('packages/linux-lts.yaml')).rejects.toThrow(message);
  });

  it('takes one folder of firmware from each of its packages, which are the same on every arch', async () => {
    for (const family of ['amdgpu', 'i915']) {
      const { bytes } = await buildApk(
        {
          name: `linux-firmware-${family}`,
          version: `${firmware}-r0`,
          arch: 'noarch',
          files: [{ path: `lib/firmware/${family}/one.bin.zst`, type: 'file', content: family }],
        },
        alpineKey,
      );
      served.set(`/x86_64/linux-firmware-${family}-${firmware}-r0.apk`, bytes);
    }
    const built = await build('packages/linux-firmware.yaml');
    for (const family of ['amdgpu', 'i915']) {
      const files = filesIn(join(built, `linux-firmware-${family}-${firmware}-r0.apk`));
      expect(files).toContain(`usr/lib/firmware/${family}/one.bin.zst`);
    }
  });

  it('builds in an environment that lacks what Wolfi lacks', async () => {
    const file = join(folder, 'wget.yaml');
    const head = readFileSync('packages/nori-user.yaml', 'utf8').split('pipeline:')[0] ?? '';
    writeFileSync(file, `${head}pipeline:\n  - runs: wget --help\n`);
    await expect(build(file, undefined, [])).rejects.toThrow(/wget: command not found/);
  });
});
