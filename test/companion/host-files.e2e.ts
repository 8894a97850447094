/**
 * Every control file of the hosts, taken from the built image, is checked by the program that reads it. Each program
 * also gets a broken file, which it must refuse: a checker that accepts everything proves nothing.
 */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { describeWith, makeFolder, run, temporaryFolder, type Ran } from './tools.ts';
import { openWorkshop, unpack, workshopTools } from './workshop.ts';

const tools = [
  ...[
    'systemd-sysusers',
    'systemd-tmpfiles',
    'systemd-analyze',
    'visudo',
    'sshd',
    'ssh-keygen',
    'nft',
    'dnsmasq',
  ],
  ...['unshare', 'mount', 'timeout'],
];

describeWith([...workshopTools, ...tools], 'control files of the hosts', () => {
  const folder = makeFolder();
  const router = join(folder, 'router');
  const headless = join(folder, 'headless');

  beforeAll(async () => {
    const workshop = await openWorkshop(folder);
    for (const [name, root] of [
      ['pinewall-config', router],
      ['containerd', headless],
    ] as const) {
      const image = (await workshop.build(name)).get('amd64');
      if (image === undefined) throw new Error(`${name} was not built`);
      unpack(image, root);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A copy of an installed root, to break. */
  const copyOf = (root: string): string => {
    const copy = join(temporaryFolder(), 'root');
    cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
    return copy;
  };

  const sysusers = (root: string, password?: string): Ran => {
    const credentials = temporaryFolder();
    if (password !== undefined) writeFileSync(join(credentials, 'passwd.plaintext-password.nori'), password);
    return run('systemd-sysusers', ['--root', root], {
      env: { ...process.env, CREDENTIALS_DIRECTORY: credentials },
    });
  };
  const line = (root: string, file: string, name: string) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith(`${name}:`));

  it('creates nori with the declared groups and home, and the credential as password', () => {
    const root = copyOf(headless);
    const created = sysusers(root, 'nori');
    expect(created.status).toBe(0);
    expect(created.output).not.toContain('.conf:');
    expect(line(root, 'etc/passwd', 'nori')).toBe('nori:x:1000:1000:nori:/var/home/nori:/bin/bash');
    for (const group of ['audio', 'video', 'render'])
      expect(line(root, 'etc/group', group)).toMatch(/:nori$/);
    expect(line(root, 'etc/shadow', 'nori')).toMatch(/^nori:\$y\$/);
  });

  it('keeps a changed password, whatever the credential says', () => {
    const root = copyOf(headless);
    sysusers(root, 'nori');
    const shadow = readFileSync(join(root, 'etc/shadow'), 'utf8').replace(
      /^nori:[^:]*:/m,
      'nori:$y$changed:',
    );
    writeFileSync(join(root, 'etc/shadow'), shadow);
    expect(sysusers(root, 'nori').status).toBe(0);
    expect(line(root, 'etc/shadow', 'nori')).toMatch(/^nori:\$y\$changed:/);
  });

  it('locks nori where the credential is missing', () => {
    const root = copyOf(headless);
    expect(sysusers(root).status).toBe(0);
    expect(line(root, 'etc/shadow', 'nori')).toMatch(/^nori:!/);
  });

  it('refuses a broken declaration of a user', () => {
    const root = copyOf(headless);
    appendFileSync(join(root, 'usr/lib/sysusers.d/nori-user.conf'), 'x nori nonsense\n');
    // It goes on with the other lines and exits with 0; a line it does not take is named.
    expect(sysusers(root).output).toContain('nori-user.conf:5:');
  });

  // Not /dev, /run and the like of the machine the test runs on.
  const tmpfiles = (root: string) =>
    run('systemd-tmpfiles', ['--root', root, '--create', '--exclude-prefix=/run', '--exclude-prefix=/dev']);

  it('creates the directories of a host and the home of nori', () => {
    const root = copyOf(headless);
    sysusers(root, 'nori');
    expect(tmpfiles(root)).toMatchObject({ status: 0, output: '' });
    const home = statSync(join(root, 'var/home/nori'));
    expect([home.uid, home.gid, home.mode & 0o7777]).toEqual([1000, 1000, 0o750]);
    expect(statSync(join(root, 'var/roothome')).mode & 0o7777).toBe(0o700);
  });

  it('points the router at its own resolver, without claiming the file', () => {
    const root = copyOf(router);
    sysusers(root);
    const resolvConf = join(root, 'etc/resolv.conf');
    expect(run('readlink', [resolvConf]).stdout).toBe('../run/systemd/resolve/stub-resolv.conf\n');
    expect(tmpfiles(root)).toMatchObject({ status: 0, output: '' });
    expect(readFileSync(resolvConf, 'utf8')).toMatch(/^nameserver 127\.0\.0\.1$/m);
  });

  it('refuses a broken tmpfiles line', () => {
    const root = copyOf(headless);
    sysusers(root, 'nori');
    appendFileSync(join(root, 'usr/lib/tmpfiles.d/nori-user.conf'), 'dd /var/broken\n');
    expect(tmpfiles(root).output).toContain('nori-user.conf:2:');
  });

  // It exits with 0 whatever it finds, so what it says is the result.
  const verify = (root: string, unit: string) =>
    run('systemd-analyze', ['--root', root, '--man=no', 'verify', unit]).output;

  it.each([
    ...['nftables', 'dnsmasq', 'blocky', 'avahi-daemon', 'prometheus-node-exporter', 'systemd-networkd'].map(
      (name) => [`${name}.service`, () => router] as const,
    ),
    ['systemd-sysusers.service', () => headless] as const,
    ['bootc-fetch-apply-updates.service', () => headless] as const,
    ['bootc-fetch-apply-updates.timer', () => headless] as const,
  ])('finds nothing in %s', (unit, root) => {
    expect(verify(root(), unit)).toBe('');
  });

  it.each([
    [
      'a drop-in without its section',
      'systemd-sysusers.service.d/nori-user.conf',
      'SetCredential=a:b\n',
      'sysusers',
    ],
    [
      'a misspelt key',
      'systemd-sysusers.service.d/nori-user.conf',
      '[Service]\nSetCredentail=a:b\n',
      'sysusers',
    ],
  ])('finds %s', (_, file, text) => {
    const root = copyOf(headless);
    writeFileSync(join(root, 'usr/lib/systemd/system', file), text);
    expect(verify(root, 'systemd-sysusers.service')).toMatch(/outside of section|Unknown key/);
  });

  it('stages updates and leaves the reboot to the owner', () => {
    // The last assignment of each counts; an empty one in between resets what upstream has.
    const dropIn = readFileSync(
      join(headless, 'usr/lib/systemd/system/bootc-fetch-apply-updates.service.d/10-stage-only.conf'),
      'utf8',
    );
    const settings = dropIn.split('\n').filter((text) => /^[A-Z]\w+=/.test(text));
    expect(settings).toEqual([
      'ConditionPathExists=',
      'ExecStart=',
      'ExecStart=/usr/bin/bootc upgrade --quiet',
    ]);
  });

  it('enables units by links that lead somewhere', () => {
    const wants = (root: string) =>
      run('find', [join(root, 'usr/lib/systemd/system'), '-path', '*.wants/*'])
        .stdout.trim()
        .split('\n');
    const links = [...wants(router), ...wants(headless)];
    expect(links).toHaveLength(12);
    for (const link of links) expect(statSync(link).isFile(), link).toBe(true);
  });

  const sudoers = (file: string) => run('visudo', ['-c', '-f', file]);

  it('has sudoers that visudo accepts, owner and mode included', () => {
    expect(sudoers(join(headless, 'etc/sudoers.d/nori-user'))).toMatchObject({ status: 0 });
    expect(statSync(join(headless, 'etc/sudoers.d/nori-user')).mode & 0o7777).toBe(0o440);
  });

  it('refuses broken sudoers', () => {
    const file = join(temporaryFolder(), 'broken');
    writeFileSync(file, 'nori ALL=(ALL:ALL ALL\n', { mode: 0o440 });
    expect(sudoers(file).status).toBe(1);
  });

  /** Wolfi's sshd_config includes the folder; this is that line with a throw-away host key. */
  const sshd = (dropIn: string, argument: '-t' | '-T') => {
    const dir = temporaryFolder();
    copyFileSync(dropIn, join(dir, 'drop-in.conf'));
    run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'host_key')]);
    writeFileSync(
      join(dir, 'sshd_config'),
      `Include ${dir}/drop-in.conf\nHostKey ${dir}/host_key\nPermitRootLogin yes\n`,
    );
    mkdirSync('/run/sshd', { recursive: true });
    return run('/usr/sbin/sshd', [argument, '-f', join(dir, 'sshd_config')]);
  };

  it('keeps root out over SSH, whatever the main file says further down', () => {
    const dropIn = join(headless, 'etc/ssh/sshd_config.d/nori-user.conf');
    expect(sshd(dropIn, '-t')).toMatchObject({ status: 0, output: '' });
    expect(sshd(dropIn, '-T').stdout).toMatch(/^permitrootlogin no$/m);
  });

  it('refuses a broken sshd drop-in', () => {
    const file = join(temporaryFolder(), 'broken.conf');
    writeFileSync(file, 'PermitRootLogin perhaps\n');
    expect(sshd(file, '-t').status).not.toBe(0);
  });

  // In a network namespace of its own: even a check asks the kernel.
  const nft = (file: string) => run('unshare', ['-n', 'nft', '-c', '-f', file]);

  it('has a ruleset that nft accepts', () => {
    expect(nft(join(router, 'usr/lib/pinewall/nftables.nft'))).toMatchObject({ status: 0, output: '' });
  });

  it('refuses a broken ruleset', () => {
    const file = join(temporaryFolder(), 'broken.nft');
    writeFileSync(
      file,
      readFileSync(join(router, 'usr/lib/pinewall/nftables.nft'), 'utf8').replace(
        'policy drop',
        'policy dorp',
      ),
    );
    expect(nft(file).status).toBe(1);
  });

  const dnsmasq = (file: string) => run('dnsmasq', ['--test', '-C', file]);

  it('has a dnsmasq.conf that dnsmasq accepts', () => {
    expect(dnsmasq(join(router, 'usr/lib/pinewall/dnsmasq.conf'))).toMatchObject({ status: 0 });
  });

  it('refuses a broken dnsmasq.conf', () => {
    const file = join(temporaryFolder(), 'broken.conf');
    writeFileSync(file, 'dhcp-range=192.168.77.100,nonsense\n');
    expect(dnsmasq(file).status).not.toBe(0);
  });

  /**
   * networkd has no mode to check files, so it is started on them, in namespaces where it can reach nothing, and its
   * complaints are read. It has read them all when the LAN has its address. With /sys read-only, as in a container, it
   * does not wait for a udev that knows nothing of these links.
   */
  const networkd = (files: string) =>
    run('unshare', [
      '-nm',
      'bash',
      '-euc',
      `mount -t sysfs -o ro sysfs /sys
       mount --bind "$1" /usr/lib/systemd/network
       mount -t tmpfs tmpfs /run/systemd
       mkdir -p /run/systemd/netif/{links,leases,lldp}
       chown -R systemd-network: /run/systemd/netif
       ip link add wan0 type veth peer name lan0
       ip link set wan0 up
       ip link set lan0 up
       coproc timeout 30 ip -o monitor address
       monitor=$COPROC_PID
       SYSTEMD_LOG_LEVEL=info SYSTEMD_LOG_TARGET=console /usr/lib/systemd/systemd-networkd 2>&1 &
       while read -r line <&"\${COPROC[0]}"; do
         echo "$line"
         case $line in *192.168.77.1/24*) break ;; esac
       done
       kill $! $monitor`,
      'bash',
      files,
    ]).output;
  const complaints = (output: string) =>
    output.match(/^.*(Unknown|Failed to parse|Invalid|ignoring).*$/gim) ?? [];

  it('has .network files that networkd reads without complaint and acts upon', () => {
    const output = networkd(join(router, 'usr/lib/systemd/network'));
    expect(complaints(output)).toEqual([]);
    expect(output).toMatch(/lan0\s+inet 192\.168\.77\.1\/24/);
  });

  it('finds a misspelt key in a .network file', () => {
    const broken = join(temporaryFolder(), 'network');
    cpSync(join(router, 'usr/lib/systemd/network'), broken, { recursive: true });
    appendFileSync(join(broken, '20-lan.network'), '[Network]\nAdress=10.0.0.1/8\n');
    expect(complaints(networkd(broken))).toEqual([expect.stringContaining('Adress')]);
  });
});
