/** Asks a running service. */
import { withoutTrailingSlashes } from '../addresses.ts';
import { checkBodies, parseJudgments } from '../check/asked.ts';
import { askedPins, type CheckedFile } from '../check/findings.ts';
import type { Judgment, Policy } from '../check/judge.ts';
import type { Config } from '../config/config.ts';
import { IndexError, printable, UsageError } from '../errors.ts';
import { builtNames } from '../service/check.ts';
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

/** Judgments of each file's pins. The service's configuration decides which datasource is asked. */
export async function judgeThere(
  files: readonly CheckedFile[],
  base: string,
  {
    config,
    policy,
    signal,
  }: { readonly config: Config; readonly policy: Policy; readonly signal: AbortSignal },
): Promise<readonly (readonly Judgment[])[]> {
  const url = URL.parse(`${withoutTrailingSlashes(base)}/-/check`);
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError('--url: expected an http or https URL');
  const asked = files.map(askedPins);
  const judgments: Judgment[] = [];
  for (const body of checkBodies(asked, { policy, built: builtNames(files) }))
    judgments.push(...parseJudgments(await askService(url, {}, config, signal, body)));
  let at = 0;
  return asked.map(({ length }) => judgments.slice(at, (at += length)));
}
