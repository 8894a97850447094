/**
 * Renovate's own decision about one pin, without its HTTP client: its `lookupUpdates` runs in this process with a
 * datasource that answers from memory, so that thousands of pins can be asked about.
 */
import type { Listed } from '../../../src/answers/renovate-list.ts';
import { renovateSources } from './install.ts';

const sources = renovateSources();
const load = async <T>(path: string): Promise<T> => (await import(sources + path)) as T;

interface Release {
  readonly version: string;
  readonly isDeprecated?: true;
  readonly isStable?: false;
}

interface Update {
  readonly newValue: string;
  readonly updateType: string;
}

interface VersioningApi {
  isVersion(version: string): boolean;
  sortVersions(a: string, b: string): number;
}

const { lookupUpdates } = await load<{
  lookupUpdates: (config: object) => Promise<{ unwrap: () => { val?: { updates: readonly Update[] } } }>;
}>('workers/repository/process/lookup/index.js');
const { get: versioning } = await load<{ get: (name: string) => VersioningApi }>(
  'modules/versioning/index.js',
);
const { default: datasources } = await load<{ default: Map<string, object> }>('modules/datasource/api.js');
const { getConfig } = await load<{ getConfig: () => object }>('config/defaults.js');

export { versioning };

let answer: readonly Release[] = [];
datasources.set('custom', {
  id: 'custom',
  registryStrategy: 'first',
  supportsCustomRegistry: () => true,
  getDefaultRegistryUrls: () => [],
  getReleases: () => Promise.resolve({ releases: structuredClone(answer) }),
});

const defaults = { ...getConfig(), datasource: 'custom.apk', packageName: 'name', rangeStrategy: 'replace' };

/** What it would write in place of the pin. `settings` are Renovate's own, `versioning` among them. */
export async function lookup(
  releases: readonly Release[],
  currentValue: string,
  settings: object,
): Promise<readonly string[]> {
  answer = releases;
  const result = await lookupUpdates({ ...defaults, currentValue, ...settings });
  return (result.unwrap().val?.updates ?? []).map(({ newValue }) => newValue);
}

/** A listed version as the service answers it. */
export function toRelease({ version, deprecated, unstable }: Listed): Release {
  return {
    version: version.text,
    ...(deprecated && { isDeprecated: true }),
    ...(unstable && { isStable: false }),
  };
}
