/**
 * What can stop an index from being used, from configuration to text. The code is the log field and the metric
 * label; exit codes and HTTP statuses are switched from it once, in `main.ts` and `http/server.ts`.
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

/** Without characters that end lines, move the cursor or turn the direction of writing: upstreams quote themselves. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  );
}

/** Masks the user name and password of every URL in `text`: the last net for what was not to be written at all. */
export function withoutUserinfo(text: string): string {
  return text.replace(/(?<=:\/\/)[^/\s"]*@/g, '***@');
}

function foreignText(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(JSON.stringify(error));
}

function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current !== undefined && parts.length < 5;) {
    const text =
      current instanceof IndexError ? current.message : cut(foreignText(current), MAX_FOREIGN_MESSAGE);
    if (!parts.includes(text)) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return withoutUserinfo(parts.join(': '));
}
