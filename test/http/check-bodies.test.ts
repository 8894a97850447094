import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished, describe, expect, test } from 'vitest';
import { CheckBodies, hasTooManyValues, MAX_VALUES } from '../../src/http/check-bodies.ts';

describe('the bodies of checks', () => {
  /** A server with room for ten bytes, and how to begin a request of it. */
  async function serve(): Promise<
    (head: string, body?: string) => Promise<[admitted: boolean, socket: Socket]>
  > {
    const bodies = new CheckBodies(10);
    const server = createServer((request, response) => {
      server.emit('admitted', bodies.admit(request, response));
      request.resume();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server, 'listening');
    return async (head, body = '') => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on(
        'error',
        () => undefined,
      );
      const admitted = once(server, 'admitted');
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${body}`);
      return [((await admitted) as [boolean])[0], socket];
    };
  }

  test('if there are too many, the client that has been sending for longest is disconnected', async () => {
    const begin = await serve();
    const [, oldest] = await begin('Content-Length: 5');
    const [, younger] = await begin('Content-Length: 5');
    const closed = once(oldest, 'close');
    expect((await begin('Content-Length: 5'))[0]).toBe(true);
    await closed;
    expect(younger.destroyed).toBe(false);
  });

  test('if all have arrived, the next is refused until one is answered', async () => {
    const begin = await serve();
    const [, first] = await begin('Content-Length: 9', '123456789');
    expect((await begin('Content-Length: 2'))[0]).toBe(false);
    first.destroy();
    await expect.poll(async () => (await begin('Content-Length: 2'))[0]).toBe(true);
  });

  test('a body without an announced length counts as a large one', async () => {
    const begin = await serve();
    expect((await begin('Transfer-Encoding: chunked'))[0]).toBe(false);
  });
});

describe('the values of a JSON text are counted', () => {
  const items = (count: number, item: string): string => `[${Array(count).fill(item).join()}]`;

  test.each([
    ['numbers', (count: number) => items(count - 2, '0')],
    ['objects', (count: number) => items(count / 2 - 1, '{}')],
    ['lists in lists', (count: number) => '['.repeat(count - 1)],
    ['members', (count: number) => `{${items(count - 2, '"a":"b"').slice(1, -1)}}`],
  ])('%s', (_, make) => {
    expect(hasTooManyValues(make(MAX_VALUES))).toBe(false);
    expect(hasTooManyValues(make(MAX_VALUES + 2))).toBe(true);
  });

  test('but not what is in a text', () => {
    expect(hasTooManyValues(JSON.stringify({ text: ',[{"\\'.repeat(MAX_VALUES) }))).toBe(false);
  });
});
