import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

describe('Justfile', () => {
  const text = readFileSync('Justfile', 'utf8');

  it.each(['packages', 'build', 'load', 'publish', 'check', 'run', 'bootc', 'image', 'flash'])(
    'has a recipe %s',
    (recipe) => {
      expect(text).toMatch(new RegExp(`^${recipe}( |:)`, 'm'));
    },
  );

  it('installs with the flags a Wolfi host needs', () => {
    for (const flag of [
      '--composefs-backend',
      '--via-loopback',
      '--filesystem ext4',
      '--wipe',
      '--bootloader systemd',
    ]) {
      expect(text).toContain(flag);
    }
    for (const flag of [
      '--privileged',
      '--pid=host',
      '-v /dev:/dev',
      '-v /var/lib/containers:/var/lib/containers',
    ]) {
      expect(text).toContain(flag);
    }
  });

  it('mounts what only a host with SELinux has if it is there: podman refuses to mount what is not', () => {
    expect(text).toContain("if path_exists('/sys/fs/selinux') == 'true'");
    expect(text).not.toMatch(/^ +-v \/sys\/fs\/selinux/m);
  });

  it.each(['docs/companion.md', 'images/README.md', 'deploy/gitlab/images/README.md'])(
    'has every recipe that %s calls',
    (file) => {
      const recipes = new Set(text.match(/^[a-z-]+(?=[^:\n]*:(?!=))/gm));
      const called = [
        ...readFileSync(file, 'utf8').matchAll(/`(?:sudo )?just ((?:--set \S+ \S+ )*)([a-z][a-z-]*)/g),
      ];
      expect(called.length).toBeGreaterThan(0);
      for (const [, settings = '', recipe = ''] of called) {
        expect(recipes, recipe).toContain(recipe);
        for (const [, name = ''] of settings.matchAll(/--set (\S+)/g)) {
          expect(text, name).toMatch(new RegExp(`^${name} :=`, 'm'));
        }
      }
    },
  );

  it('calls just nowhere: an inner call would not know what was set', () => {
    expect(text.match(/^ {4}.*\bjust .*$/gm)).toEqual([
      '    @just --list',
      expect.stringContaining('call just --set registry'),
    ]);
  });

  it('sends nothing anywhere by default', () => {
    expect(text).toContain("registry := env('REGISTRY', 'localhost')");
    expect(text).toMatch(/^publish name=image: _published$/m);
  });

  it('writes to a disk through the guard only', () => {
    expect(text).not.toMatch(/\bdd\b/);
    expect(text).toMatch(/^flash device:\n {4}scripts\/flash\.sh /m);
  });
});

describe('just flash', () => {
  let folder = '';
  let device = '';

  /** A disk as /sys/block has it, and a file in its place. */
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apk-beacon-flash-'));
    device = join(folder, 'sdx');
    writeFileSync(device, '');
    writeFileSync(join(folder, 'image'), 'an image');
    writeFileSync(join(folder, 'mounts'), '/dev/root / ext4 rw 0 0\n');
    writeFileSync(join(folder, 'swaps'), 'Filename Type Size Used Priority\n');
    const disk = join(folder, 'sys/sdx');
    mkdirSync(join(disk, 'device'), { recursive: true });
    mkdirSync(join(disk, 'holders'));
    for (const [name, value] of Object.entries({ ro: 0, removable: 1, size: 64, 'device/model': 'Stick' })) {
      writeFileSync(join(disk, name), `${value}\n`);
    }
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const flash = (answer: string, to = device) => {
    const { status, stderr, stdout } = spawnSync('scripts/flash.sh', [join(folder, 'image'), to], {
      input: answer,
      encoding: 'utf8',
      env: {
        ...process.env,
        FLASH_SYS: join(folder, 'sys'),
        FLASH_MOUNTS: join(folder, 'mounts'),
        FLASH_SWAPS: join(folder, 'swaps'),
      },
    });
    return { status, said: stdout + stderr, written: readFileSync(device, 'utf8') };
  };
  const disk = (file: string, value: string) => writeFileSync(join(folder, 'sys/sdx', file), value);

  it('writes to an idle removable disk whose name was typed again', () => {
    const { status, said, written } = flash('sdx\n');
    expect(said).toContain('Stick');
    expect({ status, written }).toEqual({ status: 0, written: 'an image' });
  });

  it('follows a link to the disk and asks for the name of the disk itself', () => {
    symlinkSync(device, join(folder, 'by-id'));
    expect(flash('by-id\n', join(folder, 'by-id'))).toMatchObject({ status: 1, written: '' });
    expect(flash('sdx\n', join(folder, 'by-id'))).toMatchObject({ status: 0, written: 'an image' });
  });

  it.each([
    ['another answer', () => undefined, 'yes\n', 'nothing was written'],
    ['no answer', () => undefined, '', 'nothing was written'],
    ['a fixed disk', () => disk('removable', '0'), 'sdx\n', 'not a removable disk'],
    ['a read-only disk', () => disk('ro', '1'), 'sdx\n', 'read-only'],
    [
      'a disk that is too small',
      () => truncateSync(join(folder, 'image'), 64 * 512 + 1),
      'sdx\n',
      'too small',
    ],
    [
      'a disk with a mounted partition',
      () => writeFileSync(join(folder, 'mounts'), `${device}1 /home ext4 rw 0 0\n`),
      'sdx\n',
      'is mounted on /home',
    ],
    [
      'a disk with swap space in use',
      () => writeFileSync(join(folder, 'swaps'), `${device}2 partition 1048572 0 -2\n`),
      'sdx\n',
      'is swap space',
    ],
    [
      'a disk below something else',
      () => mkdirSync(join(folder, 'sys/sdx/holders/dm-0')),
      'sdx\n',
      'in use by dm-0',
    ],
    ['a partition', () => rmSync(join(folder, 'sys/sdx'), { recursive: true }), 'sdx\n', 'not a whole disk'],
  ])('refuses %s', (_, prepare, answer, message) => {
    prepare();
    const { status, said, written } = flash(answer);
    expect({ status, written }).toEqual({ status: 1, written: '' });
    expect(said).toContain(message);
  });

  it('refuses a file that is no block device', () => {
    const { status, stderr } = spawnSync('scripts/flash.sh', [join(folder, 'image'), device], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain('not a block device');
    expect(statSync(device).size).toBe(0);
  });

  it('names a device whose folder is misspelt', () => {
    expect(flash('sdx\n', '/dve/sdx')).toMatchObject({
      status: 1,
      said: 'flash: /dve/sdx: no such device\n',
    });
  });
});

describe('just packages', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apk-beacon-packages-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** With a melange that writes the package's first file and then ends so. */
  const build = (end: string) => {
    const melange = `#!/bin/sh
      case $1 in
        keygen) : > "$2.pub" ;;
        query) echo nori-user-1-r0 ;;
        build) mkdir -p '${folder}/apks/'$(uname -m); : > '${folder}/apks/'$(uname -m)/nori-user-1-r0.apk; echo built; ${end} ;;
      esac`;
    writeFileSync(join(folder, 'melange'), melange, { mode: 0o755 });
    const { status, stdout } = spawnSync(
      'scripts/build-packages.sh',
      [join(folder, 'apks'), 'packages/nori-user.yaml'],
      { encoding: 'utf8', env: { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` } },
    );
    return { status, stdout };
  };

  it.each([
    ['failed, as on a full disk', 'exit 1'],
    ['was interrupted', 'kill -INT $PPID; exit 130'],
  ])('builds a package again whose build %s after the first file', (_, end) => {
    expect(build(end)).toEqual({ status: 1, stdout: 'built\n' });
    expect(build('')).toEqual({ status: 0, stdout: 'built\n' });
    expect(build('').stdout).toMatch(/nori-user-1-r0\.apk is there\n$/);
  });
});
