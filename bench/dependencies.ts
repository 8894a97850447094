/**
 * The cost of keeping the dependencies of packages: scans the index of FOLDER/ARCH with and without its `D:` lines, in
 * turns. Memory is that of the table's strings and of its column. Also counts dependencies on a plain name that
 * packages provide only without a version and a priority (docs/decisions/004).
 *
 *     node bench/dependencies.ts FOLDER [ARCH]
 */
import { IndexScanner } from '../src/apk/index-scanner.ts';
import type { Package } from '../src/apk/packages.ts';
import type { PackageTable } from '../src/apk/package-table.ts';
import { defaultReadLimits } from '../src/apk/read-index.ts';
import { finish } from '../src/catalog/steps.ts';
import { realText, type Arch } from './indexes.ts';

const ROUNDS = 7;
const [folder, arch = 'x86_64'] = process.argv.slice(2) as [string | undefined, Arch?];
if (folder === undefined) throw new Error('usage: node bench/dependencies.ts FOLDER [ARCH]');
const text = Buffer.concat(realText(folder, arch));
const without = Buffer.from(text.toString('latin1').replace(/^D:.*\n/gm, ''), 'latin1');

function scan(bytes: Buffer): { readonly table: PackageTable; readonly cpu: number } {
  const before = process.cpuUsage();
  const scanner = new IndexScanner({ ...defaultReadLimits, compressedBytes: bytes.length / 4 });
  scanner.push(bytes);
  const { packages: table } = scanner.end();
  const { user, system } = process.cpuUsage(before);
  return { table, cpu: (user + system) / 1000 };
}

/** Bytes of the strings, plus four for the start of each. */
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

const needed = finish(full.table.neededNames());
const all = [...full.table.names()].flatMap((name) => full.table.named(name));
const chosenByNobody = new Map<string, boolean>();
/** Whether no package provides the name with a version or a priority, and no provider is needed by its own name. */
function isUnchosen(name: string): boolean {
  let known = chosenByNobody.get(name);
  if (known === undefined) {
    const providers = full.table.providing(name);
    known =
      full.table.named(name).length === 0 &&
      providers.length > 0 &&
      providers.every((each) => each.priority === 0 && each.provided(name).every((at) => at === undefined));
    chosenByNobody.set(name, known);
  }
  return known;
}
const plainNeeds = (each: Package): readonly string[] =>
  [...each.dependencies].flatMap(({ name, operator, conflict }) =>
    operator === '' && !conflict && isUnchosen(name) ? name : [],
  );
const affected = all.filter((each) => plainNeeds(each).length > 0);
const withheld = affected.filter((each) =>
  plainNeeds(each).some((name) => full.table.providing(name).every((one) => !needed.has(one.name))),
);
const autoInstalling = full.table.autoInstalls.length;
process.stdout.write(
  `${affected.length} packages need a name that apk chooses no package for, ${withheld.length} one whose providers nobody needs; ` +
    `${all.filter((each) => each.conflictsWithItself).length} have a name twice, ${autoInstalling} of them would be installed automatically\n`,
);
