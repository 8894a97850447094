/**
 * What is in force: flags before environment before file before defaults. The only reader of the environment and of the
 * command line. Every error names where the value came from, its key and what was expected.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { closest, distance } from 'fastest-levenshtein';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import type * as z from 'zod';
import { configSchema, knownKeys, type ConfigFile, type DatasourceConfig } from './config-schema.ts';
import { IndexError } from './errors.ts';

export type { DatasourceConfig, RepositoryConfig, Listen } from './config-schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config extends Omit<ConfigFile, 'datasources' | 'cacheDir' | 'netrc'> {
  /** Absent: nothing is kept on disk. */
  readonly cacheDir: string | undefined;
  /** Path of a `.netrc` to look for credentials in. */
  readonly netrc: string | undefined;
  readonly datasources: Readonly<Record<string, DatasourceConfig>>;
  /** The datasource that answers at `/{package}`. */
  readonly defaultDatasource: string;
  /** For secrets, `HTTP_AUTH` and proxies, which are looked up when they are needed. */
  readonly environment: Environment;
  /** The file it was read from. */
  readonly file: string | undefined;
}

/** Options shared by all commands; the ones with `env` can be given as `APK_BEACON_…`, too. */
const options = {
  config: {
    type: 'string',
    placeholder: 'FILE|YAML',
    help: 'configuration file, or its content if that has more than one line',
  },
  listen: { type: 'string', placeholder: 'HOST:PORT', help: 'address to listen on (0.0.0.0:3000)' },
  refresh: { type: 'string', placeholder: 'TIME', help: 'how often to ask for newer indexes (15m)' },
  'cache-dir': {
    type: 'string',
    placeholder: 'DIR',
    help: 'where to keep the last good indexes; "none" for nowhere',
  },
  'log-level': {
    type: 'string',
    placeholder: 'LEVEL',
    help: 'trace, debug, info, warn, error or silent (info)',
  },
  'log-format': {
    type: 'string',
    placeholder: 'FORMAT',
    help: 'json or text (text on a terminal, json elsewhere)',
  },
  name: {
    type: 'string',
    placeholder: 'NAME',
    help: 'name of the datasource made by --repository (default)',
  },
  repository: {
    type: 'string',
    multiple: true,
    placeholder: 'URL|DIR|FILE',
    help: 'a repository, or one index ending in .tar.gz; repeatable (Wolfi)',
  },
  arch: { type: 'string', multiple: true, placeholder: 'ARCH', help: 'repeatable (x86_64 and aarch64)' },
  key: { type: 'string', multiple: true, placeholder: 'FILE|URL', help: 'a public key to trust; repeatable' },
  'allow-untrusted': { type: 'boolean', help: 'take indexes without a trusted signature' },
} as const satisfies Record<string, ParseArgsOptionsConfig[string] & { placeholder?: string; help: string }>;

export const optionHelp = Object.entries(options).map(([name, { help, ...option }]) => ({
  flag: 'placeholder' in option ? `--${name} ${option.placeholder}` : `--${name}`,
  variable: name === 'name' ? undefined : variableOf(name),
  help,
}));

type Settings = { -readonly [K in keyof typeof options]?: string[] };

export interface CommandLine {
  /** What is no option: the command and its arguments. */
  readonly words: readonly string[];
  readonly settings: Readonly<Settings>;
  /** Flags of one command only, such as `--json`. */
  readonly own: Readonly<Record<string, string | boolean | undefined>>;
}

/** Reads the command line. `own` are the flags that the command adds. Throws `config-invalid`. */
export function parseCommandLine(args: readonly string[], own: ParseArgsOptionsConfig = {}): CommandLine {
  const known = {
    ...Object.fromEntries(Object.entries(options).map(([name, option]) => [name, bare(option)])),
    ...own,
  };
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options: known,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const option = known[token.name];
    if (!option)
      throw unknown(
        'option',
        token.rawName,
        Object.keys(known).map((name) => `--${name}`),
      );
    if (option.type === 'string' && token.value === undefined) {
      throw new IndexError('config-invalid', `${token.rawName}: expected a value`);
    }
    if (option.type === 'boolean' && token.value !== undefined) {
      throw new IndexError('config-invalid', `${token.rawName}: takes no value`);
    }
  }
  const settings: Settings = {};
  for (const name of Object.keys(options) as (keyof Settings)[]) {
    const value = values[name];
    if (value !== undefined) settings[name] = (Array.isArray(value) ? value : [value]).map(String);
  }
  const ownValues = Object.keys(own).map(
    (name) => [name, values[name] as string | boolean | undefined] as const,
  );
  return { words: positionals, settings, own: Object.fromEntries(ownValues) };
}

