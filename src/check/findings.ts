/** Findings of files: problems with their places, in the order of files and lines. */
import { hash } from 'node:crypto';
import type { FilePins, Note, Pin } from '../pins/pin.ts';
import { Lines, type Position, type Range } from '../pins/text.ts';
import { planRaises } from './fix.ts';
import type { PinToJudge, Judgment, Step } from './judgment.ts';
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

/**
 * The judgments of each file's pins, after those of included files. A pin of an included file is raised only if that file
 * is among `files` and all images with it get the same version. If a pin stays because of that, or because its version
 * cannot be changed in the text, the files with it are judged again. `judge` gets the pins of each file and returns the
 * judgments of all in one list.
 */
export async function judgeTogether(
  files: readonly CheckedFile[],
  judge: (pins: readonly (readonly PinToJudge[])[]) => Promise<readonly Judgment[]>,
): Promise<readonly (readonly Judgment[])[]> {
  const paths = new Set(files.map(({ path }) => path));
  const keyOf = ({ path }: CheckedFile, { includedFrom = path, text }: Pin): string =>
    `${includedFrom} ${text}`;
  const placeOf = (file: CheckedFile, pin: Pin): string => `${keyOf(file, pin)}\n${pin.range.start}`;
  const shared = new Set(files.flatMap((file) => (file.found.included ?? []).map((pin) => keyOf(file, pin))));
  /** Why pins stay: shared ones by their file and text, others by their place. */
  const held = new Map<string, string>();
  const heldOf = (file: CheckedFile, pin: Pin): string | undefined =>
    held.get(keyOf(file, pin)) ?? held.get(placeOf(file, pin));
  const stays = (file: CheckedFile, pin: Pin): boolean =>
    !paths.has(pin.includedFrom ?? file.path) || heldOf(file, pin) !== undefined;
  const judgments = files.map((): readonly Judgment[] => []);
  for (let open = [...files.entries()]; open.length > 0;) {
    const asked = open.map(([i, file]) => pinsToJudge(file, i, (pin) => stays(file, pin)));
    const answers = judgmentsOf(
      open.map(([, file]) => file),
      await judge(asked),
    );
    for (const [k, [i]] of open.entries()) judgments[i] = answers[k] ?? [];
    const before = new Set(held.keys());
    const first = new Map<string, { readonly path: string; readonly target: string | undefined }>();
    for (const [i, file] of files.entries()) {
      const { path, found } = file;
      const { because } = planRaises(file, judgments[i] ?? []);
      for (const [k, pin] of allPins(file).entries()) {
        const key = keyOf(file, pin);
        const { target, heldBecause, notAsked } = judgments[i]?.[k] as Judgment;
        const reason = heldBecause ?? because[k - (found.included?.length ?? 0)];
        if (!shared.has(key)) {
          // A conflict is judged with the old version already.
          if (reason !== undefined && heldBecause === undefined) held.set(placeOf(file, pin), reason);
          continue;
        }
        if (held.has(key) || (notAsked !== undefined && pin.includedFrom !== undefined)) continue;
        const other = first.get(key) ?? { path, target };
        first.set(key, other);
        const [one, two] = [other.target, target].map((each) => each ?? 'no newer version');
        if (reason !== undefined) held.set(key, reason);
        else if (one !== two) held.set(key, `${other.path} would get ${one}, and ${path} ${two}`);
      }
    }
    const isNew = (key: string): boolean => held.has(key) && !before.has(key);
    open = [...files.entries()].filter(([, file]) =>
      allPins(file).some((pin) => isNew(keyOf(file, pin)) || isNew(placeOf(file, pin))),
    );
  }
  return files.map((file, i) =>
    allPins(file).map((pin, k) => {
      const heldBecause = heldOf(file, pin);
      const judgment = judgments[i]?.[k] as Judgment;
      return heldBecause === undefined ? judgment : { ...judgment, heldBecause };
    }),
  );
}

/**
 * The pins of a file, ready for judgment, after those of included files. `index` distinguishes the worlds of different
 * files.
 */
export function pinsToJudge(
  file: CheckedFile,
  index: number,
  stays: (pin: Pin) => boolean = () => false,
): readonly PinToJudge[] {
  return allPins(file).map((pin) => {
    const { text, name, operator, version, tag, tagIsBehind, tool, isRuntime, isLocked, context } = pin;
    return {
      ...{ text, name, operator, version, tag, tagIsBehind, tool, isRuntime, isLocked, context },
      world: `${index}:${pin.world}`,
      ...(stays(pin) && { stays: true }),
    };
  });
}

function allPins({ found: { included = [], pins } }: CheckedFile): readonly Pin[] {
  return [...included, ...pins];
}

/** Of the judgments of `pinsToJudge` of all files, those of each file. */
export function judgmentsOf(
  files: readonly CheckedFile[],
  judgments: readonly Judgment[],
): readonly (readonly Judgment[])[] {
  let at = 0;
  return files.map(({ found: { included = [], pins } }) =>
    judgments.slice(at, (at += included.length + pins.length)),
  );
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
    if (rule) add(rule, note.range, note.message);
  }
  const { pins, included = [] } = file.found;
  const { versions: raised } = planRaises(file, judgments);
  for (const [i, pin] of [...included, ...pins].entries()) {
    const judgment = judgments[i];
    if (!judgment) continue;
    const { datasource, newest, step } = judgment;
    const target = raised[i - included.length];
    // For included packages only errors of this image; other problems are reported for their own file.
    const isOwn = i >= included.length;
    const notAsked = isOwn ? judgment.notAsked : undefined;
    const problems = isOwn
      ? judgment.problems
      : judgment.problems.filter(({ rule, level = levelOf(rule) }) => level === 'error');
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
