import { describe, expect, test } from 'vitest';
import { pinsIn, placed, read } from '../support/pins.ts';

const found = (text: string): readonly string[] => placed('Dockerfile', text);

describe('instructions', () => {
  test('continued lines with comments, empty lines and blanks behind the backslash', () => {
    expect(
      found(
        'FROM alpine:3.22\nRUN apk add \\ \n  # no=1\n  a=1 \\\t\n\n  b=2 \\\n  # last\n  c=3\nRUN apk add d=4\n',
      ),
    ).toEqual(['4:3 a=1', '6:3 b=2', '8:3 c=3', '9:13 d=4']);
  });

  test('a comment within a continued line ends the command, as it does for the shell', () => {
    expect(found('FROM alpine:3.22\nRUN apk add a=1 # why \\\n  b=2\nRUN apk add c=3')).toEqual([
      '2:13 a=1',
      '4:13 c=3',
    ]);
  });

  test('the escape directive', () => {
    expect(found('# escape=`\nFROM alpine:3.22\nRUN apk add a=1 `\n  b=2\n')).toEqual([
      '3:13 a=1',
      '4:3 b=2',
    ]);
    expect(found('FROM alpine:3.22\n# escape=`\nRUN apk add a=1 \\\n  b=2\n')).toEqual([
      '3:13 a=1',
      '4:3 b=2',
    ]);
  });

  test('here-documents: scripts, other languages, files, several, quoted, with tabs, in ONBUILD', () => {
    const text = [
      'FROM alpine:3.22',
      'RUN <<EOF',
      'apk add a=1 \\',
      '  b=2',
      'FROM no',
      'EOF',
      'RUN <<EOF python3',
      'apk add no=1',
      'EOF',
      'COPY <<EOF /install.sh',
      'apk add no=1',
      'RUN apk add no=1',
      'EOF',
      "RUN <<-'ONE' sh -ex && cat <<TWO",
      '\tapk add c=3',
      '\tONE',
      'apk add no=1',
      'TWO',
      'ONBUILD RUN <<EOF',
      '#!/bin/sh',
      'apk add d=4',
      'EOF',
      'RUN <<EOF',
      '#!/usr/bin/env python3',
      'apk add no=1',
      'EOF',
      'RUN apk add e=5 <<NEVER',
      'RUN apk add f=6',
    ].join('\n');
    expect(found(text)).toEqual(['3:9 a=1', '4:3 b=2', '15:10 c=3', '21:9 d=4', '27:13 e=5', '28:13 f=6']);
  });

  test('a delimiter with a blank behind it does not end a here-document, as for BuildKit', () => {
    const text = 'FROM alpine:3.22\nCOPY <<EOF /x\nEOF \nRUN apk add no=1\nEOF\nRUN apk add a=1\n';
    expect(found(text)).toEqual(['6:13 a=1']);
  });

  test('flags, the JSON form, lower case, indentation, CRLF, a byte order mark, no line break at the end', () => {
    expect(
      found(
        '\uFEFFfrom alpine:3.22\r\n  run --mount=type=cache,target=/x --network=none apk add \\\r\n  a=1\r\nRUN ["apk", "add", "b=2"]\r\nRUN ["sh","-c","apk add \\"c=3\\" d=4"]\r\nONBUILD RUN apk add e=5',
      ),
    ).toEqual(['3:3 a=1', '4:21 b=2', '5:27 c=3', '5:33 d=4', '6:21 e=5']);
  });

  test('lines of a template engine between the packages', () => {
    expect(found('FROM alpine:3.22\nRUN apk add \\\n{% if x %}\n  a=1 \\\n{% endif %}\n  b=2\n')).toEqual([
      '4:3 a=1',
      '6:3 b=2',
    ]);
  });

  test('only RUN adds packages', () => {
    expect(
      found(
        'FROM alpine:3.22\nENV HELP="run apk add a=1"\nLABEL x="; apk add a=1"\nCMD apk add a=1\nENTRYPOINT ["apk","add","a=1"]\nHEALTHCHECK CMD apk add a=1\n# RUN apk add a=1\n',
      ),
    ).toEqual([]);
  });
});

