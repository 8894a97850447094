/** Raises pins in the text of a file. Only characters of versions change. */
import { readPins } from '../pins/read.ts';
import type { ReadInclude } from '../pins/definition.ts';
import type { Pin } from '../pins/pin.ts';
import type { Range } from '../pins/text.ts';
import type { CheckedFile } from './findings.ts';
import type { Judgment } from './judge.ts';

export interface Fixed {
  readonly text: string;
  /** The raised pins, in the order of the file. */
  readonly changes: readonly Change[];
  /** Why the file stays unchanged although a pin could be raised. */
  readonly leftBecause?: string;
}

export interface Change {
  readonly pin: string;
  readonly to: string;
}

interface Edit {
  readonly range: Range;
  readonly text: string;
}

/** Raises pins with a version to the target of their judgment. */
export function raisePins(file: CheckedFile, all: readonly Judgment[], readInclude?: ReadInclude): Fixed {
  const { pins, repeats = [], included = [] } = file.found;
  const judgments = all.slice(included.length);
  const edits = new Map<string, Edit | 'disagreed'>();
  const changes: Change[] = [];
  const put = (range: Range, text: string): void => {
    const key = `${range.start}`;
    const before = edits.get(key);
    edits.set(
      key,
      before === undefined || (before !== 'disagreed' && before.text === text)
        ? { range, text }
        : 'disagreed',
    );
  };
  for (const [i, pin] of pins.entries()) {
    // A variable of several packages is raised only if all agree, so packages that stay count too.
    if (pin.versionRange) put(pin.versionRange, targetOf(pin, judgments[i]) ?? pin.version);
  }
  for (const { pin: i, range, hasRevision } of repeats) {
    const pin = pins[i];
    const target = pin && targetOf(pin, judgments[i]);
    if (target !== undefined) put(range, hasRevision ? target : target.replace(/-r\d+$/, ''));
  }
  for (const [i, pin] of pins.entries()) {
    const edit = pin.versionRange && edits.get(`${pin.versionRange.start}`);
    const target = targetOf(pin, judgments[i]);
    if (target !== undefined && edit !== undefined && edit !== 'disagreed')
      changes.push({ pin: pin.text, to: target });
  }
  const wanted = [...edits.values()].filter((edit): edit is Edit => edit !== 'disagreed');
  return checked(
    file,
    wanted,
    changes,
    pins.map((pin) => {
      const edit = pin.versionRange && edits.get(`${pin.versionRange.start}`);
      return edit && edit !== 'disagreed' ? withVersion(pin, edit.text) : pin.text;
    }),
    readInclude,
  );
}

/** Turns names without a version into exact pins. */
export function pinNames(file: CheckedFile, all: readonly Judgment[], readInclude?: ReadInclude): Fixed {
  const judgments = all.slice(file.found.included?.length ?? 0);
  const changes: Change[] = [];
  const edits = new Map<number, Edit>();
  const texts = file.found.pins.map((pin, i) => {
    const target = judgments[i]?.target;
    const { range, name, text } = pin;
    const isPlain = file.text.slice(range.start, range.end) === text;
    if (pin.operator !== '' || target === undefined || pin.isRuntime || pin.isLocked || !isPlain) return text;
    const at = pin.tool === 'apko' ? range.start + name.length : range.end;
    edits.set(at, { range: { start: at, end: at }, text: `=${target}` });
    changes.push({ pin: text, to: target });
    return text.slice(0, at - range.start) + `=${target}` + text.slice(at - range.start);
  });
  return checked(file, [...edits.values()], changes, texts, readInclude);
}

function targetOf(pin: Pin, judgment: Judgment | undefined): string | undefined {
  const target = judgment?.target;
  const isRaised = pin.operator !== '' && !pin.isLocked && !pin.isRuntime && target !== pin.version;
  return isRaised ? target : undefined;
}

function withVersion({ text, version }: Pin, to: string): string {
  const at = text.lastIndexOf(version);
  return text.slice(0, at) + to + text.slice(at + version.length);
}

/** Reads the changed text again. Unless all pins are as intended, nothing is changed. */
function checked(
  file: CheckedFile,
  edits: readonly Edit[],
  changes: readonly Change[],
  texts: readonly string[],
  readInclude?: ReadInclude,
): Fixed {
  if (changes.length === 0) return { text: file.text, changes };
  const sorted = edits.toSorted((a, b) => a.range.start - b.range.start);
  let text = '';
  let at = 0;
  for (const { range, text: put } of sorted) {
    text += file.text.slice(at, range.start) + put;
    at = range.end;
  }
  text += file.text.slice(at);
  const again = readPins(file.path, text, readInclude)?.pins.map((pin) => pin.text) ?? [];
  const isAsMeant = again.length === texts.length && again.every((each, i) => each === texts[i]);
  if (isAsMeant) return { text, changes };
  return { text: file.text, changes: [], leftBecause: 'changed, it would not be read as meant' };
}
