/**
 * Where in an export the answer of a name lies: at the name itself, so that the path of a lookup is the path of the
 * file. A leading `/` is dropped, as file systems and web servers do with the `//` that it makes in a URL
 * (`/wolfi//bin/sh` → `wolfi/bin/sh`).
 *
 * A name that cannot lie there lies under `-/name/`, percent-encoded: one with characters that a URL cannot hold as
 * they are, one that ends like a compressed copy (`.gz`, `.br`) or a view (`…/latest`), and one that would need the
 * file of another name to be a directory (`/bin/sh` beside a package `bin`). Both ways lead back to the name.
 */
import { isView } from '../answers/target.ts';

/** Names of one datasource. */
export type Names = Pick<ReadonlySet<string>, 'has'>;

const ESCAPED = '-/name/';
/** File systems take 255 bytes; compressed copies add their ending. */
const MAX_SEGMENT = 200;
/** What may stand in a path unencoded, `%` aside. */
const PLAIN_SEGMENT = /^[A-Za-z0-9._+:~@=,-]{1,200}$/;

/** The path of `name` below its datasource, if these are all the names there are. */
export function fileOf(name: string, names: Names): string {
  const path = name.replace(/^\//, '');
  return isPlain(path) && !isShadowed(name, path, names) ? path : escaped(name);
}

/** The name whose answer lies at `path`. */
export function nameOf(path: string, names: Names): string {
  if (path.startsWith(ESCAPED)) return unescaped(path);
  return names.has(path) ? path : `/${path}`;
}

function isPlain(path: string): boolean {
  const segments = path.split('/');
  if (segments[0] === '-' || /\.(gz|br)$/.test(path)) return false;
  if (segments.length > 1 && isView(segments.at(-1) ?? '')) return false;
  return segments.every((segment) => PLAIN_SEGMENT.test(segment) && segment !== '.' && segment !== '..');
}

/** Whether another name has the file itself, or one that would have to be a directory. */
function isShadowed(name: string, path: string, names: Names): boolean {
  if (name !== path && names.has(path)) return true;
  for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
    const parent = path.slice(0, end);
    if (names.has(parent) || names.has(`/${parent}`)) return true;
  }
  return false;
}

/** Dots are encoded as well; what is too long for one segment goes on in the next, which a `+` at the end tells. */
function escaped(name: string): string {
  const encoded = encodeURIComponent(name).replaceAll('.', '%2E');
  const segments = encoded.match(new RegExp(`.{1,${MAX_SEGMENT}}`, 'g')) ?? [];
  return `${ESCAPED}${segments.join('+/')}`;
}

function unescaped(path: string): string {
  return decodeURIComponent(path.slice(ESCAPED.length).replaceAll('+/', ''));
}
