import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { checkNames, lintBootc } from './bootc-lint.ts';

let root = '';

const write = (path: string, content: string | Buffer = '') => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
};

/** A root that bootc has nothing to say against. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'apk-beacon-lint-'));
  for (const name of ['boot', 'dev', 'etc', 'proc', 'run', 'sys', 'sysroot', 'tmp', 'var'])
    mkdirSync(join(root, name));
  symlinkSync('sysroot/ostree', join(root, 'ostree'));
  symlinkSync('../run', join(root, 'var/run'));
  write('usr/lib/tmpfiles.d/var.conf', '# systemd\nL /var/run - - - - ../run\n');
  write('etc/passwd', 'root:x:0:0::/root:/bin/sh\n');
  write('usr/lib/ostree/prepare-root.conf', '[composefs]\nenabled = yes\n');
  write('usr/lib/modules/6.18.42-0-lts/vmlinuz');
  write('usr/lib/modules/6.18.42-0-lts/initramfs.img');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const remove = (path: string) => rmSync(join(root, path), { recursive: true });
const makeFolder = (path: string) => mkdirSync(join(root, path));

it('finds nothing in a correct root', () => {
  expect(lintBootc(root)).toEqual({ fatal: [], warnings: [] });
});

const broken: readonly (readonly [check: string, kind: 'fatal' | 'warnings', spoil: () => void])[] = [
  ['var-run', 'fatal', () => [remove, makeFolder].forEach((step) => step('var/run'))],
  ['etc-usretc', 'fatal', () => makeFolder('usr/etc')],
  ['bootc-kargs', 'fatal', () => write('usr/lib/bootc/kargs.d/10-console.toml', 'karg = "console=ttyS0"\n')],
  ['kernel', 'fatal', () => remove('usr/lib/modules/6.18.42-0-lts/vmlinuz')],
  ['kernel', 'fatal', () => remove('usr/lib/modules/6.18.42-0-lts/initramfs.img')],
  [
    'utf8',
    'fatal',
    () => writeFileSync(Buffer.concat([Buffer.from(`${root}/usr/`), Buffer.from([0xff, 0xfe])]), ''),
  ],
  ['api-base-directories', 'fatal', () => remove('proc')],
  ['baseimage-root', 'fatal', () => remove('ostree')],
  ['baseimage-root', 'fatal', () => remove('sysroot')],
  ['buildah-injected', 'warnings', () => write('etc/resolv.conf')],
  [
    'baseimage-composefs',
    'warnings',
    () => write('usr/lib/ostree/prepare-root.conf', '[composefs]\nenabled = no\n'),
  ],
  [
    'var-log',
    'warnings',
    () => {
      write('usr/lib/tmpfiles.d/log.conf', 'd /var/log 0755\n');
      write('var/log/dpkg.log', 'text');
    },
  ],
  ['var-tmpfiles', 'warnings', () => makeFolder('var/spool')],
  ['var-tmpfiles', 'warnings', () => symlinkSync('/var/mail', join(root, 'var/mail'))],
  ['sysusers', 'warnings', () => write('etc/passwd', 'root:x:0:0::/root:/bin/sh\nalice:x:1:1::/:/bin/sh\n')],
  ['nonempty-boot', 'warnings', () => write('boot/vmlinuz')],
  ['nonempty-run-tmp', 'warnings', () => write('run/lock/left')],
];

it.each(broken)('%s is found', (check, kind, spoil) => {
  spoil();
  const found = lintBootc(root);
  expect(found[kind]).toEqual([expect.stringMatching(new RegExp(`^${check}: `))]);
  expect(found[kind === 'fatal' ? 'warnings' : 'fatal']).toEqual([]);
});

it('every check is broken once above', () => {
  expect([...new Set(broken.map(([check]) => check))].sort()).toEqual([...checkNames].sort());
});

it('finds two kernels', () => {
  for (const file of ['vmlinuz', 'initramfs.img']) write(`usr/lib/modules/6.12.1-0-lts/${file}`);
  expect(lintBootc(root).fatal).toEqual(['kernel: 2 kernels below usr/lib/modules']);
});

it('takes an account that is declared', () => {
  write('etc/passwd', 'root:x:0:0::/root:/bin/sh\nalice:x:1:1::/:/bin/sh\n');
  write('usr/lib/sysusers.d/alice.conf', 'u alice 1000\n');
  expect(lintBootc(root).warnings).toEqual([]);
});
