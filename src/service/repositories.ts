/** What the addresses of a configuration tell of their distributions. */
import type { Config } from '../config/config.ts';
import { repositoriesAmong, type RepositoryId } from '../routing/repositories.ts';

/** The repositories that an address is or mirrors, beside all others that are configured. */
export function repositoriesIn({ datasources }: Config): (address: string) => readonly RepositoryId[] {
  return repositoriesAmong(
    Object.values(datasources).flatMap(({ repositories }) => repositories.map(({ url }) => url)),
  );
}
