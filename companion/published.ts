/** The packages that repositories already have. */
import { existsSync } from 'node:fs';

import { indexAddress, redactAddress } from '../src/addresses.ts';
import { defaultReadLimits, readIndex } from '../src/apk/read-index.ts';
import { codeOf, errorLine } from '../src/errors.ts';
import { credentialLookup, type CredentialLookup } from '../src/repository/credentials.ts';
import { FetchError } from '../src/repository/fetch-error.ts';
import { fetchIndex } from '../src/repository/fetch-index.ts';
import type { Environment } from '../src/repository/proxy.ts';
import { createUpstreamClient, type UpstreamClient } from '../src/repository/upstream-client.ts';
import { CompanionError } from './errors.ts';

/** As in the service's default configuration. */
const MAX_INDEX_BYTES = 128 * 1024 * 1024;

/**
 * The packages in these repositories, as `x86_64/curl-8.21.0-r0`; an arch without an index has none. Signatures are
 * not checked: this only decides what is built again, and the publishing job replaces nothing.
 */
export async function publishedIn(
  repositories: readonly string[],
  archs: readonly string[],
  environment: Environment,
): Promise<ReadonlySet<string>> {
  const client = createUpstreamClient({ environment });
  const credentials = credentialLookup({ environment });
  const published = new Set<string>();
  try {
    for (const repository of repositories) {
      // A misspelt path, or a runner without the mount, is no empty repository: everything would count as missing.
      if (!URL.canParse(repository) && !existsSync(repository))
        throw new CompanionError(`${repository}: there is no such folder`);
      for (const arch of archs) {
        const bytes = await fetched(indexAddress(repository, arch), client, credentials);
        if (bytes === undefined) continue;
        for (const built of await packagesOf(bytes, arch, repository)) published.add(`${arch}/${built}`);
      }
    }
  } finally {
    await client.close();
  }
  return published;
}

async function fetched(
  address: string,
  client: UpstreamClient,
  credentials: CredentialLookup,
): Promise<Uint8Array | undefined> {
  try {
    const answer = await fetchIndex(address, { client, credentials, maxBytes: MAX_INDEX_BYTES });
    return answer.status === 'modified' ? answer.bytes : undefined;
  } catch (error) {
    if (error instanceof FetchError && (error.status === 404 || codeOf(error.cause) === 'ENOENT')) {
      return undefined;
    }
    throw new CompanionError(errorLine(error) + hint(error), { cause: error });
  }
}

/** What an object store does unless its files may be listed. It may also be a refusal, so nothing counts as missing. */
const hint = (error: unknown) =>
  error instanceof FetchError && error.status === 403
    ? '; if there is none yet, let the server answer 404: an object store does if its files may be listed (s3:ListBucket)'
    : '';

async function packagesOf(bytes: Uint8Array, arch: string, repository: string): Promise<readonly string[]> {
  try {
    const { packages } = await readIndex(bytes, { keys: 'unverified', limits: defaultReadLimits, arch });
    return Array.from({ length: packages.rowCount }, (_, row) => {
      const { name, version } = packages.at(row);
      return `${name}-${version}`;
    });
  } catch (cause) {
    const message = `${redactAddress(repository)}: index of ${arch}: ${errorLine(cause)}`;
    throw new CompanionError(message, { cause });
  }
}
