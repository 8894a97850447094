/**
 * Credentials for upstream. Secrets come from environment variables and files, which are read for each request, so
 * rotated secrets need no restart. No message contains a secret.
 */
import { IndexError } from '../errors.ts';
import { loadNetrc, type NetrcEntry } from './netrc.ts';
import type { Environment } from './proxy.ts';
import { readTextFile } from './read-text-file.ts';

/** The source of a secret: an environment variable or a file. A line break at its end is ignored. */
export type Secret = { readonly env: string } | { readonly file: string };

/** The credentials configured for one repository. */
export type RepositoryCredentials =
  | { readonly basic: { readonly username: string | Secret; readonly password: Secret } }
  | { readonly bearer: Secret }
  | { readonly header: { readonly name: string; readonly value: Secret } };

/** A request header that contains a secret. */
export interface CredentialHeader {
  readonly name: string;
  readonly value: string;
}

/** `HTTP_AUTH` as apk and apko read it. */
export interface HttpAuth {
  /** `*` for any host. */
  readonly host: string;
  readonly username: string;
  readonly password: string;
}

/** In order of precedence; a user name in the URL comes after `own`. */
export interface CredentialSources {
  readonly own?: CredentialHeader | undefined;
  readonly httpAuth?: HttpAuth | undefined;
  readonly netrc?: readonly NetrcEntry[] | undefined;
}

/** The credential for a URL, if there is one. */
export type CredentialLookup = (url: URL) => Promise<CredentialHeader | undefined>;

export interface CredentialLookupOptions {
  /** For `HTTP_AUTH` and the variables of secrets. */
  readonly environment: Environment;
  /** Path of a `.netrc`, which may not exist. */
  readonly netrcFile?: string | undefined;
  /** The credentials of a repository, for URLs of its origin only. */
  readonly repository?: { readonly url: URL; readonly credentials: RepositoryCredentials } | undefined;
}

/** Finds credentials for URLs. Throws `config-invalid` with the variable or file and the problem. */
export function credentialLookup({
  environment,
  netrcFile,
  repository,
}: CredentialLookupOptions): CredentialLookup {
  const httpAuth = environment['HTTP_AUTH'] ? parseHttpAuth(environment['HTTP_AUTH']) : undefined;
  return async (url) => {
    const own =
      repository?.url.origin === url.origin
        ? await resolveCredentials(repository.credentials, environment)
        : undefined;
    const netrc = netrcFile === undefined ? undefined : await loadNetrc(netrcFile);
    return authorizationFor(url, { own, httpAuth, netrc });
  };
}

/**
 * The credential for a request to `url`: the repository's own, the URL's, HTTP_AUTH's or netrc's. As for curl, netrc has
 * the password of a user name in the URL.
 */
export function authorizationFor(
  url: URL,
  { own, httpAuth, netrc }: CredentialSources,
): CredentialHeader | undefined {
  if (own) return own;
  const [host, user] = [url.hostname.toLowerCase(), percentDecoded(url.username)];
  const entry = netrc?.find(
    ({ machine, login }) =>
      (machine === undefined || machine.toLowerCase() === host) && ['', login].includes(user),
  );
  if (url.password !== '' || (user !== '' && !entry)) return basic(user, percentDecoded(url.password));
  if (user === '' && httpAuth && ['*', host].includes(httpAuth.host.toLowerCase()))
    return basic(httpAuth.username, httpAuth.password);
  return entry && basic(entry.login, entry.password);
}

/** Parses `basic:<realm/host>:<user>:<password>`. As in apk, the password may contain colons. */
export function parseHttpAuth(text: string): HttpAuth {
  const [scheme, host, username, ...password] = text.split(':');
  if (scheme?.toLowerCase() !== 'basic' || !host || username === undefined || password.length === 0) {
    throw new IndexError('config-invalid', 'HTTP_AUTH is not basic:<host>:<user>:<password>');
  }
  return { host, username, password: password.join(':') };
}

/** Reads the secrets of `credentials` and builds the header. */
export async function resolveCredentials(
  credentials: RepositoryCredentials,
  environment: Environment,
): Promise<CredentialHeader> {
  if ('basic' in credentials) {
    const { username, password } = credentials.basic;
    const user = typeof username === 'string' ? username : await readSecret(username, environment);
    return basic(user, await readSecret(password, environment));
  }
  if ('bearer' in credentials) {
    const value = `Bearer ${await readHeaderSecret(credentials.bearer, environment)}`;
    return { name: 'authorization', value };
  }
  const { name, value } = credentials.header;
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
    throw new IndexError('config-invalid', `${JSON.stringify(name)} is not the name of a header`);
  }
  return { name: name.toLowerCase(), value: await readHeaderSecret(value, environment) };
}

/** Reads the secret. Throws `config-invalid` with the variable or file. */
export async function readSecret(secret: Secret, environment: Environment): Promise<string> {
  const written = 'env' in secret ? environment[secret.env] : await readTextFile('secret file', secret.file);
  const text = written?.replace(/\r?\n$/, '');
  if (text) return text;
  const fact = text === undefined ? 'not set' : 'empty';
  throw new IndexError('config-invalid', `${secretName(secret)} is ${fact}`);
}

/** A secret that is used as a header value unchanged. */
async function readHeaderSecret(secret: Secret, environment: Environment): Promise<string> {
  const text = await readSecret(secret, environment);
  if (/^[\x20-\x7e]+$/.test(text)) return text;
  throw new IndexError(
    'config-invalid',
    `${secretName(secret)} contains a character that a header cannot contain, such as a line break`,
  );
}

function secretName(secret: Secret): string {
  return 'env' in secret ? `environment variable ${secret.env}` : `secret file ${secret.file}`;
}

function basic(username: string, password: string): CredentialHeader {
  const value = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return { name: 'authorization', value };
}

/** `%40` → `@`. Text with a stray `%`, which the URL standard allows, is returned unchanged. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
