/** From bytes in memory to a verified, queryable index, compared with only inflating the same bytes. */
import { archs, type Arch } from '../indexes.ts';
import type { LoadResult } from '../child/load.ts';
import { join } from 'node:path';
import { sharedData } from '../../test/support/shared-data.ts';
import { runChild } from '../processes.ts';
import type { Row, SectionResult } from '../report.ts';
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
  const rows: Row[] = [
    {
      ...row(
        'load',
        'load one arch, fresh process ÷ gunzipSync in one chunk',
        first(one, 'load'),
        first(one, FLOOR),
      ),
      must: 4.5,
      aim: 3.7,
    },
    {
      ...row(
        'load-tenfold',
        'load a tenfold index, fresh process ÷ gunzipSync in one chunk',
        first(tenfold, 'load'),
        first(tenfold, FLOOR),
      ),
      must: 3.5,
      aim: 2.8,
    },
    row(
      'catalog',
      'load both archs, catalog, first answer ÷ gunzipSync of both',
      first(pair, 'catalog'),
      first(pair, FLOOR),
    ),
    row(
      'catalog-all',
      'the same and what is known of every name',
      first(pair, 'catalog-all-names'),
      first(pair, FLOOR),
    ),
    row(
      'load-again',
      'load one arch again in the same process ÷ gunzipSync again',
      again(one, 'load'),
      again(one, FLOOR),
    ),
    row('load-cpu', 'CPU time to load one arch ÷ that of gunzipSync', cpu(one, 'load'), cpu(one, FLOOR)),
    row(
      'load-tenfold-cpu',
      'CPU time to load a tenfold index ÷ that of gunzipSync',
      cpu(tenfold, 'load'),
      cpu(tenfold, FLOOR),
    ),
    ...(await adbRows(setting)),
    { id: 'load-ms', what: 'load one arch', unit: 'ms', value: measured(first(one, 'load')) },
    {
      id: 'load-tenfold-ms',
      what: 'load a tenfold index',
      unit: 'ms',
      value: measured(first(tenfold, 'load')),
    },
    {
      id: 'load-kept',
      what: 'memory an arch takes once it is loaded',
      unit: 'MB',
      value: measured((one['load'] ?? []).map(({ kept }) => kept / 1e6)),
    },
    {
      id: 'load-tenfold-block',
      what: 'longest block of the event loop while a tenfold index is loaded, in a fresh process',
      unit: 'ms',
      value: measured((tenfold['load'] ?? []).map(({ longestBlock }) => longestBlock)),
    },
  ];
  const sets: [IndexSet, Results][] = [
    ['small', small],
    ['wolfi', one],
    ['tenfold', tenfold],
  ];
  const series = (variant: string, value: (result: LoadResult) => number): [number, number][] =>
    sets.map(([set, results]) => [setting.sizes[set], measured((results[variant] ?? []).map(value)).median]);
  return {
    rows,
    plots: [
      {
        file: 'load-time.svg',
        title: 'Time from bytes to answers',
        x: 'packages',
        y: 'milliseconds',
        logarithmic: true,
        series: [
          { name: 'gunzipSync alone', points: series(FLOOR, (each) => each.first) },
          { name: 'verified, queryable', points: series('load', (each) => each.first) },
        ],
      },
      {
        file: 'load-memory.svg',
        title: 'Memory for it, above an empty process',
        x: 'packages',
        y: 'MB',
        logarithmic: true,
        series: [
          { name: 'gunzipSync: peak', points: series(FLOOR, (each) => each.peak / 1e6) },
          { name: 'load: peak', points: series('load', (each) => each.peak / 1e6) },
          { name: 'load: kept', points: series('load', (each) => Math.max(1, each.kept / 1e6)) },
        ],
      },
    ],
  };
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
    row(id, `${what}, ADB ÷ text`, of('adb', value), of('text', value));
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

function row(id: string, what: string, values: readonly number[], floors: readonly number[]): Row {
  return { id, what, unit: '', value: measured(ratios(values, floors)) };
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
