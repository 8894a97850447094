/**
 * Pages that only a static export has. They show nothing that depends on the time of the export, so that the same
 * indexes give the same files.
 */
import type { VNode } from 'preact';
import { counted, printable } from '../errors.ts';
import { html, renderPage, table, type Html, type Link } from './html.ts';
import type { Links } from './links.ts';
import { introduction } from './other-pages.ts';

export interface StaticDatasource {
  readonly name: string;
  readonly generation: string;
  readonly archs: readonly string[];
  /** How many names have a page. */
  readonly names: number;
}

export function staticHomePage(datasources: readonly StaticDatasource[], links: Links): string {
  return renderPage({
    title: 'apk-beacon',
    trail: [{ text: 'apk-beacon', href: links.home }],
    stylesheet: links.stylesheet,
    main: html`
      ${introduction()}
      <ul>
        ${datasources.map(
          (each) =>
            html`<li>
              <a href=${links.datasource(each.name)}>${each.name}</a>: ${counted(each.names, 'name')},${' '}
              ${each.archs.join(', ')}
            </li>`,
        )}
      </ul>
    `,
  });
}

export interface StaticIndex {
  readonly index: string;
  readonly packages: number | undefined;
  readonly verifiedBy: string | undefined;
}

/** A page that lists names, or ranges of names. */
export interface ListLink {
  readonly text: string;
  /** In the folder of all lists. */
  readonly file: string;
  /** How many names it lists. */
  readonly names: number;
}

export interface ListLinks {
  readonly packages: readonly ListLink[];
  readonly provided: readonly ListLink[];
}

export function staticDatasourcePage(
  { name, generation, names }: StaticDatasource,
  indexes: readonly StaticIndex[],
  { packages, provided }: ListLinks,
  links: Links,
): string {
  return renderPage({
    title: `${name}, apk-beacon`,
    trail: trailTo(name, links),
    stylesheet: links.stylesheet,
    main: html`
      <h1>${name}</h1>
      <p>${counted(names, 'name')}, generation <code>${generation}</code>.</p>
      <h2>Packages by first letter</h2>
      ${linkList(packages, 'names/', 'flow')}
      ${
        provided.length > 0 &&
        html`<h2>Provided names</h2>
          ${linkList(provided, 'names/')}`
      }
      <h2>Indexes</h2>
      ${table('Indexes', ['Index', 'Packages', 'Signed by'], indexes.map(indexRow))}
    `,
  });
}

function indexRow({ index, packages, verifiedBy }: StaticIndex): VNode {
  return html`<tr>
    <th scope="row">${printable(index)}</th>
    <td>${packages ?? 'missing'}</td>
    <td>${verifiedBy === undefined ? 'not verified' : printable(verifiedBy)}</td>
  </tr>`;
}

/** The index of a list that is too long for one page. */
export function rangesPage(
  datasource: string,
  list: ListLink,
  ranges: readonly ListLink[],
  links: Links,
): string {
  return renderPage({
    title: `${list.text}, ${datasource}`,
    trail: trailTo(datasource, links, list),
    stylesheet: links.stylesheet,
    main: html`
      <h1>${printable(list.text)}</h1>
      ${linkList(ranges, '')}
    `,
  });
}

export interface NameListPage {
  /** The whole list, of which the page shows a range or all. */
  readonly list: ListLink;
  readonly title: string;
  readonly names: readonly ListedName[];
  readonly before: ListLink | undefined;
  readonly after: ListLink | undefined;
}

interface NamedPackage {
  readonly name: string;
  readonly hasPage: boolean;
}

export interface ListedName extends NamedPackage {
  readonly providers: readonly NamedPackage[];
}

/** Providers shown for a name. */
const MAX_PROVIDERS = 5;

export function nameListPage(datasource: string, page: NameListPage, links: Links): string {
  const { list, title, names, before, after } = page;
  const nameOf = ({ name, hasPage }: NamedPackage): Html | string =>
    hasPage ? html`<a href=${links.package(datasource, name)}>${printable(name)}</a>` : printable(name);
  const providersOf = ({ providers }: ListedName): Html => {
    const more = providers.length - MAX_PROVIDERS;
    const shown = providers.slice(0, MAX_PROVIDERS);
    return html`: ${shown.map((each, i) => html`${i > 0 && ', '}${nameOf(each)}`)}
    ${more > 0 && ` and ${more} more`}`;
  };
  return renderPage({
    title: `${title}, ${datasource}`,
    trail: trailTo(datasource, links, list),
    stylesheet: links.stylesheet,
    main: html`
      <h1>${printable(title)}</h1>
      <ul>
        ${names.map((each) => html`<li>${nameOf(each)}${each.providers.length > 0 && providersOf(each)}</li>`)}
      </ul>
      ${
        (before ?? after) &&
        html`<nav aria-label="Neighbouring lists">
          ${before && html`<p>Before: <a rel="prev" href=${before.file}>${printable(before.text)}</a></p>`}
          ${after && html`<p>After: <a rel="next" href=${after.file}>${printable(after.text)}</a></p>`}
        </nav>`
      }
    `,
  });
}

function linkList(lists: readonly ListLink[], folder: string, className?: string): Html {
  return html`<ul class=${className}>
    ${lists.map(
      ({ text, file, names }) =>
        html`<li><a href=${folder + file}>${printable(text)}</a> <span class="quiet">(${names})</span></li>`,
    )}
  </ul>`;
}

function trailTo(datasource: string, links: Links, list?: ListLink): readonly Link[] {
  return [
    { text: 'apk-beacon', href: links.home },
    { text: datasource, href: links.datasource(datasource) },
    ...(list ? [{ text: list.text, href: list.file }] : []),
  ];
}
