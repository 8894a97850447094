/** Which feeds of advisories a configured datasource has. */
import { isRemote, redactAddress, withoutTrailingSlashes } from '../addresses.ts';
import type { Config, DatasourceConfig, FeedConfig } from '../config/config.ts';
import { UsageError } from '../errors.ts';
import type { FeedSpec } from '../repository/live-feed.ts';
import type { RepositoryId } from '../routing/repositories.ts';
import { repositoriesIn } from './repositories.ts';

/** Chainguard's feed v3, which includes Wolfi's packages. It may be used, but not redistributed (docs/advisories.md). */
const CHAINGUARD = 'https://advisories.cgr.dev/chainguard/v3/osv/chainguard-osv.tar.gz';
const MINIMOS = 'https://packages.mini.dev/advisories/secdb/security.json';
const HOUR = 3_600_000;
/** The largest known one has some 200 MB. */
const MAX_BYTES = 2 ** 31;

interface ConfiguredFeed {
  readonly spec: FeedSpec;
  readonly credentials: FeedConfig['credentials'];
}

export function feedSpecs(
  name: string,
  datasource: DatasourceConfig,
  config: Config,
): readonly ConfiguredFeed[] {
  const { advisories, repositories } = datasource;
  const urls = repositories.map(({ url }) => withoutTrailingSlashes(url));
  const ids = urls.flatMap(repositoriesIn(config));
  const feeds = advisories === 'known' ? knownFeeds(name, ids) : advisories;
  return feeds.map((feed) => {
    const { refresh, rollback, maxShrink, credentials } = feed;
    const format =
      'secdb' in feed
        ? ({ kind: 'secdb' } as const)
        : ({ kind: 'osv', ecosystems: ecosystemsOf(feed.ecosystem, ids) } as const);
    const location = 'secdb' in feed ? feed.secdb : feed.osv;
    const spec: FeedSpec = {
      ...format,
      location,
      terms: JSON.stringify(['advisories', format, credentials]),
      label: redactAddress(location),
      guards: { rollback, maxShrink },
      refresh: refresh ?? (format.kind === 'secdb' ? HOUR : 24 * HOUR),
      maxBytes: MAX_BYTES,
      repositories: urls.map((url) => URL.parse(url)?.pathname ?? url),
      cached: isRemote(location),
    };
    return { spec, credentials };
  });
}

/** Alpine has one feed for main and one for community in each branch. */
function knownFeeds(name: string, ids: readonly RepositoryId[]): readonly FeedConfig[] {
  const common = { rollback: 'refuse', maxShrink: 0.4 } as const;
  const addresses = ids.flatMap(({ family, branch, component }) => {
    if (family !== 'alpine' || branch === undefined || branch === 'latest-stable') return [];
    if (component !== 'main' && component !== 'community') return [];
    return [`https://secdb.alpinelinux.org/${branch === 'edge' ? branch : `v${branch}`}/${component}.json`];
  });
  if (ids.some(({ family }) => family === 'minimos')) addresses.push(MINIMOS);
  const feeds: FeedConfig[] = [...new Set(addresses)].map((secdb) => ({ secdb, ...common }));
  if (ids.some(({ family }) => family === 'wolfi' || family === 'chainguard'))
    feeds.push({ osv: CHAINGUARD, ...common });
  if (feeds.length === 0)
    throw new UsageError(
      `datasource ${name}: advisories: no public feed is known for its repositories; configure one`,
    );
  return feeds;
}

/** OSV's ecosystems for the repositories; `undefined` if unknown. */
function ecosystemsOf(
  given: string | undefined,
  ids: readonly RepositoryId[],
): readonly string[] | undefined {
  if (given !== undefined) return [given];
  const known = ids.flatMap(({ family, branch }) => {
    if (family === 'wolfi') return ['Wolfi'];
    if (family === 'chainguard') return ['Chainguard'];
    if (family === 'minimos') return ['MinimOS'];
    return family === 'alpine' && branch !== undefined
      ? [`Alpine:${branch === 'edge' ? branch : `v${branch}`}`]
      : [];
  });
  return known.length === 0 ? undefined : [...new Set(known)];
}
