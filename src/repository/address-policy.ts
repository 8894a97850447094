/**
 * Which addresses a redirect may lead to (protection against SSRF). Upstream must not use the service to reach
 * addresses that only the service can reach: its own machine, and the addresses where clouds keep a machine's
 * credentials. A name is checked by the addresses it resolves to when the connection is made; the checked address is
 * the one connected to.
 */
import { bareHost } from '../addresses.ts';
import { lookup as systemLookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { FetchError } from './fetch-error.ts';

/** The addresses that a hop may lead to. A configured host may be any, including this machine. */
export type AddressPolicy = 'anywhere' | 'not-metadata' | 'not-here';

/** 0.0.0.0 and :: mean this machine when connected to. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addSubnet('0.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');
loopback.addAddress('::', 'ipv6');

/** Link-local addresses, where most clouds have their metadata, and the addresses of clouds that have it elsewhere. */
const metadata = new BlockList();
metadata.addSubnet('169.254.0.0', 16);
metadata.addSubnet('fe80::', 10, 'ipv6');
metadata.addSubnet('fd00:ec2::', 32, 'ipv6'); // AWS
metadata.addAddress('fd20:ce::254', 'ipv6'); // Google
metadata.addAddress('100.100.100.200'); // Alibaba
metadata.addAddress('168.63.129.16'); // Azure
metadata.addAddress('192.0.0.192'); // Oracle

/** Names of this machine in hosts files; for proxies, which resolve names themselves. */
const ownNames: readonly string[] = ['localhost', 'localhost.localdomain', 'ip6-localhost', 'ip6-loopback'];
const metadataNames: readonly string[] = ['metadata.google.internal', 'metadata', 'instance-data'];

/** Whether this is a name or literal address of this machine. Does not resolve names. */
export function isThisMachine(url: URL): boolean {
  const host = bareHost(url.hostname);
  return ownNames.includes(host) || host.endsWith('.localhost') || (isIP(host) !== 0 && isOwn(host));
}

/** Why a host is forbidden, without resolving names. */
export function forbiddenHost(url: URL, policy: AddressPolicy): string | undefined {
  const host = bareHost(url.hostname);
  if (policy === 'anywhere') return undefined;
  if (isIP(host) !== 0) return forbiddenAddress(host, policy);
  if (metadataNames.includes(host)) return 'a metadata service';
  return policy === 'not-here' && isThisMachine(url) ? 'our own machine' : undefined;
}

function forbiddenAddress(address: string, policy: AddressPolicy): string | undefined {
  if (variants(address).some((each) => isListed(metadata, each))) return 'a link-local or metadata address';
  return policy === 'not-here' && isOwn(address) ? 'our own machine' : undefined;
}

/** A DNS lookup that fails for a name with an address outside `policy`. */
export function guardedLookup(policy: AddressPolicy, lookup: LookupFunction = systemLookup): LookupFunction {
  if (policy === 'anywhere') return lookup;
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      const addresses = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address);
      const forbidden = addresses.find((address) => forbiddenAddress(address, policy) !== undefined);
      if (error || forbidden === undefined) callback(error, found, family);
      else callback(new FetchError(`redirected to ${forbiddenAddress(forbidden, policy)}`), found, family);
    });
  };
}

function isOwn(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map((each) => each.address));
  return variants(address).some((each) => isListed(loopback, each) || own.includes(each));
}

function isListed(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

/**
 * The address and the IPv4 addresses within it, which a translator or tunnel may lead to: IPv4-mapped and -compatible
 * (RFC 4291), NAT64 (RFC 6052, and RFC 8215 with its own prefix length), 6to4 (RFC 3056), Teredo (RFC 4380, inverted),
 * ISATAP (RFC 5214).
 */
function variants(address: string): readonly string[] {
  const plain = address.split('%', 1)[0] ?? '';
  if (isIP(plain) !== 6) return [plain];
  const bytes = ipv6Bytes(plain);
  const at = (start: number, flip = 0): string =>
    [0, 1, 2, 3].map((i) => (bytes[start + i] as number) ^ flip).join('.');
  const begins = (...prefix: number[]): boolean => prefix.every((byte, i) => bytes[i] === byte);
  const zeros = (from: number, to: number): boolean => bytes.slice(from, to).every((byte) => byte === 0);
  const inside: string[] = [];
  const isMapped = zeros(0, 10) && bytes[10] === 0xff && bytes[11] === 0xff;
  const isTranslated = zeros(0, 8) && bytes[8] === 0xff && bytes[9] === 0xff && zeros(10, 12);
  if (isMapped || isTranslated || (zeros(0, 12) && !zeros(12, 15))) inside.push(at(12));
  if (begins(0, 0x64, 0xff, 0x9b)) {
    inside.push(at(12));
    // With a prefix of 48, 56 or 64 bits the address skips the ninth byte.
    const around = bytes.toSpliced(8, 1);
    if (!zeros(6, 12)) for (const start of [6, 7, 8]) inside.push(around.slice(start, start + 4).join('.'));
  }
  if (begins(0x20, 0x02)) inside.push(at(2));
  if (begins(0x20, 0x01, 0, 0)) inside.push(at(4), at(12, 0xff));
  if ((bytes[8] === 0 || bytes[8] === 2) && zeros(9, 10) && bytes[10] === 0x5e && bytes[11] === 0xfe)
    inside.push(at(12));
  return [plain, ...inside];
}

/** The 16 bytes of a valid IPv6 address. */
function ipv6Bytes(address: string): number[] {
  // The URL parser writes the last two groups in hexadecimal and shortens the address.
  const text = bareHost(new URL(`http://[${address}]/`).hostname);
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((each) => parseInt(each, 16));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
