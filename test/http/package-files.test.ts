import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, request, type ClientRequest, type IncomingMessage } from 'node:http';
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
