/**
 * `npm run bench:ledger [-- REFRESHES_A_DAY]`: what the ledger of a year of Wolfi costs, both archs. Starts from the real
 * indexes; a day brings 340 new versions for each arch, and a month the withdrawal of builds that are older than half a
 * year and not the newest of their name. `LEDGER=postgres://…` measures a database of its own (what is in it stays).
 */
import { randomBytes } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { grown } from '../src/apk/memory.ts';
import { IDENTITY_BYTES } from '../src/apk/identity.ts';
import type { PackageTable } from '../src/apk/package-table.ts';
import { defaultReadLimits, readIndex } from '../src/apk/read-index.ts';
import type { Ledger } from '../src/ledger-store/ledger.ts';
import { createPause } from '../src/repository/pace.ts';
import { openLedger } from '../src/service/ledger.ts';
import { sharedData } from '../test/support/shared-data.ts';
import { memoryOf } from './memory.ts';

const NEW_A_DAY = 340;
const DAY = 86_400;
const DAYS = 365;
/** Days between two withdrawals, and the age at which packages are withdrawn. */
const [MONTH, OLD] = [30, 184];
const START = Date.UTC(2026, 6, 24) / 1000;
const refreshesADay = Number(process.argv[2] ?? 1);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (!sharedData) process.exit(0);

/** The packages of an index as far as the ledger reads them. */
class Packages {
  #names: string[] = [];
  #versions: string[] = [];
  #builtAt: number[] = [];
  #identities: Uint8Array = new Uint8Array(0);
  #made = 0;

