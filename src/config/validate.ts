/** Validates configuration files and values. Every error names the source of the value, its key and what was expected. */
import { parse as parseYaml, YAMLParseError } from 'yaml';
import type * as z from 'zod';
import { UsageError } from '../errors.ts';
import { nearest } from './hints.ts';
import { keyByAlias } from './options.ts';
import { configKeys } from './keys.ts';
import { configSchema, type ConfigFile } from './schema.ts';

/** Parses the text of a configuration file. `source` names it in errors. */
export function parseConfigText(text: string, source: string): ConfigFile {
  let value: unknown;
  try {
    // As a number, the name 3.20 of a datasource would become 3.2.
    value = parseYaml(text, { stringKeys: true });
  } catch (cause) {
    throw new UsageError(`${source}${yamlFact(cause)}`);
  }
  return parseConfig(value ?? {}, source);
}

/** Validates a file or flag. `source` names it in errors. */
export function parseConfig(value: unknown, source: string): ConfigFile {
  const result = configSchema.safeParse(value, { error: expectedKind, reportInput: true });
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap(issuesOfForm);
  throw new UsageError(issues.map((issue) => describeIssue(issue, source)).join('\n'));
}

/** Validates the value of a flag or variable. `source` names it in errors. */
export function checkValue<T extends z.ZodType>(schema: T, value: unknown, source: string): z.output<T> {
  const result = schema.safeParse(value, { error: expectedKind });
  if (result.success) return result.data;
  throw new UsageError(`${source}: ${result.error.issues[0]?.message ?? ''}`);
}

/** The place and the fact of an error of the YAML parser; errors of aliases have no place. */
function yamlFact(error: unknown): string {
  if (!(error instanceof YAMLParseError)) return `: ${error instanceof Error ? error.message : ''}`;
  const { line, col } = error.linePos?.[0] ?? { line: 0, col: 0 };
  const [parsers = ''] = error.message.split(' at line', 1);
  const fact = error.code === 'MULTIPLE_DOCS' ? 'a second document begins, expected one' : parsers;
  return `:${line}:${col}: ${fact}`;
}

const kinds: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'keys with values',
  record: 'keys with values',
  string: 'text',
  tuple: 'a list',
};

/** The message for a value whose schema has no message of its own. */
function expectedKind(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_value') return `expected one of ${issue.values.join(', ')}`;
  const kind = issue.code === 'invalid_type' ? kinds[issue.expected] : undefined;
  return kind && `expected ${kind}`;
}

/** The issues of a value that may have several forms: those of the form that was clearly meant. */
function issuesOfForm(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const [closest, second] = issue.errors
    .filter((issues) => issues.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
    .toSorted((a, b) => a.length - b.length);
  if (!closest || closest.length === second?.length) return [issue];
  return closest.flatMap((each) => issuesOfForm({ ...each, path: [...issue.path, ...each.path] }));
}

function describeIssue(issue: z.core.$ZodIssue, source: string): string {
  const path = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .slice(1);
  if (issue.code === 'unrecognized_keys') {
    const of = path === '' ? '' : `${path}: `;
    return issue.keys.map((key) => `${source}: ${of}${unknownKey(key, issue.path)}`).join('\n');
  }
  if (issue.code === 'invalid_key') return `${source}: ${path}: ${issue.issues[0]?.message ?? issue.message}`;
  const missing = issue.input === undefined ? ', but there is no such key' : '';
  return `${source}: ${path || 'top level'}: ${issue.message}${missing}`;
}

/** Suggests a similar key, or the levels that the key belongs to. `at` is its place in the file. */
function unknownKey(key: string, at: readonly PropertyKey[]): string {
  const all = configKeys();
  const here = all.filter(({ path }) => isAt(path, at));
  const own = nearest(
    key,
    here.map(({ name }) => name),
  );
  if (own !== undefined) return `unknown key ${key}, did you mean ${own}?`;
  const elsewhere = all
    .filter(({ path }) => !isAt(path, at))
    .toSorted((a, b) => a.path.length - b.path.length);
  const levels = [...new Set(elsewhere.filter(({ name }) => name === key).map(({ level }) => level))];
  if (levels.length > 0) return `unknown key ${key} here: it belongs to ${levels.join(' or ')}`;
  const meant = keyByAlias(key);
  if (meant !== undefined && at.length === 0) return `unknown key ${key}, did you mean ${meant}?`;
  const other = elsewhere.find(
    ({ name }) => name === nearest(key, new Set(elsewhere.map((each) => each.name))),
  );
  if (other) {
    const owners = new Set(elsewhere.filter(({ name }) => name === other.name).map(({ level }) => level));
    return `unknown key ${key}, did you mean ${other.name}? That belongs to ${[...owners].join(' or ')}`;
  }
  return `unknown key ${key}, expected some of ${here.map(({ name }) => name).join(', ')}`;
}

function isAt(pattern: readonly string[], path: readonly PropertyKey[]): boolean {
  return (
    pattern.length === path.length &&
    pattern.every(
      (part, i) => part === '*' || (part === '[]' ? typeof path[i] === 'number' : part === path[i]),
    )
  );
}
