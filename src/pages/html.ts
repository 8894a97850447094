/**
 * HTML from tagged templates. Preact escapes every interpolated value, in text and in attributes. The style sheet is
 * the only raw HTML.
 */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { counted, printable } from '../errors.ts';
import { style, styleHash } from './style.ts';

export type Html = VNode | readonly VNode[];

export { html };

/** No scripts, no frames, nothing loaded from elsewhere; forms go to this service only. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src '${styleHash}'`,
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const staticPolicy = "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'";

export interface Page {
  readonly title: string;
  /** Links from the front page to this page. */
  readonly trail: readonly Link[];
  /** The target of the search form; absent if there is no search. */
  readonly search?: { readonly action: string; readonly query?: string };
  /** The address of the style sheet, on static pages; otherwise it is part of the page. */
  readonly stylesheet?: string | undefined;
  readonly main: Html;
}

export interface Link {
  readonly text: string;
  readonly href: string;
}

/** A whole document. */
export function renderPage({ title, trail, search, stylesheet, main }: Page): string {
  const document = html`
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${printable(title)}</title>
        ${stylesheet === undefined ? html`<style dangerouslySetInnerHTML=${{ __html: style }}></style>` : linked(stylesheet)}
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header>
          <nav aria-label="Breadcrumb">
            <ol>
              ${trail.map(({ text, href }) => html`<li><a href=${href}>${printable(text)}</a></li>`)}
            </ol>
          </nav>
          ${search && searchForm(search)}
        </header>
        <main id="main">${main}</main>
      </body>
    </html>
  `;
  return `<!doctype html>${renderToString(document)}\n`;
}

/** No server sends a policy with a static page, so the page has its own. */
function linked(stylesheet: string): readonly VNode[] {
  return [
    html`<meta http-equiv="content-security-policy" content=${staticPolicy} />`,
    html`<link rel="stylesheet" href=${stylesheet} />`,
  ] as VNode[];
}

function searchForm({ action, query = '' }: NonNullable<Page['search']>): VNode {
  return html`<form role="search" action=${action} method="get">
    <label for="q">Search packages</label>
    <input id="q" type="search" name="q" value=${query} autocomplete="off" spellcheck="false" />
    <button type="submit">Search</button>
  </form>`;
}

/** A table that scrolls by itself on narrow screens. Only the caption is visible; the label is for screen readers. */
export function table(
  label: string,
  columns: readonly string[],
  rows: readonly VNode[],
  caption?: string,
): VNode {
  return html`<div class="scroll" role="region" tabindex="0" aria-label=${label}>
    <table>
      ${
        caption !== undefined &&
        html`<caption>
          ${caption}
        </caption>`
      }
      <thead>
        <tr>
          ${columns.map((column) => html`<th scope="col">${column}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

/** A date with its exact time, and how long ago it was. Static pages have no `now`, because they grow old. */
export function moment(iso: string, now: number | undefined): Html {
  return html`<time datetime=${iso} title=${iso}>${iso.slice(0, 10)}</time>${
      now !== undefined && html`${' '}<span class="quiet">${age((now - Date.parse(iso)) / 1000)} ago</span>`
    }`;
}

/** `3 days` from seconds: the largest fitting unit, rounded down. */
export function age(seconds: number): string {
  const [unit, size] = units.find(([, each]) => seconds >= each) ?? ['second', 1];
  return counted(Math.max(0, Math.floor(seconds / size)), unit);
}

const units = [
  ['year', 365.25 * 86_400],
  ['month', 30.44 * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;
