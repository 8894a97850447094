/**
 * The answer in the format of Renovate's custom datasource. No other file knows that format.
 *
 * Renovate rejects the whole answer for a single `null`, so unknown fields are left out. It ignores extra fields;
 * `revision` is for other clients. `digest` is for managers that capture a `currentDigest`: with `?strip=revision` it
 * is the revision, so recipes can keep version and revision apart.
 */
import { webAddress } from '../addresses.ts';
import { listedText, newestRelease, type Release } from './releases.ts';
import type { Candidate } from '../catalog/catalog.ts';
import { findInSteps } from '../catalog/steps.ts';
import { dateOf } from '../catalog/time.ts';
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
  /** The pin: the changelog starts there. */
  readonly current: string | undefined;
  /** Marks about the pin, appended to the changelog link; see `withdrawalMark` and `securityMarks`. */
  readonly marks?: string | undefined;
  /**
   * A page of the service, to which the marks are appended if the package has no changelog link: Renovate accepts
   * only URLs.
   */
  readonly page?: string | undefined;
  /** Makes the changelog link from the one that was found, if any. */
  readonly replaceLink?: ((changelogUrl: string | undefined) => string) | undefined;
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
  { current, marks = '', page = '', replaceLink }: RenderOptions,
): Generator<undefined, Links> {
  const newest = yield* newestRelease(releases);
  const from =
    current === undefined
      ? undefined
      : yield* findInSteps(releases, ({ version }) => version.text === current);
  const found = newest?.candidate ? links(newest.candidate, from?.builtAt) : {};
  const all = marks === '' ? found : { ...found, changelogUrl: linkBelow(found, page) + marks };
  return replaceLink ? { ...all, changelogUrl: replaceLink(all.changelogUrl) } : all;
}

/**
 * The link to which marks are appended. Renovate compiles both as a template, so the link must not contain template
 * syntax.
 */
function linkBelow({ changelogUrl: changelog, homepage }: Links, page: string): string {
  const link = changelog ?? homepage?.replace(/#.*$/, '') ?? page;
  return link.replace(/[{}]/g, encodeURIComponent);
}

function renderRelease(release: Release, stripRevision: boolean): RenovateRelease {
  const { releasedAt, revision, withdrawn, unstable } = release;
  return {
    version: listedText(release),
    ...(releasedAt !== undefined && { releaseTimestamp: timestamp(releasedAt) }),
    ...(unstable && { isStable: false }),
    ...(withdrawn && { isDeprecated: true }),
    ...(revision !== undefined && { revision: Number(revision) }),
    ...(stripRevision && revision !== undefined && { digest: revision }),
  };
}

/** `00` to `59`. */
const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

/** `2026-07-24T12:00:00.000Z`, from unix seconds. */
export function timestamp(seconds: number): string {
  const second = seconds % 86_400;
  const minute = Math.floor(second / 60);
  const time = `${twoDigits[Math.floor(minute / 60)]}:${twoDigits[minute % 60]}:${twoDigits[second % 60]}`;
  return `${dateOf(seconds)}T${time}.000Z`;
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

/** Renovate accepts a source only from GitHub or GitLab. */
function isSourceHost(address: string): boolean {
  const host = URL.parse(address)?.hostname ?? '';
  return host === 'github.com' || host === 'gitlab.com' || host.startsWith('gitlab.');
}
