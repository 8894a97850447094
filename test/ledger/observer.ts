/** An observer of an index, with its own clock and a ledger. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { IndexScanner } from '../../src/apk/index-scanner.ts';
import type { PackageTable } from '../../src/apk/package-table.ts';
import { defaultReadLimits } from '../../src/apk/read-index.ts';
import type { ReleaseDates } from '../../src/catalog/catalog.ts';
import type { Database, LedgerIndex } from '../../src/ledger-store/database.ts';
import { Ledger } from '../../src/ledger-store/ledger.ts';
import { indexText, pkg, type Stanza } from '../support/signed-index.ts';

/** Seconds. */
export const DAY = 86_400;
export const START = Date.UTC(2026, 6, 24, 6) / 1000;

export const wolfi: LedgerIndex = {
  location: 'https://packages.wolfi.dev/os/x86_64/APKINDEX.tar.gz',
  arch: 'x86_64',
  formerly: [],
  label: 'wolfi',
};

export function packagesOf(stanzas: readonly Stanza[]): PackageTable {
  const scanner = new IndexScanner({ ...defaultReadLimits, arch: 'x86_64' });
  scanner.push(Buffer.from(indexText(stanzas)));
  return scanner.end().packages;
}

/** A package built at `builtAt` (unix seconds); `build` tells two of one name and version apart. */
export function built(name: string, version: string, builtAt: number | undefined, build = ''): Stanza {
  return pkg(name, version, {
    ...(builtAt !== undefined && { t: String(builtAt) }),
    ...(build && { T: build }),
  });
}

/** Where a ledger is. */
export interface Store {
  readonly open: () => Promise<Database>;
  /** Takes everything away that is in it. */
  readonly lose: () => Promise<void>;
  /** Returns what puts it back as it is now. */
  readonly backUp: () => Promise<() => Promise<void>>;
  /** Keys of a configuration with this ledger. */
  readonly config: Readonly<Record<string, string>>;
}

export interface ObserverOptions {
  readonly folder: string | undefined;
  /** Absent: in memory. */
  readonly store: Store | undefined;
}

export class Observer {
  /** Unix seconds. */
  now = START;
  readonly logs: string[] = [];
  readonly folder: string | undefined;
  readonly store: Store | undefined;
  #ledger: Ledger;

  constructor({ folder, store }: ObserverOptions) {
    this.folder = folder;
    this.store = store;
    this.#ledger = this.#make();
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** The dates of the packages of an index, in days since the start, by `name-version`. */
  async see(
    stanzas: readonly Stanza[],
    { madeAt = this.now, index = wolfi }: { madeAt?: number; index?: LedgerIndex } = {},
  ): Promise<Record<string, number>> {
    const { packages, dates } = await this.take(stanzas, { madeAt, index });
    const all = [...packages.names()].flatMap((name) => packages.named(name));
    return Object.fromEntries(
      all.map(({ name, version, row }) => [
        `${name}-${version}`,
        ((dates?.releasedAt[row] ?? NaN) - START) / DAY,
      ]),
    );
  }

  async take(
    stanzas: readonly Stanza[],
    { madeAt = this.now, index = wolfi }: { madeAt?: number; index?: LedgerIndex } = {},
  ): Promise<{ packages: PackageTable; dates: ReleaseDates | undefined }> {
    const packages = packagesOf(stanzas);
    const digest = createHash('sha256')
      .update(JSON.stringify([stanzas, madeAt]))
      .digest('hex');
    const dates = await this.#ledger.datesOf(index, { packages, digest, keyName: 'test.rsa.pub', madeAt });
    await this.#ledger.settled();
    return { packages, dates };
  }

  async restart(between: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#ledger.close();
    await between();
    this.#ledger = this.#make();
  }

  #make(): Ledger {
    const log = (message: string): void => void this.logs.push(message);
    return new Ledger(
      {
        folder: this.folder && join(this.folder, 'ledger'),
        open: this.store?.open,
        now: () => this.now * 1000,
        pause: () => undefined,
        log: { info: log, warn: log },
      },
      this.store ? ('ledger' in this.store.config ? 'postgres' : 'sqlite') : 'memory',
    );
  }
}
