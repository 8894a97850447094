/** What the addresses of a configuration tell of their distributions. */
import type { Config } from '../config/config.ts';
import { repositoriesAmong, type RepositoryId } from '../routing/repositories.ts';

type RepositoriesOf = (address: string) => readonly RepositoryId[];

/** Asked for each repository and feed, and made of the addresses of all. */
const made = new WeakMap<Config['datasources'], RepositoriesOf>();

/** The repositories that an address is or mirrors, beside all others that are configured. */
export function repositoriesIn({ datasources }: Config): RepositoriesOf {
  const known = made.get(datasources);
  if (known) return known;
  const repositoriesOf = repositoriesAmong(
    Object.values(datasources).flatMap(({ repositories }) => repositories.map(({ url }) => url)),
  );
  made.set(datasources, repositoriesOf);
  return repositoriesOf;
}
