/**
 * HTML from tagged templates. Every interpolated value is escaped by Preact's renderer, in text and in attributes
 * alike; there is no way to put raw HTML into a page but the style sheet below.
 */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { style, styleHash } from './style.ts';

export type Html = VNode | readonly VNode[];

export { html };

/** No scripts, no frames, nothing loaded from anywhere; forms go to this service only. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src '${styleHash}'`,
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export interface Page {
  readonly title: string;
  /** Links from the front page down to this one. */
  readonly trail: readonly Link[];
  /** Where the search form of the header leads; absent where nothing can be searched. */
  readonly search?: { readonly action: string; readonly query?: string };
  readonly main: Html;
}

export interface Link {
  readonly text: string;
  readonly href: string;
}

/** A whole document. */
export function renderPage({ title, trail, search, main }: Page): string {
  const document = html`
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>${visible(title)}</title>
        <style dangerouslySetInnerHTML=${{ __html: style }}></style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header>
          <nav aria-label="Breadcrumb">
            <ol>
              ${trail.map(({ text, href }) => html`<li><a href=${href}>${visible(text)}</a></li>`)}
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

function searchForm({ action, query = '' }: NonNullable<Page['search']>): VNode {
  return html`<form role="search" action=${action} method="get">
    <label for="q">Search packages</label>
    <input id="q" type="search" name="q" value=${query} autocomplete="off" spellcheck="false" />
    <button type="submit">Search</button>
  </form>`;
}

/** Text from an index or a request. Characters that hide, reorder or break lines are shown by their code. */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`,
  );
}

/** An address from an index, if a browser may be sent there. */
export function webAddress(text: string | undefined): string | undefined {
  const url = text === undefined ? null : URL.parse(text);
  return url && ['http:', 'https:'].includes(url.protocol) && url.username === '' ? url.href : undefined;
}

/** A date with the exact time behind it, and how long ago that is. */
export function moment(iso: string, now: number): VNode {
  return html`<time datetime=${iso} title=${iso}>${iso.slice(0, 10)}</time>${' '}<span class="quiet"
      >${age((now - Date.parse(iso)) / 1000)} ago</span
    >`;
}

/** `3 days` from seconds: the largest unit that fits, rounded down. */
export function age(seconds: number): string {
  const [unit, size] = units.find(([, each]) => seconds >= each) ?? ['second', 1];
  const count = Math.max(0, Math.floor(seconds / size));
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

const units = [
  ['year', 365.25 * 86_400],
  ['month', 30.44 * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
] as const;
