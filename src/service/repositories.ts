/** The distributions of the configured addresses. */
import type { Config } from '../config/config.ts';
import { repositoriesAmong, type RepositoryId } from '../routing/repositories.ts';

type RepositoriesOf = (address: string) => readonly RepositoryId[];

/** Cached, because it is needed for each repository and feed and depends on all addresses. */
const made = new WeakMap<Config['datasources'], RepositoriesOf>();

/** Maps an address to the repositories that it is or mirrors, given all configured addresses. */
export function repositoriesIn({ datasources }: Config): RepositoriesOf {
  const known = made.get(datasources);
  if (known) return known;
  const repositoriesOf = repositoriesAmong(
    Object.values(datasources).flatMap(({ repositories }) => repositories.map(({ url }) => url)),
  );
  made.set(datasources, repositoriesOf);
  return repositoriesOf;
}
