/**
 * `npm run test:boot`: two versions of containerd.yaml are composed, the first is installed on an empty disk, booted
 * under UEFI, updated by the shipped timer's service to the second, rolled back, and booted again. It needs
 *
 *   BOOTC=…/usr/bin/bootc          below the folder that bootc's `make install-all DESTDIR=…` filled
 *   APK_BEACON_HOST_ROOT=…         a Debian with systemd ≥ 261, ostree, dracut and a kernel: `.ci/boot` makes one
 *
 * and QEMU with OVMF. Without hardware virtualisation it takes about twenty minutes; nothing is timed.
 */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { lintBootc } from '../companion/bootc-lint.ts';
import { standIn } from '../companion/stand-ins.ts';
import { describeWith, makeFolder, mustRun, run } from '../companion/tools.ts';
import { openWorkshop, readLayout, unpack, workshopTools, type Workshop } from '../companion/workshop.ts';
import { bootcRoot, hostPackages, type HostPackages } from './host-packages.ts';
import { firmware, firmwareVariables, runMachine, type Report } from './machine.ts';
import { LayoutRegistry } from './registry.ts';

const bootc = process.env['BOOTC'] ?? '';
const debian = process.env['APK_BEACON_HOST_ROOT'] ?? '';
const required = [
  ...workshopTools,
  ...['mkfs.ext4', 'qemu-system-x86_64'],
  ...(firmware === undefined ? ['OVMF'] : []),
  ...(existsSync(bootc) ? [] : ['BOOTC=…/usr/bin/bootc']),
  ...(existsSync(join(debian, 'usr/lib/systemd/systemd')) ? [] : ['APK_BEACON_HOST_ROOT']),
];

