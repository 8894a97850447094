/** A service process under load: during refreshes, attacks by slow clients, and shutdown. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { Agent, get as httpGet } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { splitSignatures } from '../../src/apk/signature.ts';
import { addressOf, start, type RunningProcess } from '../support/process.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';

const CLIENTS = 24;
const STATES = 8;

let folder: string;
let file: string;
let main: Upstream;
let community: Upstream;

beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'config.yaml');
  await writeFile(join(folder, testKey().name), testKey().pem);
  main = await startUpstream();
  community = await startUpstream();
  const datasource = (...repositories: string[]): object => ({
    archs: ['x86_64'],
    keys: [join(folder, testKey().name)],
    repositories,
  });
  const config = {
    listen: '127.0.0.1:0',
    cacheDir: null,
    drain: '3s',
    datasources: { both: datasource(main.url, community.url), hanging: datasource(`${main.url}/hanging`) },
  };
  main.misbehave('hanging', () => undefined);
  await writeFile(file, stringify(config));
});
afterEach(async () => {
  await main[Symbol.asyncDispose]();
  await community[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Both repositories have a package `app`, whose version tells which index it is from. */
function indexAt(repository: 1 | 2, state: number): Promise<Buffer> {
  const others = Array.from({ length: 3000 }, (_, i) => pkg(`other-${i}`, `1.${state}-r0`));
  return signedIndex([
    ...others,
    pkg('app', `${repository}.${state}-r0`, { t: String(1_700_000_000 + state) }),
  ]);
}

interface Answer {
  readonly status: number;
  readonly generation: string;
  readonly body: string;
}

function get(url: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    httpGet(url, { agent }, (response) => {
      const generation = String(response.headers['x-apk-beacon-generation']);
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, generation, body }), reject);
    }).on('error', reject);
  });
}

/** Clients that ask again and again until `over` aborts. What is answered is added to `answers`, in no order. */
async function load(url: string, answers: Answer[], over: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const client = async (): Promise<void> => {
    while (!over.aborted) answers.push(await get(url, agent));
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  agent.destroy();
}

/** The service, with the indexes of both repositories loaded. */
async function running(): Promise<RunningProcess> {
  const service = start(['--config', file]);
  await service.line(new RegExp(`"${main.url}/x86_64/.*loaded `));
  await service.line(new RegExp(`"${community.url}/x86_64/.*loaded `));
  return service;
}

test('an answer is of one generation, while both indexes of a datasource change under load', async () => {
  const indexes = { 1: [] as Buffer[], 2: [] as Buffer[] };
  for (const repository of [1, 2] as const)
    for (let state = 0; state < STATES; state += 1)
      indexes[repository].push(await indexAt(repository, state));
  main.serve('x86_64', indexes[1][0] as Buffer);
  community.serve('x86_64', indexes[2][0] as Buffer);
  await using service = await running();
  const address = await addressOf(service);
  const over = new AbortController();
  const answers: Answer[] = [];
  const clients = load(`${address}/app`, answers, over.signal);
  for (let state = 1; state < STATES; state += 1) {
    main.serve('x86_64', indexes[1][state] as Buffer);
    community.serve('x86_64', indexes[2][state] as Buffer);
    const changes = (): number => service.lines.filter((line) => line.includes('changed: ')).length;
    service.child.kill('SIGHUP');
    await expect.poll(changes, { timeout: 30_000 }).toBe(2 * state);
  }
  over.abort();
  await clients;

  const digest = (bytes: Buffer): string =>
    createHash('sha256').update(splitSignatures(bytes).body).digest('hex');
  const digests = { 1: indexes[1].map(digest), 2: indexes[2].map(digest) };
  const expected = new Map<string, string>();
  for (let a = 0; a < STATES; a += 1) {
    for (let b = 0; b < STATES; b += 1) {
      const identity = [[main.url, 'x86_64', digests[1][a]], [community.url, 'x86_64', digests[2][b]]]; // prettier-ignore
      const generation = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 12);
      expected.set(generation, `1.${a}-r0 2.${b}-r0`);
    }
  }
  const seen = new Map<string, number>();
  for (const { status, generation, body } of answers) {
    expect(status).toBe(200);
    const { releases } = JSON.parse(body) as { releases: { version: string; isDeprecated?: boolean }[] };
    const offered = releases.filter((release) => !release.isDeprecated).map(({ version }) => version);
    expect(offered.join(' ')).toBe(expected.get(generation));
    seen.set(generation, (seen.get(generation) ?? 0) + 1);
  }
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  process.stdout.write(`${total} answers of ${seen.size} generations, none of two\n`);
  expect(seen.size).toBeGreaterThan(2);
});

test('SIGTERM under load loses no request, ends those that wait, and exits with 0', async () => {
  main.serve('x86_64', await indexAt(1, 1));
  community.serve('x86_64', await indexAt(2, 1));
  await using service = await running();
  const address = await addressOf(service);
  const agent = new Agent();
  expect((await get(`${address}/app`, agent)).status).toBe(200);
  const waiting = get(`${address}/hanging/app`, agent);

  const over = new AbortController();
  const answers: Answer[] = [];
  const clients = load(`${address}/app`, answers, over.signal);
  await expect.poll(() => answers.length, { timeout: 60_000 }).toBeGreaterThan(500);
  service.child.kill('SIGTERM');
  const stopped = Date.now();
  // What a load balancer does: it sends requests until it is told that the service goes.
  await expect.poll(async () => (await get(`${address}/readyz`, agent)).status).toBe(503);
  over.abort();
  await clients;
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect((await waiting).status).toBe(429);
  expect(await service.ended).toBe(0);
  expect(Date.now() - stopped).toBeLessThan(10_000);
  process.stdout.write(`${answers.length} requests before and after SIGTERM, none lost\n`);
});

test('clients that never finish their request are closed, and others answered meanwhile', async () => {
  main.serve('x86_64', await indexAt(1, 1));
  community.serve('x86_64', await indexAt(2, 1));
  await using service = await running();
  const address = await addressOf(service);
  const agent = new Agent();
  const { port } = new URL(address);
  const sockets = Array.from({ length: 300 }, () => connect(Number(port), '127.0.0.1'));
  const closed = sockets.map(async (socket) => {
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    socket.write('GET /app HTTP/1.1\r\nHost: a\r\n');
    const timer = setInterval(() => socket.write('x: y\r\n'), 1000);
    await once(socket, 'close');
    clearInterval(timer);
  });
  for (let i = 0; i < 50; i += 1) expect((await get(`${address}/app`, agent)).status).toBe(200);
  await Promise.all(closed);
  expect((await get(`${address}/app`, agent)).status).toBe(200);
});
