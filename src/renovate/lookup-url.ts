/**
 * The address of a lookup. It has the context of the pin, from which the service chooses the datasource
 * (`src/routing/`). Everything is encoded, because Renovate compiles addresses as templates again.
 */
import {
  CHANGE,
  CHANGES_KEPT,
  COMMAND_REPOSITORIES,
  CUT,
  FROM_LINES,
  FROM_LINES_KEPT,
  FROM_LINES_ONLY,
  IMAGE_LINES,
  IMAGE_LINES_KEPT,
  TOO_LONG,
} from '../routing/excerpt.ts';
import type { contextFields } from '../routing/pin-context.ts';

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

/**
 * `&kind=…&at=[…]`: the values of expressions as one JSON array, in the order of `contextFields`. Renovate compiles the
 * template anew for every pin, and what that costs grows with the number of its expressions.
 */
export function contextParameters(kind: keyof typeof contextFields, values: readonly string[]): string {
  const json = `(encodeURIComponent (toJSON (toArray ${values.join(' ')})))`;
  return `&kind=${kind}&at={{{replace '${TOO_LONG}' '${CUT}' ${json}}}}`;
}

/** The excerpt of `text`, the file or a part of it: its stages and their repositories. */
export function stages(text: string): string {
  return excerpt(text, FROM_LINES_KEPT);
}

/** What a script or CI file changes in the repositories of its image. */
export function changes(file: string): string {
  return excerpt(file, CHANGES_KEPT);
}

function excerpt(text: string, kept: string): string {
  const isUnchanged = `(equals file ${replaced(CHANGE, '', 'file')})`;
  const find = `(lookup (toObject 'true' '${FROM_LINES_ONLY}' 'false' '${FROM_LINES}') ${isUnchanged})`;
  return `(replace ${find} '${kept}' ${text})`;
}

/** The repositories of one command. */
export function repositoriesOf(command: string): string {
  return replaced(COMMAND_REPOSITORIES, '$1', command);
}

/** The images of a CI file. */
export function images(file: string): string {
  return replaced(IMAGE_LINES, IMAGE_LINES_KEPT, file);
}
