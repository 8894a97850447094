/**
 * What `apk-beacon delta` predicts, beside the layers that apko builds. The packages have the files of Debian packages on
 * this machine, so sizes and numbers of files are real.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { signedRepository, signingKey, type ApkFile, type ApkPackage } from '../support/apk-repository.ts';
import { start } from '../support/process.ts';
import { describeWith, environment, makeFolder, mustRun } from './tools.ts';

const key = signingKey();
const MAX_BYTES = 60e6;

interface DeltaJson {
  readonly archs: readonly {
    readonly arch: string;
    readonly bytes: number;
    readonly top: number;
    readonly layers: readonly { readonly packages: readonly string[]; readonly bytes: number }[];
    readonly whole: { readonly bytes: number; readonly layers: number };
  }[];
}

interface RealLayer {
  readonly digest: string;
  readonly size: number;
}

/** Packages of this machine, chosen by a hash of their names until there are enough bytes. */
function packagesHere(): readonly ApkPackage[] {
  const format = '${Package}\t${source:Package}\t${Installed-Size}\n';
  const listed = execFileSync('dpkg-query', ['-W', '-f', format], { encoding: 'utf8', maxBuffer: 1e8 });
  const all = listed
    .split('\n')
    .flatMap((line) => {
      const [name = '', origin = '', kibibytes = ''] = line.split('\t');
      const isUsable = /^[a-z0-9][a-z0-9.+-]+$/.test(name) && Number(kibibytes) * 1024 < MAX_BYTES / 6;
      return isUsable ? [{ name, origin }] : [];
    })
    .toSorted((a, b) => (hashOf(a.name) < hashOf(b.name) ? -1 : 1));
  const packages: ApkPackage[] = [];
  let bytes = 0;
  const taken = new Set<string>();
  for (const { name, origin } of all) {
    const files = filesOf(name).filter(({ path }) => !taken.has(path));
    const size = files.reduce((sum, file) => sum + (file.type === 'file' ? file.content.length : 0), 0);
    if (size < 20_000 || bytes + size > MAX_BYTES) continue;
    for (const { path } of files) taken.add(path);
    bytes += size;
    packages.push({
      name,
      origin,
      version: '1.0-r0',
      files,
      buildDate: 1_750_000_000 + packages.length * 1000,
    });
    if (bytes > 0.9 * MAX_BYTES || packages.length === 70) break;
  }
  return packages;
}

