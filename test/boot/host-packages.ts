/**
 * Packages of a bootable host. Where Wolfi's packages are not available, Debian's files are packed under Wolfi's names.
 * bootc is given; its static companions come from melange, as in the other suites.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { filesOf, type ApkFile, type ApkPackage } from '../support/apk-repository.ts';
import { standIns } from '../companion/stand-ins.ts';
import { mustRun } from '../companion/tools.ts';

/** The folder that bootc's `make install-all DESTDIR=…` filled, of which BOOTC names `usr/bin/bootc`. */
export function bootcRoot(binary: string): string {
  const root = dirname(dirname(dirname(binary)));
  const missing = [
    'usr/lib/dracut/modules.d/51bootc',
    'usr/lib/bootc/initramfs-setup',
    'usr/lib/systemd/system/bootc-fetch-apply-updates.timer',
  ].filter((path) => !existsSync(join(root, path)));
  if (missing.length > 0) {
    const what = 'the bootc that `make install-all DESTDIR=…` installs there';
    throw new Error(`BOOTC=${binary}: not ${what}; missing below ${root}: ${missing.join(', ')}`);
  }
  return root;
}

const text = (path: string, content: string, mode = 0o644): ApkFile => ({
  path,
  type: 'file',
  content,
  mode,
});
const link = (path: string, target: string): ApkFile => ({ path, type: 'symlink', target });

/** Runs on each boot of the installed host: reports its state, takes one step, and powers off. */
const reportScript = `#!/bin/bash
state=/var/lib/report
mkdir -p $state
step=$(cat $state/step 2> /dev/null || echo 1)
say() { printf '\\nREPORT %s %s\\n' "$1" "$(base64 -w 0)" > /dev/ttyS0; }
hash() { getent shadow nori | cut -d: -f2; }

findmnt -no FSTYPE,OPTIONS / | say root
for folder in /etc /var; do touch $folder/.probe && echo writable | say "\${folder#/}"; rm -f $folder/.probe; done
id nori 2>&1 | say id
stat -c '%U %a' /var/home/nori 2>&1 | say home
hash | say hash
systemctl --failed --no-legend --plain | say failed
systemctl is-active bootc-fetch-apply-updates.timer | say timer
journalctl --boot --priority err --output cat --no-pager --quiet \\
  --unit 'bootc*' --unit systemd-sysusers --unit systemd-tmpfiles-setup | say errors
cat /usr/share/stand-in/containerd | say containerd
cat $state/kept 2> /dev/null | say kept
bootc status --json 2>&1 | say status

case $step in
  1)
    echo 'what a host puts into /var' > $state/kept
    echo 'nori:changed by its owner' | chpasswd
    hash | say changed
    ;;
  2)
    systemctl start bootc-fetch-apply-updates.service
    systemctl show --property Result,ConditionResult bootc-fetch-apply-updates.service | say update
    bootc status --json 2>&1 | say staged
    ;;
  3) bootc rollback 2>&1 | say rollback ;;
esac
echo $((step + 1)) > $state/step
sync
echo "$step" | say done
systemctl poweroff
`;

/** Runs on the installing machine: its root is the container, the target disk is /dev/vdb. */
const installScript = `#!/bin/bash
say() { printf '\\nREPORT %s %s\\n' "$1" "$(base64 -w 0)" > /dev/ttyS0; }
bootc install to-disk --composefs-backend --filesystem ext4 --wipe --bootloader systemd --generic-image \\
  --karg console=ttyS0 --source-imgref oci:/oci --target-imgref "$(cat /target-imgref)" /dev/vdb > /log 2>&1
echo $? | say status
tail -c 20000 /log | say log
sfdisk --json /dev/vdb 2>&1 | say partitions
echo installed | say done
systemctl poweroff --force
`;

const oneshot = (description: string, script: string) => `[Unit]
Description=${description}
After=multi-user.target systemd-tmpfiles-setup.service network-online.target
Wants=network-online.target
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=${script}
`;

