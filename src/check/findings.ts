/** Findings of files: problems with their places, in the order of files and lines. */
import { hash } from 'node:crypto';
import type { FilePins, Note } from '../pins/pin.ts';
import { Lines, type Position, type Range } from '../pins/text.ts';
import { planRaises } from './fix.ts';
import type { Judgment, Step } from './judgment.ts';
import { levelOf, type Level, type RuleId } from './rules.ts';

/** A file as it was read. */
export interface CheckedFile {
  readonly path: string;
  readonly text: string;
  /** For writing it back. */
  readonly encoding: 'utf8' | 'latin1';
  readonly found: FilePins;
}

export interface Finding {
  readonly rule: RuleId;
  readonly level: Level;
  readonly file: string;
  readonly start: Position;
  /** After the last character. */
  readonly end: Position;
  /** As written in the file; absent for a finding about the file. */
  readonly pin?: string;
  readonly name?: string;
  readonly datasource?: string;
  readonly message: string;
  readonly archs?: readonly string[];
  /** The day on which the needed version was withdrawn, if a ledger knows it. */
  readonly since?: string;
  /** The version to which `--fix` would raise it. */
  readonly target?: string;
  readonly newest?: string;
  readonly step?: Step;
  /** Stays the same if the finding moves within its file. */
  readonly fingerprint: string;
}

/** The number of files with pins, and of pins. */
export function countPins(files: readonly CheckedFile[]): { readonly files: number; readonly pins: number } {
  return {
    files: files.filter(({ found }) => found.pins.length > 0).length,
    pins: files.reduce((sum, { found }) => sum + found.pins.length, 0),
  };
}

export function findingsOf(file: CheckedFile, judgments: readonly Judgment[]): readonly Finding[] {
  const lines = new Lines(file.text);
  const counts = new Map<string, number>();
  const findings: Finding[] = [];
  const add = (rule: RuleId, range: Range, message: string, more: Partial<Finding> = {}): void => {
    const key = [rule, file.path, more.pin ?? message].join('\n');
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    findings.push({
      rule,
      level: levelOf(rule),
      file: file.path,
      start: lines.position(range.start),
      end: lines.position(range.end),
      message,
      ...more,
      fingerprint: hash('sha256', `${key}\n${count}`).slice(0, 32),
    });
  };
  for (const note of file.found.notes) {
    const rule = ruleOf(note);
    if (rule) add(rule, note.range, note.message, note.level && { level: note.level });
  }
  const { pins, included = [] } = file.found;
  const { versions: raised } = planRaises(file, judgments);
  for (const [i, pin] of [...included, ...pins].entries()) {
    const judgment = judgments[i];
    if (!judgment) continue;
    const { datasource, newest, step } = judgment;
    const target = raised[i - included.length];
    // For included packages only what concerns this image; other problems are reported for their own file.
    const isOwn = i >= included.length;
    const problems = judgment.problems.filter(
      ({ rule, level = levelOf(rule) }) => isOwn || level === 'error' || rule === 'not-asked',
    );
    const isTold = problems.some(({ rule }) => rule === 'not-asked');
    const notAsked = isOwn && !isTold ? judgment.notAsked : undefined;
    const common = { pin: pin.text, name: pin.name, ...(datasource !== undefined && { datasource }) };
    if (notAsked !== undefined) add('not-asked', pin.range, notAsked, common);
    for (const { rule, message, archs, level, since } of problems)
      add(rule, pin.range, message, {
        ...common,
        ...(archs && { archs }),
        ...(level && { level }),
        ...(since !== undefined && { since }),
        ...(newest !== undefined && rule === 'behind' && { newest }),
        ...(step !== undefined && rule === 'behind' && { step }),
        ...(target !== undefined && { target }),
      });
  }
  return findings.sort((a, b) => a.start.line - b.start.line || a.start.column - b.start.column);
}

function ruleOf({ reason }: Note): RuleId | undefined {
  return reason === 'other-distribution' ? undefined : reason;
}
