/**
 * The file of a name in an export: normally the name itself, so that the path of a lookup is the path of the file. A
 * leading `/` is dropped, because file systems and web servers merge the `//` in a URL (`/wolfi//bin/sh` →
 * `wolfi/bin/sh`).
 *
 * Other names are percent-encoded at `-/name/`: names with characters that a URL cannot contain; names that end like a
 * compressed copy (`.gz`, `.br`) or a route (`…/latest`); names that file servers would take for a page, a program or
 * their configuration (`….html`, `….php`, `.htaccess`), because packages fill in the answers; and names that need a file
 * as a directory, either that of another name (`/bin/sh` beside a package `bin`) or that of a page (`….html/…`). The
 * mapping is reversible.
 */
import { isPackageRoute } from '../answers/target.ts';

/** Names of one datasource. */
export type Names = Pick<ReadonlySet<string>, 'has'>;

const ESCAPED = '-/name/';
/** File systems allow 255 bytes; compressed copies add a suffix. */
const MAX_SEGMENT = 200;
/** Characters allowed in a path unencoded, besides `%`; a hidden file may configure a file server. */
const PLAIN_SEGMENT = /^(?!\.)[A-Za-z0-9._+:~@=,-]{1,200}$/;
/** Compressed copies, pages and programs, and folders named like pages. */
const SPECIAL = /\.(gz|br|[a-z]*html?|php\d?)$|\.html\//i;

/** The path of `name` below its datasource; `names` are all names. */
export function fileOf(name: string, names: Names): string {
  const path = name.replace(/^\//, '');
  return isPlain(path) && !isShadowed(name, path, names) ? path : escaped(name);
}

function isPlain(path: string): boolean {
  const segments = path.split('/');
  if (segments[0] === '-' || SPECIAL.test(path)) return false;
  if (segments.length > 1 && isPackageRoute(segments.at(-1) ?? '')) return false;
  return segments.every((segment) => PLAIN_SEGMENT.test(segment));
}

/** Whether another name has the same file, or a file that would have to be a directory. */
function isShadowed(name: string, path: string, names: Names): boolean {
  if (name !== path && names.has(path)) return true;
  for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
    const parent = path.slice(0, end);
    if (names.has(parent) || names.has(`/${parent}`)) return true;
  }
  return false;
}

/** Dots are encoded too. Long names continue in the next segment; a `+` at the end marks that. */
function escaped(name: string): string {
  const encoded = encodeURIComponent(name).replaceAll('.', '%2E');
  const segments = encoded.match(new RegExp(`.{1,${MAX_SEGMENT}}`, 'g')) ?? [];
  return `${ESCAPED}${segments.join('+/')}`;
}
