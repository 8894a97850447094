/**
 * `npm run bench:load -- [--repository URL|DIR --key FILE] [--replicas N] [--seconds N] [--connections N]`
 * `npm run bench:load -- --url http://host/datasource --names FILE [--pid PROCESS]`
 *
 * Sends lookups like Renovate's (different names, JSON, keep-alive) as fast as they are answered: to N processes of the
 * service, each of which refreshes halfway, or to any server of an export. Prints requests a second, latency, memory
 * and the servers' CPU time. Client and servers share the machine, so requests a second are too low; the CPU time shows
 * what the servers could do.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { endWithUs } from '../scripts/end-with-us.ts';
import { nodeFlags } from '../scripts/node-flags.ts';

const { values: options } = parseArgs({
  options: {
    repository: { type: 'string', default: 'https://packages.wolfi.dev/os' },
    key: { type: 'string' },
    replicas: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '64' },
    program: { type: 'string', default: 'dist/apk-beacon.mjs' },
    url: { type: 'string' },
    pid: { type: 'string' },
    names: { type: 'string' },
  },
});

/** Milliseconds. */
const WARM_UP = 4000;

interface Replica {
  readonly child: ChildProcess;
  readonly url: string;
  /** Milliseconds from the process start to its first answer. */
  readonly started: number;
}

async function startReplica(): Promise<Replica> {
  const began = performance.now();
  const source = ['--name', 'bench', '--repository', options.repository];
  const key = options.key === undefined ? [] : ['--key', options.key];
  const rest = ['--listen', '127.0.0.1:0', '--cache-dir', 'none'];
  const child = spawn(
    process.execPath,
    [...nodeFlags(options.program), options.program, ...source, ...key, ...rest],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  endWithUs(child);
  for await (const line of createInterface(child.stdout)) {
    const [url] = /http:\/\/127[^"\s]+/.exec(/Server listening/.test(line) ? line : '') ?? [];
    if (url === undefined) continue;
    child.stdout.resume();
    const base = `${url}/bench`;
    await body(`${base}/curl`);
    return { child, url: base, started: performance.now() - began };
  }
  throw new Error('the service ended before it listened');
}

/** The body of an answer; throws for an error. */
async function body(url: string, agent?: Agent): Promise<string> {
  const [response] = (await once(get(url, { agent }), 'response')) as [
    NodeJS.ReadableStream & { statusCode: number },
  ];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}: ${text}`);
  return text;
}

/** Milliseconds of each request until `until`. */
async function ask(urls: readonly string[], names: readonly string[], until: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number(options.connections) });
  const times: number[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < until) {
      const name = names[(next * 7919) % names.length] ?? '';
      const url = urls[next % urls.length] ?? '';
      next += 1;
      const began = performance.now();
      await body(`${url}/${name}`, agent);
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: Number(options.connections) }, client));
  agent.destroy();
  return times;
}

/** The names in an export's manifest, or in a file with one name per line. */
function namesIn(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8');
  if (!text.startsWith('{')) return text.split('\n').filter((line) => line !== '');
  const { files } = JSON.parse(text) as { files: Record<string, unknown> };
  return Object.keys(files).flatMap((path) => /^[^/]+\/([^/]+)$/.exec(path)?.[1] ?? []);
}

/** CPU time of a process so far, in seconds. */
function cpuSeconds(pid: number | string): number {
  // man 5 proc: after the name in brackets, user and system time are fields 12 and 13, in ticks of 1/100 s.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Measures lookups at `urls`, and the CPU time of the processes that answer them. */
async function measure(urls: readonly string[], pids: readonly (number | string)[]): Promise<void> {
  const total = (): number => pids.reduce<number>((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = total();
  const times = await ask(urls, names, performance.now() + seconds * 1000);
  const used = total() - before;
  report(times, seconds);
  if (pids.length === 0) return;
  const each = (used / times.length) * 1000;
  print(
    `${each.toFixed(2)} ms of processor time a lookup: ${Math.round(1000 / each)} lookups a second and core`,
  );
}

function peakMemory({ child }: Replica): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

function report(times: readonly number[], seconds: number): void {
  const sorted = times.toSorted((a, b) => a - b);
  const quantile = (q: number): string => (sorted[Math.floor(q * (sorted.length - 1))] ?? NaN).toFixed(1);
  const rate = Math.round(times.length / seconds);
  print(`${rate} lookups a second, p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, max ${quantile(1)} ms`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const seconds = Number(options.seconds);
const names = options.names === undefined ? ['curl'] : namesIn(options.names);
if (options.url !== undefined) {
  print(`${options.connections} connections to ${options.url}, ${names.length} names`);
  await ask([options.url], names, performance.now() + WARM_UP);
  await measure([options.url], options.pid === undefined ? [] : [options.pid]);
} else {
  const replicas = await Promise.all(Array.from({ length: Number(options.replicas) }, startReplica));
  print(
    `${replicas.length} processes, first answers after ${replicas.map(({ started }) => started.toFixed(0)).join(', ')} ms`,
  );
  const urls = replicas.map(({ url }) => url);
  await ask(urls, names, performance.now() + WARM_UP);
  print(`${options.connections} connections, ${names.length} names, warmed up:`);
  const refreshing = sleep(seconds * 500).then(() => replicas.forEach(({ child }) => child.kill('SIGHUP')));
  await measure(
    urls,
    replicas.map(({ child }) => child.pid ?? 0),
  );
  await refreshing;
  const peaks = replicas.map(peakMemory);
  print(`peak memory ${peaks.map((peak) => peak.toFixed(0)).join(', ')} MiB`);
  for (const { child } of replicas) child.kill('SIGTERM');
}
