/** From starting the process to the first answer, with an index kept on disk, against an empty fastify server. */
import { request } from 'node:http';
import { join } from 'node:path';
import { mkdtempSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { archs } from '../indexes.ts';
import { start, startChild, type Running } from '../processes.ts';
import type { SectionResult } from '../report.ts';
import { writeConfig, type Setting } from '../setting.ts';
import { interleave, measured, ratios } from '../statistics.ts';
import { addressIn } from './refresh.ts';

export async function startSection(setting: Setting): Promise<SectionResult> {
  await using upstream = startChild('upstream', ['wolfi', setting.indexes.folder]);
  const url = addressIn(await upstream.line(/listening/));
  const cold = writeConfig(setting, url, archs);
  const warm = writeConfig(setting, url, archs, mkdtempSync(join(setting.folder, 'cache-')));
  await fillCache(setting, warm);
  const command = (config: string) => () =>
    firstAnswer(setting, () => start(process.execPath, setting.serve(['--config', config])), '/bench/');
  const results = await interleave(setting.rounds * 2, {
    fastify: () => firstAnswer(setting, () => startChild('server', ['fastify', '100']), '/'),
    warm: command(warm),
    cold: command(cold),
  });
  const of = (variant: string): number[] => results[variant] ?? [];
  return {
    rows: [
      {
        id: 'start',
        what: 'start with a warm cache → first answer ÷ an empty fastify server',
        unit: '',
        must: 1.8,
        aim: 1.2,
        value: measured(ratios(of('warm'), of('fastify'))),
      },
      {
        id: 'start-cold',
        what: 'the same without a cache, from an upstream on this machine',
        unit: '',
        value: measured(ratios(of('cold'), of('fastify'))),
      },
      { id: 'start-ms', what: 'start with a warm cache', unit: 'ms', value: measured(of('warm')) },
      {
        id: 'start-fastify-ms',
        what: 'start of an empty fastify server',
        unit: 'ms',
        value: measured(of('fastify')),
      },
    ],
  };
}

/** Runs the service until all that can be kept on disk is. */
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
