/**
 * A repository in place of Wolfi's: for every package an image lists there is a small one of the same name, pinned
 * version and origin. What a test looks into has the real thing's layout; the rest is one file that names it.
 */
import { readdirSync, readFileSync } from 'node:fs';

import { operatorSpan } from '../../src/apk/constraint.ts';
import { resolveDefinition, type Resolved } from '../../companion/include.ts';
import { parseRecipe } from '../../companion/recipes.ts';
import type { ApkFile, ApkPackage } from '../support/apk-repository.ts';
import { staticRecipes } from './static-packages.ts';

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

/** Origins with several packages among those listed, as Wolfi has them; elsewhere a package is its own origin. */
const origins: readonly (readonly [RegExp, string])[] = [
  [/^(systemd($|-)|udev$)/, 'systemd'],
  [/^(findmnt|fstrim|losetup|lsblk|mount|sfdisk|umount|util-linux-misc|wipefs)$/, 'util-linux'],
  [/^openssh/, 'openssh'],
  [/^cni-plugins-/, 'cni-plugins'],
  [/^mesa/, 'mesa'],
  [/^pulseaudio/, 'pulseaudio'],
  [/^containerd/, 'containerd'],
  [/^niri/, 'niri'],
  [/^linux-firmware-/, 'linux-firmware'],
  [/^apk-beacon/, 'apk-beacon'],
];

export const originOf = (name: string) => origins.find(([pattern]) => pattern.test(name))?.[1] ?? name;

const unit = (name: string, text: string): ApkFile => ({
  path: `usr/lib/systemd/system/${name}`,
  type: 'file',
  content: text,
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
    unit('systemd-networkd.service', '[Service]\nExecStart=/usr/lib/systemd/systemd-networkd\n'),
    unit('systemd-sysusers.service', '[Service]\nType=oneshot\nExecStart=/usr/bin/systemd-sysusers\n'),
    ...['basic.target', 'sysinit.target', 'multi-user.target', 'timers.target', 'shutdown.target'].map(
      (name) => unit(name, '[Unit]\nDescription=Stand-in\n'),
    ),
    ...['local-fs.target', 'network.target', 'network-pre.target'].map((name) =>
      unit(name, '[Unit]\nDescription=Stand-in\n'),
    ),
    executable('usr/lib/systemd/systemd-networkd'),
    executable('usr/bin/systemd-sysusers'),
  ],
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
  coreutils: [executable('usr/bin/chown'), executable('usr/bin/kill')],
  dnsmasq: [executable('usr/bin/dnsmasq')],
  nftables: [executable('usr/bin/nft')],
  'prometheus-node-exporter': [executable('usr/bin/node_exporter')],
};

/** Packages of the static recipes are the real ones and come from melange. */
const real = new Set(staticRecipes.flatMap((name) => recipe(name).packages.map((own) => own.name)));

export function standIns(arch: string): ApkPackage[] {
  const versions = new Map<string, string>();
  for (const { definition: merged } of [...definitionNames.map(definition), service()]) {
    for (const entry of merged.contents?.packages ?? []) {
      const { start, end } = operatorSpan(entry);
      const own = entry.slice(0, start);
      versions.set(own, entry.slice(end) || versions.get(own) || '1-r0');
    }
  }
  // Not listed, but dependencies of what is.
  for (const name of ['bash', 'prometheus-node-exporter']) versions.set(name, versions.get(name) ?? '1-r0');
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
    // Distinct, so that the order of layers does not hang on ties.
    installedSize: 1_000_000 + position * 1000,
    files: [
      ...(contents[name] ?? []),
      { path: `usr/share/stand-in/${name}`, type: 'file', content: `${name} ${version} ${arch}\n` },
    ],
  };
}
