import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { mergeInto, parseDefinition, resolveDefinition } from '../../companion/include.ts';
import { parseRecipe } from '../../companion/recipes.ts';

const resolve = (files: Readonly<Record<string, string>>, name = 'child.yaml') =>
  resolveDefinition(name, (file) => {
    const text = files[file];
    if (text === undefined) throw new Error(`no ${file}`);
    return text;
  });

describe('merging', () => {
  it('lets single values of the child win as a whole', () => {
    const base = {
      cmd: 'base',
      entrypoint: { command: 'base', services: { one: 'run' } },
      layering: { strategy: 'origin', budget: 16 },
      archs: ['x86_64', 'aarch64'],
      accounts: { 'run-as': 'root' },
    } as const;
    const child = { entrypoint: { command: 'child' }, archs: ['x86_64'], accounts: { 'run-as': 'nobody' } };
    expect(mergeInto(child, structuredClone(base) as never)).toEqual({
      cmd: 'base',
      // Nothing of the base's entrypoint is left.
      entrypoint: { command: 'child' },
      layering: { strategy: 'origin', budget: 16 },
      archs: ['x86_64'],
      accounts: { 'run-as': 'nobody' },
      contents: {},
    });
  });

  it('puts lists of the base in front and cannot take anything away', () => {
    const merged = mergeInto(
      { contents: { packages: ['b=2'], repositories: [] }, volumes: ['/b'] },
      { contents: { packages: ['a', 'b'], repositories: ['https://example.org'] }, volumes: ['/a'] },
    );
    expect(merged).toMatchObject({
      contents: { packages: ['a', 'b', 'b=2'], repositories: ['https://example.org'] },
      volumes: ['/a', '/b'],
    });
  });

  it('lets keys of the child win in maps', () => {
    const merged = mergeInto({ environment: { A: 'child' } }, { environment: { A: 'base', B: 'base' } });
    expect(merged.environment).toEqual({ A: 'child', B: 'base' });
  });

  it('does not inherit vcs-url', () => {
    const merged = mergeInto({}, { cmd: 'base', 'vcs-url': 'https://example.org' });
    expect(merged).toEqual({ cmd: 'base', contents: {}, accounts: {} });
  });
});

describe('include', () => {
  const base = 'contents: { packages: [base] }';

  it('follows a chain and names its files', () => {
    const { definition, files, ownPackages } = resolve({
      'child.yaml': 'include: middle.yaml\ncontents: { packages: [child=1-r0] }',
      'middle.yaml': 'include: base.yaml\ncontents: { packages: [middle] }',
      'base.yaml': base,
    });
    expect(files).toEqual(['child.yaml', 'middle.yaml', 'base.yaml']);
    expect(definition.contents?.packages).toEqual(['base', 'middle', 'child=1-r0']);
    expect(ownPackages).toEqual(['child=1-r0']);
    expect(definition).not.toHaveProperty('include');
  });

  it('refuses a circle', () => {
    const files = { 'child.yaml': 'include: base.yaml', 'base.yaml': 'include: child.yaml' };
    expect(() => resolve(files)).toThrow('child.yaml includes base.yaml includes child.yaml: a cycle');
  });

  it('names the file that is no YAML', () => {
    const files = { 'child.yaml': 'include: base.yaml', 'base.yaml': 'contents: {packages: [a}' };
    expect(() => resolve(files)).toThrow(/^base\.yaml: .* at line 1, column 24: \S/);
    expect(() => parseRecipe('package: [', 'one')).toThrow(/^one\.yaml: .* at line 1/);
  });

  it('names the file that includes what cannot be read', () => {
    const read = (file: string) => {
      if (file === 'child.yaml') return 'include: base';
      throw new Error('EISDIR: illegal operation on a directory, read');
    };
    expect(() => resolveDefinition('child.yaml', read)).toThrow(
      'child.yaml includes base: cannot be read: EISDIR',
    );
  });

  it('refuses an unknown key and names the file', () => {
    expect(() => resolve({ 'child.yaml': 'content: {}' })).toThrow(/child\.yaml: .*content/);
  });
});

