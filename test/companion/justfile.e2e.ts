/**
 * The steps of docs/companion.md from a clone to a host, run by the real just: packages, image, podman's storage, disk.
 * Stand-ins replace Wolfi. podman cannot run here, so a script that records its calls replaces it.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { signedRepository, signingKey } from '../support/apk-repository.ts';
import { copyDefinitions } from './workshop.ts';
import { buildEnvironment } from './static-packages.ts';
import { standIns } from './stand-ins.ts';
import { describeWith, environment, makeFolder, mustRun, run } from './tools.ts';

const tools = ['apko', 'bwrap', 'just', 'melange', 'skopeo', 'root'];

describeWith(tools, 'the Justfile', () => {
  const folder = makeFolder();
  const clone = join(folder, 'a clone');
  const called = join(folder, 'podman.txt');

  beforeAll(async () => {
    mkdirSync(clone);
    for (const path of ['Justfile', 'companion', 'deploy', 'packages', 'scripts', 'src', 'package.json']) {
      cpSync(path, join(clone, path), { recursive: true });
    }
    mustRun('ln', ['-s', join(process.cwd(), 'node_modules'), join(clone, 'node_modules')]);
    copyDefinitions(clone, {});
    // melange wants to name the commit.
    mustRun('git', ['init', '-q', clone]);
    const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
    mustRun('git', ['-C', clone, ...identity, 'commit', '-q', '--allow-empty', '-m', 'clone']);

    const key = signingKey('wolfi.rsa.pub');
    writeFileSync(join(folder, key.name), key.publicPem);
    const busybox = { name: 'busybox', version: '1.37.0-r61', arch: 'x86_64', files: buildEnvironment() };
    const packages = [busybox, ...standIns('x86_64')];
    await signedRepository({ dir: join(folder, 'wolfi'), arch: 'x86_64', packages, key });

    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/podman'), `#!/bin/sh\nprintf '%s\\n' "$@" > ${called}\n`, {
      mode: 0o755,
    });
    writeFileSync(
      join(folder, 'storage.conf'),
      `[storage]\ndriver = "vfs"\nrunroot = "${folder}/run"\ngraphroot = "${folder}/storage"\n`,
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const just = (...args: string[]) =>
    run('just', args, {
      cwd: clone,
      env: {
        ...environment,
        PATH: `${join(folder, 'bin')}:${environment['PATH'] ?? ''}`,
        // In place of the real ones, which the bases no longer name either (copyDefinitions).
        WOLFI_REPOSITORIES: join(folder, 'wolfi'),
        WOLFI_KEYS: join(folder, 'wolfi.rsa.pub'),
        APK_REPOSITORIES: join(folder, 'wolfi'),
        APK_KEYS: join(folder, 'wolfi.rsa.pub'),
        CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
      },
    });
  const mustJust = (...args: string[]) => {
    const ran = just(...args);
    expect(ran.status, ran.output).toBe(0);
    return ran.output;
  };

  it('builds packages in order, once, into a repository that it signs itself', () => {
    // By name with what it needs, by path on its own: bootc, which bootc-baselayout needs, is not compiled here.
    mustJust('packages', 'packages/bootc-baselayout.yaml', 'nori-user', 'verify-apk');
    const built = join(clone, 'out/packages/x86_64');
    expect(readdirSync(built)).toEqual(
      expect.arrayContaining(['APKINDEX.tar.gz', 'nori-user-1-r0.apk', 'sshd-enabled-3-r0.apk']),
    );
    expect(statSync(join(clone, 'out/packages/local.rsa')).mode & 0o077).toBe(0);
    expect(mustJust('packages', 'nori-user')).toContain('nori-user-1-r0.apk is there');
    expect(just('packages', 'missing')).toMatchObject({ status: 1 });
  });

  it('adds them to a repository that has others, and not the private key', async () => {
    const repository = join(folder, 'served apks');
    const other = { name: 'other', version: '1-r0' };
    await signedRepository({ dir: repository, arch: 'x86_64', packages: [other], key: signingKey() });
    for (const time of ['first', 'second']) {
      mustJust('add', repository);
      const index = join(repository, 'x86_64/APKINDEX.tar.gz');
      const text = mustRun('tar', ['-xzOf', index, 'APKINDEX']).stdout;
      const names = [...text.matchAll(/^P:(.*)$/gm)].map(([, name]) => name);
      expect(names.filter((name) => /^(?:other|nori-user)$/.test(name ?? '')).sort(), time).toEqual([
        'nori-user',
        'other',
      ]);
      // The name of the key that CI signs with.
      expect(mustRun('tar', ['-tzf', index]).stdout).toContain('.packages.rsa.pub\n');
    }
    expect(readdirSync(repository).sort()).toEqual(['.lock', 'x86_64']);
  });

  it('builds an image from them, with its version, and puts it where podman finds it', () => {
    mustJust('build', 'containerd');
    expect(existsSync(join(clone, 'out/containerd/index.json'))).toBe(true);
    mustJust('load', 'containerd');
    const { stdout } = mustRun('skopeo', ['inspect', 'containers-storage:localhost/containerd:latest'], {
      env: { ...environment, CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf') },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      Architecture: 'amd64',
      Labels: { 'containers.bootc': '1', 'org.opencontainers.image.version': '2.3.4-r5' },
    });
    const labels = (JSON.parse(stdout) as { Labels: object }).Labels;
    expect(labels).not.toHaveProperty('org.opencontainers.image.revision');
  });

  const podman = () => readFileSync(called, 'utf8').trim().split('\n');

  it('installs that image, or the one that is named, into a disk image', () => {
    mustJust('image', '1M');
    expect(podman()).toContain('localhost/containerd:latest');
    expect(statSync(join(clone, 'bootable.img')).size).toBe(1 << 20);
    mustJust(
      '--set',
      'registry',
      'registry.example.org/hosts',
      '--set',
      'image',
      'niri',
      '--set',
      'tag',
      '26',
      'image',
      '1M',
    );
    const all = podman();
    const [command, ...options] = all.slice(all.indexOf('registry.example.org/hosts/niri:26') + 1);
    expect(command).toBe('bootc');
    expect(options.join(' ')).toBe(
      'install to-disk --composefs-backend --via-loopback /data/bootable.img --filesystem ext4 --wipe --bootloader systemd',
    );
    expect(all).toEqual(expect.arrayContaining(['--privileged', '/dev:/dev', `${clone}:/data`]));
    // Podman refuses to mount what is not there.
    expect(all.includes('/sys/fs/selinux:/sys/fs/selinux:Z')).toBe(existsSync('/sys/fs/selinux'));
    mustJust('--set', 'registry', 'registry.example.org/hosts', 'bootc', 'status', '--json');
    expect(podman().slice(-4)).toEqual([
      'registry.example.org/hosts/containerd:latest',
      'bootc',
      'status',
      '--json',
    ]);
  });

  it('publishes nothing without a registry', () => {
    expect(just('publish', 'containerd')).toMatchObject({
      status: 1,
      output: expect.stringContaining('set REGISTRY') as string,
    });
  });

  it('locks every image that has a job', () => {
    // What is handed over; that lock.sh writes locks is shown with the pipelines.
    const script = join(clone, 'deploy/gitlab/images/.gitlab/lock.sh');
    writeFileSync(script, `#!/bin/sh\nprintf '%s\\n' "$APK_REPOSITORIES" "$1"\n`);
    const output = mustJust('lock');
    expect(output).toContain(`out/packages ${join(folder, 'wolfi')}\napko.yaml\nbootc.yaml\n`);
    expect(output).not.toMatch(/^wolfi-base.yaml$/m);
  });
});
