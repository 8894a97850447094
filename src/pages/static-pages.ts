/**
 * Pages that only a static export has. They show nothing that depends on the time of the export, so that the same
 * indexes give the same files.
 */
import { printable } from '../errors.ts';
import { html, renderPage } from './html.ts';
import type { Link } from './html.ts';
import type { Links } from './links.ts';

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
      <h1>apk-beacon</h1>
      <p>
        Which versions of an APK package exist? Verified, the same on every arch, for Renovate, curl and CI.
      </p>
      <ul>
        ${datasources.map(
          (each) =>
            html`<li>
              <a href=${links.datasource(each.name)}>${each.name}</a>: ${each.names} names,${' '}
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

/** `lists` are the pages that list the names. */
export function staticDatasourcePage(
  { name, generation, names }: StaticDatasource,
  indexes: readonly StaticIndex[],
  lists: readonly Link[],
  links: Links,
): string {
  return renderPage({
    title: `${name}, apk-beacon`,
    trail: trailTo(name, links),
    stylesheet: links.stylesheet,
    main: html`
      <h1>${name}</h1>
      <p>${names} names, generation <code>${generation}</code>.</p>
      <h2>Packages</h2>
      <ul>
        ${lists.map(({ text, href }) => html`<li><a href=${href}>${printable(text)}</a></li>`)}
      </ul>
      <h2>Indexes</h2>
      <div class="scroll" role="region" tabindex="0" aria-label="Indexes">
        <table>
          <thead>
            <tr>
              <th scope="col">Index</th>
              <th scope="col">Packages</th>
              <th scope="col">Signed by</th>
            </tr>
          </thead>
          <tbody>
            ${indexes.map(
              ({ index, packages, verifiedBy }) =>
                html`<tr>
                  <th scope="row">${printable(index)}</th>
                  <td>${packages ?? 'missing'}</td>
                  <td>${verifiedBy === undefined ? 'not verified' : printable(verifiedBy)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    `,
  });
}

/** Names of one datasource that have something in common, such as the first letter. */
export function nameListPage(
  datasource: string,
  title: string,
  names: readonly string[],
  links: Links,
): string {
  return renderPage({
    title: `${title}, ${datasource}`,
    trail: trailTo(datasource, links),
    stylesheet: links.stylesheet,
    main: html`
      <h1>${printable(title)}</h1>
      <ul>
        ${names.map((name) => html`<li><a href=${links.package(datasource, name)}>${printable(name)}</a></li>`)}
      </ul>
    `,
  });
}

function trailTo(datasource: string, links: Links): readonly Link[] {
  return [
    { text: 'apk-beacon', href: links.home },
    { text: datasource, href: links.datasource(datasource) },
  ];
}
