/** Which packages a shell would hand to `apk add`. */
import { describe, expect, test } from 'vitest';
import { shellCommands } from '../../src/pins/shell.ts';
import { plainText } from '../../src/pins/text.ts';
import { parsePinContext } from '../../src/routing/pin-context.ts';
import { pinsIn, placed, read, unusualBlanks } from '../support/pins.ts';

/** Words behind `apk add`, by position. */
const found = (script: string): readonly string[] => placed('x.sh', script);

describe('words of PACKAGES of the image builder', () => {
  test.each<[string, readonly string[]]>([
    ['make image PROFILE=x PACKAGES="a=1 -b=2 c d~2"', ['1:32 a=1', '1:43 d~2']],
    ['sudo /usr/bin/make -C x image PACKAGES="\\\n  a=1~0f-r1 \\\n  b=2"', ['2:3 a=1~0f-r1', '3:3 b=2']],
    ['P=\'a=1\'\nmake image PACKAGES="$P b=2"', ['1:4 a=1', '2:25 b=2']],
    ['make image PACKAGES=a=1 FILES=files', ['1:21 a=1']],
    ['make image PACKAGES="a b -c"\nmake image PROFILE=a=1', []],
    ['make test PACKAGES="a=1"', []],
    ['echo make image PACKAGES="a=1"', []],
  ])('%j', (script, expected) => {
    expect(found(script)).toEqual(expected);
  });

  test('in a Dockerfile and in a GitLab CI file', () => {
    const stage =
      'FROM openwrt/imagebuilder:x86-64-v25.12.1\nENV P="a=1"\nRUN make image \\\n  PACKAGES="$P b=2"';
    expect(placed('Dockerfile', stage)).toEqual(['2:8 a=1', '4:16 b=2']);
    const job = 'variables:\n  LIST: "a=1"\njob:\n  script:\n    - make image PACKAGES="$LIST b=2"';
    expect(placed('.gitlab-ci.yml', job)).toEqual(['2:10 a=1', '5:34 b=2']);
  });
});

