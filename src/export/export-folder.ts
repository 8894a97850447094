/**
 * The folder of an export, and how it goes from one generation to the next.
 *
 * What lies in the folder is not trusted: it may come from a CI cache or a bucket that others write to. Nothing outside
 * of it is read, written or deleted. Links in it are entries to be replaced or deleted, never ways to follow; the folder
 * itself may be a link, which is resolved once. Nobody else may write to it during a run.
 *
 * What has changed is staged in a folder inside it. Only once all of that is written do renames put it into place –
 * each atomic, all of them within a moment – and the manifest comes last. Whatever goes wrong before leaves the old
 * export as it was; whoever is interrupted between two renames leaves whole answers, and the next run the rest. What
 * counts as changed is told by the bytes that are there, not by what a manifest says of them.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  type Dirent,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { UsageError } from '../errors.ts';
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
  /** What was there at the start, by folder and name. */
  readonly #present = new Map<string, ReadonlyMap<string, Dirent>>();
  /** Paths in lower case, on a file system that does not tell them apart. */
  readonly #folded: Map<string, string> | undefined;
  readonly #manifest = new Map<string, ManifestFile>();
  readonly #totals: ExportTotals = { files: 0, bytes: 0, gzipBytes: 0, written: 0, deleted: 0 };
  #isSwitching = false;

  /**
   * Throws `config-invalid` for a folder that holds something else. `foldsCase` tells whether the file system takes
   * `a` and `A` for the same name; it is found out unless given.
   */
  constructor(
    folder: string,
    { brotli = false, foldsCase }: { brotli?: boolean; foldsCase?: boolean | undefined } = {},
  ) {
    this.#brotli = brotli;
    this.#before = datasourcesIn(folder);
    mkdirSync(folder, { recursive: true });
    this.#folder = realpathSync(folder);
    this.discard();
    mkdirSync(join(this.#folder, STAGING));
    this.#folded = (foldsCase ?? isCaseFolded(this.#folder)) ? new Map() : undefined;
  }

  /** Stages a file and its compressed copies, as far as they are not there already. */
  add(file: SiteFile): void {
    const body = typeof file.body === 'string' ? Buffer.from(file.body) : file.body;
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
    this.#checkPath(path);
    this.#paths.add(path);
    if (this.#hasBytes(path, bytes)) return;
    const staged = join(this.#folder, STAGING, path);
    const parent = dirname(staged);
    if (!this.#made.has(parent)) mkdirSync(parent, { recursive: true });
    this.#made.add(parent);
    writeFileSync(staged, bytes, { flag: 'wx' });
    this.#staged.push(path);
  }

  /** Throws for a path that leaves the folder, or that the file system takes for the path of another file. */
  #checkPath(path: string): void {
    const segments = path.split('/');
    if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
      throw new Error(`${path} is no path below ${this.#folder}`);
    if (!this.#folded) return;
    for (let depth = 1; depth <= segments.length; depth += 1) {
      const part = segments.slice(0, depth).join('/');
      const other = this.#folded.get(part.toLowerCase()) ?? part;
      if (other !== part) {
        const fact = `${other} and ${part} are the same file there`;
        throw new UsageError(`cannot export to ${this.#folder}: ${fact}`);
      }
      this.#folded.set(part.toLowerCase(), part);
    }
  }

  /** Whether the regular file `path` was there at the start, not by way of a link, and holds `bytes`. */
  #hasBytes(path: string, bytes: Uint8Array): boolean {
    if (!this.#entry(path)?.isFile()) return false;
    const present = join(this.#folder, path);
    return lstatSync(present).size === bytes.length && readFileSync(present).equals(bytes);
  }

  /** What was at `path` at the start, if only folders lead to it. Names are taken as they are listed. */
  #entry(path: string): Dirent | undefined {
    const slash = path.lastIndexOf('/');
    const parent = slash < 0 ? '' : path.slice(0, slash);
    let entries = this.#present.get(parent);
    if (!entries) {
      const isFolder = parent === '' || this.#entry(parent)?.isDirectory();
      const listed = isFolder ? readdirSync(join(this.#folder, parent), { withFileTypes: true }) : [];
      entries = new Map(listed.map((entry) => [entry.name, entry]));
      this.#present.set(parent, entries);
    }
    return entries.get(path.slice(slash + 1));
  }

  /** Renames what is staged at `path` into place: a folder as a whole where there is none yet. */
  #place(path: string): void {
    const [from, to] = [join(this.#folder, STAGING, path), join(this.#folder, path)];
    const [staged, present] = [lstatSync(from, NO_ERROR), lstatSync(to, NO_ERROR)];
    if (!staged) return;
    if (staged.isDirectory() && present?.isDirectory()) {
      for (const name of readdirSync(from)) this.#place(`${path}/${name}`);
      return;
    }
    if (staged.isDirectory() && present) unlinkSync(to);
    renameSync(from, to);
  }

  /** Deletes the files of a datasource that belong to no answer, and folders that are empty then. */
  #sweep(datasource: string): void {
    const entry = this.#entry(datasource);
    if (entry?.isDirectory()) this.#sweepFolder(datasource);
    else if (entry) this.#unlink(datasource);
  }

  /** Returns whether the folder is gone. */
  #sweepFolder(folder: string): boolean {
    const path = join(this.#folder, folder);
    const left = readdirSync(path, { withFileTypes: true }).filter((entry) => {
      const below = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return !this.#sweepFolder(below);
      if (this.#paths.has(below)) return true;
      this.#unlink(below);
      return false;
    });
    if (left.length === 0) rmdirSync(path);
    return left.length === 0;
  }

  #unlink(path: string): void {
    unlinkSync(join(this.#folder, path));
    this.#totals.deleted += 1;
  }
}

/** The datasources of the export that `folder` holds; none if it is empty or not there. */
function datasourcesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const manifest = join(folder, MANIFEST);
  const known = lstatSync(manifest, NO_ERROR)?.isFile()
    ? manifestDatasources(readFileSync(manifest, 'utf8'))
    : undefined;
  if (known) return known;
  const entries = readdirSync(folder);
  if (entries.length === 0 || (entries.includes(STAGING) && !entries.includes(MANIFEST))) return [];
  throw new UsageError(`${folder} is not empty and holds no export`);
}

function isCaseFolded(folder: string): boolean {
  const [one, other] = [STAGING, STAGING.toUpperCase()].map((name) =>
    lstatSync(join(folder, name), NO_ERROR),
  );
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

function brotli(body: Uint8Array): Buffer {
  return brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
}