describeWith(required, 'a host, from an empty disk to a rollback', () => {
  const folder = makeFolder();
  const disk = join(folder, 'host.img');
  const variables = join(folder, 'variables.fd');
  let workshop: Workshop;
  let packages: HostPackages;
  let registry: LayoutRegistry;
  let first: string;
  let second: string;

  const onlyHere = (name: string, pin?: string) => {
    const text = readFileSync(`images/${name}.yaml`, 'utf8');
    const raised = pin === undefined ? text : text.replace(/containerd=\S+/, pin);
    return { [`${name}.yaml`]: `${raised}\narchs: [x86_64]\n` };
  };

  beforeAll(async () => {
    registry = await LayoutRegistry.open();
    const imgref = `10.0.2.2:${registry.port}`;
    packages = hostPackages({ debian, bootc: bootcRoot(bootc), folder, registry: imgref });
    workshop = await openWorkshop(folder, (arch) => (arch === 'x86_64' ? packages.packages : []));
    first = await workshop.layOut('containerd', { definitions: onlyHere('containerd') });
    const raised = standIn('containerd', '2.3.5-r0', 'x86_64');
    second = await workshop.layOut('containerd', {
      definitions: onlyHere('containerd', 'containerd=2.3.5-r0'),
      extraPackages: [
        {
          ...raised,
          files: [{ path: 'usr/share/stand-in/containerd', type: 'file', content: 'containerd 2.3.5-r0\n' }],
        },
      ],
    });
    copyFileSync(firmwareVariables ?? '', variables);
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const rootOf = (layout: string, name: string): string => {
    const image = readLayout(layout).get('amd64');
    if (image === undefined) throw new Error(`${name}: no image for amd64`);
    return unpack(image, join(folder, 'roots', name));
  };

  it.each(['bootc', 'containerd', 'niri', 'pinewall-config'])(
    "passes bootc's own lint as %s",
    async (name) => {
      const root = rootOf(await workshop.layOut(name, { definitions: onlyHere(name) }), name);
      const lint = run('chroot', [root, 'bootc', 'container', 'lint', '--rootfs', '/']);
      expect(lint.status, lint.output).toBe(0);
      // Our own implementation of its rules, which the other suites use, agrees.
      expect(lintBootc(root).fatal).toEqual([]);
      rmSync(root, { recursive: true });
    },
  );

  it('is installed on an empty disk', async () => {
    const installer = join(folder, 'installer.img');
    const root = rootOf(first, 'installer');
    mustRun('cp', ['-a', first, join(root, 'oci')]);
    writeFileSync(join(root, 'target-imgref'), `10.0.2.2:${registry.port}/containerd:latest\n`);
    mustRun('mkfs.ext4', ['-q', '-d', root, installer, '4G']);
    rmSync(root, { recursive: true });
    mustRun('truncate', ['-s', '12G', disk]);
    const report = await runMachine([
      ...['-kernel', packages.kernel, '-initrd', packages.initramfs],
      ...['-append', 'root=/dev/vda rw console=ttyS0 systemd.unit=install.service systemd.firstboot=no'],
      ...['-drive', `file=${installer},format=raw,if=virtio`, '-drive', `file=${disk},format=raw,if=virtio`],
    ]);
    rmSync(installer);
    expect(report.get('status'), report.get('log')).toBe('0');
    const { partitiontable } = JSON.parse(report.get('partitions') ?? '') as {
      partitiontable: { label: string; partitions: { type: string }[] };
    };
    expect(partitiontable.label).toBe('gpt');
    const types = partitiontable.partitions.map(({ type }) => type.toUpperCase());
    // The ESP, and a root by its type, as systemd finds it.
    expect(types).toContain('C12A7328-F81F-11D2-BA4B-00A0C93EC93B');
    expect(types).toContain('4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709');
  });

  const boot = (): Promise<Report> =>
    runMachine([
      ...['-drive', `if=pflash,format=raw,readonly=on,file=${firmware ?? ''}`],
      ...['-drive', `if=pflash,format=raw,file=${variables}`],
      ...['-drive', `file=${disk},format=raw,if=virtio`],
    ]);

  /** Conditions on every boot of every version. */
  const expectSound = (report: Report) => {
    expect(report.get('root')).toMatch(/^overlay .*\bverity=require\b/);
    expect([report.get('etc'), report.get('var')]).toEqual(['writable', 'writable']);
    expect(report.get('id')).toMatch(/^uid=1000\(nori\) .*\(audio\).*\(video\).*\(render\)/);
    expect(report.get('home')).toBe('nori 750');
    expect(report.get('failed')).toBe('');
    expect(report.get('errors')).toBe('');
    expect(report.get('timer')).toBe('active');
  };
  /** As `bootc status` shows it: the image's label. */
  const version = (report: Report, name: string, which: 'booted' | 'staged') => {
    const { status } = JSON.parse(report.get(name) ?? '') as {
      status: Record<'booted' | 'staged', { image: { version: string | null } } | null>;
    };
    return status[which]?.image.version;
  };
  let changed: string | undefined;

  it('boots, with the user, a verified root, and the version that the image is labelled with', async () => {
    const report = await boot();
    expectSound(report);
    expect(report.get('done')).toBe('1');
    expect(report.get('containerd')).toBe('containerd 2.3.4-r5');
    expect(version(report, 'status', 'booted')).toBe('2.3.4-r5');
    expect(report.get('hash')).toMatch(/^\$y\$/);
    changed = report.get('changed');
    expect(changed).not.toBe(report.get('hash'));
  });

  it('keeps the password and /var, and stages the update, for which it fetches two blobs', async () => {
    registry.serve('containerd', second);
    registry.fetched.length = 0;
    const report = await boot();
    expectSound(report);
    expect(report.get('hash')).toBe(changed);
    expect(report.get('kept')).toBe('what a host puts into /var');
    expect(report.get('update')).toBe('Result=success\nConditionResult=yes');
    expect(version(report, 'staged', 'staged')).toBe('2.3.5-r0');
    const layers = new Set(
      readLayout(second)
        .get('amd64')
        ?.layers.map(({ digest }) => digest),
    );
    // The layer of the raised origin and the top one; the rest is on the disk. The configuration is no layer.
    expect(registry.fetched.filter(({ digest }) => layers.has(digest))).toHaveLength(2);
  });

  it('comes up with the update', async () => {
    const report = await boot();
    expectSound(report);
    expect(report.get('containerd')).toBe('containerd 2.3.5-r0');
    expect([report.get('hash'), report.get('kept')]).toEqual([changed, 'what a host puts into /var']);
  });

  it('goes back to what it was, with /var as it is', async () => {
    const report = await boot();
    expectSound(report);
    expect(report.get('containerd')).toBe('containerd 2.3.4-r5');
    expect(report.get('kept')).toBe('what a host puts into /var');
  });
});
