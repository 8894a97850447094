import { BlockList, isIP } from 'node:net';
import { bareHost } from './bare-host.ts';
import { FetchError, redactUrl } from './fetch-error.ts';

const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];

export const isRedirect = (status: number): boolean => redirectStatuses.includes(status);

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addSubnet('0.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');
loopback.addAddress('::', 'ipv6');

/** Where clouds keep the credentials of a machine. No repository of the world lives there. */
const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16);
linkLocal.addSubnet('fe80::', 10, 'ipv6');
linkLocal.addAddress('fd00:ec2::254', 'ipv6');

/**
 * Where a redirect from `from` leads. An upstream must not use us to reach what only we can reach, so a redirect may
 * not lead from https to http, out of http, to a link-local address, or from elsewhere to our own machine.
 */
export function redirectTarget(from: URL, location: string | undefined): URL {
  const refuse = (why: string): FetchError => new FetchError(`${redactUrl(from)} redirects ${why}`);
  if (location === undefined) throw refuse('to nowhere');
  const target = URL.parse(location, from.href);
  if (target === null) throw refuse('to what is not a URL');
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw refuse(`to ${target.protocol}, which is not followed`);
  }
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw refuse(`to ${redactUrl(target)}, from https to http`);
  }
  if (target.hostname !== from.hostname) {
    if (isListed(linkLocal, target)) throw refuse(`to the link-local address ${target.host}`);
    if (isLoopback(target) && !isLoopback(from)) throw refuse(`to ${target.host}, our own machine`);
  }
  return target;
}

function isLoopback(url: URL): boolean {
  const host = bareHost(url.hostname);
  return host === 'localhost' || host.endsWith('.localhost') || isListed(loopback, url);
}

function isListed(list: BlockList, url: URL): boolean {
  const host = bareHost(url.hostname);
  const version = isIP(host);
  return version !== 0 && list.check(host, version === 4 ? 'ipv4' : 'ipv6');
}
