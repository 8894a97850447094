/**
 * apko installs from a cooled view of a signed repository (docs/decisions/019): nothing younger than the age, also what is
 * needed indirectly, and nothing that cannot be resolved. The repository is generated: libraries with new sonames,
 * parts that need each other exactly, and releases of any age.
 */
import { copyFileSync, createReadStream, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signedRepository, signingKey, type ApkPackage } from '../support/apk-repository.ts';
import { Random } from '../support/random.ts';
import { startService, type TestService } from '../support/service.ts';
import { testKey } from '../support/signed-index.ts';
import { describeWith, environment, makeFolder, mustRun, run } from './tools.ts';

const NAMES = 500;
const NAMES_A_RUN = 20;
const AT_ONCE = 2;
const DAY = 86_400;
const AGE = 7 * DAY;

interface Release extends ApkPackage {
  readonly buildDate: number;
}

/** Tools, each with data of its own version, and libraries of which each soname is a package. */
function releases(random: Random, now: number): readonly Release[] {
  const made: Release[] = [];
  const libraries: { name: string; soname: string; version: string }[] = [];
  const date = (): number =>
    now - (random.integer(3) === 0 ? random.integer(AGE - 3600) : AGE + random.integer(90 * DAY));
  for (let i = 0; i < 1.3 * NAMES; i += 1) {
    const versions = ['1.0-r0', '1.1-r0', '2.0-r0'].slice(0, 1 + random.integer(3));
    const dates = versions.map(date).toSorted((a, b) => a - b);
    for (const [k, version] of versions.entries()) {
      const buildDate = dates[k] as number;
      const needs = Array.from({ length: Math.min(libraries.length, random.integer(4)) }, () => {
        const { soname, version: built } = random.pick(libraries);
        return random.integer(2) === 0 ? soname : `${soname}>=${built}`;
      });
      const depends = [...new Map(needs.map((need) => [need.split('>', 1)[0], need])).values()];
      const files = [{ path: `opt/${i}/${version}`, type: 'file', content: version } as const];
      const common = { version, buildDate, files, origin: `origin-${i}` };
      if (i % 3 === 0) {
        const soname = `so:lib${i}.so.${version.charAt(0)}`;
        const name = `lib${i}-${version.charAt(0)}`;
        made.push({ ...common, name, depends, provides: [`${soname}=${version}`] });
        libraries.push({ name, soname, version });
      } else {
        made.push({ ...common, name: `tool${i}`, depends: [`tool${i}-data=${version}`, ...depends] });
        // A part may have been seen later.
        const later = random.integer(4) === 0 ? Math.max(buildDate, date()) : buildDate;
        made.push({ ...common, name: `tool${i}-data`, buildDate: later, files: [] });
      }
    }
  }
  return made;
}

function image(repository: string, key: string, packages: readonly string[]): string {
  return JSON.stringify({
    contents: { repositories: [repository], keyring: [key], packages },
    archs: ['x86_64'],
  });
}

