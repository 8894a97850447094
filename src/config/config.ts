/**
 * The effective configuration: flags take precedence over the environment, the environment over the file, the file over
 * the defaults. Only this file reads the environment and the command line. Every error names the source of the value,
 * its key and what was expected.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import * as z from 'zod';
import {
  address,
  archs,
  choicesOf,
  configKeys,
  configSchema,
  datasourceName,
  datasourceSchema,
  repositoryUrl,
  type ConfigFile,
  type DatasourceConfig,
} from './schema.ts';
import { UsageError } from '../errors.ts';
import { nearest } from './hints.ts';
import type { Environment } from '../repository/proxy.ts';

export type { DatasourceConfig, FeedConfig, ReceiverConfig, RepositoryConfig, Listen } from './schema.ts';
export type { Environment } from '../repository/proxy.ts';

export interface Config extends Omit<ConfigFile, 'datasources' | 'cacheDir' | 'netrc'> {
  /** Absent if nothing is kept on disk. */
  readonly cacheDir: string | undefined;
  /** Path of a `.netrc` with credentials. */
  readonly netrc: string | undefined;
  readonly datasources: Readonly<Record<string, DatasourceConfig>>;
  /** The datasource that answers at `/{package}`. */
  readonly defaultDatasource: string;
  /** For secrets, `HTTP_AUTH` and proxies, which are read when needed. */
  readonly environment: Environment;
  /** The file it was read from. */
  readonly file: string | undefined;
}

interface Option {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly placeholder?: string;
  /** Meaning and default; by default those of the key. */
  readonly help?: string;
  /** The configuration key that it sets. */
  readonly key?: keyof ConfigFile;
  /** Other names that people try. */
  readonly aliases?: readonly string[];
}

/** Options of all commands; all but `--name` also exist as `APK_BEACON_…`. */
const options = {
  config: {
    type: 'string',
    placeholder: 'FILE|YAML',
    help: 'configuration file, or its content if that has more than one line',
    aliases: ['file', 'conf'],
  },
  listen: {
    type: 'string',
    placeholder: 'HOST:PORT',
    key: 'listen',
    aliases: ['port', 'host', 'bind', 'address', 'addr'],
  },
  refresh: { type: 'string', placeholder: 'TIME', key: 'refresh', aliases: ['interval', 'poll'] },
  'cache-dir': {
    type: 'string',
    placeholder: 'DIR',
    key: 'cacheDir',
    aliases: ['cache', 'no-cache', 'data-dir'],
  },
  ledger: {
    type: 'string',
    placeholder: 'URL',
    help: 'PostgreSQL for the ledger; by default SQLite in the cache directory',
    key: 'ledger',
    aliases: ['database', 'db', 'postgres'],
  },
  'log-level': {
    type: 'string',
    placeholder: 'LEVEL',
    key: 'logLevel',
    aliases: ['verbose', 'debug', 'quiet', 'level', 'log'],
  },
  'log-format': {
    type: 'string',
    placeholder: 'FORMAT',
    key: 'logFormat',
    aliases: ['format'],
  },
  name: {
    type: 'string',
    placeholder: 'NAME',
    help: 'name of the datasource made by --repository (default)',
    aliases: ['datasource'],
  },
  repository: {
    type: 'string',
    multiple: true,
    placeholder: 'URL|DIR|FILE',
    help: 'a repository, or one index ending in .tar.gz or .adb; repeatable (Wolfi)',
    aliases: ['repo', 'repositories', 'index'],
  },
  arch: {
    type: 'string',
    multiple: true,
    placeholder: 'ARCH',
    help: 'an arch to serve; repeatable (x86_64 and aarch64)',
    aliases: ['architecture', 'platform'],
  },
  key: {
    type: 'string',
    multiple: true,
    placeholder: 'FILE|URL',
    help: 'a public key to trust; repeatable',
    aliases: ['keyring', 'pubkey', 'keys-dir'],
  },
  'allow-untrusted': {
    type: 'boolean',
    help: 'accept indexes without a trusted signature',
    aliases: ['insecure', 'no-verify', 'trust'],
  },
} as const satisfies Record<string, Option>;

type OptionName = keyof typeof options;
const optionNames = Object.keys(options) as OptionName[];

