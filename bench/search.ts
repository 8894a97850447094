/**
 * `npm run bench:search [-- --data FOLDER]`: the time of a search over both archs. FOLDER has `<arch>/APKINDEX.tar.gz`;
 * without it, indexes of Wolfi's size are generated.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NameSearch } from '../src/answers/search.ts';
import { readIndex } from '../src/apk/read-index.ts';
import { Catalog } from '../src/catalog/catalog.ts';
import { testKey } from '../test/support/signed-index.ts';
import { archs, Indexes } from './indexes.ts';

const ROUNDS = 30;
/** Exact names, prefixes, parts of names, provided names, typing errors, and names that do not exist. */
const queries = [
  ...['curl', 'openssl', 'nodejs', 'php-8.4-fpm', 'so:libssl.so.3', 'cmd:awk'],
  ...['py3', 'lib', 'so:', 'c', 'go-1', 'grafana-1'],
  ...['ssl', 'dev', 'doc', 'compat', '-'],
  ...['opnessl', 'crul', 'postgersql', 'kubernets', 'promethues', 'no-such-package-anywhere'],
];

const { values } = parseArgs({ options: { data: { type: 'string' } } });
const indexes = new Indexes(fileURLToPath(new URL('results', import.meta.url)));
await indexes.make('wolfi', values.data ? { data: values.data } : { packages: 117_000 }, archs);
const limits = { maxInflatedBytes: 2 ** 31, maxRatio: 100, maxLineBytes: 2 ** 23, maxPackages: 5_000_000 };
const sources = await Promise.all(
  archs.map(async (arch) => {
    const { packages } = await readIndex(readFileSync(indexes.file('wolfi', arch)), {
      keys: [testKey()],
      limits,
    });
    return { repository: 'https://packages.example/os', arch, packages };
  }),
);
const search = await NameSearch.build(new Catalog({ sources, archs }));
const results = queries.map((query) => {
  const times = Array.from({ length: ROUNDS }, () => {
    const began = performance.now();
    search.find(query);
    return performance.now() - began;
  }).sort((a, b) => a - b);
  return { query, median: times[ROUNDS >> 1] ?? NaN, slowest: times.at(-1) ?? NaN };
});
const sorted = results.toSorted((a, b) => b.median - a.median);
const [worst] = sorted;
for (const { query, median, slowest } of sorted)
  process.stdout.write(
    `${query.padEnd(26)} ${median.toFixed(2)} ms, slowest of ${ROUNDS}: ${slowest.toFixed(2)} ms\n`,
  );
process.stdout.write(
  `${queries.length} queries, medians ${sorted.at(-1)?.median.toFixed(2)}–${worst?.median.toFixed(2)} ms, memory ${(search.bytes / 1e6).toFixed(2)} MB\n`,
);
