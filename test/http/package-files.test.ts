import { once } from 'node:events';
import { truncate, writeFile } from 'node:fs/promises';
import { Agent, createServer, request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { PackageFiles } from '../../src/http/package-files.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a client that disconnects before its package is found does not count as one being sent', async () => {
  const path = join(await temporaryDirectory(), 'curl-8-r0.apk');
  await writeFile(path, Buffer.alloc(300_000, 1));
  const files = new PackageFiles({ warn: () => undefined }, { maxFiles: 1 });
  const looking = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  const server = createServer((asked, response) => {
    const send = () =>
      files.send(response, { kind: 'local', path }, { isHead: false, headers: ['connection', 'close'] });
    if (asked.url === '/') void send();
    else {
      response.once('close', () => void send().then(sent.resolve));
      looking.resolve();
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = (url: string): ClientRequest =>
    request({ port: (server.address() as AddressInfo).port, path: url, agent: false }).end();

  const leaving = ask('/late').on('error', () => undefined);
  await looking.promise;
  leaving.destroy();
  await sent.promise;

  const [response] = (await once(ask('/'), 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  expect(await buffer(response)).toHaveLength(300_000);
  server.close();
});

test('a local package that is shortened while it is sent ends the connection, so that no client waits for the rest', async () => {
  const path = join(await temporaryDirectory(), 'curl-8-r0.apk');
  // More than the buffers of a connection hold.
  await writeFile(path, '');
  await truncate(path, 100_000_000);
  const files = new PackageFiles({ warn: () => undefined });
  const server = createServer((_, response) => {
    void files.send(response, { kind: 'local', path }, { isHead: false, headers: [] });
  }).listen(0, '127.0.0.1');
  // It would keep the connection for the next request.
  server.keepAliveTimeout = 0;
  await once(server, 'listening');
  const agent = new Agent({ keepAlive: true });
  const asked = request({ port: (server.address() as AddressInfo).port, agent }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  await truncate(path, 1000);
  await expect(buffer(response)).rejects.toThrow('aborted');
  server.close();
});
