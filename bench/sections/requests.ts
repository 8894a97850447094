/** Requests a second and processor time for each, against servers that do nothing. */
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
  readonly perSecond: number;
  /** Microseconds of processor time for a request. */
  readonly cpu: number;
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
  const perSecond = ({ perSecond: value }: Speed): number => value;
  const cpu = (speed: Speed): number => speed.cpu;
  return {
    rows: [
      {
        id: 'requests',
        what: 'requests a second ÷ raw node:http',
        unit: '',
        must: 0.8,
        aim: 0.95,
        atLeast: true,
        value: measured(ratios(of('service', perSecond), of('raw', perSecond))),
      },
      {
        id: 'requests-fastify',
        what: 'fastify with one body ÷ raw node:http',
        unit: '',
        value: measured(ratios(of('fastify', perSecond), of('raw', perSecond))),
      },
      {
        id: 'requests-cpu',
        what: 'processor time a request ÷ raw node:http',
        unit: '',
        value: measured(ratios(of('service', cpu), of('raw', cpu))),
      },
      {
        id: 'requests-second',
        what: 'requests a second',
        unit: '1/s',
        value: measured(of('service', perSecond)),
      },
      {
        id: 'requests-raw',
        what: 'requests a second of raw node:http',
        unit: '1/s',
        value: measured(of('raw', perSecond)),
      },
    ],
  };
}

/** The floors' body: as many bytes as what is asked for has on average. */
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

/** After three seconds to become warm: every answer has to be made once. */
export async function speedOf(setting: Setting, running: Running, url: string): Promise<Speed> {
  await askAll(setting, 'closed', url, 3);
  const before = cpuOf(running.pid);
  const report = await askAll(setting, 'closed', url, setting.seconds);
  if (report.failures > 0) throw new Error(`${report.failures} answers of ${url} were no 200`);
  const cpu = ((cpuOf(running.pid) - before) * 1000) / report.requests;
  return { perSecond: report.requests / report.seconds, cpu };
}

/** Asks for all names over as many connections as every server is asked. */
export function askAll(
  setting: Setting,
  mode: 'closed' | 'once',
  url: string,
  seconds: number,
): Promise<ClientReport> {
  return runChild('client', [mode, url, setting.paths('wolfi'), String(seconds), CONNECTIONS]);
}
