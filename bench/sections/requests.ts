/** Requests a second and CPU time per request, compared with servers that do nothing. */
import type { ClientReport } from '../child/client.ts';
import { archs } from '../indexes.ts';
import { cpuOf } from '../memory.ts';
import { runChild, start, startChild, type Running } from '../processes.ts';
import type { SectionResult } from '../report.ts';
import { writeConfig, type Setting } from '../setting.ts';
import { interleave, measured, ratios } from '../statistics.ts';
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
  const of = (variant: string, value: (speed: Speed) => number): number[] =>
    (results[variant] ?? []).map(value);
  const warm = (speed: Speed): number => speed.perSecond;
  const cpu = (speed: Speed): number => speed.cpu;
  const first = (speed: Speed): number => speed.first;
  const others = (speed: Speed): number => speed.others;
  return {
    rows: [
      {
        id: 'requests',
        what: 'warm requests a second ÷ raw node:http',
        unit: '',
        must: 0.72,
        aim: 0.85,
        atLeast: true,
        value: measured(ratios(of('service', warm), of('raw', warm))),
      },
      {
        id: 'requests-first',
        what: 'first thousand different names, just started ÷ bare fastify, just started',
        unit: '',
        must: 0.4,
        aim: 0.7,
        atLeast: true,
        value: measured(ratios(of('service', first), of('fastify', first))),
      },
      {
        id: 'requests-new',
        what: 'a thousand new names on a warm server ÷ bare fastify, just started',
        unit: '',
        must: 0.5,
        aim: 0.8,
        atLeast: true,
        value: measured(ratios(of('service', others), of('fastify', first))),
      },
      {
        id: 'requests-new-warm',
        what: 'a thousand new names on a warm server ÷ bare fastify, warm',
        unit: '',
        value: measured(ratios(of('service', others), of('fastify', others))),
      },
      {
        id: 'unknown',
        what: 'unknown name, one connection',
        unit: 'ms',
        must: 1,
        aim: 0.5,
        value: measured(of('service', (speed) => speed.unknown)),
      },
      {
        id: 'requests-fastify',
        what: 'fastify with one body ÷ raw node:http',
        unit: '',
        value: measured(ratios(of('fastify', warm), of('raw', warm))),
      },
      {
        id: 'requests-cpu',
        what: 'CPU time a request ÷ raw node:http',
        unit: '',
        value: measured(ratios(of('service', cpu), of('raw', cpu))),
      },
      {
        id: 'requests-second',
        what: 'requests a second',
        unit: '1/s',
        value: measured(of('service', warm)),
      },
      {
        id: 'requests-raw',
        what: 'requests a second of raw node:http',
        unit: '1/s',
        value: measured(of('raw', warm)),
      },
    ],
  };
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
