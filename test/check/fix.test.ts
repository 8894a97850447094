/** Raising and pinning in place. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unifiedDiff } from '../../src/check/diff.ts';
import type { CheckedFile } from '../../src/check/findings.ts';
import { pinNames, raisePins } from '../../src/check/fix.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { catalogOf } from '../support/catalogs.ts';
import { built, checked } from '../support/checks.ts';

const changed = (path: string, text: string, change = raisePins): string => {
  const { files, judgments } = checked({ [path]: text });
  const [file] = files;
  return file ? change(file, judgments[0] ?? []).text : text;
};
const wolfi = (packages: string): string =>
  `contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages: ${packages}\n`;

describe('--fix', () => {
  test.each([
    [
      'Dockerfile',
      'FROM alpine:3.22\nRUN apk add "curl=8.12.0-r0" \\\n  # why\n  git==2.0-r0 jq # x\n',
      'FROM alpine:3.22\nRUN apk add "curl=8.14.1-r2" \\\n  # why\n  git==2.49.1-r0 jq # x\n',
    ],
    [
      'Dockerfile',
      'FROM alpine:3.22\r\nARG V=8.12.0-r0\r\nRUN apk add curl=$V',
      'FROM alpine:3.22\r\nARG V=8.14.1-r2\r\nRUN apk add curl=$V',
    ],
    [
      'Dockerfile',
      'FROM alpine:3.22\nRUN apk add curl~8.12 git@x=1\n',
      'FROM alpine:3.22\nRUN apk add curl~8.14 git@x=1\n',
    ],
    [
      'image.yaml',
      wolfi('["curl=8.18.0-r0", curl~8] # 8.18.0-r0'),
      wolfi('["curl=8.20.0-r0", curl~8] # 8.18.0-r0'),
    ],
    [
      'image.yaml',
      wolfi('\n    - nodejs=24.4-r0 # a\n    - broken=1.0-r0'),
      wolfi('\n    - nodejs=24.5.0-r1 # a\n    - broken=1.0-r0'),
    ],
    [
      '.gitlab-ci.yml',
      'job:\n  image: alpine:3.22\n  script:\n    - |2-\n\n         # a\n        apk add curl=8.12.0-r0\n',
      'job:\n  image: alpine:3.22\n  script:\n    - |2-\n\n         # a\n        apk add curl=8.14.1-r2\n',
    ],
  ])('%s: %j', (path, before, after) => {
    expect(changed(path, before)).toBe(after);
    expect(changed(path, after)).toBe(after);
  });

  test('repeated versions in a hardened image are raised too', () => {
    const text = `# syntax=dhi.io/build:2-alpine3.22
tags: ["8.12.0-alpine3.22", "8.12-alpine3.22"]
vars: { VERSION: 8.12.0-r0 }
contents:
  repositories: [https://dl-cdn.alpinelinux.org/alpine/v3.22/main]
  packages: [curl=8.12.0-r0]
  builds: [{ contents: { packages: [curl=8.12.0-r0], files: [{ spdx: { packages: [curl=8.12.0-r0] } }] } }]
`;
    const after = text
      .replace('"8.12.0-', '"8.14.1-')
      .replace('VERSION: 8.12.0-r0', 'VERSION: 8.14.1-r2')
      .replaceAll('{ packages: [curl=8.12.0-r0], files', '{ packages: [curl=8.14.1-r2], files')
      .replace('  packages: [curl=8.12.0-r0]\n', '  packages: [curl=8.14.1-r2]\n');
    expect(changed('image.yaml', text)).toBe(after);
    expect(changed('image.yaml', after)).toBe(after);
  });

  test.each([
    [
      'a variable of packages that go to different versions',
      'Dockerfile',
      'FROM alpine:3.22\nARG V=1.0-r0\nRUN apk add curl=$V git=$V\n',
    ],
    [
      'a variable of a package that stays',
      'Dockerfile',
      'FROM alpine:3.22\nARG V=1.0-r0\nRUN apk add curl=$V nobody=$V\n',
    ],
    [
      'a version that is put together',
      'Dockerfile',
      'FROM alpine:3.22\nARG V=8.12.0\nRUN apk add curl=${V}-r0\n',
    ],
    ['a word that is no version', 'Dockerfile', 'FROM alpine:3.22\nRUN apk add curl=latest\n'],
    ['an unknown image', 'Dockerfile', 'FROM ghcr.io/acme/unknown\nRUN apk add curl=8.12.0-r0\n'],
    ['a newer version than there is', 'Dockerfile', 'FROM alpine:3.22\nRUN apk add curl=9.0-r0\n'],
    [
      'what a package needs at run time',
      'a.yaml',
      'package:\n  dependencies: { runtime: [curl=8.18.0-r0] }\nenvironment: { contents: { repositories: [https://packages.wolfi.dev/os] } }\n',
    ],
    ['a file that is no YAML', 'a.yaml', 'contents:\n  packages: [curl=8.18.0-r0\n'],
  ])('%s stays unchanged', (_, path, text) => expect(changed(path, text)).toBe(text));

  test('generated files: only characters of versions change, and the second time none', () => {
    const pin = fc.constantFrom(
      'curl=8.12.0-r0',
      'curl=8.14.1-r2',
      'git=2.0-r0',
      'jq~1.7',
      'jq',
      'nobody=1-r0',
      "'git~2.40'",
      '"curl=1-r0"',
    );
    const lines = fc.array(fc.array(pin, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(lines, fc.constantFrom(' ', ' \\\n  ', ' \\\r\n  # x=1.0-r0\r\n  '), (all, gap) => {
        const text = `FROM alpine:3.22\n${all.map((pins) => `RUN apk add ${pins.join(gap)}`).join('\n')}`;
        const once = changed('Dockerfile', text);
        expect(changed('Dockerfile', once)).toBe(once);
        const blank = (each: string): string => each.replace(/(?<=(?:curl|git|jq)[=~]+)[\w.-]+/g, '');
        expect(blank(once)).toBe(blank(text));
      }),
    );
  });
});

describe('what --fix leaves', () => {
  const stage = 'FROM alpine:3.22\n';

  test.each([
    [
      'ARG V=8.12.0\nRUN apk add curl=${V}-r0\n',
      ['curl=8.12.0-r0: its version is composed of several parts'],
    ],
    [
      'ARG V=1.0-r0\nRUN apk add curl=$V git=$V\n',
      [
        'curl=1.0-r0: it shares its version with pins that are not raised to 8.14.1-r2',
        'git=1.0-r0: it shares its version with pins that are not raised to 2.49.1-r0',
      ],
    ],
    ['ARG V=8.12\nRUN apk add curl~=$V && echo $V\n', ['curl~=8.12: $V is also used outside apk add']],
  ])('is named, and findings promise nothing: %j', (lines, named) => {
    const { files, judgments, findings } = checked({ Dockerfile: stage + lines });
    const { unchanged = [] } = raisePins(files[0] as CheckedFile, judgments[0] ?? []);
    expect(unchanged.map(({ pin, because }) => `${pin}: ${because}`)).toEqual(named);
    expect(findings.map(({ pin, target }) => [pin, target])).toEqual(
      named.map((each) => [each.split(':')[0], undefined]),
    );
  });

  test('findings name the version of pins that it raises', () => {
    const { findings } = checked({ Dockerfile: `${stage}RUN apk add curl=8.12.0-r0\n` });
    expect(findings.map(({ target }) => target)).toEqual(['8.14.1-r2']);
  });
});

describe('versions that cannot be installed together', () => {
  const all = [
    ...['1-r0', '2-r0'].map((version) => built('lib', version)),
    ...['1-r0', '2-r0'].map((version) => built('app', version, { D: 'lib=1-r0' })),
    ...[built('solo', '1-r0'), built('solo', '2-r0')],
  ];
  const skewed = catalogOf({ x86_64: [all] });
  const complete = new Catalog({ sources: skewed.sources, archs: skewed.archs, complete: true });
  const image = (...pins: readonly string[]): string => wolfi(`[${pins.join(', ')}]`);
  const alpine = (...pins: readonly string[]): string =>
    `FROM cgr.dev/chainguard/wolfi-base\nRUN apk add ${pins.join(' ')}\n`;
  const because = 'lib=1-r0 conflicts with lib-2-r0';
  const byApko = 'no remaining candidate meets lib=1-r0';

  test.each([
    ['image.yaml', image, skewed, byApko],
    ['image.yaml', image, complete, byApko],
    ['Dockerfile', alpine, skewed, because],
  ] as const)('are not put in %s %#', (path, write, catalog, fact) => {
    const by = (pins: readonly string[], change: typeof raisePins) => {
      const { files, judgments } = checked({ [path]: write(...pins) }, { catalogs: { wolfi: catalog } });
      return change(files[0] as CheckedFile, judgments[0] ?? []);
    };
    const raised = by(['app=1-r0', 'lib=1-r0', 'solo=1-r0'], raisePins);
    expect(raised.text).toBe(write('app=2-r0', 'lib=1-r0', 'solo=2-r0'));
    expect(raised.unchanged).toEqual([
      { pin: 'lib=1-r0', because: `2-r0 cannot be installed with app=2-r0 on x86_64: ${fact}` },
    ]);
    const named = by(['app', 'lib', 'solo=1-r0'], pinNames);
    expect(named.text).toBe(write('app=2-r0', 'lib', 'solo=1-r0'));
    expect(named.unchanged).toEqual([
      { pin: 'lib', because: `2-r0 cannot be installed with app=2-r0 on x86_64: ${fact}` },
    ]);
  });
});

describe('in a datasource that is not complete', () => {
  const all = [
    ...[built('app', '1-r0'), built('app', '2-r0', { D: 'lib<2' })],
    ...[built('lib', '1-r0'), built('lib', '2-r0'), built('needy', '1-r0', { D: 'nowhere' })],
  ];
  const raised = (...pins: readonly string[]) => {
    const text = wolfi(`[${pins.map((pin) => `"${pin}"`).join(', ')}]`);
    const { files, judgments } = checked(
      { 'image.yaml': text },
      { catalogs: { wolfi: catalogOf({ x86_64: [all] }) } },
    );
    return raisePins(files[0] as CheckedFile, judgments[0] ?? []);
  };

  test('an image that resolves is raised only to what resolves', () => {
    expect(raised('app=1-r0', 'lib').changes).toHaveLength(1);
    expect(raised('app=1-r0', 'lib>=2').unchanged).toEqual([
      {
        pin: 'app=1-r0',
        because: expect.stringMatching(/^2-r0 cannot be installed with lib>=2 on x86_64: /),
      },
    ]);
  });

  test('one that needs something else is raised nevertheless', () => {
    expect(raised('app=1-r0', 'needy').changes).toHaveLength(1);
  });
});

test('a version that apko does not resolve, although another solver may, is not put in', () => {
  const all = [
    ...[built('app', '1-r0'), built('app', '2-r0', { D: 'lib' })],
    ...[built('lib', '1-r0'), built('lib', '2-r0', { D: 'nowhere' })],
  ];
  const catalogs = { wolfi: catalogOf({ x86_64: [all] }, { complete: true }) };
  const text = wolfi('[app=1-r0]');
  const { files, judgments } = checked({ 'image.yaml': text }, { catalogs });
  expect(raisePins(files[0] as CheckedFile, judgments[0] ?? [])).toEqual({
    text,
    changes: [],
    unchanged: [{ pin: 'app=1-r0', because: '2-r0 cannot be installed on x86_64: nothing provides nowhere' }],
  });
});

test('a version without which apko does not resolve another package stays', () => {
  const all = [
    ...[built('app', '1-r0', { D: 'lib=1-r0' }), built('app', '2-r0'), built('other', '1-r0', { D: 'lib' })],
    ...[built('lib', '1-r0'), built('lib', '2-r0', { D: 'nowhere' })],
  ];
  const catalogs = { wolfi: catalogOf({ x86_64: [all] }, { complete: true }) };
  const text = wolfi('[app=1-r0, other]');
  const { files, judgments, findings } = checked({ 'image.yaml': text }, { catalogs });
  expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
  expect(raisePins(files[0] as CheckedFile, judgments[0] ?? [])).toEqual({
    text,
    changes: [],
    unchanged: [
      {
        pin: 'app=1-r0',
        because: '2-r0 cannot be installed with other on x86_64: nothing provides nowhere',
      },
    ],
  });
});

test.each([
  // Each of these pairs conflicts; more than ten pins would have to stay.
  [11, 0],
  // Too many pins to look for the conflicting ones.
  [1, 99],
])('nothing is raised in an image of %i conflicting pairs and %i more packages', (pairs, more) => {
  const both = ['1-r0', '2-r0'];
  const names = Array.from({ length: pairs }, (_, i) => i);
  const all = [
    ...names.flatMap((i) => [
      ...both.map((version) => built(`lib${i}`, version)),
      ...both.map((version) => built(`app${i}`, version, { D: `lib${i}=1-r0` })),
    ]),
    ...Array.from({ length: more }, (_, i) => built(`more${i}`, '1-r0')),
  ];
  const catalogs = { wolfi: catalogOf({ x86_64: [all] }, { complete: true }) };
  const others = Array.from({ length: more }, (_, i) => `more${i}`);
  const pinned = names.flatMap((i) => [`lib${i}=1-r0`, `app${i}=1-r0`]);
  const text = wolfi(`[${[...pinned, ...others].join(', ')}]`);
  const { files, judgments, findings } = checked({ 'image.yaml': text }, { catalogs });
  expect(findings.filter(({ level }) => level === 'error')).toEqual([]);
  const fixed = raisePins(files[0] as CheckedFile, judgments[0] ?? []);
  expect(fixed.text).toBe(text);
  expect(fixed.unchanged).toHaveLength(pinned.length);
});

describe('pin', () => {
  test.each([
    [
      'Dockerfile',
      "FROM alpine:3.22\nRUN apk add 'curl' git nobody jq=1 x>=1\n",
      "FROM alpine:3.22\nRUN apk add 'curl=8.14.1-r2' git=2.49.1-r0 nobody jq=1 x>=1\n",
    ],
    [
      'image.yaml',
      wolfi('[curl, "nodejs", skewed]'),
      wolfi('[curl=8.20.0-r0, "nodejs=24.5.0-r1", skewed=1.0-r0]'),
    ],
    [
      'image.yaml',
      'contents: { repositories: ["@w https://packages.wolfi.dev/os"], packages: [curl@w] }\n',
      'contents: { repositories: ["@w https://packages.wolfi.dev/os"], packages: [curl=8.20.0-r0@w] }\n',
    ],
    [
      'Dockerfile',
      'FROM alpine:3.22\nARG P="curl git"\nRUN apk add $P\n',
      'FROM alpine:3.22\nARG P="curl=8.14.1-r2 git=2.49.1-r0"\nRUN apk add $P\n',
    ],
  ])('%s: %j', (path, before, after) => {
    expect(changed(path, before, pinNames)).toBe(after);
    expect(changed(path, after, pinNames)).toBe(after);
  });
});

test('pin names what it cannot change because it is not written in one piece', () => {
  const text = 'FROM alpine:3.22\nARG N=cur\nRUN apk add ${N}l git\n';
  const { files, judgments } = checked({ Dockerfile: text });
  expect(pinNames(files[0] as CheckedFile, judgments[0] ?? [])).toEqual({
    text: text.replace('git', 'git=2.49.1-r0'),
    changes: [{ pin: 'git', to: '2.49.1-r0' }],
    unchanged: [{ pin: 'curl', because: 'its name is composed of several parts' }],
  });
});

describe('a variable that is used elsewhere, too', () => {
  const stage = 'FROM alpine:3.22\n';
  const left = (path: string, text: string, change: typeof pinNames): readonly string[] => {
    const { files, judgments } = checked({ [path]: text });
    const { unchanged = [] } = change(files[0] as CheckedFile, judgments[0] ?? []);
    return unchanged.map(({ pin, because }) => `${pin}: ${because}`);
  };

  test.each([
    ['apk del', 'ARG P="git jq"\nRUN apk add $P curl=8.14.1-r2 && apk del $P\n', ['git', 'jq']],
    ['a command', 'ARG P=jq\nRUN apk add $P && ${P} --version\n', ['jq']],
    ['a loop', 'RUN P="git jq"; apk add $P; for p in $P; do command -v $p; done\n', ['git', 'jq']],
    ['ENV in the old form', 'ENV P git jq\nRUN apk add $P\nRUN apk del ${P%x}\n', ['git', 'jq']],
    ['an inner script', 'ARG P=jq\nRUN sh -c "apk add $P && $P --version"\n', ['jq']],
    ['a test for what it holds', 'ARG P=jq\nRUN [ -z "${P##*jq}" ] && apk add $P\n', ['jq']],
    ['the outer of two variables', 'ARG A=git\nARG P="$A"\nRUN apk add $P && apk del $P\n', ['git']],
  ])('gets no version: %s', (_, lines, names) => {
    const text = stage + lines;
    expect(changed('Dockerfile', text, pinNames)).toBe(text);
    expect(left('Dockerfile', text, pinNames)).toEqual(
      names.map((name) => `${name}: $P is also used outside apk add`),
    );
  });

  test.each([
    ['Dockerfile', `${stage}ARG A=git\nARG P="$A jq"\n# apk del $P\nRUN apk add $P && apk add "curl=8.14.1-r2" $P\n`],
    ['Dockerfile', `${stage}ARG P="git jq"\nRUN sh -c "apk add $P"\n${stage}ARG P="git jq"\nRUN apk add -t .x $P && apk del .x\n`],
    ['Dockerfile', `${stage}ARG P="git jq"\nRUN if [ -n "$P" ]; then apk add $P; fi; [[ ! -z $P ]] || test -n "\${P}"\n`],
    ['.gitlab-ci.yml', 'a: {image: alpine:3.22, script: [apk add $P]}\nb: {image: alpine:3.22, script: [apk add $P]}\nvariables: {P: git jq}\n'],
  ])('gets versions if apk add alone uses it: %s %j', (path, text) => {
    expect(left(path, text, pinNames)).toEqual([]);
    expect(changed(path, text, pinNames)).toBe(
      text.replaceAll(/git(?= |\n)/g, 'git=2.49.1-r0').replaceAll(/jq(?=["}'])/g, 'jq=1.8.1-r0'),
    );
  }); // prettier-ignore

  test('only that of the variable stays, not that of another job', () => {
    const text =
      'a: {image: alpine:3.22, script: [apk add $P jq]}\nb: {script: [apk del $P]}\nvariables: {P: git}\n';
    expect(changed('.gitlab-ci.yml', text, pinNames)).toBe(text.replace('jq', 'jq=1.8.1-r0'));
  });

  test('an exact version is raised unless an image has it', () => {
    const text = `${stage}ARG V=8.12.0-r0\nLABEL curl=$V\nRUN apk add curl=\${V} && echo $V\n`;
    expect(changed('Dockerfile', text)).toBe(text.replace('8.12.0-r0', '8.14.1-r2'));
    const image = `ARG V=8.12.0-r0\nFROM curlimages/curl:\${V}\n${stage}ARG V\nRUN apk add curl=$V\n`;
    expect(changed('Dockerfile', image)).toBe(image);
    expect(left('Dockerfile', image, raisePins)).toEqual(["curl=8.12.0-r0: $V is part of an image's name"]);
  });

  test('part of a version is raised only if apk add alone uses it', () => {
    const text = `ARG V=8.12\n${stage}ARG V\nRUN apk add curl~=\${V}\n`;
    expect(changed('Dockerfile', text)).toBe(text.replace('8.12', '8.14'));
    const image = `ARG V=8.12\nFROM curlimages/curl:\${V}\n${stage}ARG V\nRUN apk add curl~=\${V} jq~1.7\n`;
    expect(changed('Dockerfile', image)).toBe(image.replace('1.7', '1.8'));
    expect(left('Dockerfile', image, raisePins)).toEqual(['curl~=8.12: $V is also used outside apk add']);
  });
});

test('a unified diff', () => {
  const before = Array.from({ length: 20 }, (_, i) => `line ${i + 1}`);
  const after = before.map((line, i) => ([4, 5, 19].includes(i) ? `${line}!` : line));
  expect(unifiedDiff('a/b', before.join('\n'), after.join('\n'))).toBe(`--- a/a/b
+++ b/a/b
@@ -2,8 +2,8 @@
 line 2
 line 3
 line 4
-line 5
-line 6
+line 5!
+line 6!
 line 7
 line 8
 line 9
@@ -17,4 +17,4 @@
 line 17
 line 18
 line 19
-line 20
\\ No newline at end of file
+line 20!
\\ No newline at end of file
`);
  expect(unifiedDiff('x', 'a\n', 'a\n')).toBe('');
});

test.each([
  ['images/app.yaml', 'a/images/app.yaml'],
  ['my images/a.yaml', 'a/my images/a.yaml\t'],
  ['my images/ä.yaml', '"a/my images/\\303\\244.yaml"'],
  ['tab\tand "quote".yaml', '"a/tab\\011and \\042quote\\042.yaml"'],
  ['x\n--- a/etc/passwd', '"a/x\\012--- a/etc/passwd"'],
  ['\u202egnp.yaml', '"a/\\342\\200\\256gnp.yaml"'],
])('a diff of %j is of that file for git and patch', (path, name) => {
  expect(unifiedDiff(path, 'a\n', 'b\n').split('\n').slice(0, 2)).toEqual([
    `--- ${name}`,
    `+++ ${name.replace('a/', 'b/')}`,
  ]);
});
