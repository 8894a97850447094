/** The service at rest and during constant refreshes: memory, event loop, latency of lookups. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientReport } from '../child/client.ts';
import type { LoopReport } from '../child/probe.ts';
import { archs, type Arch } from '../indexes.ts';
import { forgetPeak, memoryOf } from '../memory.ts';
import { probe, runChild, start, startChild, type Running } from '../processes.ts';
import type { Row, SectionResult } from '../report.ts';
import { writeConfig, type IndexSet, type Setting } from '../setting.ts';
import { measured, ratios } from '../statistics.ts';

const RATE = 1000;
/** Refreshes are slower during lookups, and the measurement needs several of them. */
const LONGER = 4;

interface Round {
  readonly atRest: number;
  readonly whileRefreshing: number;
  readonly loopAtRest: LoopReport;
  readonly loop: LoopReport;
  readonly idle: ClientReport;
  readonly busy: ClientReport;
  readonly refreshes: number;
}

export async function refreshSection(setting: Setting): Promise<SectionResult> {
  const rounds = Math.ceil(setting.rounds / 2);
  const pair = await inRounds(rounds, () => measureRound(setting, 'wolfi', archs));
  const tenfold = await inRounds(Math.ceil(rounds / 2), () => measureRound(setting, 'tenfold', ['x86_64']));
  const megabytes = (all: readonly Round[], value: (round: Round) => number): Row['value'] =>
    measured(all.map((each) => value(each) / 1e6));
  const of = (all: readonly Round[], value: (round: Round) => number): Row['value'] =>
    measured(all.map(value));
  const slower = ratios(
    pair.map(({ busy }) => busy.p99),
    pair.map(({ idle }) => idle.p99),
  );
  const rows: Row[] = [
    {
      id: 'rss',
      what: 'peak RSS, both archs, at rest',
      unit: 'MB',
      must: 200,
      aim: 170,
      value: megabytes(pair, (each) => each.atRest),
    },
    {
      id: 'rss-refresh',
      what: 'peak RSS, both archs, while refreshing',
      unit: 'MB',
      must: 230,
      aim: 200,
      value: megabytes(pair, (each) => each.whileRefreshing),
    },
    {
      id: 'rss-tenfold',
      what: 'peak RSS, a tenfold index, at rest',
      unit: 'MB',
      must: 450,
      aim: 300,
      value: megabytes(tenfold, (each) => each.atRest),
    },
    {
      id: 'rss-tenfold-refresh',
      what: 'the same while refreshing: old and new side by side',
      unit: 'MB',
      value: megabytes(tenfold, (each) => each.whileRefreshing),
    },
    {
      id: 'block',
      what: 'longest block of the event loop while refreshing',
      unit: 'ms',
      must: 40,
      aim: 15,
      value: of(pair, (each) => each.loop.longest),
    },
    {
      id: 'block-rest',
      what: 'the same with lookups alone',
      unit: 'ms',
      value: of(pair, (each) => each.loopAtRest.longest),
    },
    {
      id: 'block-tenfold',
      what: 'longest block while refreshing a tenfold index',
      unit: 'ms',
      value: of(tenfold, (each) => each.loop.longest),
    },
    {
      id: 'p99',
      what: 'lookup p99 while refreshing ÷ at rest',
      unit: '',
      must: 5,
      aim: 2,
      value: measured(slower),
    },
    {
      id: 'p99-rest',
      what: `lookup p99 at rest, ${RATE} a second`,
      unit: 'ms',
      value: of(pair, (each) => each.idle.p99),
    },
    {
      id: 'p99-busy',
      what: 'lookup p99 while refreshing',
      unit: 'ms',
      value: of(pair, (each) => each.busy.p99),
    },
    {
      id: 'p999-busy',
      what: 'lookup p99.9 while refreshing',
      unit: 'ms',
      value: of(pair, (each) => each.busy.p999),
    },
  ];
  const timeline = ({ timeline: all }: ClientReport): [number, number][] =>
    all.map((value, i) => [i / 10, value]);
  const last = pair.at(-1) as Round;
  const failures = [...pair, ...tenfold].reduce(
    (sum, { idle, busy }) => sum + idle.failures + busy.failures,
    0,
  );
  return {
    rows,
    plots: [
      {
        file: 'latency.svg',
        title: `Longest lookup in each tenth of a second, ${RATE} lookups a second`,
        x: 'seconds',
        y: 'milliseconds',
        logarithmic: false,
        series: [
          { name: 'refreshing', points: timeline(last.busy) },
          { name: 'at rest', points: timeline(last.idle) },
        ],
      },
    ],
    notes: failures > 0 ? [`${failures} lookups were answered with something else than 200`] : [],
  };
}

async function inRounds<T>(rounds: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round < rounds; round += 1) results.push(await work());
  return results;
}

async function measureRound(setting: Setting, set: IndexSet, wanted: readonly Arch[]): Promise<Round> {
  setting.log(`refresh: ${set}, ${wanted.join(' and ')}`);
  await using upstream = startChild('upstream', [set, setting.indexes.folder, ...wanted]);
  const config = writeConfig(setting, addressIn(await upstream.line(/listening/)), wanted);
  await using service = start(process.execPath, setting.serve(['--config', config], probe));
  const url = `${addressIn(await service.line(/Server listening/))}/bench`;
  for (const arch of wanted) await service.line(new RegExp(`${arch}.*loaded \\d+ packages`));
  const seconds = String(setting.seconds);
  const ask = (time = seconds): Promise<ClientReport> =>
    runChild('client', ['open', url, setting.paths(set), time, String(RATE)]);
  await ask('2');
  await sleep(1000);

  forgetPeak(service.pid);
  await service.ask('reset');
  const idle = await ask();
  const loopAtRest = await service.ask<LoopReport>('read');
  const atRest = memoryOf(service.pid).peak;

  forgetPeak(service.pid);
  await service.ask('reset');
  let refreshes = 0;
  const asking = ask(String(setting.seconds * LONGER));
  let asked = true;
  void asking.finally(() => {
    asked = false;
  });
  while (asked) {
    await refreshAll(service, upstream, wanted);
    refreshes += 1;
  }
  const busy = await asking;
  const loop = await service.ask<LoopReport>('read');
  return { atRest, whileRefreshing: memoryOf(service.pid).peak, loopAtRest, loop, idle, busy, refreshes };
}

async function refreshAll(service: Running, upstream: Running, wanted: readonly Arch[]): Promise<void> {
  await upstream.ask('other version');
  const seen = service.lines.length;
  service.signal('SIGHUP');
  for (const arch of wanted) await service.line(new RegExp(`${arch}.*changed: |changed: .*${arch}`), seen);
}

export function addressIn(line: string): string {
  return /http:\/\/[^"\s]+/.exec(line)?.[0] ?? '';
}
