/** `export`: every answer as a static file, for GitLab Pages, S3 or any file server. */
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { counted, UsageError } from '../errors.ts';
import { ExportFolder, type ExportTotals } from '../export/export-folder.ts';
import type { ManifestDatasource } from '../export/manifest.ts';
import { exportedNames, REDIRECTS, redirects, siteFiles, type SiteFile } from '../export/site.ts';
import type { StaticIndex } from '../pages/static-pages.ts';
import { Lookups } from '../answers/lookup.ts';
import type { LiveDatasource, Snapshot } from '../repository/live-datasource.ts';
import { NO_OPINION, noOpinionFile } from '../renovate/static-routes.ts';
import { createPause } from '../repository/pace.ts';
import { ServedVersions } from '../answers/served-versions.ts';
import { Beacon, currentSnapshotOf } from '../service/beacon.ts';
import { commandLogger } from '../service/logger.ts';

export interface ExportOptions {
  readonly out: string | boolean | undefined;
  readonly brotli: boolean;
  /** Whether to write advisories, whose licences may forbid publishing. */
  readonly advisories: boolean;
  readonly pages: boolean;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** If a required index cannot be loaded now, it fails and leaves the old export unchanged. */
export async function exportCommand(config: Config, options: ExportOptions): Promise<number> {
  const { out, brotli, advisories, pages, json, signal } = options;
  if (typeof out !== 'string')
    throw new UsageError('usage: export --out DIR [--brotli] [--advisories] [--pages] [--json]');
  const began = performance.now();
  const loaded = await loadAll(config, advisories, signal);
  // Every name is looked up here, so no name may evict another.
  const served = new ServedVersions(config.cacheDir && join(config.cacheDir, 'exported.json'), {
    maxNames: Infinity,
  });
  await served.load();
  const folder = new ExportFolder(out, { brotli });
  try {
    const datasources = await addAll(loaded, folder, { lookups: new Lookups(served), pages, signal });
    const totals = folder.commit(datasources);
    await served.save();
    const milliseconds = performance.now() - began;
    const text = json
      ? JSON.stringify({ datasources, ...totals, seconds: milliseconds / 1000 })
      : summary(datasources, totals, milliseconds);
    process.stdout.write(`${text}\n`);
  } finally {
    folder.discard();
  }
  return 0;
}

interface Loaded {
  readonly name: string;
  readonly snapshot: Snapshot;
  readonly indexes: readonly StaticIndex[];
}

async function loadAll(config: Config, advisories: boolean, signal: AbortSignal): Promise<readonly Loaded[]> {
  const logger = await commandLogger(config.logLevel, config.logFormat);
  const beacon = new Beacon({ config, logger, now: Date.now, withoutFeeds: !advisories });
  await beacon.loadOnce(signal);
  return beacon.datasources.map(current);
}

/** Static files cannot say that they are stale, so a cached index is not enough. */
function current(live: LiveDatasource): Loaded {
  const { name, indexes } = live;
  return {
    name,
    snapshot: currentSnapshotOf(live),
    indexes: indexes.map(({ spec, loaded }) => ({
      index: spec.label,
      packages: loaded?.summary.packages,
      verifiedBy: loaded?.index.keyName,
    })),
  };
}

async function addAll(
  loaded: readonly Loaded[],
  folder: ExportFolder,
  { lookups, pages, signal }: { lookups: Lookups; pages: boolean; signal: AbortSignal },
): Promise<Record<string, ManifestDatasource>> {
  const { homePageFile, pageFiles } = pages ? await import('../export/pages.ts') : {};
  const pause = createPause();
  const add = async (files: Iterable<SiteFile>): Promise<void> => {
    for (const file of files) {
      folder.add(file);
      await pause();
      signal.throwIfAborted();
    }
  };
  const datasources: Record<string, ManifestDatasource> = {};
  for (const { name, snapshot, indexes } of loaded) {
    const names = exportedNames(snapshot);
    await add(siteFiles(name, snapshot, names, lookups));
    const { generation, catalog } = snapshot;
    datasources[name] = { generation, archs: catalog.archs, names: names.length };
    if (pageFiles) await add(pageFiles({ name, ...datasources[name] }, snapshot, indexes, names));
  }
  if (homePageFile)
    folder.add(homePageFile(Object.entries(datasources).map(([name, each]) => ({ name, ...each }))));
  folder.add({ path: NO_OPINION, body: noOpinionFile, servedAt: undefined });
  folder.add({ path: REDIRECTS, body: redirects(Object.keys(datasources)), servedAt: undefined });
  return datasources;
}

function summary(
  datasources: Readonly<Record<string, ManifestDatasource>>,
  { files, bytes, gzipBytes, written, deleted }: ExportTotals,
  milliseconds: number,
): string {
  const each = Object.entries(datasources).map(
    ([name, { names, generation }]) => `${counted(names, 'name')} of ${name} (${generation})`,
  );
  const size = `${(bytes / 1e6).toFixed(1)} MB, ${(gzipBytes / 1e6).toFixed(1)} MB compressed`;
  const seconds = (milliseconds / 1000).toFixed(1);
  const { user, system } = process.cpuUsage();
  const took = `${seconds} s (${((user + system) / 1e6).toFixed(1)} s of processor time)`;
  return `exported ${each.join(', ')}: ${files} files of ${size}; wrote ${written}, deleted ${deleted} in ${took}`;
}
