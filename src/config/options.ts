/** The options that all commands share, as flags and as environment variables: parsing and help. */
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { UsageError } from '../errors.ts';
import type { Environment } from '../repository/proxy.ts';
import { nearest } from './hints.ts';
import { choicesOf, configKeys } from './keys.ts';
import type { ConfigFile } from './schema.ts';

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

export type OptionName = keyof typeof options;
export const optionNames = Object.keys(options) as OptionName[];

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
export type Settings = { -readonly [K in OptionName]?: string[] };

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
    ...Object.fromEntries(optionNames.map((name) => [name, parserOption(options[name])])),
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

function parserOption({ type, multiple = false }: Option): ParseArgsOptionsConfig[string] {
  return { type, multiple };
}

/** The option for which `word` is another name. */
function optionByAlias(word: string): OptionName | undefined {
  return optionNames.find((name) => (options[name].aliases as readonly string[]).includes(word));
}

/** The configuration key for whose option `word` is another name. */
export function keyByAlias(word: string): keyof ConfigFile | undefined {
  const name = optionByAlias(word);
  return name && (options[name] as Option).key;
}

function unknownOption(flag: string, known: readonly string[]): string {
  const word = flag.replace(/^-+/, '');
  const meant = optionByAlias(word) ?? nearest(word, known);
  return `unknown option ${flag}${meant === undefined ? '; apk-beacon COMMAND --help lists the options' : `, did you mean --${meant}?`}`;
}

/** The environment variable of an option. */
export function variableOf(option: string): string {
  return `APK_BEACON_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** Variables that container platforms set for a service named apk-beacon; they are not settings. */
const PLATFORM_VARIABLE = /^APK_BEACON_(SERVICE_(HOST|PORT\w*)|PORT(_\d+_\w+)?|NAME|ENV_\w+)$/;

/** The settings in the environment. Throws for unknown `APK_BEACON_…` variables. */
export function environmentSettings(environment: Environment): Settings {
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