/** Written into the base, so that both versions have it. */
const reporting = (registry: string): readonly ApkFile[] => [
  text('usr/lib/report/report', reportScript, 0o755),
  text('usr/lib/report/install', installScript, 0o755),
  text('usr/lib/systemd/system/report.service', oneshot('Says what this host is', '/usr/lib/report/report')),
  text('usr/lib/systemd/system/install.service', oneshot('Installs a host', '/usr/lib/report/install')),
  link('usr/lib/systemd/system/multi-user.target.wants/report.service', '../report.service'),
  link(
    'usr/lib/systemd/system/multi-user.target.wants/systemd-networkd.service',
    '../systemd-networkd.service',
  ),
  text('usr/lib/systemd/network/20-wired.network', '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n'),
  text(
    'etc/containers/registries.conf.d/test.conf',
    `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`,
  ),
  text('etc/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}\n'),
];

export interface HostPackages {
  readonly packages: readonly ApkPackage[];
  readonly kernel: string;
  readonly initramfs: string;
}

/** `debian` is a root with systemd, ostree, dracut and a kernel; it is copied before anything is put into it. */
export function hostPackages(options: {
  readonly debian: string;
  readonly bootc: string;
  readonly folder: string;
  readonly registry: string;
}): HostPackages {
  const root = join(options.folder, 'debian');
  mustRun('cp', ['-a', options.debian, root]);
  // Before the initramfs, which takes its module and prepare-root.conf from there.
  const bootcFiles = filesOf(options.bootc);
  cpSync(options.bootc, root, { recursive: true, verbatimSymlinks: true });
  cpSync('packages/bootc-baselayout/vendor', root, { recursive: true });
  mkdirSync(join(root, 'etc/dracut.conf.d'), { recursive: true });
  cpSync('packages/dracut/30-bootc.conf', join(root, 'etc/dracut.conf.d/30-bootc.conf'));

  const [release] = readdirSync(join(root, 'usr/lib/modules'));
  if (release === undefined) throw new Error(`${options.debian}: no kernel in usr/lib/modules`);
  const modules = join(root, 'usr/lib/modules', release);
  // Where bootc looks for it. Some installations of Debian have it there already.
  if (!existsSync(join(modules, 'vmlinuz'))) {
    cpSync(join(root, 'boot', `vmlinuz-${release}`), join(modules, 'vmlinuz'));
  }
  mustRun('chroot', [
    ...[root, 'dracut', '--force', '--kver', release, '--kernel-cmdline', 'SYSTEMD_SULOGIN_FORCE=1'],
    `/usr/lib/modules/${release}/initramfs.img`,
  ]);

  const kernel = filesOf(modules).map((file) => ({
    ...file,
    path: `usr/lib/modules/${release}/${file.path}`,
  }));
  const isInitramfs = ({ path }: ApkFile) => path.endsWith('/initramfs.img');
  // Of Debian itself: nothing of a running system, of bootc, or of the kernel, and no state. /var is bootc's to make.
  const others = [...bootcFiles, ...filesOf('packages/bootc-baselayout/vendor')];
  const foreign = new Set(others.filter(({ type }) => type !== 'directory').map(({ path }) => path));
  const kept = (path: string) =>
    !/^(boot|dev|proc|run|sys|tmp|var|usr\/lib\/modules|etc\/machine-id|etc\/hostname)(\/|$)/.test(path) &&
    !foreign.has(path);
  for (const path of ['dev', 'proc', 'sys', 'run', 'tmp', 'var'])
    rmSync(join(root, path), { recursive: true });
  const base: readonly ApkFile[] = [
    ...filesOf(root).filter(({ path }) => kept(path)),
    ...['dev', 'proc', 'sys', 'run', 'tmp', 'var'].map((path): ApkFile => ({
      path,
      type: 'directory',
      mode: path === 'tmp' ? 0o1777 : 0o755,
    })),
    link('var/run', '../run'),
    ...reporting(options.registry),
  ];
  const contents: Readonly<Record<string, readonly ApkFile[]>> = {
    'wolfi-baselayout': base,
    bootc: bootcFiles,
    'linux-lts': kernel.filter((file) => !isInitramfs(file)),
    'linux-lts-initramfs': kernel.filter(isInitramfs),
  };
  // For the other packages the name is enough: their files are in the base.
  const packages = standIns('x86_64').map((own): ApkPackage => ({
    ...own,
    files: [
      ...(contents[own.name] ?? []),
      text(`usr/share/stand-in/${own.name}`, `${own.name} ${own.version}\n`),
    ],
  }));
  return { packages, kernel: join(modules, 'vmlinuz'), initramfs: join(modules, 'initramfs.img') };
}
