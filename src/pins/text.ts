/** Texts that know where in their file each character stands, and the lines of a file. */

/** What a value is read as, and the place of each of its characters: `ARG V="1.0"` gives `1.0` and three offsets. */
export interface Text {
  readonly value: string;
  /** Of each UTF-16 unit of `value`, its offset in the file. */
  readonly at: (i: number) => number;
  /** The variables whose values are part of it; absent for none. */
  readonly uses?: readonly Use[];
}

/** Where the value of a variable stands in a text, and the place in the file of the `$` that put it there. */
export interface Use {
  readonly name: string;
  readonly at: number;
  readonly start: number;
  readonly end: number;
}

/** Variables that hold each other have no end of uses. */
const MAX_USES = 100;

/** A whole file, or what stands there unchanged between two offsets. */
export function plainText(file: string, start = 0, end = file.length): Text {
  return { value: file.slice(start, end), at: (i) => start + i };
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

function withUses(text: Text, uses: readonly Use[]): Text {
  return uses.length === 0 ? text : { ...text, uses: uses.slice(0, MAX_USES) };
}

/** Where the text stands in the file; `undefined` if its characters do not follow each other there. */
export function rangeOf({ value, at }: Text): Range | undefined {
  const start = at(0);
  for (let i = 1; i < value.length; i += 1) if (at(i) !== start + i) return undefined;
  return value === '' ? undefined : { start, end: start + value.length };
}

/** Offsets in a file; `end` is the first one behind. */
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
    let [low, high] = [0, this.#starts.length];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (this.#starts[low] as number) + 1 };
  }
}
