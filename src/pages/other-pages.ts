/** The front page, search results, and errors. */
import type { VNode } from 'preact';
import { printable } from '../errors.ts';
import { age, html, renderPage, table, type Html } from './html.ts';
import type { Links } from './links.ts';

export interface HomePage {
  readonly version: string;
  readonly datasources: readonly DatasourceSummary[];
  /** The line for `extends` in a Renovate configuration. */
  readonly presetUrl: string;
  readonly links: Links;
}

export interface DatasourceSummary {
  readonly name: string;
  readonly isDefault: boolean;
  readonly ready: boolean;
  readonly names: number | undefined;
  readonly archs: readonly string[];
  /** Indexes that are missing, failing or frozen. */
  readonly problems: number;
  /** Seconds since the oldest confirmation of an index. */
  readonly confirmedAgo: number | undefined;
}

export function homePage({ version, datasources, presetUrl, links }: HomePage): string {
  const first = datasources.find(({ isDefault }) => isDefault) ?? datasources[0];
  return renderPage({
    title: 'apk-beacon',
    trail: [{ text: 'apk-beacon', href: links.home }],
    ...(links.search && first && { search: { action: links.search(first.name) } }),
    main: html`
      ${introduction()}
      ${table(
        'Datasources',
        ['Datasource', 'State', 'Names', 'Archs', 'Confirmed'],
        datasources.map((each) => datasourceRow(each, links)),
      )}
      <h2>For Renovate</h2>
      <pre><code>${`"extends": ["${presetUrl}"]`}</code></pre>
      <p class="quiet">
        Version ${version}${links.readiness && html`, <a href=${links.readiness}>readiness</a>`}
      </p>
    `,
  });
}

/** The top of the home page, also of an export. */
export function introduction(): Html {
  return html`<h1>apk-beacon</h1>
    <p>
      Versions of APK packages that can be installed on every arch, from verified indexes. For Renovate, curl
      and CI.
    </p>`;
}

function datasourceRow(each: DatasourceSummary, links: Links): VNode {
  const { name, isDefault, ready, names, archs, problems, confirmedAgo } = each;
  const state = !ready ? 'not loaded' : problems > 0 ? `ready, ${problems} with problems` : 'ready';
  return html`<tr>
    <th scope="row"><a href=${links.datasource(name)}>${name}</a>${isDefault ? ' (default)' : ''}</th>
    <td><span class=${ready && problems === 0 ? 'good' : 'bad'}>${state}</span></td>
    <td>${names ?? '–'}</td>
    <td>${archs.join(', ')}</td>
    <td>${confirmedAgo === undefined ? 'never' : `${age(confirmedAgo)} ago`}</td>
  </tr>`;
}

export interface SearchPage {
  readonly datasource: string;
  readonly query: string;
  readonly results: readonly SearchResult[];
  /** Whether there are more results. */
  readonly more: boolean;
  readonly links: Links;
}

export interface SearchResult {
  readonly name: string;
  /** Only provided by packages of other names. */
  readonly provided: boolean;
}

export function searchPage({ datasource, query, results, more, links }: SearchPage): string {
  return renderPage({
    title: query === '' ? `Search ${datasource}` : `${query}, search in ${datasource}`,
    trail: [
      { text: 'apk-beacon', href: links.home },
      { text: datasource, href: links.datasource(datasource) },
    ],
    ...(links.search && { search: { action: links.search(datasource), query } }),
    main: html`
      <h1>${query === '' ? `Search ${datasource}` : html`Packages like <q>${printable(query)}</q>`}</h1>
      ${query !== '' && results.length === 0 && html`<p>No similar name.</p>`}
      ${
        results.length > 0 &&
        html`<ul>
          ${results.map(
            ({ name, provided }) =>
              html`<li>
                <a href=${links.package(datasource, name)}>${printable(name)}</a>
                ${provided && html` <span class="quiet">provided by other packages</span>`}
              </li>`,
          )}
        </ul>`
      }
      ${more && html`<p class="quiet">There are more; enter more of the name.</p>`}
    `,
  });
}

/** An error as a page. */
export function problemPage({
  title,
  fact,
  links,
}: {
  readonly title: string;
  readonly fact: string;
  readonly links: Links;
}): string {
  return renderPage({
    title: `${title}, apk-beacon`,
    trail: [{ text: 'apk-beacon', href: links.home }],
    main: html`
      <h1>${printable(title)}</h1>
      <p>${printable(fact)}</p>
    `,
  });
}
