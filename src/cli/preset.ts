/** `preset`: prints the Renovate preset that fits the configuration. `serve` answers the same at `/renovate.json`. */
import { withoutTrailingSlashes } from '../addresses.ts';
import type { Config } from '../config/config.ts';
import { UsageError } from '../errors.ts';
import { renovatePreset, type Preset } from '../renovate/preset.ts';
import type { RoutingSource } from '../routing/route.ts';

export function presetCommand(
  words: readonly string[],
  config: Config,
  { url, isStatic }: { readonly url: string | boolean | undefined; readonly isStatic: boolean },
): number {
  const unknown = words.find((name) => !Object.hasOwn(config.datasources, name));
  if (unknown !== undefined) {
    const known = Object.keys(config.datasources).join(', ');
    throw new UsageError(`unknown datasource ${unknown}, expected some of ${known}`);
  }
  const address = typeof url === 'string' ? checkedUrl(url) : (config.publicUrl ?? localUrl(config));
  process.stdout.write(`${JSON.stringify(presetFor(config, words, address, { isStatic }), null, 2)}\n`);
  return 0;
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url && ['http:', 'https:'].includes(url.protocol)) return withoutTrailingSlashes(text);
  throw new UsageError(`--url: expected an http or https URL, got ${text}`);
}

/** For these datasources, or for all if none is named; the default one comes first. */
export function presetFor(
  config: Config,
  names: readonly string[],
  url: string,
  { isStatic = false } = {},
): Preset {
  const all = Object.keys(config.datasources);
  const wanted = names.length > 0 ? names : all;
  const ordered = wanted.toSorted(
    (a, b) => Number(b === config.defaultDatasource) - Number(a === config.defaultDatasource),
  );
  const sources = routingSources(config).filter(({ name }) => wanted.includes(name));
  return renovatePreset({
    url,
    names: ordered,
    isPart: all.some((name) => !wanted.includes(name)),
    statics: isStatic ? sources : undefined,
  });
}

/** The datasources as far as they tell which pins are theirs. */
export function routingSources({ datasources }: Config): readonly RoutingSource[] {
  return Object.entries(datasources).map(([name, datasource]) => ({
    name,
    repositories: datasource.repositories.map(({ url }) => url),
    archs: datasource.archs,
    images: datasource.images,
    includes: datasource.includes,
    scripts: datasource.scripts,
    asksUnknown: datasource.unknown === 'ask',
  }));
}

/** Where this service is reached on this machine. */
export function localUrl({ listen: { host, port } }: Config): string {
  const reachable = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