function filesOf(name: string): readonly ApkFile[] {
  const paths = execFileSync('dpkg', ['-L', name], { encoding: 'utf8' }).split('\n');
  return paths
    .filter((path) => path.startsWith('/usr/') && existsSync(path))
    .flatMap((path): ApkFile[] => {
      const stat = lstatSync(path);
      const own = path.slice(1);
      if (stat.isSymbolicLink()) return [{ path: own, type: 'symlink', target: readlinkSync(path) }];
      if (!stat.isFile()) return [];
      return [{ path: own, type: 'file', mode: stat.mode & 0o7777, content: readFileSync(path) }];
    });
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

describeWith(['apko', 'dpkg-query', 'root'], 'a predicted delta', () => {
  const folder = makeFolder();
  const repository = join(folder, 'os');
  const packages = packagesHere();
  const layout: ApkPackage = {
    name: 'baselayout',
    version: '1-r0',
    files: [
      ...['etc', 'usr/bin', 'usr/lib', 'var'].map((path) => ({ path, type: 'directory' as const })),
      { path: 'lib', type: 'symlink', target: 'usr/lib' },
      { path: 'etc/passwd', type: 'file', content: 'root:x:0:0:root:/root:/bin/sh\n' },
      { path: 'etc/group', type: 'file', content: 'root:x:0:\n' },
    ],
  };
  const bySize = packages.toSorted((a, b) => bytesOf(b) - bytesOf(a));

  function bytesOf({ files = [] }: ApkPackage): number {
    return files.reduce((sum, file) => sum + (file.type === 'file' ? file.content.length : 0), 0);
  }

  /** A later build: other bytes of about the same size. */
  const rebuilt = (own: ApkPackage): ApkPackage => ({
    ...own,
    version: '1.1-r0',
    buildDate: 1_760_000_000,
    files: (own.files ?? []).map((file) =>
      file.type === 'file'
        ? { ...file, content: Buffer.concat([Buffer.from(file.content), Buffer.from('1.1')]) }
        : file,
    ),
  });

  beforeAll(async () => {
    writeFileSync(join(folder, key.name), key.publicPem);
    await signedRepository({
      dir: repository,
      arch: 'x86_64',
      packages: [layout, ...packages, ...packages.map(rebuilt)],
      key,
    });
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** An image of all packages, some of them at the later version. */
  const define = (name: string, raised: readonly string[], budget: number | undefined): string => {
    const file = join(folder, `${name}.yaml`);
    const listed = packages.map((own) => `${own.name}=${raised.includes(own.name) ? '1.1-r0' : '1.0-r0'}`);
    const contents = { repositories: [repository], packages: ['baselayout', ...listed] };
    const layering = budget === undefined ? {} : { layering: { strategy: 'origin', budget } };
    writeFileSync(file, stringify({ contents, archs: ['x86_64'], ...layering }));
    return file;
  };

  const build = (file: string): readonly RealLayer[] => {
    const out = `${file}.layout`;
    mkdirSync(out);
    const flags = ['--vcs=false', '--sbom=false', '--log-level', 'error'];
    mustRun('apko', ['build', ...flags, '-k', join(folder, key.name), file, 'test:latest', out], {
      env: environment,
    });
    const read = (digest: string): { layers: RealLayer[]; manifests?: { digest: string }[] } =>
      JSON.parse(readFileSync(join(out, 'blobs', digest.replace(':', '/')), 'utf8')) as never;
    let manifest = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as ReturnType<typeof read>;
    while (manifest.manifests) manifest = read(manifest.manifests[0]?.digest ?? '');
    return manifest.layers;
  };

  const predict = async (old: string, now: string): Promise<DeltaJson['archs'][number]> => {
    const flags = ['--repository', repository, '--arch', 'x86_64', '--key', join(folder, key.name)];
    await using run = start(['delta', old, now, '--json', '--cache-dir', 'none', ...flags]);
    const code = await run.ended;
    expect(code, run.lines.join('\n')).toBe(0);
    const [arch] = (JSON.parse(run.lines.join('\n')) as DeltaJson).archs;
    return arch!;
  };

  it('names the layers that change, and about their size', { timeout: 600_000 }, async () => {
    /** Packages by their place, from the largest (0) to the smallest (1). */
    const names = (...places: readonly number[]): string[] =>
      places.map((place) => bySize[Math.round(place * (bySize.length - 1))]?.name ?? '');
    const rows: string[][] = [];
    const cases = [
      ['the largest', names(0)],
      ['one of the middle', names(0.3)],
      ['a small one', names(0.9)],
      ['three', names(0.1, 0.4, 0.7)],
      ['all', bySize.map(({ name }) => name)],
    ] as const;
    for (const budget of [10, 30, 100, undefined]) {
      const old = define(`old-${budget}`, [], budget);
      const before = build(old);
      const known = new Set(before.map(({ digest }) => digest));
      for (const [what, raised] of budget === undefined ? cases.slice(2, 3) : cases) {
        const file = define(`new-${budget}-${what.replaceAll(' ', '-')}`, raised, budget);
        const after = build(file);
        const delta = await predict(old, file);
        const fetched = after.filter(({ digest }) => !known.has(digest));
        const real = fetched.reduce((sum, { size }) => sum + size, 0);
        const whole = after.reduce((sum, { size }) => sum + size, 0);
        expect(delta.layers.length + (delta.top > 0 ? 1 : 0), `${budget} ${what}`).toBe(fetched.length);
        expect(delta.whole.layers).toBe(after.length);
        const error = delta.bytes / real - 1;
        // 6 %, and what tar and gzip add to the smallest layers.
        const most = 0.06 * real + 10_000;
        expect(Math.abs(delta.bytes - real), `${budget} ${what}: ${delta.bytes} for ${real}`).toBeLessThan(
          most,
        );
        rows.push([
          ...[String(budget ?? 'none'), what, `${fetched.length} of ${after.length}`],
          ...[real, delta.bytes].map((bytes) => `${Math.round(bytes / 1000).toLocaleString('en')} kB`),
          `${error > 0 ? '+' : '−'}${Math.abs(100 * error).toFixed(1)} %`,
          `${((100 * real) / whole).toFixed(1)} %`,
        ]);
      }
    }
    // The table of docs/delta.md.
    process.stderr.write(`${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`);
  });
});
