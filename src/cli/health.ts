/** `health`: whether the service on this machine is alive, for containers without a shell. */
import { get } from 'node:http';
import type { Config } from '../config/config.ts';
import { printable, printableJson } from '../errors.ts';

/** Milliseconds. An event loop that is blocked for longer is not alive. */
const PATIENCE = 3000;

/** 0 if `/livez` of the configured address answers; otherwise 1 and the reason on stderr. */
export async function healthCommand(
  { listen }: Config,
  { json }: { readonly json: boolean },
): Promise<number> {
  const host =
    ({ '0.0.0.0': '127.0.0.1', '::': '::1' } as Record<string, string>)[listen.host] ?? listen.host;
  const problem = await new Promise<string | undefined>((resolve) => {
    const request = get({ host, port: listen.port, path: '/livez', timeout: PATIENCE }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? undefined : `status ${response.statusCode}`);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${PATIENCE} ms`)));
    request.on('error', (error) => resolve(error.message));
  });
  const isAlive = problem === undefined;
  if (json) {
    const body = { alive: isAlive, address: `${host}:${listen.port}`, problem };
    process.stdout.write(`${printableJson(body, 2)}\n`);
    return isAlive ? 0 : 1;
  }
  if (isAlive) return 0;
  process.stderr.write(`apk-beacon: not alive at ${host}:${listen.port}: ${printable(problem)}\n`);
  return 1;
}
