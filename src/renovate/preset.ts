/**
 * The Renovate preset that fits a configuration: where to ask, which files hold pins, which datasource each belongs to
 * and the rules under which Renovate's answers are right. What is a matter of taste (groups, ages, automerge) is left to
 * `people.ts`. Valid for RE2, which Renovate uses: no look-around in regular expressions.
 */
import { pinQuery, runtimeQuery } from './pins-in-yaml.ts';
import { dockerfileManager } from './pins-in-dockerfile.ts';

/** A datasource as far as a preset is concerned. */
export interface PresetSource {
  readonly name: string;
  /** Addresses of its repositories, by which files are told apart. */
  readonly repositories: readonly string[];
}

export interface PresetOptions {
  /** Where Renovate reaches the service, without a slash at the end. */
  readonly url: string;
  /** The sources the preset speaks of; the first one takes what cannot be told. */
  readonly sources: readonly PresetSource[];
}

export type PresetRule = Readonly<Record<string, unknown>>;

export interface Preset {
  readonly $schema: string;
  readonly description: readonly string[];
  readonly customDatasources: Readonly<Record<string, object>>;
  readonly customManagers: readonly PresetRule[];
  readonly packageRules: readonly PresetRule[];
}

export function renovatePreset({ url, sources }: PresetOptions): Preset {
  return {
    $schema: 'https://docs.renovatebot.com/renovate-schema.json',
    description: [`APK pins, answered by apk-beacon at ${url}`],
    customDatasources: Object.fromEntries(
      sources.map(({ name }) => [
        name,
        { defaultRegistryUrlTemplate: `${url}/${name}/{{encodeURIComponent packageName}}` },
      ]),
    ),
    customManagers: [
      yamlManager('apko and melange: what an image or a build environment holds', pinQuery({ url, sources })),
      yamlManager('melange: runtime dependencies', runtimeQuery({ url, sources })),
      dockerfileManager({ url, sources }),
      repackagedManager(url),
    ],
    packageRules: packageRules(sources),
  };
}

function yamlManager(description: string, query: string): PresetRule {
  return {
    description: [description],
    customType: 'jsonata',
    fileFormat: 'yaml',
    managerFilePatterns: ['/\\.ya?ml$/'],
    matchStrings: [query],
  };
}

/**
 * A recipe that repackages an APK has its version in `version:` and its revision in `epoch:`; both are raised together.
 * A comment in front says of which package:
 *
 *     # renovate: datasource=custom.alpine depName=linux-lts
 *     version: "6.18.42"
 *     epoch: 1
 *
 * The answers to `?strip=revision` carry the revision as `digest`, so a new revision alone is seen, too.
 */
function repackagedManager(url: string): PresetRule {
  return {
    description: ['melange: version and epoch of a recipe that repackages an APK'],
    customType: 'regex',
    managerFilePatterns: ['/\\.ya?ml$/'],
    matchStrings: [
      '#[ \\t]*renovate:[ \\t]*datasource=custom\\.(?<source>[a-z0-9][a-z0-9._-]*)[ \\t]+depName=(?<depName>[^\\s]+)[ \\t]*\\r?\\n' +
        '(?<indentation>[ \\t]*)version:[ \\t]*["\']?(?<currentValue>[0-9][^\\s"\'#]*)["\']?[ \\t]*\\r?\\n' +
        '[ \\t]*epoch:[ \\t]*(?<currentDigest>[0-9]+)',
    ],
    datasourceTemplate: 'custom.{{source}}',
    depTypeTemplate: 'melange-repackaged',
    registryUrlTemplate: `${url}/{{source}}/{{encodeURIComponent depName}}?strip=revision&current={{encodeURIComponent currentValue}}`,
    autoReplaceStringTemplate:
      '# renovate: datasource={{datasource}} depName={{depName}}\n' +
      '{{indentation}}version: "{{newValue}}"\n' +
      '{{indentation}}epoch: {{newDigest}}',
  };
}

/** What makes Renovate's decisions right; docs/decisions/010-renovate-order.md says why each is needed. */
function packageRules(sources: readonly PresetSource[]): readonly PresetRule[] {
  const matchDatasources = sources.map(({ name }) => `custom.${name}`);
  return [
    {
      description: ["The order of versions next to apk's, and a way back from withdrawn versions"],
      matchDatasources,
      versioning: 'rpm',
      rollbackPrs: true,
      maxMajorIncrement: 0,
      commitMessageTopic: '{{depName}}',
      commitMessageExtra: 'to {{{newValue}}}',
    },
    {
      description: ['A revision of a repackaged version'],
      matchDatasources,
      matchUpdateTypes: ['digest'],
      commitMessageExtra: 'to {{{currentValue}}}-r{{{newDigest}}}',
    },
    {
      description: ['Pre-releases sort before their release in this one only'],
      matchDatasources,
      matchCurrentValue: '/_(alpha|beta|pre|rc)/',
      versioning: 'loose',
    },
    {
      description: ['Operators, as in ~1.35, are known to this one only'],
      matchDatasources,
      matchCurrentValue: '/^[=~<>]/',
      versioning: 'apk',
    },
    {
      description: ['Opt in by a later rule with "enabled": true'],
      matchDatasources,
      matchDepTypes: ['melange-runtime'],
      enabled: false,
    },
    {
      description: ["These pins are found above; Renovate's own extraction could not pass the pin on"],
      matchManagers: ['dockerfile'],
      matchDatasources: ['apk'],
      enabled: false,
    },
  ];
}
