/**
 * Chooses the datasource of a pin: the one with the packages that the pin's file builds on, or none. A wrong version is
 * worse than none, so only the file and the configuration count, never the loaded indexes (docs/decisions/011).
 */
import { withoutTrailingSlashes } from '../addresses.ts';
import { baseOf, type Changes, type Dockerfile, type StageBase } from './dockerfile.ts';
import { hasVariable, imageFacts, matchesGlob, matchesImage, parseImage } from './images.ts';
import { hardenedImage, namedAlpine, openwrtFeed, type Family } from './known.ts';
import type { DefinitionPin, DockerfilePin, NotePin, PinContext, ScriptPin } from './pin-context.ts';
import { repositoriesAmong, repositoryId, type RepositoryId, type RepositoryLine } from './repositories.ts';

/** The properties of a datasource that routing uses. */
export interface RoutingSource {
  readonly name: string;
  /** Addresses as configured. */
  readonly repositories: readonly string[];
  readonly archs: readonly string[];
  /** Patterns of images that take its packages. */
  readonly images: readonly string[];
  /** Patterns of files; definitions that include one belong to it. */
  readonly includes: readonly string[];
  /** Patterns of scripts and CI files that run in its images. */
  readonly scripts: readonly string[];
  /** Gets the pins that nothing else assigns to a datasource. */
  readonly asksUnknown: boolean;
}

export type Route = { readonly datasource: string } | { readonly noOpinion: string };

/** Some datasources, the best first, or why there is none. */
type Outcome =
  | { readonly candidates: readonly Candidate[] }
  | {
      readonly reason: string;
      /** The pin is known to belong to something that no datasource has, so not to that with `asksUnknown` either. */
      readonly isElsewhere?: boolean;
      /** The distribution, if known. */
      readonly family?: Family;
    };

/** A datasource, and what its configuration says about it. */
export interface Candidate {
  readonly source: RoutingSource;
  /** Ids of its repositories. */
  readonly repositoryIds: ReadonlySet<string>;
  readonly ids: readonly RepositoryId[];
  readonly family: Family | undefined;
  /** The branch of Alpine, if all of its main and community have the same. */
  readonly branch: string | undefined;
}

export type Router = (context: PinContext) => Route;

/** Routes among these datasources. Results that depend only on the configuration are computed once. */
export function createRouter(sources: readonly RoutingSource[]): Router {
  const candidates = candidatesOf(sources);
  return (context) => {
    const outcome = routeContext(context, candidates);
    if ('candidates' in outcome) return { datasource: (outcome.candidates[0] as Candidate).source.name };
    const fallback = candidates.find(({ source }) => source.asksUnknown);
    const fits =
      fallback?.family === undefined || outcome.family === undefined || fallback.family === outcome.family;
    if (fallback && fits && !outcome.isElsewhere) return { datasource: fallback.source.name };
    return { noOpinion: outcome.reason };
  };
}

export function candidatesOf(sources: readonly RoutingSource[]): readonly Candidate[] {
  const repositoriesOf = repositoriesAmong(sources.flatMap(({ repositories }) => repositories));
  return sources.map((source) => candidate(source, source.repositories.flatMap(repositoriesOf)));
}

/** `recognised` are the repositories that its addresses show. */
function candidate(source: RoutingSource, recognised: readonly RepositoryId[]): Candidate {
  const ids = recognised.some(({ family }) => family !== undefined)
    ? recognised
    : [...recognised, ...namedRepositories(source.name)];
  const core = ids.filter(({ component }) => component === 'main' || component === 'community');
  const branches = new Set(core.map(({ branch }) => branch));
  const families = new Set(ids.flatMap(({ family }) => (family && family !== 'dhi' ? [family] : [])));
  return {
    source,
    ids,
    repositoryIds: new Set(ids.map(({ id }) => id)),
    family: families.size === 1 ? [...families][0] : undefined,
    branch: families.size === 1 && branches.size === 1 ? [...branches][0] : undefined,
  };
}

/** For a mirror with a meaningless address, the repositories that the datasource's name shows: `wolfi`, `alpine-3.22`. */
function namedRepositories(name: string): readonly RepositoryId[] {
  if (name === 'wolfi') return [repositoryId('https://packages.wolfi.dev/os')];
  const branch = namedAlpine.exec(name)?.groups?.['branch'];
  if (branch === undefined) return [];
  return ['main', 'community'].map((component) => repositoryId(alpineAddress(branch, component)));
}

