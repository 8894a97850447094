/** Line charts as SVG, readable on light and dark pages. */
import type { Plot, Series } from './report.ts';

const WIDTH = 720;
const HEIGHT = 400;
const MARGIN = { top: 44, right: 170, bottom: 52, left: 72 };
const COLOURS = ['#0a7d5a', '#c2410c', '#4f46e5', '#a16207', '#be185d', '#0369a1'];

interface Axis {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

export function drawPlot({ title, x, y, logarithmic, series }: Plot): string {
  const points = series.flatMap((each) => each.points);
  const horizontal = axis(
    points.map(([value]) => value),
    MARGIN.left,
    WIDTH - MARGIN.right,
    logarithmic,
  );
  const vertical = axis(
    points.map(([, value]) => value),
    HEIGHT - MARGIN.bottom,
    MARGIN.top,
    logarithmic,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escape(title)}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    text(MARGIN.left, 24, title, 'start', 'font-size="15" font-weight="bold"'),
    ...horizontal.ticks.map((tick) => gridLine(horizontal.place(tick), undefined, tick)),
    ...vertical.ticks.map((tick) => gridLine(undefined, vertical.place(tick), tick)),
    text((MARGIN.left + WIDTH - MARGIN.right) / 2, HEIGHT - 12, x, 'middle'),
    text(-(HEIGHT - MARGIN.bottom + MARGIN.top) / 2, 18, y, 'middle', 'transform="rotate(-90)"'),
    ...series.map((each, i) => line(each, i, horizontal, vertical, points.length < 100)),
    '</svg>\n',
  ].join('\n');
}

function line(series: Series, index: number, horizontal: Axis, vertical: Axis, dots: boolean): string {
  const colour = COLOURS[index % COLOURS.length] as string;
  const places = series.points.map(([x, y]) => [horizontal.place(x), vertical.place(y)] as const);
  const path = places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const legend = MARGIN.top + 14 + index * 20;
  return [
    `<polyline fill="none" stroke="${colour}" stroke-width="${dots ? 2 : 1}" points="${path}"/>`,
    ...(dots
      ? places.map(([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="${colour}"/>`)
      : []),
    `<rect x="${WIDTH - MARGIN.right + 14}" y="${legend - 9}" width="12" height="10" fill="${colour}"/>`,
    text(WIDTH - MARGIN.right + 32, legend, series.name, 'start'),
  ].join('\n');
}

/** A scale for all values from `from` to `to` (pixels); a linear one begins at 0. */
function axis(values: readonly number[], from: number, to: number, logarithmic: boolean): Axis {
  const highest = Math.max(...values);
  if (logarithmic) {
    const low = Math.floor(Math.log10(Math.max(1e-3, Math.min(...values))));
    const high = Math.max(low + 1, Math.ceil(Math.log10(highest)));
    const place = (value: number): number => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
    return { place, ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)) };
  }
  const step = niceStep(highest / 5);
  const top = Math.max(step, Math.ceil(highest / step) * step);
  return {
    place: (value) => from + (value / top) * (to - from),
    ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step),
  };
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)));
  return power * ([1, 2, 5, 10].find((factor) => power * factor >= rough) ?? 10);
}

function gridLine(x: number | undefined, y: number | undefined, tick: number): string {
  const [x1, x2] = x === undefined ? [MARGIN.left, WIDTH - MARGIN.right] : [x, x];
  const [y1, y2] = y === undefined ? [MARGIN.top, HEIGHT - MARGIN.bottom] : [y, y];
  const label =
    x === undefined
      ? text(MARGIN.left - 8, y1 + 4, shortNumber(tick), 'end')
      : text(x, HEIGHT - MARGIN.bottom + 18, shortNumber(tick), 'middle');
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>${label}`;
}

function shortNumber(value: number): string {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(2)} M`;
  return value >= 1e4 ? `${+(value / 1e3).toFixed(1)} k` : String(+value.toPrecision(3));
}

function text(x: number, y: number, content: string, anchor: string, more = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="#333" ${more}>${escape(content)}</text>`;
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