function bare(option: (typeof options)[keyof typeof options]): ParseArgsOptionsConfig[string] {
  return 'multiple' in option ? { type: option.type, multiple: true } : { type: option.type };
}

/** The configuration in force. Reads the file it names; throws `config-invalid`. */
export function loadConfig({ settings }: CommandLine, environment: Environment): Config {
  const variables = environmentSettings(environment);
  const file = settings.config?.at(-1) ?? variables.config?.at(-1);
  const base = file === undefined ? parseConfig({}, 'configuration') : readConfig(file);
  const overridden = override(
    override(base, variables, (name) => variableOf(name)),
    settings,
    (name) => `--${name}`,
  );
  const datasources = overridden.datasources ?? { wolfi: wolfi() };
  const names = Object.keys(datasources);
  refuseToSignUnverified(overridden, datasources);
  return {
    ...overridden,
    datasources,
    defaultDatasource: names.find((name) => datasources[name]?.default) ?? (names[0] as string),
    cacheDir: cacheDirOf(overridden.cacheDir, environment),
    netrc: netrcOf(overridden.netrc, environment),
    environment,
    file: file?.includes('\n') ? undefined : file,
  };
}

/** What is signed with our key is taken as verified by whoever trusts it. */
function refuseToSignUnverified(
  { signingKey }: Pick<ConfigFile, 'signingKey'>,
  datasources: Readonly<Record<string, DatasourceConfig>>,
): void {
  if (!signingKey) return;
  const lax = Object.entries(datasources).find(([, { repositories }]) =>
    repositories.some(({ trust }) => trust === 'none'),
  );
  if (!lax) return;
  throw new IndexError(
    'config-invalid',
    `signingKey: datasource ${lax[0]} has a repository whose signatures are not checked (trust: none), so its packages must not be signed`,
  );
}

/** CI systems hand over variables more easily than files; a path has no line break. */
function readConfig(fileOrText: string): ConfigFile {
  if (fileOrText.includes('\n')) return parseConfigText(fileOrText, '--config');
  let text: string;
  try {
    text = readFileSync(fileOrText, 'utf8');
  } catch (cause) {
    throw new IndexError('config-invalid', `cannot read the configuration ${fileOrText}`, { cause });
  }
  return parseConfigText(text, fileOrText);
}

function parseConfigText(text: string, source: string): ConfigFile {
  try {
    return parseConfig(parseYaml(text) ?? {}, source);
  } catch (cause) {
    if (!(cause instanceof YAMLParseError)) throw cause;
    const { line, col } = cause.linePos?.[0] ?? { line: 0, col: 0 };
    const [fact = ''] = cause.message.split(' at line', 1);
    throw new IndexError('config-invalid', `${source}:${line}:${col}: ${fact}`);
  }
}

/** Checks what a file or flag says. `source` names it in errors. */
function parseConfig(value: unknown, source: string): ConfigFile {
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  throw new IndexError(
    'config-invalid',
    result.error.issues.map((issue) => describeIssue(issue, source)).join('\n'),
  );
}

function describeIssue(issue: z.core.$ZodIssue, source: string): string {
  const path = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .slice(1);
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    return `${source}: ${path === '' ? '' : `${path}: `}${unknown('key', key, knownKeys).message}`;
  }
  if (issue.code === 'invalid_key') return `${source}: ${path}: ${issue.issues[0]?.message ?? issue.message}`;
  return `${source}: ${path || 'top level'}: ${issue.message}`;
}

function unknown(what: string, name: string, known: readonly string[]): IndexError {
  const near = closest(name, [...known]);
  const hint = distance(name, near) <= Math.max(2, name.length / 3) ? `, did you mean ${near}?` : '';
  return new IndexError('config-invalid', `unknown ${what} ${name}${hint}`);
}

