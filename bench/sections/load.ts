/** From bytes in memory to a verified, queryable index, compared with only inflating the same bytes. */
import { archs, type Arch } from '../indexes.ts';
import type { LoadResult } from '../child/load.ts';
import { join } from 'node:path';
import { sharedData } from '../../test/support/shared-data.ts';
import { runChild } from '../processes.ts';
import { row, type Plot, type Row, type SectionResult, type Targets } from '../report.ts';
import type { IndexSet, Setting } from '../setting.ts';
import { interleave, measured, ratios } from '../statistics.ts';

/** One-shot inflation is the lower bound. Streaming is slower and would make the result look better. */
const FLOOR = 'gunzip-one-chunk';

type Results = Record<string, LoadResult[]>;

export async function loadSection(setting: Setting): Promise<SectionResult> {
  const small = await measureSet(setting, 'small', ['x86_64'], [FLOOR, 'load']);
  const one = await measureSet(setting, 'wolfi', ['x86_64'], [FLOOR, 'load']);
  const pair = await measureSet(setting, 'wolfi', archs, [FLOOR, 'catalog', 'catalog-all-names']);
  const tenfold = await measureSet(setting, 'tenfold', ['x86_64'], [FLOOR, 'load']);
  return {
    rows: [
      ...ratioRows(one, pair, tenfold),
      ...(await adbRows(setting)),
      row('load-ms', 'load one arch', 'ms', first(one, 'load')),
      row('load-tenfold-ms', 'load a tenfold index', 'ms', first(tenfold, 'load')),
      row('load-kept', 'memory an arch takes once it is loaded', 'MB', megabytes(one, 'load', 'kept')),
      row(
        'load-tenfold-block',
        'longest block of the event loop while a tenfold index is loaded, in a fresh process',
        'ms',
        (tenfold['load'] ?? []).map(({ longestBlock }) => longestBlock),
      ),
    ],
    plots: growthPlots([
      [setting.sizes.small, small],
      [setting.sizes.wolfi, one],
      [setting.sizes.tenfold, tenfold],
    ]),
  };
}

function ratioRows(one: Results, pair: Results, tenfold: Results): Row[] {
  const toFloor = (id: string, what: string, results: Results, variant: string, targets?: Targets): Row =>
    row(id, what, '', ratios(first(results, variant), first(results, FLOOR)), targets);
  const againToFloor = ratios(again(one, 'load'), again(one, FLOOR));
  const cpuToFloor = (results: Results): number[] => ratios(cpu(results, 'load'), cpu(results, FLOOR));
  const what = 'fresh process ÷ gunzipSync in one chunk';
  return [
    toFloor('load', `load one arch, ${what}`, one, 'load', { must: 4.5, aim: 3.7 }),
    toFloor('load-tenfold', `load a tenfold index, ${what}`, tenfold, 'load', { must: 3.5, aim: 2.8 }),
    toFloor('catalog', 'load both archs, catalog, first answer ÷ gunzipSync of both', pair, 'catalog'),
    toFloor('catalog-all', 'the same and what is known of every name', pair, 'catalog-all-names'),
    row('load-again', 'load one arch again in the same process ÷ gunzipSync again', '', againToFloor),
    row('load-cpu', 'CPU time to load one arch ÷ that of gunzipSync', '', cpuToFloor(one)),
    row('load-tenfold-cpu', 'CPU time to load a tenfold index ÷ that of gunzipSync', '', cpuToFloor(tenfold)),
  ];
}

/** Time and memory against the number of packages. */
function growthPlots(sets: readonly (readonly [packages: number, Results])[]): Plot[] {
  const points = (values: (results: Results) => number[]): [number, number][] =>
    sets.map(([packages, results]) => [packages, measured(values(results)).median]);
  return [
    {
      file: 'load-time.svg',
      title: 'Time from bytes to answers',
      x: 'packages',
      y: 'milliseconds',
      logarithmic: true,
      series: [
        { name: 'gunzipSync alone', points: points((results) => first(results, FLOOR)) },
        { name: 'verified, queryable', points: points((results) => first(results, 'load')) },
      ],
    },
    {
      file: 'load-memory.svg',
      title: 'Memory for it, above an empty process',
      x: 'packages',
      y: 'MB',
      logarithmic: true,
      series: [
        { name: 'gunzipSync: peak', points: points((results) => megabytes(results, FLOOR, 'peak')) },
        { name: 'load: peak', points: points((results) => megabytes(results, 'load', 'peak')) },
        {
          name: 'load: kept',
          points: points((results) => megabytes(results, 'load', 'kept').map((kept) => Math.max(1, kept))),
        },
      ],
    },
  ];
}

/** Wolfi in the format of apk 3 compared with the text, in turns; none if the file is not beside the checkout. */
async function adbRows({ indexes, rounds, log }: Setting): Promise<readonly Row[]> {
  if (sharedData === undefined) return [];
  log('load: wolfi as ADB');
  const folder = join(sharedData, 'adb');
  const load = (key: string, file: string) => () =>
    runChild<LoadResult>('load', ['load', key, '4', file], ['--expose-gc']);
  const results: Results = await interleave(rounds, {
    text: load(indexes.keyFile, indexes.file('wolfi', 'x86_64')),
    adb: load(join(folder, 'ec.pub'), join(folder, 'wolfi-2026-07-24-x86_64.adb')),
  });
  const of = (variant: string, value: (result: LoadResult) => number): number[] =>
    (results[variant] ?? []).map(value);
  const compared = (id: string, what: string, value: (result: LoadResult) => number): Row =>
    row(id, `${what}, ADB ÷ text`, '', ratios(of('adb', value), of('text', value)));
  return [
    { ...compared('load-adb', 'load one arch, fresh process', (each) => each.first), must: 0.5 },
    compared('load-adb-cpu', 'CPU time to load one arch', (each) => each.cpu),
    compared('load-adb-again', 'load one arch again in the same process', (each) => each.again),
    { ...compared('load-adb-peak', 'peak of memory while one arch is loaded', (each) => each.peak), must: 1 },
    { ...compared('load-adb-kept', 'memory an arch takes once it is loaded', (each) => each.kept), must: 1 },
  ];
}

async function measureSet(
  { indexes, rounds, log }: Setting,
  set: IndexSet,
  wanted: readonly Arch[],
  variants: readonly string[],
): Promise<Results> {
  log(`load: ${set}, ${wanted.join(' and ')}`);
  const files = wanted.map((arch) => indexes.file(set, arch));
  const repeat = set === 'wolfi' && wanted.length === 1 ? '4' : '0';
  const run = (variant: string) => () =>
    runChild<LoadResult>('load', [variant, indexes.keyFile, repeat, ...files], ['--expose-gc']);
  return interleave(
    set === 'tenfold' ? Math.ceil(rounds / 2) : rounds,
    Object.fromEntries(variants.map((each) => [each, run(each)])),
  );
}

function first(results: Results, variant: string): number[] {
  return (results[variant] ?? []).map((result) => result.first);
}

function again(results: Results, variant: string): number[] {
  return (results[variant] ?? []).map((result) => result.again);
}

function cpu(results: Results, variant: string): number[] {
  return (results[variant] ?? []).map((result) => result.cpu);
}

function megabytes(results: Results, variant: string, value: 'peak' | 'kept'): number[] {
  return (results[variant] ?? []).map((result) => result[value] / 1e6);
}