describe('words of apk add', () => {
  test.each([
    ['apk add a=1-r0 b', ['1:9 a=1-r0', '1:16 b']],
    ['apk add \'a=1\' "b=2" c="3" d\'=\'4', ['1:10 a=1', '1:16 b=2', '1:21 c=3', '1:27 d=4']],
    ['apk add a=1 \\\n  b=2 # c=3\napk add d=4', ['1:9 a=1', '2:3 b=2', '3:9 d=4']],
    ['apk --no-cache -X https://e.org/main add -t .deps=1 --virtual x a=1', ['1:65 a=1']],
    ['apk add --repository=https://e.org/main -U a=1', ['1:44 a=1']],
    ['apk -U --update-cache add --no-cache a=1', ['1:38 a=1']],
    [
      'sudo -E apk add a=1; timeout 60 /sbin/apk add b=2 || apk.static add c=3',
      ['1:17 a=1', '1:47 b=2', '1:69 c=3'],
    ],
    ['if true; then apk add a=1; else apk add b=2; fi', ['1:23 a=1', '1:41 b=2']],
    ['{ apk add a=1; } && (apk add b=2) & ! apk add c=3', ['1:11 a=1', '1:30 b=2', '1:47 c=3']],
    ['x=$(apk add a=1) y=`apk add b=2`', ['1:13 a=1', '1:29 b=2']],
    ['sh -c "apk add \'a=1\' $X"', ['1:17 a=1']],
    [
      "sudo bash -exc 'apk add a=1'; su user -c 'apk add b=2'; eval 'apk add c=3'",
      ['1:25 a=1', '1:51 b=2', '1:71 c=3'],
    ],
    ['echo hi | xargs apk add a=1 >/dev/null 2>&1', ['1:25 a=1']],
    ['apk add a>=1 "b>=2"', ['1:9 a', '1:15 b>=2']],
    ['apk add a=1 2>/dev/null <in b=2', ['1:9 a=1', '1:29 b=2']],
    ['sh <<EOF\napk add a=1\nEOF\napk add b=2', ['2:9 a=1', '4:9 b=2']],
    ['cat > x <<-"EOF"\n\tapk add no=1\n\tEOF\napk add b=2', ['4:9 b=2']],
    ['sh <<-E\n\tcat > x <<F\n\tapk add no=1\n\tF\n\t\tapk add a=1\nE\napk add b=2', ['5:11 a=1', '7:9 b=2']],
    ['python3 <<EOF\napk add no=1\nEOF', []],
    ['cat <<E | sh\napk add a=1\nE\ncat <<E | tee x | sudo sh -ex\napk add b=2\nE', ['2:9 a=1', '5:9 b=2']],
    [
      'cat <<E | grep x\napk add no=1\nE\ncat <<E || sh\napk add no=1\nE\npython3 <<E | sh\napk add no=1\nE',
      [],
    ],
    ['cat <<E |\napk add no=1\nE\nsh', []],
    ['sh -s one two <<E\napk add a=1\nE\nbash -eo pipefail <<E\napk add b=2\nE', ['2:9 a=1', '5:9 b=2']],
    ['sh x.sh <<E\napk add no=1\nE\nbash -c x <<E\napk add no=1\nE\nsh -e x -s <<E\napk add no=1\nE', []],
    [
      'ssh -p 22 -i key root@host <<E\napk add a=1\nE\nssh host -T <<E\napk add b=2\nE',
      ['2:9 a=1', '5:9 b=2'],
    ],
    ['ssh host cat <<E\napk add no=1\nE\nssh host python3 - <<E\napk add no=1\nE', []],
    ['cat <<E | ssh host sh\napk add a=1\nE', ['2:9 a=1']],
    ['(( x = 1 << 2 ))\napk add a=1\n2\n', ['2:9 a=1']],
    ['for ((i = 1 << N; i < (2); i++)); do apk add a=1; done\nN', ['1:46 a=1']],
    [
      'if ((x<<E)) && (apk add a=1); then ((apk add b=2); (apk add c=3)); fi\nE',
      ['1:25 a=1', '1:46 b=2', '1:61 c=3'],
    ],
    ['x=$((1 << (2 + (E)))); apk add a=1\nE', ['1:32 a=1']],
    ['let x=1<<2\ncat <<"END"\napk add a=1', ['3:9 a=1']],
    ['cat <<A <<B\napk add no=1\nA\napk add a=1', ['4:9 a=1']],
    [
      'x=$(cat <<E\napk add no=1\nE\n) && apk add a=1; y=$(sh <<E\napk add b=2\nE\n)',
      ['4:14 a=1', '5:9 b=2'],
    ],
    ['cat <<-E\n\tno\n\tE\ncat <<E\napk add no=1\n\tE\nE\r\napk add a=1', ['8:9 a=1']],
    [
      'apk add ./local.apk /x.apk a@edge !b so:libc.so.6=1 libstdc++=1',
      ['1:28 a@edge', '1:38 so:libc.so.6=1', '1:53 libstdc++=1'],
    ],
    ['apk add "$(cat list)" $1 a=1 "$@"', ['1:26 a=1']],
    ['xx-apk add a=1', ['1:12 a=1']],
    ['docker run --rm "$image" "apk add a=1 && x"; ssh host "sudo apk add b=2"', ['1:35 a=1', '1:69 b=2']],
    ['apk add {{ all }} a=1 b={{ version }} c', ['1:19 a=1', '1:39 c']],
    ['apk add <%= all %> a=1 b=<%= v %> $[[ inputs.all ]] c', ['1:20 a=1', '1:53 c']],
    ['apk add a=1 <% b', ['1:9 a=1', '1:16 b']],
  ])('%s', (script, expected) => expect(found(script)).toEqual(expected));

  test.each([
    'echo apk add a=1',
    'echo "x; apk add a=1"',
    'printf "apk add a=1"',
    '# apk add a=1',
    'true # apk add a=1',
    'apk del a=1; apk info -e b=1; apk fetch c=1; apk search apk add',
    'apk',
    'apk add',
    "x='apk add a=1'",
    'apt-get install apk-tools a=1',
  ])('none in %s', (script) => expect(found(script)).toEqual([]));
});

test.each(['-X ', '-X', '-UX ', '-U --repository=', '--repository ', '"--repository=', '"-X" "'])(
  'the repository of a command, by %s',
  (option) => {
    const address = 'https://apks.example.com/os';
    const [pin] = pinsIn('x.sh', `apk add ${option}${address}${option.includes('"') ? '"' : ''} a=1`);
    expect(parsePinContext(pin?.context ?? {})).toMatchObject({ commandRepositories: [address] });
  },
);

describe('unusual blanks are part of a word', () => {
  const code = (blank: string): string => `U+${blank.charCodeAt(0).toString(16).padStart(4, '0')}`;

  test.each(unusualBlanks.map((blank) => [code(blank), blank]))('%s', (_, blank) => {
    expect(found(`apk add a=1${blank}b c=3\napk add d=4`)).toEqual([
      `1:9 a=1${blank}b`,
      '1:15 c=3',
      '2:9 d=4',
    ]);
    expect(found(`apk add ${blank} ${blank}; apk add d=4`)).toEqual(['1:22 d=4']);
    expect(found(`${blank}\n${blank}apk${blank}add no=1\napk add d=4`)).toEqual(['3:9 d=4']);
    expect(found(`P="a=1${blank}b c=3"; apk add $P`)).toEqual([`1:4 a=1${blank}b`, '1:10 c=3']);
    expect(found(`apk add a=\${V:-1${blank}}`)).toEqual([`1:9 a=1${blank}`]);
    expect(found(`x=$(${blank}) <${blank} >${blank} <<${blank}\nno\n${blank}\napk add d=4`)).toEqual([
      '4:9 d=4',
    ]);
  });

  test.each(unusualBlanks.map((blank) => [code(blank), blank]))('%s in other files', (_, blank) => {
    const docker = `FROM alpine:3.22\nRUN apk add a=1${blank}b c=3 \\\n  ${blank}x && apk add d=4\n`;
    expect(placed('Dockerfile', docker)).toEqual([`2:13 a=1${blank}b`, '2:19 c=3', '3:17 d=4']);
    const job = `job:\n  script:\n    - 'apk add a=1${blank}b c=3'\n`;
    expect(placed('.gitlab-ci.yml', job)).toEqual([`3:16 a=1${blank}b`, '3:22 c=3']);
  });

  test('a byte order mark in front of a file is not', () => {
    expect(found('\uFEFFapk add a=1')).toEqual(['1:10 a=1']);
    expect(found('\uFEFFV=1; apk add a=$V')).toEqual(['1:15 a=1']);
    expect(placed('tool', '\uFEFF#!/bin/sh\napk add a=1')).toEqual(['2:9 a=1']);
  });
});

