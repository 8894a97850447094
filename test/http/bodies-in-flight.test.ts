import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { BodiesInFlight, type BodyLimits } from '../../src/http/bodies-in-flight.ts';

/** More than the system takes for a connection whose client reads nothing. */
const LARGE = 24 * 1024 * 1024;
const sockets: Socket[] = [];
let server: Server | undefined;

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
});

/** Sends the body that the path has the number of. */
async function serve(limits: Partial<BodyLimits>, bodies: readonly Buffer[]): Promise<BodiesInFlight> {
  const inFlight = new BodiesInFlight(limits);
  server = createServer((request, response) => {
    const body = bodies[Number(request.url?.slice(1))] as Buffer;
    response.writeHead(200, { 'content-length': body.length });
    inFlight.send(response, body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return inFlight;
}

/** Asks, and reads only what `read` says: nothing beyond the head unless it is set. */
async function ask(body: number): Promise<Socket> {
  const socket = connect((server?.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  socket.write(`GET /${body} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  await once(socket, 'readable');
  return socket;
}

async function bytesOf(socket: Socket): Promise<number> {
  return (await buffer(socket)).length;
}

test('a body is sent whole, and counted once however many are sent it', async () => {
  const inFlight = await serve({}, [Buffer.alloc(LARGE, 'a')]);
  const clients = await Promise.all(Array.from({ length: 5 }, () => ask(0)));
  expect(inFlight.bytes).toBe(LARGE);
  for (const client of clients) expect(await bytesOf(client)).toBeGreaterThan(LARGE);
  await expect.poll(() => inFlight.bytes).toBe(0);
});

test('above the limit of bytes, the client that has read nothing for longest is disconnected', async () => {
  const inFlight = await serve(
    { maxBytes: 2 * LARGE },
    [1, 2, 3].map((fill) => Buffer.alloc(LARGE, fill)),
  );
  const [first, second, third] = [await ask(0), await ask(1), await ask(2)];
  expect(inFlight.bytes).toBe(2 * LARGE);
  expect(await bytesOf(first)).toBeLessThan(LARGE);
  expect(await bytesOf(second)).toBeGreaterThan(LARGE);
  expect(await bytesOf(third)).toBeGreaterThan(LARGE);
  await expect.poll(() => inFlight.bytes).toBe(0);
});

test('a body larger than the bound is sent alone', async () => {
  await serve({ maxBytes: 1 }, [Buffer.alloc(LARGE)]);
  expect(await bytesOf(await ask(0))).toBeGreaterThan(LARGE);
});

test('a client that reads nothing is disconnected after a while', async () => {
  const inFlight = await serve({ maxStall: 50 }, [Buffer.alloc(LARGE)]);
  const stalled = await ask(0);
  await expect.poll(() => inFlight.bytes).toBe(0);
  expect(await bytesOf(stalled)).toBeLessThan(LARGE);
});
