/** Reads pins as tests want to see them. */
import { readPins } from '../../src/pins/read.ts';
import type { FilePins, Pin } from '../../src/pins/pin.ts';
import { Lines } from '../../src/pins/text.ts';

/** `line:column text` of every package, in the order of the file. */
export function placed(
  path: string,
  text: string,
  files: Readonly<Record<string, string>> = {},
): readonly string[] {
  const lines = new Lines(text);
  return pinsIn(path, text, files).map((pin) => {
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
  return readPins(path, text, (include) => files[include]);
}

/** Names and versions of those with a version. */
export function versioned(path: string, text: string): readonly string[] {
  return pinsIn(path, text)
    .filter(({ operator }) => operator !== '')
    .map(({ name, operator, version }) => `${name}${operator}${version}`);
}
