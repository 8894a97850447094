/** The files to check: named ones, and files in folders and patterns that may contain pins. */
import { isUtf8 } from 'node:buffer';
import { globSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve, sep } from 'node:path';
import { UsageError } from '../errors.ts';
import type { IncludedFile } from '../pins/definition.ts';
import { mayHavePins, readPins } from '../pins/read.ts';
import type { CheckedFile } from './findings.ts';

/** Folders without the user's own sources. */
const SKIPPED = new Set(['node_modules', 'vendor', '.git', '.svn', '.hg', '.venv', '.terraform']);
/** Larger files are skipped as data. */
const MAX_BYTES = 2 * 1024 * 1024;

/** Reads all files with pins. Paths are relative to `root`, with slashes. What cannot be read is a file with a note. */
export function readFiles(words: readonly string[], root: string): readonly CheckedFile[] {
  const unreadable = new Map<string, string>();
  const listing = { root, unreadable };
  const paths = words.length === 0 ? below(root, listing) : words.flatMap((word) => named(word, listing));
  const failed = new Map<string, string>();
  const read = createReader({ root, unreadable: failed });
  const files = [...new Set(paths)].sort().flatMap((path) => {
    const file = read(path);
    const reason = failed.get(path);
    if (reason !== undefined) unreadable.set(path, reason);
    const found = file && readPins(path, file.text, (include) => readInclude(include, path, read));
    return found ? [{ path, ...file, found }] : [];
  });
  const asked = (words.length === 0 ? ['.'] : words).map((word) => shown(resolve(root, word), root));
  const [first = ''] = asked;
  if (asked.every((path) => unreadable.has(path)))
    throw new UsageError(`cannot read ${first}: ${unreadable.get(first) ?? ''}`);
  const skipped = [...unreadable].map(([path, reason]) => unread(path, reason));
  return [...files, ...skipped].sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Listing {
  readonly root: string;
  /** Why, by path. */
  readonly unreadable: Map<string, string>;
}

function named(word: string, listing: Listing): readonly string[] {
  const { root } = listing;
  const path = resolve(root, word);
  const own = listed(path, listing);
  if (own) return own;
  const matches = globSync(word, { cwd: root, exclude: (name) => SKIPPED.has(name) });
  if (matches.length === 0) throw new UsageError(`no file ${word}`);
  // A link may lead nowhere.
  return matches.flatMap((match) => listed(resolve(root, match), listing) ?? []);
}

/** `undefined` if there is nothing at the path. */
function listed(path: string, listing: Listing): readonly string[] | undefined {
  const stat = readable(path, listing, () => statSync(path, { throwIfNoEntry: false }) ?? 'none');
  if (stat === 'none') return undefined;
  if (stat?.isDirectory()) return below(path, listing);
  return stat ? [shown(path, listing.root)] : [];
}

function below(folder: string, listing: Listing): readonly string[] {
  const entries = readable(folder, listing, () => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : below(path, listing);
    const name = shown(path, listing.root);
    return entry.isFile() && mayHavePins(name) ? [name] : [];
  });
}

/** The result of `read`; `undefined` if the system refuses, which is recorded. */
function readable<T>(path: string, { root, unreadable }: Listing, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    // `EACCES: permission denied, scandir '/…'`
    unreadable.set(shown(path, root), error.message.split(',', 1)[0] ?? '');
    return undefined;
  }
}

function unread(path: string, reason: string): CheckedFile {
  const note = {
    reason: 'unreadable',
    message: `it cannot be read: ${reason}`,
    range: { start: 0, end: 1 },
    level: 'warning',
  } as const;
  return { path, text: '', encoding: 'utf8', found: { kind: 'script', pins: [], notes: [note] } };
}

function shown(path: string, root: string): string {
  return slashes(relative(root, path)) || '.';
}

function slashes(path: string): string {
  return path.split(sep).join('/');
}

interface Read {
  readonly text: string;
  readonly encoding: CheckedFile['encoding'];
}

type Reader = (path: string) => Read | undefined;

/** Reads each included file once, however many files include it. */
function createReader(listing: Listing): Reader {
  const known = new Map<string, Read | undefined>();
  return (path) => {
    const whole = join(listing.root, path);
    if (!known.has(path))
      known.set(
        path,
        readable(whole, listing, () => readText(whole)),
      );
    return known.get(path);
  };
}

/** `undefined` for binary files. Text that is not UTF-8 is read as Latin-1, so that it can be written unchanged. */
function readText(path: string): Read | undefined {
  const stat = statSync(path);
  if (!stat.isFile() || stat.size > MAX_BYTES) return undefined;
  const bytes = readFileSync(path);
  if (bytes.subarray(0, 4096).includes(0)) return undefined;
  const encoding = isUtf8(bytes) ? 'utf8' : 'latin1';
  return { text: bytes.toString(encoding), encoding };
}

/** apko resolves it from its working folder, which is the file's folder or one above. */
function readInclude(include: string, from: string, read: Reader): IncludedFile | undefined {
  if (/^[a-z]+:\/\//.test(include)) return undefined;
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const path = slashes(normalize(join(folder, include)));
    const isOutside = path.startsWith('../') && !from.startsWith('../');
    const text = isOutside ? undefined : read(path)?.text;
    if (text !== undefined) return { path, text };
    if (folder === '.') return undefined;
  }
}
