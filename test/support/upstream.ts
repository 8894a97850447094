import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { onTestFinished } from 'vitest';
import {
  createUpstreamClient,
  type UpstreamClient,
  type UpstreamClientOptions,
} from '../../src/repository/upstream-client.ts';

export interface Upstream {
  /** With a trailing slash and the host 127.0.0.1. */
  readonly url: URL;
  /** In the order in which they came. */
  readonly requests: readonly IncomingMessage[];
}

/** A server on loopback that lives as long as the test. */
export async function startUpstream(handler: RequestListener, tls?: ServerOptions): Promise<Upstream> {
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    handler(request, response);
  };
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener);
  onTestFinished(() => server.closeAllConnections());
  return { url: await listen(server, tls ? 'https' : 'http'), requests };
}

/** A server that speaks only the bytes that `onConnection` writes once the request has come. */
export async function startRawUpstream(onRequest: (socket: Socket, request: string) => void): Promise<URL> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (request) => onRequest(socket, request.toString()));
  });
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
  return listen(server, 'http');
}

/** Listens on a free port of 127.0.0.1 as long as the test runs. */
export async function listen(server: TcpServer, scheme: string): Promise<URL> {
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new URL(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** A client without proxies that is closed with the test. */
export function startClient(options: Partial<UpstreamClientOptions> = {}): UpstreamClient {
  const client = createUpstreamClient({ environment: {}, ...options });
  onTestFinished(() => client.close());
  return client;
}
