/** Links to the history of the recipe that a package was built from. */
import type { Candidate } from '../catalog/catalog.ts';
import { dateOf } from '../catalog/time.ts';

const DAY = 86_400;

/**
 * A template per kind of repository; operators can set their own (`changelog:`). `{origin}` is the source package,
 * `{commit}` the recipe's commit, `{component}` the last part of the repository's address. `{since}` and `{until}` are
 * the days between which two versions were built.
 */
const templates: readonly { readonly repository: RegExp; readonly template: string }[] = [
  {
    repository: /^https:\/\/(packages\.wolfi\.dev\/os|apk\.cgr\.dev\/chainguard)$/,
    template: 'https://github.com/wolfi-dev/os/commits/{commit}/{origin}.yaml?since={since}&until={until}',
  },
  {
    repository: /^https?:\/\/[^/]+\/(alpine\/)?(edge|v\d+\.\d+)\/(main|community|testing)$/,
    template: 'https://gitlab.alpinelinux.org/alpine/aports/-/commits/{commit}/{component}/{origin}',
  },
];

/** The recipe's history up to this build, from `since` (unix seconds) if the page supports that. */
export function changelogUrl(candidate: Candidate, since: number | undefined): string | undefined {
  const { repository, changelog: own } = candidate;
  const { origin, commit, name, builtAt } = candidate.package;
  const template = own ?? templates.find((each) => each.repository.test(repository))?.template;
  if (template === undefined || (commit === '' && template.includes('{commit}'))) return undefined;
  const values: Record<string, string | undefined> = {
    origin: origin || name,
    commit,
    component: repository.slice(repository.lastIndexOf('/') + 1),
    since: since === undefined ? undefined : dateOf(since),
    until: builtAt === undefined ? undefined : dateOf(builtAt + DAY),
  };
  const filled = template.replace(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(values[key] ?? ''));
  // Query parameters without a value are left out.
  const url = URL.parse(filled);
  if (!url) return undefined;
  for (const [key, value] of [...url.searchParams]) if (value === '') url.searchParams.delete(key);
  return url.href;
}
