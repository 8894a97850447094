/**
 * The address of a lookup. It carries what the file tells about the pin, from which the service chooses the datasource
 * (`src/routing/`). Everything is encoded, because Renovate compiles addresses as templates again.
 */
import {
  ARG_LINES,
  COMMAND_REPOSITORIES,
  CUT_SHORT,
  FROM_LINES,
  FROM_LINES_KEPT,
  FROM_ON,
  IMAGE_LINES,
  TOO_LONG,
} from '../routing/excerpt.ts';

export interface LookupUrl {
  /** The address of the service. */
  readonly url: string;
  /** The only datasources to ask; all if empty. */
  readonly only: readonly string[];
}

/** Without a query. `name` is a Handlebars expression. */
export function lookupPath({ url }: LookupUrl, name: string): string {
  return `${url}/-/for/${encoded(name)}`;
}

/** `&only=wolfi`, as text. */
export function onlyParameter({ only }: LookupUrl): string {
  return only.length === 0 ? '' : `&only=${only.join(',')}`;
}

/** A Handlebars expression with its value encoded. */
export function encoded(expression: string): string {
  return `{{{encodeURIComponent ${expression}}}}`;
}

export function replaced(find: string, by: string, expression: string): string {
  return `(replace '${find}' '${by}' ${expression})`;
}

/** The parameters for a Dockerfile; `args` and `file` are groups of `HEAD` or expressions. */
export function dockerfileParameters(args: string, file: string): string {
  const stages = replaced(FROM_LINES, FROM_LINES_KEPT, file);
  return `&args=${encoded(replaced(TOO_LONG, '$1', args))}&file=${encoded(replaced(TOO_LONG, CUT_SHORT, stages))}`;
}

/** The same for any file; `file` is the whole file. */
export function anyFileParameters(file: string): string {
  const args = replaced(ARG_LINES, '$1', replaced(FROM_ON, '', file));
  return dockerfileParameters(args, file);
}

/** The repositories of one command. */
export function commandParameters(command: string): string {
  return `&x=${encoded(replaced(COMMAND_REPOSITORIES, '$1', command))}`;
}

/** The images of a CI file. */
export function imageParameters(file: string): string {
  return `&images=${encoded(replaced(TOO_LONG, '$1', replaced(IMAGE_LINES, '$1', file)))}`;
}
