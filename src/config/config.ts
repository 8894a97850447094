/**
 * The effective configuration: flags take precedence over the environment, the environment over the file, the file over
 * the defaults. Nothing outside this folder reads the configuration from the environment or the command line.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { addressIdentity, indexOrFileAddress, redactAddress, withoutTrailingSlashes } from '../addresses.ts';
import { UsageError } from '../errors.ts';
import type { Environment } from '../repository/proxy.ts';
import {
  environmentSettings,
  keyOptions,
  optionNames,
  variableOf,
  type CommandLine,
  type OptionName,
  type Settings,
} from './options.ts';
import {
  address,
  archs,
  configSchema,
  datasourceName,
  datasourceSchema,
  repositoryUrl,
  type ConfigFile,
  type DatasourceConfig,
} from './schema.ts';
import { checkValue, parseConfig, parseConfigText } from './validate.ts';

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

/** Throws `UsageError` if there is none of this name. */
export function datasourceNamed({ datasources }: Config, name: string): DatasourceConfig {
  const found = Object.hasOwn(datasources, name) ? datasources[name] : undefined;
  if (found) return found;
  throw new UsageError(`unknown datasource ${name}, expected one of ${Object.keys(datasources).join(', ')}`);
}

/** The effective configuration. Reads the configuration file; throws `config-invalid`. */
export function loadConfig({ settings }: CommandLine, environment: Environment): Config {
  const given = new Map<OptionName, OptionValue>([
    ...valuesOf(environmentSettings(environment), variableOf),
    ...valuesOf(settings, (name) => `--${name}`),
  ]);
  const file = given.get('config')?.values.at(-1);
  const base = file === undefined ? parseConfig({}, 'configuration') : readConfig(file);
  const config = { ...base, ...keysGiven(given) };
  const datasources = datasourcesGiven(base.datasources ?? wolfi(), given);
  checkAddresses(datasources);
  checkIndexes(datasources);
  refuseToSignUnverified(config, datasources);
  const cacheDir = cacheDirOf(config.cacheDir, environment);
  if (config.keepIndexes !== undefined && cacheDir === undefined)
    throw new UsageError('keepIndexes: there is no cache directory to keep them in (cacheDir)');
  const names = Object.keys(datasources);
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
interface OptionValue {
  readonly values: readonly string[];
  readonly source: string;
}

function valuesOf(settings: Settings, sourceOf: (name: OptionName) => string): [OptionName, OptionValue][] {
  return optionNames.flatMap((name) => {
    const values = settings[name];
    return values ? [[name, { values, source: sourceOf(name) }]] : [];
  });
}

/** Clients that trust our key take every index signed with it as verified. */
function refuseToSignUnverified(
  { signingKey }: Pick<ConfigFile, 'signingKey'>,
  datasources: Readonly<Record<string, DatasourceConfig>>,
): void {
  if (!signingKey) return;
  const unverified = Object.entries(datasources).find(([, { repositories }]) =>
    repositories.some(({ trust }) => trust === 'none'),
  );
  if (!unverified) return;
  throw new UsageError(
    `signingKey: datasource ${unverified[0]} has a repository whose signatures are not checked (trust: none), so its packages must not be signed`,
  );
}

/** A value with a line break is the configuration itself: CI systems pass variables more easily than files. */
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

type GivenOptions = ReadonlyMap<OptionName, OptionValue>;

/** The top-level keys set by flags and variables. */
function keysGiven(given: GivenOptions): Partial<ConfigFile> {
  const values = [...keyOptions].flatMap(([key, name]) => {
    const option = given.get(name as OptionName);
    return option ? [[key, checkValue(configSchema.shape[key], option.values.at(-1), option.source)]] : [];
  });
  return Object.fromEntries(values) as Partial<ConfigFile>;
}

type Datasources = Readonly<Record<string, DatasourceConfig>>;

/** A datasource of the given repositories, or `datasources` with the given archs, keys and trust. */
function datasourcesGiven(datasources: Datasources, given: GivenOptions): Datasources {
  const list = <T extends z.ZodType>(name: OptionName, schema: T, split = false): z.output<T> | undefined => {
    const option = given.get(name);
    const values = split ? option?.values.flatMap((value) => value.split(',')) : option?.values;
    return option && checkValue(schema, values, option.source);
  };
  const [archsGiven, keys] = [list('arch', archs, true), list('key', z.array(address))];
  const extra = { ...(archsGiven && { archs: archsGiven }), ...(keys && { keys }) };
  const trust = isUntrusted(given.get('allow-untrusted')) ? { trust: 'none' as const } : {};
  const urls = list('repository', z.array(repositoryUrl).min(1, 'expected at least one repository'));
  const name = given.get('name');
  if (urls) {
    const datasource = datasourceSchema.parse({
      ...extra,
      repositories: urls.map((url) => ({ url, ...trust })),
    });
    return { [name ? checkValue(datasourceName, name.values.at(-1), name.source) : 'default']: datasource };
  }
  if (name) throw new UsageError(`${name.source}: only allowed with --repository, which it names`);
  return Object.fromEntries(
    Object.entries(datasources).map(([each, datasource]) => [
      each,
      { ...datasource, ...extra, repositories: datasource.repositories.map((one) => ({ ...one, ...trust })) },
    ]),
  );
}

/** Throws for an unknown word, because a typing error must not turn off signatures. */
function isUntrusted(option: OptionValue | undefined): boolean {
  const word = option?.values.at(-1)?.toLowerCase();
  if (word === undefined || ['false', '0', 'no', 'off'].includes(word)) return false;
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  throw new UsageError(`${option?.source ?? ''}: expected true or false`);
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
      const fact = `${rest} is not an existing path; write https://${rest} for a URL`;
      throw new UsageError(`datasource ${name}: ${fact}`);
    }
  }
}

/**
 * The same index twice in a datasource would be fetched and held in memory twice. An address has one ledger: with other
 * credentials it may be another index, whose packages would appear and vanish in it in turn; and if an earlier address
 * is still read, the ledger would continue at the later one only.
 */
function checkIndexes(datasources: Datasources): void {
  const all = Object.entries(datasources).flatMap(([name, { archs, repositories }]) =>
    repositories.flatMap(({ url, formerly, credentials, clientCertificate, archs: own = archs }) =>
      [url, ...formerly].map(withoutTrailingSlashes).flatMap((address, i) =>
        own.map((arch) => ({
          index: [arch, ...addressIdentity(indexOrFileAddress(address, arch))].join(' '),
          name,
          shown: `${redactAddress(address)} for ${arch}`,
          identity: JSON.stringify([credentials, clientCertificate]),
          isFormer: i > 0,
        })),
      ),
    ),
  );
  const present = Map.groupBy(
    all.filter(({ isFormer }) => !isFormer),
    ({ index }) => index,
  );
  for (const { index, name, shown, identity, isFormer } of all) {
    const same = present.get(index) ?? [];
    if (isFormer && same.length > 0)
      throw new UsageError(`datasource ${name}: formerly: ${shown} is still a repository`);
    if (!isFormer && same.filter((each) => each.name === name).length > 1)
      throw new UsageError(`datasource ${name}: ${shown} is listed twice`);
    if (!isFormer && same[0]?.identity !== identity)
      throw new UsageError(
        `datasource ${name}: ${shown} has other credentials in another datasource; expected the same, or a user in the URL (https://USER@…) if they show another index`,
      );
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
