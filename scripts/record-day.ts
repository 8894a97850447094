/**
 * Records the metrics of a normal day in twelve minutes. The packages of the last 24 hours of an index are published
 * when they were built, Renovate runs every hour, and the service's clock runs 120 times as fast. Durations, memory and
 * CPU time are the machine's own; rates are per second of the day.
 *
 * usage: node scripts/record-day.ts FOLDER OUT   FOLDER holds x86_64/APKINDEX.tar.gz and aarch64/APKINDEX.tar.gz
 *
 * OUT is OpenMetrics text. Prints the times of its first and last sample in Unix seconds.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { addressOf, startProgram } from '../test/support/process.ts';
import { signatureMember, tar, testKey } from '../test/support/signed-index.ts';
import { nodeFlags } from './node-flags.ts';

const SPEED = 120;
const DAY = 86_400;
/** Seconds of the day. Before it starts, the service has this long to load. */
const WARM_UP = 3600;
const SCRAPE = 60;
const PUBLISH = 1800;
const RENOVATE = 3600;
/** 100 repositories of 20 pins, whose runs together take ten minutes. */
const PINS = 2000;
const RUN = 600;
/** Pinned but in no index: two pins that have been withdrawn. */
const GONE = ['acme-tool-1.2', 'acme-agent'];

const [folder = '', out = ''] = process.argv.slice(2);
const archs = ['x86_64', 'aarch64'];
const key = testKey('day.rsa.pub');
const days = archs.map((arch) => readDay(join(folder, arch, 'APKINDEX.tar.gz')));
const end = Math.max(...days.map(({ builds }) => builds.at(-1)?.time ?? 0));
const began = end - DAY;
const published = new Map<string, { readonly body: Buffer; readonly etag: string }>();
const samples = new Map<string, string[]>();
let startedAt = performance.now();
const now = (): number => began - WARM_UP + ((performance.now() - startedAt) / 1000) * SPEED;

interface Build {
  readonly text: string;
  /** Unix seconds. */
  readonly time: number;
}

/** The packages built before the last day of an index, as text, and those built on that day, oldest first. */
function readDay(file: string): { readonly before: string; readonly builds: readonly Build[] } {
  const text = execFileSync('tar', ['-xzOf', file, 'APKINDEX'], { encoding: 'utf8', maxBuffer: 1e9 });
  const all = text
    .trim()
    .split('\n\n')
    .map((stanza) => ({ text: `${stanza}\n\n`, time: Number(/^t:(\d+)$/m.exec(stanza)?.[1]) }));
  const last = all.reduce((latest, { time }) => Math.max(latest, time || 0), 0);
  const isNew = ({ time }: Build): boolean => time > last - DAY;
  return {
    before: all
      .filter((build) => !isNew(build))
      .map((build) => build.text)
      .join(''),
    builds: all.filter(isNew).toSorted((a, b) => a.time - b.time),
  };
}

async function publish(): Promise<void> {
  for (const [i, arch] of archs.entries()) {
    const { before = '', builds = [] } = days[i] ?? {};
    const there = builds.filter(({ time }) => time <= now());
    const etag = `"${there.length}"`;
    if (published.get(arch)?.etag === etag) continue;
    const files = [
      { name: 'DESCRIPTION', content: 'a day' },
      { name: 'APKINDEX', content: before + there.map(({ text }) => text).join('') },
    ];
    const body = await promisify(gzip)(await tar(files), { level: 1 });
    published.set(arch, { body: Buffer.concat([await signatureMember(body, [{ key }]), body]), etag });
  }
}

/** Some names of the index, the same in every run. */
function pins(): readonly string[] {
  const names = [...new Set(days[0]?.before.match(/(?<=^P:).+$/gm))];
  const step = Math.floor(names.length / PINS);
  return [...GONE, ...names.filter((_, i) => i % step === 0)].slice(0, PINS);
}

async function lookUp(address: string, names: readonly string[]): Promise<void> {
  const pause = ((RUN / SPEED) * 1000) / names.length;
  const due = performance.now();
  for (const [i, name] of names.entries()) {
    const early = due + i * pause - performance.now();
    if (early > 1) await sleep(early);
    void fetch(`${address}/wolfi/${encodeURIComponent(name)}`)
      .then((response) => response.arrayBuffer())
      .catch(() => undefined);
  }
}

async function scrape(address: string): Promise<void> {
  const time = now();
  const text = await (await fetch(`${address}/metrics`)).text();
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === '') continue;
    const all = ['job="apk-beacon"', 'instance="apk-beacon:3000"', ...(labels === '' ? [] : [labels])];
    const sample = `${name}{${all.join(',')}} ${value} ${time.toFixed(3)}`;
    const known = samples.get(name);
    if (known) known.push(sample);
    else samples.set(name, [sample]);
  }
}

/** Calls `work` at this interval of the day's time until the day is over; late calls are skipped. */
async function every(seconds: number, work: () => Promise<void>): Promise<void> {
  for (let next = began; next < end; next += seconds * Math.max(1, Math.ceil((now() - next) / seconds))) {
    await sleep(Math.max(0, ((next - now()) / SPEED) * 1000));
    await work();
  }
}

const work = mkdtempSync(join(tmpdir(), 'apk-beacon-day-'));
const upstream = createServer((request, response) => {
  const { body, etag } = published.get(archs.find((arch) => request.url?.includes(arch)) ?? '') ?? {};
  if (request.headers['if-none-match'] === etag) response.writeHead(304).end();
  else response.writeHead(200, { etag, 'content-length': body?.length }).end(body);
});
try {
  writeFileSync(join(work, key.name), key.pem);
  await publish();
  startedAt = performance.now();
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const clock = `const now=Date.now,real=now(),day=${(now() * 1000).toFixed(0)};Date.now=()=>day+(now()-real)*${SPEED}`;
  const config = {
    listen: '127.0.0.1:0',
    refresh: `${Math.round(900_000 / SPEED)}ms`,
    cacheDir: join(work, 'cache'),
    datasources: {
      wolfi: {
        default: true,
        keys: [join(work, key.name)],
        repositories: [`${upstreamUrl}/os`],
      },
    },
  };
  await using service = startProgram(process.execPath, [
    ...[...nodeFlags('src/main.ts'), '--import', `data:text/javascript,${encodeURIComponent(clock)}`],
    ...['src/main.ts', '--config', `${JSON.stringify(config)}\n`],
  ]);
  const address = await addressOf(service);
  const names = pins();
  await Promise.all([
    every(PUBLISH, publish),
    every(RENOVATE, () => lookUp(address, names)),
    every(SCRAPE, () => scrape(address)),
  ]);
  service.child.kill('SIGTERM');
  await service.ended;
  const families = [...samples].map(([name, lines]) => `# TYPE ${name} unknown\n${lines.join('\n')}\n`);
  // This repository stands for the recorded one.
  const text = families.join('').replaceAll(upstreamUrl, 'https://packages.wolfi.dev');
  writeFileSync(out, `${text}# EOF\n`);
  process.stdout.write(`${began} ${end}\n`);
} finally {
  upstream.closeAllConnections();
  upstream.close();
  rmSync(work, { recursive: true, force: true });
}
