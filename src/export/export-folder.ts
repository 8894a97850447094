/**
 * The folder of an export, and how it goes from one generation to the next.
 *
 * What has changed is staged in a folder inside it. Only once all of that is written do renames put it into place –
 * each atomic, all of them within a moment – and the manifest comes last. Whatever goes wrong before leaves the old
 * export as it was; whoever is interrupted between two renames leaves whole answers, and the next run the rest. What
 * counts as changed is told by the bytes that are there, not by what a manifest says of them.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { IndexError } from '../errors.ts';
import {
  MANIFEST,
  manifestDatasources,
  manifestFile,
  renderManifest,
  type ManifestDatasource,
  type ManifestFile,
} from './manifest.ts';
import type { SiteFile } from './site.ts';

const STAGING = '.staging';
const NO_ERROR = { throwIfNoEntry: false } as const;
/** Bytes from which on a compressed copy saves a client a packet; smaller answers have none. */
const COMPRESS_FROM = 1024;

export interface ExportTotals {
  /** Files without their compressed copies and the manifest. */
  files: number;
  bytes: number;
  /** What a client that takes gzip is sent for all of them. */
  gzipBytes: number;
  /** Compressed copies and the manifest included, as in `deleted`. */
  written: number;
  deleted: number;
}

export class ExportFolder {
  readonly #folder: string;
  readonly #brotli: boolean;
  readonly #before: readonly string[];
  /** Everything that belongs there, compressed copies included. */
  readonly #paths = new Set<string>();
  readonly #staged: string[] = [];
  readonly #made = new Set<string>();
  readonly #manifest = new Map<string, ManifestFile>();
  readonly #totals: ExportTotals = { files: 0, bytes: 0, gzipBytes: 0, written: 0, deleted: 0 };
  #isSwitching = false;

  /** Throws `config-invalid` for a folder that holds something else. */
  constructor(folder: string, { brotli = false } = {}) {
    this.#folder = folder;
    this.#brotli = brotli;
    this.#before = datasourcesIn(folder);
    this.discard();
    mkdirSync(join(folder, STAGING), { recursive: true });
  }

  /** Stages a file and its compressed copies, as far as they are not there already. */
  add(file: SiteFile): void {
    const body = Buffer.from(file.body);
    this.#stage(file.path, body);
    this.#manifest.set(file.path, manifestFile(body, file));
    this.#totals.files += 1;
    this.#totals.bytes += body.length;
    this.#totals.gzipBytes += this.#stageCompressed(file.path, body);
  }

  /** Puts what is staged into place, deletes what is of no generation any more, and tells what that came to. */
  commit(datasources: Readonly<Record<string, ManifestDatasource>>): ExportTotals {
    this.#stage(MANIFEST, Buffer.from(renderManifest(datasources, this.#manifest)));
    this.#isSwitching = true;
    for (const name of new Set([...this.#before, ...Object.keys(datasources)])) this.#sweep(name);
    const entries = readdirSync(join(this.#folder, STAGING)).filter((name) => name !== MANIFEST);
    for (const name of [...entries, MANIFEST]) this.#place(name);
    this.#isSwitching = false;
    this.discard();
    this.#totals.written = this.#staged.length;
    return this.#totals;
  }

  /** Forgets what is staged. A folder between two generations keeps it, as the mark that it is an export. */
  discard(): void {
    if (this.#isSwitching) return;
    rmSync(join(this.#folder, STAGING), { recursive: true, force: true });
  }

  /** The bytes that a client which takes gzip is sent. */
  #stageCompressed(path: string, body: Buffer): number {
    if (body.length < COMPRESS_FROM) return body.length;
    const gzip = gzipSync(body, { level: 9 });
    this.#stage(`${path}.gz`, gzip);
    if (this.#brotli) this.#stage(`${path}.br`, brotli(body));
    return gzip.length;
  }

  #stage(path: string, bytes: Uint8Array): void {
    this.#paths.add(path);
    if (hasBytes(join(this.#folder, path), bytes)) return;
    const staged = join(this.#folder, STAGING, path);
    const parent = dirname(staged);
    if (!this.#made.has(parent)) mkdirSync(parent, { recursive: true });
    this.#made.add(parent);
    writeFileSync(staged, bytes);
    this.#staged.push(path);
  }

  /** Renames what is staged at `path` into place: a folder as a whole where there is none yet. */
  #place(path: string): void {
    const [from, to] = [join(this.#folder, STAGING, path), join(this.#folder, path)];
    const [staged, present] = [statSync(from, NO_ERROR), statSync(to, NO_ERROR)];
    if (staged?.isDirectory() && present)
      for (const name of readdirSync(from)) this.#place(`${path}/${name}`);
    else if (staged) renameSync(from, to);
  }

  /** Deletes files below `folder` that belong to no answer, and folders that are empty then. Whether it is gone. */
  #sweep(folder: string): boolean {
    const path = join(this.#folder, folder);
    if (!existsSync(path)) return true;
    const left = readdirSync(path, { withFileTypes: true }).filter((entry) => {
      const below = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return !this.#sweep(below);
      if (this.#paths.has(below)) return true;
      rmSync(join(this.#folder, below));
      this.#totals.deleted += 1;
      return false;
    });
    if (left.length === 0) rmdirSync(path);
    return left.length === 0;
  }
}

/** The datasources of the export that `folder` holds; none if it is empty or not there. */
function datasourcesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const known = existsSync(join(folder, MANIFEST))
    ? manifestDatasources(readFileSync(join(folder, MANIFEST), 'utf8'))
    : undefined;
  if (known) return known;
  const entries = readdirSync(folder);
  if (entries.length === 0 || entries.includes(STAGING)) return [];
  throw new IndexError('config-invalid', `${folder} is not empty and holds no export`);
}

function hasBytes(path: string, bytes: Uint8Array): boolean {
  const present = statSync(path, NO_ERROR);
  return (
    present !== undefined &&
    present.size === bytes.length &&
    present.isFile() &&
    readFileSync(path).equals(bytes)
  );
}

function brotli(body: Uint8Array): Buffer {
  return brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
}
