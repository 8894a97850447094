/**
 * What keeping the dependencies of packages costs: the index of FOLDER/x86_64 scanned with and without its `D:` lines, in
 * turns. Memory is that of the table's strings and of its column.
 *
 *     node bench/dependencies.ts FOLDER
 */
import { IndexScanner } from '../src/apk/index-scanner.ts';
import type { PackageTable } from '../src/apk/package-table.ts';
import { defaultReadLimits } from '../src/apk/read-index.ts';
import { realText } from './indexes.ts';

const ROUNDS = 7;
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node bench/dependencies.ts FOLDER');
const text = Buffer.concat(realText(folder, 'x86_64'));
const without = Buffer.from(text.toString('latin1').replace(/^D:.*\n/gm, ''), 'latin1');

function scan(bytes: Buffer): { readonly table: PackageTable; readonly cpu: number } {
  const before = process.cpuUsage();
  const scanner = new IndexScanner({ ...defaultReadLimits, compressedBytes: bytes.length / 4 });
  scanner.push(bytes);
  const { packages: table } = scanner.end();
  const { user, system } = process.cpuUsage(before);
  return { table, cpu: (user + system) / 1000 };
}

/** Bytes of the strings, with four for the start of each. */
function stringBytes({ strings: { values } }: PackageTable): number {
  let sum = 0;
  for (let id = 0; id < values.count; id += 1) sum += values.bytes(id).length + 4;
  return sum;
}

const rounds = Array.from({ length: ROUNDS }, () => [scan(text), scan(without)] as const);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const [[full, bare]] = rounds as [(typeof rounds)[number]];
const column = full.table.packageCount * 4;
const extra = stringBytes(full.table) - stringBytes(bare.table) + column;
const ratio = median(rounds.map(([a, b]) => a.cpu / b.cpu));
process.stdout.write(
  `${full.table.packageCount} packages: ${(extra / 1e6).toFixed(1)} MB for dependencies, ${(extra / full.table.packageCount).toFixed(0)} bytes a package; ` +
    `scanning takes ${ratio.toFixed(2)} times as long as without (${median(rounds.map(([a]) => a.cpu)).toFixed(0)} ms, median of ${ROUNDS})\n`,
);
