/**
 * The pages of an export, beside the answers:
 *
 *     index.html                     the datasources
 *     {datasource}/-/index.html      one datasource
 *     {datasource}/-/names/c.html    its names with a `c` in front
 *     {datasource}/-/page/curl.html  one package
 *
 * All links are relative: an export may lie below any address. A list is named by the code of its letter if that letter
 * cannot stand in a path.
 */
import { finish } from '../catalog/steps.ts';
import { explain } from '../answers/explain.ts';
import { parseLookupQuery } from '../answers/query.ts';
import type { Link } from '../pages/html.ts';
import type { Links } from '../pages/links.ts';
import { packageFacts } from '../pages/package-facts.ts';
import { packagePage } from '../pages/package-page.ts';
import {
  nameListPage,
  staticDatasourcePage,
  staticHomePage,
  type StaticDatasource,
  type StaticIndex,
} from '../pages/static-pages.ts';
import { style } from '../pages/style.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { fileOf } from './layout.ts';
import { HOME_PAGE, type SiteFile } from './site.ts';

export function homePageFile(datasources: readonly StaticDatasource[]): SiteFile {
  const links = linksFrom(HOME_PAGE, datasources[0]?.name ?? '', (name) => name);
  return file(HOME_PAGE, staticHomePage(datasources, links));
}

/** The pages of one datasource. `names` are all names that the export answers. */
export function* pageFiles(
  datasource: StaticDatasource,
  snapshot: Snapshot,
  indexes: readonly StaticIndex[],
  names: readonly string[],
): Generator<SiteFile> {
  const { name: source } = datasource;
  const { catalog } = snapshot;
  const all = new Set(names);
  const pathOf = (name: string): string => fileOf(name, all);
  const linksOf = (path: string): Links => linksFrom(path, source, pathOf);
  const query = parseLookupQuery({}, catalog.archs);
  const missing = finish(catalog.missingNeeds());
  const shown = names.filter(hasPage);
  for (const name of shown) {
    const path = `${source}/-/page/${pathOf(name)}.html`;
    const report = catalog.report(name);
    const { newest, about } = packageFacts(report, query, catalog);
    const explanation = explain(report, query, undefined, catalog, { missing });
    const { origin = '' } = about ?? {};
    const hasOrigin = all.has(origin) && hasPage(origin);
    const page = { datasource: source, explanation, newest, about: { ...about, hasOrigin } };
    yield file(path, packagePage({ ...page, links: linksOf(path) }));
  }
  const lists = Map.groupBy(shown, listOf);
  const home = `${source}/-/index.html`;
  const toLists: Link[] = [];
  for (const [title, listed] of lists) {
    const path = `${source}/-/names/${fileNameOf(title)}.html`;
    toLists.push({ text: title, href: `names/${encodeURIComponent(fileNameOf(title))}.html` });
    yield file(path, nameListPage(source, title, listed, linksOf(path)));
  }
  yield file(
    home,
    staticDatasourcePage({ ...datasource, names: shown.length }, indexes, toLists, linksOf(home)),
  );
  yield file(`${source}/-/style.css`, style);
}

function file(path: string, body: string): SiteFile {
  return { path, body, servedAt: undefined };
}

/** Libraries, commands and paths (`so:libssl.so.3`, `cmd:curl`, `/bin/sh`) have no page: nobody pins them. */
function hasPage(name: string): boolean {
  return !/[:/]/.test(name);
}

/** The list of a name is that of its first letter. */
function listOf(name: string): string {
  return [...name.toLowerCase()][0] ?? '';
}

function fileNameOf(letter: string): string {
  return /^[a-z0-9]$/.test(letter) ? letter : `u${letter.codePointAt(0)}`;
}

/** Links of the page at `from`. `pathOf` gives the path of a name below its datasource. */
function linksFrom(from: string, datasource: string, pathOf: (name: string) => string): Links {
  const root = '../'.repeat(from.split('/').length - 1) || './';
  const to = (path: string): string => root + path.split('/').map(encodeURIComponent).join('/');
  return {
    home: to(HOME_PAGE),
    datasource: (name) => to(`${name}/-/index.html`),
    package: (source, name) => to(`${source}/-/page/${pathOf(name)}.html`),
    releases: (source, name) => to(`${source}/${pathOf(name)}`),
    stylesheet: to(`${datasource}/-/style.css`),
  };
}
