/** Baselines: `server.ts raw|fastify BYTES` answers every request with one body of that size. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const [kind = '', bytes = '0'] = process.argv.slice(2);
const body = JSON.stringify({ filler: 'x'.repeat(Math.max(0, Number(bytes) - 13)) });

if (kind === 'raw') {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const server = createServer((_request, response) => response.writeHead(200, headers).end(body));
  server.listen(0, '127.0.0.1', () => announce((server.address() as AddressInfo).port));
} else {
  const { default: fastify } = await import('fastify');
  const app = fastify();
  app.get('/*', (_request, reply) => reply.type('application/json').send(body));
  await app.listen({ host: '127.0.0.1', port: 0 });
  announce((app.server.address() as AddressInfo).port);
}

function announce(port: number): void {
  process.stdout.write(`Server listening at http://127.0.0.1:${port}\n`);
}
