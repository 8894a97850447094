/** The service at rest and during constant refreshes: memory, event loop, latency of lookups. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientReport } from '../child/client.ts';
import type { LoopReport } from '../child/probe.ts';
import { archs, type Arch } from '../indexes.ts';
import { forgetPeak, memoryOf } from '../memory.ts';
import { probe, runChild, start, startChild, type Running } from '../processes.ts';
import { row, type Plot, type Row, type SectionResult } from '../report.ts';
import { writeConfig, type IndexSet, type Setting } from '../setting.ts';
import { ratios } from '../statistics.ts';

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
}

export async function refreshSection(setting: Setting): Promise<SectionResult> {
  const rounds = Math.ceil(setting.rounds / 2);
  const pair = await inRounds(rounds, () => measureRound(setting, 'wolfi', archs));
  const tenfold = await inRounds(Math.ceil(rounds / 2), () => measureRound(setting, 'tenfold', ['x86_64']));
  const failures = [...pair, ...tenfold].reduce(
    (sum, { idle, busy }) => sum + idle.failures + busy.failures,
    0,
  );
  return {
    rows: [...memoryRows(pair, tenfold), ...loopRows(pair, tenfold), ...lookupRows(pair)],
    plots: [latencyPlot(pair.at(-1) as Round)],
    notes: failures > 0 ? [`${failures} lookups were answered with something else than 200`] : [],
  };
}

function memoryRows(pair: readonly Round[], tenfold: readonly Round[]): Row[] {
  const atRest = (rounds: readonly Round[]): number[] => rounds.map((each) => each.atRest / 1e6);
  const busy = (rounds: readonly Round[]): number[] => rounds.map((each) => each.whileRefreshing / 1e6);
  return [
    row('rss', 'peak RSS, both archs, at rest', 'MB', atRest(pair), { must: 200, aim: 170 }),
    row('rss-refresh', 'peak RSS, both archs, while refreshing', 'MB', busy(pair), { must: 230, aim: 200 }),
    row('rss-tenfold', 'peak RSS, a tenfold index, at rest', 'MB', atRest(tenfold), { must: 450, aim: 300 }),
    row('rss-tenfold-refresh', 'the same while refreshing: old and new side by side', 'MB', busy(tenfold)),
  ];
}

/** Milliseconds for which the event loop is blocked. */
function loopRows(pair: readonly Round[], tenfold: readonly Round[]): Row[] {
  const longest = (rounds: readonly Round[]): number[] => rounds.map(({ loop }) => loop.longest);
  const atRest = pair.map(({ loopAtRest }) => loopAtRest.longest);
  const targets = { must: 40, aim: 15 };
  return [
    row('block', 'longest block of the event loop while refreshing', 'ms', longest(pair), targets),
    row('block-rest', 'the same with lookups alone', 'ms', atRest),
    row('block-tenfold', 'longest block while refreshing a tenfold index', 'ms', longest(tenfold)),
  ];
}

function lookupRows(pair: readonly Round[]): Row[] {
  const atRest = pair.map(({ idle }) => idle.p99);
  const refreshing = pair.map(({ busy }) => busy.p99);
  const rarest = pair.map(({ busy }) => busy.p999);
  const slower = ratios(refreshing, atRest);
  return [
    row('p99', 'lookup p99 while refreshing ÷ at rest', '', slower, { must: 5, aim: 2 }),
    row('p99-rest', `lookup p99 at rest, ${RATE} a second`, 'ms', atRest),
    row('p99-busy', 'lookup p99 while refreshing', 'ms', refreshing),
    row('p999-busy', 'lookup p99.9 while refreshing', 'ms', rarest),
  ];
}

function latencyPlot({ idle, busy }: Round): Plot {
  const timeline = ({ timeline: longest }: ClientReport): [number, number][] =>
    longest.map((value, i) => [i / 10, value]);
  return {
    file: 'latency.svg',
    title: `Longest lookup in each tenth of a second, ${RATE} lookups a second`,
    x: 'seconds',
    y: 'milliseconds',
    logarithmic: false,
    series: [
      { name: 'refreshing', points: timeline(busy) },
      { name: 'at rest', points: timeline(idle) },
    ],
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
  const asking = ask(String(setting.seconds * LONGER));
  let asked = true;
  void asking.finally(() => {
    asked = false;
  });
  while (asked) await refreshAll(service, upstream, wanted);
  const busy = await asking;
  const loop = await service.ask<LoopReport>('read');
  return { atRest, whileRefreshing: memoryOf(service.pid).peak, loopAtRest, loop, idle, busy };
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
