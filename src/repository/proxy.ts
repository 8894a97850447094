/**
 * The proxy for a URL, from the variables that curl, Go and most programs use: `https_proxy` for https, `http_proxy`
 * for http, `no_proxy` for exceptions, each in lower or upper case. Lower case takes precedence.
 *
 * `no_proxy` is a list of `*`, `example.com`, `.example.com` (both mean the name and its subdomains), `10.0.0.0/8`,
 * `::1`, and names and addresses with a `:port`, separated by commas or blanks.
 */
import { bareHost } from '../addresses.ts';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { IndexError } from '../errors.ts';
import { percentDecoded } from './credentials.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy for `url`, or `undefined` for a direct connection. */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const proxy = variable(environment, name);
  if (proxy === '' || isExempt(url, variable(environment, 'no_proxy'))) return undefined;
  const parsed = URL.parse(proxy.includes('://') ? proxy : `http://${proxy}`);
  if (parsed?.protocol === 'http:' || parsed?.protocol === 'https:') return withValidUserinfo(parsed);
  throw new IndexError('config-invalid', `${name.toUpperCase()} is not the URL of an http or https proxy`);
}

/** With a stray `%` in user name or password encoded; undici rejects it. */
function withValidUserinfo(proxy: URL): URL {
  proxy.username = encodeURIComponent(percentDecoded(proxy.username));
  proxy.password = encodeURIComponent(percentDecoded(proxy.password));
  return proxy;
}

function variable(environment: Environment, name: string): string {
  return (environment[name] ?? environment[name.toUpperCase()] ?? '').trim();
}

function isExempt(url: URL, noProxy: string): boolean {
  const host = bareHost(url.hostname);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy.split(/[\s,]/).some((entry) => entry !== '' && covers(entry.toLowerCase(), host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInSubnet(host, entry);
  const colon = isIPv6(entry) || entry.endsWith(']') ? -1 : entry.lastIndexOf(':');
  if (colon !== -1 && entry.slice(colon + 1) !== port) return false;
  const name = bareHost(colon === -1 ? entry : entry.slice(0, colon)).replace(/^\*?\./, '');
  return name !== '' && (host === name || host.endsWith(`.${name}`));
}

function isInSubnet(host: string, subnet: string): boolean {
  const slash = subnet.indexOf('/');
  const [network, bits] = [subnet.slice(0, slash), Number(subnet.slice(slash + 1))];
  const version = isIP(network);
  if (version === 0 || isIP(host) !== version) return false;
  if (!Number.isInteger(bits) || bits < 0 || bits > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, bits, family);
  return list.check(host, family);
}
