/** Loads the indexes of a datasource and predicts what hosts download from one image to another. */
import type { CatalogSource } from '../catalog/catalog.ts';
import { datasourceNamed, type Config } from '../config/config.ts';
import { deltaOf, type Delta } from '../delta/delta.ts';
import { isLock, type Definition, type Lock } from '../delta/definition.ts';
import { resolveImage, type Resolution } from '../delta/resolve.ts';
import { UsageError } from '../errors.ts';
import type { LiveDatasource } from '../repository/live-datasource.ts';
import { Beacon, snapshotOf } from './beacon.ts';
import { commandLogger } from './logger.ts';

/** An image as a file describes it. */
export interface ImageFile {
  readonly file: string;
  readonly image: Definition | Lock;
  /** For a lock file, the budget of its definition. */
  readonly budget: number | undefined;
}

export interface ArchDelta extends Delta {
  readonly arch: string;
  /** Pins of either image that the index does not have any more. */
  readonly withdrawn: readonly string[];
}

export async function deltasHere(
  before: ImageFile,
  after: ImageFile,
  {
    config,
    datasource,
    signal,
  }: { readonly config: Config; readonly datasource: string; readonly signal: AbortSignal },
): Promise<readonly ArchDelta[]> {
  const own = datasourceNamed(config, datasource);
  const logger = await commandLogger('warn');
  const only = { ...config, datasources: { [datasource]: own }, defaultDatasource: datasource };
  const beacon = new Beacon({ config: only, logger, now: Date.now, withoutFeeds: true, withSizes: true });
  await beacon.loadOnce(signal);
  const { catalog } = snapshotOf(beacon.datasources[0] as LiveDatasource);
  const archs = catalog.archs.filter((arch) => [before, after].every(({ image }) => isFor(image, arch)));
  if (archs.length === 0) throw new UsageError(`${datasource} has no arch that both images have`);
  const sources = new Map<string, readonly CatalogSource[]>(
    archs.map((arch) => [arch, catalog.sources.filter((source) => source.arch === arch)]),
  );
  return archs.map((arch) => {
    const resolved = (each: ImageFile): Resolution => resolveImage(each.image, each, { arch, sources });
    const [from, to] = [resolved(before), resolved(after)];
    return { arch, withdrawn: [...new Set([...from.withdrawn, ...to.withdrawn])], ...deltaOf(from, to) };
  });
}

function isFor(image: Definition | Lock, arch: string): boolean {
  return isLock(image) ? image.packages.has(arch) : image.archs.length === 0 || image.archs.includes(arch);
}
