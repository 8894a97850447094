/**
 * One variant of reading, in its own process: `load.ts VARIANT KEY FILE…` prints the time of the first and of repeated
 * runs, the longest block of the event loop, and the peak of additional memory.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { gunzipSync } from 'node:zlib';
import { readIndex, type VerifiedIndex } from '../../src/apk/read-index.ts';
import { parseKey, splitSignatures } from '../../src/apk/signature.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { createPause } from '../../src/repository/pace.ts';
import { memoryOf } from '../memory.ts';

export interface LoadResult {
  /** Milliseconds of the first run, and the median of further runs. */
  readonly first: number;
  readonly again: number;
  /** Milliseconds of CPU time of the first run, all threads: steady on a busy machine. */
  readonly cpu: number;
  /** Milliseconds. */
  readonly longestBlock: number;
  /** Additional bytes at the peak. */
  readonly peak: number;
  /** Additional bytes after the run and a garbage collection. */
  readonly kept: number;
}

const [variant = '', keyFile = '', again = '0', ...files] = process.argv.slice(2);
const keys = [parseKey(basename(keyFile), readFileSync(keyFile, 'utf8'))];
const limits = {
  maxInflatedBytes: 2 ** 31,
  maxRatio: 100,
  maxLineBytes: 8 * 1024 * 1024,
  maxPackages: 5_000_000,
};
const archives = files.map((file) => readFileSync(file));

const load = (bytes: Uint8Array): Promise<VerifiedIndex> =>
  readIndex(bytes, { keys, limits, pause: createPause() });

const variants: Record<string, () => Promise<unknown>> = {
  // One chunk of the maximum size, synchronous: zlib's fastest way.
  'gunzip-one-chunk': () =>
    inTurn(
      archives.map((bytes) => splitSignatures(bytes).body),
      (body) =>
        gunzipSync(body, { chunkSize: Math.max(64, Buffer.from(body).readUInt32LE(body.length - 4)) }),
    ),
  load: () => inTurn(archives, load),
  catalog: async () => makeCatalog(await inTurn(archives, load)),
  'catalog-all-names': async () => {
    const catalog = makeCatalog(await inTurn(archives, load));
    for (const name of catalog.names()) catalog.report(name);
    return catalog;
  },
};

async function inTurn<T, U>(items: readonly T[], work: (item: T) => U | Promise<U>): Promise<U[]> {
  const results: U[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Makes a catalog and one answer from it. */
function makeCatalog(indexes: readonly VerifiedIndex[]): Catalog {
  const sources = indexes.map(({ arch = '', packages }) => ({ repository: 'bench', arch, packages }));
  const catalog = new Catalog({ sources, archs: sources.map(({ arch }) => arch) });
  catalog.report('nobody-has-this-name');
  return catalog;
}

const work = variants[variant];
if (!work) throw new Error(`no variant ${variant}`);
const before = memoryOf(process.pid);
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const cpuBefore = process.cpuUsage();
const began = performance.now();
let kept: unknown = await work();
const first = performance.now() - began;
const cpu = process.cpuUsage(cpuBefore);
await new Promise((resolve) => setTimeout(resolve, 20));
delay.disable();
const { peak } = memoryOf(process.pid);
globalThis.gc?.();
const after = memoryOf(process.pid);
const times: number[] = [];
for (let i = 0; i < Number(again); i += 1) {
  const start = performance.now();
  kept = await work();
  times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
const result: LoadResult = {
  first,
  cpu: (cpu.user + cpu.system) / 1000,
  again: times[times.length >> 1] ?? first,
  longestBlock: delay.max / 1e6,
  peak: peak - before.now,
  kept: kept === undefined ? 0 : after.now - before.now,
};
process.stdout.write(JSON.stringify(result));
