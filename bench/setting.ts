/** What every section is given. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Arch, Indexes } from './indexes.ts';

export interface Setting {
  readonly indexes: Indexes;
  /** For files of this run. */
  readonly folder: string;
  /** The bundled service. */
  readonly service: string;
  /** The command line that starts it: Node with its flags, the bundle. */
  readonly serve: (more: readonly string[], flags?: readonly string[]) => readonly string[];
  /** Package names of the pair of archs to ask for, encoded as paths. */
  readonly names: readonly string[];
  /** The same as a JSON file, for any set; a thousand names more of the pair, and a hundred that no index knows. */
  readonly paths: (set: IndexSet | 'new' | 'unknown') => string;
  /** How big the sets are, in packages of one arch. */
  readonly sizes: Readonly<Record<IndexSet, number>>;
  readonly rounds: number;
  /** Of a measurement that takes its time, such as requests a second. */
  readonly seconds: number;
  readonly log: (text: string) => void;
}

/** Sets of indexes: a small one, one as large as Wolfi's, and one of ten times that. */
export type IndexSet = 'small' | 'wolfi' | 'tenfold';

/** A configuration of the service for what an upstream serves; refreshes happen only when asked for. */
export function writeConfig(
  { folder, indexes }: Setting,
  upstream: string,
  archs: readonly Arch[],
  cacheDir?: string,
): string {
  const file = join(folder, `config-${Math.random().toString(36).slice(2)}.json`);
  const repository = { url: upstream, rollback: 'accept', maxAge: 'never' };
  const datasource = { archs, keys: [indexes.keyFile], repositories: [repository] };
  const config = {
    listen: '127.0.0.1:0',
    cacheDir: cacheDir ?? null,
    refresh: '1d',
    drain: '0s',
    limits: { inflated: '2GiB' },
    datasources: { bench: datasource },
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
