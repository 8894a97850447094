/** Asks a running service. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { withoutTrailingSlashes } from '../addresses.ts';
import type { Config } from '../config/config.ts';
import { IndexError, printable, UsageError } from '../errors.ts';
import { readSecret } from '../repository/credentials.ts';

/** The address of a service as given with `--url`, without slashes at the end. */
export function serviceUrl(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return withoutTrailingSlashes(text);
  throw new UsageError(`--url: expected an http or https URL, got ${text}`);
}

/**
 * The body of a 200. Sends the `clientToken` of the configuration, if there is one. With a `body` it is a POST of JSON.
 * Uses neither undici, which loads slowly, nor the built-in fetch, which can end the process (nodejs/undici#5360).
 */
export async function askService(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { clientToken, environment }: Pick<Config, 'clientToken' | 'environment'>,
  signal: AbortSignal,
  body?: string,
): Promise<string> {
  const token = clientToken && (await readSecret(clientToken, environment));
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  let answer: { status: number | undefined; type: string; text: string };
  try {
    const asked = request(url, {
      signal,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    });
    asked.end(body);
    const [answered] = (await once(asked, 'response')) as [IncomingMessage];
    const type = answered.headers['content-type'] ?? '';
    answer = { status: answered.statusCode, type, text: await textOf(answered) };
  } catch (cause) {
    throw new IndexError('fetch-failed', `cannot ask ${url.host}`, { cause });
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
