/** The service as a process, with repositories of a test's own on loopback. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { addressOf, start, type RunningProcess } from '../../support/process.ts';
import { startUpstream, type Responder, type Upstream } from '../../support/repository-server.ts';
import { pkg, signedIndex, testKey, type Stanza } from '../../support/signed-index.ts';

export const archs = ['x86_64', 'aarch64'] as const;
export type Arch = (typeof archs)[number];

/** A package of both arches, or only of `archs`; `days` old. */
export interface Published {
  readonly name: string;
  readonly version: string;
  readonly days?: number;
  readonly archs?: readonly Arch[];
  readonly fields?: Stanza;
}

/** `curl=8.19.0-r0`, as long ago as makes it old enough for any rule. */
export function published(pin: string, more: Omit<Published, 'name' | 'version'> = {}): Published {
  const [name = '', version = ''] = pin.split('=');
  return { name, version, days: 60, ...more };
}

const DAY = 86_400;

export function stanzas(packages: readonly Published[], arch: Arch): readonly Stanza[] {
  const now = Math.floor(Date.now() / 1000);
  return packages
    .filter((each) => each.archs?.includes(arch) ?? true)
    .map(({ name, version, days = 60, fields }) =>
      pkg(name, version, { A: arch, t: String(now - days * DAY), ...fields }),
    );
}

export interface Beacon extends AsyncDisposable {
  readonly url: string;
  readonly process: RunningProcess;
  readonly configFile: string;
  /** The repository of each datasource. */
  readonly upstreams: Readonly<Record<string, Upstream>>;
  /** Publishes to a repository; a running service learns of it by `refreshed`. */
  readonly publish: (datasource: string, packages: readonly Published[]) => Promise<void>;
  /** Has it refresh and waits until it has taken something new from this datasource's indexes. */
  readonly refreshed: (datasource: string) => Promise<void>;
  /** Ends the process, as a crash would, and starts another with the same configuration and cache. */
  readonly restart: () => Promise<Beacon>;
}

/** Makes both arches of a repository answer by hand, or serves them again. */
export function misbehave(upstream: Upstream | undefined, responder: Responder | undefined): void {
  for (const arch of archs) upstream?.misbehave(arch, responder);
}

export interface BeaconOptions {
  /** Packages of each datasource; the first datasource is the default one. */
  readonly datasources: Readonly<Record<string, readonly Published[]>>;
  /** More of each repository's configuration. */
  readonly repository?: Readonly<Record<string, unknown>>;
  /** More of a datasource's configuration: what pins it is of. */
  readonly routing?: Readonly<Record<string, object>>;
  /** More of the configuration file. */
  readonly config?: Record<string, unknown>;
  readonly environment?: Record<string, string>;
  /** Called with the repositories before the service starts. */
  readonly before?: (upstreams: Readonly<Record<string, Upstream>>) => void;
}

/** Started and, unless `before` prevents it, loaded. */
export async function startBeacon(options: BeaconOptions): Promise<Beacon> {
  const folder = await mkdtemp(join(tmpdir(), 'apk-beacon-e2e-'));
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  const upstreams: Record<string, Upstream> = {};
  for (const [name, packages] of Object.entries(options.datasources)) {
    const upstream = await startUpstream();
    upstreams[name] = upstream;
    await publishTo(upstream, packages);
  }
  options.before?.(upstreams);
  const file = join(folder, 'apk-beacon.yaml');
  const datasources = Object.fromEntries(
    Object.entries(upstreams).map(([name, { url }]) => [
      name,
      {
        repositories: [{ url, maxAge: 'never', ...options.repository }],
        archs: [...archs],
        keys: [key],
        ...options.routing?.[name],
      },
    ]),
  );
  await writeFile(
    file,
    stringify({ listen: '127.0.0.1:0', cacheDir: join(folder, 'cache'), ...options.config, datasources }),
  );
  const beacon = await launch(file, upstreams, options.environment ?? {});
  return {
    ...beacon,
    async [Symbol.asyncDispose]() {
      await beacon[Symbol.asyncDispose]();
      for (const upstream of Object.values(upstreams)) await upstream[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(
  file: string,
  upstreams: Readonly<Record<string, Upstream>>,
  environment: Record<string, string>,
): Promise<Beacon> {
  const running = start(['--config', file], environment);
  const url = await addressOf(running);
  return {
    url,
    process: running,
    configFile: file,
    upstreams,
    publish: async (datasource, packages) => {
      const upstream = upstreams[datasource];
      if (!upstream) throw new Error(`no datasource ${datasource}`);
      await publishTo(upstream, packages);
    },
    refreshed: async (datasource) => {
      const before = await generationOf(url, datasource);
      running.child.kill('SIGHUP');
      await until(async () => (await generationOf(url, datasource)) !== before);
    },
    restart: async () => {
      await running[Symbol.asyncDispose]();
      return launch(file, upstreams, environment);
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

async function publishTo(upstream: Upstream, packages: readonly Published[]): Promise<void> {
  for (const arch of archs) upstream.serve(arch, await signedIndex(stanzas(packages, arch)));
}

async function generationOf(url: string, datasource: string): Promise<unknown> {
  const response = await fetch(`${url}/${datasource}`);
  return ((await response.json()) as { generation?: unknown }).generation;
}

/** Asks again until it is so; the test's own time limit ends it otherwise. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}
