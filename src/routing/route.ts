/**
 * Chooses the datasource of a pin: the one with the packages that the pin's file builds on, or none. A wrong version is
 * worse than none, so only the file and the configuration count, never the loaded indexes (docs/decisions/011).
 */
import { withoutTrailingSlashes } from '../addresses.ts';
import { foundationOf, type Changes, type Dockerfile, type Foundation } from './dockerfile.ts';
import { imageFacts, matchesGlob, matchesImage, parseImage } from './images.ts';
import { namedAlpine, openwrtFeed, type Family } from './known.ts';
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
  /** Takes pins that nothing assigns to a datasource. */
  readonly asksUnknown: boolean;
}

export type Route = { readonly datasource: string } | { readonly noOpinion: string };

/** An intermediate result: some datasources, the best first, or a reason for none. */
type Found =
  | { readonly candidates: readonly Candidate[] }
  | {
      readonly reason: string;
      /** The pin is known to belong to something that no datasource has; `asksUnknown` must not take it. */
      readonly isElsewhere?: boolean;
      /** The distribution, if known. */
      readonly family?: Family;
    };

/** A datasource, and what its configuration tells about it. */
export interface Candidate {
  readonly source: RoutingSource;
  /** Ids of its repositories. */
  readonly held: ReadonlySet<string>;
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
    const found = decide(context, candidates);
    if ('candidates' in found) return { datasource: (found.candidates[0] as Candidate).source.name };
    const fallback = candidates.find(({ source }) => source.asksUnknown);
    const fits =
      fallback?.family === undefined || found.family === undefined || fallback.family === found.family;
    if (fallback && fits && !found.isElsewhere) return { datasource: fallback.source.name };
    return { noOpinion: found.reason };
  };
}

export function candidatesOf(sources: readonly RoutingSource[]): readonly Candidate[] {
  const repositoriesOf = repositoriesAmong(sources.flatMap(({ repositories }) => repositories));
  return sources.map((source) => candidate(source, source.repositories.flatMap(repositoriesOf)));
}

/** `told` are the repositories that its addresses tell. */
function candidate(source: RoutingSource, told: readonly RepositoryId[]): Candidate {
  const ids = told.some(({ family }) => family !== undefined)
    ? told
    : [...told, ...namedRepositories(source.name)];
  const core = ids.filter(({ component }) => component === 'main' || component === 'community');
  const branches = new Set(core.map(({ branch }) => branch));
  const families = new Set(ids.flatMap(({ family }) => (family && family !== 'dhi' ? [family] : [])));
  return {
    source,
    ids,
    held: new Set(ids.map(({ id }) => id)),
    family: families.size === 1 ? [...families][0] : undefined,
    branch: families.size === 1 && branches.size === 1 ? [...branches][0] : undefined,
  };
}

/** A mirror whose address tells nothing, in a datasource whose name does: `wolfi`, `alpine-3.22`. */
function namedRepositories(name: string): readonly RepositoryId[] {
  if (name === 'wolfi') return [repositoryId('https://packages.wolfi.dev/os')];
  const branch = namedAlpine.exec(name)?.groups?.['branch'];
  if (branch === undefined) return [];
  return ['main', 'community'].map((component) => repositoryId(alpineAddress(branch, component)));
}

function alpineAddress(branch: string, component: string): string {
  return `https://dl-cdn.alpinelinux.org/alpine/${/^\d/.test(branch) ? `v${branch}` : branch}/${component}`;
}

function decide(context: PinContext, all: readonly Candidate[]): Found {
  switch (context.kind) {
    case 'dockerfile':
      return ofDockerfile(context, all);
    case 'definition':
      return ofDefinition(context, all);
    case 'note':
      return ofNote(context, all);
    case 'script':
      return ofScript(context, all);
    case 'cut':
      return { reason: 'the file says more of the pin than a lookup can carry', isElsewhere: true };
    case 'unreadable':
      return { reason: 'the lookup says nothing of the file that the pin is in' };
  }
}

