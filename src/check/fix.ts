/** Raises pins in the text of a file. Only characters of versions change. */
import { readPins } from '../pins/read.ts';
import { isExactPin, type Pin } from '../pins/pin.ts';
import type { Range } from '../pins/text.ts';
import type { CheckedFile } from './findings.ts';
import type { Judgment } from './judgment.ts';

export interface Fixed {
  readonly text: string;
  /** The raised pins, in the order of the file. */
  readonly changes: readonly Change[];
  /** Pins that stay although there is a version for them, with the reason. */
  readonly unchanged?: readonly Unchanged[];
  /** Why the file stays unchanged although a pin could be raised. */
  readonly unchangedBecause?: string;
}

export interface Change {
  readonly pin: string;
  readonly to: string;
}

export interface Unchanged {
  readonly pin: string;
  readonly because: string;
}

interface Edit {
  readonly range: Range;
  readonly text: string;
}

/** Raises pins with a version to the target of their judgment. */
export function raisePins(file: CheckedFile, all: readonly Judgment[]): Fixed {
  const { versions, edits, because } = planRaises(file, all);
  const { pins } = file.found;
  const changes = pins.flatMap((pin, i) => {
    const to = versions[i];
    return to === undefined ? [] : [{ pin: pin.text, to }];
  });
  const wanted = [...edits.values()].filter((edit): edit is Edit => edit !== 'disagreed');
  const texts = pins.map((pin) => {
    const edit = pin.versionRange && edits.get(pin.versionRange.start);
    return edit && edit !== 'disagreed' ? withVersion(pin, edit.text) : pin.text;
  });
  const unchanged = pins.flatMap(({ text }, i): readonly Unchanged[] => {
    const reason = because[i];
    return reason === undefined ? [] : [{ pin: text, because: reason }];
  });
  return { ...checked(file, wanted, changes, texts), unchanged };
}

interface Plan {
  /** The version to which each pin of the file is raised; `undefined` for pins that stay. */
  readonly versions: readonly (string | undefined)[];
  /** Why each pin stays although there is a version for it; `undefined` for others. */
  readonly because: readonly (string | undefined)[];
  /** By start position. */
  readonly edits: ReadonlyMap<number, Edit | 'disagreed'>;
}

/** Without those of included packages. */
export function ownJudgments({ found }: CheckedFile, all: readonly Judgment[]): readonly Judgment[] {
  return all.slice(found.included?.length ?? 0);
}

/** What `raisePins` does. */
export function planRaises(file: CheckedFile, all: readonly Judgment[]): Plan {
  const { pins, repeats = [] } = file.found;
  const judgments = ownJudgments(file, all);
  const variables = new Variables(file);
  const targets = pins.map((pin, i) => targetOf(pin, judgments[i]));
  const obstacles = pins.map((pin, i) =>
    targets[i] === undefined ? undefined : variables.obstacleToRaise(pin),
  );
  const possible = targets.map((target, i) => (obstacles[i] === undefined ? target : undefined));
  const edits = new Map<number, Edit | 'disagreed'>();
  const put = (range: Range, text: string): void => {
    const before = edits.get(range.start);
    edits.set(
      range.start,
      before === undefined || (before !== 'disagreed' && before.text === text)
        ? { range, text }
        : 'disagreed',
    );
  };
  for (const [i, pin] of pins.entries()) {
    // A variable of several packages is raised only if all agree, so packages that stay count too.
    if (pin.versionRange) put(pin.versionRange, possible[i] ?? pin.version);
  }
  for (const { pin: i, range, hasRevision } of repeats) {
    const target = possible[i];
    if (target !== undefined) put(range, hasRevision ? target : target.replace(/-r\d+$/, ''));
  }
  const versions = pins.map(({ versionRange }, i) =>
    versionRange && edits.get(versionRange.start) !== 'disagreed' ? possible[i] : undefined,
  );
  const because = pins.map(({ operator, versionRange }, i) => {
    const target = targets[i];
    const heldBecause = judgments[i]?.heldBecause;
    if (heldBecause !== undefined && operator !== '') return heldBecause;
    if (target === undefined || versions[i] !== undefined) return undefined;
    if (!versionRange) return obstacles[i] ?? 'its version is composed of several parts';
    return obstacles[i] ?? `it shares its version with pins that are not raised to ${target}`;
  });
  return { versions, edits, because };
}

