/**
 * The router's ruleset and dnsmasq.conf in use: three network namespaces with a client on the LAN, the router, and a
 * host on the WAN. The router's programs are Debian's; their files come from the built package.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { describeWith, environment, makeFolder, mustRun, run } from './tools.ts';
import { openWorkshop, unpack, workshopTools } from './workshop.ts';

const tools = ['ip', 'nft', 'dnsmasq', 'busybox', 'curl', 'ethtool', 'sysctl', 'ping'];

describeWith([...workshopTools, ...tools], 'the router between LAN and WAN', () => {
  const folder = makeFolder();
  const root = join(folder, 'router');
  // Of their own for this run, so that two runs do not meet.
  const suffix = `${process.pid}`;
  const [lan, router, wan] = [`lan-${suffix}`, `router-${suffix}`, `wan-${suffix}`];
  const children: ChildProcess[] = [];

  const at = (namespace: string, command: string, ...args: string[]) =>
    run('ip', ['netns', 'exec', namespace, command, ...args]);
  const mustAt = (namespace: string, command: string, ...args: string[]) =>
    mustRun('ip', ['netns', 'exec', namespace, command, ...args]);

  /** Starts a daemon in the foreground and waits until it says that it is ready. */
  const start = async (namespace: string, ready: RegExp, command: string, ...args: string[]) => {
    const child = spawn('ip', ['netns', 'exec', namespace, command, ...args], { env: environment });
    children.push(child);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const listen = (chunk: Buffer) => {
        said += chunk.toString();
        if (ready.test(said)) resolve();
      };
      child.stdout.on('data', listen);
      child.stderr.on('data', listen);
      child.once('exit', () => reject(new Error(`${command} ended: ${said}`)));
      child.once('error', reject);
    });
  };

  /** Serves a page in a namespace, over IPv4; Node says when it listens. */
  const serve = (namespace: string, port: number) =>
    start(
      namespace,
      /listening/,
      process.execPath,
      '-e',
      `require('node:http').createServer((request, response) => response.end('${namespace} to ' + request.socket.remoteAddress))
         .listen(${port}, '0.0.0.0', () => console.log('listening'))`,
    );
  // An answer may take its time on a busy machine; for a dropped packet two seconds are as good as any.
  const patience = 30;
  const get = (namespace: string, address: string, seconds = patience) =>
    at(namespace, 'curl', '-sS', '-m', `${seconds}`, `http://${address}/`);
  const ping = (namespace: string, address: string, seconds = patience) =>
    at(namespace, 'ping', '-c', '1', '-W', `${seconds}`, address);

  beforeAll(async () => {
    const image = (await (await openWorkshop(folder)).build('pinewall-config')).get('amd64');
    if (image === undefined) throw new Error('the router was not built');
    unpack(image, root);

    for (const namespace of [lan, router, wan]) {
      mustRun('ip', ['netns', 'add', namespace]);
      mustAt(namespace, 'ip', 'link', 'set', 'lo', 'up');
    }
    mustAt(router, 'ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', lan);
    mustAt(router, 'ip', 'link', 'add', 'wan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', wan);
    for (const [namespace, link, address] of [
      [router, 'lan0', '192.168.77.1/24'],
      [router, 'wan0', '203.0.113.2/24'],
      [lan, 'eth0', '192.168.77.50/24'],
      [wan, 'eth0', '203.0.113.1/24'],
    ] as const) {
      mustAt(namespace, 'ip', 'address', 'add', address, 'dev', link);
      // A veth leaves checksums to hardware it does not have; a DHCP client reads packets raw and finds them wrong.
      mustAt(namespace, 'ethtool', '-K', link, 'tx', 'off');
      mustAt(namespace, 'ip', 'link', 'set', link, 'up');
    }
    mustAt(lan, 'ip', 'route', 'add', 'default', 'via', '192.168.77.1');
    // The WAN knows a way into the LAN, which it would not in life: only the firewall stands in between.
    mustAt(wan, 'ip', 'route', 'add', '192.168.77.0/24', 'via', '203.0.113.2');
    mustAt(router, 'sysctl', '-q', '-p', join(root, 'usr/lib/sysctl.d/60-pinewall.conf'));
    mustAt(router, 'nft', '-f', join(root, 'usr/lib/pinewall/nftables.nft'));

    await serve(wan, 80);
    await serve(lan, 80);
    await serve(router, 22);
    // Other than in life: as root, and below this test's folder instead of the root directory.
    const configuration = readFileSync(join(root, 'usr/lib/pinewall/dnsmasq.conf'), 'utf8')
      .replaceAll('/usr/lib/pinewall/', `${root}/usr/lib/pinewall/`)
      .replaceAll('/var/lib/dnsmasq/', `${folder}/`);
    writeFileSync(join(folder, 'dnsmasq.conf'), configuration);
    await start(
      router,
      /started, version/,
      'dnsmasq',
      ...['--keep-in-foreground', '--log-facility=-', '--user=root', '--pid-file='],
      ...['-C', join(folder, 'dnsmasq.conf')],
    );
  });
  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode !== null) continue;
      child.kill();
      await once(child, 'exit');
    }
    for (const namespace of [lan, router, wan]) run('ip', ['netns', 'del', namespace]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets the LAN out, behind the address of the router', () => {
    expect(get(lan, '203.0.113.1').stdout).toBe(`${wan} to 203.0.113.2`);
    expect(ping(lan, '203.0.113.1').status).toBe(0);
  });

  it('lets nothing of the WAN into the LAN', () => {
    expect(get(wan, '192.168.77.50', 2)).toMatchObject({ status: 28, stdout: '' });
    expect(ping(wan, '192.168.77.50', 2).status).toBe(1);
  });

  it('would let it in without the ruleset, so the ruleset is what keeps it out', () => {
    mustAt(router, 'nft', 'flush', 'ruleset');
    expect(get(wan, '192.168.77.50').stdout).toBe(`${lan} to 203.0.113.1`);
    mustAt(router, 'nft', '-f', join(root, 'usr/lib/pinewall/nftables.nft'));
    expect(get(wan, '192.168.77.50', 2).stdout).toBe('');
  });

  it('answers SSH on the LAN only', () => {
    expect(get(lan, '192.168.77.1:22').stdout).toBe(`${router} to 192.168.77.50`);
    expect(get(wan, '203.0.113.2:22', 2).stdout).toBe('');
  });

  const lookUp = (namespace: string, server: string, seconds = patience) =>
    at(namespace, 'timeout', `${seconds}`, 'busybox', 'nslookup', '-type=a', 'pinewall.lan', server);

  it('answers DNS on the LAN only, with names of its own', () => {
    expect(lookUp(lan, '192.168.77.1').stdout).toMatch(/Address:? .*192\.168\.77\.1$/m);
    const refused = lookUp(wan, '203.0.113.2', 3);
    expect(refused.status).not.toBe(0);
    expect(refused.stdout).not.toContain('192.168.77.1');
  });

  // dnsmasq looks for three seconds whether somebody has the address already, before it offers it.
  const askForLease = (namespace: string) =>
    at(namespace, 'busybox', ...'udhcpc -f -i eth0 -n -q -t 3 -T 5 -s /bin/true'.split(' '));

  it('gives leases on the LAN only', () => {
    const { status, output } = askForLease(lan);
    expect(output).toMatch(/lease of 192\.168\.77\.\d+ obtained/);
    expect(status).toBe(0);
    expect(askForLease(wan).output).toMatch(/no lease/);
  });
});
