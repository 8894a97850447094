/** `/{datasource}/{package}` in a browser: the version to pin, and why others are withheld. */
import { describeAdvisories } from '../answers/describe.ts';
import type { VNode } from 'preact';
import type { ExplainedVersion, Explanation } from '../answers/explain.ts';
import type { ExplainedPin } from '../answers/explain-pin.ts';
import type { LookupQuery } from '../answers/query.ts';
import { webAddress } from '../addresses.ts';
import { withdrawalText } from '../answers/withdrawal-text.ts';
import { printable } from '../errors.ts';
import { html, moment, renderPage, table, type Html } from './html.ts';
import type { Links } from './links.ts';

export interface PackagePage {
  readonly datasource: string;
  readonly explanation: Explanation;
  /** The parameters of the request; absent on a static page. */
  readonly query?: LookupQuery | undefined;
  /** Facts about the package of the newest version. */
  readonly about?: About | undefined;
  /** The version to pin; absent if nothing is offered. */
  readonly newest?: string | undefined;
  /** Similar names, for a name that is in no index. */
  readonly closeNames?: readonly string[];
  /** Unix milliseconds; absent on a static page. */
  readonly now?: number | undefined;
  readonly links: Links;
}

export interface About {
  readonly homepage?: string | undefined;
  readonly changelog?: string | undefined;
  readonly origin?: string | undefined;
  /** Whether the origin is itself a name that can be looked up. */
  readonly hasOrigin?: boolean;
}

/** Versions shown at once; the others are folded. */
const SHOWN = 25;
/** Versions on a page that links to the explanation, which has all. */
const LISTED = 500;

export function packagePage(page: PackagePage): string {
  const { datasource, explanation, links } = page;
  const { name } = explanation;
  return renderPage({
    title: `${name} in ${datasource}`,
    trail: [
      { text: 'apk-beacon', href: links.home },
      { text: datasource, href: links.datasource(datasource) },
      { text: name, href: links.package(datasource, name) },
    ],
    stylesheet: links.stylesheet,
    ...(links.search && { search: { action: links.search(datasource) } }),
    main: html`
      <h1>${printable(name)}</h1>
      ${explanation.versions.length === 0 ? unknown(page) : known(page)}
    `,
  });
}

function known(page: PackagePage): Html {
  const { explanation, newest, links } = page;
  return html`
    ${about(page)} ${newest === undefined ? nothingOffered() : toPin(explanation.name, newest)}
    ${notes(explanation)} ${links.explain && pinForm(page)} ${versions(page)}
  `;
}

function unknown({ datasource, explanation, closeNames = [], links }: PackagePage): Html {
  if (explanation.younger)
    return html`<p class="bad">No version is old enough for ${datasource}.</p>
      ${notes(explanation)}`;
  return html`
    <p class="bad">No index of ${datasource} has a package of this name, and no package provides it.</p>
    ${notes(explanation)}
    ${
      closeNames.length > 0 &&
      html`<p>Did you mean one of these?</p>
        <ul>
          ${closeNames.map((name) => html`<li><a href=${links.package(datasource, name)}>${printable(name)}</a></li>`)}
        </ul>`
    }
  `;
}

function notes({ notes: all = [] }: Explanation): Html {
  if (all.length === 0) return [];
  return html`<ul class="notes">
    ${all.map((note) => html`<li>${printable(note)}</li>`)}
  </ul>`;
}

function about({ datasource, explanation, query, about: facts = {}, links }: PackagePage): Html {
  const { name, archs, carriedBy, pin } = explanation;
  const restricted = query ? restrictions(query) : [];
  const asked: Parameters = pin ? [...restricted, ['current', pin.current]] : restricted;
  const missing = archs.filter((arch) => !carriedBy.includes(arch));
  const homepage = webAddress(facts.homepage);
  const changelog = webAddress(facts.changelog);
  return html`
    <dl>
      <dt>Archs</dt>
      <dd>
        ${carriedBy.join(', ') || 'none'}
        ${missing.length > 0 && html` <span class="quiet">(not on ${missing.join(', ')})</span>`}
      </dd>
      ${
        facts.origin && facts.origin !== name
          ? html`<dt>Origin</dt>
              <dd>
                ${facts.hasOrigin ? html`<a href=${links.package(datasource, facts.origin)}>${printable(facts.origin)}</a>` : printable(facts.origin)}
              </dd>`
          : null
      }
      ${
        homepage &&
        html`<dt>Homepage</dt>
          <dd><a href=${homepage} rel="nofollow noreferrer">${printable(homepage)}</a></dd>`
      }
      ${
        changelog &&
        html`<dt>Changes</dt>
          <dd><a href=${changelog} rel="nofollow noreferrer">History of the recipe</a></dd>`
      }
      <dt>Data</dt>
      <dd>
        <a href=${withQuery(links.releases(datasource, name), asked)} type="application/json"
          >Releases for Renovate</a
        >
        ${
          links.explain &&
          html`,
            <a href=${withQuery(links.explain(datasource, name), asked)} type="application/json"
              >explanation</a
            >`
        }
        ${links.badge && html`, <a href=${withQuery(links.badge(datasource, name), restricted)}>badge</a>`}
      </dd>
    </dl>
  `;
}

function toPin(name: string, newest: string): Html {
  return html`
    <h2>Pin the newest version</h2>
    <pre><code>${printable(`${name}=${newest}`)}</code></pre>
  `;
}

function nothingOffered(): VNode {
  return html`<p class="bad">No version can be pinned now; the table says why.</p>`;
}