function alpineAddress(branch: string, component: string): string {
  return `https://dl-cdn.alpinelinux.org/alpine/${/^\d/.test(branch) ? `v${branch}` : branch}/${component}`;
}

function routeContext(context: PinContext, all: readonly Candidate[]): Outcome {
  switch (context.kind) {
    case 'dockerfile':
      return routeDockerfile(context, all);
    case 'definition':
      return routeDefinition(context, all);
    case 'note':
      return routeNote(context, all);
    case 'script':
      return routeScript(context, all);
    case 'cut':
      return { reason: 'the context of the pin is too long for a lookup', isElsewhere: true };
    case 'unreadable':
      return { reason: 'the lookup has no context of the pin' };
  }
}

// Dockerfiles

function routeDockerfile(
  { dockerfile, from, tag, commandRepositories }: DockerfilePin,
  all: readonly Candidate[],
): Outcome {
  const stages = stagesOf(dockerfile, from);
  const outcome =
    stages.length === 0
      ? { reason: 'the pin is not in a stage' }
      : sameForAll(
          stages.map((stage) => routeBase(baseOf(dockerfile, stage), tag, all)),
          'stages with the same FROM line build on different images',
        );
  // A package with a tag comes only from repositories with that tag.
  return tag === undefined ? withCommand(outcome, commandRepositories, all) : outcome;
}

/** The datasource of the image if it also has the repositories of the command; otherwise that of these alone. */
function withCommand(outcome: Outcome, addresses: readonly string[], all: readonly Candidate[]): Outcome {
  if (addresses.length === 0) return outcome;
  const both = withRepositories(outcome, addresses, 'command');
  return 'candidates' in both ? both : routeRepositories(addresses, all);
}

/** Offsets of stages that start with a FROM line; FROM lines of scripts belong to the stages around them. */
function stagesOf({ stages, aliases }: Dockerfile, from: string | undefined): readonly number[] {
  if (from === undefined) return stages.length === 0 ? [] : [stages.length - 1];
  const starting = stages.flatMap((stage, i) => (stage.from === from ? [i] : []));
  const around = aliases.get(from) ?? [];
  return starting.length > 0 || around.includes(-1) ? starting : [...new Set(around)];
}

function routeBase(base: StageBase | undefined, tag: string | undefined, all: readonly Candidate[]): Outcome {
  if (!base) return { reason: 'the stages of the Dockerfile build on each other' };
  if (tag !== undefined) return routeTag(tag, base.repositories, all);
  const { image, written } = base;
  const outcome = image === undefined ? unknownVariable(written) : routeImage(image, all);
  return withChanges(outcome, base, 'stage', all);
}

/** `outcome` for the image, with the changes of a stage or script to its repositories. */
function withChanges(
  outcome: Outcome,
  { repositories, isReplaced, isEdited }: Changes,
  by: 'stage' | 'script',
  all: readonly Candidate[],
): Outcome {
  if (isEdited) return { reason: `the ${by} edits /etc/apk/repositories`, isElsewhere: true };
  const added = untagged(repositories);
  if (isReplaced)
    return added.length > 0
      ? routeRepositories(added, all)
      : { reason: `the ${by} writes /etc/apk/repositories in a way that cannot be read`, isElsewhere: true };
  return added.length === 0 ? outcome : withRepositories(outcome, added, by);
}

/** The datasources that also have the repositories that the stage or script adds. */
function withRepositories(outcome: Outcome, added: readonly string[], by: string): Outcome {
  if (!('candidates' in outcome)) return outcome;
  const missing = added
    .map(repositoryId)
    .filter(({ id }) => !outcome.candidates.some(({ repositoryIds }) => repositoryIds.has(id)));
  const candidates = outcome.candidates.filter(({ repositoryIds }) =>
    added.every((address) => repositoryIds.has(repositoryId(address).id)),
  );
  if (candidates.length > 0) return { candidates };
  const what = missing.map(({ shown }) => shown).join(' and ') || `the repositories that the ${by} adds`;
  return { reason: `the image's datasource does not also have ${what}`, isElsewhere: true };
}

