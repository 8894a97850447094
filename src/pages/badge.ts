/**
 * `/{datasource}/{package}/badge.svg`: the newest version for a README. Rendered by Preact, which escapes; `textLength`
 * makes the text fit whatever font the reader has. A badge library would bring 900 kB of font widths for that.
 */
import { renderToString } from 'preact-render-to-string';
import { html, visible } from './html.ts';

export interface Badge {
  readonly label: string;
  readonly message: string;
  readonly isGood: boolean;
}

const HEIGHT = 20;
const PADDING = 6;
/** Characters beyond which a text is cut. */
const MAX_LENGTH = 60;

/** An SVG document. */
export function badge({ label, message, isGood }: Badge): string {
  const left = textBox(label);
  const right = textBox(message);
  const width = left.box + right.box;
  const title = `${left.text}: ${right.text}`;
  const picture = html`
    <svg
      xmlns="http://www.w3.org/2000/svg"
      width=${width}
      height=${HEIGHT}
      viewBox=${`0 0 ${width} ${HEIGHT}`}
      role="img"
      aria-label=${title}
    >
      <title>${title}</title>
      <rect width=${left.box} height=${HEIGHT} fill="#555d66" />
      <rect x=${left.box} width=${right.box} height=${HEIGHT} fill=${isGood ? '#0f6b35' : '#9c2118'} />
      <g fill="#ffffff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
        <text x=${PADDING} y="14" textLength=${left.width}>${left.text}</text>
        <text x=${left.box + PADDING} y="14" textLength=${right.width}>${right.text}</text>
      </g>
    </svg>
  `;
  return `${renderToString(picture)}\n`;
}

function textBox(whole: string): { text: string; width: number; box: number } {
  const shown = visible(whole);
  const text = shown.length > MAX_LENGTH ? `${shown.slice(0, MAX_LENGTH - 1)}…` : shown;
  const width = Math.ceil([...text].reduce((sum, character) => sum + widthOf(character), 0));
  return { text, width, box: width + 2 * PADDING };
}

/** About the width of a character at 11 pixels, as sans-serif fonts have it. */
function widthOf(character: string): number {
  if (/[iljtfr.,:;'|!()[\]-]/.test(character)) return 4.6;
  if (/[mwMWA-Z@%_+~=<>]/.test(character)) return 8.5;
  return 7;
}
