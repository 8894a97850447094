/**
 * `npm run bench [-- --quick] [--rounds N] [--only SECTION]… [--data FOLDER | --generated] [--flag=NODE_FLAG]…`: all
 * figures of docs/performance.md in one run. Results go to `bench/results/`. A complete run without `--quick` also
 * updates the tables and plots in docs.
 *
 * Machines differ and are shared, so compare only variants that took turns in the same run.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nodeFlags } from '../scripts/node-flags.ts';
import { readIndex } from '../src/apk/read-index.ts';
import { testKey } from '../test/support/signed-index.ts';
import { archs, Indexes } from './indexes.ts';
import { drawPlot } from './plot.ts';
import { buildChildren } from './processes.ts';
import {
  bulletList,
  markdownTable,
  paragraphs,
  replaceBetween,
  type Row,
  type SectionResult,
} from './report.ts';
import { checkSection } from './sections/check.ts';
import { exportSection } from './sections/export.ts';
import { loadSection } from './sections/load.ts';
import { peersSection } from './sections/peers.ts';
import { refreshSection } from './sections/refresh.ts';
import { requestsSection } from './sections/requests.ts';
import { startSection } from './sections/start.ts';
import type { IndexSet, Setting } from './setting.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const sections: Readonly<Record<string, (setting: Setting) => Promise<SectionResult>>> = {
  load: loadSection,
  refresh: refreshSection,
  requests: requestsSection,
  start: startSection,
  export: exportSection,
  check: checkSection,
  peers: peersSection,
};

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    generated: { type: 'boolean', default: false },
    data: { type: 'string' },
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '8' },
    /** Flags for the service's Node, to measure their effect. */
    flag: { type: 'string', multiple: true, default: [] },
  },
});

const results = join(root, 'bench/results');
const folder = mkdtempSync(join(tmpdir(), 'apk-beacon-bench-'));
try {
  await run(await prepare());
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function log(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** Indexes, names to ask for, and the bundle. */
async function prepare(): Promise<Setting> {
  const beside = join(root, '../shared/data/wolfi-2026-07-24');
  const data = options.generated ? undefined : (options.data ?? (existsSync(beside) ? beside : undefined));
  const sizes = { small: 10_000, wolfi: 117_000, tenfold: 1_170_000 };
  const indexes = new Indexes(results);
  log(`making indexes, ${data ? `the pair of archs from ${basename(data)}` : 'all generated'}`);
  await indexes.make('small', { packages: sizes.small }, ['x86_64']);
  await indexes.make('wolfi', data ? { data } : { packages: sizes.wolfi }, archs);
  await indexes.make('tenfold', { packages: sizes.tenfold }, ['x86_64']);
  const [wolfi = [], more = []] = await someNames(indexes, 'wolfi');
  const [small = []] = await someNames(indexes, 'small');
  const [tenfold = []] = await someNames(indexes, 'tenfold');
  const unknown = wolfi.slice(0, 100).map((name) => `${name}-nobody`);
  const pathsFile = (set: string): string => join(folder, `paths-${set}.json`);
  for (const [set, paths] of Object.entries({ small, wolfi, tenfold, new: more, unknown }))
    writeFileSync(pathsFile(set), JSON.stringify(paths));
  await buildChildren();
  execFileSync(process.execPath, [join(root, 'scripts/build.ts'), join(folder, 'dist')], { cwd: root });
  const service = join(folder, 'dist/apk-beacon.mjs');
  return {
    indexes,
    folder,
    service,
    serve: (more, flags = []) => [...nodeFlags(service), ...flags, ...options.flag, service, ...more],
    names: wolfi,
    paths: pathsFile,
    sizes,
    rounds: options.quick ? 2 : Number(options.rounds),
    seconds: options.quick ? 2 : 6,
    log,
  };
}

/** Two lists of a thousand names each, spread over the index and encoded as paths. */
async function someNames(indexes: Indexes, set: IndexSet): Promise<string[][]> {
  const limits = { maxInflatedBytes: 2 ** 31, maxRatio: 100, maxLineBytes: 2 ** 23, maxPackages: 5_000_000 };
  const bytes = readFileSync(indexes.file(set, 'x86_64'));
  const { packages } = await readIndex(bytes, { keys: [testKey()], limits });
  const names = [...packages.names()].map(encodeURIComponent);
  const step = Math.max(2, Math.floor(names.length / 1000));
  return [0, 1].map((offset) => names.filter((_, i) => i % step === offset).slice(0, 1000));
}

async function run(setting: Setting): Promise<void> {
  const wanted = options.only ?? Object.keys(sections);
  const all: Record<string, SectionResult> = {};
  for (const name of wanted) {
    const section = sections[name];
    if (!section) throw new Error(`no section ${name}; there are ${Object.keys(sections).join(', ')}`);
    all[name] = await section(setting);
  }
  const rows = Object.values(all).flatMap((each) => each.rows);
  const notes = Object.values(all).flatMap((each) => each.notes ?? []);
  const places = Object.values(all).flatMap((each) => each.place ?? []);
  const common = Object.values(all).filter((each) => !each.place);
  const about = {
    node: process.version,
    cores: availableParallelism(),
    sizes: setting.sizes,
    rounds: setting.rounds,
  };
  const json = `${JSON.stringify({ about, rows, notes }, undefined, 2)}\n`;
  const targets = markdownTable(rows.filter(({ must }) => must !== undefined));
  const others = paragraphs(
    markdownTable(common.flatMap((each) => each.rows).filter(({ must }) => must === undefined)),
    bulletList(common.flatMap((each) => each.notes ?? [])),
  );
  process.stdout.write(`\n${paragraphs(targets, others, ...places.map(({ markdown }) => markdown))}\n`);
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'results.json'), json);
  if (options.quick || options.only || options.flag.length > 0) return;

  const docs = join(root, 'docs/performance');
  mkdirSync(docs, { recursive: true });
  writeFileSync(join(docs, 'results.json'), json);
  for (const plot of Object.values(all).flatMap((each) => each.plots ?? []))
    writeFileSync(join(docs, plot.file), drawPlot(plot));
  replaceBetween(`${docs}.md`, 'targets', targets);
  replaceBetween(`${docs}.md`, 'capacity', capacity(rows));
  replaceBetween(`${docs}.md`, 'others', others);
  for (const { name, markdown } of places) replaceBetween(`${docs}.md`, name, markdown);
}

/** The capacity of one CPU and one gigabyte, from the figures of this run. */
function capacity(rows: readonly Row[]): string {
  const median = (id: string): number => rows.find((row) => row.id === id)?.value.median ?? NaN;
  const forRefresh = median('rss-refresh') - median('rss');
  const archs = Math.floor((1000 - median('rss') - forRefresh) / median('load-kept')) + 2;
  const perSecond = Math.round(median('requests-second') / 100) * 100;
  return [
    `- One processor answers about ${perSecond} lookups a second over keep-alive connections.`,
    `- One GB carries about ${archs} archs of Wolfi's size, with the room that a refresh of one pair takes.`,
  ].join('\n');
}
