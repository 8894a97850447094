/**
 * Trusted public keys from files, directories, URLs and Chainguard's key discovery.
 *
 * A key from the network is trusted on first use: it is fetched once and kept in `<cacheDir>/keys/<source>/<key name>`.
 * From then on that file is the key and the network is not used, so an attacker who takes over upstream later cannot
 * replace it. To accept a new key, delete the directory of its source. Keys that could not be kept on disk are
 * remembered by the process (`KeyMemory`) until they can.
 */
import { redactUrl } from '../addresses.ts';
import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { checkKey } from '../apk/signature.ts';
import { codeOf, cut, cutList, IndexError } from '../errors.ts';
import { makeFolder } from './atomic-file.ts';
import { statusError } from './conditional.ts';
import { percentDecoded, type CredentialLookup } from './credentials.ts';
import { FetchError, shortUrl } from './fetch-error.ts';
import { readTextFile } from './read-text-file.ts';
import type { UpstreamClient } from './upstream-client.ts';

/** A key to verify signatures with. `pem` is its SPKI form. */
export interface PublicKey {
  /** The file name in signatures, as in `.SIGN.RSA256.<name>`. */
  readonly name: string;
  readonly pem: string;
}

/**
 * The path or `file:` URL of a key or of a directory of `*.pub` and `*.pem`, the http(s) URL of a key, or a repository
 * whose `apk-configuration` lists its keys.
 */
export type KeySource = string | { readonly discover: URL };

/** Keys from the network that are not on disk, by their directory: pinned for the life of the process. */
export type KeyMemory = Map<string, readonly PublicKey[]>;

export interface LoadKeysOptions {
  readonly client: UpstreamClient;
  /** Without it, keys from the network are fetched at each start. */
  readonly cacheDir?: string | undefined;
  readonly credentials?: CredentialLookup | undefined;
  /** Nothing is fetched; keys that are not on disk count as missing. */
  readonly offline?: boolean | undefined;
  /** Without it, keys that cannot be kept on disk are fetched each time. */
  readonly memory?: KeyMemory | undefined;
  /** Called for a key that is used but could not be kept. */
  readonly warn?: ((error: IndexError) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const maxKeyBytes = 64 * 1024;

/**
 * The keys of all sources, in their order. Two different keys may have the same name: that is how keys are replaced.
 * Throws `config-invalid` with the source for an invalid key, and a `FetchError` for a missing one.
 */
export async function loadKeys(
  sources: readonly KeySource[],
  options: LoadKeysOptions,
): Promise<readonly PublicKey[]> {
  const keys = await Promise.all(sources.map((source) => loadSource(source, options)));
  return keys.flat().filter((key, index, all) => index === all.findIndex((other) => isSame(key, other)));
}

const isSame = (a: PublicKey, b: PublicKey): boolean => a.name === b.name && a.pem === b.pem;

async function loadSource(source: KeySource, options: LoadKeysOptions): Promise<readonly PublicKey[]> {
  if (typeof source !== 'string') {
    const url = configurationUrl(source.discover);
    return pinned(url, options, () => discoverKeys(url, options));
  }
  const url = URL.parse(source);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') {
    return pinned(url, options, async () => [await fetchKey(url, options)]);
  }
  return loadPath(url?.protocol === 'file:' ? fileURLToPath(url) : source);
}

async function loadPath(path: string): Promise<readonly PublicKey[]> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new IndexError('config-invalid', `cannot read key ${path}`, { cause });
  });
  if (!stats.isDirectory()) return [await loadKeyFile(path)];
  const keys = await loadDirectory(path);
  if (keys.length > 0) return keys;
  throw new IndexError('config-invalid', `no key (*.pub or *.pem) in directory ${path}`);
}

