/** `health`: whether the service on this machine is alive, for containers that have no shell to ask with. */
import { get } from 'node:http';
import type { Config } from '../config/config.ts';
import { printable } from '../errors.ts';

/** Milliseconds; a loop that is blocked for longer is not alive. */
const PATIENCE = 3000;

/** 0 if `/livez` of the configured address answers, 1 with a word on stderr if not. */
export async function healthCommand({ listen }: Config): Promise<number> {
  const host =
    ({ '0.0.0.0': '127.0.0.1', '::': '::1' } as Record<string, string>)[listen.host] ?? listen.host;
  const problem = await new Promise<string | undefined>((resolve) => {
    const request = get({ host, port: listen.port, path: '/livez', timeout: PATIENCE }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? undefined : `it answered ${response.statusCode}`);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${PATIENCE} ms`)));
    request.on('error', (error) => resolve(error.message));
  });
  if (problem === undefined) return 0;
  process.stderr.write(`apk-beacon: not alive at ${host}:${listen.port}: ${printable(problem)}\n`);
  return 1;
}
