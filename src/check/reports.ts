/** A report in the formats of other tools. */
import { counted, printable } from '../errors.ts';
import { version } from '../version.ts';
import { escapeXml } from '../xml.ts';
import type { Finding } from './findings.ts';
import { levelOf, project, rulePage, rules, type Level } from './rules.ts';

export interface Report {
  /** The number of files with packages. */
  readonly files: number;
  readonly pins: number;
  /** Without those in the baseline. */
  readonly findings: readonly Finding[];
  /** The number of findings in the baseline. */
  readonly known: number;
}

export const formats = {
  json: jsonReport,
  sarif: sarifReport,
  codequality: codeQualityReport,
  junit: junitReport,
  github: githubReport,
} as const;

export type Format = keyof typeof formats;

export function isFormat(word: string): word is Format {
  return Object.hasOwn(formats, word);
}

/** Its schema is docs/check.schema.json. */
function jsonReport({ files, pins, findings, known }: Report): string {
  const counts = Object.fromEntries(
    (['error', 'warning', 'note'] as const).map((level) => [
      level,
      findings.filter((each) => each.level === level).length,
    ]),
  );
  return `${JSON.stringify({ version: 1, summary: { files, pins, known, ...counts }, findings }, undefined, 2)}\n`;
}

/** https://docs.oasis-open.org/sarif/sarif/v2.1.0/ */
function sarifReport({ findings }: Report): string {
  const used = rules.filter(({ id }) => findings.some(({ rule }) => rule === id));
  const driver = {
    name: 'apk-beacon',
    version,
    informationUri: project,
    rules: used.map(({ id, level, summary }) => ({
      id,
      shortDescription: { text: sentence(summary) },
      helpUri: rulePage(id),
      defaultConfiguration: { level },
    })),
  };
  const results = findings.map(({ rule, level, message, pin, file, start, end, fingerprint }) => ({
    ruleId: rule,
    ruleIndex: used.findIndex(({ id }) => id === rule),
    level,
    message: { text: pin === undefined ? message : `${pin}: ${message}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: {
            uri: file.split('/').map(encodeURIComponent).join('/'),
            uriBaseId: '%SRCROOT%',
          },
          region: {
            startLine: start.line,
            startColumn: start.column,
            endLine: end.line,
            endColumn: end.column,
          },
        },
      },
    ],
    partialFingerprints: { 'apkBeacon/v1': fingerprint },
  }));
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, columnKind: 'utf16CodeUnits', results }],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

/** https://docs.gitlab.com/ci/testing/code_quality/ */
function codeQualityReport({ findings }: Report): string {
  const severities: Readonly<Record<Level, string>> = { error: 'major', warning: 'minor', note: 'info' };
  const issues = findings.map(({ rule, level, message, pin, file, start, fingerprint }) => ({
    description: pin === undefined ? message : `${pin}: ${message}`,
    check_name: rule,
    fingerprint,
    severity: severities[level],
    location: { path: file, lines: { begin: start.line } },
  }));
  return `${JSON.stringify(issues, undefined, 2)}\n`;
}

/** A test case per file, with its errors as one failure and warnings as output. GitLab shows only the text of a failure. */
function junitReport({ findings }: Report): string {
  const files = Map.groupBy(findings, ({ file }) => file);
  const cases = [...files].map(([file, all]) => {
    const errors = all.filter(({ level }) => level === 'error');
    const lines = errors.map((each) => xml(line(each)));
    const types = [...new Set(errors.map(({ rule }) => rule))].join(' ');
    const message = lines.length === 1 ? lines[0] : `${lines.length} errors`;
    const failures =
      lines.length === 0
        ? []
        : [`      <failure type="${types}" message="${message}">${lines.join('\n')}</failure>`];
    const others = all.filter(({ level }) => level === 'warning').map(line);
    const output =
      others.length === 0 ? [] : [`      <system-out>${others.map(xml).join('\n')}</system-out>`];
    return [
      `    <testcase classname="apk-beacon" name="${xml(file)}" file="${xml(file)}">`,
      ...failures,
      ...output,
      '    </testcase>',
    ].join('\n');
  });
  const failed = [...files.values()].filter((all) => all.some(({ level }) => level === 'error')).length;
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite name="apk-beacon check" tests="${files.size}" failures="${failed}">`,
    ...cases,
    '  </testsuite>',
    '</testsuites>',
  ].join('\n')}\n`;
}

/** https://docs.github.com/actions/reference/workflow-commands-for-github-actions */
function githubReport({ findings }: Report): string {
  const commands: Readonly<Record<Level, string>> = { error: 'error', warning: 'warning', note: 'notice' };
  const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
  const data = (text: string): string =>
    text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  return findings
    .map(({ rule, level, message, pin, file, start, end }) => {
      const text = pin === undefined ? message : `${pin}: ${message}`;
      const place = `file=${property(file)},line=${start.line},endLine=${end.line},col=${start.column},endColumn=${end.column}`;
      return `::${commands[level]} ${place},title=${rule}::${data(text)}\n`;
    })
    .join('');
}

function line({ start, pin, message }: Finding): string {
  return `${start.line}:${start.column} ${pin === undefined ? '' : `${pin}: `}${message}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function xml(text: string): string {
  return escapeXml(printable(text));
}

type Colour = 'red' | 'yellow' | 'dim' | 'bold' | 'green';

/** For people: files with their findings, the worst last so that it stays visible, and a summary. */
export function textReport(
  { files, pins, findings, known }: Report,
  { all, colour }: { readonly all: boolean; readonly colour: (colour: Colour, text: string) => string },
): string {
  const shown = findings.filter(({ level }) => all || level !== 'note');
  const colours: Readonly<Record<Level, Colour>> = { error: 'red', warning: 'yellow', note: 'dim' };
  const parts = [...Map.groupBy(shown, ({ file }) => file)].map(([file, own]) => {
    const rows = own.map(({ start, level, pin, message, rule, target }) => [
      `${start.line}:${start.column}`,
      level,
      printable(pin ?? ''),
      printable(message) +
        (target !== undefined && rule !== 'behind' && levelOf(rule) === 'error'
          ? `; --fix takes ${target}`
          : ''),
      rule,
    ]);
    const widths = [0, 1, 2].map((i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
    const lines = rows.map(([place = '', level = '', pin = '', message = '', rule = '']) => {
      const kind = colour(colours[level as Level], level.padEnd(widths[1] ?? 0));
      return `  ${place.padEnd(widths[0] ?? 0)}  ${kind}  ${pin.padEnd(widths[2] ?? 0)}  ${message}  ${colour('dim', rule)}`;
    });
    return `${colour('bold', printable(file))}\n${lines.join('\n')}\n`;
  });
  const count = (level: Level): string => {
    const number = findings.filter((each) => each.level === level).length;
    const text = counted(number, level);
    return number === 0 ? text : colour(colours[level], text);
  };
  const hidden = all ? '' : findings.some(({ level }) => level === 'note') ? ' (shown by --all)' : '';
  const baseline = known === 0 ? '' : `; ${known} more in the baseline`;
  const summary = `${counted(pins, 'package')} in ${counted(files, 'file')}: ${count('error')}, ${count('warning')}, ${count('note')}${hidden}${baseline}`;
  return `${[...parts, summary].join('\n')}\n`;
}
