/** Which indexes a configured repository has, and under which terms each may be served. */
import {
  indexAddress,
  isIndexFile,
  isRemote,
  redactAddress,
  redactUrl,
  withoutTrailingSlashes,
  withoutUser,
} from '../addresses.ts';
import type { Config, DatasourceConfig, RepositoryConfig } from '../config/config.ts';
import type { IndexSpec } from '../repository/live-index.ts';

/** The indexes of a repository: one an arch, or the one file that its address names. */
export function indexSpecs(
  datasource: DatasourceConfig,
  repository: RepositoryConfig,
  config: Config,
): IndexSpec[] {
  const base = withoutTrailingSlashes(repository.url);
  const remote = isRemote(base);
  const label = remote ? redactUrl(base).replace(/\/$/, '') : base;
  const common = {
    repository: label,
    terms: termsOf(datasource, repository),
    changelog: repository.changelog,
    required: repository.required,
    guards: { rollback: repository.rollback, maxShrink: repository.maxShrink, maxAge: repository.maxAge },
    maxCompressedBytes: config.limits.compressed,
    limits: {
      maxInflatedBytes: config.limits.inflated,
      maxRatio: config.limits.ratio,
      maxLineBytes: config.limits.line,
      maxPackages: config.limits.packages,
    },
    cached: remote,
  };
  if (isIndexFile(base)) return specsOfFile(common, base, datasource, repository);
  return (repository.archs ?? datasource.archs).map((arch) => ({
    ...common,
    location: indexAddress(base, arch),
    label: redactAddress(indexAddress(base, arch)),
    formerly: repository.formerly.map((before) => addressOf(before, arch)),
    arch,
  }));
}

function addressOf(address: string, arch: string): string {
  const base = withoutTrailingSlashes(address);
  return isIndexFile(base) ? base : indexAddress(base, arch);
}

/**
 * One file may hold packages of several archs. Without `archs` of the repository it is one index, of the one arch of
 * the datasource's that it has packages for; with them it is one index for each.
 */
function specsOfFile(
  common: Omit<IndexSpec, 'location' | 'label' | 'arch'>,
  location: string,
  datasource: DatasourceConfig,
  repository: RepositoryConfig,
): IndexSpec[] {
  const label = common.repository;
  const formerly = repository.formerly.map((before) => addressOf(before, ''));
  if (!repository.archs)
    return [{ ...common, formerly, location, label, arch: undefined, archs: datasource.archs }];
  return repository.archs.map((arch) => ({
    ...common,
    terms: JSON.stringify([common.terms, arch]),
    formerly,
    location,
    label: `${label} (${arch})`,
    arch,
    archs: [arch],
  }));
}

/**
 * What decides whether an index of this repository may be served, and whom upstream shows it to. Of secrets only where
 * they are; limits are left out, because what is read back has to keep them anyway.
 */
function termsOf(datasource: DatasourceConfig, repository: RepositoryConfig): string {
  const { trust, keys, discoverKeys, rollback, maxShrink, credentials, clientCertificate } = repository;
  const sources = (keys ?? datasource.keys).map(withoutUser);
  const trusted = trust === 'none' ? 'any' : [keys ? 'own' : 'builtin', sources, discoverKeys];
  return JSON.stringify([trusted, rollback, maxShrink, credentials, clientCertificate]);
}