describe('variables', () => {
  test.each([
    ['V=1-r0\napk add a=$V b="${V}" c=${V}x', ['2:9 a=1-r0', '2:14 b=1-r0', '2:23 c=1-r0x']],
    ['P="a=1 b=2"; apk add $P', ['1:4 a=1', '1:8 b=2']],
    ['V="${1:-1-r0}"\napk add a=$V', ['2:9 a=1-r0']],
    [': "${V:=1-r0}"\napk add a=$V', ['2:9 a=1-r0']],
    ['P="a=1 b=2"; apk add "$P"', []],
    ['apk add a=${V:-1-r0}', ['1:9 a=1-r0']],
    ['export V=1; apk add a=$V', ['1:21 a=1']],
    ['V=1; V=2; apk add a=$V b', ['1:24 b']],
    ['for V in 1 2; do apk add a=$V b; done', ['1:31 b']],
    ['apk add a=$UNKNOWN b', ['1:20 b']],
  ])('%s', (script, expected) => expect(found(script)).toEqual(expected));

  test('one without a known value is noted at its place', () => {
    const notes = read('x.sh', 'apk add a=$V $LIST')?.notes;
    expect(notes?.map(({ message, range }) => [message, range.start])).toEqual([
      ['a=…: a variable without a known value', 8],
      ['packages in a variable without a known value', 13],
    ]);
  });

  test('the place of a version is where it is set', () => {
    const script = 'V=1.0-r0; apk add a=$V b=${V%-r0}-r1 c=x$V';
    expect(read('x.sh', script)?.pins.map(({ versionRange }) => versionRange)).toEqual([
      { start: 2, end: 8 },
      // Put together, so there is no place.
      undefined,
    ]);
  });
});

describe('reading ends', () => {
  const parts = [
    "'",
    '"',
    '`',
    '$(',
    '${',
    '$((',
    '((',
    '<<E\n',
    '\\',
    '(',
    ')',
    '}',
    '\n',
    ' apk add a=1 ',
    '#',
    '${A:-',
    "sh -c '",
    ';',
    '&',
    '|',
    '<',
    '>',
    '!',
  ];
  test('whatever opens is left open', () => {
    for (const part of parts) {
      for (const other of parts) {
        const script = (part + other).repeat(200);
        expect(() => shellCommands(plainText(script))).not.toThrow();
      }
    }
  });

  test('here-documents without an end take no quadratic time', () => {
    for (const mark of ['cat <<E%\n', 'x=$(cat <<E%\n', 'x=$(cat <<E%\nE%\n)\n', '((', '\tE0\ncat <<E0\n']) {
      const script = Array.from({ length: 15_000 }, (_, i) => mark.replaceAll('%', `${i}`)).join('');
      expect(found(`${script}\napk add`)).toEqual([]);
    }
  });

  test('variables that contain each other do not grow without end', () => {
    const script = Array.from({ length: 60 }, (_, i) => `V${i + 1}="$V${i}$V${i}"`).join('\n');
    expect(found(`V0=aaaaaaaaaa\n${script}\napk add "$V60" b`).at(-1)).toMatch(/ b$/);
  });

  const value = 'x'.repeat(10_000);
  const uses = `echo ${'$V'.repeat(30)}`;
  test.each([
    ['x.sh', `V=${value}\n${`y=$(${uses})\n`.repeat(40)}apk add $V`],
    ['Dockerfile', `FROM alpine\nARG V=${value}\n${`RUN ${uses}\n`.repeat(40)}RUN apk add $V`],
    [
      '.gitlab-ci.yml',
      `variables: { V: ${value} }\njob:\n  script:\n${`    - ${uses}\n`.repeat(40)}    - apk add $V`,
    ],
    [
      'compose.yaml',
      `services:\n${Array.from({ length: 40 }, (_, i) => `  s${i}:\n    command: [sh, -c, "V=${value}; ${uses}"]\n`).join('')}  last:\n    command: V=${value}; apk add $V\n`,
    ],
  ])('one limit for the expansions of %s', (path, text) => {
    expect(read(path, text)?.notes.map(({ reason }) => reason)).toEqual(['unknown-variable']);
  });
});
