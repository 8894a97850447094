/** The files to check: named ones, and files in folders and patterns that may contain pins. */
import { isUtf8 } from 'node:buffer';
import { globSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative, resolve, sep } from 'node:path';
import { UsageError } from '../errors.ts';
import { mayHavePins, readPins } from '../pins/read.ts';
import type { CheckedFile } from './findings.ts';

/** Folders without the user's own sources. */
const SKIPPED = new Set(['node_modules', 'vendor', '.git', '.svn', '.hg', '.venv', '.terraform']);
/** Larger files are skipped as data. */
const MAX_BYTES = 2 * 1024 * 1024;

/** Reads all files with pins. Paths are relative to `root`, with slashes. */
export function readFiles(words: readonly string[], root: string): readonly CheckedFile[] {
  const paths = words.length === 0 ? below(root, root) : words.flatMap((word) => named(word, root));
  const read = createReader(root);
  return [...new Set(paths)].sort().flatMap((path) => {
    const file = read(path);
    const found = file && readPins(path, file.text, (include) => readInclude(include, path, read));
    return found ? [{ path, ...file, found }] : [];
  });
}

function named(word: string, root: string): readonly string[] {
  const path = resolve(root, word);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory()) return below(path, root);
  if (stat) return [slashes(relative(root, path))];
  const matches = globSync(word, { cwd: root, exclude: (name) => SKIPPED.has(name) });
  if (matches.length === 0) throw new UsageError(`no file ${word}`);
  return matches.flatMap((match) => named(match, root));
}

function below(folder: string, root: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : below(path, root);
    const shown = slashes(relative(root, path));
    return entry.isFile() && mayHavePins(shown) ? [shown] : [];
  });
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
function createReader(root: string): Reader {
  const known = new Map<string, Read | undefined>();
  return (path) => {
    if (!known.has(path)) known.set(path, readText(join(root, path)));
    return known.get(path);
  };
}

/** `undefined` for binary files. Text that is not UTF-8 is read as Latin-1, so that it can be written unchanged. */
function readText(path: string): Read | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isFile() || stat.size > MAX_BYTES) return undefined;
  const bytes = readFileSync(path);
  if (bytes.subarray(0, 4096).includes(0)) return undefined;
  const encoding = isUtf8(bytes) ? 'utf8' : 'latin1';
  return { text: bytes.toString(encoding), encoding };
}

/** apko resolves it from its working folder, which is the file's folder or one above. */
function readInclude(include: string, from: string, read: Reader): string | undefined {
  if (/^[a-z]+:\/\//.test(include)) return undefined;
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const path = slashes(normalize(join(folder, include)));
    const isOutside = path.startsWith('../') && !from.startsWith('../');
    const text = isOutside ? undefined : read(path)?.text;
    if (text !== undefined || folder === '.') return text;
  }
}