/** An option, for help, completion and docs. */
export interface OptionHelp {
  readonly name: string;
  /** With its value: `--listen HOST:PORT`. */
  readonly flag: string;
  readonly placeholder: string | undefined;
  /** The environment variable, or an empty string. */
  readonly variable: string;
  readonly help: string;
  /** All values, if there are only a few. */
  readonly choices: readonly string[];
}

/** The options that all commands share. */
export function optionHelp(): readonly OptionHelp[] {
  const keys = configKeys().filter(({ path }) => path.length === 0);
  return optionNames.map((name) => {
    const option: Option = options[name];
    const key = keys.find((each) => each.name === option.key);
    const byDefault = typeof key?.defaultValue === 'string' ? ` (${key.defaultValue})` : '';
    return {
      name,
      placeholder: option.placeholder,
      choices: key ? choicesOf(key.schema).map(String) : [],
      flag: option.placeholder === undefined ? `--${name}` : `--${name} ${option.placeholder}`,
      variable: name === 'name' ? '' : variableOf(name),
      help: option.help ?? `${key?.description ?? ''}${byDefault}`,
    };
  });
}

/** Keys that can also be set by a flag and a variable, with the name of the flag. */
export const keyOptions: ReadonlyMap<keyof ConfigFile, string> = new Map(
  optionNames.flatMap((name) => {
    const { key }: Option = options[name];
    return key === undefined ? [] : [[key, name] as const];
  }),
);

/** The value of each option, as written. */
type Settings = { -readonly [K in OptionName]?: string[] };

export interface CommandLine {
  /** The words that are not options: the command and its arguments. */
  readonly words: readonly string[];
  readonly settings: Readonly<Settings>;
  /** Flags of a single command, such as `--json`. */
  readonly own: Readonly<Record<string, string | boolean | undefined>>;
}

/** Parses the command line. `own` are the flags of commands. Throws `config-invalid`. */
export function parseCommandLine(args: readonly string[], own: ParseArgsOptionsConfig = {}): CommandLine {
  const known = {
    ...Object.fromEntries(optionNames.map((name) => [name, bare(options[name])])),
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
    if (!option) throw new UsageError(unknownOption(token.rawName, Object.keys(known)));
    if (option.type === 'string' && token.value === undefined) {
      throw new UsageError(`${token.rawName}: expected a value`);
    }
    if (option.type === 'boolean' && token.value !== undefined) {
      throw new UsageError(`${token.rawName}: takes no value`);
    }
  }
  const settings: Settings = {};
  for (const name of optionNames) {
    const value = values[name];
    if (value !== undefined) settings[name] = (Array.isArray(value) ? value : [value]).map(String);
  }
  const ownValues = Object.keys(own).map(
    (name) => [name, values[name] as string | boolean | undefined] as const,
  );
  return { words: positionals, settings, own: Object.fromEntries(ownValues) };
}

function bare({ type, multiple = false }: Option): ParseArgsOptionsConfig[string] {
  return { type, multiple };
}

function unknownOption(flag: string, known: readonly string[]): string {
  const word = flag.replace(/^-+/, '');
  const alias = optionNames.find((name) => (options[name].aliases as readonly string[]).includes(word));
  const meant = alias ?? nearest(word, known);
  return `unknown option ${flag}${meant === undefined ? '; apk-beacon help lists them' : `, did you mean --${meant}?`}`;
}

/** The effective configuration. Reads the configuration file; throws `config-invalid`. */
export function loadConfig({ settings }: CommandLine, environment: Environment): Config {
  const given = new Map<OptionName, Given>([
    ...givenBy(environmentSettings(environment), variableOf),
    ...givenBy(settings, (name) => `--${name}`),
  ]);
  const file = given.get('config')?.values.at(-1);
  const base = file === undefined ? parseConfig({}, 'configuration') : readConfig(file);
  const config = { ...base, ...keysGiven(given) };
  const datasources = datasourcesGiven(base.datasources ?? wolfi(), given);
  checkAddresses(datasources);
  const names = Object.keys(datasources);
  refuseToSignUnverified(config, datasources);
  const cacheDir = cacheDirOf(config.cacheDir, environment);
  if (config.keepIndexes !== undefined && cacheDir === undefined)
    throw new UsageError('keepIndexes: there is no cache directory to keep them in (cacheDir)');
  return {
    ...config,
    datasources,
    defaultDatasource: names.find((name) => datasources[name]?.default) ?? (names[0] as string),
    cacheDir,
    netrc: netrcOf(config.netrc, environment),
    environment,
    file: file?.includes('\n') ? undefined : file,
  };
}

