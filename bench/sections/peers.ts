/** The service and its peers, in turns, with one arch of the same index and the same requests. */
import type { Lookups, LookupReport } from '../child/renovate.ts';
import { ARCH, contendersFor, type Contender } from '../contenders.ts';
import { memoryOf } from '../memory.ts';
import { startChild } from '../processes.ts';
import {
  bulletList,
  comparisonTable,
  paragraphs,
  type Line,
  type SectionResult,
  type Unit,
} from '../report.ts';
import type { Setting } from '../setting.ts';
import { interleave, measured } from '../statistics.ts';
import { addressIn } from './refresh.ts';

interface Turn {
  /** Milliseconds. */
  readonly start: number;
  /** Bytes. */
  readonly peak: number;
  readonly asked: LookupReport;
}

interface Figure {
  readonly id: string;
  readonly what: string;
  readonly unit: Unit;
  readonly of: (turn: Turn) => number;
}

const figures: readonly Figure[] = [
  { id: 'start', what: 'start → first answer', unit: 'ms', of: ({ start }) => start },
  { id: 'rss', what: 'peak RSS', unit: 'MB', of: ({ peak }) => peak / 1e6 },
  {
    id: 'requests-first',
    what: 'lookups a second: the first thousand',
    unit: '1/s',
    of: ({ asked }) => perSecond(asked.first),
  },
  {
    id: 'requests',
    what: 'lookups a second: once warm',
    unit: '1/s',
    of: ({ asked }) => perSecond(asked.again),
  },
];

export async function peersSection(setting: Setting): Promise<SectionResult> {
  await using upstream = startChild('upstream', ['wolfi', setting.indexes.folder, ARCH]);
  const contenders = contendersFor(setting, addressIn(await upstream.line(/listening/)));
  const present = contenders.filter(({ absent }) => absent === undefined);
  const results = await interleave(
    Math.ceil(setting.rounds / 2),
    Object.fromEntries(present.map((each) => [each.id, () => takeTurn(setting, each)])),
  );
  const lines = present
    .map((each) => lineOf(each, completed(results[each.id] ?? [])))
    .filter(({ rows }) => rows.length > 0);
  const notes = contenders.flatMap((each) => notesOn(each, results[each.id] ?? []));
  const columns = figures.map(({ what }) => what);
  return {
    rows: lines.flatMap(({ rows }) => rows),
    notes,
    place: { name: 'peers', markdown: paragraphs(comparisonTable(columns, lines), bulletList(notes)) },
  };
}

/** If a contender fails, that is reported, and only its own figures are missing. */
async function takeTurn(setting: Setting, contender: Contender): Promise<Turn | undefined> {
  setting.log(`peers: ${contender.who}`);
  try {
    return await measureTurn(contender);
  } catch (error) {
    setting.log(String(error));
    return undefined;
  }
}

async function measureTurn(contender: Contender): Promise<Turn> {
  const began = performance.now();
  await using running = contender.start();
  const ask = await contender.answered(running);
  const start = performance.now() - began;
  const asked = await ask();
  return { start, asked, peak: memoryOf(running.pid).peak };
}

function lineOf({ who, id }: Contender, turns: readonly Turn[]): Line {
  if (turns.length === 0) return { who, rows: [] };
  const rows = figures.map(({ id: figure, what, unit, of }) => ({
    id: `${id}-${figure}`,
    what: `${who}: ${what}, one arch`,
    unit,
    value: measured(turns.map(of)),
  }));
  return { who, rows };
}

function perSecond({ requests, seconds }: Lookups): number {
  return requests / seconds;
}

function notesOn({ who, absent }: Contender, results: readonly (Turn | undefined)[]): string[] {
  if (absent !== undefined) return [`${who} was not measured. ${absent}.`];
  const turns = completed(results);
  const failed = results.length - turns.length;
  const total = (of: (lookups: Lookups) => number): number =>
    turns.reduce((sum, { asked }) => sum + of(asked.again), 0);
  const missing = total(({ failures }) => failures);
  const requests = total((lookups) => lookups.requests);
  return [
    ...(failed > 0 ? [`${who} failed in ${failed} of ${results.length} rounds.`] : []),
    ...(missing > 0 ? [`${who} had no answer to ${missing} of ${requests} lookups.`] : []),
  ];
}

function completed(results: readonly (Turn | undefined)[]): Turn[] {
  return results.filter((turn) => turn !== undefined);
}
