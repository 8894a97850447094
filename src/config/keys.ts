/** Every key of the configuration, read from the schema: for suggestions, help, docs, tests and editors. */
import * as z from 'zod';
import { configSchema, repositoryOrUrl } from './schema.ts';

/** A key of the configuration. */
export interface ConfigKey {
  /** Its level: `the top level`, `a datasource`, … */
  readonly level: string;
  /** From the top, with `*` for any name and `[]` for an item of a list. */
  readonly path: readonly string[];
  readonly name: string;
  readonly schema: z.core.$ZodType;
  readonly description: string | undefined;
  /** As written in the file; `undefined` if there is none. */
  readonly defaultValue: unknown;
  /** As written in the file. */
  readonly examples: readonly unknown[];
}

/** Every key of every level. */
export function configKeys(): readonly ConfigKey[] {
  return keysOf(configSchema, []);
}

function keysOf(
  schema: z.core.$ZodType,
  path: readonly string[],
  level = metaOf(schema).title ?? '',
): readonly ConfigKey[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodRecord) return keysOf(inner.valueType, [...path, '*']);
  if (inner instanceof z.ZodArray) return keysOf(inner.element, [...path, '[]']);
  if (inner instanceof z.ZodUnion)
    return inner.options.flatMap((option) => keysOf(option, path, metaOf(option).title ?? level));
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape as z.core.$ZodShape).flatMap(([name, value]) => {
    const { description, examples } = metaOf(value);
    const own: ConfigKey = {
      level,
      path,
      name,
      schema: value,
      description,
      defaultValue: defaultOf(value),
      examples: Array.isArray(examples) ? examples : choicesOf(value),
    };
    return [own, ...keysOf(value, [...path, name])];
  });
}

/** Metadata of a schema and of what it wraps. */
function metaOf(schema: z.core.$ZodType): z.core.GlobalMeta {
  const below = wrappedBy(schema);
  return { ...(below && metaOf(below)), ...z.globalRegistry.get(schema) };
}

function defaultOf(schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  const below = wrappedBy(schema);
  return below && defaultOf(below);
}

/** The allowed values, if they are few. */
export function choicesOf(schema: z.core.$ZodType): readonly unknown[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodEnum) return inner.options;
  return inner instanceof z.ZodBoolean ? [true, false] : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  const below = wrappedBy(schema);
  return below ? unwrap(below) : schema;
}

/** The schema that `schema` wraps with a default or transformation. */
function wrappedBy(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodPipe) return schema.in instanceof z.ZodTransform ? schema.out : schema.in;
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  )
    return schema.unwrap();
  return undefined;
}

/** JSON Schema (draft 7) of the file as written, for editors. Without refinements. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ zodSchema, jsonSchema }) => {
      if ((zodSchema as z.core.$ZodType) !== repositoryOrUrl) return;
      const asObject = { ...jsonSchema };
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      jsonSchema.anyOf = [{ type: 'string', description: 'the url of a repository' }, asObject];
    },
  });
}
