/**
 * The Renovate preset of a configuration: which files contain pins, where to look them up, and the rules that make
 * Renovate's decisions right. The service decides which datasource a pin belongs to (docs/decisions/011). Optional
 * rules (groups, ages, automerge) are in `policy-rules.ts`. Valid for RE2, which Renovate uses.
 */
import type { RoutingSource } from '../routing/route.ts';
import { pinsOf } from './answered-by.ts';
import { WITHDRAWAL } from './body-notes.ts';
import type { LookupUrl } from './lookup-url.ts';
import { dockerfileManager, imageBuilderManagers, scriptManager } from './pins-in-commands.ts';
import { notedManager, variableManager } from './pins-in-variables.ts';
import { securityRules, type SecurityRules } from './security-rules.ts';
import { hardenedVersionQuery, pinQuery, runtimeQuery } from './pins-in-yaml.ts';

export interface PresetOptions {
  /** The address of the service for Renovate, without a slash at the end. */
  readonly url: string;
  /** The datasources of the preset. */
  readonly names: readonly string[];
  /** Whether the service has others. */
  readonly isPart: boolean;
  /** The datasources, for an export: static files cannot choose one. */
  readonly statics?: readonly RoutingSource[] | undefined;
  /** The address of the service for people; merge requests link there. Absent if only Renovate reaches the service. */
  readonly pages?: string | undefined;
  /** Of datasources with advisories. */
  readonly security?: { readonly names: readonly string[]; readonly rules: SecurityRules } | undefined;
}

export type PresetRule = Readonly<Record<string, unknown>>;

export interface Preset {
  readonly $schema: string;
  readonly description: readonly string[];
  readonly customDatasources: Readonly<Record<string, object>>;
  readonly customManagers: readonly PresetRule[];
  readonly packageRules: readonly PresetRule[];
}

/** What the managers need. */
export interface PresetContext {
  /** Renovate's name of the datasource that is asked for all pins. */
  readonly datasource: string;
  /** Names of the service's datasources. */
  readonly names: readonly string[];
  readonly lookup: LookupUrl;
  readonly statics: readonly RoutingSource[] | undefined;
}

/** Renovate's datasource for all pins, if the service has several. */
const ROUTED = 'apk';

/** The depTypes of our managers; dependencies of other managers are not changed. */
const depTypes = ['apko', 'melange', 'melange-runtime', 'melange-repackaged', 'apk', 'noted'];

export function renovatePreset({ url, names, isPart, statics, security, pages }: PresetOptions): Preset {
  const routed = routedDatasource(names);
  const lookup = { url, only: isPart || names.length === 1 ? names : [] };
  const context = { datasource: `custom.${routed}`, names, lookup, statics };
  return {
    $schema: 'https://docs.renovatebot.com/renovate-schema.json',
    description: [`APK pins, answered by apk-beacon at ${url}`],
    customDatasources: {
      [routed]: { defaultRegistryUrlTemplate: `${url}/-/for/{{encodeURIComponent packageName}}` },
      ...Object.fromEntries(names.map((name) => [name, namedDatasource(url, name)])),
    },
    customManagers: [
      // Before that of the pins, because Renovate changes what the later manager found first, and what repeats a pin is
      // still found after that.
      yamlManager('Docker Hardened Images: vars.VERSION that repeats a pin', hardenedVersionQuery(context)),
      yamlManager('apko, melange, Docker Hardened Images: packages of images and builds', pinQuery(context)),
      yamlManager('melange: runtime dependencies', runtimeQuery(context)),
      dockerfileManager(context),
      // Only the service can choose the datasource for these.
      ...(statics ? [] : [variableManager(context), scriptManager(context)]),
      ...imageBuilderManagers(context),
      notedManager(context),
      repackagedManager(context),
      sourceManager(),
    ],
    packageRules: [
      ...packageRules([...new Set([routed, ...names])]),
      ...(statics ? [] : [withdrawalRule(customs([routed, ...names]))]),
      ...(pages === undefined ? [] : names.map((name) => pageRule(pages, name, names))),
      ...(security ? securityRules(customs([routed, ...security.names]), security.rules) : []),
    ],
  };
}

/** Pins of a single datasource have its name. With several, the service chooses after Renovate has named the pin. */
export function routedDatasource(names: readonly string[]): string {
  return names.length === 1 ? (names[0] as string) : ROUTED;
}

function customs(names: readonly string[]): readonly string[] {
  return [...new Set(names)].map((name) => `custom.${name}`);
}

