/** `preset`: prints the Renovate preset that fits the configuration. `serve` answers the same at `/renovate.json`. */
import { withoutTrailingSlashes } from '../addresses.ts';
import type { Config } from '../config/config.ts';
import { IndexError } from '../errors.ts';
import { renovatePreset, type Preset } from '../renovate/preset.ts';

export function presetCommand(
  words: readonly string[],
  config: Config,
  url: string | boolean | undefined,
): number {
  const unknown = words.find((name) => !Object.hasOwn(config.datasources, name));
  if (unknown !== undefined) {
    const known = Object.keys(config.datasources).join(', ');
    throw new IndexError('config-invalid', `unknown datasource ${unknown}, expected some of ${known}`);
  }
  const address = typeof url === 'string' ? checkedUrl(url) : (config.publicUrl ?? localUrl(config));
  process.stdout.write(`${JSON.stringify(presetFor(config, words, address), null, 2)}\n`);
  return 0;
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url && ['http:', 'https:'].includes(url.protocol)) return withoutTrailingSlashes(text);
  throw new IndexError('config-invalid', `--url: expected an http or https URL, got ${text}`);
}

/** For these datasources, or for all if none is named; the default one comes first. */
export function presetFor(config: Config, names: readonly string[], url: string): Preset {
  const wanted = names.length > 0 ? names : Object.keys(config.datasources);
  const ordered = wanted.toSorted(
    (a, b) => Number(b === config.defaultDatasource) - Number(a === config.defaultDatasource),
  );
  const sources = ordered.map((name) => ({
    name,
    repositories: config.datasources[name]?.repositories.map((repository) => repository.url) ?? [],
  }));
  return renovatePreset({ url, sources });
}

/** Where this service is reached on this machine. */
export function localUrl({ listen: { host, port } }: Config): string {
  const reachable = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
