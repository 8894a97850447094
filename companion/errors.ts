/** An error in a definition, a recipe or a call. Messages name the file and the fact. */
export class CompanionError extends Error {
  override readonly name = 'CompanionError';
}

/** One line for the terminal: YAML's and Node's messages have several. */
export function errorLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
