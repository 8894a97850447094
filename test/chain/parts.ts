/** The parts of the chain: a repository of packages, a registry, a receiver of notifications, and hosts. */
import { execFile } from 'node:child_process';
import { createHash, createCipheriv } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { standIns } from '../companion/stand-ins.ts';
import { environment } from '../companion/tools.ts';
import { copyDefinitions } from '../companion/workshop.ts';
import { signedRepository, type ApkPackage, type SigningKey } from '../support/apk-repository.ts';
import { startProgram, type RunningProcess } from '../support/process.ts';

export const archs = ['x86_64', 'aarch64'] as const;
const exec = promisify(execFile);

/** Sizes of packages in Wolfi's index of 2026-07-24, x86_64. */
const wolfiSizes = JSON.parse(readFileSync(new URL('wolfi-sizes.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, number>
>;
/** The chain's packages have a tenth of the size, and others this one. */
const SCALE = 10;
const OTHER_SIZE = 100_000;
const FILLERS = 200;

/** Bytes that do not compress, the same for the same text. */
function noise(text: string, size: number): Buffer {
  const key = createHash('sha256').update(text).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** A stand-in with about the size that it has in Wolfi, in proportion. */
export function weighed(own: ApkPackage, buildDate: number): ApkPackage {
  const size = Math.round((wolfiSizes[own.name] ?? OTHER_SIZE * SCALE) / SCALE);
  const content = noise(`${own.name} ${own.version} ${own.arch ?? ''}`, size);
  const files = [
    ...(own.files ?? []),
    { path: `usr/share/chain/${own.name}`, type: 'file' as const, content },
  ];
  return { ...own, files, buildDate, installedSize: size };
}

const made = new Map<string, readonly ApkPackage[]>();

/** All that the images need, and a few hundred that they do not. */
export function packagesOf(arch: string, buildDate: number): readonly ApkPackage[] {
  const all = made.get(arch) ?? makePackages(arch, buildDate);
  made.set(arch, all);
  return all;
}

function makePackages(arch: string, buildDate: number): readonly ApkPackage[] {
  const fillers = Array.from({ length: FILLERS }, (_, i): ApkPackage => ({
    ...{ name: `filler-${i}`, version: '1.0-r0', arch, origin: `filler-${i % 50}`, buildDate },
    files: [{ path: `usr/share/filler/${i}`, type: 'file', content: `filler ${i}\n` }],
  }));
  return [...standIns(arch).map((own) => weighed(own, buildDate)), ...fillers];
}

/** What was published before, which is not built again. */
const published = new Map<string, string>();

/** Writes what a publisher publishes, signed. */
export async function publish(
  dir: string,
  packagesFor: (arch: string) => readonly ApkPackage[],
  options: { readonly key: SigningKey; readonly madeAt: number; readonly only?: readonly string[] },
): Promise<void> {
  const { only = archs, ...rest } = options;
  for (const arch of only)
    await signedRepository({ dir, arch, packages: packagesFor(arch), known: published, ...rest });
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface FolderServer extends AsyncDisposable {
  readonly url: string;
  /** In place of the files. */
  answer: Answer | undefined;
}

/** A web server of the files in a folder. */
export async function serveFolder(folder: string): Promise<FolderServer> {
  const server: Server = createServer((request, response) => {
    if (shown.answer) {
      shown.answer(request, response);
      return;
    }
    try {
      const bytes = readFileSync(join(folder, decodeURIComponent(request.url ?? '')));
      const etag = `"${createHash('sha1').update(bytes).digest('hex')}"`;
      if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
      else response.writeHead(200, { etag }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const shown: FolderServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return shown;
}

export interface Told {
  readonly id: string;
  readonly at: number;
  /** `name newest` each. */
  readonly changes: readonly string[];
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly told: readonly Told[];
}

/** What GitLab would be: it is called, and `onCall` is the pipeline. */
export async function startReceiver(onCall: (told: Told) => void): Promise<Receiver> {
  const told: Told[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const { id, data } = body as { id: string; data: { changes: { name: string; newest?: string }[] } };
      const changes = data.changes.map(({ name, newest = '(none)' }) => `${name} ${newest}`);
      const call = { id, at: performance.now(), changes };
      told.push(call);
      response.writeHead(201).end();
      onCall(call);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/trigger`,
    told,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Registry extends AsyncDisposable {
  readonly host: string;
  readonly process: RunningProcess;
}

/** Debian's docker-registry. */
export async function startRegistry(folder: string): Promise<Registry> {
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(join(folder, 'registry'));
  const storage = { filesystem: { rootdirectory: join(folder, 'registry') } };
  const config = { version: 0.1, log: { level: 'error' }, storage, http: { addr: host } };
  writeFileSync(join(folder, 'registry.json'), JSON.stringify(config));
  const registry = startProgram('docker-registry', ['serve', join(folder, 'registry.json')]);
  const isUp = async (): Promise<boolean> =>
    (await fetch(`http://${host}/v2/`).catch(() => undefined))?.ok === true;
  while (!(await isUp())) {
    await Promise.race([
      new Promise((resolve) => setTimeout(resolve, 50)),
      registry.ended.then(() => Promise.reject(new Error(registry.lines.join('\n')))),
    ]);
  }
  return { host, process: registry, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
}

/** Builds an image for all archs and publishes it, as the pipelines do. */
export async function publishImage(
  work: string,
  name: string,
  {
    definitions,
    repositories,
    key,
    target,
  }: {
    readonly definitions: Readonly<Record<string, string>>;
    readonly repositories: readonly string[];
    readonly key: string;
    readonly target: string;
  },
): Promise<void> {
  mkdirSync(work);
  copyDefinitions(work, definitions);
  const flags = ['--vcs=false', '--sbom=false', '--log-level', 'error', '-k', key];
  const from = repositories.flatMap((each) => ['-b', each]);
  await exec('apko', ['publish', ...flags, ...from, `${name}.yaml`, target], {
    cwd: join(work, 'images'),
    env: environment,
  });
}

/** What a host has of images, as bootc keeps it: layers by their digests. */
export class Host {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, 'blobs'), { recursive: true });
  }

  /** Takes an image as skopeo pulls it. Returns the bytes of the layers that were not there. */
  async take(image: string): Promise<{
    /** Of the layers that were not there, the top one last. */
    readonly sizes: readonly number[];
    readonly bytes: number;
    readonly layers: number;
    readonly of: number;
    readonly whole: number;
  }> {
    const before = new Set(this.#blobs());
    const blobs = join(this.#folder, 'blobs');
    const target = join(this.#folder, 'image');
    const flags = ['--quiet', '--insecure-policy', '--src-tls-verify=false', '--override-arch', 'amd64'];
    await exec(
      'skopeo',
      ['copy', ...flags, '--dest-shared-blob-dir', blobs, `docker://${image}`, `oci:${target}:latest`],
      {
        env: environment,
      },
    );
    const manifest = await this.#manifest(image);
    const layers = manifest.layers.filter(({ digest }) => !before.has(digest.replace('sha256:', '')));
    const sum = (all: readonly { size: number }[]): number =>
      all.reduce((total, { size }) => total + size, 0);
    for (const { digest, size } of layers)
      if (statSync(join(blobs, digest.replace(':', '/'))).size !== size)
        throw new Error(`${digest} is not whole`);
    return {
      bytes: sum(layers),
      sizes: layers.map(({ size }) => size),
      layers: layers.length,
      of: manifest.layers.length,
      whole: sum(manifest.layers),
    };
  }

  async #manifest(image: string): Promise<{ layers: { digest: string; size: number }[] }> {
    const flags = ['--raw', '--tls-verify=false'];
    const raw = async (reference: string): Promise<unknown> =>
      JSON.parse(
        (await exec('skopeo', ['inspect', ...flags, `docker://${reference}`], { env: environment })).stdout,
      );
    const top = (await raw(image)) as {
      manifests?: { digest: string; platform: { architecture: string } }[];
      layers: { digest: string; size: number }[];
    };
    const own = top.manifests?.find(({ platform }) => platform.architecture === 'amd64');
    if (!own) return top;
    return (await raw(`${image.replace(/:[^:/]+$/, '')}@${own.digest}`)) as typeof top;
  }

  #blobs(): readonly string[] {
    const folder = join(this.#folder, 'blobs', 'sha256');
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  }
}
