import { withoutUserinfo } from './addresses.ts';

/**
 * Reasons why an index cannot be used. `config-invalid` means an unusable key, credential or certificate. The code is
 * the log field and the metric label. If `config-invalid` ends the process, the exit code is 2.
 */
export const indexErrorCodes = [
  'config-invalid',
  'fetch-failed',
  'fetch-too-large',
  'signature-missing',
  'signature-untrusted',
  'signature-bad',
  'archive-malformed',
  'archive-too-large',
  'apkindex-malformed',
  'index-unsupported',
  'index-rollback',
  'index-shrunk',
  'feed-malformed',
] as const;

export type IndexErrorCode = (typeof indexErrorCodes)[number];

/** The one error class of the pipeline. Messages name the thing and the fact, lower case, no full stop. */
export class IndexError extends Error {
  override readonly name = 'IndexError';
  readonly code: IndexErrorCode;

  constructor(code: IndexErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An invalid command line, environment variable or configuration file. The process exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'config-invalid';
}

/** A request that is refused: 410, what it asks for will not come back; 429, it may be asked again soon. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly status: 410 | 429;

  constructor(status: 410 | 429, message: string) {
    super(message);
    this.status = status;
  }
}

/** The code of an error of the system or of ours, such as `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** Length of a line in logs and `/readyz`. */
const MAX_LINE = 2000;
/** Length of a foreign error's message, which may quote foreign text, such as names in a certificate. */
const MAX_FOREIGN_MESSAGE = 300;

/** The error and its causes in one line, for logs and `/readyz`. */
export function errorLine(error: unknown): string {
  return cut(printable(cut(errorText(error), MAX_LINE)), MAX_LINE);
}

/** Foreign text for a message: the beginning, and the length if it was cut. */
export function cut(text: string, most = 80): string {
  return text.length <= most ? text : `${text.slice(0, most).toWellFormed()}… (${text.length} characters)`;
}

/** Foreign texts for a message: the first few, each cut, and the number of the others. */
export function cutList(texts: readonly string[], most = 4): string {
  const rest = texts.length > most ? [`${texts.length - most} more`] : [];
  return [...texts.slice(0, most).map((text) => cut(text)), ...rest].join(', ');
}

/** `1 package`, `2 packages`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** The same for a terminal; configuration errors have several lines. */
export function errorLines(error: unknown): string {
  return errorText(error).split('\n').map(printable).join('\n');
}

/** Characters that end lines, move the cursor, control a terminal or change the direction of text. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Foreign `text` on one line of a terminal or file: control characters become `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`;
}

/** `value` as JSON for a terminal. Characters that JSON allows unescaped, such as U+009B, are escaped too. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(UNPRINTABLE, (character) =>
    character === '\n' ? character : jsonEscaped(character),
  );
}

/** A line of JSON whose strings are printable even after parsing, except for line breaks and tabs of stacks. */
export function printableJsonLine(line: string): string {
  return line
    .replace(/\\(?:u00([01][0-9a-f])|.)/g, (text, hex: string | undefined) => {
      const code = hex === undefined ? shortEscapes[text] : Number.parseInt(hex, 16);
      return code === undefined ? text : `\\${escaped(String.fromCodePoint(code))}`;
    })
    .replace(UNPRINTABLE, (character) => (character === '\n' ? character : `\\${escaped(character)}`));
}

const shortEscapes: Readonly<Record<string, number>> = { '\\b': 8, '\\f': 12, '\\r': 13 };

function jsonEscaped(character: string): string {
  return character.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current !== undefined && parts.length < 5;) {
    const text =
      current instanceof IndexError || current instanceof UsageError
        ? current.message
        : cut(foreignText(current), MAX_FOREIGN_MESSAGE);
    if (!parts.includes(text)) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return withoutUserinfo(parts.join(': '));
}

function foreignText(error: unknown): string {
  return error instanceof Error ? error.message.trim() || error.name : String(JSON.stringify(error));
}
