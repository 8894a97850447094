/**
 * Writes an export and updates it from one generation to the next.
 *
 * The content of the folder is not trusted: it may come from a CI cache or a bucket that others write to. Nothing
 * outside the folder is read, written or deleted. Links in it are replaced or deleted, never followed; if the folder
 * itself is a link, it is resolved once. Nobody else may write to the folder during a run.
 *
 * Changed files are staged in a folder inside it. When all are written, atomic renames put them into place, the
 * manifest last. An error before that leaves the old export unchanged. An interruption between two renames leaves whole
 * files, and the next run does the rest. Files are compared by their bytes, not by the manifest.
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
  manifestEntries,
  manifestFile,
  renderManifest,
  type ManifestDatasource,
  type ManifestFile,
} from './manifest.ts';
import type { SiteFile } from './site.ts';

const STAGING = '.staging';
const NO_ERROR = { throwIfNoEntry: false } as const;
/** Smaller files have no compressed copy: it would not save a packet. */
const COMPRESS_FROM = 1024;

export interface ExportTotals {
  /** Without compressed copies and the manifest. */
  files: number;
  bytes: number;
  /** Total size for clients that accept gzip. */
  gzipBytes: number;
  /** With compressed copies and the manifest, as in `deleted`. */
  written: number;
  deleted: number;
}

export class ExportFolder {
  readonly #folder: string;
  readonly #brotli: boolean;
  readonly #before: readonly string[];
  /** All files of the export, with compressed copies. */
  readonly #paths = new Set<string>();
  readonly #staged: string[] = [];
  readonly #made = new Set<string>();
  /** The entries at the start, by folder and name. */
  readonly #present = new Map<string, ReadonlyMap<string, Dirent>>();
  /** Paths in lower case, if the file system ignores case. */
  readonly #folded: Map<string, string> | undefined;
  readonly #manifest = new Map<string, ManifestFile>();
  readonly #totals: ExportTotals = { files: 0, bytes: 0, gzipBytes: 0, written: 0, deleted: 0 };
  #isSwitching = false;

  /**
   * Throws `config-invalid` for a folder with other content. `foldsCase` is whether the file system ignores case; by
   * default it is detected.
   */
  constructor(
    folder: string,
    { brotli = false, foldsCase }: { brotli?: boolean; foldsCase?: boolean | undefined } = {},
  ) {
    this.#brotli = brotli;
    this.#before = entriesIn(folder);
    makeFolder(folder);
    this.#folder = realpathSync(folder);
    this.discard();
    mkdirSync(join(this.#folder, STAGING));
    this.#folded = (foldsCase ?? isCaseFolded(this.#folder)) ? new Map() : undefined;
  }

  /** Stages a file and its compressed copies, unless they already exist. */
  add(file: SiteFile): void {
    const body = typeof file.body === 'string' ? Buffer.from(file.body) : file.body;
    this.#stage(file.path, body);
    this.#manifest.set(file.path, manifestFile(body, file));
    this.#totals.files += 1;
    this.#totals.bytes += body.length;
    this.#totals.gzipBytes += this.#stageCompressed(file.path, body);
  }

  /** Renames staged files into place, deletes stale ones and returns totals. */
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

  /** Deletes the staging folder. If an update was interrupted, it stays as the mark of an export. */
  discard(): void {
    if (this.#isSwitching) return;
    rmSync(join(this.#folder, STAGING), { recursive: true, force: true });
  }

  /** Returns the size for a client that accepts gzip. */
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

  /** Throws for a path outside the folder, or one that the file system confuses with another file. */
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

  /** Whether the regular file `path` existed at the start, not through a link, with these bytes. */
  #hasBytes(path: string, bytes: Uint8Array): boolean {
    if (!this.#entry(path)?.isFile()) return false;
    const present = join(this.#folder, path);
    return lstatSync(present).size === bytes.length && readFileSync(present).equals(bytes);
  }

  /** The entry at `path` at the start, if its parents are real folders. Names compare exactly. */
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

  /** Renames a staged entry into place; a new folder as a whole. */
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

  /** Deletes stale files of a datasource, and then empty folders. */
  #sweep(datasource: string): void {
    const entry = this.#entry(datasource);
    if (entry?.isDirectory()) this.#sweepFolder(datasource);
    else if (entry && !this.#paths.has(datasource)) this.#unlink(datasource);
  }

  /** Returns whether the folder was deleted. */
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

/** Top-level entries of the export in `folder` that this run may delete; none if it is empty or absent. */
function entriesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  const manifest = join(folder, MANIFEST);
  const known = lstatSync(manifest, NO_ERROR)?.isFile()
    ? manifestEntries(readFileSync(manifest, 'utf8'))
    : undefined;
  if (known) return known;
  const entries = readdirSync(folder);
  if (entries.length === 0 || (entries.includes(STAGING) && !entries.includes(MANIFEST))) return [];
  throw new UsageError(`${folder} is not empty and is not an export`);
}

/** Node's own way to make a folder and those above it never ends where none can be made, as in /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
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
