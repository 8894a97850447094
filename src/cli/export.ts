/** `export`: every answer as a static file, for GitLab Pages, S3 or any other server of files. */
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { IndexError, UsageError } from '../errors.ts';
import { ExportFolder, type ExportTotals } from '../export/export-folder.ts';
import type { ManifestDatasource } from '../export/manifest.ts';
import { exportedNames, redirects, siteFiles } from '../export/site.ts';
import { Lookups } from '../answers/lookup.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { NO_OPINION, noOpinionFile } from '../renovate/static-routes.ts';
import { createPause } from '../repository/pace.ts';
import { ServedVersions } from '../answers/served-versions.ts';
import { Beacon } from '../service/beacon.ts';
import { createLogger } from '../service/logger.ts';

export interface ExportOptions {
  readonly out: string | boolean | undefined;
  readonly brotli: boolean;
  /** Whether the files may hold what the feeds of advisories say, which not everybody may publish. */
  readonly advisories: boolean;
  readonly signal: AbortSignal;
}

/** Fails, and leaves an export that is there as it is, when a required index cannot be loaded as of now. */
export async function exportCommand(config: Config, options: ExportOptions): Promise<number> {
  const { out, brotli, advisories, signal } = options;
  if (typeof out !== 'string') throw new UsageError('usage: export --out DIR [--brotli] [--advisories]');
  const began = performance.now();
  const loaded = await loadAll(config, advisories, signal);
  // Every name is asked for here, so none may push out another.
  const served = new ServedVersions(config.cacheDir && join(config.cacheDir, 'exported.json'), {
    maxNames: Infinity,
  });
  await served.load();
  const folder = new ExportFolder(out, { brotli });
  try {
    const datasources = await addAll(loaded, folder, new Lookups(served), signal);
    const totals = folder.commit(datasources);
    await served.save();
    process.stdout.write(`${summary(datasources, totals, performance.now() - began)}\n`);
  } finally {
    folder.discard();
  }
  return 0;
}

interface Loaded {
  readonly name: string;
  readonly snapshot: Snapshot;
}

async function loadAll(config: Config, advisories: boolean, signal: AbortSignal): Promise<readonly Loaded[]> {
  const logger = await createLogger(config.logLevel, {
    format: config.logFormat,
    terminal: process.stderr.isTTY,
    destination: 2,
  });
  const beacon = new Beacon({ config, logger, now: Date.now, withoutFeeds: !advisories });
  await beacon.loadOnce(signal);
  return beacon.datasources.map(current);
}

/** Static files cannot tell that they are stale, so an index that only the cache had is not enough. */
function current({ name, snapshot, indexes, feeds }: LiveDatasource): Loaded {
  for (const { failure } of feeds) if (failure) throw new IndexError(failure.code, failure.message);
  for (const { spec, failure } of indexes) {
    if (spec.required && failure) throw new IndexError(failure.code, failure.message);
  }
  if (!snapshot) throw new IndexError('fetch-failed', `${name} could not be loaded`);
  return { name, snapshot };
}

async function addAll(
  loaded: readonly Loaded[],
  folder: ExportFolder,
  lookups: Lookups,
  signal: AbortSignal,
): Promise<Record<string, ManifestDatasource>> {
  const pause = createPause();
  const datasources: Record<string, ManifestDatasource> = {};
  for (const { name, snapshot } of loaded) {
    const names = exportedNames(snapshot);
    for (const file of siteFiles(name, snapshot, names, lookups)) {
      folder.add(file);
      await pause();
      signal.throwIfAborted();
    }
    const { generation, catalog } = snapshot;
    datasources[name] = { generation, archs: catalog.archs, names: names.length };
  }
  folder.add({ path: NO_OPINION, body: noOpinionFile, servedAt: undefined });
  folder.add({ path: '_redirects', body: redirects(Object.keys(datasources)), servedAt: undefined });
  return datasources;
}

function summary(
  datasources: Readonly<Record<string, ManifestDatasource>>,
  { files, bytes, gzipBytes, written, deleted }: ExportTotals,
  milliseconds: number,
): string {
  const each = Object.entries(datasources).map(
    ([name, { names, generation }]) => `${names} names of ${name} (${generation})`,
  );
  const size = `${(bytes / 1e6).toFixed(1)} MB, ${(gzipBytes / 1e6).toFixed(1)} MB compressed`;
  const seconds = (milliseconds / 1000).toFixed(1);
  const { user, system } = process.cpuUsage();
  const took = `${seconds} s (${((user + system) / 1e6).toFixed(1)} s of processor time)`;
  return `exported ${each.join(', ')}: ${files} files of ${size}; wrote ${written}, deleted ${deleted} in ${took}`;
}
