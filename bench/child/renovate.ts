/**
 * Renovate's own `apk` datasource, from the sources in SOURCES: `renovate.ts SOURCES REGISTRY PATHS FOLDER` looks up
 * the first name, with a package cache in FOLDER, and reports that. When it receives a number of seconds, it looks up
 * all names once, then repeats for that long. It loads only the parts of Renovate that a lookup needs; a whole run
 * loads more.
 */
import { readFileSync } from 'node:fs';

export interface LookupReport {
  readonly first: Lookups;
  /** Further lookups, from Renovate's cache. */
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

// A run does this before the first lookup.
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

/** Looks up all names, at least once and until the time is over. */
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
