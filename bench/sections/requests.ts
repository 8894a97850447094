/** Requests a second and CPU time per request, compared with servers that do nothing. */
import type { ClientReport } from '../child/client.ts';
import { archs } from '../indexes.ts';
import { cpuOf } from '../memory.ts';
import { runChild, start, startChild, type Running } from '../processes.ts';
import { row, type Row, type SectionResult, type Targets } from '../report.ts';
import { writeConfig, type Setting } from '../setting.ts';
import { interleave, ratios } from '../statistics.ts';
import { addressIn } from './refresh.ts';

const CONNECTIONS = '64';

export interface Speed {
  /** For the first thousand requests, each for a different name. */
  readonly first: number;
  readonly perSecond: number;
  /** Microseconds of CPU time per request. */
  readonly cpu: number;
  /** For a thousand other names, after warm-up. */
  readonly others: number;
  /** Milliseconds for a name that is in no index. */
  readonly unknown: number;
}

export async function requestsSection(setting: Setting): Promise<SectionResult> {
  await using upstream = startChild('upstream', ['wolfi', setting.indexes.folder]);
  const config = writeConfig(setting, addressIn(await upstream.line(/listening/)), archs);
  const bytes = await meanBody(setting, config);
  const results = await interleave(setting.rounds, {
    raw: () => floor(setting, 'raw', bytes),
    fastify: () => floor(setting, 'fastify', bytes),
    service: () => service(setting, config),
  });
  return { rows: rowsOf(results) };
}

function rowsOf(results: Readonly<Record<string, readonly Speed[]>>): Row[] {
  const of = (variant: string, value: keyof Speed): number[] =>
    (results[variant] ?? []).map((speed) => speed[value]);
  const warm = of('service', 'perSecond');
  const raw = of('raw', 'perSecond');
  const first = ratios(of('service', 'first'), of('fastify', 'first'));
  const others = ratios(of('service', 'others'), of('fastify', 'first'));
  const othersWarm = ratios(of('service', 'others'), of('fastify', 'others'));
  const fastify = ratios(of('fastify', 'perSecond'), raw);
  const cpu = ratios(of('service', 'cpu'), of('raw', 'cpu'));
  const justStarted = 'first thousand different names, just started ÷ bare fastify, just started';
  const newNames = 'a thousand new names on a warm server ÷ bare fastify';
  return [
    row('requests', 'warm requests a second ÷ raw node:http', '', ratios(warm, raw), atLeast(0.72, 0.85)),
    row('requests-first', justStarted, '', first, atLeast(0.4, 0.7)),
    row('requests-new', `${newNames}, just started`, '', others, atLeast(0.5, 0.8)),
    row('requests-new-warm', `${newNames}, warm`, '', othersWarm),
    row('unknown', 'unknown name, one connection', 'ms', of('service', 'unknown'), { must: 1, aim: 0.5 }),
    row('requests-fastify', 'fastify with one body ÷ raw node:http', '', fastify),
    row('requests-cpu', 'CPU time a request ÷ raw node:http', '', cpu),
    row('requests-second', 'requests a second', '1/s', warm),
    row('requests-raw', 'requests a second of raw node:http', '1/s', raw),
  ];
}

function atLeast(must: number, aim: number): Targets {
  return { must, aim, atLeast: true };
}

/** The size of the baselines' body: the mean size of the real answers. */
async function meanBody(setting: Setting, config: string): Promise<number> {
  await using running = start(process.execPath, setting.serve(['--config', config]));
  const url = `${addressIn(await running.line(/Server listening/))}/bench`;
  for (const arch of archs) await running.line(new RegExp(`${arch}.*loaded \\d+ packages`));
  const sizes: number[] = [];
  for (const path of setting.names) {
    const body = await (await fetch(`${url}/${path}`)).text();
    sizes.push(body.length);
  }
  return sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
}

async function floor(setting: Setting, kind: string, bytes: number): Promise<Speed> {
  setting.log(`requests: ${kind}`);
  await using running = startChild('server', [kind, String(Math.round(bytes))]);
  return await speedOf(setting, running, addressIn(await running.line(/Server listening/)));
}

async function service(setting: Setting, config: string): Promise<Speed> {
  setting.log('requests: the service');
  await using running = start(process.execPath, setting.serve(['--config', config]));
  const url = addressIn(await running.line(/Server listening/));
  for (const arch of archs) await running.line(new RegExp(`${arch}.*loaded \\d+ packages`));
  return await speedOf(setting, running, `${url}/bench`);
}

/** Measures a server that has just started. It counts as warm after three seconds of requests. */
async function speedOf(setting: Setting, running: Running, url: string): Promise<Speed> {
  const first = perSecond(await askAll(setting, 'once', url, 60));
  await askAll(setting, 'closed', url, 3);
  const before = cpuOf(running.pid);
  const report = await askAll(setting, 'closed', url, setting.seconds);
  const cpu = ((cpuOf(running.pid) - before) * 1000) / report.requests;
  const others = await askAll(setting, 'once', url, 60, { paths: 'new' });
  for (const { failures } of [report, others])
    if (failures > 0) throw new Error(`${failures} answers of ${url} were no 200`);
  const { p50: unknown } = await askAll(setting, 'once', url, 60, { paths: 'unknown', connections: '1' });
  return { first, perSecond: perSecond(report), cpu, others: perSecond(others), unknown };
}

function perSecond({ requests, seconds }: ClientReport): number {
  return requests / seconds;
}

/** Asks for all names, with the same number of connections for every server by default. */
export function askAll(
  setting: Setting,
  mode: 'closed' | 'once',
  url: string,
  seconds: number,
  {
    paths = 'wolfi',
    connections = CONNECTIONS,
  }: { paths?: 'wolfi' | 'new' | 'unknown'; connections?: string } = {},
): Promise<ClientReport> {
  return runChild('client', [mode, url, setting.paths(paths), String(seconds), connections]);
}
