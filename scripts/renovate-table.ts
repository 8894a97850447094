/** Writes the table of docs/renovate.md from the cases of the suite: what is found where, and what is not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { notAskedOf, readCases, type RoutingCase } from '../test/support/routing-cases.ts';

const document = new URL('../docs/renovate.md', import.meta.url);
const BEGIN = '<!-- made by: npm run renovate:table -->\n';
const END = '<!-- end of the table -->';

/** The document with the table of the current cases. */
export function withTable(text: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error('docs/renovate.md has no place for the table');
  return `${text.slice(0, from + BEGIN.length)}\n${table()}\n${text.slice(to)}`;
}

function table(): string {
  const rows = readCases()
    .toSorted((a, b) => (a.about < b.about ? -1 : 1))
    .map((each) => [each.about, filesOf(each), ...resultOf(each)].map((cell) => cell.replaceAll('|', '\\|')));
  const head = ['what', 'in', 'looked up in', 'not looked up, because'];
  const widths = head.map((title, i) =>
    Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0), title.length),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line), ''].join('\n');
}

/** `Dockerfile`, `.gitlab-ci.yml`, `*.yaml`. */
function filesOf({ files }: RoutingCase): string {
  const kinds = Object.keys(files).map((path) => {
    const name = path.split('/').at(-1) ?? '';
    if (/^(Docker|Container)file/.test(name)) return 'Dockerfile';
    if (path.includes('.github/')) return 'workflow';
    return name.startsWith('.') ? name : `*${/\.[a-z]+$/.exec(name)?.[0]}`;
  });
  return [...new Set(kinds)].toSorted().join(', ');
}

/** Datasources with the number of pins, and reasons. */
function resultOf({ expected }: RoutingCase): readonly [string, string] {
  const pins = Object.values(expected).flat();
  const asked = Map.groupBy(
    pins.filter((pin) => notAskedOf(pin) === undefined),
    (pin) => pin.split(' ')[1] ?? '',
  );
  const reasons = new Set(pins.flatMap((pin) => notAskedOf(pin) ?? []));
  const counts = [...asked].map(([datasource, all]) => `${datasource} (${all.length})`);
  return [counts.join(', ') || (pins.length === 0 ? 'no pins found' : '–'), [...reasons].join('; ') || '–'];
}

if (import.meta.main) writeFileSync(document, withTable(readFileSync(document, 'utf8')));
