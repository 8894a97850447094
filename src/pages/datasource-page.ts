/** `/{datasource}` in a browser: indexes and their ages, changes, withheld versions, unknown names. */
import type { VNode } from 'preact';
import type { HeldBackStatus, IndexStatus } from '../http/status.ts';
import { counted, printable } from '../errors.ts';
import { age, html, moment, renderPage, table, type Html } from './html.ts';
import type { Links } from './links.ts';

export interface DatasourcePage {
  readonly datasource: string;
  /** What a view hides. */
  readonly heldBack?: HeldBackStatus | undefined;
  /** For a past time: when it last changed before. */
  readonly from?: string | undefined;
  readonly ready: boolean;
  readonly generation: string | undefined;
  readonly names: number | undefined;
  readonly versions: number | undefined;
  readonly indexes: readonly IndexStatus[];
  /** Latest first. */
  readonly changes: readonly IndexChange[];
  /** The number of withheld versions by reason; absent until counted. */
  readonly withheld: Readonly<Record<string, number>> | undefined;
  /** Names that clients looked up and no index has. */
  readonly missed: readonly MissedName[];
  /** Unix milliseconds. */
  readonly now: number;
  readonly links: Links;
}

/** What one refresh changed in one index. */
export interface IndexChange {
  /** The index, without secrets. */
  readonly index: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly added: number;
  readonly removed: number;
  /** `name-version` of some added packages, newest first. */
  readonly newest: readonly { readonly name: string; readonly version: string }[];
}

export interface MissedName {
  readonly name: string;
  readonly count: number;
  /** Unix milliseconds. */
  readonly lastAskedAt: number;
}

export function datasourcePage(page: DatasourcePage): string {
  const { datasource, links } = page;
  return renderPage({
    title: `${datasource}, apk-beacon`,
    trail: [
      { text: 'apk-beacon', href: links.home },
      { text: datasource, href: links.datasource(datasource) },
    ],
    ...(links.search && { search: { action: links.search(datasource) } }),
    main: html`
      <h1>${datasource}</h1>
      ${summary(page)} ${past(page)} ${heldBack(page)} ${indexTable(page)} ${changes(page)} ${withheld(page)}
      ${missed(page)}
    `,
  });
}

function summary({ ready, generation, names = 0, versions = 0 }: DatasourcePage): VNode {
  if (!ready) return html`<p class="bad">Not loaded yet: lookups wait, then get a 429.</p>`;
  return html`<p>
    <span class="good">Ready</span>: ${counted(names, 'name')}, ${counted(versions, 'package')},
    generation${' '}<code>${generation}</code>.
  </p>`;
}

function past({ from }: DatasourcePage): Html {
  return from === undefined ? [] : html`<p>The state at that time, unchanged since ${minute(from)}.</p>`;
}

function heldBack({ heldBack: held }: DatasourcePage): Html {
  if (!held) return [];
  const { packages, withoutDate, early, releasedAfter, nextAt } = held;
  const undated = withoutDate > 0 ? `, ${withoutDate} of them without a date` : '';
  const next = nextAt === undefined ? '' : ` The next is old enough at ${minute(nextAt)}.`;
  const fixes = early > 0 ? ` Shown early, as fixes or because a fix needs them: ${early}.` : '';
  return html`<p>
    ${`Held back: ${counted(packages, 'package')} released after ${minute(releasedAfter)}${undated}.${next}${fixes}`}
  </p>`;
}

/** `2026-07-24 06:00 UTC` */
function minute(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}

function indexTable({ indexes, now }: DatasourcePage): Html {
  return html`
    <h2>Indexes</h2>
    ${table(
      'Indexes',
      ['Index', 'State', 'Packages', 'Confirmed', 'Last change', 'Signed by'],
      indexes.map((index) => indexRow(index, now)),
    )}
  `;
}

function indexRow(index: IndexStatus, now: number): VNode {
  const { state, frozen, error } = index;
  return html`<tr>
    <th scope="row">${printable(index.index)}${index.required ? '' : ' (optional)'}</th>
    <td>
      <span class=${['current', 'past'].includes(state) && !frozen ? 'good' : 'bad'}
        >${frozen ? `${state}, frozen` : state}</span
      >
      ${error && html`<br /><span class="quiet">${printable(error)}</span>`}
    </td>
    <td>${index.packages ?? '–'}</td>
    <td>${index.confirmedAt === undefined ? 'never' : moment(index.confirmedAt, now)}</td>
    <td>${index.age === undefined ? '–' : `${age(index.age)} ago`}</td>
    <td>
      ${
        index.state === 'missing'
          ? '–'
          : index.verifiedBy === undefined
            ? html`<span class="bad">not verified</span>`
            : printable(index.verifiedBy)
      }
    </td>
  </tr>`;
}

function changes({ datasource, changes: all, now, links }: DatasourcePage): Html {
  if (all.length === 0) return [];
  return html`
    <h2>Recent changes</h2>
    <ul>
      ${all.map(
        ({ index, at, added, removed, newest }) =>
          html`<li>
            ${moment(new Date(at).toISOString(), now)}: ${added} added, ${removed} removed in
            ${' '}${printable(index)}
            ${
              newest.length > 0 &&
              html`<br />${newest.map(
                  ({ name, version }, i) =>
                    html`${i > 0 && ', '}<a href=${links.package(datasource, name)}
                        >${printable(`${name}-${version}`)}</a
                      >`,
                )}`
            }
          </li>`,
      )}
    </ul>
  `;
}

const reasons: Readonly<Record<string, string>> = {
  'missing-on-arch': 'missing on an arch that carries the name',
  'dependency-unmet': 'a dependency cannot be installed',
  'invalid-version': 'apk calls the version invalid',
  'unversioned-provide': 'provided without a version',
  'conflicting-provides': 'the package has a name twice, which apk refuses',
  'foreign-arch': 'the package is for another arch',
  'unknown-field': 'the package has a field that apk refuses',
  'broken-dependency': 'the package has a dependency that apk 3 cannot read',
};

function withheld({ withheld: counts }: DatasourcePage): Html {
  if (!counts) return [];
  const rows = Object.entries(counts).filter(([, count]) => count > 0);
  return html`
    <h2>Withheld versions</h2>
    ${
      rows.length === 0
        ? html`<p>None: every version in the indexes is offered.</p>`
        : html`<dl>
            ${rows.map(
              ([reason, count]) =>
                html`<dt>${count}</dt>
                  <dd>${reasons[reason] ?? reason}</dd>`,
            )}
          </dl>`
    }
  `;
}

function missed({ datasource, missed: names, now, links }: DatasourcePage): Html {
  if (names.length === 0) return [];
  return html`
    <h2>Looked up, but in no index</h2>
    <ul>
      ${names.map(
        ({ name, count, lastAskedAt }) =>
          html`<li>
            ${links.search ? html`<a href=${`${links.search(datasource)}?${new URLSearchParams({ q: name })}`}>${printable(name)}</a>` : printable(name)}
            <span class="quiet"
              >: ${counted(count, 'lookup')}, the last ${' '}${age((now - lastAskedAt) / 1000)} ago</span
            >
          </li>`,
      )}
    </ul>
  `;
}
