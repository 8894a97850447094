/**
 * A folder for building the companion's images as shipped: the definitions, a repository of stand-ins, and one of the
 * real static packages.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse, stringify } from 'yaml';

import { resolveDefinition, type Definition } from '../../companion/include.ts';
import { versionOf } from '../../companion/jobs.ts';
import { signedRepository, type ApkPackage, type SigningKey } from '../support/apk-repository.ts';
import { buildStaticPackages } from './static-packages.ts';
import { standIns } from './stand-ins.ts';
import { mustRun } from './tools.ts';

export const workshopTools = ['apko', 'melange', 'bwrap', 'busybox', 'tar', 'root'];

export interface Layer {
  readonly digest: string;
  /** Those whose database entry lies in it; none for the top layer, which has the whole database. */
  readonly packages: readonly string[];
  readonly tar: Buffer;
}

export interface Image {
  readonly digest: string;
  readonly config: {
    readonly Labels?: Record<string, string>;
    readonly Cmd?: string[];
    readonly Entrypoint?: string[];
    readonly User?: string;
    readonly StopSignal?: string;
    readonly WorkingDir?: string;
  };
  /** From the largest origin down; the top layer comes last. */
  readonly layers: readonly Layer[];
}

/** By Go's name of the arch, as image indexes have it. */
export type Images = ReadonlyMap<string, Image>;

export interface BuildOptions {
  /** Another definition in place of the shipped one, by file name. */
  readonly definitions?: Readonly<Record<string, string>>;
  readonly extraPackages?: readonly ApkPackage[];
}

export interface Workshop {
  readonly key: SigningKey;
  readonly folder: string;
  /** Builds an image as it is shipped; what hosts get to see of it. */
  build(name: string, options?: BuildOptions): Promise<Images>;
  /** The same as a folder: the OCI layout that apko wrote. */
  layOut(name: string, options?: BuildOptions): Promise<string>;
}

/** `packages` are in place of Wolfi's and of the recipes' that are not built here. */
export async function openWorkshop(
  folder: string,
  packages: (arch: string) => readonly ApkPackage[] = standIns,
): Promise<Workshop> {
  const key = await buildStaticPackages(folder);
  for (const arch of ['x86_64', 'aarch64']) {
    await signedRepository({ dir: join(folder, 'stand-ins'), arch, packages: packages(arch), key });
  }
  const layOut = async (name: string, { definitions = {}, extraPackages = [] }: BuildOptions = {}) => {
    const work = mkdtempSync(join(folder, 'build-'));
    copyDefinitions(work, definitions);
    const repositories = [join(folder, 'stand-ins'), join(folder, 'built')];
    for (const own of extraPackages) {
      const dir = mkdtempSync(join(folder, 'extra-'));
      await signedRepository({ dir, arch: own.arch ?? 'x86_64', packages: [own], key });
      repositories.push(dir);
    }
    // The service's own definition lies above the others.
    const cwd = name === 'apkontainer' ? work : join(work, 'images');
    const { ownPackages } = resolveDefinition(`${name}.yaml`, (file) =>
      readFileSync(join(cwd, file), 'utf8'),
    );
    const version = versionOf(ownPackages);
    const layout = join(work, 'layout');
    mkdirSync(layout);
    mustRun(
      'apko',
      [
        ...['build', '--vcs=false', '--sbom=false', '--log-level', 'error'],
        ...repositories.flatMap((repository) => ['-b', repository]),
        // As the pipelines and the Justfile do.
        ...(version === undefined ? [] : ['--annotations', `org.opencontainers.image.version:${version}`]),
        ...['-k', join(folder, key.name), `${name}.yaml`, `${name}:test`, layout],
      ],
      { cwd },
    );
    return layout;
  };

  return { key, folder, layOut, build: async (name, options) => readLayout(await layOut(name, options)) };
}

/** As shipped, but for the addresses of the repositories, which the bases alone mention. */
export function copyDefinitions(target: string, replaced: Readonly<Record<string, string>>): void {
  mkdirSync(join(target, 'images'));
  copyFileSync('apkontainer.yaml', join(target, 'apkontainer.yaml'));
  for (const name of readdirSync('images').filter((entry) => entry.endsWith('.yaml'))) {
    const text = replaced[name] ?? readFileSync(`images/${name}`, 'utf8');
    writeFileSync(join(target, 'images', name), name.endsWith('-base.yaml') ? withoutNetwork(text) : text);
  }
}

function withoutNetwork(text: string): string {
  const base = parse(text) as Definition;
  const { packages, repositories } = base.contents ?? {};
  // Written into the image as ever, but not asked.
  return stringify({ ...base, contents: { packages, runtime_repositories: repositories } });
}

/** Writes the image's files below `root`, layer over layer. */
export function unpack(image: Image, root: string): string {
  mkdirSync(root, { recursive: true });
  for (const { tar } of image.layers) {
    mustRun('tar', ['-x', '-C', root, '--numeric-owner', '-f', '-'], { input: tar });
  }
  return root;
}

interface Descriptor {
  readonly digest: string;
  readonly platform?: { readonly architecture: string };
}

interface Manifest {
  readonly manifests?: readonly Descriptor[];
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export function readLayout(layout: string): Images {
  const json = (bytes: Buffer) => JSON.parse(bytes.toString()) as unknown;
  const blob = (digest: string) => readFileSync(join(layout, 'blobs', digest.replace(':', '/')));
  const images = new Map<string, Image>();
  const pending = [...((json(readFileSync(join(layout, 'index.json'))) as Manifest).manifests ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { digest, platform } = next;
    const manifest = json(blob(digest)) as Manifest;
    if (manifest.manifests) {
      pending.push(...manifest.manifests);
      continue;
    }
    const top = manifest.layers.length - 1;
    const layers = manifest.layers.map(({ digest }, position) => {
      const tar = gunzipSync(blob(digest));
      return { digest, tar, packages: position === top ? [] : packagesIn(tar) };
    });
    const { config } = json(blob(manifest.config.digest)) as Pick<Image, 'config'>;
    images.set(platform?.architecture ?? '', { digest, config, layers });
  }
  return images;
}

function packagesIn(layer: Buffer): string[] {
  const database = mustRun('tar', ['-xO', '-f', '-', 'usr/lib/apk/db/installed'], { input: layer }).stdout;
  return [...database.matchAll(/^P:(.*)$/gm)].map(([, name]) => name ?? '');
}