describeWith(['apko', 'tar'], 'a cooldown mirror', () => {
  const folder = makeFolder();
  const repository = join(folder, 'repository');
  const key = signingKey('repository.rsa.pub');
  const own = testKey('beacon.rsa.pub');
  const ownKey = join(folder, own.name);
  const repositoryKey = join(folder, key.name);
  const now = Math.floor(Date.now() / 1000);
  const all = releases(new Random(17), now);
  const builtAt = new Map(all.map(({ name, version, buildDate }) => [`${name}=${version}`, buildDate]));
  const upstream = createServer((request, response) => {
    createReadStream(join(repository, request.url ?? ''))
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
  });
  let service: TestService;
  let address = '';

  beforeAll(async () => {
    await signedRepository({ dir: repository, arch: 'x86_64', packages: all, key });
    writeFileSync(ownKey, own.pem);
    writeFileSync(repositoryKey, key.publicPem);
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const web = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const common = { archs: ['x86_64'], keys: [repositoryKey] };
    service = await startService({
      config: {
        datasources: {
          folder: { ...common, repositories: [repository] },
          web: { ...common, repositories: [web] },
        },
        signingKey: { name: own.name, key: { env: 'SIGNING_KEY' } },
      },
      environment: { SIGNING_KEY: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
    });
    await service.beacon.refreshOnce(new AbortController().signal);
    address = await service.server.listen({ host: '127.0.0.1', port: 0 });
  });

  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    upstream.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What apko writes. Not `run`: apko asks the service, which is in this process. */
  async function apko(...args: readonly string[]): Promise<string> {
    return await new Promise((resolve, reject) => {
      execFile('apko', args, { env: environment, cwd: folder }, (error, stdout, stderr) => {
        if (error) reject(new Error(`apko ${args.join(' ')}: ${stderr}`));
        else resolve(stdout);
      });
    });
  }

  /** `name=version` of all that apko would install. */
  async function resolve(name: string, text: string): Promise<readonly string[]> {
    writeFileSync(join(folder, `${name}.yaml`), text);
    const stdout = await apko(
      ...['show-packages', `${name}.yaml`, '--format', 'name=version', '--log-level', 'error'],
      ...['--cache-dir', join(folder, 'cache')],
    );
    return stdout.split('\n').filter((line) => line !== '');
  }

  const isYoung = (release: string): boolean => (builtAt.get(release) ?? Infinity) > now - AGE;

  test(`resolves ${NAMES} names, with nothing that is younger`, async () => {
    const names = [...new Set(all.map(({ name }) => name))];
    const there = await listed();
    const offered = names.filter((name) => there.has(name));
    expect(offered.length).toBeGreaterThanOrEqual(NAMES);
    const asked = offered.slice(-NAMES);
    const groups = Array.from({ length: NAMES / NAMES_A_RUN }, (_, i) =>
      asked.slice(i * NAMES_A_RUN, (i + 1) * NAMES_A_RUN),
    );
    let indirect = 0;
    const queue = [...groups.entries()];
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const [i, group] = next;
        const found = await resolve(`cooled-${i}`, image(`${address}/folder@7d`, ownKey, group));
        expect(found.filter(isYoung)).toEqual([]);
        for (const name of group) expect(found.some((each) => each.startsWith(`${name}=`))).toBe(true);
        indirect += found.length - group.length;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    expect(indirect).toBeGreaterThan(NAMES / 5);
    // Without the age there would be many.
    const whole = await resolve('whole', image(repository, repositoryKey, asked));
    expect(whole.filter(isYoung).length).toBeGreaterThan(100);
  });

  async function listed(): Promise<ReadonlySet<string>> {
    const answer = await fetch(`${address}/folder@7d/x86_64/APKINDEX.tar.gz`);
    const file = join(folder, 'index.tar.gz');
    writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
    const text = run('tar', ['-xzOf', file, 'APKINDEX']).stdout;
    return new Set([...text.matchAll(/^P:(.*)$/gm)].map(([, name = '']) => name));
  }

  /** Builds an image of the packages, and returns what is installed in it. */
  async function build(
    name: string,
    address: string,
    packages: readonly string[],
  ): Promise<readonly string[]> {
    writeFileSync(join(folder, `${name}.yaml`), image(address, ownKey, packages));
    await apko(
      ...['build', '--vcs=false', '--sbom=false', '--log-level', 'error'],
      ...['--cache-dir', join(folder, `${name}-cache`), `${name}.yaml`, `${name}:test`, `${name}.tar`],
    );
    const inFolder = { cwd: folder };
    const [layer = ''] =
      mustRun('tar', ['-tf', `${name}.tar`], inFolder).stdout.match(/^.*\.tar\.gz$/m) ?? [];
    mustRun('tar', ['-xf', `${name}.tar`, layer], inFolder);
    const database = ['-xzOf', layer, '--wildcards', '*lib/apk/db/installed'];
    const installed = mustRun('tar', database, inFolder).stdout;
    return [...installed.matchAll(/^P:(.*)\nV:(.*)$/gm)].map(([, own, version]) => `${own}=${version}`);
  }

  test.each(['folder', 'web'])('is installed from, if the repository is a %s', async (datasource) => {
    const names = [...(await listed())].filter((name) => name.startsWith('tool')).slice(-100);
    const installed = await build(datasource, `${address}/${datasource}@7d`, names);
    expect(installed.length).toBeGreaterThan(names.length);
    expect(installed.filter(isYoung)).toEqual([]);
  });

  test('does not pass for another package: apko verifies each', async () => {
    const name = [...(await listed())].findLast((each) => each.startsWith('lib')) as string;
    const folderOf = join(repository, 'x86_64');
    const [file, other] = [name, 'lib0-1'].map((each) =>
      readdirSync(folderOf).find((entry) => entry.startsWith(`${each}-`)),
    );
    for (const each of readdirSync(folderOf).filter((entry) => entry.startsWith(`${name}-`)))
      copyFileSync(join(folderOf, other ?? ''), join(folderOf, each));
    expect(file).not.toBe(other);
    await expect(build('forged', `${address}/web@7d`, [name])).rejects.toThrow(/checksum|mismatch|verif/i);
  });
});
