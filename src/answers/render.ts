/**
 * The answer in the format of Renovate's custom datasource. No other file knows that format.
 *
 * Renovate rejects the whole answer for a single `null`, so unknown fields are left out. It ignores extra fields;
 * `revision` is for other clients. `digest` is for managers that capture a `currentDigest`: with `?strip=revision` it
 * is the revision, so recipes can keep version and revision apart.
 */
import { webAddress } from '../addresses.ts';
import { newestRelease, type Release } from './releases.ts';
import type { Candidate } from '../catalog/catalog.ts';
import { isStep } from '../catalog/steps.ts';
import { changelogUrl } from './changelog-links.ts';

export interface RenovateRelease {
  readonly version: string;
  readonly releaseTimestamp?: string;
  readonly isStable?: false;
  readonly isDeprecated?: true;
  readonly revision?: number;
  readonly digest?: string;
}

export interface RenovateAnswer {
  readonly releases: readonly RenovateRelease[];
  readonly homepage?: string;
  readonly sourceUrl?: string;
  readonly changelogUrl?: string;
}

export interface RenderOptions {
  readonly stripRevision: boolean;
  /** The pin: the changelog starts there. */
  readonly current: string | undefined;
  /** What the advisories have to say, put behind the link to the changes; see `securityMarks`. */
  readonly marks?: string | undefined;
  /** A page of the service, to put them behind where a package has no link of its own: Renovate takes only URLs. */
  readonly page?: string | undefined;
}

export function renderAnswer(releases: readonly Release[], options: RenderOptions): RenovateAnswer {
  return {
    releases: releases.map((release) => renderRelease(release, options.stripRevision)),
    ...linksOf(releases, options),
  };
}

/** The same as JSON, in steps. */
export function* renderInSteps(
  releases: readonly Release[],
  options: RenderOptions,
): Generator<undefined, string> {
  const texts: string[] = [];
  for (const [i, release] of releases.entries()) {
    if (isStep(i)) yield;
    texts.push(JSON.stringify(renderRelease(release, options.stripRevision)));
  }
  const rest = JSON.stringify(linksOf(releases, options)).slice(1);
  return `{"releases":[${texts.join(',')}]${rest === '}' ? '' : ','}${rest}`;
}

function linksOf(
  releases: readonly Release[],
  { current, marks = '', page = '' }: RenderOptions,
): Omit<RenovateAnswer, 'releases'> {
  const newest = newestRelease(releases);
  const from = releases.find(({ version }) => version.text === current);
  const found = newest?.candidate ? links(newest.candidate, from?.builtAt) : {};
  return marks === '' ? found : { ...found, changelogUrl: linkBelow(found, page) + marks };
}

/** The link that marks are put behind. Renovate compiles it with them, so that it must mean nothing to a template. */
function linkBelow(
  { changelogUrl: changelog, homepage }: Omit<RenovateAnswer, 'releases'>,
  page: string,
): string {
  const link = changelog ?? homepage?.replace(/#.*$/, '') ?? page;
  return link.replace(/[{}]/g, encodeURIComponent);
}

function renderRelease(release: Release, stripRevision: boolean): RenovateRelease {
  const { version, releasedAt, revision, withdrawn, unstable } = release;
  return {
    version: version.text,
    ...(releasedAt !== undefined && { releaseTimestamp: timestamp(releasedAt) }),
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

function links(candidate: Candidate, since: number | undefined): Omit<RenovateAnswer, 'releases'> {
  const homepage = webAddress(candidate.package.url);
  const changelog = changelogUrl(candidate, since);
  return {
    ...(homepage !== undefined && { homepage }),
    ...(homepage !== undefined && isSourceHost(homepage) && { sourceUrl: homepage }),
    ...(changelog !== undefined && { changelogUrl: changelog }),
  };
}

/** Renovate accepts a source only from GitHub or GitLab. */
function isSourceHost(address: string): boolean {
  const host = URL.parse(address)?.hostname ?? '';
  return host === 'github.com' || host === 'gitlab.com' || host.startsWith('gitlab.');
}
