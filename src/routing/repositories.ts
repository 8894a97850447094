/** Addresses of repositories: which are the same, and their distributions. */
import { withoutTrailingSlashes } from '../addresses.ts';
import { alpineMirrors, alpineRepository, knownRepositories, type Family } from './known.ts';

export interface RepositoryId {
  /** The identity of a repository, whatever its address: `alpine:v3.22/main`, `wolfi`, or `HOST/PATH`. */
  readonly id: string;
  /** As written, without credentials. */
  readonly shown: string;
  readonly family: Family | undefined;
  /** `edge`, `latest-stable`, `3.22`. */
  readonly branch: string | undefined;
  readonly component: string | undefined;
}

/** A line of a `repositories` list or of `/etc/apk/repositories`: `@tag URL` or `URL`. */
export interface RepositoryLine {
  readonly tag: string | undefined;
  readonly address: string;
}

export function parseRepositoryLine(line: string): RepositoryLine {
  const match = /^@(\S+)\s+(\S.*)$/.exec(line.trim());
  return match
    ? { tag: match[1], address: (match[2] as string).trim() }
    : { tag: undefined, address: line.trim() };
}

/** The repository that a file names: only public mirrors count as Alpine's. */
export function repositoryId(address: string): RepositoryId {
  const plain = { shown: address, family: undefined, branch: undefined, component: undefined };
  if (/^deb(?:-src)?\s/.test(address)) return { ...plain, id: address, family: 'debian' };
  const place = placeOf(address);
  if (place === undefined) return { ...plain, id: withoutTrailingSlashes(address.replace(/^\.\//, '')) };
  const shown = place;
  const alpine = alpineRepository.exec(place)?.groups as Record<string, string> | undefined;
  if (alpine && alpineMirrors.includes(withoutTrailingSlashes(alpine['base'] ?? '')))
    return alpineId(alpine, shown);
  const known = knownRepositories.find(
    ({ prefix }) => place === prefix || place.startsWith(withSlash(prefix)),
  );
  if (known?.family === 'wolfi') return { ...plain, id: 'wolfi', shown, family: 'wolfi' };
  return { ...plain, id: place, shown, family: known?.family };
}

/**
 * The repositories of a configured address: the address itself and, if its path looks like a mirror's, the public one.
 * The path of an operator's mirror is trusted; the path of an address in a file is not.
 */
function repositoriesAt(address: string): readonly RepositoryId[] {
  const own = repositoryId(address);
  const place = placeOf(address);
  if (own.family !== undefined || place === undefined) return [own];
  const alpine = alpineRepository.exec(place)?.groups as Record<string, string> | undefined;
  const base = alpine?.['base'] ?? '';
  if (alpine && /^[^/]+\/$|\/alpine\/$/.test(base) && !base.endsWith('/apk/alpine/'))
    return [own, alpineId(alpine, place)];
  if (/^[^/]+\/os$|\/wolfi\/os$/.test(place)) return [own, { ...own, id: 'wolfi', family: 'wolfi' }];
  return [own];
}

/** The same for the addresses of one configuration: a path that looks like a mirror does not count if the original is configured, too. */
export function repositoriesAmong(all: readonly string[]): (address: string) => readonly RepositoryId[] {
  const configured = new Set(all.map((address) => repositoryId(address).id));
  return (address) => {
    const own = repositoryId(address);
    return repositoriesAt(address).filter(({ id }) => id === own.id || !configured.has(id));
  };
}

function alpineId(
  { branch = '', component = '' }: Readonly<Record<string, string>>,
  shown: string,
): RepositoryId {
  return {
    id: `alpine:${branch}/${component}`,
    shown,
    family: 'alpine',
    branch: branch.replace(/^v/, ''),
    component,
  };
}

/** `HOST/PATH`, whatever the scheme, credentials and slashes; `undefined` if it is not a web address. */
function placeOf(address: string): string | undefined {
  const url = URL.parse(address);
  if (!url || !['http:', 'https:'].includes(url.protocol)) return undefined;
  return `${url.host}${withoutTrailingSlashes(url.pathname.replace(/\/{2,}/g, '/'))}`;
}

function withSlash(prefix: string): string {
  return prefix.endsWith('/') ? prefix : `${prefix}/`;
}
