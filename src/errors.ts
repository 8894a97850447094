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

/** The error and its causes in one line, for logs and `/readyz`. */
export function errorLine(error: unknown): string {
  return printable(errorText(error));
}

/** The same for a terminal: messages of the configuration have several lines. */
export function errorLines(error: unknown): string {
  return errorText(error).split('\n').map(printable).join('\n');
}

/** Without characters that end lines, move the cursor or turn the direction of writing: upstreams quote themselves. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  );
}

/** Masks the user name and password of every URL in `text`: the last net for what was not to be written at all. */
export function withoutUserinfo(text: string): string {
  return text.replace(/(?<=:\/\/)[^/\s"]*@/g, '***@');
}

function errorText(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current !== undefined && parts.length < 5;) {
    const text = current instanceof Error ? current.message || current.name : JSON.stringify(current);
    if (!parts.includes(text)) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return withoutUserinfo(parts.join(': '));
}
