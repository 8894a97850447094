/** The time from the process start to the first answer, compared with an empty fastify server. */
import { request } from 'node:http';
import { join } from 'node:path';
import { mkdtempSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { archs } from '../indexes.ts';
import { start, startChild, type Running } from '../processes.ts';
import { row, type Row, type SectionResult, type Targets } from '../report.ts';
import { writeConfig, type Setting } from '../setting.ts';
import { interleave, ratios } from '../statistics.ts';
import { addressIn } from './refresh.ts';

export async function startSection(setting: Setting): Promise<SectionResult> {
  await using upstream = startChild('upstream', ['wolfi', setting.indexes.folder]);
  const url = addressIn(await upstream.line(/listening/));
  const one = writeConfig(setting, url, ['x86_64']);
  const cached = writeConfig(setting, url, archs, mkdtempSync(join(setting.folder, 'cache-')));
  await fillCache(setting, cached);
  const command = (config: string) => () =>
    firstAnswer(setting, () => start(process.execPath, setting.serve(['--config', config])), '/bench/');
  const results = await interleave(setting.rounds * 2, {
    fastify: () => firstAnswer(setting, () => startChild('server', ['fastify', '100']), '/'),
    one: command(one),
    cached: command(cached),
  });
  const of = (variant: string): number[] => results[variant] ?? [];
  const toFastify = (id: string, what: string, variant: string, targets: Targets): Row =>
    row(id, `${what} ÷ start of an empty fastify`, '', ratios(of(variant), of('fastify')), targets);
  return {
    rows: [
      toFastify('start', 'start → first answer, one arch, no cache', 'one', { must: 3.4, aim: 2.8 }),
      toFastify('start-cached', 'start from the archive cache, both archs', 'cached', {
        must: 4.5,
        aim: 3.5,
      }),
      row('start-ms', 'start, one arch, no cache', 'ms', of('one')),
      row('start-cached-ms', 'start from the archive cache, both archs', 'ms', of('cached')),
      row('start-fastify-ms', 'start of an empty fastify', 'ms', of('fastify')),
    ],
  };
}

/** Runs the service until its disk cache is complete. */
async function fillCache(setting: Setting, config: string): Promise<void> {
  await using running = start(process.execPath, setting.serve(['--config', config]));
  for (const arch of archs) await running.line(new RegExp(`${arch}.*loaded \\d+ packages`));
  await sleep(2000);
}

async function firstAnswer(setting: Setting, run: () => Running, prefix: string): Promise<number> {
  const began = performance.now();
  await using running = run();
  const url = addressIn(await running.line(/Server listening/));
  await answered(`${url}${prefix}${setting.names[0]}`);
  const took = performance.now() - began;
  setting.log(`start: ${took.toFixed(0)} ms`);
  return took;
}

async function answered(url: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    request(url, { agent: false }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    })
      .on('error', reject)
      .end();
  });
}