function pinForm({ datasource, explanation, query, links }: PackagePage): Html {
  const { name, pin } = explanation;
  return html`
    <h2>Check a pin</h2>
    <form action=${links.package(datasource, name)} method="get">
      <label for="current">Pinned version</label>
      <input id="current" name="current" value=${pin?.current ?? ''} autocomplete="off" spellcheck="false" />
      ${query && restrictions(query).map(([key, value]) => html`<input type="hidden" name=${key} value=${value} />`)}
      <button type="submit">Check</button>
    </form>
    ${pin && html`<p class="answer" role="status">${proposal(pin)}</p>`} ${advisoriesOn(explanation)}
  `;
}

type Parameters = readonly (readonly [name: string, value: string])[];

/** A checked pin, and data, are of the same archs and the same line as the page. */
function restrictions({ archs, line, stripRevision }: LookupQuery): Parameters {
  return [
    ...(archs ? [['arch', archs.join(',')] as const] : []),
    ...(line ? [['line', line.text] as const] : []),
    ...(stripRevision ? [['strip', 'revision'] as const] : []),
  ];
}

function withQuery(address: string, parameters: Parameters): string {
  const query = new URLSearchParams(parameters.map(([name, value]) => [name, value])).toString();
  return query === '' ? address : `${address}?${query}`;
}

function advisoriesOn({ advisories }: Explanation): Html {
  if (!advisories) return [];
  return html`<ul class="notes">
    ${describeAdvisories(advisories).map((line) => html`<li>${printable(line.trim())}</li>`)}
  </ul>`;
}

function proposal({ current, state, proposal: to, because }: ExplainedPin): Html {
  const what =
    to === undefined
      ? html`<strong>Renovate proposes nothing</strong>`
      : html`<strong>Renovate proposes <code>${printable(to)}</code></strong>`;
  return html`${what} for <code>${printable(current)}</code> (${state}): ${printable(because)}.`;
}

function versions(page: PackagePage): Html {
  const all = page.explanation.versions;
  if (all.length === 0) return [];
  const rest = all.slice(SHOWN, page.links.explain ? LISTED : all.length);
  const missing = all.length - SHOWN - rest.length;
  return html`
    <h2>Versions</h2>
    ${versionTable(page, all.slice(0, SHOWN), `${all.length} in the indexes, newest first`)}
    ${
      rest.length > 0 &&
      html`<details>
        <summary>${rest.length} older</summary>
        ${versionTable(page, rest, 'Older versions')}
        ${missing > 0 && html`<p>${missing} more are in the explanation.</p>`}
      </details>`
    }
  `;
}

function versionTable(page: PackagePage, versions: readonly ExplainedVersion[], label: string): VNode {
  const rows = versions.flatMap((version) => versionRow(page, version));
  return table(label, ['Version', 'State', 'Archs', 'Published'], rows, label);
}

/** One row, and a second one for remarks, which need the whole width. */
function versionRow({ explanation, now }: PackagePage, row: ExplainedVersion): Html {
  const { version, offered, preRelease, withdrawal } = row;
  const isPin = explanation.pin?.current === version;
  const publishedAt = row.releaseTimestamp ?? builtAt(row);
  const remarks = remarksOn(row, explanation.name);
  const main = html`<tr class=${remarks.length > 0 ? 'explained' : undefined}>
    <th scope="row">
      <code>${printable(version)}</code>${isPin && html`${' '}<strong class="pin">your pin</strong>`}
    </th>
    <td>
      ${offered ? html`<span class="good">Offered</span>` : html`<span class="bad">Withheld</span>`}
      ${preRelease && ', pre-release'}
      ${withdrawal && html`<br /><span class="quiet">${withdrawalText(withdrawal)}</span>`}
    </td>
    <td>${archsOf(row).join(', ') || '–'}</td>
    <td>
      ${publishedAt === undefined ? html`<span class="quiet">unknown</span>` : moment(publishedAt, now)}
    </td>
  </tr>`;
  if (remarks.length === 0) return main;
  return [
    main,
    html`<tr>
      <td class="remarks" colspan="4">
        <ul>
          ${remarks.map((remark) => html`<li>${printable(remark)}</li>`)}
        </ul>
      </td>
    </tr>`,
  ];
}

/** When the last package of a version without a release date was built. */
function builtAt({ candidates }: ExplainedVersion): string | undefined {
  return candidates
    .flatMap((each) => each.builtAt ?? [])
    .toSorted()
    .at(-1);
}

const MAX_PROVIDERS = 3;
const MAX_NEEDS = 5;

/** Providers, reasons for withholding, and obstacles to some builds. */
function remarksOn(row: ExplainedVersion, name: string): string[] {
  const { reasons = [], needsElsewhere: needs = [], refusedByApko, candidates } = row;
  const providers = [...new Set(candidates.filter((one) => one.provided).map((one) => one.package))];
  const others = providers.length > MAX_PROVIDERS ? ` and ${providers.length - MAX_PROVIDERS} more` : '';
  const more = needs.length > MAX_NEEDS ? ` and ${needs.length - MAX_NEEDS} more` : '';
  return [
    ...(providers.length > 0
      ? [`${name} is provided by ${providers.slice(0, MAX_PROVIDERS).join(', ')}${others}`]
      : []),
    ...reasons,
    ...(needs.length > 0
      ? [`not met in this datasource: ${needs.slice(0, MAX_NEEDS).join(', ')}${more}`]
      : []),
    ...(refusedByApko === undefined ? [] : [`apko refuses it for all archs: ${refusedByApko}`]),
  ];
}

/** Archs that can install the version. */
function archsOf({ candidates }: ExplainedVersion): readonly string[] {
  return [...new Set(candidates.filter((each) => each.state === 'chosen').map(({ arch }) => arch))];
}