/** The value of a flag or variable, and its name for errors. */
interface Given {
  readonly values: readonly string[];
  readonly source: string;
}

function givenBy(settings: Settings, sourceOf: (name: OptionName) => string): [OptionName, Given][] {
  return optionNames.flatMap((name) => {
    const values = settings[name];
    return values ? [[name, { values, source: sourceOf(name) }]] : [];
  });
}

/** An index signed with our key counts as verified for everyone who trusts the key. */
function refuseToSignUnverified(
  { signingKey }: Pick<ConfigFile, 'signingKey'>,
  datasources: Readonly<Record<string, DatasourceConfig>>,
): void {
  if (!signingKey) return;
  const lax = Object.entries(datasources).find(([, { repositories }]) =>
    repositories.some(({ trust }) => trust === 'none'),
  );
  if (!lax) return;
  throw new UsageError(
    `signingKey: datasource ${lax[0]} has a repository whose signatures are not checked (trust: none), so its packages must not be signed`,
  );
}

/** CI systems pass variables more easily than files. Paths have no line break. */
function readConfig(fileOrText: string): ConfigFile {
  if (fileOrText.includes('\n')) return parseConfigText(fileOrText, '--config');
  let text: string;
  try {
    text = readFileSync(fileOrText, 'utf8');
  } catch (cause) {
    throw new UsageError(`cannot read the configuration ${fileOrText}`, { cause });
  }
  return parseConfigText(text, fileOrText);
}

function parseConfigText(text: string, source: string): ConfigFile {
  let value: unknown;
  try {
    // As a number, the name 3.20 of a datasource would become 3.2.
    value = parseYaml(text, { stringKeys: true });
  } catch (cause) {
    throw new UsageError(`${source}${yamlFact(cause)}`);
  }
  return parseConfig(value ?? {}, source);
}

/** The place and the fact of an error of the YAML parser; errors of aliases have no place. */
function yamlFact(error: unknown): string {
  if (!(error instanceof YAMLParseError)) return `: ${error instanceof Error ? error.message : ''}`;
  const { line, col } = error.linePos?.[0] ?? { line: 0, col: 0 };
  const [parsers = ''] = error.message.split(' at line', 1);
  const fact = error.code === 'MULTIPLE_DOCS' ? 'a second document begins, expected one' : parsers;
  return `:${line}:${col}: ${fact}`;
}