// Dockerfiles

function ofDockerfile(
  { dockerfile, from, tag, commandRepositories }: DockerfilePin,
  all: readonly Candidate[],
): Found {
  // A package with a tag comes only from repositories with that tag.
  if (commandRepositories.length > 0 && tag === undefined) return ofRepositories(commandRepositories, all);
  const stages = stagesOf(dockerfile, from);
  if (stages.length === 0) return { reason: 'the pin is in no stage' };
  return agreed(
    stages.map((stage) => ofFoundation(foundationOf(dockerfile, stage), tag, all)),
    'stages with the same FROM line build on different images',
  );
}

/** Offsets of stages that start with a FROM line; FROM lines of scripts belong to the stages around them. */
function stagesOf({ stages, aliases }: Dockerfile, from: string | undefined): readonly number[] {
  if (from === undefined) return stages.length === 0 ? [] : [stages.length - 1];
  const found = stages.flatMap((stage, i) => (stage.from === from ? [i] : []));
  const around = aliases.get(from) ?? [];
  return found.length > 0 || around.includes(-1) ? found : [...new Set(around)];
}

function ofFoundation(
  foundation: Foundation | undefined,
  tag: string | undefined,
  all: readonly Candidate[],
): Found {
  if (!foundation) return { reason: 'the stages of the Dockerfile build on each other' };
  if (tag !== undefined) return ofTag(tag, foundation.repositories, all);
  const { image, written } = foundation;
  const found =
    image === undefined ? { reason: `no default for the ARG in the image ${written}` } : ofImage(image, all);
  return ofChanged(found, foundation, 'stage', all);
}

/** `found` by the image, with the changes of a stage or script to its repositories. */
function ofChanged(
  found: Found,
  { repositories, isReplaced, isEdited }: Changes,
  by: 'stage' | 'script',
  all: readonly Candidate[],
): Found {
  if (isEdited) return { reason: `the ${by} edits /etc/apk/repositories`, isElsewhere: true };
  const added = untagged(repositories);
  if (isReplaced)
    return added.length > 0
      ? ofRepositories(added, all)
      : { reason: `the ${by} writes /etc/apk/repositories in a way that cannot be read`, isElsewhere: true };
  return added.length === 0 ? found : holding(found, added, by);
}

/** The datasources that also have the repositories that the stage or script adds. */
function holding(found: Found, added: readonly string[], by: string): Found {
  if (!('candidates' in found)) return found;
  const missing = added
    .map(repositoryId)
    .filter(({ id }) => !found.candidates.some(({ held }) => held.has(id)));
  const candidates = found.candidates.filter(({ held }) =>
    added.every((address) => held.has(repositoryId(address).id)),
  );
  if (candidates.length > 0) return { candidates };
  const what = missing.map(({ shown }) => shown).join(' and ') || `the repositories that the ${by} adds`;
  return { reason: `no datasource of the image has ${what} as well`, isElsewhere: true };
}

