/**
 * A process that fetches and reads the index at `LIMITS_URL`, whose upstream tries to exhaust it, and reports the
 * memory used. Run by `limits.test.ts`.
 */
import { readIndex, defaultReadLimits } from '../../src/apk/read-index.ts';
import { parseKey } from '../../src/apk/signature.ts';
import { IndexError } from '../../src/errors.ts';
import { fetchIndex } from '../../src/repository/fetch-index.ts';
import { createUpstreamClient } from '../../src/repository/upstream-client.ts';

export interface Cost {
  /** The code of the error that ended it. */
  readonly code: string;
  /** Growth of the largest resident set, in bytes. */
  readonly residentBytes: number;
}

if (import.meta.main) {
  const { LIMITS_URL = '', LIMITS_KEY = '', LIMITS_MAX = '0' } = process.env;
  const client = createUpstreamClient({ environment: {}, timeouts: { bodyIdle: 500, total: 1500 } });
  const before = process.resourceUsage().maxRSS;
  const code = await attempt().catch((error: unknown) =>
    error instanceof IndexError ? error.code : String(error),
  );
  const residentBytes = (process.resourceUsage().maxRSS - before) * 1024;
  await client.close();
  process.stdout.write(JSON.stringify({ code, residentBytes } satisfies Cost));

  async function attempt(): Promise<string> {
    const fetched = await fetchIndex(LIMITS_URL, { client, maxBytes: Number(LIMITS_MAX) });
    if (fetched.status === 'not-modified') return 'not-modified';
    const keys = [parseKey('test.rsa.pub', LIMITS_KEY)];
    const { packages } = await readIndex(fetched.bytes, { keys, limits: defaultReadLimits });
    return `read ${packages.packageCount}`;
  }
}