/** Validates a file or flag. `source` names it in errors. */
function parseConfig(value: unknown, source: string): ConfigFile {
  const result = configSchema.safeParse(value, { error: expectedKind, reportInput: true });
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap(issuesOfForm);
  throw new UsageError(issues.map((issue) => describeIssue(issue, source)).join('\n'));
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

/** For values whose schema does not tell what it expects. */
function expectedKind(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_value') return `expected one of ${issue.values.join(', ')}`;
  const kind = issue.code === 'invalid_type' ? kinds[issue.expected] : undefined;
  return kind && `expected ${kind}`;
}

/** Of a value that may have several forms: what is wrong in the one that was clearly meant. */
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
  const alias = optionNames.find((name) => (options[name].aliases as readonly string[]).includes(key));
  const meant = alias && (options[alias] as Option).key;
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

function variableOf(option: string): string {
  return `APK_BEACON_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** Variables that container platforms set for a service named apk-beacon; they are not settings. */
const PLATFORM_VARIABLE = /^APK_BEACON_(SERVICE_(HOST|PORT\w*)|PORT(_\d+_\w+)?|NAME|ENV_\w+)$/;

function environmentSettings(environment: Environment): Settings {
  // The platform sets `APK_BEACON_NAME`, so the name is only a flag.
  const names = new Map(
    optionNames.filter((name) => name !== 'name').map((name) => [variableOf(name), name]),
  );
  const settings: Settings = {};
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('APK_BEACON_') || value === undefined || value === '') continue;
    const name = names.get(variable);
    if (name) {
      const { multiple }: Option = options[name];
      settings[name] = multiple ? value.split(/[\s,]+/).filter((part) => part !== '') : [value];
    } else if (!PLATFORM_VARIABLE.test(variable)) {
      throw new UsageError(unknownVariable(variable, [...names.keys()]));
    }
  }
  return settings;
}

function unknownVariable(variable: string, known: readonly string[]): string {
  const prefix = 'APK_BEACON_';
  const meant = nearest(
    variable.slice(prefix.length),
    known.map((name) => name.slice(prefix.length)),
  );
  const hint =
    meant === undefined ? `, expected some of ${known.join(', ')}` : `, did you mean ${prefix}${meant}?`;
  return `unknown environment variable ${variable}${hint}`;
}

type GivenOptions = ReadonlyMap<OptionName, Given>;

/** The top-level keys set by flags and variables. */
function keysGiven(given: GivenOptions): Partial<ConfigFile> {
  const values = [...keyOptions].flatMap(([key, name]) => {
    const option = given.get(name as OptionName);
    return option ? [[key, checked(configSchema.shape[key], option.values.at(-1), option.source)]] : [];
  });
  return Object.fromEntries(values) as Partial<ConfigFile>;
}

type Datasources = Readonly<Record<string, DatasourceConfig>>;

/** A datasource of the given repositories, or `datasources` with the given archs, keys and trust. */
function datasourcesGiven(datasources: Datasources, given: GivenOptions): Datasources {
  const list = <T extends z.ZodType>(name: OptionName, schema: T, split = false): z.output<T> | undefined => {
    const option = given.get(name);
    const values = split ? option?.values.flatMap((value) => value.split(',')) : option?.values;
    return option && checked(schema, values, option.source);
  };
  const [archsGiven, keys] = [list('arch', archs, true), list('key', z.array(address))];
  const extra = { ...(archsGiven && { archs: archsGiven }), ...(keys && { keys }) };
  const trust = isUntrusted(given.get('allow-untrusted')) ? { trust: 'none' as const } : {};
  const urls = list('repository', z.array(repositoryUrl).min(1, 'expected at least one repository'));
  const name = given.get('name');
  if (urls) {
    const made = datasourceSchema.parse({ ...extra, repositories: urls.map((url) => ({ url, ...trust })) });
    return { [name ? checked(datasourceName, name.values.at(-1), name.source) : 'default']: made };
  }
  if (name) throw new UsageError(`${name.source}: only allowed with --repository, which it names`);
  return Object.fromEntries(
    Object.entries(datasources).map(([each, datasource]) => [
      each,
      { ...datasource, ...extra, repositories: datasource.repositories.map((one) => ({ ...one, ...trust })) },
    ]),
  );
}

/** Throws for any other word: signatures must not be switched off by a guess. */
function isUntrusted(option: Given | undefined): boolean {
  const word = option?.values.at(-1)?.toLowerCase();
  if (word === undefined || ['false', '0', 'no', 'off'].includes(word)) return false;
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  throw new UsageError(`${option?.source ?? ''}: expected true or false`);
}

function checked<T extends z.ZodType>(schema: T, value: unknown, source: string): z.output<T> {
  const result = schema.safeParse(value, { error: expectedKind });
  if (result.success) return result.data;
  throw new UsageError(`${source}: ${result.error.issues[0]?.message ?? ''}`);
}

/** Throws for a missing path that looks like a URL without its scheme. */
function checkAddresses(datasources: Datasources): void {
  for (const [name, { keys, repositories }] of Object.entries(datasources)) {
    const urls = repositories.map(({ url }) => url);
    const all = [...urls, ...keys, ...repositories.flatMap((repository) => repository.keys ?? [])];
    for (const each of all) {
      const [, rest] =
        /^(?:[^/@]*@)?((?:(?:[a-z0-9-]+\.)+[a-z]{2,}|localhost)(?::\d+)?\/.*)$/i.exec(each) ?? [];
      if (rest === undefined || existsSync(each)) continue;
      const fact = `${rest} is no path here; write https://${rest} for a URL`;
      throw new UsageError(`datasource ${name}: ${fact}`);
    }
  }
}

/** Public Wolfi, both archs; its key is built in. */
function wolfi(): Datasources {
  return { wolfi: datasourceSchema.parse({ repositories: ['https://packages.wolfi.dev/os'] }) };
}

function cacheDirOf(configured: string | null | undefined, environment: Environment): string | undefined {
  if (configured === null) return undefined;
  if (configured !== undefined) return configured;
  const home = homeOf(environment);
  const base = environment['XDG_CACHE_HOME'] || (home && join(home, '.cache'));
  return base && join(base, 'apk-beacon');
}

/** The file that apk and curl use. An unreadable home counts as one without the file. */
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

/** In containers the user may be unknown and have no home. */
function homeOf(environment: Environment): string | undefined {
  if (environment['HOME']) return environment['HOME'];
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
