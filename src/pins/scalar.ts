/** YAML scalars with the position of each of their characters, in plain, quoted and block style. */
import { isScalar, type Scalar } from 'yaml';
import { mappedText, slice, type Text } from './text.ts';

/** The text of a string in YAML; `undefined` for anything else. */
export function scalarText(node: unknown, file: Text): Text | undefined {
  if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return undefined;
  const [start, end] = node.range;
  if (file.value.slice(start, end) === node.value) return slice(file, start, end);
  const offsets = placesOf(node as Scalar<string>, file.value.slice(start, end));
  if (offsets)
    return mappedText(
      node.value,
      offsets.map((each) => file.at(start + each)),
    );
  // A form that is not supported: all characters get the position of its start, so it cannot be changed.
  return mappedText(node.value, Array<number>(node.value.length).fill(file.at(start)));
}

function placesOf({ value, type }: Scalar<string>, source: string): number[] | undefined {
  switch (type) {
    case 'BLOCK_LITERAL':
    case 'BLOCK_FOLDED':
      return blockPlaces(value, source);
    case 'QUOTE_DOUBLE':
      return flowPlaces(value, source, 1, source.length - 1, doubleQuoted);
    case 'QUOTE_SINGLE':
      return flowPlaces(value, source, 1, source.length - 1, (text, i) =>
        text.startsWith("''", i) ? { length: 2, value: "'" } : undefined,
      );
    case 'PLAIN':
    case undefined:
      break;
  }
  return flowPlaces(value, source, 0, source.length, () => undefined);
}

interface Escape {
  readonly length: number;
  readonly value: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0', a: '\x07', b: '\b', e: '\x1b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', N: '\x85', _: '\xa0', L: '\u2028', P: '\u2029',
}; // prettier-ignore

function doubleQuoted(text: string, i: number): Escape | undefined {
  if (text[i] !== '\\') return undefined;
  const coded = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(text.slice(i, i + 10));
  if (coded) {
    const code = Number.parseInt(coded[1] ?? coded[2] ?? coded[3] ?? '', 16);
    return code > 0x10ffff ? undefined : { length: coded[0].length, value: String.fromCodePoint(code) };
  }
  const joined = /^\\[ \t]*\r?\n[ \t]*/.exec(text.slice(i));
  if (joined) return { length: joined[0].length, value: '' };
  const next = text[i + 1] ?? '';
  return { length: 2, value: ESCAPES[next] ?? next };
}

/** Line breaks in flow scalars are folded: a single one is a blank, of several all but the first stay. */
function flowPlaces(
  value: string,
  source: string,
  start: number,
  end: number,
  escapeAt: (text: string, i: number) => Escape | undefined,
): number[] | undefined {
  const places: number[] = [];
  const put = (text: string, at: number): boolean => {
    if (!value.startsWith(text, places.length)) return false;
    for (let i = 0; i < text.length; i += 1) places.push(at);
    return true;
  };
  /** Up to here, no blank is a fold. */
  let plain = start;
  for (let i = start; i < end;) {
    const escape = escapeAt(source, i);
    const fold = escape || i < plain ? undefined : foldAt(source, i, end);
    if (!escape && !fold && i >= plain) plain = i + blanksAt(source, i, end).length;
    const { length, value: text } = escape ?? fold ?? { length: 1, value: source[i] as string };
    if (!put(text, i)) return undefined;
    i += length;
  }
  return places.length === value.length ? places : undefined;
}

function foldAt(source: string, i: number, end: number): Escape | undefined {
  if (!/[ \t\r\n]/.test(source[i] as string)) return undefined;
  const blanks = blanksAt(source, i, end);
  const breaks = blanks.split('\n').length - 1;
  if (breaks === 0) return undefined;
  return { length: blanks.length, value: breaks === 1 ? ' ' : '\n'.repeat(breaks - 1) };
}

function blanksAt(source: string, start: number, end: number): string {
  let i = start;
  while (i < end && /[ \t\r\n]/.test(source[i] as string)) i += 1;
  return source.slice(start, i);
}

function blockPlaces(value: string, source: string): number[] | undefined {
  const header = source.indexOf('\n') + 1;
  if (header === 0) return value === '' ? [] : undefined;
  const lines = source.slice(header).split('\n');
  // With an indicator such as `|2`, a part of the blanks belongs to the value.
  const indent = indentOf(lines) - indentOf(value.split('\n'));
  const places: number[] = [];
  let at = header;
  for (const line of lines) {
    const content = line.replace(/\r$/, '').slice(Math.min(indent, /^ */.exec(line)?.[0].length ?? 0));
    const skipped = line.replace(/\r$/, '').length - content.length;
    if (!value.startsWith(content, places.length)) return undefined;
    for (let i = 0; i < content.length; i += 1) places.push(at + skipped + i);
    // Folded lines are joined by a blank; the first break before empty lines is dropped.
    if (/[\n ]/.test(value[places.length] ?? '')) places.push(at + line.length);
    at += line.length + 1;
  }
  return places.length === value.length ? places : undefined;
}

/** The blanks before the first line with text. */
function indentOf(lines: readonly string[]): number {
  return /^ */.exec(lines.find((line) => line.trim() !== '') ?? '')?.[0].length ?? 0;
}
