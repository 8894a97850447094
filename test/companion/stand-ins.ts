/**
 * A replacement for Wolfi's repository: a small package with the same name, pinned version and origin for every package
 * that an image lists. Packages that tests inspect have the real layout; the others have one file with their name.
 */
import { readdirSync, readFileSync } from 'node:fs';

import { operatorSpan } from '../../src/apk/constraint.ts';
import { resolveDefinition, type Resolved } from '../../companion/include.ts';
import { parseRecipe } from '../../companion/recipes.ts';
import type { ApkFile, ApkPackage } from '../support/apk-repository.ts';
import { staticRecipes } from './static-packages.ts';
import { commands, recipes } from './wolfi.ts';

export const definitionNames = readdirSync('images')
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace(/\.yaml$/, ''));

/** Without the bases, which are there to be included. */
export const imageNames = definitionNames.filter((name) => !name.endsWith('-base'));

export const definition = (name: string): Resolved =>
  resolveDefinition(`${name}.yaml`, (file) => readFileSync(`images/${file}`, 'utf8'));

/** The service's own image, whose definition lies above the others. */
export const service = (): Resolved =>
  resolveDefinition('apkontainer.yaml', (file) => readFileSync(file, 'utf8'));

export const recipe = (name: string) => parseRecipe(readFileSync(`packages/${name}.yaml`, 'utf8'), name);

export const kernelRelease = '6.18.42-0-lts';

/** Origins of Wolfi with several packages among those listed; elsewhere a package is its own origin. */
const origins: readonly (readonly [RegExp, string])[] = [
  [/^(systemd($|-)|udev$)/, 'systemd'],
  [/^(blkid|findmnt|fstrim|losetup|lsblk|mount|sfdisk|umount|util-linux-misc|wipefs)$/, 'util-linux'],
  [/^openssh/, 'openssh'],
  [/^cni-plugins-/, 'cni-plugins'],
  [/^mesa/, 'mesa'],
  [/^pulseaudio/, 'pulseaudio'],
  [/^containerd(-service)?$/, 'containerd'],
  [/^wayland-/, 'wayland'],
];

const recipeOf = (name: string) => recipes.find(({ packages }) => packages.some((own) => own.name === name));

export const originOf = (name: string) =>
  recipeOf(name)?.packages[0]?.name ?? origins.find(([pattern]) => pattern.test(name))?.[1] ?? name;

const unit = (name: string, text: string): ApkFile => ({
  path: `usr/lib/systemd/system/${name}`,
  type: 'file',
  content: text,
});

const preset = (name: string, content: string): ApkFile => ({
  path: `usr/lib/systemd/system-preset/${name}.preset`,
  type: 'file',
  content,
});

const executable = (path: string): ApkFile => ({
  path,
  type: 'file',
  mode: 0o755,
  content: '#!/bin/sh\n',
});

const directory = (path: string, mode = 0o755): ApkFile => ({ path, type: 'directory', mode });
const link = (path: string, target: string): ApkFile => ({ path, type: 'symlink', target });