describe('what apko reads without a word', () => {
  it('takes numbers and truths for texts, as they are written', () => {
    const { definition } = resolve({
      'child.yaml': `
accounts: { run-as: 65532 }
annotations: { containers.bootc: 1 }
environment: { PORT: 8080, PYTHON: 3.10, UMASK: 0022, DEBUG: true, NONE: , NULL: ~ }
`,
    });
    expect(definition).toEqual({
      accounts: { 'run-as': '65532' },
      annotations: { 'containers.bootc': '1' },
      environment: { PORT: '8080', PYTHON: '3.10', UMASK: '0022', DEBUG: 'true', NONE: '', NULL: '' },
    });
  });

  it('takes a key without a value for a missing one', () => {
    const { definition, ownPackages } = resolve({
      'child.yaml': 'include:\ncontents: { keyring: , packages: ~ }\naccounts:\npaths: null\ncmd:',
    });
    expect(ownPackages).toEqual([]);
    expect(definition).toEqual({ contents: {} });
  });

  it.each(['cmd:', 'cmd: ""', 'cmd: null', 'cmd: ~', 'entrypoint: {}', 'entrypoint: { command: , type: ~ }'])(
    'takes %s for none, so that of the base stays',
    (own) => {
      const base = 'cmd: init\nentrypoint: { command: /bin/sh }';
      const { definition } = resolve({ 'child.yaml': `include: base.yaml\n${own}`, 'base.yaml': base });
      expect(definition).toMatchObject({ cmd: 'init', entrypoint: { command: '/bin/sh' } });
    },
  );

  it.each(['0750', '0o750', '488', '0x1e8'])('reads permissions of %s', (permissions) => {
    const { definition } = resolve({
      'child.yaml': `paths: [{ path: /x, type: directory, permissions: ${permissions}, uid: 0, recursive: true }]`,
    });
    expect(definition.paths).toEqual([
      { path: '/x', type: 'directory', permissions: 0o750, uid: 0, recursive: true },
    ]);
  });

  it.each([
    ['true', true],
    ['yes', true],
    ['On', true],
    ['False', false],
    ['no', false],
  ])('reads recursive: %s', (word, recursive) => {
    const { definition } = resolve({
      'child.yaml': `paths: [{ path: /x, type: permissions, recursive: ${word} }]`,
    });
    expect(definition.paths).toEqual([{ path: '/x', type: 'permissions', recursive }]);
  });

  it.each(['{ strategy: origin }', '{ strategy: origin, budget: 0 }', '{}'])(
    'takes layering: %s, in place of that of a base',
    (layering) => {
      const { definition } = resolve({
        'child.yaml': `include: base.yaml\nlayering: ${layering}`,
        'base.yaml': 'layering: { strategy: origin, budget: 16 }',
      });
      expect(definition.layering?.budget ?? 0).toBe(0);
    },
  );

  it('takes a group without a number', () => {
    const { definition } = resolve({ 'child.yaml': 'accounts: { groups: [{ groupname: wheel }] }' });
    expect(definition.accounts?.groups).toEqual([{ groupname: 'wheel' }]);
  });

  it('and no word in the place of a number', () => {
    expect(() =>
      resolve({ 'child.yaml': 'paths: [{ path: /x, type: directory, permissions: u=rwx }]' }),
    ).toThrow('child.yaml: ✖ not a whole number   → at paths[0].permissions');
  });
});

describe('the shipped definitions', () => {
  const read = (file: string) => readFileSync(`images/${file}`, 'utf8');
  const names = readdirSync('images').filter((name) => name.endsWith('.yaml'));
  const bootable = ['bootc', 'containerd', 'niri', 'pinewall-config'];

  it.each(names)('%s resolves, for both arches, to a layering by origin', (name) => {
    const { definition } = resolveDefinition(name, read);
    expect(definition).toMatchObject({ archs: ['x86_64', 'aarch64'], layering: { strategy: 'origin' } });
  });

  it.each(bootable)('%s is bootable', (name) => {
    const { definition } = resolveDefinition(`${name}.yaml`, read);
    expect(definition).toMatchObject({
      cmd: 'init',
      'stop-signal': 'SIGRTMIN+3',
      accounts: { 'run-as': 'root' },
      annotations: { 'containers.bootc': '1' },
      layering: { strategy: 'origin', budget: 100 },
    });
    expect(definition.accounts?.users).toBeUndefined();
  });

  it('gives a user and a network to every host but the bare base, and the router a network of its own', () => {
    const packagesOf = (name: string) =>
      resolveDefinition(`${name}.yaml`, read).definition.contents?.packages ?? [];
    const has = (name: string) => (wanted: string) => packagesOf(name).includes(wanted);
    const wanted = ['nori-user', 'systemd-default-network'];
    expect(bootable.map((name) => wanted.map(has(name)))).toEqual([
      [false, false],
      [true, true],
      [true, true],
      [true, false],
    ]);
  });

  it('builds the service on the same base, as an unprivileged user', () => {
    const { definition, files } = resolveDefinition('apkontainer.yaml', (file) => readFileSync(file, 'utf8'));
    expect(files).toEqual(['apkontainer.yaml', 'images/wolfi-base.yaml']);
    expect(definition.accounts).toMatchObject({
      'run-as': 'nonroot',
      users: [{ username: 'nonroot', uid: 65532 }],
    });
  });

  it('pins its versions to what the recipes build', () => {
    for (const [image, recipe] of [
      ['bootc', 'bootc'],
      ['pinewall-config', 'pinewall-config'],
    ] as const) {
      const [pin] = parseDefinition(read(`${image}.yaml`), image).contents?.packages ?? [];
      const text = readFileSync(`packages/${recipe}.yaml`, 'utf8');
      const version = /^ {2}version: '?([^'\n]+)'?$/m.exec(text)?.[1];
      const epoch = /^ {2}epoch: (\d+)$/m.exec(text)?.[1];
      expect(pin).toBe(`${recipe}=${version}-r${epoch}`);
    }
  });
});
