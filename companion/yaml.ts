/** YAML as apko and melange read it, which are written in Go. */
import { parse } from 'yaml';
import { z } from 'zod';

import { CompanionError, errorLine } from './errors.ts';

/** Reads a file by a schema. Throws a `CompanionError` that names `file`. */
export function readYaml<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  file: string,
): z.infer<Schema> {
  const result = schema.safeParse(parseYaml(text, file));
  if (result.success) return result.data;
  throw new CompanionError(`${file}: ${z.prettifyError(result.error).replaceAll('\n', ' ')}`);
}

/** Scalars are what is written, with or without quotes: `8080` and `3.10` may be used as text. */
function parseYaml(text: string, file: string): unknown {
  try {
    return parse(text, { schema: 'failsafe', merge: true });
  } catch (error) {
    throw new CompanionError(`${file}: ${errorLine(error)}`);
  }
}

const nothing = new Set<unknown>(['', '~', 'null']);

/** A value that may be missing. A key without one, or with an empty text, is as if it was not there. */
export const optional = <Schema extends z.ZodType>(schema: Schema) =>
  z.preprocess((value) => (nothing.has(value) ? undefined : value), schema.optional());

export const text = optional(z.string());

/** In any of Go's notations: `0750` and `0o750` are the same. */
export const wholeNumber = z
  .string()
  .regex(/^(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/, 'not a whole number')
  .transform((text) => Number(text.replace(/^0(?=[0-7])/, '0o')));

/** In any of YAML 1.1's words, which Go still reads. */
export const yesOrNo = z
  .string()
  .regex(/^(?:true|yes|on|y|false|no|off|n)$/i, 'neither true nor false')
  .transform((text) => /^(?:true|yes|on|y)$/i.test(text));