function routeImage(text: string, all: readonly Candidate[]): Outcome {
  const image = parseImage(text);
  const configured = configuredFor(all, ({ images }) =>
    images.filter((pattern) => matchesImage(pattern, image)),
  );
  if (configured.length > 0) return { candidates: configured };
  if (hasVariable(image)) return unknownVariable(text);
  const facts = imageFacts(image);
  if (!facts) return { reason: `unknown image ${text}`, isElsewhere: text === 'scratch' };
  if ('families' in facts) return routeFamilies(facts.families, text, all);
  if ('openwrt' in facts) return routeOpenwrt(facts.openwrt, text, all);
  const isHardened = hardenedImage.test(image.name);
  if (facts.branch === undefined) {
    const family = isHardened ? 'dhi' : 'alpine';
    return { reason: `the image ${text} does not name a branch of Alpine`, family };
  }
  const isMoving = facts.branch === 'latest-stable';
  const outcome = routeBranch(facts.branch, all);
  if ('candidates' in outcome) {
    const hardened = `https://dhi.io/apk/alpine/v${facts.branch}/main`;
    return isHardened ? withRepositories(outcome, [hardened], 'image') : outcome;
  }
  return isMoving
    ? { reason: `no datasource has Alpine latest-stable, the branch of the image ${text}`, family: 'alpine' }
    : { ...outcome, reason: `${outcome.reason}, the branch of the image ${text}` };
}

function unknownVariable(image: string): Outcome {
  return { reason: `the image ${image} has a variable whose value is unknown` };
}

/** Datasources with a matching pattern, the longest pattern first. */
function configuredFor(
  all: readonly Candidate[],
  matching: (source: RoutingSource) => readonly string[],
): readonly Candidate[] {
  const length = (each: Candidate): number =>
    Math.max(-1, ...matching(each.source).map((pattern) => pattern.replaceAll('*', '').length));
  return all.filter((each) => length(each) >= 0).toSorted((a, b) => length(b) - length(a));
}

function routeFamilies(families: readonly Family[], image: string, all: readonly Candidate[]): Outcome {
  for (const family of families) {
    const candidates = all.filter((each) => each.family === family).toSorted(bySize);
    if (candidates.length > 0) return { candidates };
  }
  return { reason: `no datasource has ${families[0]}, which the image ${image} uses`, isElsewhere: true };
}

/** The datasource with feeds of that release only, for that target or arch. */
function routeOpenwrt(
  wanted: { readonly device: string; readonly release: string } | undefined,
  image: string,
  all: readonly Candidate[],
): Outcome {
  if (!wanted) return { reason: `the image ${image} does not name a release of OpenWrt`, isElsewhere: true };
  const { device, release } = wanted;
  const candidates = all.filter(({ source }) => {
    const feeds = source.repositories.flatMap((address) => {
      const feed = openwrtFeed.exec(address)?.groups;
      return feed ? [feed] : [];
    });
    const devices = feeds.map(({ target, subtarget, arch }) => arch ?? `${target}-${subtarget}`);
    return devices.includes(device) && feeds.every((feed) => feed['release'] === release);
  });
  return candidates.length > 0
    ? { candidates: candidates.toSorted(bySize) }
    : {
        reason: `no datasource has OpenWrt ${release} for ${device}, which the image ${image} needs`,
        isElsewhere: true,
      };
}

function routeBranch(branch: string, all: readonly Candidate[]): Outcome {
  const candidates = all
    .filter((each) => each.branch === branch)
    .toSorted((a, b) => coreCount(b) - coreCount(a) || bySize(a, b));
  return candidates.length > 0
    ? { candidates }
    : { reason: `no datasource has Alpine ${branch}`, isElsewhere: true, family: 'alpine' };
}

/** The number of main and community repositories it has. */
function coreCount({ ids }: Candidate): number {
  return new Set(ids.flatMap(({ component }) => (component === 'testing' ? [] : (component ?? [])))).size;
}

function bySize(a: Candidate, b: Candidate): number {
  return a.source.repositories.length - b.source.repositories.length;
}

// Repositories

