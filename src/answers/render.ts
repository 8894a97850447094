/**
 * The answer as Renovate's custom datasource reads it, and the only file that knows how.
 *
 * Renovate rejects the whole answer over one `null`, so what is not known is left out. It ignores fields it does not
 * know; `revision` is for other readers. `digest` reaches managers that capture a `currentDigest`: with
 * `?strip=revision` it is the revision, so that a recipe can take version and revision apart.
 */
import { newestRelease, type Release } from './releases.ts';
import type { Candidate } from '../catalog/catalog.ts';
import { findInSteps } from '../catalog/steps.ts';
import { jsonInSteps, joinInSteps, type Body } from './body.ts';
import { changelogUrl } from './changelog-links.ts';

export interface RenovateRelease {
  readonly version: string;
  readonly releaseTimestamp?: string;
  readonly isStable?: false;
  readonly isDeprecated?: true;
  readonly revision?: number;
  readonly digest?: string;
}

/** Beside the releases. */
interface Links {
  readonly homepage?: string;
  readonly sourceUrl?: string;
  readonly changelogUrl?: string;
}

export interface RenderOptions {
  readonly stripRevision: boolean;
  /** The pin, for a changelog that begins there. */
  readonly current: string | undefined;
  /** Replaces the link to the changes, of which there may be none. */
  readonly mark?: ((changelogUrl: string | undefined) => string) | undefined;
}

/** As JSON. */
export function* renderInSteps(
  releases: readonly Release[],
  options: RenderOptions,
): Generator<undefined, Body> {
  const texts = yield* jsonInSteps(releases, (release) => renderRelease(release, options.stripRevision));
  const links = JSON.stringify(yield* linksOf(releases, options)).slice(1);
  const end = `]${links === '}' ? '' : ','}${links}`;
  return yield* joinInSteps(texts, { begin: '{"releases":[', separator: ',', end });
}

function* linksOf(
  releases: readonly Release[],
  { current, mark }: RenderOptions,
): Generator<undefined, Links> {
  const newest = yield* newestRelease(releases);
  const from =
    current === undefined
      ? undefined
      : yield* findInSteps(releases, ({ version }) => version.text === current);
  const all = newest?.candidate ? links(newest.candidate, from?.builtAt) : {};
  return mark ? { ...all, changelogUrl: mark(all.changelogUrl) } : all;
}

function renderRelease(release: Release, stripRevision: boolean): RenovateRelease {
  const { version, builtAt, revision, withdrawn, unstable } = release;
  return {
    version: version.text,
    ...(builtAt !== undefined && { releaseTimestamp: timestamp(builtAt) }),
    ...(unstable && { isStable: false }),
    ...(withdrawn && { isDeprecated: true }),
    ...(revision !== undefined && { revision: Number(revision) }),
    ...(stripRevision && revision !== undefined && { digest: revision }),
  };
}

/** `2026-07-24T12:00:00.000Z`, from unix seconds. */
export function timestamp(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function links(candidate: Candidate, since: number | undefined): Links {
  const homepage = webAddress(candidate.package.url);
  const changelog = changelogUrl(candidate, since);
  return {
    ...(homepage !== undefined && { homepage }),
    ...(homepage !== undefined && isSourceHost(homepage) && { sourceUrl: homepage }),
    ...(changelog !== undefined && { changelogUrl: changelog }),
  };
}

function webAddress(text: string): string | undefined {
  const url = URL.parse(text);
  return url && ['http:', 'https:'].includes(url.protocol) && url.username === '' ? text : undefined;
}

/** Renovate takes a source from GitHub or GitLab only. */
function isSourceHost(address: string): boolean {
  const host = URL.parse(address)?.hostname ?? '';
  return host === 'github.com' || host === 'gitlab.com' || host.startsWith('gitlab.');
}
