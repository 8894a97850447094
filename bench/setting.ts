/** The input of every section. */
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
  /** Package names to ask for, of the pair of archs, encoded as paths. */
  readonly names: readonly string[];
  /** The same as a JSON file, for any set. `new` are a thousand more names, `unknown` a hundred names in no index. */
  readonly paths: (set: IndexSet | 'new' | 'unknown') => string;
  /** The sizes of the sets, in packages of one arch. */
  readonly sizes: Readonly<Record<IndexSet, number>>;
  readonly rounds: number;
  /** Duration of a long measurement, such as requests a second. */
  readonly seconds: number;
  readonly log: (text: string) => void;
}

/** Sets of indexes: small, as large as Wolfi's, and ten times as large. */
export type IndexSet = 'small' | 'wolfi' | 'tenfold';

/** A configuration of the service for an upstream; refreshes only on request. */
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
