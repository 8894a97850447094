/**
 * nori-user in a real boot of systemd: the user appears on the first one with the password of the credential, and a
 * changed password survives the next. Users of a package that comes later appear as well. The root is a minimal Debian,
 * made once by `.ci/companion`; its folder is named by APK_BEACON_DEBIAN_ROOT.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { recipe } from './stand-ins.ts';
import { buildStaticPackages } from './static-packages.ts';
import { describeWith, makeFolder, mustRun, run } from './tools.ts';

const debian = process.env['APK_BEACON_DEBIAN_ROOT'] ?? '';
const required = ['systemd-nspawn', 'melange', 'bwrap', 'busybox', 'tar', 'perl', 'chpasswd', 'root'];
const tools =
  existsSync(join(debian, 'usr/lib/systemd/systemd')) && debian !== ''
    ? required
    : [...required, 'a Debian root'];

describeWith(tools, 'nori-user in a real boot', () => {
  const folder = makeFolder();

  beforeAll(() => buildStaticPackages(folder));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function addPackage(root: string, name: string): void {
    const files = `${recipe(name).packages[0]?.name}-${recipe(name).version}.apk`;
    mustRun('tar', ['-xz', '-C', root, '--exclude=.*', '-f', join(folder, 'built/x86_64', files)]);
  }

  /** A Debian with the packages installed, that switches itself off once it is up. */
  function install(name: string): string {
    const root = join(folder, name);
    mustRun('cp', ['-a', debian, root]);
    addPackage(root, 'bootc-baselayout');
    addPackage(root, 'nori-user');
    writeFileSync(
      join(root, 'usr/lib/systemd/system/report.service'),
      `[Unit]
After=multi-user.target systemd-tmpfiles-setup.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'date +%%s%%N > /booted; id nori > /report 2>&1; stat -c "%%U %%a" /var/home/nori >> /report 2>&1'
`,
    );
    mkdirSync(join(root, 'usr/lib/systemd/system/multi-user.target.wants'), { recursive: true });
    mustRun('ln', [
      '-s',
      '../report.service',
      join(root, 'usr/lib/systemd/system/multi-user.target.wants/report.service'),
    ]);
    return root;
  }

  /** /usr is as old as a package of the image, and so not always newer than before. */
  function boot(root: string): { readonly report: string; readonly hash: string } {
    for (const file of ['booted', 'report']) rmSync(join(root, file), { force: true });
    utimesSync(join(root, 'usr'), 1_750_000_000, 1_750_000_000);
    const booted = run('systemd-nspawn', [
      ...['--boot', `--directory=${root}`, '--register=no', '--keep-unit', '--private-network'],
      ...['--resolv-conf=off', '--timezone=off', '--console=pipe', `--machine=nori-${process.pid}`],
    ]);
    if (!existsSync(join(root, 'booted'))) throw new Error(`it did not boot: ${booted.output.slice(-4000)}`);
    // systemd-update-done, which Debian leaves out: units that prepare /etc for a newer /usr have run.
    mustRun('touch', ['-r', join(root, 'usr'), join(root, 'etc/.updated')]);
    const shadow = readFileSync(join(root, 'etc/shadow'), 'utf8');
    return {
      report: readFileSync(join(root, 'report'), 'utf8'),
      hash: /^nori:([^:]*):/m.exec(shadow)?.[1] ?? '',
    };
  }

  /** libcrypt's answer, which is also the one at a login. */
  const opens = (password: string, hash: string) =>
    run('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1]) eq $ARGV[1] ? "yes" : "no"', password, hash]).stdout;

  it('creates the user on the first boot and keeps a changed password on the second', () => {
    const root = install('first');
    const first = boot(root);
    expect(first.report).toMatch(
      /^uid=1000\(nori\) gid=1000\(nori\) groups=.*\(audio\).*\(video\).*\(render\)\nnori 750\n$/,
    );
    expect(opens('nori', first.hash)).toBe('yes');
    expect(opens('other', first.hash)).toBe('no');

    mustRun('chpasswd', ['--root', root], { input: 'nori:changed by its owner\n' });
    const second = boot(root);
    expect(second.report).toBe(first.report);
    expect(opens('changed by its owner', second.hash)).toBe('yes');
    expect(opens('nori', second.hash)).toBe('no');
  });

  it('creates the users of a package that comes with an update or another image', () => {
    const root = install('switched');
    boot(root);
    addPackage(root, 'pinewall-config');
    boot(root);
    expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toMatch(/^dnsmasq:/m);
  });

  it('locks the user out where the drop-in lacks its section, so the drop-in is what lets one in', () => {
    const root = install('broken');
    const dropIn = join(root, 'usr/lib/systemd/system/systemd-sysusers.service.d/nori-user.conf');
    writeFileSync(dropIn, readFileSync(dropIn, 'utf8').replace('[Service]\n', ''));
    const { report, hash } = boot(root);
    expect(report).toContain('uid=1000(nori)');
    expect(hash).toMatch(/^!/);
  });
});
