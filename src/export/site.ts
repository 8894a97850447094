/** The answers of a datasource as files, with the bytes that the service would send. */
import type { Advisories } from '../advisories/advisories.ts';
import { advisoriesInSteps, Security } from '../answers/security.ts';
import { finish } from '../catalog/steps.ts';
import { parseLookupQuery } from '../answers/query.ts';
import { newestRelease } from '../answers/releases.ts';
import type { Body } from '../answers/body.ts';
import type { Lookups } from '../answers/lookup.ts';
import { MAX_NAME_LENGTH } from '../answers/target.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { fileOf } from './layout.ts';

/** The front page of an export with pages. */
export const HOME_PAGE = 'index.html';
/** See `redirects`. */
export const REDIRECTS = '_redirects';

export interface SiteFile {
  /** Below the folder of the export, with `/` on all systems. */
  readonly path: string;
  readonly body: Body;
  /** The path of the same answer in the service, if it differs. */
  readonly servedAt: string | undefined;
}

/** All names that the service answers for a snapshot, packages and provided names, sorted. */
export function exportedNames({ catalog }: Snapshot): readonly string[] {
  const names = new Set(catalog.names());
  for (const { packages } of catalog.sources) for (const name of packages.providedNames()) names.add(name);
  return [...names].filter((name) => name !== '' && name.length <= MAX_NAME_LENGTH).toSorted();
}

/** The files of one datasource: for each name its releases and, if there is one, the newest version. */
export function* siteFiles(
  datasource: string,
  snapshot: Snapshot,
  names: readonly string[],
  lookups: Lookups,
): Generator<SiteFile> {
  const all = new Set(names);
  const query = parseLookupQuery({}, snapshot.catalog.archs);
  for (const name of names) {
    const { answer, releases } = lookups.answer({ datasource, snapshot, name, query });
    const { body, found } = answer;
    if (!found) continue;
    const file = fileOf(name, all);
    const servedAt = (path: string): string | undefined => (file === name ? undefined : path);
    yield { path: `${datasource}/${file}`, body, servedAt: servedAt(`/${datasource}/${name}`) };
    const advisories = snapshot.advisories && advisoriesOf(datasource, snapshot, snapshot.advisories, name);
    if (advisories !== undefined)
      yield {
        path: `${datasource}/-/advisories/${file}`,
        body: advisories,
        servedAt: servedAt(`/${datasource}/-/advisories/${name}`),
      };
    const newest = finish(newestRelease(releases));
    if (!newest) continue;
    yield {
      path: `${datasource}/-/latest/${file}`,
      body: `${newest.version.text}\n`,
      servedAt: servedAt(`/${datasource}/-/latest/${name}`),
    };
  }
}

/** The advisories of a name; `undefined` if the feeds have none. */
function advisoriesOf(
  datasource: string,
  { catalog }: Snapshot,
  advisories: Advisories,
  name: string,
): string | undefined {
  const report = catalog.report(name);
  const security = new Security(advisories, report);
  if (finish(security.all()).length === 0) return undefined;
  const nothing = { pin: undefined, target: undefined };
  const query = parseLookupQuery({}, catalog.archs);
  return JSON.stringify({ datasource, ...finish(advisoriesInSteps(security, report, query, nothing)) });
}

/**
 * Rules for GitLab Pages, Netlify and Cloudflare Pages. The service has `…/{name}/latest`, but no file system lets
 * `{name}` be both a file and a directory.
 */
export function redirects(datasources: readonly string[]): string {
  return datasources.map((name) => `/${name}/:name/latest /${name}/-/latest/:name 200\n`).join('');
}
