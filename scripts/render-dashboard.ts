/**
 * Draws deploy/grafana/apk-beacon.json as an SVG, without Grafana: runs every query of every panel in a Prometheus and
 * fails if one has no result. It shows the data of the dashboard, not Grafana's drawing.
 *
 * usage: node scripts/render-dashboard.ts PROMETHEUS_URL START END OUT   times in Unix seconds
 *
 * The picture in docs/images shows a day recorded by scripts/record-day.ts:
 *
 *   node scripts/record-day.ts FOLDER day.om                      # prints START and END
 *   promtool tsdb create-blocks-from openmetrics day.om day
 *   prometheus --config.file=/dev/null --storage.tsdb.path=day --storage.tsdb.retention.time=100y
 *   node scripts/render-dashboard.ts http://127.0.0.1:9090 START END docs/images/dashboard.svg
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface Panel {
  readonly title: string;
  readonly type: 'stat' | 'timeseries';
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: { readonly defaults: { readonly unit: string } };
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Series {
  readonly name: string;
  /** Unix seconds and value. */
  readonly points: readonly (readonly [number, number])[];
}

const [prometheus = '', from = '', to = '', out = ''] = process.argv.slice(2);
const UNIT = { width: 50, height: 34 };
const COLORS = ['#73bf69', '#f2cc0c', '#5794f2', '#ff780a', '#b877d9', '#f2495c', '#8ab8ff', '#96d98d'];
const [start, end] = [Number(from), Number(to)];
/** Seconds between two points of a line, by the width of a panel. */
const STEP = Math.max(1, Math.round((end - start) / 480));
/** Four scrapes, one a minute, as in Grafana, and no gap between two points. */
const RATE_INTERVAL = `${Math.max(240, 2 * STEP)}s`;

