import { withoutUserinfo } from './addresses.ts';

/**
 * What can stop an index from being used: `config-invalid` is a key, credential or certificate that cannot be used.
 * The code is the log field and the metric label. A process that ends over `config-invalid` exits with 2.
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

/** A command line, environment variable or configuration file that cannot be used. The process ends with exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'config-invalid';
}

/** Of a line in logs and `/readyz`, whatever went into it. */
const MAX_LINE = 2000;
/** Of the message of an error that is not ours and may quote what others sent, such as the names in a certificate. */
const MAX_FOREIGN_MESSAGE = 300;

/** The error and its causes in one line, for logs and `/readyz`. */
export function errorLine(error: unknown): string {
  return cut(printable(cut(errorText(error), MAX_LINE)), MAX_LINE);
}

/** Text of others as part of a message: the beginning, and how long it was. */
export function cut(text: string, most = 80): string {
  return text.length <= most ? text : `${text.slice(0, most).toWellFormed()}… (${text.length} characters)`;
}

/** Texts of others as part of a message: the first few, each cut, and how many more there were. */
export function cutList(texts: readonly string[], most = 4): string {
  const rest = texts.length > most ? [`${texts.length - most} more`] : [];
  return [...texts.slice(0, most).map((text) => cut(text)), ...rest].join(', ');
}

/** The same for a terminal: messages of the configuration have several lines. */
export function errorLines(error: unknown): string {
  return errorText(error).split('\n').map(printable).join('\n');
}

/** Characters that end lines, move the cursor, control a terminal or turn the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** `text` of others on one line of a terminal or file: control characters become `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`;
}

/** `value` as JSON that a terminal can be shown: what JSON allows to stand raw, such as U+009B, is escaped as well. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(UNPRINTABLE, (character) =>
    character === '\n' ? character : jsonEscaped(character),
  );
}

/** A line of JSON whose strings are printable even after it is parsed, but for the line breaks and tabs of stacks. */
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
  return error instanceof Error ? error.message || error.name : String(JSON.stringify(error));
}
