/** Asks a running service. */
import { withoutTrailingSlashes } from '../addresses.ts';
import type { Config } from '../config/config.ts';
import { IndexError, printable, UsageError } from '../errors.ts';
import { authorizationFor, readSecret } from '../repository/credentials.ts';
import { Dispatchers } from '../repository/dispatchers.ts';

/** The address of a service as given with `--url`, without slashes at the end. */
export function serviceUrl(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return withoutTrailingSlashes(text);
  throw new UsageError(`--url: expected an http or https URL, got ${text}`);
}

/**
 * The body of a 200. Sends the `clientToken` of the configuration, if there is one. With a `body` it is a POST of JSON.
 * Uses the configured authorities and proxies.
 */
export async function askService(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { clientToken, environment, extraCa, timeouts }: Config,
  signal: AbortSignal,
  body?: string,
): Promise<string> {
  const token = clientToken && (await readSecret(clientToken, environment));
  const own = token === undefined ? undefined : { name: 'authorization', value: `Bearer ${token}` };
  const credential = authorizationFor(url, { own });
  const dispatchers = new Dispatchers({ environment, extraCa, timeouts });
  let answer: { status: number; type: string; text: string };
  try {
    const dispatcher = await dispatchers.dispatcherFor(url, { identify: true, policy: 'anywhere' });
    const answered = await dispatcher.request({
      signal,
      method: body === undefined ? 'GET' : 'POST',
      origin: url.origin,
      path: url.pathname + url.search,
      headers: {
        ...headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(credential && { [credential.name]: credential.value }),
      },
      ...(body !== undefined && { body }),
    });
    const type = [answered.headers['content-type']].flat()[0] ?? '';
    answer = { status: answered.statusCode, type, text: await answered.body.text() };
  } catch (cause) {
    if (cause instanceof IndexError) throw cause;
    throw new IndexError('fetch-failed', `cannot ask ${url.host}`, { cause });
  } finally {
    await dispatchers.destroy();
  }
  const { status, type, text } = answer;
  if (status === 200) {
    if (type.startsWith('application/json')) return text;
    throw new IndexError('fetch-failed', `${url.host} is not apk-beacon: it answered ${type || 'no type'}`);
  }
  const wanted =
    token === undefined ? 'a token: set clientToken in the configuration' : 'another clientToken';
  const said = status === 401 ? `wants ${wanted}` : `answered ${status}: ${printable(text.slice(0, 200))}`;
  throw new IndexError('fetch-failed', `${url.host} ${said}`);
}
