import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { baselineText, parseBaseline } from '../../src/check/baseline.ts';
import { reportSchema } from '../../src/check/report-schema.ts';
import { formats, textReport, type Report } from '../../src/check/reports.ts';
import type { Finding } from '../../src/check/findings.ts';
import type { CheckFinding } from '../../src/library-types.ts';
import { checked } from '../support/checks.ts';

const files = {
  'Dockerfile': 'FROM alpine:3.22\nRUN apk add curl=8.12.0-r0 git==2.49.1-r0 && true\n',
  'a & "b"/#1?/image.yaml': 'contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages: ["curl=8.19.0-r0", "<evil\u001b[31m>"]\n',
}; // prettier-ignore
const { findings } = checked(files);
const report: Report = { files: 2, pins: 4, findings, known: 3 };

test('JSON matches the published schema', () => {
  const value = JSON.parse(formats.json(report)) as { findings: unknown[] };
  expect(reportSchema.safeParse(value).error?.issues).toBeUndefined();
  const isValid = new Ajv2020().compile(JSON.parse(readFileSync('docs/check.schema.json', 'utf8')) as object);
  isValid(value);
  expect(isValid.errors).toBeNull();
  expect(value).toMatchObject({
    version: 1,
    summary: { files: 2, pins: 4, known: 3, error: 2, warning: 1, note: 2 },
  });
  expect(value.findings[0]).toMatchObject({
    rule: 'withdrawn',
    file: 'Dockerfile',
    start: { line: 2, column: 13 },
    end: { line: 2, column: 27 },
    pin: 'curl=8.12.0-r0',
    datasource: 'alpine-3.22',
    target: '8.14.1-r2',
  });
});

test('the types of the library have all of a finding', () => {
  expectTypeOf<keyof CheckFinding>().toEqualTypeOf<keyof Finding>();
});

test('SARIF has the rules that were broken and places of all', () => {
  const { runs, version } = JSON.parse(formats.sarif(report)) as {
    version: string;
    runs: {
      tool: { driver: { rules: { id: string }[] } };
      results: { ruleId: string; ruleIndex: number; locations: object[] }[];
    }[];
  };
  expect(version).toBe('2.1.0');
  const [{ tool, results }] = runs as [(typeof runs)[number]];
  for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
  expect(results[0]?.locations).toEqual([
    {
      physicalLocation: {
        artifactLocation: { uri: 'Dockerfile', uriBaseId: '%SRCROOT%' },
        region: { startLine: 2, startColumn: 13, endLine: 2, endColumn: 27 },
      },
    },
  ]);
  expect(JSON.stringify(results.at(-1)?.locations)).toContain('"uri":"a%20%26%20%22b%22/%231%3F/image.yaml"');
});

test('code quality of GitLab', () => {
  const issues = JSON.parse(formats.codequality(report)) as Record<string, unknown>[];
  expect(issues[0]).toEqual({
    description: 'curl=8.12.0-r0: curl 8.12.0-r0 is in no index; the newest is 8.14.1-r2',
    check_name: 'withdrawn',
    fingerprint: findings[0]?.fingerprint,
    severity: 'major',
    location: { path: 'Dockerfile', lines: { begin: 2 } },
  });
  expect(new Set(issues.map(({ fingerprint }) => fingerprint)).size).toBe(issues.length);
});

test('JUnit: a test a file, failed if it has errors, and nothing of it breaks XML', () => {
  const xml = formats.junit(report);
  expect(xml).toContain('<testsuite name="apk-beacon check" tests="2" failures="2">');
  expect(xml).toContain('name="a &amp; &quot;b&quot;/#1?/image.yaml"');
  expect(xml).toMatch(
    /<failure type="withdrawn" message="(2:13 curl=8\.12\.0-r0: curl 8\.12\.0-r0 is in no index[^"]*)">\1<\/failure>/,
  );
  expect(xml).toContain('message="3:33 &lt;evil\\u{1b}[31m&gt;: ');
  expect(xml).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
});

test('JUnit: all errors of a file are the text of one failure, because GitLab shows no attributes', () => {
  const text = 'FROM alpine:3.22\nRUN apk add curl=8.12.0-r0 nobody git=1-r0\n';
  const all = checked({ Dockerfile: text }).findings;
  const xml = formats.junit({ files: 1, pins: 3, findings: all, known: 0 });
  expect(xml).toContain('tests="1" failures="1"');
  expect(xml).toMatch(
    /<failure type="withdrawn unknown-name" message="3 errors">2:13 curl=.*\n2:28 nobody: .*\n2:35 git=1-r0: .*<\/failure>/,
  );
});

test('annotations of GitHub', () => {
  expect(formats.github(report).split('\n')[0]).toBe(
    '::error file=Dockerfile,line=2,endLine=2,col=13,endColumn=27,title=withdrawn::curl=8.12.0-r0: curl 8.12.0-r0 is in no index; the newest is 8.14.1-r2',
  );
});

describe('text', () => {
  const text = (all: boolean): string => textReport(report, { all, colour: (_, each) => each });
  test('files with their findings, and a summary', () => {
    expect(text(false).split('\n').slice(0, 4)).toEqual([
      'Dockerfile',
      '  2:13  error  curl=8.12.0-r0  curl 8.12.0-r0 is in no index; the newest is 8.14.1-r2; --fix takes 8.14.1-r2  withdrawn',
      '',
      'a & "b"/#1?/image.yaml',
    ]);
    expect(text(false)).toMatch(
      /^4 packages in 2 files: 2 errors, 1 warning, 2 notes \(shown by --all\); 3 more in the baseline$/m,
    );
  });
  test('notes on request', () => {
    expect(text(false)).not.toContain('double-equals');
    expect(text(true)).toContain('double-equals');
  });
});

describe('baseline', () => {
  test('matches a finding whose line has moved, and no second one', () => {
    const known = parseBaseline(baselineText(findings), 'x');
    const moved = { ...files, Dockerfile: `# a\n# b\n${files.Dockerfile}RUN apk add curl=8.12.0-r0\n` };
    const fresh = checked(moved).findings.filter(({ fingerprint }) => !known.has(fingerprint));
    expect(fresh.map(({ start, rule }) => [start.line, rule])).toEqual([[5, 'withdrawn']]);
  });
  test.each(['', '[]', '{"version":2,"findings":[]}', '{"version":1,"findings":[1]}'])(
    '%j is none',
    (text) => {
      expect(() => parseBaseline(text, 'base.json')).toThrow(/^base\.json: not /);
    },
  );
});
