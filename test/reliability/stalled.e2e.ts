/**
 * The cost of clients that never read their answers: peak memory of a service with both archs of Wolfi. With the limit of
 * its heap that V8 chooses by itself in a container of 256 or 512 MiB; on a machine of many gigabytes it collects garbage
 * much later.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { nodeFlags } from '../../scripts/node-flags.ts';
import { startProgram } from '../support/process.ts';
import { sharedData } from '../support/shared-data.ts';

const CLIENTS = 200;
const LIMIT = 256 * 2 ** 20;
const data = `${sharedData}wolfi-2026-07-24`;

/** The largest answer of each kind; the number makes every address another one. */
const routes: Readonly<Record<string, (client: number) => string>> = {
  '/{name}': (client) => `/pc:openssl?revision=${client}`,
  '/{name}?current=': (client) => `/kubectl?current=1.${client}.0-r0`,
  '/{name}/explain': (client) => `/kubectl/explain?all=${client}`,
  '/{name}/latest': (client) => `/kubectl/latest?range=>0.${client}`,
  'unknown names': (client) => `/${'x'.repeat(250)}${client}`,
  '/-/asked': () => '/-/asked',
  '/{datasource}': () => '/wolfi',
  '/renovate.json': () => '/renovate.json',
  '/readyz': () => '/readyz',
  '/metrics': () => '/metrics',
  '/{arch}/APKINDEX.tar.gz': (client) => `/${['any', 'x86_64', 'aarch64'][client % 3]}/APKINDEX.tar.gz`,
};

test.skipIf(!sharedData)(
  'the service stays below 256 MiB while 200 clients stall on each route',
  async () => {
    await using service = startProgram(process.execPath, [
      ...[...nodeFlags('src/main.ts'), '--max-old-space-size=256', 'src/main.ts'],
      ...['--listen', '127.0.0.1:0', '--cache-dir', 'none', '--repository', data, '--name', 'wolfi'],
      '--allow-untrusted',
    ]);
    const [address = ''] = /http:[^"]+/.exec(await service.line(/Server listening/)) ?? [];
    for (const arch of ['x86_64', 'aarch64']) await service.line(new RegExp(`${arch}.*loaded \\d+ packages`));
    const { port } = new URL(address);
    const peak = (): number => {
      const status = readFileSync(`/proc/${service.child.pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    };
    const report = (what: string): void =>
      void process.stdout.write(`${what}: peak ${(peak() / 2 ** 20).toFixed(0)} MiB\n`);
    report('loaded');
    await lookUpLongNames(port);
    report('5,000 lookups of long names');
    for (const [route, pathOf] of Object.entries(routes)) {
      const clients = await Promise.all(
        Array.from({ length: CLIENTS }, (_, client) => stall(Number(port), pathOf(client))),
      );
      report(`${CLIENTS} clients stall on ${route}`);
      expect(peak(), route).toBeLessThan(LIMIT);
      for (const client of clients) client.destroy();
      // The first who asks has every name surveyed, in the background.
      if (route === '/metrics') await surveyed(address);
    }
    const { statusCode } = await ask(port, '/livez', new Agent());
    expect(statusCode).toBe(200);
  },
);

async function surveyed(address: string): Promise<void> {
  const metrics = async (): Promise<string> => (await fetch(new URL('/metrics', address))).text();
  while (!(await metrics()).includes('apk_versions_offered{')) await sleep(500);
}

async function lookUpLongNames(port: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const asked = Array.from({ length: 5000 }, (_, i) => ask(port, `/${'x'.repeat(250)}${i}?current=1`, agent));
  await Promise.all(asked);
  agent.destroy();
}

function ask(port: string, path: string, agent: Agent): Promise<{ statusCode: number | undefined }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent }, (answer) => {
      answer.resume().on('end', () => resolve({ statusCode: answer.statusCode }));
    }).on('error', reject);
  });
}

/** Asks four times on one connection and reads nothing but the beginning of the first answer. */
async function stall(port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(4));
  await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
  return socket;
}