/** The smallest datasource that has all of them, without main or community of another branch or distribution. */
function routeRepositories(
  addresses: readonly string[],
  all: readonly Candidate[],
  archs: readonly string[] = [],
): Outcome {
  const wanted = addresses.map(repositoryId);
  const distributions = new Set(wanted.map(distributionOf));
  const candidates = all
    .filter(({ repositoryIds }) => wanted.every(({ id }) => repositoryIds.has(id)))
    .filter(({ ids }) => hasNoOtherDistribution(ids, distributions))
    .toSorted((a, b) => missing(a, archs) - missing(b, archs) || bySize(a, b));
  if (candidates.length > 0) return { candidates };
  const unavailable = wanted.filter(({ id }) => !all.some(({ repositoryIds }) => repositoryIds.has(id)));
  const shown = [...new Set((unavailable.length > 0 ? unavailable : wanted).map((each) => each.shown))].join(
    ' and ',
  );
  const together = unavailable.length === 0 ? ', and nothing else' : '';
  return {
    reason: `no datasource has ${shown}${together}`,
    isElsewhere: unavailable.length === 0 || unavailable.some(({ family }) => family !== undefined),
  };
}

/** Whether its other repositories belong only to distributions that the file lists. */
function hasNoOtherDistribution(ids: readonly RepositoryId[], distributions: ReadonlySet<string>): boolean {
  const known = [...distributions].some((name) => name !== '');
  if (!known) return true;
  return ids
    .filter(({ family, component }) => family !== undefined && family !== 'dhi' && component !== 'testing')
    .every((id) => distributions.has(distributionOf(id)));
}

/** Repositories of different distributions must not be mixed. Each branch of Alpine is one; `''` if private. */
function distributionOf({ family, branch }: RepositoryId): string {
  if (family === 'alpine') return `alpine ${branch}`;
  return family ?? '';
}

function missing({ source }: Candidate, archs: readonly string[]): number {
  return archs.filter((arch) => !source.archs.includes(arch)).length;
}

function routeTag(tag: string, repositories: readonly RepositoryLine[], all: readonly Candidate[]): Outcome {
  const addresses = repositories.flatMap((line) => (line.tag === tag ? [line.address] : []));
  if (addresses.length === 0)
    return { reason: `the file has no repository with the tag @${tag}`, isElsewhere: true };
  const outcome = routeRepositories(addresses, all);
  return 'candidates' in outcome
    ? outcome
    : { reason: `${outcome.reason}, which is tagged @${tag}`, isElsewhere: true };
}

function untagged(repositories: readonly RepositoryLine[]): readonly string[] {
  return repositories.flatMap(({ tag, address }) => (tag === undefined ? [address] : []));
}

// Definitions

function routeDefinition(
  { repositories, include, archs, tag }: DefinitionPin,
  all: readonly Candidate[],
): Outcome {
  if (tag !== undefined) return routeTag(tag, repositories, all);
  const listed = untagged(repositories);
  if (listed.length > 0) return routeRepositories(listed, all, archs);
  if (include === undefined) return { reason: 'the file lists no repositories' };
  const configured = configuredFor(all, ({ includes }) =>
    includes.filter((pattern) => matchesPath(pattern, include)),
  );
  return configured.length > 0
    ? { candidates: configured }
    : { reason: `the file includes ${include}, which no datasource lists in includes` };
}

/** `wolfi-base.yaml` matches that file in any folder, with any git reference. */
function matchesPath(pattern: string, path: string): boolean {
  const plain = path.replace(/@[^/@]*$/, '').replace(/^\.?\/+/, '');
  return matchesGlob(pattern, path) || matchesGlob(pattern, plain) || matchesGlob(`*/${pattern}`, plain);
}

// Notes

const REPOLOGY = /^alpine_(?:(?<edge>edge)|(?<major>\d+)_(?<minor>\d+))\//;

function routeNote(
  { datasource, name, registryUrl, dockerfile }: NotePin,
  all: readonly Candidate[],
): Outcome {
  const repology = REPOLOGY.exec(name)?.groups;
  if (repology?.['edge']) return routeBranch('edge', all);
  if (repology) return routeNumbered(`${repology['major']}.${repology['minor']}`, dockerfile, all);
  if (datasource === 'repology')
    return { reason: `the comment asks Repology for another distribution (${name})`, isElsewhere: true };
  const named = all.find(({ source }) => `custom.${source.name}` === datasource);
  if (named) return { candidates: [named] };
  const addresses = registryAddresses(registryUrl);
  if (addresses.length > 0) return routeRepositories(addresses, all);
  if (dockerfile.stages.length === 0) return { reason: `the comment names no datasource (${datasource})` };
  const outcomes = dockerfile.stages.map((_, i) => routeBase(baseOf(dockerfile, i), undefined, all));
  return sameForAll(outcomes, 'the stages of the Dockerfile build on different images');
}

