/** Here-documents (`<<EOF`) of shell scripts and Dockerfiles: where they end. */
import { countBefore } from '../sorted.ts';
import { mappedText, type Text } from './text.ts';

/** The most characters of a delimiter. */
const MAX_DELIMITER = 256;

export interface HereDocument {
  readonly delimiter: string;
  /** Written with `<<-`: tabs before the delimiter do not count. */
  readonly stripsTabs: boolean;
}

/** Finds the lines that end here-documents, for a text and all substitutions in it. */
export class Delimiters {
  readonly #source: string;
  #lines: Map<string, number[]> | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  /** The first line at or after `from` that is the delimiter alone: where it starts, and where the next one does. */
  after(
    from: number,
    { delimiter, stripsTabs }: HereDocument,
  ): { readonly start: number; readonly next: number } | undefined {
    this.#lines ??= this.#index();
    const starts = this.#lines.get((stripsTabs ? '-' : '=') + delimiter) ?? [];
    const start = starts[countBefore(starts.length, (i) => (starts[i] as number) < from)];
    if (start === undefined) return undefined;
    const newline = this.#source.indexOf('\n', start);
    return { start, next: newline < 0 ? this.#source.length : newline + 1 };
  }

  #index(): Map<string, number[]> {
    const lines = new Map<string, number[]>();
    const put = (key: string, start: number): void => {
      const known = lines.get(key);
      if (known) known.push(start);
      else lines.set(key, [start]);
    };
    let start = 0;
    for (const whole of this.#source.split('\n')) {
      const line = whole.replace(/\r$/, '');
      if (line.length <= MAX_DELIMITER) {
        put(`=${line}`, start);
        put(`-${line.replace(/^\t+/, '')}`, start);
      }
      start += whole.length + 1;
    }
    return lines;
  }
}

/** Without the tabs that begin its lines, as a command gets what is written with `<<-`. */
export function withoutTabs({ value, at }: Text): Text {
  const offsets: number[] = [];
  let stripped = '';
  for (const { 0: line, 1: kept = '', index } of value.matchAll(/\t*([^\n]*\n?)/g)) {
    stripped += kept;
    for (let i = line.length - kept.length; i < line.length; i += 1) offsets.push(at(index + i));
  }
  return mappedText(stripped, offsets);
}
