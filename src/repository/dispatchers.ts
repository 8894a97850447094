/**
 * Connections for requests. Every request gets a dispatcher made here. undici's default dispatcher belongs to the copy
 * bundled with Node, where an early close by the server can end the process (nodejs/undici#5360). For the same reason
 * nothing uses the built-in `fetch`. HTTP/1.1 only.
 *
 * undici is large and loaded at the first request; a start from the cache answers before that.
 */
import type { LookupFunction } from 'node:net';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type undici from 'undici';
import type { Dispatcher } from 'undici';
import { IndexError } from '../errors.ts';
import { proxyFor, type Environment } from './proxy.ts';
import { guardedLookup, type AddressPolicy } from './address-policy.ts';
import { readTextFile } from './read-text-file.ts';

type Undici = typeof undici;

/** Paths of PEM files. */
export interface ClientCertificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

export interface DispatcherOptions {
  /** For the proxy variables. */
  readonly environment: Environment;
  /** PEM files with authorities to trust in addition to Node's. */
  readonly extraCa?: readonly string[];
  readonly clientCertificate?: ClientCertificate | undefined;
  /** Resolves names; the system's by default. */
  readonly lookup?: LookupFunction | undefined;
  /** Milliseconds. */
  readonly timeouts: { readonly connect: number; readonly headers: number };
}

/** The contents of the TLS files. */
interface TlsMaterial {
  readonly ca: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/** The addresses that a request may connect to, directly or after redirects. */
export interface Hop {
  /** Whether the client certificate may be used. */
  readonly identify: boolean;
  readonly policy: AddressPolicy;
}

/** Addresses of a name that are tried, one after the other, in the time to connect. */
const ADDRESSES = 5;

export class Dispatchers {
  readonly #options: DispatcherOptions;
  #material: TlsMaterial = { ca: [] };
  /** By hop and proxy. Connections are only reused for hops with the same permissions. */
  #dispatchers = new Map<string, Dispatcher>();
  #destroyed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** The dispatcher for `url`. TLS files are read each time, so rotated files are used. */
  async dispatcherFor(url: URL, hop: Hop): Promise<Dispatcher> {
    const [material, { default: undici }] = await Promise.all([this.#loadMaterial(), import('undici')]);
    this.#use(material);
    const proxy = proxyFor(url, this.#options.environment);
    const key = `${hop.identify} ${hop.policy} ${proxy?.href ?? 'direct'}`;
    const known = this.#dispatchers.get(key);
    if (known) return known;
    const dispatcher = this.#create(undici, proxy, hop);
    this.#dispatchers.set(key, dispatcher);
    return dispatcher;
  }

  /** Closes all connections; running requests fail. */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    const dispatchers = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()));
  }

  async #loadMaterial(): Promise<TlsMaterial> {
    const { extraCa = [], clientCertificate } = this.#options;
    const ca = await Promise.all(extraCa.map(loadAuthorities));
    if (!clientCertificate) return { ca };
    const [cert, key] = await Promise.all([
      readTextFile('client certificate', clientCertificate.certificateFile),
      readTextFile('key of the client certificate', clientCertificate.keyFile),
    ]);
    return { ca, cert, key };
  }

  /** Connections made with other TLS files are closed after their running requests. */
  #use(material: TlsMaterial): void {
    if (this.#destroyed) throw new IndexError('fetch-failed', 'the connections are closed');
    if (JSON.stringify(material) === JSON.stringify(this.#material)) return;
    for (const dispatcher of this.#dispatchers.values()) {
      // A request that fails on the old connections reports that itself.
      dispatcher.close().catch(() => undefined);
    }
    this.#dispatchers = new Map();
    this.#material = material;
  }

  #create(
    { Agent, Pool, ProxyAgent }: Undici,
    proxy: URL | undefined,
    { identify, policy }: Hop,
  ): Dispatcher {
    const { connect: timeout, headers: headersTimeout } = this.#options.timeouts;
    const tls = {
      secureContext: this.#secureContext(identify),
      allowH2: false,
      // By default 250 ms for each address but the last one.
      autoSelectFamilyAttemptTimeout: Math.ceil(timeout / ADDRESSES),
    };
    const lookup = guardedLookup(policy, this.#options.lookup);
    if (!proxy) return new Agent({ connect: { ...tls, timeout, lookup }, allowH2: false });
    // A proxy resolves names itself, so it decides what they lead to.
    return new ProxyAgent({
      uri: proxy.href,
      requestTls: tls,
      proxyTls: { ...tls, secureContext: this.#secureContext(false) },
      connectTimeout: timeout,
      allowH2: false,
      // Without it, a proxy that never answers CONNECT would delay much longer.
      clientFactory: (origin, options) => new Pool(origin, { ...options, headersTimeout }),
    });
  }

  #secureContext(identify: boolean): SecureContext {
    const { ca, cert, key } = this.#material;
    const authorities = ca.length === 0 ? {} : { ca: [...getCACertificates('default'), ...ca] };
    if (!identify || cert === undefined || key === undefined) return createSecureContext(authorities);
    try {
      return createSecureContext({ ...authorities, cert, key });
    } catch (cause) {
      const files = this.#options.clientCertificate;
      const message = `client certificate ${files?.certificateFile} cannot be used with key ${files?.keyFile}`;
      throw new IndexError('config-invalid', message, { cause });
    }
  }
}

async function loadAuthorities(path: string): Promise<string> {
  const pem = await readTextFile('CA file', path);
  // OpenSSL accepts a file without certificates and then adds no authority.
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new IndexError('config-invalid', `CA file ${path} contains no certificate in PEM format`);
}