describe('ARG and ENV', () => {
  const versions = (text: string): readonly string[] => pinsIn('Dockerfile', text).map((pin) => pin.text);

  test.each([
    ['ARG V=1\nFROM alpine\nARG V\nRUN apk add a=$V', ['a=1']],
    ['FROM alpine\nARG V=1\nENV V=2\nRUN apk add a=$V', ['a=2']],
    ['FROM alpine AS one\nENV V=1\nFROM one\nRUN apk add a=$V', ['a=1']],
    // https://docs.docker.com/build/building/variables/#scoping
    [
      'FROM alpine AS one\nARG V=1\nFROM one AS two\nARG W=2\nFROM two\nRUN apk add a=$V b=$W',
      ['a=1', 'b=2'],
    ],
    ['FROM alpine\nENV V 1.0-r0\nRUN apk add a=$V', ['a=1.0-r0']],
    ['FROM alpine\nENV A="1" B=\'2\' \\\n  C=3\nRUN apk add a=$A b=$B c=$C', ['a=1', 'b=2', 'c=3']],
    ['FROM alpine\nARG A=1\nARG B=$A-r0\nRUN apk add a=$B', ['a=1-r0']],
    ['FROM alpine\nARG P="a=1 b=2"\nRUN apk add $P', ['a=1', 'b=2']],
    ['FROM alpine\nENV V=1\nENV V=2 W=$V\nRUN apk add a=$V b=$W', ['a=2', 'b=1']],
    ['FROM alpine\nARG V=1\nRUN V=2; apk add a=$V', ['a=2']],
    ['FROM alpine\nARG V=1\nRUN apk add a=${V} b="${W:-2}"', ['a=1', 'b=2']],
  ])('%j', (text, expected) => expect(versions(text)).toEqual(expected));

  test.each([
    // An ARG in front of FROM is not seen in a stage that does not declare it.
    'ARG V=1\nFROM alpine\nRUN apk add a=$V',
    'FROM alpine\nARG V\nRUN apk add a=$V',
    'FROM alpine\nRUN apk add a=$V\nARG V=1',
  ])('%j: not known, and noted', (text) => {
    expect(versions(text)).toEqual([]);
    expect(read('Dockerfile', text)?.notes.map(({ reason }) => reason)).toEqual(['unknown-variable']);
  });

  test('defaults that double do not grow without end', () => {
    const text = `FROM alpine\nARG V0=aaaaaaaa\n${Array.from({ length: 80 }, (_, i) => `ARG V${i + 1}=$V${i}$V${i}`).join('\n')}\nRUN apk add a=$V80 b=1`;
    expect(versions(text)).toEqual(['b=1']);
  });
});

test('the pins of a command have that for their world and their stage for their route', () => {
  const pins = pinsIn(
    'Dockerfile',
    'FROM alpine:3.22 AS a\nRUN apk add x=1\nRUN apk add y=1\nFROM alpine:3.24\nRUN apk add x=2',
  );
  expect(pins.map(({ world, context }) => [world, context['from']])).toEqual([
    [26, 'FROM alpine:3.22 AS a'],
    [42, 'FROM alpine:3.22 AS a'],
    [75, 'FROM alpine:3.24'],
  ]);
});

test('a byte order mark does not hide the first stage', () => {
  const [pin] = pinsIn('Dockerfile', '\uFEFFFROM alpine:3.22\nRUN apk add x=1\n');
  expect(pin?.context).toMatchObject({ from: 'FROM alpine:3.22', file: 'FROM alpine:3.22' });
});

test('the old form of ENV has the rest of the line', () => {
  const text =
    'FROM alpine:3.22\nENV ALL a=1 b=2\nENV QUOTED "c=3 d"\nENV V  1.0-r0  \nENV W x$V\nRUN apk add $ALL $QUOTED e=$V f=$W\n';
  expect(placed('Dockerfile', text)).toEqual([
    '2:9 a=1',
    '2:13 b=2',
    '3:13 c=3',
    '3:17 d',
    '6:26 e=1.0-r0',
    '6:31 f=x1.0-r0',
  ]);
});
