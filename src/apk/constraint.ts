/**
 * Version constraints as in a world file or a `D:` line: an operator and a version (`>=2.3`, `~1.35`, `=1.0-r0`).
 * An operator is a set of signs in any order, as in apk-tools 3: `<` older, `>` newer, `=` equal, `~` the version's
 * line. `><` (identity hash) does not constrain versions and is not read here.
 */
import { compareVersions, isInLine, parseVersion, type Version } from './version.ts';

export interface Constraint {
  readonly operator: string;
  readonly version: Version;
}

/** Start and end of the operator in `name>=1.0`; both are the text's length if there is none. */
export function operatorSpan(text: string): { readonly start: number; readonly end: number } {
  let start = 0;
  while (start < text.length && !isSign(text.charCodeAt(start))) start += 1;
  let end = start;
  while (end < text.length && isSign(text.charCodeAt(end))) end += 1;
  return { start, end };
}

const [LESS, GREATER, TILDE] = [0x3c, 0x3e, 0x7e] as const;

/** `<`, `=`, `>` or `~`; the first three have consecutive codes. */
function isSign(code: number): boolean {
  return (code >= LESS && code <= GREATER) || code === TILDE;
}

/** Parses a constraint; `undefined` without an operator or a valid version. */
export function parseConstraint(text: string): Constraint | undefined {
  const { start, end } = operatorSpan(text);
  const operator = text.slice(0, end);
  if (start !== 0 || end === 0 || (operator.includes('<') && operator.includes('>'))) return undefined;
  const version = parseVersion(text.slice(end));
  return version && { operator, version };
}

export function satisfies(version: Version, { operator, version: bound }: Constraint): boolean {
  if (operator.includes('~') && isInLine(version, bound)) return true;
  const order = compareVersions(version, bound);
  if (order === 0) return operator.includes('=') || operator.includes('~');
  return operator.includes(order < 0 ? '<' : '>');
}