/** The keys in a directory; none if it does not exist. */
async function loadDirectory(path: string): Promise<readonly PublicKey[]> {
  const names = await readdir(path).catch((cause: unknown) => {
    if (codeOf(cause) === 'ENOENT') return [];
    throw new IndexError('config-invalid', `cannot read the keys in ${path}`, { cause });
  });
  const keyNames = names.filter((name) => KEY_NAME.test(name)).sort();
  const files = await Promise.all(keyNames.map((name) => readTextFile('key', join(path, name), maxKeyBytes)));
  return keyNames.flatMap((name, i) => {
    const text = files[i] ?? '';
    return name.endsWith('.pub') || PUBLIC_KEY.test(text) ? [keyOf(join(path, name), text)] : [];
  });
}

/** In SPKI form, or in that of PKCS#1, which apk takes too. */
const PUBLIC_KEY = /-----BEGIN (RSA )?PUBLIC KEY-----/;
/** OpenWrt's keys end in `.pem`. So do certificates, which are skipped. */
const KEY_NAME = /\.(pub|pem)$/;

async function loadKeyFile(path: string): Promise<PublicKey> {
  return keyOf(path, await readTextFile('key', path, maxKeyBytes));
}

function keyOf(path: string, text: string): PublicKey {
  return { name: basename(path), pem: toSpki(text, `key ${path}`) };
}

/** The normalized PEM of a public key. `what` names it in errors. */
function toSpki(text: string, what: string): string {
  const labels = text.match(/-----BEGIN [A-Z0-9 ]{1,40}-----/g) ?? [];
  if (labels.length !== 1 || !PUBLIC_KEY.test(text)) {
    const found = labels.length === 0 ? 'no PEM block' : cutList(labels);
    throw new IndexError(
      'config-invalid',
      `${what}: expected one -----BEGIN PUBLIC KEY-----, found ${found}`,
    );
  }
  try {
    return spkiPem(createPublicKey(text), what);
  } catch (cause) {
    if (cause instanceof IndexError) throw cause;
    throw new IndexError('config-invalid', `${what} is not a public key`, { cause });
  }
}