/** For users' own managers, which name the datasource. */
function namedDatasource(url: string, name: string): object {
  return { defaultRegistryUrlTemplate: `${url}/${name}/{{encodeURIComponent packageName}}` };
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
 * The answers to `?strip=revision` carry the revision as `digest`, so a new revision alone is found, too.
 */
function repackagedManager({ names, lookup: { url }, statics }: PresetContext): PresetRule {
  // Fixes depend on it, and the versions that a view does not roll back.
  const revision = statics ? '' : '&revision={{encodeURIComponent currentDigest}}';
  const sources = names.map((name) => name.replaceAll('.', '\\.')).join('|');
  return {
    description: ['melange: version and epoch of a recipe that repackages an APK'],
    customType: 'regex',
    managerFilePatterns: ['/\\.ya?ml$/'],
    matchStrings: [
      `#[ \\t]*renovate:[ \\t]*datasource=custom\\.(?<source>${sources})[ \\t]+depName=(?<depName>[^\\s]+)[ \\t]*\\r?\\n` +
        '(?<indentation>[ \\t]*)version:[ \\t]*["\']?(?<currentValue>[0-9][^\\s"\'#]*)["\']?[ \\t]*\\r?\\n' +
        '[ \\t]*epoch:[ \\t]*(?<currentDigest>[0-9]+)',
    ],
    datasourceTemplate: 'custom.{{source}}',
    depTypeTemplate: 'melange-repackaged',
    registryUrlTemplate: `${url}/{{source}}/{{encodeURIComponent depName}}?strip=revision&current={{encodeURIComponent currentValue}}${revision}`,
    autoReplaceStringTemplate:
      '# renovate: datasource={{datasource}} depName={{depName}}\n' +
      '{{indentation}}version: "{{newValue}}"\n' +
      '{{indentation}}epoch: {{newDigest}}',
  };
}

/**
 * A recipe that builds a source from GitHub names the version and the commit of its tag; both are raised together. Only
 * if a comment asks for it, because most recipes are raised by other means:
 *
 *     # renovate: datasource=github-tags depName=bootc-dev/bootc
 *     version: 1.16.9
 *     …
 *           expected-commit: 850b12f1d4f64f08be7c7e05aab6194e17d379cb
 */
function sourceManager(): PresetRule {
  return {
    description: ['melange: version and commit of a source on GitHub'],
    customType: 'regex',
    managerFilePatterns: ['/\\.ya?ml$/'],
    matchStrings: [
      '#[ \\t]*renovate:[ \\t]*datasource=github-tags[ \\t]+depName=(?<depName>[^\\s]+)[ \\t]*\\r?\\n' +
        '[ \\t]*version:[ \\t]*["\']?(?<currentValue>[0-9][^\\s"\'#]*)["\']?[ \\t]*\\r?\\n' +
        '[\\s\\S]*?\\n[ \\t]*expected-commit:[ \\t]*["\']?(?<currentDigest>[0-9a-f]{40})',
    ],
    datasourceTemplate: 'github-tags',
    depTypeTemplate: 'melange-source',
    extractVersionTemplate: '^v?(?<version>[0-9].*)$',
    versioningTemplate: 'loose',
  };
}

/** Rules that make Renovate's decisions right; docs/decisions/010-renovate-order.md explains each. */
function packageRules(names: readonly string[]): readonly PresetRule[] {
  const matchDatasources = customs(names);
  return [
    {
      description: ["The order of versions that is closest to apk's"],
      matchDatasources,
      versioning: 'rpm',
      maxMajorIncrement: 0,
      commitMessageTopic: '{{depName}}',
      commitMessageExtra: 'to {{{newValue}}}',
    },
    {
      description: [
        'Allows rollbacks from withdrawn versions. Lookups without the pin, as by other managers, would lose updates',
      ],
      matchDatasources,
      matchDepTypes: depTypes,
      rollbackPrs: true,
    },
    {
      description: ['A revision of a repackaged version'],
      matchDatasources,
      matchUpdateTypes: ['digest'],
      commitMessageExtra: 'to {{{currentValue}}}-r{{{newDigest}}}',
    },
    {
      description: ['The only order in which pre-releases sort before their release'],
      matchDatasources,
      matchCurrentValue: '/_(alpha|beta|pre|rc)/',
      versioning: 'loose',
    },
    {
      description: ['The only versioning that knows operators such as ~1.35'],
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
      description: ["These pins are found above; Renovate's own manager cannot send the pin"],
      matchManagers: ['dockerfile'],
      matchDatasources: ['apk'],
      enabled: false,
    },
  ];
}

function withdrawalRule(matchDatasources: readonly string[]): PresetRule {
  return {
    description: ['Merge requests say when the pinned version is expected to be withdrawn'],
    matchDatasources,
    prBodyNotes: [WITHDRAWAL],
  };
}

const RELEASED = `{{#if releaseTimestamp}}, of {{{replace 'T.*' '' releaseTimestamp}}}{{/if}}`;

/**
 * The column "Change" of a merge request links to the page that explains the pin, and has the date from which the
 * release counts as published: Renovate's own column for the age asks a service that does not know it.
 */
function pageRule(pages: string, name: string, names: readonly string[]): PresetRule {
  const page = `${pages}/${name}/{{{encodeURIComponent packageName}}}?current={{{encodeURIComponent currentValue}}}`;
  return {
    description: [`Merge requests link to the pages of ${name}`],
    ...pinsOf(name, names),
    prBodyDefinitions: { Change: `[\`{{{displayFrom}}}\` → \`{{{displayTo}}}\`](${page})${RELEASED}` },
  };
}
