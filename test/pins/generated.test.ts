/** A generated corpus: every literal pin is found at its place, nothing else is found, and nothing crashes. */
import { globSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPins } from '../../src/pins/read.ts';
import { unusualBlanks } from '../support/pins.ts';
import { Random } from '../support/random.ts';

const name = fc
  .stringMatching(/^[a-z][a-z0-9]{0,6}(?:[+-][a-z0-9]{1,3})?$/)
  .filter((each) => !/^(?:apk|add|no)/.test(each));
const version = fc.stringMatching(/^[0-9]{1,2}\.[0-9]{1,2}(?:_p1)?-r[0-9]$/);
const pin = fc.tuple(name, fc.constantFrom('=', '~', '=~'), version).map((parts) => parts.join(''));
const pins = fc.array(pin, { minLength: 1, maxLength: 4 });

/** A piece of a file, with the pins that stand in it in their order. */
interface Piece {
  readonly text: string;
  readonly pins: readonly string[];
}
const piece = (text: string, found: readonly string[] = []): Piece => ({ text, pins: found });
const quotes = fc.constantFrom('', "'", '"');

const run: fc.Arbitrary<Piece> = fc.oneof(
  fc
    .tuple(pins, quotes, fc.constantFrom(' ', ' \\\n    ', ' \\  \n # comment no=1.0-r0\n    '))
    .map(([all, quote, gap]) =>
      piece(`RUN apk add --no-cache${gap}${all.map((each) => quote + each + quote).join(gap)}\n`, all),
    ),
  pins.map((all) =>
    piece(`RUN set -eux; \\\n  if true; then apk -U add ${all.join(' ')}; fi && echo no=1.0-r0\n`, all),
  ),
  pins.map((all) => piece(`RUN <<EOF\napk add ${all.join(' ')}\necho apk add no=1.0-r0\nEOF\n`, all)),
  pins.map((all) => piece(`RUN ["/bin/sh", "-c", "apk add ${all.join(' ')}"]\n`, all)),
  pins.map((all) => piece(`RUN sh -c 'apk add ${all.join(' ')}' || true\n`, all)),
  pins.map((all) =>
    piece(`RUN apk add -t .no=1.0-r0 -X https://example.com/no=1 ${all.join(' ')} > /no=1\n`, all),
  ),
);
const decoy: fc.Arbitrary<Piece> = fc
  .constantFrom(
    '# RUN apk add no=1.0-r0\n',
    'RUN echo "apk add no=1.0-r0" && apk del no=1.0-r0\n',
    'ENV X="apk add no=1.0-r0"\n',
    'RUN cat <<EOF > /x\napk add no=1.0-r0\nFROM no\nEOF\n',
    'COPY <<EOF /x\nRUN apk add no=1.0-r0\nEOF\n',
    'CMD apk add no=1.0-r0\n',
    'RUN pip install no==1.0 && apt-get install no=1.0-1\n',
    'FROM alpine:3.22 AS no\n',
    '\n',
  )
  .map((text) => piece(text));
const dockerfile = fc
  .array(fc.oneof(run, decoy), { maxLength: 12 })
  .map((all) => [piece('FROM alpine:3.22\n'), ...all]);

const item = fc
  .tuple(pin, fc.constantFrom('', '"', "'"), fc.constantFrom('', ' # no=1.0-r0'))
  .map(([each, quote, comment]) => piece(`    - ${quote}${each}${quote}${comment}\n`, [each]));
const definition = fc
  .array(item, { minLength: 1, maxLength: 8 })
  .map((all) => [
    piece(
      '# no=1.0-r0\ncontents:\n  repositories:\n    - https://packages.wolfi.dev/os\n  packages:\n    - plain\n',
    ),
    ...all,
    piece('environment:\n  X: no=1.0-r0\npaths:\n  - path: /no=1.0-r0\n'),
  ]);

