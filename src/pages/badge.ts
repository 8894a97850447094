/**
 * `/{datasource}/{package}/badge.svg`: the newest version, for a README. Preact escapes all values. `textLength` makes
 * the text fit in any font; a badge library would need 900 kB of font widths.
 */
import { renderToString } from 'preact-render-to-string';
import { printable } from '../errors.ts';
import { html } from './html.ts';

export interface Badge {
  readonly label: string;
  readonly message: string;
  readonly isGood: boolean;
}

const HEIGHT = 20;
const PADDING = 6;
/** Longer texts are cut. */
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
  const shown = printable(whole);
  const text = shown.length > MAX_LENGTH ? `${shown.slice(0, MAX_LENGTH - 1)}…` : shown;
  const width = Math.ceil([...text].reduce((sum, character) => sum + widthOf(character), 0));
  return { text, width, box: width + 2 * PADDING };
}

/** Approximate width of a character in a sans-serif font of 11 pixels. */
function widthOf(character: string): number {
  if (/[iljtfr.,:;'|!()[\]-]/.test(character)) return 4.6;
  if (/[mwMWA-Z@%_+~=<>]/.test(character)) return 8.5;
  return 7;
}