/** A comment keeps its branch if only the image is raised, so its branch must be that of a stage, if they name any. */
function routeNumbered(branch: string, dockerfile: Dockerfile, all: readonly Candidate[]): Outcome {
  const named = dockerfile.stages.map((_, i) => branchOf(baseOf(dockerfile, i), branch));
  const other = named.find((each) => each !== undefined);
  if (other === undefined || named.includes(branch)) return routeBranch(branch, all);
  return {
    reason: `the comment names Alpine ${branch}, but the image is of ${other}`,
    isElsewhere: true,
    family: 'alpine',
  };
}

/** The branch that the image of a stage names; `wanted` if the stage may have repositories of that one. */
function branchOf(base: StageBase | undefined, wanted: string): string | undefined {
  if (base?.image === undefined || base.isEdited || base.isReplaced) return wanted;
  if (base.repositories.some(({ address }) => repositoryId(address).branch === wanted)) return wanted;
  const image = parseImage(base.image);
  if (hasVariable(image)) return wanted;
  const facts = imageFacts(image);
  if (facts === undefined || !('family' in facts)) return undefined;
  return facts.branch === undefined || facts.branch === 'latest-stable' ? wanted : facts.branch;
}

/**
 * `https://dl-cdn.alpinelinux.org/alpine?branch=v3.22&components=main,community`, the format of Renovate's `apk`
 * datasource.
 */
function registryAddresses(registryUrl: string | undefined): readonly string[] {
  const url = registryUrl === undefined ? null : URL.parse(registryUrl);
  if (!url) return [];
  const base = `${url.origin}${withoutTrailingSlashes(url.pathname)}`;
  const branch = url.searchParams.get('branch');
  const components = (url.searchParams.get('components') ?? '').split(',').filter((each) => each !== '');
  return branch === null ? [base] : components.map((component) => `${base}/${branch}/${component}`);
}

// Scripts

function routeScript(pin: ScriptPin, all: readonly Candidate[]): Outcome {
  const { tag, changes, commandRepositories } = pin;
  if (tag !== undefined) return routeTag(tag, changes.repositories, all);
  const unchanged = routeItsImages(pin, all);
  const changed = withChanges(unchanged, changes, 'script', all);
  // Another job of a CI file may overwrite the list.
  const outcome =
    pin.images.length > 0 && changes.isReplaced
      ? sameForAll([unchanged, changed], `a job of ${pin.path} overwrites /etc/apk/repositories`)
      : changed;
  return withCommand(outcome, commandRepositories, all);
}

/** The images that the configuration or the file says it runs in. */
function routeItsImages({ path, images, isElsewhere }: ScriptPin, all: readonly Candidate[]): Outcome {
  const configured = configuredFor(all, ({ scripts }) =>
    scripts.filter((pattern) => matchesPath(pattern, path)),
  );
  if (configured.length > 0) return { candidates: configured };
  if (images.length === 0) return { reason: `no datasource lists the script ${path} in scripts` };
  if (isElsewhere) return { reason: `${path} runs the command in another container or on another host` };
  return sameForAll(
    images.map((image) => {
      if (image === '') return { reason: `${path} has an image whose name cannot be read` };
      return routeImage(image, all);
    }),
    `the jobs of ${path} run in different images`,
  );
}

/** The datasource on which all agree; otherwise the first reason. */
function sameForAll(all: readonly Outcome[], otherwise: string): Outcome {
  const [first] = all;
  const none = all.find((outcome) => !('candidates' in outcome));
  if (none) return none;
  const names = new Set(
    all.map((outcome) => ('candidates' in outcome ? outcome.candidates[0]?.source.name : undefined)),
  );
  return first && names.size === 1 ? first : { reason: otherwise, isElsewhere: true };
}