test.each([
  ['Dockerfile', dockerfile],
  ['image.yaml', definition],
])('%s: all pins and only pins, where they stand', (path, files) => {
  fc.assert(
    fc.property(files, fc.constantFrom('\n', '\r\n'), (pieces, end) => {
      const text = pieces
        .map((each) => each.text)
        .join('')
        .replaceAll('\n', end);
      const found = (readPins(path, text)?.pins ?? []).filter(({ operator }) => operator !== '');
      expect(found.map((each) => each.text)).toEqual(pieces.flatMap((each) => each.pins));
      for (const { range, text: spelled, version: own, versionRange } of found) {
        expect(text.slice(range.start, range.end)).toBe(spelled);
        expect(text.slice(versionRange?.start, versionRange?.end)).toBe(own);
      }
    }),
    { numRuns: 500 },
  );
});

test('cut, doubled and mixed files crash nothing, and every place is within the file', () => {
  const random = new Random(19);
  const files = globSync('test/fixtures/{routing,pins}/**/*').flatMap((path) => {
    try {
      return [{ path, text: readFileSync(path, 'utf8') }];
    } catch {
      return [];
    }
  });
  for (let round = 0; round < 3000; round += 1) {
    const { path, text } = random.pick(files);
    const { text: other } = random.pick(files);
    const cut = (from: string): string =>
      from.slice(random.integer(from.length + 1), random.integer(from.length + 1));
    const junk = random.pick([
      '',
      '"',
      "'",
      '\\',
      '${',
      '$(',
      '<<EOF\n',
      '\uFFFF',
      '\0',
      '[',
      '{',
      '&a *a',
      '\t',
      '|',
      '>-\n',
      '\r',
      ...unusualBlanks,
    ]);
    const mixed = text.slice(0, random.integer(text.length + 1)) + junk + cut(other) + junk + cut(text);
    for (const { range, version: own, versionRange } of readPins(path, mixed)?.pins ?? []) {
      expect(range.start >= 0 && range.start < mixed.length).toBe(true);
      if (versionRange) expect(mixed.slice(versionRange.start, versionRange.end)).toBe(own);
    }
  }
});

test('junk of any kind in any kind of file: reading ends', () => {
  const random = new Random(293);
  const paths = [
    ...['x.sh', 'Dockerfile', '.gitlab-ci.yml', 'ci/jobs.yml', 'compose.yaml', 'image.yaml', 'x.lock.json'],
    'tool',
  ];
  const starts: Readonly<Record<string, string>> = {
    Dockerfile: 'FROM alpine:3.22\nRUN ',
    '.gitlab-ci.yml': 'job:\n  script:\n    - |\n      apk add ',
    'ci/jobs.yml': 'job:\n  script:\n    - |\n      apk add ',
    'compose.yaml': 'services:\n  a:\n    command: |\n      apk add ',
    'image.yaml': 'contents:\n  packages:\n    - a=1.0-r0',
    tool: '#!/bin/sh\n',
  };
  const words = [
    'apk',
    ' add ',
    'a=1.0-r0',
    'RUN ',
    'ARG ',
    'FROM ',
    '\n',
    '\n      ',
    'sh -c ',
    'V=',
    '$V',
    'E',
  ];
  const signs = [
    '<<E\n',
    '<<-',
    '<<<',
    '>(',
    '$(',
    '$((',
    '((',
    '))',
    '${',
    '${V:-',
    '{{',
    '<%',
    '$[[',
    '$',
    '\0',
  ];
  const single = [...'\'"`\\(){}[]<>;&|#!*-:,=~@^ \t\r\n'];
  for (let round = 0; round < 4000; round += 1) {
    const path = random.pick(paths);
    let text = random.pick(['', '\uFEFF']) + (starts[path] ?? '');
    for (let length = random.integer(30); length > 0; length -= 1) {
      const parts = random.pick([words, signs, single, unusualBlanks, undefined]);
      text += parts ? random.pick(parts) : String.fromCharCode(random.integer(0x10000));
    }
    for (const { range, version: own, versionRange } of readPins(path, text)?.pins ?? []) {
      expect(range.start >= 0 && range.start < text.length).toBe(true);
      if (versionRange) expect(text.slice(versionRange.start, versionRange.end)).toBe(own);
    }
  }
});