function ofImage(text: string, all: readonly Candidate[]): Found {
  const image = parseImage(text);
  const configured = configuredFor(all, ({ images }) =>
    images.filter((pattern) => matchesImage(pattern, image)),
  );
  if (configured.length > 0) return { candidates: configured };
  const facts = imageFacts(image);
  if (!facts) return { reason: `nothing is known of the image ${text}`, isElsewhere: text === 'scratch' };
  if ('families' in facts) return ofFamilies(facts.families, text, all);
  if ('openwrt' in facts) return ofOpenwrt(facts.openwrt, text, all);
  if (facts.branch === undefined)
    return { reason: `the image ${text} names no branch of Alpine`, family: 'alpine' };
  const isMoving = facts.branch === 'latest-stable';
  const found = ofBranch(facts.branch, all);
  if ('candidates' in found) return found;
  return isMoving
    ? { reason: `no datasource has Alpine latest-stable, which the image ${text} is of`, family: 'alpine' }
    : { ...found, reason: `${found.reason}, which the image ${text} is of` };
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

function ofFamilies(families: readonly Family[], image: string, all: readonly Candidate[]): Found {
  for (const family of families) {
    const candidates = all.filter((each) => each.family === family).toSorted(bySize);
    if (candidates.length > 0) return { candidates };
  }
  return { reason: `no datasource has ${families[0]}, which the image ${image} is of`, isElsewhere: true };
}

/** The datasource with feeds of that release only, for that target or arch. */
function ofOpenwrt(
  wanted: { readonly device: string; readonly release: string } | undefined,
  image: string,
  all: readonly Candidate[],
): Found {
  if (!wanted) return { reason: `the image ${image} names no release of OpenWrt`, isElsewhere: true };
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
        reason: `no datasource has OpenWrt ${release} for ${device}, which the image ${image} is of`,
        isElsewhere: true,
      };
}

function ofBranch(branch: string, all: readonly Candidate[]): Found {
  const candidates = all
    .filter((each) => each.branch === branch)
    .toSorted((a, b) => coreOf(b) - coreOf(a) || bySize(a, b));
  return candidates.length > 0
    ? { candidates }
    : { reason: `no datasource has Alpine ${branch}`, isElsewhere: true, family: 'alpine' };
}

/** The number of main and community repositories it has. */
function coreOf({ ids }: Candidate): number {
  return new Set(ids.flatMap(({ component }) => (component === 'testing' ? [] : (component ?? [])))).size;
}

function bySize(a: Candidate, b: Candidate): number {
  return a.source.repositories.length - b.source.repositories.length;
}

// Repositories

/** The smallest datasource that has all of them, without main or community of another branch or distribution. */
function ofRepositories(
  addresses: readonly string[],
  all: readonly Candidate[],
  archs: readonly string[] = [],
): Found {
  const wanted = addresses.map(repositoryId);
  const foundations = new Set(wanted.map(foundationName));
  const candidates = all
    .filter(({ held }) => wanted.every(({ id }) => held.has(id)))
    .filter(({ ids }) => isAlone(ids, foundations))
    .toSorted((a, b) => missing(a, archs) - missing(b, archs) || bySize(a, b));
  if (candidates.length > 0) return { candidates };
  const unheld = wanted.filter(({ id }) => !all.some(({ held }) => held.has(id)));
  const shown = [...new Set((unheld.length > 0 ? unheld : wanted).map((each) => each.shown))].join(' and ');
  const together = unheld.length === 0 ? ', and nothing else' : '';
  return {
    reason: `no datasource has ${shown}${together}`,
    isElsewhere: unheld.length === 0 || unheld.some(({ family }) => family !== undefined),
  };
}

/** Whether its other repositories belong only to distributions that the file lists. */
function isAlone(ids: readonly RepositoryId[], foundations: ReadonlySet<string>): boolean {
  const known = [...foundations].some((name) => name !== '');
  if (!known) return true;
  return ids
    .filter(({ family, component }) => family !== undefined && family !== 'dhi' && component !== 'testing')
    .every((id) => foundations.has(foundationName(id)));
}

/** Repositories with different names must not be mixed: a distribution, for Alpine a branch; `''` if private. */
function foundationName({ family, branch }: RepositoryId): string {
  if (family === 'alpine') return `alpine ${branch}`;
  return family ?? '';
}

function missing({ source }: Candidate, archs: readonly string[]): number {
  return archs.filter((arch) => !source.archs.includes(arch)).length;
}

function ofTag(tag: string, repositories: readonly RepositoryLine[], all: readonly Candidate[]): Found {
  const addresses = repositories.flatMap((line) => (line.tag === tag ? [line.address] : []));
  if (addresses.length === 0)
    return { reason: `the file gives the tag @${tag} to no repository`, isElsewhere: true };
  const found = ofRepositories(addresses, all);
  return 'candidates' in found
    ? found
    : { reason: `${found.reason}, which is tagged @${tag}`, isElsewhere: true };
}