function spkiPem(key: KeyObject, what: string): string {
  checkKey(key, what);
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

async function fetchKey(url: URL, options: LoadKeysOptions): Promise<PublicKey> {
  const text = await fetchText(url, options);
  if (text === undefined) throw new FetchError(`${redactUrl(url)} answered 404`, { status: 404 });
  const what = `key ${redactUrl(url)}`;
  const name = percentDecoded(url.pathname.slice(url.pathname.lastIndexOf('/') + 1));
  return { name: keyName(name, what), pem: toSpki(text, what) };
}

const Configuration = z.object({ jwks_uri: z.string() });
const KeySet = z.object({ keys: z.array(z.object({ kty: z.string(), kid: z.string().optional() }).loose()) });

function configurationUrl(repository: URL): URL {
  const url = new URL(repository);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/apk-configuration`;
  return url;
}

/** Keys published as Chainguard's repositories do; none if the repository does not. */
async function discoverKeys(url: URL, options: LoadKeysOptions): Promise<readonly PublicKey[]> {
  const text = await fetchText(url, options);
  if (text === undefined) return [];
  const jwksUrl = URL.parse(parseJson(Configuration, text, url).jwks_uri, url.href);
  if (jwksUrl === null || (jwksUrl.protocol !== 'https:' && jwksUrl.origin !== url.origin)) {
    throw new FetchError(`${redactUrl(url)}: jwks_uri is neither https nor of the same origin`);
  }
  const jwks = await fetchText(jwksUrl, options, url);
  if (jwks === undefined) throw new FetchError(`${shortUrl(jwksUrl)} answered 404`, { status: 404 });
  const keys = parseJson(KeySet, jwks, jwksUrl).keys.filter(({ kty }) => kty === 'RSA');
  if (keys.length === 0) throw new FetchError(`${shortUrl(jwksUrl)} contains no RSA key`);
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) {
    throw new FetchError(`${shortUrl(jwksUrl)} contains two keys with the same kid`);
  }
  return keys.map((key) =>
    jwkToKey(key, `key ${JSON.stringify(cut(key.kid ?? ''))} of ${shortUrl(jwksUrl)}`),
  );
}

function jwkToKey(jwk: JsonWebKey & { readonly kid?: string | undefined }, what: string): PublicKey {
  const name = keyName(`${jwk.kid ?? ''}.rsa.pub`, what);
  try {
    // Only the public numbers: other members of a key set are ignored.
    const key = createPublicKey({ key: { kty: 'RSA', n: jwk.n, e: jwk.e } as JsonWebKey, format: 'jwk' });
    return { name, pem: spkiPem(key, what) };
  } catch (cause) {
    if (cause instanceof IndexError) throw cause;
    throw new IndexError('config-invalid', `${what} is not an RSA key`, { cause });
  }
}

function parseJson<T>(schema: z.ZodType<T>, text: string, url: URL): T {
  const refuse = (fact: string): FetchError =>
    new FetchError(`${shortUrl(url)} is not the expected JSON: ${fact}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which clients may not be allowed to see.
    throw refuse('it cannot be parsed');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw refuse(`${issue?.path.join('.') || 'top level'}: ${issue?.message ?? ''}`);
}

/** The text at `url`, or `undefined` for a 404. `namedAt` is where upstream names the URL. */
async function fetchText(
  url: URL,
  { client, credentials, signal }: LoadKeysOptions,
  namedAt?: URL,
): Promise<string | undefined> {
  const credential = await credentials?.(url);
  const answer = await client.get(url, { credential, namedAt, maxBytes: maxKeyBytes, signal });
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw statusError(url, answer);
  return Buffer.from(answer.bytes).toString('utf8');
}

/** A name that is safe as a file name on every system. */
function keyName(name: string, what: string): string {
  if (/^[\w+@-][\w.+@-]{0,199}$/.test(name) && KEY_NAME.test(name)) return name;
  throw new IndexError(
    'config-invalid',
    `${what}: ${JSON.stringify(cut(name))} is not the name of a key (*.pub or *.pem)`,
  );
}

/** The keys kept at the first use of `url`; otherwise fetches and keeps them. */
async function pinned(
  url: URL,
  { cacheDir, memory, offline, warn }: LoadKeysOptions,
  fetch: () => Promise<readonly PublicKey[]>,
): Promise<readonly PublicKey[]> {
  const source = sourceName(url);
  const directory = cacheDir === undefined ? undefined : join(cacheDir, 'keys', source);
  const kept = directory === undefined ? [] : await loadDirectory(directory);
  if (kept.length > 0) return kept;
  const remembered = memory?.get(source);
  if (offline) return remembered ?? [];
  const keys = remembered ?? (await fetch());
  // The repository may publish its keys later.
  if (keys.length === 0) return keys;
  const isKept =
    directory !== undefined &&
    (await keep(keys, directory).then(
      () => true,
      (cause: unknown) => {
        const message = `cannot keep the keys of ${redactUrl(url)} in ${directory}`;
        if (!remembered) warn?.(new IndexError('config-invalid', message, { cause }));
        return false;
      },
    ));
  if (isKept) {
    memory?.delete(source);
    return await loadDirectory(directory);
  }
  memory?.set(source, keys);
  return keys;
}

/** All keys of a source appear at once or not at all. If several processes share the folder, the first one wins. */
async function keep(keys: readonly PublicKey[], directory: string): Promise<void> {
  const parent = join(directory, '..');
  await makeFolder(parent);
  const temporary = await mkdtemp(join(parent, '.new-'));
  try {
    await Promise.all(keys.map(({ name, pem }) => writeFile(join(temporary, name), pem, { flush: true })));
    await rename(temporary, directory);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const code = codeOf(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

/** A directory name that shows the host and differs for each URL, without user name and password. */
function sourceName(url: URL): string {
  const hash = createHash('sha256').update(`${url.origin}${url.pathname}${url.search}`).digest('hex');
  return `${url.hostname.replace(/[^\w.-]/g, '_')}-${hash.slice(0, 16)}`;
}