  constructor({ columns, strings }: PackageTable) {
    for (const [row, name] of columns.name.entries())
      this.#add(
        strings.names.list.text(name),
        strings.values.text(columns.version[row] as number),
        columns.builtAt[row] as number,
        columns.identity.slice(row * IDENTITY_BYTES, (row + 1) * IDENTITY_BYTES),
      );
  }

  get count(): number {
    return this.#names.length;
  }

  /** New versions of names that are there. */
  release(count: number, now: number): void {
    for (let i = 0; i < count; i += 1) {
      this.#made += 1;
      const name = this.#names[(this.#made * 7919) % this.#names.length] as string;
      this.#add(name, `${1 + (this.#made % 40)}.${this.#made}.0-r0`, now, randomBytes(IDENTITY_BYTES));
    }
  }

  /** Builds of that age go, but for the newest of a name. */
  withdraw(before: number): void {
    const newest = new Map(this.#names.map((name, row) => [name, row]));
    const stays = (_: unknown, row: number): boolean =>
      (this.#builtAt[row] as number) >= before || newest.get(this.#names[row] as string) === row;
    const rows = this.#names.map((_, row) => stays(_, row));
    const kept = <T>(all: T[]): T[] => all.filter((_, row) => rows[row]);
    this.#names = kept(this.#names);
    this.#versions = kept(this.#versions);
    for (const [to, row] of [...rows.keys()].filter((each) => rows[each]).entries())
      this.#identities.copyWithin(to * IDENTITY_BYTES, row * IDENTITY_BYTES, (row + 1) * IDENTITY_BYTES);
    this.#builtAt = kept(this.#builtAt);
  }

  /** As it is now; until packages are added or go. */
  table(): PackageTable {
    const [names, versions] = [this.#names, this.#versions];
    const rows = Uint32Array.from(names.keys());
    return {
      columns: {
        name: rows,
        version: rows,
        identity: this.#identities.slice(0, names.length * IDENTITY_BYTES),
        builtAt: Uint32Array.from(this.#builtAt),
      },
      strings: {
        names: { list: { text: (row: number) => names[row] } },
        values: { text: (row: number) => versions[row] },
      },
    } as unknown as PackageTable;
  }

  #add(name: string, version: string, builtAt: number, identity: Uint8Array): void {
    const end = this.#names.length * IDENTITY_BYTES;
    if (end === this.#identities.length) this.#identities = grown(this.#identities, IDENTITY_BYTES * 2 ** 16);
    this.#identities.set(identity, end);
    this.#names.push(name);
    this.#versions.push(version);
    this.#builtAt.push(builtAt);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-ledger-'));
let now = START;
const ledger: Ledger = openLedger(
  { cacheDir: folder, ledger: process.env['LEDGER'], environment: {} },
  {
    now: () => now * 1000,
    pause: createPause(),
    logger: { info: () => undefined, warn: (text: unknown) => say(String(text)) },
  },
);
const archs = await Promise.all(
  ['x86_64', 'aarch64'].map(async (arch) => {
    const bytes = readFileSync(join(sharedData ?? '', 'wolfi-2026-07-24', arch, 'APKINDEX.tar.gz'));
    const { packages } = await readIndex(bytes, {
      keys: 'unverified',
      limits: defaultReadLimits,
      arch,
      pause: () => undefined,
    });
    const index = { location: `https://packages.wolfi.dev/os/${arch}`, arch, formerly: [], label: arch };
    return { index, packages: new Packages(packages) };
  }),
);

const resident = (): number => {
  globalThis.gc?.();
  return memoryOf(process.pid).now;
};
const times: number[] = [];
let refreshes = 0;

/** Milliseconds until the dates of an index are known. */
async function refresh({ index, packages }: (typeof archs)[number]): Promise<number> {
  const taken = {
    packages: packages.table(),
    digest: randomBytes(32).toString('hex'),
    keyName: 'wolfi-signing.rsa.pub',
    madeAt: now,
  };
  const began = performance.now();
  await ledger.datesOf(index, taken);
  refreshes += 1;
  return performance.now() - began;
}

const before = resident();
for (const arch of archs) await refresh(arch);
await ledger.settled();
const added = resident() - before;

const withdrawals: number[] = [];
for (let step = 1; step <= DAYS * refreshesADay; step += 1) {
  now += DAY / refreshesADay;
  const isWithdrawal = step % (MONTH * refreshesADay) === 0;
  for (const arch of archs) {
    arch.packages.release(NEW_A_DAY / refreshesADay, now);
    if (isWithdrawal) arch.packages.withdraw(now - OLD * DAY);
    (isWithdrawal ? withdrawals : times).push(await refresh(arch));
  }
}
const { error } = ledger.status;
if (error !== undefined) throw new Error(error);
const database = await ledger.database();
const [[rows] = []] = (await database?.query('SELECT COUNT(*) FROM ledger_package')) ?? [];
const [[bytes] = []] =
  database?.kind === 'postgres'
    ? await database.query(
        "SELECT SUM(pg_total_relation_size(t::regclass)) FROM (VALUES ('ledger_package'), ('ledger_generation'), ('ledger_index')) AS tables (t)",
      )
    : [];
await ledger.close();
const size =
  Number(bytes ?? 0) ||
  globSync(join(folder, 'ledger', 'ledger.sqlite*')).reduce((sum, file) => sum + statSync(file).size, 0);
rmSync(folder, { recursive: true });

const at = (all: number[], share: number): string =>
  (all.toSorted((a, b) => a - b)[Math.ceil(all.length * share) - 1] ?? NaN).toFixed(0);
say(
  `database: ${database?.kind}, ${(size / 1e6).toFixed(1)} MB after ${DAYS} days, ${String(rows)} packages, ${refreshes} refreshes`,
);
say(
  `a refresh: median ${at(times, 0.5)} ms, 99 % ${at(times, 0.99)} ms, most ${at(times, 1)} ms (${times.length})`,
);
say(
  `a monthly withdrawal: median ${at(withdrawals, 0.5)} ms, most ${at(withdrawals, 1)} ms (${withdrawals.length})`,
);
say(`packages at the end: ${archs.map(({ packages }) => packages.count).join(' and ')}`);
say(`memory after the first refresh of both archs: ${(added / 2 ** 20).toFixed(1)} MiB more`);
