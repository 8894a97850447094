/** Asks a running service. */
import type { Config } from '../config/config.ts';
import { IndexError, printable } from '../errors.ts';
import { readSecret } from '../repository/credentials.ts';

/**
 * The body of a 200. Shows the `clientToken` of the own configuration, if there is one. With a `body` it is a POST of JSON.
 * undici by way of an agent of its own: the built-in fetch can end the process (nodejs/undici#5360).
 */
export async function askService(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { clientToken, environment }: Pick<Config, 'clientToken' | 'environment'>,
  signal: AbortSignal,
  body?: string,
): Promise<string> {
  const token = clientToken && (await readSecret(clientToken, environment));
  // By its default export: in the bundle a part of CommonJS has no other.
  const { default: undici } = await import('undici');
  const dispatcher = new undici.Agent();
  let answer: { status: number; text: string };
  try {
    const { statusCode, body: answered } = await undici.request(url, {
      dispatcher,
      headers: {
        ...headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      signal,
      ...(body !== undefined && { method: 'POST', body }),
    });
    answer = { status: statusCode, text: await answered.text() };
  } catch (cause) {
    throw new IndexError('fetch-failed', `cannot ask ${url.host}`, { cause });
  } finally {
    await dispatcher.destroy();
  }
  const { status, text } = answer;
  if (status === 200) return text;
  const wanted =
    token === undefined ? 'a token: set clientToken in the configuration' : 'another clientToken';
  const said = status === 401 ? `wants ${wanted}` : `answered ${status}: ${printable(text.slice(0, 200))}`;
  throw new IndexError('fetch-failed', `${url.host} ${said}`);
}
