/** The image, built by a real builder on base images made here, and started by its entrypoint. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressOf, startProgram, type RunningProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';
import { haveTools, run } from './tools.ts';

const env = { ...process.env, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' };
const prefix = 'localhost/apk-beacon-test';
const buildah = (...args: readonly string[]): Promise<string> => run('buildah', args, { env });

interface Inspected {
  readonly Docker: {
    readonly config: {
      readonly User: string;
      readonly Env: readonly string[];
      readonly Entrypoint: readonly string[];
      readonly Healthcheck: { readonly Test: readonly string[] };
      readonly ExposedPorts: Record<string, object>;
      readonly Labels: Record<string, string>;
    };
  };
}

const inspect = async (image: string): Promise<Inspected['Docker']> =>
  (JSON.parse(await buildah('inspect', '--type', 'image', image)) as Inspected).Docker;

async function build(image: string, ...options: readonly string[]): Promise<void> {
  const common = ['--quiet', '--layers', '--pull-never', '--network=host', '--format=docker'];
  const native = `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const args = [`--build-arg=BUILDPLATFORM=${native}`, `--build-arg=BUILD_IMAGE=${prefix}/build`];
  await buildah('build', ...common, ...args, ...options, '-t', image, '.');
}

/** The files of a folder, by name. */
async function contents(folder: string): Promise<Map<string, Buffer>> {
  const names = (await readdir(folder)).toSorted();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
}

describe.skipIf(!haveTools('buildah', 'unshare', 'chroot', 'ldd', 'npm'))('the image', () => {
  const image = `${prefix}/service`;
  let container: string;
  let root: string;
  let data: string;

  beforeAll(async () => {
    await run('test/operate/local-images.sh', [process.execPath], { env });
    await build(image, `--build-arg=RUNTIME_IMAGE=${prefix}/runtime`);
    container = (await buildah('from', image)).trim();
    root = (await buildah('mount', container)).trim();
    data = await temporaryFolder();
    await chmod(data, 0o755);
    await writeFile(join(data, testKey().name), testKey().pem);
    for (const arch of ['x86_64', 'aarch64']) {
      await mkdir(join(data, arch));
      const index = await signedIndex([pkg('curl', '8.21.0-r1', { A: arch })]);
      await writeFile(join(data, arch, 'APKINDEX.tar.gz'), index);
    }
  });
  afterAll(async () => {
    await buildah('rm', container);
    for (const name of ['service', 'runtime', 'build'])
      await buildah('rmi', '--force', `${prefix}/${name}`).catch(() => undefined);
  });

  /** Starts the image's entrypoint with `args`, on a read-only root. */
  async function start(args: readonly string[], command?: readonly string[]): Promise<RunningProcess> {
    const { config } = await inspect(image);
    const program = command ?? config.Entrypoint;
    return startProgram('test/operate/run-image.sh', [
      root,
      config.User,
      data,
      ...config.Env,
      '--',
      ...program,
      ...args,
    ]);
  }

  test('does not run as root, and has labels and a health check', async () => {
    const { config } = await inspect(image);
    expect(config.User).toBe('65532:65532');
    expect(Object.keys(config.ExposedPorts)).toEqual(['3000/tcp']);
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'apk-beacon',
      'org.opencontainers.image.licenses': 'MIT',
    });
    expect(config.Healthcheck.Test).toEqual(['CMD', ...config.Entrypoint, 'health']);
  });

  test('adds to its base the bundle and the folder of the cache, which belongs to its user, and no shell', async () => {
    expect(existsSync(join(root, 'bin/sh'))).toBe(false);
    const installed = await contents(join(root, 'usr/lib/apk-beacon'));
    const { uid, gid } = await stat(join(root, 'var/cache/apk-beacon'));
    expect([uid, gid]).toEqual([65532, 65532]);
    const here = join(data, 'dist');
    await run(process.execPath, ['scripts/build.ts', here]);
    expect(installed).toEqual(await contents(here));
    const bytes = [...installed.values()].reduce((sum, file) => sum + file.length, 0);
    process.stdout.write(`the image adds ${(bytes / 1e6).toFixed(1)} MB to its runtime\n`);
  });

  test('answers lookups on a read-only root, is healthy, and stops', async () => {
    const began = performance.now();
    const options = ['--repository', '/tmp', '--key', `/tmp/${testKey().name}`];
    await using service = await start([...options, '--listen', '127.0.0.1:0']);
    const address = await addressOf(service);
    const answer = await fetch(`${address}/curl`);
    process.stdout.write(
      `the first lookup was answered after ${(performance.now() - began).toFixed(0)} ms\n`,
    );
    expect(await answer.json()).toMatchObject({ releases: [{ version: '8.21.0-r1' }] });
    const status = await readFile(`/proc/${service.child.pid}/status`, 'utf8');
    expect(status).toMatch(/^Uid:\t65532\t65532\t65532/m);

    const { config } = await inspect(image);
    const [, ...command] = config.Healthcheck.Test;
    await using health = await start(['--listen', new URL(address).host], command);
    expect(await health.ended, health.lines.join()).toBe(0);

    // As `kubectl exec` or `docker exec` runs it; the folder of the cache is read-only here.
    await using inPath = await start(['accept', 'default', '--repository', '/tmp'], ['apk-beacon']);
    expect(await inPath.ended, inPath.lines.join()).toBe(0);
    expect(inPath.lines).toEqual(['no index of default is held back']);

    service.child.kill('SIGTERM');
    expect(await service.ended).toBe(0);
  });
});