const contents: Readonly<Record<string, readonly ApkFile[]>> = {
  // Wolfi's, as far as bootc looks: merged /usr, /var/run a link, /home a directory, and a leftover in /run.
  'wolfi-baselayout': [
    ...['dev', 'etc', 'home', 'proc', 'root', 'run', 'run/lock', 'sys', 'usr/bin', 'usr/lib', 'var'].map(
      (path) => directory(path),
    ),
    directory('var/spool/cron'),
    link('var/spool/cron/crontabs', '/etc/crontabs'),
    link('var/spool/mail', '/var/mail'),
    directory('tmp', 0o1777),
    link('bin', 'usr/bin'),
    link('sbin', 'usr/bin'),
    link('lib', 'usr/lib'),
    link('usr/sbin', 'bin'),
    link('var/run', '../run'),
    { path: 'etc/passwd', type: 'file', content: 'root:x:0:0:root:/root:/bin/sh\n' },
    { path: 'etc/group', type: 'file', content: 'root:x:0:\n' },
    { path: 'etc/hosts', type: 'file', content: '127.0.0.1 localhost\n' },
  ],
  'systemd-init': [link('etc/resolv.conf', '../run/systemd/resolve/stub-resolv.conf')],
  systemd: [
    {
      path: 'usr/lib/tmpfiles.d/var.conf',
      type: 'file',
      content: [
        ...[
          'q /var 0755 - - -',
          'L /var/run - - - - ../run',
          'd /var/log 0755 - - -',
          'd /var/cache 0755 - - -',
        ],
        ...['d /var/lib 0755 - - -', 'd /var/spool 0755 - - -', ''],
      ].join('\n'),
    },
    unit('systemd-networkd.service', '[Service]\nExecStart=/usr/lib/systemd/systemd-networkd\n'),
    unit('systemd-sysusers.service', '[Service]\nType=oneshot\nExecStart=/usr/bin/systemd-sysusers\n'),
    ...['basic.target', 'sysinit.target', 'multi-user.target', 'timers.target', 'shutdown.target'].map(
      (name) => unit(name, '[Unit]\nDescription=Stand-in\n'),
    ),
    ...['local-fs.target', 'network.target', 'network-pre.target'].map((name) =>
      unit(name, '[Unit]\nDescription=Stand-in\n'),
    ),
    // Its multi-user.target.wants, which the real package has.
    link('usr/lib/systemd/system/multi-user.target.wants/getty.target', '../getty.target'),
    unit('getty.target', '[Unit]\nDescription=Stand-in\n'),
    executable('usr/lib/systemd/systemd-networkd'),
  ],
  // Enabled by presets alone.
  'openssh-service': [
    unit(
      'sshd.service',
      '[Service]\nType=notify\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStart=/usr/bin/sshd -D\n',
    ),
    preset('80-sshd', 'enable sshd.service\n'),
    executable('usr/bin/sshd'),
    executable('usr/bin/ssh-keygen'),
  ],
  'containerd-service': [
    unit('containerd.service', '[Service]\nExecStart=/usr/bin/containerd\n'),
    preset('81-containerd', 'enable containerd.service\n'),
  ],
  containerd: [executable('usr/bin/containerd')],
  bootc: [
    executable('usr/bin/bootc'),
    // Upstream's, with the condition and the --apply that bootc-baselayout takes back.
    unit(
      'bootc-fetch-apply-updates.service',
      '[Unit]\nConditionPathExists=/run/ostree-booted\n[Service]\nType=oneshot\nExecStart=/usr/bin/bootc upgrade --apply --quiet\n',
    ),
    unit(
      'bootc-fetch-apply-updates.timer',
      '[Unit]\nConditionPathExists=/run/ostree-booted\n[Timer]\nOnBootSec=1h\nOnUnitInactiveSec=8h\nRandomizedDelaySec=2h\n',
    ),
  ],
  'linux-lts': [{ path: `usr/lib/modules/${kernelRelease}/vmlinuz`, type: 'file', content: 'kernel' }],
  'linux-lts-initramfs': [
    { path: `usr/lib/modules/${kernelRelease}/initramfs.img`, type: 'file', content: 'initramfs' },
  ],
  avahi: [
    executable('usr/bin/avahi-daemon'),
    { path: 'etc/avahi/avahi-daemon.conf', type: 'file', content: '[server]\n' },
  ],
  blocky: [executable('usr/bin/blocky')],
  'prometheus-node-exporter': [executable('usr/bin/node_exporter')],
};

/** Packages of the static recipes are the real ones and come from melange. */
const real = new Set(staticRecipes.flatMap((name) => recipe(name).packages.map((own) => own.name)));

/** Dependencies of this repository's own packages; those of Wolfi's are not told here. */
const runtimeOf = (name: string): readonly string[] =>
  recipeOf(name)?.packages.find((own) => own.name === name)?.runtime ?? [];

export function standIns(arch: string): ApkPackage[] {
  const versions = new Map<string, string>();
  for (const { definition: merged } of [...definitionNames.map(definition), service()]) {
    for (const entry of merged.contents?.packages ?? []) {
      const { start, end } = operatorSpan(entry);
      const own = entry.slice(0, start);
      // The stand-in of `name<4` is an older one.
      const pinned = entry.slice(start, end) === '<' ? '' : entry.slice(end);
      versions.set(own, pinned || versions.get(own) || '1-r0');
    }
  }
  // What is not listed, but needed by what is; a Map is gone through with what is added meanwhile.
  for (const [name] of versions) {
    for (const needed of runtimeOf(name)) if (!versions.has(needed)) versions.set(needed, '1-r0');
  }
  return [...versions]
    .filter(([name]) => !real.has(name))
    .map(([name, version], position) => standIn(name, version, arch, position));
}

export function standIn(name: string, version: string, arch: string, position = 0): ApkPackage {
  return {
    name,
    version,
    arch,
    origin: originOf(name),
    depends: real.has(name) ? [] : runtimeOf(name),
    // Distinct, so that the order of layers does not hang on ties.
    installedSize: 1_000_000 + position * 1000,
    files: [
      ...(contents[name] ?? []),
      // As the real package is split. busybox's applets are links that apko makes where they are missing.
      ...(name.startsWith('busybox') ? [] : (commands[name] ?? [])).map((command) =>
        executable(`usr/bin/${command}`),
      ),
      { path: `usr/share/stand-in/${name}`, type: 'file', content: `${name} ${version} ${arch}\n` },
    ],
  };
}
