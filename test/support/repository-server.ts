/** A repository on loopback; the test controls its indexes and failures. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Responder = (request: IncomingMessage, response: ServerResponse) => void;

export interface Upstream extends AsyncDisposable {
  readonly url: string;
  /** Paths asked for so far, in order. */
  readonly requests: readonly string[];
  /** Serves `bytes` at `/<arch>/APKINDEX.tar.gz`, with an ETag. */
  readonly serve: (arch: string, bytes: Uint8Array) => void;
  /** Answers requests for an arch with `responder`; `undefined` restores normal service. */
  readonly misbehave: (arch: string, responder: Responder | undefined) => void;
  /** Resolves when the next request for an arch has been answered. */
  readonly answered: (arch: string) => Promise<void>;
}

export async function startUpstream(): Promise<Upstream> {
  const indexes = new Map<string, Uint8Array>();
  const responders = new Map<string, Responder>();
  const waiting = new Map<string, (() => void)[]>();
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    const arch = path.split('/')[1] ?? '';
    response.on('close', () => {
      for (const resolve of waiting.get(arch) ?? []) resolve();
      waiting.delete(arch);
    });
    const responder = responders.get(arch);
    const bytes = indexes.get(arch);
    if (responder) responder(request, response);
    else if (!bytes || !path.endsWith('/APKINDEX.tar.gz')) response.writeHead(404).end();
    else sendIndex(bytes, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    serve: (arch, bytes) => void indexes.set(arch, bytes),
    misbehave: (arch, responder) => {
      if (responder) responders.set(arch, responder);
      else responders.delete(arch);
    },
    answered: (arch) =>
      new Promise((resolve) => {
        waiting.set(arch, [...(waiting.get(arch) ?? []), resolve]);
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function sendIndex(bytes: Uint8Array, request: IncomingMessage, response: ServerResponse): void {
  const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
  if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
  else response.writeHead(200, { etag, 'content-length': bytes.length }).end(bytes);
}
