/** Texts with the position of each character in their file, and the lines of a file. */
import { countBefore } from '../sorted.ts';

/** A value and the position of each of its characters: `ARG V="1.0"` gives `1.0` and three offsets. */
export interface Text {
  readonly value: string;
  /** The offset in the file of each UTF-16 unit of `value`. */
  readonly at: (i: number) => number;
  /** The variables whose values are part of it; absent if there are none. */
  readonly uses?: readonly Use[];
}

/** Where the value of a variable is in a text, and the position of its `$` in the file. */
export interface Use {
  readonly name: string;
  readonly at: number;
  readonly start: number;
  readonly end: number;
}

/** A limit, because variables may contain each other. */
const MAX_USES = 100;

/** A whole file. */
export function plainText(file: string): Text {
  return { value: file, at: (i) => i };
}

/** A text whose characters were decoded or moved. */
export function mappedText(value: string, offsets: readonly number[], uses: readonly Use[] = []): Text {
  const at = (i: number): number => offsets[i] ?? (offsets.at(-1) ?? -1) + 1;
  return withUses({ value, at }, uses);
}

export function slice({ value, at, uses = [] }: Text, start: number, end: number): Text {
  return withUses(
    { value: value.slice(start, end), at: (i) => at(start + i) },
    uses
      .filter((use) => use.start < end && use.end > start)
      .map((use) => ({ ...use, start: use.start - start, end: use.end - start })),
  );
}

/** The parts between blanks. */
export function wordsOf(text: Text): readonly Text[] {
  return [...text.value.matchAll(/[^ \t\r\n]+/g)].map(({ 0: { length }, index }) =>
    slice(text, index, index + length),
  );
}

function withUses(text: Text, uses: readonly Use[]): Text {
  return uses.length === 0 ? text : { ...text, uses: uses.slice(0, MAX_USES) };
}

/** The range of the text in the file; `undefined` if its characters are not contiguous there. */
export function rangeOf({ value, at }: Text): Range | undefined {
  const start = at(0);
  for (let i = 1; i < value.length; i += 1) if (at(i) !== start + i) return undefined;
  return value === '' ? undefined : { start, end: start + value.length };
}

/** The same, or if they are not, from the first to the last of them. */
export function spanOf(text: Text): Range {
  return rangeOf(text) ?? { start: text.at(0), end: text.at(text.value.length - 1) + 1 };
}

/** Offsets in a file; `end` is exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** From 1, as editors count. A column is a UTF-16 unit. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds lines and columns in one file. */
export class Lines {
  readonly #starts: number[] = [0];

  constructor(file: string) {
    for (let at = file.indexOf('\n'); at >= 0; at = file.indexOf('\n', at + 1)) this.#starts.push(at + 1);
  }

  position(offset: number): Position {
    const line = countBefore(this.#starts.length, (i) => (this.#starts[i] as number) <= offset);
    return { line, column: offset - (this.#starts[line - 1] as number) + 1 };
  }
}
