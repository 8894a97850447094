/** Addresses of repositories, indexes and keys: how they are normalised, shown without secrets, and told apart. */
import { join } from 'node:path';

/** `https://host/os//` → `https://host/os`. A regular expression for this would take quadratic time. */
export function withoutTrailingSlashes(address: string): string {
  let end = address.length;
  while (address[end - 1] === '/') end -= 1;
  return address.slice(0, end);
}

/** Whether it is fetched over HTTP; anything else is a path or a `file:` URL. */
export function isRemote(address: string): boolean {
  return /^https?:\/\//i.test(address);
}

/** Whether it names one index file and not a folder of archs. */
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

/** A host of a URL as other programs write it: `[::1]` → `::1`, `example.com.` → `example.com`. */
export function bareHost(host: string): string {
  if (host.startsWith('[') && host.endsWith(']')) return host.slice(1, -1);
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** A URL fit for messages: without user name, password and fragment, its query only hinted at. */
export function redactUrl(location: URL | string): string {
  const url = typeof location === 'string' ? URL.parse(location) : location;
  if (url === null) return '(not a URL)';
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?…'}`;
}

/** The address of a repository or key, a URL or a path, fit for messages. */
export function redactAddress(address: string): string {
  return URL.canParse(address) ? redactUrl(address) : address;
}

/** An address as it was configured, with `***` in place of user, password and query: for printed configurations. */
export function maskAddress(address: string): string {
  const url = URL.parse(address);
  if (!url) return address;
  if (url.username !== '' || url.password !== '') url.username = url.password = '***';
  if (url.search !== '') url.search = '***';
  return url.href;
}

/** Masks the user name and password of every URL in `text`: the last net for what was not to be written at all. */
export function withoutUserinfo(text: string): string {
  return text.replace(/(?<=:\/\/)[^/\s"]*@/g, '***@');
}

/** Tells addresses apart whatever the password: the same for the same user of the same URL, or for the same path. */
export function addressIdentity(address: string): readonly string[] {
  const url = URL.parse(address);
  return url ? [url.origin, url.pathname, url.search, url.username] : [address];
}

/** The address of a key; whoever asks for it, it is the same key. */
export function withoutUser(address: string): string {
  const url = URL.parse(address);
  return url ? `${url.origin}${url.pathname}${url.search}` : address;
}