function untagged(repositories: readonly RepositoryLine[]): readonly string[] {
  return repositories.flatMap(({ tag, address }) => (tag === undefined ? [address] : []));
}

// Definitions

function ofDefinition(
  { repositories, include, archs, tag }: DefinitionPin,
  all: readonly Candidate[],
): Found {
  if (tag !== undefined) return ofTag(tag, repositories, all);
  const listed = untagged(repositories);
  if (listed.length > 0) return ofRepositories(listed, all, archs);
  if (include === undefined) return { reason: 'the file lists no repositories' };
  const configured = configuredFor(all, ({ includes }) =>
    includes.filter((pattern) => matchesPath(pattern, include)),
  );
  return configured.length > 0
    ? { candidates: configured }
    : { reason: `the file includes ${include}, which no datasource says it is of` };
}

/** `wolfi-base.yaml` matches that file in any folder, with any git reference. */
function matchesPath(pattern: string, path: string): boolean {
  const plain = path.replace(/@[^/@]*$/, '').replace(/^\.?\/+/, '');
  return matchesGlob(pattern, path) || matchesGlob(pattern, plain) || matchesGlob(`*/${pattern}`, plain);
}

// Notes

const REPOLOGY = /^alpine_(?:(?<edge>edge)|(?<major>\d+)_(?<minor>\d+))\//;

function ofNote({ datasource, name, registryUrl, dockerfile }: NotePin, all: readonly Candidate[]): Found {
  const repology = REPOLOGY.exec(name)?.groups;
  if (repology) return ofBranch(repology['edge'] ?? `${repology['major']}.${repology['minor']}`, all);
  if (datasource === 'repology')
    return { reason: `the comment asks Repology for another distribution (${name})`, isElsewhere: true };
  const named = all.find(({ source }) => `custom.${source.name}` === datasource);
  if (named) return { candidates: [named] };
  const addresses = registryAddresses(registryUrl);
  if (addresses.length > 0) return ofRepositories(addresses, all);
  if (dockerfile.stages.length === 0) return { reason: `the comment names no datasource (${datasource})` };
  const found = dockerfile.stages.map((_, i) => ofFoundation(foundationOf(dockerfile, i), undefined, all));
  return agreed(found, 'the stages of the Dockerfile build on different images');
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

function ofScript(pin: ScriptPin, all: readonly Candidate[]): Found {
  const { tag, changes, commandRepositories } = pin;
  if (tag !== undefined) return ofTag(tag, changes.repositories, all);
  if (commandRepositories.length > 0) return ofRepositories(commandRepositories, all);
  return ofChanged(ofItsImages(pin, all), changes, 'script', all);
}

/** The images that the configuration or the file says it runs in. */
function ofItsImages({ path, images }: ScriptPin, all: readonly Candidate[]): Found {
  const configured = configuredFor(all, ({ scripts }) =>
    scripts.filter((pattern) => matchesPath(pattern, path)),
  );
  if (configured.length > 0) return { candidates: configured };
  if (images.length === 0) return { reason: `no datasource says that the script ${path} is of it` };
  return agreed(
    images.map((image) => {
      if (image === '') return { reason: `nothing tells the name of an image in ${path}` };
      return image.includes('$') ? { reason: `the image ${image} is a variable` } : ofImage(image, all);
    }),
    `the jobs of ${path} run in different images`,
  );
}

/** The datasource on which all agree; otherwise the first reason. */
function agreed(all: readonly Found[], otherwise: string): Found {
  const [first] = all;
  const none = all.find((found) => !('candidates' in found));
  if (none) return none;
  const names = new Set(
    all.map((found) => ('candidates' in found ? found.candidates[0]?.source.name : undefined)),
  );
  return first && names.size === 1 ? first : { reason: otherwise, isElsewhere: true };
}
