/**
 * Renovate's own `apk` datasource, of the sources in SOURCES: `renovate.ts SOURCES REGISTRY PATHS FOLDER` looks up the
 * first name with a package cache in FOLDER, says so, and when told a number of seconds looks up all names once, and again and again for so long. Of Renovate
 * only what a lookup needs is loaded: a whole run has more to load.
 */
import { readFileSync } from 'node:fs';

export interface LookupReport {
  readonly first: Lookups;
  /** From then on it remembers its answers. */
  readonly again: Lookups;
}

export interface Lookups {
  readonly requests: number;
  readonly seconds: number;
  /** Lookups that found no release. */
  readonly failures: number;
}

const [sources = '', registry = '', pathsFile = '', cacheDir = ''] = process.argv.slice(2);
const names = (JSON.parse(readFileSync(pathsFile, 'utf8')) as string[]).map(decodeURIComponent);
const load = async <T>(path: string): Promise<T> => (await import(sources + path)) as T;

const { getPkgReleases } = await load<{
  getPkgReleases: (lookup: object) => Promise<{ releases: readonly object[] } | null>;
}>('modules/datasource/index.js');
const { GlobalConfig } = await load<{ GlobalConfig: { set: (config: object) => void } }>('config/global.js');
const logger = await load<{ init: () => Promise<void> }>('logger/index.js');
const memory = await load<{ init: () => void }>('util/cache/memory/index.js');
const packages = await load<{ init: (config: object) => Promise<void> }>('util/cache/package/index.js');

// What a run does before it looks anything up.
await logger.init();
GlobalConfig.set({ cacheDir, internalHostAccess: 'allow' });
await packages.init({ cacheDir });
memory.init();

if (!(await isFound(names[0] as string))) throw new Error(`${registry} has no ${names[0]}`);
process.stdout.write('answered\n');
process.on('message', (seconds) => void report(Number(seconds)));

async function report(seconds: number): Promise<void> {
  const result: LookupReport = { first: await lookUpAll(0), again: await lookUpAll(seconds) };
  process.send?.(result);
}

async function isFound(packageName: string): Promise<boolean> {
  const lookup = { datasource: 'apk', versioning: 'apk', packageName, registryUrls: [registry] };
  const result = await getPkgReleases(lookup);
  return (result?.releases.length ?? 0) > 0;
}

/** Looks up every name, at least once and until the time is over. */
async function lookUpAll(seconds: number): Promise<Lookups> {
  const began = performance.now();
  const passed = (): number => (performance.now() - began) / 1000;
  let requests = 0;
  let failures = 0;
  do {
    for (const name of names) if (!(await isFound(name))) failures += 1;
    requests += names.length;
  } while (passed() < seconds);
  return { requests, seconds: passed(), failures };
}
