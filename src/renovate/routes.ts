/** By what a file shows which datasource its pins belong to. */
import { withoutTrailingSlashes } from '../addresses.ts';
import type { PresetSource } from './preset.ts';

/** The part of an address that a file's own list of repositories will show, whatever the scheme and slashes. */
export function addressMarks({ repositories }: PresetSource): readonly string[] {
  return repositories.flatMap((address) => {
    const url = URL.parse(address);
    if (!url || !['http:', 'https:'].includes(url.protocol)) return [];
    return `${url.host}${withoutTrailingSlashes(url.pathname)}`;
  });
}

/**
 * A regular expression for the base images that this datasource's packages go into: an Alpine branch goes into
 * `alpine:3.22` and `node:24-alpine3.22`, Wolfi into Chainguard's images. `undefined` where that cannot be told.
 */
export function imageMark(source: PresetSource): string | undefined {
  const marks = addressMarks(source);
  if (marks.some((mark) => /(^|\.)wolfi\.dev|(^|\.)cgr\.dev/.test(mark.split('/', 1)[0] ?? '')))
    return 'wolfi|cgr\\.dev|chainguard';
  const branches = marks.flatMap((mark) => /\/(?:alpine\/)?(edge|v\d+\.\d+)\/\w+$/.exec(mark)?.[1] ?? []);
  const [branch] = branches;
  if (branch === undefined) return undefined;
  return `alpine:?${branch.replace(/^v/, '').replaceAll('.', '\\.')}`;
}

/** Any other image of Alpine goes to the first datasource that has a branch of it. */
export const ANY_ALPINE = 'alpine';
