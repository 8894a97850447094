/** References of container images, and what they show about the distribution. */
import {
  alpineBase,
  alpineBaseTag,
  alpineImage,
  alpineMovingTags,
  alpineTag,
  basedOnAlpineTag,
  dockerHubPrefixes,
  openwrtImage,
  openwrtTag,
  someAlpine,
  wolfiImages,
  type Family,
} from './known.ts';

export interface ImageReference {
  /** Without Docker Hub's prefixes: `alpine`, `ghcr.io/acme/base`. */
  readonly name: string;
  /** Empty if not written. */
  readonly tag: string;
  /** With a digest, the tag says nothing unless it is written: `alpine@sha256:…` is of any branch. */
  readonly hasDigest: boolean;
}

const DIGEST = /@[a-z0-9]+:[0-9a-fA-F]+$/;

export function parseImage(text: string): ImageReference {
  const hasDigest = DIGEST.test(text);
  let name = text.replace(DIGEST, '');
  const hub = dockerHubPrefixes.find((prefix) => name.startsWith(prefix));
  if (hub) name = name.slice(hub.length);
  name = name.replace(/^library\//, '');
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  if (colon < 0) return { name, tag: '', hasDigest };
  return { name: name.slice(0, colon), tag: name.slice(colon + 1), hasDigest };
}

/** Whether a variable is left in it; those of Docker Hub's proxies are not. */
export function hasVariable({ name, tag }: ImageReference): boolean {
  return `${name}:${tag}`.includes('$');
}

/**
 * What the reference shows: a branch of Alpine, a distribution without branches, Alpine of an unknown branch, or
 * nothing.
 */
export type ImageFacts =
  | { readonly family: 'alpine'; readonly branch: string | undefined }
  | { readonly families: readonly Family[] }
  /** OpenWrt for a target or an arch; the tag may not say which. */
  | { readonly openwrt: { readonly device: string; readonly release: string } | undefined }
  | undefined;

export function imageFacts({ name, tag, hasDigest }: ImageReference): ImageFacts {
  const wolfi = wolfiImages.find((known) => known.name.test(name));
  if (wolfi) return { families: wolfi.families };
  if (alpineImage.test(name)) {
    if (tag === '' && hasDigest) return { family: 'alpine', branch: undefined };
    if (alpineMovingTags.includes(tag)) return { family: 'alpine', branch: 'latest-stable' };
    const { branch, snapshot } = (alpineTag.exec(tag)?.groups ?? {}) as Record<string, string | undefined>;
    return { family: 'alpine', branch: snapshot === undefined ? branch : 'edge' };
  }
  if (alpineBase.test(name)) return { family: 'alpine', branch: alpineBaseTag.exec(tag)?.groups?.['branch'] };
  if (openwrtImage.test(name)) {
    const { device, release } = (openwrtTag.exec(tag)?.groups ?? {}) as Record<string, string | undefined>;
    return { openwrt: device === undefined || release === undefined ? undefined : { device, release } };
  }
  const branch = basedOnAlpineTag.exec(tag)?.groups?.['branch'];
  if (branch !== undefined) return { family: 'alpine', branch };
  return someAlpine.test(`${name}:${tag}`) ? { family: 'alpine', branch: undefined } : undefined;
}

/**
 * Whether a configured pattern matches this image: `alpine:3.24`, `ghcr.io/acme/base` (any tag), `ghcr.io/acme/base/*`.
 * `*` matches any characters.
 */
export function matchesImage(pattern: string, image: ImageReference): boolean {
  const wanted = parseImage(pattern);
  if (wanted.tag === '') return matchesGlob(wanted.name, image.name);
  return matchesGlob(wanted.name, image.name) && matchesGlob(wanted.tag, image.tag);
}

export function matchesGlob(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
