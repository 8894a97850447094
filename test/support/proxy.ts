import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import { listen } from './upstream.ts';

export interface Proxy {
  readonly url: URL;
  /** `GET http://host/path` or `CONNECT host:port`, with the proxy's own credentials if it got any. */
  readonly asked: readonly { readonly line: string; readonly authorization: string | undefined }[];
}

/** A forward proxy on loopback: absolute GET for http, CONNECT for https. */
export async function startProxy(): Promise<Proxy> {
  const asked: { line: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    const { method, url = '', headers } = request;
    asked.push({ line: `${method} ${url}`, authorization: headers['proxy-authorization'] });
    httpRequest(url, { method, headers }, (upstream) => {
      response.writeHead(upstream.statusCode ?? 502, upstream.headers);
      upstream.pipe(response);
    }).end();
  });
  server.on('connect', (request, client) => {
    const target = request.url ?? '';
    asked.push({ line: `CONNECT ${target}`, authorization: request.headers['proxy-authorization'] });
    const [host, port] = target.split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
    onTestFinished(() => void upstream.destroy());
  });
  onTestFinished(() => server.closeAllConnections());
  return { url: await listen(server, 'http'), asked };
}
