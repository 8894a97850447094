/** The indexes of a configured repository, and the policy of each. */
import {
  indexAddress,
  indexNames,
  isIndexFile,
  indexOrFileAddress,
  isRemote,
  redactAddress,
  redactUrl,
  withoutTrailingSlashes,
  withoutUser,
} from '../addresses.ts';
import type { Config, DatasourceConfig, RepositoryConfig } from '../config/config.ts';
import type { WithdrawalPolicy } from '../catalog/withdrawal.ts';
import type { IndexSpec } from '../repository/live-index.ts';
import type { Family } from '../routing/known.ts';
import { repositoriesIn } from './repositories.ts';

/** The indexes of a repository: one per arch, or the one file that its address names. */
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
    withdrawal: withdrawalOf(repository, config),
    isUnverified: repository.trust === 'none',
    required: repository.required,
    guards: { rollback: repository.rollback, maxShrink: repository.maxShrink, maxAge: repository.maxAge },
    maxCompressedBytes: config.limits.compressed,
    limits: {
      maxInflatedBytes: config.limits.inflated,
      maxRatio: config.limits.ratio,
      maxLineBytes: config.limits.line,
      maxPackages: config.limits.packages,
    },
    isPrivate: repository.credentials !== undefined || repository.clientCertificate !== undefined,
    cached: remote,
  };
  if (isIndexFile(base)) return specsOfFile(common, base, datasource, repository);
  return (repository.archs ?? datasource.archs).map((arch) => ({
    ...common,
    location: indexAddress(base, arch),
    alternative: indexAddress(base, arch, indexNames[1]),
    label: redactAddress(indexAddress(base, arch)),
    formerly: repository.formerly.map((before) => indexOrFileAddress(before, arch)),
    arch,
  }));
}

/**
 * Alpine's index has only the newest version of a name. Wolfi withdrew on 2026-05-18, 06-17, 07-23 and 08-13, in August
 * what was 184 days old (wolfi-dev/os, withdrawn-packages.txt and discussion 63023).
 */
const withdrawalPolicies: Partial<Record<Family, WithdrawalPolicy>> = {
  alpine: { kind: 'replaced' },
  wolfi: { kind: 'collected', age: 184 * 86_400_000, days: [13, 23] },
};

/** The configured policy, or that of the distribution whose repository or mirror the address names. */
function withdrawalOf({ url, withdrawal }: RepositoryConfig, config: Config): WithdrawalPolicy | undefined {
  if (withdrawal === 'none') return undefined;
  if (withdrawal === 'replaced') return { kind: 'replaced' };
  if (withdrawal) return { kind: 'collected', ...withdrawal };
  const family = repositoriesIn(config)(url).find((each) => each.family !== undefined)?.family;
  return family && withdrawalPolicies[family];
}

/**
 * One file may contain packages of several archs. If the repository has no `archs`, it is one index, of the arch of the
 * datasource that it has packages for; otherwise it is one index per arch.
 */
function specsOfFile(
  common: Omit<IndexSpec, 'location' | 'label' | 'arch'>,
  location: string,
  datasource: DatasourceConfig,
  repository: RepositoryConfig,
): IndexSpec[] {
  const label = common.repository;
  const formerly = repository.formerly.map((before) => indexOrFileAddress(before, ''));
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
 * Everything that decides whether an index may be served, and who may see it. Of secrets only their location. Without
 * limits, because restored indexes have to keep them anyway.
 */
function termsOf(datasource: DatasourceConfig, repository: RepositoryConfig): string {
  const { trust, keys, discoverKeys, rollback, maxShrink, credentials, clientCertificate } = repository;
  const sources = (keys ?? datasource.keys).map(withoutUser);
  const trusted = trust === 'none' ? 'any' : [keys ? 'own' : 'builtin', sources, discoverKeys];
  return JSON.stringify([trusted, rollback, maxShrink, credentials, clientCertificate]);
}
