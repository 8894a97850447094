/** The npm package: packed, installed into an empty folder without a network, and every command run there. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, pack, type Packed } from '../support/npm-package.ts';
import { addressOf, startProgram } from '../support/process.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';
import { haveTools } from './tools.ts';

const execute = promisify(execFile);
const { version, engines } = JSON.parse(await readFile('package.json', 'utf8')) as {
  version: string;
  engines: { node: string };
};
const oldest = resolve('.cache/operate/oldest-node/node_modules/.bin/node');

let project: string;
let packed: Packed;
let installed: string;

describe.skipIf(!haveTools('npm', oldest))('the npm package', () => {
  beforeAll(async () => {
    project = await checkout();
    packed = await pack(project);
    installed = await temporaryFolder();
    // Nothing is fetched: the package contains everything it needs.
    // With a prefix, npm does not look for a project in the folders above.
    const args = ['install', '--prefix', installed, '--offline', '--no-audit', '--no-fund', packed.tarball];
    await execute('npm', args, { cwd: installed });
  });
  afterAll(async () => {
    for (const folder of [project, installed]) await rm(folder, { recursive: true, force: true });
  });

  test('holds the bundle, its documents, and nothing else', () => {
    const others = packed.files.filter(
      (path) =>
        !/^dist\/(apk-beacon(-images)?|check|feed-(reader|starter)|part-\w+)\.mjs(\.LEGAL\.txt)?$/.test(path),
    );
    const expected = ['LICENSE', 'README.md', 'dist/check.d.ts', 'docs/apk-beacon.1', 'package.json'];
    expect(others.toSorted()).toEqual(expected);
    expect(packed.files).toContain('dist/apk-beacon.mjs');
    process.stdout.write(`${packed.files.length} files, ${(packed.size / 1e3).toFixed(0)} kB to download\n`);
  });

  test('has types for its function', async () => {
    const program = `import { check, type CheckReport } from 'apk-beacon/check';\nexport const report: Promise<CheckReport> = check({ paths: ['images'] });\n`;
    await writeFile(join(installed, 'typed.ts'), program);
    const tsc = resolve('node_modules/.bin/tsc');
    const args = ['--noEmit', '--strict', '--module', 'nodenext', '--lib', 'esnext,dom', 'typed.ts'];
    await execute(tsc, args, { cwd: installed });
  });

  test('brings nothing with it', async () => {
    const modules = await readdir(join(installed, 'node_modules'));
    expect(modules.filter((name) => !name.startsWith('.'))).toEqual(['apk-beacon']);
  });

  describe.each([
    ['the oldest Node it says it runs on', oldest],
    ['the Node of the tests', process.execPath],
  ])('on %s', (_, node) => {
    const PATH = [dirname(node), process.env['PATH'] ?? ''].join(delimiter);
    let folder: string;
    let source: readonly string[];

    beforeAll(async () => {
      folder = await temporaryFolder();
      const key = join(folder, testKey().name);
      await writeFile(key, testKey().pem);
      for (const arch of ['x86_64', 'aarch64']) {
        await mkdir(join(folder, 'os', arch), { recursive: true });
        const packages = [pkg('curl', '8.20.0-r0', { A: arch }), pkg('curl', '8.21.0-r1', { A: arch })];
        await writeFile(join(folder, 'os', arch, 'APKINDEX.tar.gz'), await signedIndex(packages));
      }
      source = ['--repository', join(folder, 'os'), '--key', key, '--cache-dir', join(folder, 'cache')];
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    /** As a shell in the folder runs it; nothing is looked for elsewhere. */
    async function npx(...args: readonly string[]): Promise<string> {
      const options = { cwd: installed, env: { PATH, HOME: folder, npm_config_update_notifier: 'false' } };
      return (await execute('npx', ['--offline', '--no', 'apk-beacon', ...args], options)).stdout;
    }

    test('it is that Node', async () => {
      const { stdout } = await execute(node, ['--version']);
      const least = engines.node.replace('>=', '').split('.').map(Number);
      const found = stdout.trim().slice(1).split('.').map(Number);
      if (node === oldest) expect(found.slice(0, least.length)).toEqual(least);
      else expect(found[0]).toBeGreaterThan(least[0] ?? 0);
    });

    test('version, help and config', async () => {
      expect(await npx('version')).toBe(`${version}\n`);
      expect(await npx('help')).toMatch(/^apk-beacon – .*\n[^]*explain NAME/);
      expect(await npx('config', ...source)).toContain(join(folder, 'os'));
    });

    test('explain', async () => {
      expect(await npx('explain', 'curl=8.20.0-r0', ...source)).toContain('8.21.0-r1');
    });

    test('check, as a command and as a function', async () => {
      await writeFile(
        join(folder, 'Dockerfile'),
        'FROM ghcr.io/acme/own\nRUN apk add curl=8.20.0-r0 gone=1.0-r0\n',
      );
      const command = npx('check', join(folder, 'Dockerfile'), ...source);
      await expect(command).rejects.toMatchObject({
        code: 1,
        stdout: expect.stringContaining('no package gone'),
      });
      const script = `
        import { check } from 'apk-beacon/check';
        const options = JSON.parse(process.argv[1]);
        console.log(JSON.stringify((await check(options)).findings.map(({ rule }) => rule)));
      `;
      const options = {
        root: folder,
        paths: ['Dockerfile'],
        repositories: [join(folder, 'os')],
        keys: [source[3]],
      };
      const args = ['--input-type=module', '--eval', script, JSON.stringify(options)];
      const { stdout } = await execute(node, args, { cwd: installed, env: { PATH } });
      expect(JSON.parse(stdout)).toEqual(['behind', 'unknown-name']);
    });

    test('export and preset', async () => {
      const out = join(folder, 'public');
      expect(await npx('export', '--out', out, '--name', 'os', ...source)).toMatch(/^exported 1 name of os/);
      expect(JSON.parse(await readFile(join(out, 'os/curl'), 'utf8'))).toMatchObject({
        releases: [{ version: '8.20.0-r0' }, { version: '8.21.0-r1' }],
      });
      const preset = JSON.parse(
        await npx('preset', '--url', 'http://beacon.example.com', ...source),
      ) as object;
      expect(preset).toHaveProperty('customManagers');
    });

    test('accept', async () => {
      expect(await npx('accept', 'default', ...source)).toContain('no index of default is held back');
    });

    test('serve, health, and the end', async () => {
      const bin = join(installed, 'node_modules/.bin/apk-beacon');
      await using service = startProgram(bin, ['serve', '--listen', '127.0.0.1:0', ...source], { PATH });
      const address = await addressOf(service);
      expect(await (await fetch(`${address}/curl/latest`)).text()).toBe('8.21.0-r1\n');
      await npx('health', '--listen', new URL(address).host);
      service.child.kill('SIGTERM');
      expect(await service.ended).toBe(0);
      await expect(npx('health', '--listen', new URL(address).host)).rejects.toThrow(/not alive/);
    });
  });
});