/** Turns names without a version into exact pins. */
export function pinNames(file: CheckedFile, all: readonly Judgment[]): Fixed {
  const judgments = ownJudgments(file, all);
  const changes: Change[] = [];
  const edits = new Map<number, Edit>();
  const unchanged: Unchanged[] = [];
  const variables = new Variables(file);
  const texts = file.found.pins.map((pin, i) => {
    const { target, heldBecause } = judgments[i] ?? {};
    const { range, name, text } = pin;
    const isPlain = file.text.slice(range.start, range.end) === text;
    if (pin.operator === '' && heldBecause !== undefined) unchanged.push({ pin: text, because: heldBecause });
    if (pin.operator !== '' || target === undefined || pin.isRuntime || pin.isLocked) return text;
    const because = isPlain ? variables.obstacle(pin.variables) : 'its name is composed of several parts';
    if (because !== undefined) {
      unchanged.push({ pin: text, because });
      return text;
    }
    const at = pin.tool === 'apko' ? range.start + name.length : range.end;
    edits.set(at, { range: { start: at, end: at }, text: `=${target}` });
    changes.push({ pin: text, to: target });
    return text.slice(0, at - range.start) + `=${target}` + text.slice(at - range.start);
  });
  return { ...checked(file, [...edits.values()], changes, texts), unchanged };
}

/** A use of a variable: `$NAME`, `${NAME…}`, `${#NAME}`. */
const USE = /\$(?:\{[#!]?)?([A-Za-z_]\w*)/g;

/** A use that only tests whether there is a value. */
const TEST = /(?:\[|\btest)[ \t]+(?:![ \t]+)?-[nz][ \t]+"?\$(?:\w+|\{\w+\})/g;

/** Where a file uses its variables. A changed value must suit every place. */
class Variables {
  readonly #file: CheckedFile;
  #places: ReadonlyMap<string, Places> | undefined;

  constructor(file: CheckedFile) {
    this.#file = file;
  }

  /** Why the value must not get a version: `apk del` and other commands would read it as part of the name. */
  obstacle(names: readonly string[] = []): string | undefined {
    const name = names.find((each) => this.#of(each).isElsewhere);
    return name === undefined ? undefined : `$${name} is also used outside apk add`;
  }

  /**
   * Why an exact version must not be raised: other commands may use the new one, but an image may not have it as a tag.
   */
  obstacleToRaise(pin: Pin): string | undefined {
    if (!isExactPin(pin)) return this.obstacle(pin.versionVariables);
    const name = pin.versionVariables?.find((each) => this.#of(each).isImage);
    return name === undefined ? undefined : `$${name} is part of an image's name`;
  }

  #of(name: string): Places {
    this.#places ??= placesOf(this.#file);
    return this.#places.get(name) ?? { isElsewhere: false, isImage: false };
  }
}

interface Places {
  /** Whether it is used elsewhere than in the packages of `apk add`. */
  isElsewhere: boolean;
  /** Whether it is used in FROM or in the `image:` of a job or service. */
  isImage: boolean;
}

function placesOf({ text, found }: CheckedFile): ReadonlyMap<string, Places> {
  const added = new Set(found.uses);
  const places = new Map<string, Places>();
  for (const { 0: line, index } of text.matchAll(/[^\n]+/g)) {
    if (/^[ \t]*#/.test(line)) continue;
    const isImage = /^[ \t]*(?:FROM[ \t]|(?:- )?image[ \t]*:|COPY[ \t]+--from=)/i.test(line);
    const used = line.replace(TEST, (test) => ' '.repeat(test.length));
    for (const { 1: name = '', index: at } of used.matchAll(USE)) {
      const known = places.get(name) ?? { isElsewhere: false, isImage: false };
      known.isElsewhere ||= !added.has(index + at);
      known.isImage ||= isImage;
      places.set(name, known);
    }
  }
  return places;
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
  const again = readPins(file.path, text)?.pins.map((pin) => pin.text) ?? [];
  const isAsMeant = again.length === texts.length && again.every((each, i) => each === texts[i]);
  if (isAsMeant) return { text, changes };
  return { text: file.text, changes: [], unchangedBecause: 'the changed file would not parse as intended' };
}
