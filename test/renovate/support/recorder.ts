/** A proxy between Renovate and the service that records requests as they arrive. */
import { once } from 'node:events';
import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Recorder extends AsyncDisposable {
  readonly url: string;
  /** Goes on to another service from now on. */
  readonly retarget: (target: string) => void;
  /** Paths with queries, in order. */
  readonly paths: readonly string[];
  /** Resolves once paths that match have been asked for so many times in all, before the last is answered. */
  readonly asked: (pattern: RegExp, times?: number) => Promise<void>;
  /** Status of every answer to a path that matches. */
  readonly statuses: (pattern: RegExp) => readonly number[];
}

export async function startRecorder(first: string): Promise<Recorder> {
  let target = first;
  const paths: string[] = [];
  const answers: { readonly path: string; readonly status: number }[] = [];
  const waiting: { readonly pattern: RegExp; readonly times: number; readonly resolve: () => void }[] = [];
  const count = (pattern: RegExp): number => paths.filter((path) => pattern.test(path)).length;
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '';
    paths.push(path);
    for (const { pattern, times, resolve } of waiting) if (count(pattern) >= times) resolve();
    // The client's own Host goes on: the service builds addresses from it.
    const forwarded = ask(new URL(path, target), { method: incoming.method, headers: incoming.headers });
    forwarded.on('response', (response) => {
      answers.push({ path, status: response.statusCode ?? 0 });
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    retarget: (next) => void (target = next),
    paths,
    asked: (pattern, times = 1) =>
      count(pattern) >= times
        ? Promise.resolve()
        : new Promise((resolve) => void waiting.push({ pattern, times, resolve })),
    statuses: (pattern) => answers.filter(({ path }) => pattern.test(path)).map(({ status }) => status),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
