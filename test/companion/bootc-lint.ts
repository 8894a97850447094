/**
 * The static checks of `bootc container lint` (1.16), which itself needs a libostree newer than Debian 12 has. What
 * bootc refuses is `fatal`; what it merely mentions is a warning.
 */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';

export interface Lint {
  readonly fatal: readonly string[];
  readonly warnings: readonly string[];
}

type Check = (root: string) => Iterable<string>;

const fatalChecks: Readonly<Record<string, Check>> = {
  'var-run': function* (root) {
    const stat = look(root, 'var/run');
    if (stat && !stat.isSymbolicLink()) yield 'var/run is not a link';
  },
  'etc-usretc': function* (root) {
    if (look(root, 'usr/etc')) yield 'usr/etc';
  },
  'bootc-kargs': function* (root) {
    for (const name of list(root, 'usr/lib/bootc/kargs.d')) {
      const text = readFileSync(join(root, 'usr/lib/bootc/kargs.d', name), 'utf8');
      if (!name.endsWith('.toml')) yield `${name}: not a .toml file`;
      else if (!/^kargs\s*=\s*\[[^\]]*\]/m.test(text)) yield `${name}: no list of kargs`;
    }
  },
  kernel: function* (root) {
    const kernels = list(root, 'usr/lib/modules').filter((name) =>
      look(root, `usr/lib/modules/${name}/vmlinuz`),
    );
    if (kernels.length !== 1) yield `${kernels.length} kernels below usr/lib/modules`;
    for (const name of kernels) {
      if (!look(root, `usr/lib/modules/${name}/initramfs.img`)) yield `${name}: no initramfs.img`;
    }
  },
  utf8: function* (root) {
    for (const path of walk(root)) {
      if (Buffer.from(path, 'latin1').toString('utf8').includes('\uFFFD')) yield JSON.stringify(path);
    }
  },
  'api-base-directories': function* (root) {
    for (const name of ['dev', 'proc', 'sys', 'run', 'tmp', 'var']) {
      if (!look(root, name)?.isDirectory()) yield name;
    }
  },
  'baseimage-root': function* (root) {
    if (!look(root, 'sysroot')?.isDirectory()) yield 'no directory sysroot';
    if (!look(root, 'ostree')?.isSymbolicLink() || readlinkSync(join(root, 'ostree')) !== 'sysroot/ostree') {
      yield 'ostree is not a link to sysroot/ostree';
    }
  },
};

const warningChecks: Readonly<Record<string, Check>> = {
  'buildah-injected': function* (root) {
    // Empty files that buildah leaves where it mounted over.
    for (const path of ['etc/hosts', 'etc/resolv.conf', 'etc/hostname']) {
      const stat = look(root, path);
      if (stat?.isFile() && stat.size === 0) yield path;
    }
  },
  'baseimage-composefs': function* (root) {
    const path = join(root, 'usr/lib/ostree/prepare-root.conf');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (!/^\[composefs\]\n(?:[^[]*\n)?enabled\s*=\s*(yes|true|signed|verity)\s*$/m.test(text)) {
      yield 'prepare-root.conf does not enable composefs';
    }
  },
  'var-log': function* (root) {
    for (const path of walk(root, 'var/log')) if (look(root, path)?.isFile()) yield path;
  },
  // bootc looks at it on a running root only, which `RUN bootc container lint` in a Dockerfile is.
  'var-tmpfiles': function* (root) {
    const declared = new Set(['var']);
    for (const name of list(root, 'usr/lib/tmpfiles.d')) {
      const text = readFileSync(join(root, 'usr/lib/tmpfiles.d', name), 'utf8');
      for (const [, path] of text.matchAll(/^[a-zA-Z][!+=-]*\s+\/(\S+)/gm)) declared.add(path ?? '');
    }
    for (const path of walk(root, 'var')) {
      const stat = look(root, path);
      if ((stat?.isDirectory() || stat?.isSymbolicLink()) && !declared.has(path)) yield path;
    }
  },
  sysusers: function* (root) {
    const declared = new Set(['root']);
    for (const name of list(root, 'usr/lib/sysusers.d')) {
      const text = readFileSync(join(root, 'usr/lib/sysusers.d', name), 'utf8');
      for (const [, user] of text.matchAll(/^[ug]!?\s+(\S+)/gm)) declared.add(user ?? '');
    }
    for (const file of ['etc/passwd', 'etc/group']) {
      if (!look(root, file)) continue;
      for (const line of readFileSync(join(root, file), 'utf8').split('\n')) {
        const [name = ''] = line.split(':', 1);
        if (name !== '' && !declared.has(name)) yield `${file}: ${name}`;
      }
    }
  },
  'nonempty-boot': function* (root) {
    for (const name of list(root, 'boot')) yield `boot/${name}`;
  },
  'nonempty-run-tmp': function* (root) {
    for (const folder of ['run', 'tmp']) for (const name of list(root, folder)) yield `${folder}/${name}`;
  },
};

export const checkNames = [...Object.keys(fatalChecks), ...Object.keys(warningChecks)];

export function lintBootc(root: string): Lint {
  const apply = (checks: Readonly<Record<string, Check>>) =>
    Object.entries(checks).flatMap(([name, check]) => [...check(root)].map((found) => `${name}: ${found}`));
  return { fatal: apply(fatalChecks), warnings: apply(warningChecks) };
}

function look(root: string, path: string): Stats | undefined {
  return lstatSync(join(root, path), { throwIfNoEntry: false });
}

function list(root: string, folder: string): string[] {
  return look(root, folder)?.isDirectory() ? readdirSync(join(root, folder)).sort() : [];
}

/** Paths below a folder; names byte by byte, as latin1, so that broken ones survive. */
function* walk(root: string, folder = ''): Generator<string> {
  const path = Buffer.from(join(root, folder), 'latin1');
  if (!look(root, folder)?.isDirectory()) return;
  for (const name of readdirSync(path, 'latin1').sort()) {
    const inner = folder === '' ? name : `${folder}/${name}`;
    yield inner;
    if (lstatSync(Buffer.from(join(root, inner), 'latin1')).isDirectory()) yield* walk(root, inner);
  }
}
