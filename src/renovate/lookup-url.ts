/**
 * The address of a lookup. It carries what the file tells of the pin, and the service decides which datasource that is
 * (`src/routing/`). All of it is encoded, because Renovate compiles addresses as templates once more.
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
  /** Of the service. */
  readonly url: string;
  /** Datasources of which alone an opinion is wanted; all if empty. */
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

/** A Handlebars expression, its value encoded. */
export function encoded(expression: string): string {
  return `{{{encodeURIComponent ${expression}}}}`;
}

export function replaced(find: string, by: string, expression: string): string {
  return `(replace '${find}' '${by}' ${expression})`;
}

/** What a Dockerfile builds on, `args` and `file` of which are groups of `HEAD` or expressions. */
export function dockerfileParameters(args: string, file: string): string {
  const stages = replaced(FROM_LINES, FROM_LINES_KEPT, file);
  return `&args=${encoded(replaced(TOO_LONG, '$1', args))}&file=${encoded(replaced(TOO_LONG, CUT_SHORT, stages))}`;
}

/** The same of a file that need not be a Dockerfile; `file` is all of it. */
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
