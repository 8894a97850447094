/**
 * Makes JSON schemas for kubeconform from Kubernetes' own OpenAPI and the CRDs of the Prometheus operator. They are
 * strict: unknown fields are errors. kubeconform would download equal files from the internet.
 *
 * usage: node scripts/kubernetes-schemas.ts SWAGGER_JSON CRD_FOLDER OUT
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
type Schema = { readonly [key: string]: Json };

interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const [swaggerFile = '', crdFolder = '', out = ''] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const { definitions } = JSON.parse(readFileSync(swaggerFile, 'utf8')) as {
  definitions: Record<string, Schema>;
};
write('_definitions.json', { definitions: strict(definitions) });
for (const [name, definition] of Object.entries(definitions)) {
  const kinds = (definition['x-kubernetes-group-version-kind'] ?? []) as unknown as readonly Kind[];
  for (const kind of kinds) write(fileName(kind), { $ref: `_definitions.json#/definitions/${name}` });
}
for (const file of readdirSync(crdFolder)) {
  const { spec } = parse(readFileSync(join(crdFolder, file), 'utf8')) as {
    spec: {
      group: string;
      names: { kind: string };
      versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
    };
  };
  for (const { name, schema } of spec.versions) {
    const kind = { group: spec.group, version: name, kind: spec.names.kind };
    write(fileName(kind), strict(schema.openAPIV3Schema) as Schema);
  }
}

/** The file name for `-schema-location '…/{{ .ResourceKind }}{{ .KindSuffix }}.json'`. */
function fileName({ group, version, kind }: Kind): string {
  const [firstOfGroup = ''] = group.split('.');
  return `${[kind, firstOfGroup, version]
    .filter((part) => part !== '')
    .join('-')
    .toLowerCase()}.json`;
}

function write(file: string, schema: Schema): void {
  writeFileSync(join(out, file), JSON.stringify(schema));
}

/** Objects accept only the listed fields; quantities and ports are numbers or text. */
function strict(value: Json): Json {
  if (Array.isArray(value)) return value.map(strict);
  if (typeof value !== 'object' || value === null) return value;
  const schema = value as Schema;
  if (schema['format'] === 'int-or-string' || schema['x-kubernetes-int-or-string'] === true)
    return { anyOf: [{ type: 'string' }, { type: 'integer' }] };
  const entries = Object.entries(schema).map(([key, each]) => {
    if (key === '$ref' && typeof each === 'string')
      return [key, each.replace(/^#/, '_definitions.json#')] as const;
    return [key, strict(each)] as const;
  });
  const isClosed =
    typeof schema['properties'] === 'object' && isSchema(schema) && !('additionalProperties' in schema);
  return { ...Object.fromEntries(entries), ...(isClosed && { additionalProperties: false }) };
}

/** In contrast to a map with a property called `properties`. */
function isSchema(schema: Schema): boolean {
  return schema['type'] === 'object' && schema['x-kubernetes-preserve-unknown-fields'] !== true;
}
