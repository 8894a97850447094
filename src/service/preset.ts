/** The preset and the routing of a configuration, for `serve`, `preset` and `export`. */
import { nameWith, type When } from '../catalog/age.ts';
import type { Config } from '../config/config.ts';
import { renovatePreset, type Preset, type PresetOptions } from '../renovate/preset.ts';
import type { RoutingSource } from '../routing/route.ts';

interface PresetForOptions {
  readonly isStatic?: boolean;
  /** Pins are looked up in views with this age, or at this time. */
  readonly when?: When | undefined;
}

/** For these datasources, or for all if `names` is empty; the default datasource comes first. */
export function presetFor(
  config: Config,
  names: readonly string[],
  address: string,
  { isStatic = false, when }: PresetForOptions = {},
): Preset {
  const withWhen = (base: string): string => (when ? `${base}/${nameWith('', when)}` : base);
  const url = withWhen(address);
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
    security: isStatic ? undefined : securityOf(config, ordered),
    // Static pages cannot explain a pin.
    pages: isStatic || config.publicUrl === undefined ? undefined : withWhen(config.publicUrl),
  });
}

/** Static files carry no marks: what is fixed depends on the pin. */
function securityOf(
  { datasources, securityRules: rules }: Config,
  names: readonly string[],
): PresetOptions['security'] {
  const own = names.filter((name) => (datasources[name]?.advisories.length ?? 0) > 0);
  return rules === 'none' || own.length === 0 ? undefined : { names: own, rules };
}

/** The properties of the datasources that routing uses. */
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

/** The address of this service on this machine. */
export function localUrl({ listen: { host, port } }: Pick<Config, 'listen'>): string {
  const reachable = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
