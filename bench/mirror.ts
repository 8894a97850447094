/**
 * What the index of a cooldown mirror costs (docs/decisions/019): that of one arch of the real index in FOLDER, seven days
 * old, with the keys beside it. Time until it can be sent, the longest that the event loop is held up meanwhile, and its
 * size; then the time to find a package that it lists.
 *
 *     node --expose-gc bench/mirror.ts FOLDER
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { IndexWriter } from '../src/answers/index-writer.ts';
import { Mirrors } from '../src/answers/mirror.ts';
import { Views } from '../src/answers/views.ts';
import { defaultReadLimits, readIndex } from '../src/apk/read-index.ts';
import { Catalog } from '../src/catalog/catalog.ts';
import { finish } from '../src/catalog/steps.ts';
import type { Origin, Snapshot } from '../src/repository/live-datasource.ts';
import { createQueue } from '../src/repository/pace.ts';
import { testKey } from '../test/support/signed-index.ts';

const ARCH = 'x86_64';
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node --expose-gc bench/mirror.ts FOLDER');

const original = readFileSync(`${folder}/${ARCH}/APKINDEX.tar.gz`);
const read = await readIndex(original, { keys: 'unverified', limits: defaultReadLimits, arch: ARCH });
const index = {
  spec: { limits: defaultReadLimits },
  original: () => Promise.resolve(original),
} as unknown as Origin['index'];
const base: Snapshot = {
  catalog: new Catalog({
    sources: [{ repository: 'wolfi', arch: ARCH, packages: read.packages }],
    archs: [ARCH],
  }),
  generation: 'base',
  origins: [{ index, format: read.format, digest: read.digest }],
};
const key = testKey();
const mirrors = new Mirrors(
  new IndexWriter({
    keyName: key.name,
    privateKey: () => Promise.resolve(key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
  }),
);
const now = read.newestBuiltAt * 1000;

const line = createQueue();
for (const days of [7, 30]) {
  const view = finish(new Views(() => now).of(base, { seconds: days * 86_400, security: false }));
  for (const format of ['v2', 'adb'] as const) {
    globalThis.gc?.();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const began = performance.now();
    const cpu = process.cpuUsage();
    const { bytes } = await mirrors.archive(view, ARCH, format, line);
    const { user, system } = process.cpuUsage(cpu);
    delay.disable();
    process.stdout.write(
      `${days}d ${format}: ${((performance.now() - began) / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s CPU, ` +
        `${(bytes.length / 1e6).toFixed(1)} MB, event loop held up ${(delay.max / 1e6).toFixed(0)} ms at most, ` +
        `${(delay.percentile(99) / 1e6).toFixed(0)} ms at 99 %\n`,
    );
  }
  const began = performance.now();
  const found = await mirrors.find(
    view,
    ARCH,
    `busybox-${view.catalog.report('busybox').versions.at(-1)?.version}.apk`,
    line,
  );
  process.stdout.write(
    `${days}d: ${found ? 'found' : 'not found'} in ${(performance.now() - began).toFixed(2)} ms\n`,
  );
}
