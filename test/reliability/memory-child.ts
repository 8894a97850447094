/**
 * A process whose service repeatedly refreshes a large, changing index and reports its memory after garbage collection.
 * Run by `memory.e2e.ts` with `--expose-gc`.
 */
import { setImmediate } from 'node:timers/promises';
import { startUpstream } from '../support/repository-server.ts';
import { startService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';

export interface Held {
  readonly packages: number;
  readonly refreshes: number;
  /** Bytes of heap and buffers after as many refreshes, with the same index loaded each time. */
  readonly bytes: readonly number[];
}

const VARIANTS = 4;
/** How often it is measured; a multiple of the variants. */
const EVERY = 20;

function variant(number: number, packages: number): Promise<Buffer> {
  const stanzas = Array.from({ length: packages }, (_, i) =>
    pkg(`package-${i % (packages >> 3)}`, `1.${i}.${number}-r0`, {
      t: String(1_700_000_000 + i),
      o: `origin-${i % 997}`,
      c: String(i + number).repeat(40).slice(0, 40),
      p: `cmd:tool-${i}=1.${i}.${number}-r0 so:lib${i}.so.1=1`,
    }),
  ); // prettier-ignore
  return signedIndex(stanzas);
}

async function held(): Promise<number> {
  for (let i = 0; i < 4; i += 1) {
    await setImmediate();
    globalThis.gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

if (import.meta.main) {
  const [packages, refreshes] = process.argv.slice(2).map(Number) as [number, number];
  const variants: Buffer[] = [];
  for (let i = 0; i < VARIANTS; i += 1) variants.push(await variant(i, packages));
  await using upstream = await startUpstream();
  await using service = await startService({
    config: {
      datasources: {
        wolfi: { archs: ['x86_64'], repositories: [{ url: upstream.url, rollback: 'accept' }] },
      },
    },
    logLevel: 'error',
  });
  const bytes: number[] = [];
  for (let i = 1; i <= refreshes; i += 1) {
    upstream.serve('x86_64', variants[i % VARIANTS] as Buffer);
    await service.beacon.refreshOnce(new AbortController().signal);
    const newest = (await service.get('/package-1/latest')).body;
    if (!newest.endsWith(`.${i % VARIANTS}-r0\n`)) throw new Error(`refresh ${i}: ${newest}`);
    if (i % EVERY === 0) bytes.push(await held());
  }
  process.stdout.write(JSON.stringify({ packages, refreshes, bytes } satisfies Held));
}