function variableOf(option: string): string {
  return `APK_BEACON_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** Variables that container platforms set for a service of our name; they are none of ours. */
const PLATFORM_VARIABLE = /^APK_BEACON_(SERVICE_(HOST|PORT\w*)|PORT(_\d+_\w+)?|NAME|ENV_\w+)$/;

/** `APK_BEACON_NAME` is one of those, so the name is a flag only. */
const settable = (Object.keys(options) as (keyof Settings)[]).filter((name) => name !== 'name');

function environmentSettings(environment: Environment): Settings {
  const names = new Map(settable.map((name) => [variableOf(name), name]));
  const settings: Settings = {};
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('APK_BEACON_') || value === undefined || value === '') continue;
    const name = names.get(variable);
    if (name)
      settings[name] =
        'multiple' in options[name] ? value.split(/[\s,]+/).filter((part) => part !== '') : [value];
    else if (!PLATFORM_VARIABLE.test(variable)) {
      throw unknown('environment variable', variable, [...names.keys()]);
    }
  }
  return settings;
}

/** `config` with what `settings` say instead; `nameOf` tells how the setting was written. */
function override(config: ConfigFile, settings: Settings, nameOf: (name: string) => string): ConfigFile {
  const single = (name: keyof Settings, key: keyof ConfigFile): Partial<ConfigFile> => {
    const value = settings[name]?.at(-1);
    if (value === undefined) return {};
    return { [key]: checked({ [key]: value }, key, nameOf(name))[key] };
  };
  const cacheDir = settings['cache-dir']?.at(-1);
  return {
    ...config,
    ...single('listen', 'listen'),
    ...single('refresh', 'refresh'),
    ...single('log-level', 'logLevel'),
    ...single('log-format', 'logFormat'),
    ...(cacheDir !== undefined && { cacheDir: cacheDir === 'none' ? null : cacheDir }),
    ...overrideDatasources(config, settings, nameOf),
  };
}

function overrideDatasources(
  config: ConfigFile,
  settings: Settings,
  nameOf: (name: string) => string,
): Pick<ConfigFile, 'datasources'> {
  const { repository, arch, key, name } = settings;
  const untrusted = settings['allow-untrusted']?.at(-1);
  const isUntrusted = untrusted !== undefined && !['false', '0', 'no'].includes(untrusted);
  const extra = {
    ...(arch && { archs: arch.flatMap((each) => each.split(',')) }),
    ...(key && { keys: key }),
  };
  if (repository) {
    const made = {
      ...extra,
      repositories: repository.map((url) => ({ url, ...(isUntrusted && { trust: 'none' }) })),
    };
    return {
      datasources: checked({ datasources: { [name?.at(-1) ?? 'default']: made } }, '', nameOf('repository'))
        .datasources,
    };
  }
  if (!isUntrusted && Object.keys(extra).length === 0)
    return config.datasources ? { datasources: config.datasources } : {};
  // Without --repository the other flags speak of all datasources there are.
  if (arch) checked({ datasources: { any: { ...extra, repositories: ['any'] } } }, 'archs', nameOf('arch'));
  const all = Object.entries(config.datasources ?? { wolfi: wolfi() }).map(([each, datasource]) => [
    each,
    {
      ...datasource,
      ...extra,
      repositories: datasource.repositories.map((one) =>
        isUntrusted ? { ...one, trust: 'none' as const } : one,
      ),
    },
  ]);
  return { datasources: Object.fromEntries(all) as Record<string, DatasourceConfig> };
}

function checked(value: unknown, key: string, source: string): ConfigFile {
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const known = issue && key === '' ? describeIssue(issue, source) : `${source}: ${issue?.message ?? ''}`;
  throw new IndexError('config-invalid', known);
}

/** Public Wolfi, both archs; its key is built in. */
function wolfi(): DatasourceConfig {
  const { datasources } = configSchema.parse({
    datasources: { wolfi: { repositories: ['https://packages.wolfi.dev/os'] } },
  });
  return datasources?.['wolfi'] as DatasourceConfig;
}

function cacheDirOf(configured: string | null | undefined, environment: Environment): string | undefined {
  if (configured === null) return undefined;
  if (configured !== undefined) return configured;
  const home = homeOf(environment);
  const base = environment['XDG_CACHE_HOME'] || (home && join(home, '.cache'));
  return base && join(base, 'apk-beacon');
}

/** As apk and curl look for it. A home that we cannot read is as good as one without such a file. */
function netrcOf(configured: string | null | undefined, environment: Environment): string | undefined {
  if (configured !== undefined) return configured ?? undefined;
  if (environment['NETRC']) return environment['NETRC'];
  const home = homeOf(environment);
  if (home === undefined) return undefined;
  const path = join(home, '.netrc');
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    return undefined;
  }
}

/** A user that no one has heard of, as in containers, has none. */
function homeOf(environment: Environment): string | undefined {
  if (environment['HOME']) return environment['HOME'];
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
