/**
 * `npm run bench:advisories`: the cost of a feed of 800,000 records for a service of both Wolfi archs, compared with
 * the same service without a feed: resident memory, the longest block of its event loop while the feed is read twice,
 * the process that reads it, and lookups of pins.
 */
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AddressInfo } from 'node:net';
import type { LoopReport } from './child/probe.ts';
import { bundle } from '../scripts/build.ts';
import { Indexes, archs } from './indexes.ts';
import { makeFeed } from './feed.ts';
import { forgetPeak, memoryOf } from './memory.ts';
import { nodeFlags } from '../scripts/node-flags.ts';
import { buildChildren, probe, start, until, type Running } from './processes.ts';
import { measured } from './statistics.ts';

const RECORDS = Number(process.argv[2] ?? 800_000);
const LOOKUPS = 1000;

const results = fileURLToPath(new URL('results', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-bench-'));
mkdirSync(results, { recursive: true });
const indexes = new Indexes(results);
const data = fileURLToPath(new URL('../../shared/data/wolfi-2026-07-24', import.meta.url));
await indexes.make('wolfi', existsSync(data) ? { data } : { packages: 60_000 }, archs);
await bundle(join(folder, 'dist'));
await buildChildren();
const service = join(folder, 'dist', 'apk-beacon.mjs');

const feedFile = join(results, `feed-${RECORDS}.tar.gz`);
let revision = 0;
const upstream = createServer((request, response) => {
  const path = request.url ?? '';
  const arch = archs.find((each) => path.includes(`/${each}/`));
  const file = arch ? indexes.file('wolfi', arch) : feedFile;
  // The feed has a new ETag each time, so that it is read again.
  const etag = arch ? '"index"' : `"${(revision += 1)}"`;
  if (request.headers['if-none-match'] === etag) response.writeHead(304).end();
  else createReadStream(file).pipe(response.writeHead(200, { etag }));
}).listen(0, '127.0.0.1');
await once(upstream, 'listening');
const address = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;

interface Round {
  readonly rest: number;
  readonly peak: number;
  readonly loop: LoopReport | undefined;
  readonly reader: number;
  readonly seconds: number;
  /** Microseconds per uncached lookup of a pin, one lookup at a time. */
  readonly lookup: number;
}

const pins = await pinsOf();
await makeFeed(feedFile, RECORDS, [...new Set(pins.map(([name]) => name))]);
const [without, withFeed] = [await measure(false), await measure(true)];
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
process.stdout.write(
  [
    `records ${RECORDS}, feed ${megabytes(readFileSync(feedFile).length)} MB`,
    `rest: ${megabytes(without.rest)} MB without, ${megabytes(withFeed.rest)} MB with: ${megabytes(withFeed.rest - without.rest)} MB more`,
    `peak: ${megabytes(without.peak)} MB without, ${megabytes(withFeed.peak)} MB with: ${megabytes(withFeed.peak - without.peak)} MB more`,
    `longest block while the feed is read again: ${withFeed.loop?.longest.toFixed(1)} ms (timer of 1 ms included)`,
    `reader: ${megabytes(withFeed.reader)} MB at most, ${withFeed.seconds.toFixed(1)} s`,
    `lookup of a pin: ${without.lookup.toFixed(0)} µs without, ${withFeed.lookup.toFixed(0)} µs with`,
    '',
  ].join('\n'),
);
upstream.close();
upstream.closeAllConnections();

async function measure(hasFeed: boolean): Promise<Round> {
  const config = join(folder, `config-${hasFeed}.json`);
  const repository = { url: address, rollback: 'accept', maxAge: 'never' };
  const datasource = {
    archs,
    keys: [indexes.keyFile],
    repositories: [repository],
    ...(hasFeed && { advisories: [{ osv: `${address}/feed.tar.gz`, ecosystem: 'Wolfi' }] }),
  };
  writeFileSync(
    config,
    JSON.stringify({
      listen: '127.0.0.1:0',
      cacheDir: null,
      refresh: '1d',
      drain: '0s',
      limits: { inflated: '2GiB' },
      datasources: { bench: datasource },
    }),
  );
  await using running = start(process.execPath, [
    ...nodeFlags(service),
    ...probe,
    service,
    '--config',
    config,
  ]);
  const began = performance.now();
  const reader = watchReaders(running);
  const url = /http:\/\/\S+?:\d+/.exec(await running.line(/listening/))?.[0] ?? '';
  await running.line(/loaded .* packages/);
  if (hasFeed) await running.line(/identifiers of/);
  const seconds = (performance.now() - began) / 1000;
  await until('the service is ready', async () => (await fetch(`${url}/readyz`)).status === 200);
  const lookup = await timeLookups(url);
  await sleep(5000);
  const rest = memoryOf(running.pid).now;
  forgetPeak(running.pid);
  await running.ask<LoopReport>('reset');
  if (hasFeed) {
    const asked = revision;
    running.signal('SIGHUP');
    await until('the feed is read again', () => revision > asked && reader.count() === 0);
    await sleep(2000);
  }
  const loop = await running.ask<LoopReport>('report');
  const { peak } = memoryOf(running.pid);
  return { rest, peak, loop, reader: reader.stop(), seconds, lookup };
}

/** The processes that read feeds, and the most memory one had. A process that the service started starts them. */
function watchReaders({ pid }: Running): { count: () => number; stop: () => number } {
  let most = 0;
  const childrenOf = (parent: number): number[] =>
    readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  const readers = (): number[] => childrenOf(pid).flatMap(childrenOf);
  const timer = setInterval(() => {
    for (const reader of readers()) {
      try {
        most = Math.max(most, memoryOf(reader).peak || 0);
      } catch {
        // It has ended meanwhile.
      }
    }
  }, 100);
  return {
    count: () => readers().length,
    stop: () => {
      clearInterval(timer);
      return most;
    },
  };
}

async function timeLookups(url: string): Promise<number> {
  const times: number[] = [];
  for (const [name, version] of pins.slice(0, LOOKUPS)) {
    const began = performance.now();
    const answer = await fetch(`${url}/bench/${encodeURIComponent(name)}?current=${version}`);
    await answer.arrayBuffer();
    times.push((performance.now() - began) * 1000);
  }
  return measured(times.slice(200)).median;
}

/** The version of each name that the index lists first, of most names the newest. */
async function pinsOf(): Promise<readonly (readonly [string, string])[]> {
  const { readIndex } = await import('../src/apk/read-index.ts');
  const limits = { maxInflatedBytes: 2 ** 31, maxRatio: 1000, maxLineBytes: 2 ** 23, maxPackages: 5_000_000 };
  const { packages } = await readIndex(readFileSync(indexes.file('wolfi', 'x86_64')), {
    keys: 'unverified',
    limits,
  });
  return [...packages.names()].sort().map((name) => [name, packages.named(name)[0]?.version ?? ''] as const);
}
