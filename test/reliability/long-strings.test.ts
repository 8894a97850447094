/**
 * Texts of 100 kB take at most linear time, in every regular expression of `src` (found by the compiler's own parser)
 * and in the functions that read foreign text. Quadratic work would take tens of seconds of CPU time; measured are
 * milliseconds, and the limit is far from both.
 */
import { redactAddress } from '../../src/addresses.ts';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { operatorSpan, parseConstraint } from '../../src/apk/constraint.ts';
import { parseVersion } from '../../src/apk/version.ts';
import { CloseNames } from '../../src/answers/close-names.ts';
import { parseLookupQuery } from '../../src/answers/query.ts';
import { newestInRange } from '../../src/answers/range.ts';
import { errorLine, errorLines } from '../../src/errors.ts';
import { readPins } from '../../src/pins/read.ts';
import type { LiveDatasource } from '../../src/repository/live-datasource.ts';
import { parsePath } from '../../src/answers/target.ts';
import { parseHttpAuth } from '../../src/repository/credentials.ts';
import { parseRetryAfter } from '../../src/repository/fetch-error.ts';
import { parseNetrc } from '../../src/repository/netrc.ts';
import { proxyFor } from '../../src/repository/proxy.ts';
import { catalog, releases } from '../support/catalogs.ts';
import { finish } from '../../src/catalog/steps.ts';
import { pkg } from '../support/signed-index.ts';

const LENGTH = 100_000;
/** Microseconds of the processor for one function and all strings. */
const ALLOWED = 5_000_000;

const seeds = [
  'a', 'A', '0', ' ', '\t', '/', '-', '.', '_', '=', '@', ':', ',', '"', '\\', '%', '+', '~', '<', '[', '{', '\n', '\r\n',
  'a.', 'a-', 'a ', 'a,', '0.', '0-', '1.0', '_p', '-r1', '://', '//@', ':a@', '*.', '%41', 'a=', '{a', '-----BEGIN ', 'A ', 'é',
]; // prettier-ignore
const strings = seeds.flatMap((seed) => {
  const long = seed.repeat(Math.ceil(LENGTH / seed.length));
  return [long, `${long}\0`, `x${long}x`, `1.0${long}!`, `https://${long}`];
});

function processorTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const live = { name: 'wolfi' } as LiveDatasource;

interface Found {
  readonly where: string;
  readonly pattern: RegExp;
}

function expressionsIn(folder: string): readonly Found[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const source = ts.createSourceFile(
        name,
        readFileSync(join(folder, name), 'utf8'),
        ts.ScriptTarget.Latest,
        true,
      );
      const found: Found[] = [];
      const visit = (node: ts.Node): void => {
        if (ts.isRegularExpressionLiteral(node)) {
          const end = node.text.lastIndexOf('/');
          const { line } = source.getLineAndCharacterOfPosition(node.getStart());
          const pattern = new RegExp(node.text.slice(1, end), node.text.slice(end + 1));
          found.push({ where: `${name}:${line + 1} ${node.text}`, pattern });
        }
        ts.forEachChild(node, visit);
      };
      visit(source);
      return found;
    });
}

const expressions = expressionsIn(fileURLToPath(new URL('../../src', import.meta.url)));

test('the expressions are found', () => expect(expressions.length).toBeGreaterThan(20));

test.each(expressions.map(({ where, pattern }) => [where, pattern]))('%s', (_where, pattern) => {
  const time = processorTime(() => {
    for (const text of strings) text.replace(pattern, '');
  });
  expect(time).toBeLessThan(ALLOWED);
});

const app = catalog([pkg('app', '1.0-r0'), pkg('a'.repeat(250), '1.0-r0')]);
const functions: Record<string, (text: string) => unknown> = {
  parseVersion,
  parseConstraint,
  operatorSpan,
  parsePath: (text) => parsePath(`/${text}`, new Map([['wolfi', live]]), live),
  parseLookupQuery: (text) =>
    parseLookupQuery({ current: text, line: text, arch: text, strip: text }, ['x86_64']),
  newestInRange: (text) => finish(newestInRange(releases(app, 'app'), text)),
  closeNames: (text) => finish(finish(CloseNames.of(app.names())).to(text)),
  report: (text) => app.report(text),
  errorLine: (text) => errorLine(new Error(text)),
  errorLines: (text) => errorLines(new Error(text)),
  redactAddress,
  parseHttpAuth: (text) => parseHttpAuth(`basic:${text}`),
  parseNetrc: (text) => parseNetrc(text, '.netrc'),
  parseRetryAfter: (text) => parseRetryAfter(text, 0),
  // Longer ones take no other way, and reading every character by itself takes its time.
  dockerfile: (text) => readPins('Dockerfile', `FROM a\nRUN apk add ${text.slice(0, 5000)}`),
  definition: (text) => readPins('a.yaml', `contents:\n  packages: ["${text.slice(0, 5000)}"]`),
  proxyFor: (text) => proxyFor(new URL('https://a.example/'), { https_proxy: 'http://b', no_proxy: text }),
};

test.each(Object.entries(functions))('%s', (_name, call) => {
  const time = processorTime(() => {
    for (const text of strings) {
      try {
        call(text);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }
  });
  expect(time).toBeLessThan(ALLOWED);
});
