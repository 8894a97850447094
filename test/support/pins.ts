/** Reads pins as tests want to see them. */
import { readPins } from '../../src/pins/read.ts';
import type { FilePins, Pin } from '../../src/pins/pin.ts';
import { Lines } from '../../src/pins/text.ts';

/** `line:column text` of every package, in the order of the file. */
export function placed(path: string, text: string): readonly string[] {
  const lines = new Lines(text);
  return pinsIn(path, text).map((pin) => {
    const { line, column } = lines.position(pin.range.start);
    return `${line}:${column} ${pin.text}`;
  });
}

export function pinsIn(
  path: string,
  text: string,
  files: Readonly<Record<string, string>> = {},
): readonly Pin[] {
  return read(path, text, files)?.pins ?? [];
}

export function read(
  path: string,
  text: string,
  files: Readonly<Record<string, string>> = {},
): FilePins | undefined {
  return readPins(path, text, (path) => {
    const included = files[path];
    return included === undefined ? undefined : { path, text: included };
  });
}

/** Names and versions of those with a version. */
export function versioned(path: string, text: string): readonly string[] {
  return pinsIn(path, text)
    .filter(({ operator }) => operator !== '')
    .map(({ name, operator, version }) => `${name}${operator}${version}`);
}

/** Blanks for JavaScript or Unicode that are part of a word for a shell. */
export const unusualBlanks: readonly string[] = [
  ...[0x0b, 0x0c, 0x85, 0xa0, 0x1680, 0x180e, 0x2028, 0x2029, 0x202f, 0x205f, 0x2060, 0x3000, 0xfeff],
  ...Array.from({ length: 12 }, (_, i) => 0x2000 + i),
].map((code) => String.fromCharCode(code));
