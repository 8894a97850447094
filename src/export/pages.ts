/**
 * The pages of an export, beside the answers:
 *
 *     index.html                     the datasources
 *     {datasource}/-/index.html      one datasource
 *     {datasource}/-/names/c.html    names that start with `c` (name-lists.ts)
 *     {datasource}/-/page/curl.html  one package
 *
 * All links are relative: an export may lie below any address.
 */
import type { Catalog } from '../catalog/catalog.ts';
import { finish } from '../catalog/steps.ts';
import { explain } from '../answers/explain.ts';
import { parseLookupQuery } from '../answers/query.ts';
import type { Links } from '../pages/links.ts';
import { packageFacts } from '../pages/package-facts.ts';
import { packagePage } from '../pages/package-page.ts';
import {
  nameListPage,
  rangesPage,
  staticDatasourcePage,
  staticHomePage,
  type ListedName,
  type ListLink,
  type StaticDatasource,
  type StaticIndex,
} from '../pages/static-pages.ts';
import { style } from '../pages/style.ts';
import type { Snapshot } from '../repository/live-datasource.ts';
import { fileOf } from './layout.ts';
import { listsByKind, listsByLetter, rangesOf, type NameList } from './name-lists.ts';
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
  let needs = catalog.needs();
  const shown = names.filter(hasPage);
  for (const name of shown) {
    const path = `${source}/-/page/${pathOf(name)}.html`;
    const report = catalog.report(name);
    const { newest, about } = finish(packageFacts(report, query, catalog));
    needs = catalog.needs(needs);
    const explanation = explain(report, query, undefined, catalog, { needs });
    const { origin = '' } = about ?? {};
    const hasOrigin = all.has(origin) && hasPage(origin);
    const page = { datasource: source, explanation, newest, about: { ...about, hasOrigin } };
    yield file(path, packagePage({ ...page, links: linksOf(path) }));
  }
  const packages = listsByLetter(shown);
  const provided = listsByKind(names.filter((name) => !hasPage(name)));
  const toPage = (name: string): ListedName => ({ name, hasPage: true, providers: [] });
  const toProviders = (name: string): ListedName => ({
    name,
    hasPage: false,
    providers: providersOf(name, catalog).map((each) => ({
      name: each,
      hasPage: hasPage(each) && all.has(each),
    })),
  });
  for (const list of packages) yield* listFiles(source, list, toPage, linksOf);
  for (const list of provided) yield* listFiles(source, list, toProviders, linksOf);
  const home = `${source}/-/index.html`;
  const toLists = { packages: packages.map(linkTo), provided: provided.map(linkTo) };
  yield file(
    home,
    staticDatasourcePage({ ...datasource, names: shown.length }, indexes, toLists, linksOf(home)),
  );
  yield file(`${source}/-/style.css`, style);
}

/** The pages of a list: its names, or ranges of them. */
function* listFiles(
  datasource: string,
  list: NameList,
  listedAs: (name: string) => ListedName,
  linksOf: (path: string) => Links,
): Generator<SiteFile> {
  const ranges = rangesOf(list);
  const links = ranges.map(linkTo);
  if (ranges.length > 1) {
    const path = listPath(datasource, list);
    yield file(path, rangesPage(datasource, linkTo(list), links, linksOf(path)));
  }
  for (const [i, range] of ranges.entries()) {
    const path = listPath(datasource, range);
    const neighbours = { before: links[i - 1], after: links[i + 1] };
    const page = { list: linkTo(list), title: range.title, names: range.names.map(listedAs), ...neighbours };
    yield file(path, nameListPage(datasource, page, linksOf(path)));
  }
}

function listPath(datasource: string, list: NameList): string {
  return `${datasource}/-/names/${list.file}.html`;
}

function linkTo({ title, file: name, names }: NameList): ListLink {
  return { text: title, file: `${name}.html`, names: names.length };
}

/** The packages that provide a name, on any arch. */
function providersOf(name: string, { sources }: Catalog): readonly string[] {
  const providers = sources.flatMap(({ packages }) => packages.providing(name).map((each) => each.name));
  return [...new Set(providers)].toSorted();
}

function file(path: string, body: string): SiteFile {
  return { path, body, servedAt: undefined };
}

/** Libraries, commands and paths (`so:libssl.so.3`, `cmd:curl`, `/bin/sh`) have no page: nobody pins them. */
function hasPage(name: string): boolean {
  return !/[:/]/.test(name);
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