const { panels } = JSON.parse(readFileSync('deploy/grafana/apk-beacon.json', 'utf8')) as {
  panels: readonly Panel[];
};
const drawn = await Promise.all(panels.map(async (panel) => draw(panel, await seriesOf(panel))));
const height = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)) * UNIT.height;
writeFileSync(
  out,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${24 * UNIT.width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#111217"/>
${drawn.join('\n')}
</svg>
`,
);

async function seriesOf({ title, targets }: Panel): Promise<readonly Series[]> {
  const all = await Promise.all(targets.map(query));
  const series = all.flat();
  if (series.length === 0) throw new Error(`nothing for ${title}`);
  return series;
}

async function query({ expr, legendFormat }: Panel['targets'][number]): Promise<readonly Series[]> {
  const url = new URL('api/v1/query_range', prometheus);
  const text = expr.replaceAll('$datasource', '.*').replaceAll('$__rate_interval', RATE_INTERVAL);
  const parameters = { query: text, start, end, step: STEP };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value));
  const { data, error } = (await (await fetch(url)).json()) as {
    error?: string;
    data?: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  if (!data) throw new Error(`${text}: ${error}`);
  return data.result.map(({ metric, values }) => ({
    name: legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
    points: values
      .map(([time, value]) => [time, Number(value)] as const)
      .filter(([, value]) => !Number.isNaN(value)),
  }));
}

function draw(panel: Panel, series: readonly Series[]): string {
  const { x, y, w, h } = panel.gridPos;
  const box = {
    x: x * UNIT.width + 4,
    y: y * UNIT.height + 4,
    w: w * UNIT.width - 8,
    h: h * UNIT.height - 8,
  };
  const content = panel.type === 'stat' ? drawStat(panel, series, box) : drawLines(panel, series, box);
  return `<g transform="translate(${box.x} ${box.y})"><rect width="${box.w}" height="${box.h}" rx="3" fill="#181b1f" stroke="#2c3235"/>
<text x="10" y="20" fill="#d8d9da" font-weight="bold">${escape(panel.title)}</text>
${content}</g>`;
}

interface Size {
  readonly w: number;
  readonly h: number;
}

function drawStat({ fieldConfig }: Panel, series: readonly Series[], { w, h }: Size): string {
  const [first] = series;
  const value = format(first?.points.at(-1)?.[1] ?? NaN, fieldConfig.defaults.unit);
  return `<text x="${w / 2}" y="${h / 2 + 18}" fill="#73bf69" font-size="28" text-anchor="middle">${value}</text>
<text x="${w / 2}" y="${h - 12}" fill="#8e8e8e" text-anchor="middle">${escape(first?.name ?? '')}</text>`;
}

function drawLines({ fieldConfig }: Panel, series: readonly Series[], { w, h }: Size): string {
  const { unit } = fieldConfig.defaults;
  const longest = Math.max(...series.map(({ name }) => name.length));
  const columns = Math.min(3, Math.max(1, Math.floor((w - 20) / (24 + 6.2 * longest))));
  const legend = 14 * Math.ceil(series.length / columns);
  const frame = { left: 70, right: w - 12, top: 34, bottom: h - 38 - legend };
  const max = 1.1 * Math.max(1e-9, ...series.flatMap(({ points }) => points.map(([, value]) => value)));
  const px = (time: number): number =>
    frame.left + ((time - start) / (end - start)) * (frame.right - frame.left);
  const py = (value: number): number => frame.bottom - (value / max) * (frame.bottom - frame.top);
  const grid = [0, 0.5, 1].map((part) => {
    const at = py(part * max).toFixed(1);
    return `<path d="M${frame.left} ${at}H${frame.right}" stroke="#2c3235"/><text x="${frame.left - 6}" y="${Number(at) + 4}" fill="#8e8e8e" text-anchor="end">${format(part * max, unit)}</text>`;
  });
  const times = hours().map((time) => {
    const at = px(time).toFixed(1);
    return `<path d="M${at} ${frame.top}V${frame.bottom}" stroke="#2c3235" stroke-dasharray="2 4"/><text x="${at}" y="${frame.bottom + 15}" fill="#8e8e8e" font-size="11" text-anchor="middle">${new Date(time * 1000).toISOString().slice(11, 16)}</text>`;
  });
  const lines = series.map(({ name, points }, i) => {
    const color = COLORS[i % COLORS.length] ?? '';
    const path = points.map(([time, value]) => `${px(time).toFixed(1)} ${py(value).toFixed(1)}`).join('L');
    const [lx, ly] = [
      12 + ((i % columns) * (w - 20)) / columns,
      frame.bottom + 34 + 14 * Math.floor(i / columns),
    ];
    return `<path d="M${path}" fill="none" stroke="${color}" stroke-width="1.5"/><rect x="${lx}" y="${ly - 8}" width="10" height="4" fill="${color}"/><text x="${lx + 14}" y="${ly}" fill="#8e8e8e" font-size="11">${escape(name)}</text>`;
  });
  return [...grid, ...times, ...lines].join('\n');
}

/** Full hours (UTC) for the time axis, about six. */
function hours(): readonly number[] {
  const apart = 3600 * Math.max(1, Math.round((end - start) / 3600 / 6));
  const first = Math.ceil(start / apart) * apart;
  return Array.from({ length: Math.floor((end - first) / apart) + 1 }, (_, i) => first + i * apart);
}

function format(value: number, unit: string): string {
  if (unit === 'bytes') return `${(value / 2 ** 20).toFixed(0)} MiB`;
  if (unit !== 's')
    return value >= 1000 ? `${(value / 1000).toFixed(1)} k` : String(Number(value.toPrecision(3)));
  if (value >= 86_400) return `${(value / 86_400).toFixed(1)} d`;
  if (value >= 7200) return `${(value / 3600).toFixed(1)} h`;
  if (value >= 120) return `${(value / 60).toFixed(0)} min`;
  return value >= 1 ? `${Number(value.toPrecision(3))} s` : `${(value * 1000).toFixed(1)} ms`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
