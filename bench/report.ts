/** The report of a run: rows of figures, as JSON and as a Markdown table. */
import { readFileSync, writeFileSync } from 'node:fs';
import { measured, type Measured } from './statistics.ts';

export type Unit = '' | 'ms' | 'MB' | 's' | '1/s';

/** The limit and the goal of a figure. */
export interface Targets {
  readonly must?: number;
  readonly aim?: number;
  /** More is better. */
  readonly atLeast?: boolean;
}

/** A figure; one without targets is for comparison. */
export interface Row extends Targets {
  readonly id: string;
  readonly what: string;
  readonly unit: Unit;
  readonly value: Measured;
}

/** A figure from the values of all rounds. */
export function row(
  id: string,
  what: string,
  unit: Unit,
  values: readonly number[],
  targets: Targets = {},
): Row {
  return { id, what, unit, value: measured(values), ...targets };
}

/** A line of a plot: a name and points. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly file: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly logarithmic: boolean;
  readonly series: readonly Series[];
}

export interface SectionResult {
  readonly rows: readonly Row[];
  readonly plots?: readonly Plot[];
  /** Figures that could not be measured, and why. */
  readonly notes?: readonly string[];
  /** Markdown for a separate place in the document, instead of the common table. */
  readonly place?: { readonly name: string; readonly markdown: string };
}

/** Figures of one contender. */
export interface Line {
  readonly who: string;
  readonly rows: readonly Row[];
}

function verdict({ value, must, aim, atLeast = false }: Row): string {
  const reaches = (target: number): boolean => (atLeast ? value.median >= target : value.median <= target);
  if (must === undefined) return '';
  if (aim !== undefined && reaches(aim)) return 'the goal';
  return reaches(must) ? 'the limit' : 'none';
}

export function markdownTable(rows: readonly Row[]): string {
  const hasTargets = rows.some(({ must }) => must !== undefined);
  const lines = rows.map((each) => {
    const { what, unit, value, must, aim, atLeast } = each;
    const sign = atLeast ? '≥' : '≤';
    const target = (limit: number | undefined): string => (limit === undefined ? '' : `${sign} ${limit}`);
    const spread = value.rounds > 1 ? `${number(value.lowest)}–${number(value.highest)}` : '';
    const measured = [`${number(value.median)} ${unit}`.trim(), spread];
    return hasTargets ? [what, target(must), target(aim), ...measured, verdict(each)] : [what, ...measured];
  });
  return table(
    hasTargets ? ['', 'limit', 'goal', 'median', 'spread', 'meets'] : ['', 'median', 'spread'],
    lines,
  );
}

/** A table with a line per contender and a column per figure. */
export function comparisonTable(columns: readonly string[], lines: readonly Line[]): string {
  const cell = ({ value, unit }: Row): string => {
    const spread = value.rounds > 1 ? ` (${number(value.lowest)}–${number(value.highest)})` : '';
    return `${number(value.median)} ${unit}${spread}`;
  };
  return table(
    ['', ...columns],
    lines.map(({ who, rows }) => [who, ...rows.map(cell)]),
  );
}

export function paragraphs(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}

export function bulletList(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

/** Pads columns like prettier, so that the document needs no formatting. */
export function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  if (lines.length === 0) return '';
  const widths = head.map((_, i) => Math.max(3, ...[head, ...lines].map((cells) => (cells[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, i) => (cells[i] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...lines.map(line)].join('\n');
}

function number(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Replaces the text between `<!-- NAME -->` and `<!-- /NAME -->` in a document. */
export function replaceBetween(file: string, name: string, content: string): void {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for ${name}`);
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`);
}
