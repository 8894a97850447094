/** Addresses of repositories, indexes and keys: normalization, masking of secrets, identity. */
import { join } from 'node:path';

/** `https://host/os//` → `https://host/os`. A regular expression would need quadratic time. */
export function withoutTrailingSlashes(address: string): string {
  let end = address.length;
  while (address[end - 1] === '/') end -= 1;
  return address.slice(0, end);
}

/** Whether it is fetched over HTTP; otherwise it is a path or a `file:` URL. */
export function isRemote(address: string): boolean {
  return /^https?:\/\//i.test(address);
}

/** Whether it is a single index file, not a folder of archs. */
export function isIndexFile(address: string): boolean {
  return /\.(tar\.gz|adb)$/.test(URL.parse(address)?.pathname ?? address);
}

/** What the index of an arch is called, in the order in which it is looked for: that of apk 2, and that of apk 3. */
export const indexNames = ['APKINDEX.tar.gz', 'Packages.adb'] as const;

/** An index of `arch` in a repository. A query in its address stays at the end. */
export function indexAddress(
  repository: string,
  arch: string,
  name: (typeof indexNames)[number] = indexNames[0],
): string {
  if (!isRemote(repository)) return join(repository, arch, name);
  const url = new URL(repository);
  url.pathname = `${withoutTrailingSlashes(url.pathname)}/${arch}/${name}`;
  return url.href;
}

/** The index of `arch` in a repository, whose address may be that of the index file itself. */
export function indexOrFileAddress(repository: string, arch: string): string {
  const base = withoutTrailingSlashes(repository);
  return isIndexFile(base) ? base : indexAddress(base, arch);
}

/** The host of a URL in the form other programs use: `[::1]` → `::1`, `example.com.` → `example.com`. */
export function bareHost(host: string): string {
  if (host.startsWith('[') && host.endsWith(']')) return host.slice(1, -1);
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** A URL for messages: without user name, password and fragment, and with `?…` for a query. */
export function redactUrl(location: URL | string): string {
  const url = typeof location === 'string' ? URL.parse(location) : location;
  if (url === null) return '(not a URL)';
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

/** The address of a repository or key for messages. */
export function redactAddress(address: string): string {
  return URL.canParse(address) ? redactUrl(address) : address;
}

/** An address as configured, with `***` for user, password and query: for printed configurations. */
export function maskAddress(address: string): string {
  const url = URL.parse(address);
  if (!url) return address;
  if (url.username !== '' || url.password !== '') url.username = url.password = '***';
  if (url.search !== '') url.search = '***';
  return url.href;
}

/** Masks user name and password of every URL in `text`: the last safeguard. */
export function withoutUserinfo(text: string): string {
  return text.replace(/(?<=:\/\/)[^/\s"]*@/g, '***@');
}

/** The identity of an address without its password: the same for the same user of the same URL, or the same path. */
export function addressIdentity(address: string): readonly string[] {
  const url = URL.parse(address);
  return url ? [url.origin, url.pathname, url.search, url.username] : [address];
}

/** The identity of a key's address, without the user. */
export function withoutUser(address: string): string {
  const url = URL.parse(address);
  return url ? `${url.origin}${url.pathname}${url.search}` : address;
}

/** `text` of an index, if it is an address that browsers may open. */
export function webAddress(text: string | undefined): string | undefined {
  const url = URL.parse(text ?? '');
  return url && ['http:', 'https:'].includes(url.protocol) && url.username === '' ? text : undefined;
}
