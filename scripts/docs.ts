/**
 * `npm run docs`: generates documents from the code. docs/configuration.md and the JSON Schema come from the schema of the
 * configuration, docs/commands.md and the man page from the table of commands.
 */
import { writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { reportJsonSchema } from '../src/check/report-schema.ts';
import { commands } from '../src/cli/commands.ts';
import { flagText, usageOf } from '../src/cli/help.ts';
import { keyOptions, optionHelp } from '../src/config/options.ts';
import { manPage } from './man-page.ts';
import { choicesOf, configJsonSchema, configKeys, type ConfigKey } from '../src/config/keys.ts';

const GENERATED = '<!-- Written by `npm run docs`. Do not edit. -->';

/** The generated documents by path. */
export async function documents(): Promise<ReadonlyMap<string, string>> {
  const made: [path: string, text: string][] = [
    ['docs/configuration.md', configuration()],
    ['docs/commands.md', commandPages()],
    ['docs/apk-beacon.schema.json', JSON.stringify(configJsonSchema())],
    ['docs/check.schema.json', JSON.stringify(reportJsonSchema())],
  ];
  const formatted = made.map(async ([path, text]) => {
    const options = await resolveConfig(path);
    return [path, await format(text, { ...options, filepath: path })] as const;
  });
  return new Map([...(await Promise.all(formatted)), ['docs/apk-beacon.1', manPage(commands)]]);
}

const headings: Readonly<Record<string, string>> = {
  'the top level': 'Top level',
  'a datasource': 'A datasource',
  'a repository': 'A repository',
  'a receiver': 'A receiver of notifications',
  'a secret': 'A secret',
  'a secdb feed': 'A secdb feed',
  'an OSV feed': 'An OSV feed',
};

function configuration(): string {
  const keys = configKeys();
  const levels = [...new Set(keys.map(({ level }) => level))];
  const order = ['the top level', 'a datasource', 'a repository'];
  const sorted = [...order, ...levels.filter((level) => !order.includes(level))];
  return `# Configuration

${GENERATED}

Flags take precedence over environment variables, variables over the file, and the file over the defaults.
\`apk-beacon config\` prints the effective configuration. Unknown keys, flags and variables are errors.

The file is YAML; pass it with \`--config\`. With the first line below, editors with a YAML language server check it:

\`\`\`yaml
# yaml-language-server: $schema=https://git.example.com/acme/apk-beacon/-/raw/main/docs/apk-beacon.schema.json
datasources:
  wolfi:
    default: true
    repositories: [https://packages.wolfi.dev/os]
  private:
    archs: [x86_64]
    keys: [/etc/apk/keys/melange.rsa.pub]
    repositories:
      - url: https://apks.example.com/acme
        credentials: { bearer: { env: APKS_TOKEN } }
\`\`\`

**Units.** A time is a number with \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`: \`90s\`. A size is a number with \`B\`, \`kB\`, \`MB\`, \`GB\`,
\`KiB\`, \`MiB\` or \`GiB\`: \`300MiB\`. A share is \`40%\` or \`0.4\`.

## Flags and variables

${table(
  ['flag', 'variable', 'meaning'],
  optionHelp().map(({ flag, variable, help }) => [code(flag), variable === '' ? '' : code(variable), help]),
)}

For flags that can be repeated, the variable takes several values, separated by blanks or commas. Credentials can also come
from \`HTTP_AUTH=basic:host:user:password\` and \`.netrc\`. \`HTTP_PROXY\`, \`HTTPS_PROXY\` and \`NO_PROXY\` are used.

${sorted.map((level) => levelSection(level, keys)).join('\n\n')}
`;
}

function levelSection(level: string, keys: readonly ConfigKey[]): string {
  const all = keys.filter((key) => key.level === level);
  const own = [...new Map(all.map((key) => [key.name, key])).values()];
  const isTop = level === 'the top level';
  const paths = [...new Set(all.map(({ path }) => pathText(path)))];
  const place = isTop ? [] : [`At ${paths.map(code).join(', ')}.`];
  const head = ['key', 'meaning', 'value', 'default', 'example'];
  const rows = own.map((key) => {
    const option = isTop && optionHelp().find(({ name }) => name === optionOf(key));
    return [
      code(key.name),
      key.description ?? 'see below',
      kindOf(key),
      key.defaultValue === undefined || isEmpty(key.defaultValue) ? '' : code(yamlOf(key.defaultValue)),
      key.examples[0] === undefined ? '' : code(yamlOf(key.examples[0])),
      ...(isTop ? [option ? `${code(`--${option.name}`)}, ${code(option.variable)}` : ''] : []),
    ];
  });
  return [
    `## ${headings[level] ?? code(level)}`,
    ...place,
    table(isTop ? [...head, 'flag, variable'] : head, rows),
  ].join('\n\n');
}

function optionOf({ name }: ConfigKey): string | undefined {
  return keyOptions.get(name as Parameters<typeof keyOptions.get>[0]);
}

/** `datasources.NAME.repositories[].credentials`. */
function pathText(path: readonly string[]): string {
  return path
    .map((part) => (part === '*' ? 'NAME' : part))
    .join('.')
    .replaceAll('.[]', '[]');
}

/** The kind of value, inferred from the default and the examples. */
function kindOf({ schema, defaultValue, examples }: ConfigKey): string {
  const choices = choicesOf(schema);
  if (choices.length > 0) return choices.map((choice) => code(String(choice))).join(', ');
  const values = [defaultValue, ...examples].filter((value) => value !== undefined);
  const isAny = (pattern: RegExp): boolean =>
    values.some((value) => typeof value === 'string' && pattern.test(value));
  if (isAny(/^\d+(ms|s|m|h|d)$/)) return isAny(/^never$/) ? 'time, or `never`' : 'time';
  if (isAny(/^\d+([kMG]i?)?B$/)) return 'size';
  if (isAny(/^\d+%$/)) return 'share';
  const kinds = values.map((value) => {
    if (Array.isArray(value)) return 'list';
    return typeof value === 'string' ? 'text' : typeof value;
  });
  return [...new Set(kinds)].join(' or ') || 'object';
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** In one line, as the value of a key. */
export function yamlOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(yamlOf).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).map(([key, each]) => `${key}: ${yamlOf(each)}`);
    return `{ ${entries.join(', ')} }`;
  }
  const text = String(value);
  return typeof value === 'string' && (/^[[{*&!%@`:]/.test(text) || /[{}[\],]/.test(text))
    ? `'${text}'`
    : text;
}

function commandPages(): string {
  const sections = commands.map((command) => {
    const { name, summary, details, flags, examples } = command;
    return [
      `## ${name}`,
      `${sentence(summary)}${details === undefined ? '' : ` ${details}`}`,
      `    ${usageOf(command)}`,
      ...(flags.length > 0
        ? [
            table(
              ['flag', 'meaning'],
              flags.map((flag) => [code(flagText(flag)), flag.help]),
            ),
          ]
        : []),
      `\`\`\`sh\n${examples.join('\n')}\n\`\`\``,
    ].join('\n\n');
  });
  return `# Commands

${GENERATED}

\`[options]\` are those of [the configuration](configuration.md#flags-and-variables). \`apk-beacon COMMAND --help\` prints
the same as this page, and so does \`man apk-beacon\` after \`npm install --global apk-beacon\`. Exit codes: 0 done, 1 failed, 2
wrong usage or configuration; \`check\` and \`pin\` fail with [3](check.md#exit-codes).

${sections.join('\n\n')}
`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.main) {
  for (const [path, text] of await documents()) await writeFile(path, text);
}
