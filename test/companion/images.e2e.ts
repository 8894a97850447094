/**
 * apko builds all images of the companion for both arches into OCI layouts, from stand-in packages and the real static
 * ones. The tests check what hosts see: labels, command, users, layers, digests.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { operatorSpan } from '../../src/apk/constraint.ts';
import { lintBootc } from './bootc-lint.ts';
import { definition, definitionNames, originOf, standIn } from './stand-ins.ts';
import { describeWith, makeFolder, run } from './tools.ts';
import { calledByBootc } from './wolfi.ts';
import { openWorkshop, unpack, workshopTools, type Image, type Images, type Workshop } from './workshop.ts';

const hosts = ['bootc', 'containerd', 'niri', 'pinewall-config'];

describeWith(workshopTools, 'images built by apko', () => {
  const folder = makeFolder();
  const built = new Map<string, Images>();
  let workshop: Workshop;

  beforeAll(async () => {
    workshop = await openWorkshop(folder);
    for (const name of [...definitionNames, 'apkontainer']) built.set(name, await workshop.build(name));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const image = (name: string, arch = 'amd64'): Image => {
    const found = built.get(name)?.get(arch);
    if (found === undefined) throw new Error(`${name} was not built for ${arch}`);
    return found;
  };
  const roots = new Map<string, string>();
  const rootOf = (name: string) => {
    const root = roots.get(name) ?? unpack(image(name), join(folder, 'roots', name));
    roots.set(name, root);
    return root;
  };

  it('builds every definition for both arches', () => {
    for (const [name, images] of built) expect([...images.keys()].sort(), name).toEqual(['amd64', 'arm64']);
    expect([...built.keys()]).toEqual(expect.arrayContaining(['alpine-base', 'wolfi-base', 'niri']));
  });

  it('gives the same digests to the same packages', async () => {
    for (const name of ['bootc', 'pinewall-config']) {
      const again = await workshop.build(name);
      expect(again.size).toBe(2);
      for (const [arch, { digest }] of again)
        expect(digest, `${name} ${arch}`).toBe(image(name, arch).digest);
    }
  });

  it.each(hosts)('makes %s bootable', (name) => {
    for (const arch of ['amd64', 'arm64']) {
      const { config } = image(name, arch);
      expect(config, arch).toMatchObject({ Cmd: ['init'], StopSignal: 'SIGRTMIN+3', User: '0' });
      expect(config.Entrypoint).toBeUndefined();
      expect(config.Labels).toMatchObject({
        'containers.bootc': '1',
        'org.opencontainers.image.version': definition(name).ownPackages[0]?.split('=')[1],
      });
      // It would change with every commit, and the digest with it.
      expect(config.Labels).not.toHaveProperty('org.opencontainers.image.revision');
    }
  });

  it('does not make the CI images bootable', () => {
    const { config } = image('apko');
    expect(config).toMatchObject({ Cmd: ['/bin/sh'], User: '65532' });
    expect(config.Labels ?? {}).not.toHaveProperty('containers.bootc');
  });

  it('runs the service as an unprivileged user, with a cache folder that it may write', () => {
    const { config } = image('apkontainer');
    expect(config).toMatchObject({ Entrypoint: ['/usr/bin/apk-beacon'], Cmd: ['serve'], User: '65532' });
    expect(config).toHaveProperty(
      'Env',
      expect.arrayContaining(['APK_BEACON_CACHE_DIR=/var/cache/apk-beacon']),
    );
    const cache = run('stat', ['-c', '%u:%g %a', join(rootOf('apkontainer'), 'var/cache/apk-beacon')]);
    expect(cache.stdout).toBe('65532:65532 750\n');
  });

  it('installs what the merged definition lists', () => {
    for (const name of definitionNames) {
      const entries = definition(name).definition.contents?.packages ?? [];
      const listed = entries.map((entry) => entry.slice(0, operatorSpan(entry).start));
      const installed = image(name).layers.flatMap(({ packages }) => packages);
      expect(installed, name).toEqual(expect.arrayContaining(listed));
    }
  });

  it('leaves the bare base without a user and without network configuration', () => {
    const root = rootOf('bootc');
    expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toBe('root:x:0:0:root:/root:/bin/sh\n');
    expect(run('find', [root, '-name', '*.network', '-o', '-path', '*/sysusers.d/*']).stdout).toBe('');
  });

  it.each(hosts)('has every command in %s that bootc calls', (name) => {
    const missing = calledByBootc.filter((command) => !existsSync(join(rootOf(name), 'usr/bin', command)));
    expect(missing).toEqual([]);
  });

  it.each(hosts.slice(1))('enables by a link what a preset alone enables in %s', (name) => {
    const systemd = join(rootOf(name), 'usr/lib/systemd');
    const presets = readdirSync(join(systemd, 'system-preset'));
    const units = presets.flatMap((file) =>
      [...readFileSync(join(systemd, 'system-preset', file), 'utf8').matchAll(/^enable (\S+)/gm)].map(
        ([, unit]) => unit ?? '',
      ),
    );
    expect(units).toContain('sshd.service');
    const wanted = readdirSync(join(systemd, 'system/multi-user.target.wants'));
    expect(units.filter((unit) => !wanted.includes(unit))).toEqual([]);
  });

  it('leaves no trace in the image of where its private packages came from', () => {
    const repositories = readFileSync(join(rootOf('bootc'), 'etc/apk/repositories'), 'utf8');
    expect(repositories.trim().split('\n').sort()).toEqual([
      'https://packages.cgr.dev/extras',
      'https://packages.wolfi.dev/os',
    ]);
  });

  it('puts packages of one origin into one layer and others apart', () => {
    const layers = image('containerd').layers.slice(0, -1);
    expect(layers.length).toBeGreaterThan(20);
    for (const { packages } of layers) {
      const origins = packages.map(originOf);
      expect(new Set(origins).size, packages.join()).toBe(1);
    }
    expect(layers.find(({ packages }) => packages.includes('systemd'))?.packages).toContain('udev');
  });

  it.each(hosts)('stays within the budget of layers in %s', (name) => {
    const { layers } = image(name);
    expect(layers.length).toBeGreaterThan(20);
    expect(layers.length).toBeLessThanOrEqual(101);
  });

  it('keeps systemd out of the layer of the router configuration', () => {
    const layer = image('pinewall-config').layers.find(({ packages }) =>
      packages.includes('pinewall-config'),
    );
    // The one file that is claimed is avahi's.
    expect(layer?.packages.toSorted()).toEqual(['avahi', 'pinewall-config']);
  });

  it('changes two layers of an image when a pin of the file it includes is raised', async () => {
    const bootc = readFileSync('images/bootc.yaml', 'utf8').replace(/bootc=\S+/, 'bootc=1.16.10-r0');
    const after = await workshop.build('containerd', {
      definitions: { 'bootc.yaml': `${bootc}\narchs: [x86_64]\n` },
      extraPackages: [standIn('bootc', '1.16.10-r0', 'x86_64')],
    });
    const before = new Set(image('containerd').layers.map(({ digest }) => digest));
    const changed = after.get('amd64')?.layers.filter(({ digest }) => !before.has(digest));
    // The origin's and the top one.
    expect(changed?.map(({ packages }) => packages)).toEqual([['bootc'], []]);
  });

  it('refuses to build a pin that no repository has', async () => {
    const bootc = readFileSync('images/bootc.yaml', 'utf8').replace(/bootc=\S+/, 'bootc=1.16.11-r0');
    await expect(workshop.build('containerd', { definitions: { 'bootc.yaml': bootc } })).rejects.toThrow(
      'bootc=1.16.11-r0',
    );
  });

  it.each(hosts)('passes the static checks of bootc in %s', (name) => {
    const { fatal, warnings } = lintBootc(rootOf(name));
    expect(fatal).toEqual([]);
    // From Wolfi's base layout: an empty directory, which the tmpfs of a boot covers up.
    expect(warnings).toEqual(['nonempty-run-tmp: run/lock']);
  });
});
