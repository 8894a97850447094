import { describe, expect, test } from 'vitest';
import { pinsIn, placed, read } from '../support/pins.ts';

describe('apko', () => {
  const image = `# curl=0-r0
contents:
  repositories:
    - https://packages.wolfi.dev/os
  packages: # all of them
    - bash
    - curl=8.19.0-r0 # was 8.18.0-r0
    - "jq=1.8.1-r0"
    - 'libstdc++=15.2.0-r10'
    - so:libssl.so.3=3
    - nodejs~24
    - git=2.50@edge
    - !!str tagged=1.0-r1
    - "esc\\x61ped=1.0"
    - $REPLACED
    - >-
      folded=1.0-r0
environment:
  VERSION: tool=1.0-r0
archs: [x86_64, aarch64]
`;

  test('every package with its place, and nothing else', () => {
    expect(placed('image.yaml', image)).toEqual([
      '6:7 bash',
      '7:7 curl=8.19.0-r0',
      '8:8 jq=1.8.1-r0',
      '9:8 libstdc++=15.2.0-r10',
      '10:7 so:libssl.so.3=3',
      '11:7 nodejs~24',
      '12:7 git=2.50@edge',
      '13:13 tagged=1.0-r1',
      '14:8 escaped=1.0',
      '17:7 folded=1.0-r0',
    ]);
    for (const { version, versionRange } of pinsIn('image.yaml', image))
      if (versionRange) expect(image.slice(versionRange.start, versionRange.end)).toBe(version);
  });

  test('a string is split at blanks', () => {
    const text = 'contents:\n  packages:\n    - "a>=1  b~2 "\n    - |\n      c=3\n      d\n';
    expect(placed('image.yaml', text)).toEqual(['3:8 a>=1', '3:14 b~2', '5:7 c=3', '6:7 d']);
    expect(pinsIn('image.yaml', text).map(({ version }) => version)).toEqual(['1', '2', '3', '']);
    const files = { 'base.yaml': 'contents:\n  packages: ["a>=1 b"]\n' };
    const child = 'include: base.yaml\ncontents:\n  packages: [c]\n';
    expect(read('image.yaml', child, files)?.included?.map((pin) => pin.text)).toEqual(['a>=1', 'b']);
  });

  test('what is no constraint is a name', () => {
    const text = 'contents:\n  packages: ["!a=1", "b = 2", c@, ./d.apk]\n';
    const pins = pinsIn('image.yaml', text);
    expect(pins.map(({ name }) => name)).toEqual(['!a=1', 'b', '=', '2', 'c@', './d.apk']);
    expect(pins.every(({ operator }) => operator === '')).toBe(true);
  });

  test('flow lists, several documents, anchors', () => {
    expect(
      placed(
        'i.yml',
        "contents: { packages: [ 'a=1', b=2,c=3 ] }\n---\nx: &list [d=4]\ncontents:\n  packages: *list\n",
      ),
    ).toEqual(['1:26 a=1', '1:32 b=2', '1:36 c=3', '3:11 d=4']);
  });

  test('include: repositories of both, archs of the child', () => {
    const files = {
      'base.yaml':
        'include: root.yaml\ncontents:\n  repositories: [https://b.example.com/os]\narchs: [x86_64]\n',
      'root.yaml': 'contents:\n  repositories: [https://a.example.com/os]\narchs: [riscv64]\n',
    };
    const text =
      'include: base.yaml\ncontents:\n  repositories: [https://c.example.com/os]\n  packages: [x=1]\n';
    expect(pinsIn('child.yaml', text, files)[0]?.context).toMatchObject({
      repositories: 'https://a.example.com/os\nhttps://b.example.com/os\nhttps://c.example.com/os',
      archs: 'x86_64',
    });
  });

  test('a missing or circular include is noted at its place', () => {
    const text = 'contents:\n  packages: [x=1]\ninclude: none.yaml\n';
    expect(read('a.yaml', text)?.notes).toEqual([
      {
        reason: 'missing-include',
        message: 'the included file none.yaml cannot be read',
        range: { start: 37, end: 46 },
      },
    ]);
    const loop = { 'b.yaml': 'include: b.yaml\ncontents: {}\n' };
    expect(read('a.yaml', 'contents: { packages: [x] }\ninclude: b.yaml\n', loop)?.notes[0]?.message).toBe(
      'the included file b.yaml includes itself',
    );
    expect(pinsIn('a.yaml', text)[0]?.context['include']).toBe('none.yaml');
  });

  test('the lock file: each package of each arch', () => {
    const lock = {
      version: 'v1',
      contents: {
        repositories: [
          {
            name: 'os/x86_64',
            url: 'https://packages.wolfi.dev/os/x86_64/APKINDEX.tar.gz',
            architecture: 'x86_64',
          },
        ],
        packages: [
          {
            name: 'bash',
            url: 'https://packages.wolfi.dev/os/x86_64/bash-5.3-r2.apk',
            version: '5.3-r2',
            architecture: 'x86_64',
          },
        ],
      },
    };
    const text = JSON.stringify(lock, undefined, 2);
    const [pin] = pinsIn('apko.lock.json', text);
    expect(pin).toMatchObject({
      text: 'bash=5.3-r2',
      isLocked: true,
      context: { repositories: 'https://packages.wolfi.dev/os', archs: 'x86_64' },
    });
    expect(text.slice(pin?.range.start, pin?.range.end)).toBe('5.3-r2');
  });
});

describe('melange', () => {
  const recipe = `package:
  name: tool
  version: 1.10
  epoch: 3
  dependencies:
    runtime: [needed=1.0-r0, "own=\${{package.full-version}}"]
    provides: [virtual=1]
vars:
  llvm: 19
environment:
  contents:
    packages: [gcc=15.2.0-r1, "clang-\${{vars.llvm}}~19", "x~\${{vars.unknown}}"]
pipeline:
  - uses: fetch
    needs:
      packages: [wget=1-r0]
  - runs: apk add no=1.0-r0
subpackages:
  - name: \${{package.name}}-doc
    test:
      environment:
        contents:
          packages: [man=2-r0]
`;

  test('environments, needs, tests and run-time dependencies, with the recipe\u2019s own variables', () => {
    const found = read('tool.yaml', recipe);
    expect(found?.kind).toBe('melange');
    expect(found?.pins.map(({ text, isRuntime }) => `${text}${isRuntime ? ' (runtime)' : ''}`)).toEqual([
      'needed=1.0-r0 (runtime)',
      'own=1.10-r3 (runtime)',
      'gcc=15.2.0-r1',
      'clang-19~19',
      'wget=1-r0',
      'man=2-r0',
    ]);
    expect(found?.notes.map(({ message }) => message)).toEqual([
      'x~${{vars.unknown}}: a variable without a known value',
    ]);
    expect(found?.builds).toEqual(['tool', 'virtual', 'tool-doc']);
  });

  test('subpackages of a range are built for each of its items', () => {
    const ranged = `package:
  name: tool
  version: 1.0
  epoch: 0
  dependencies: {runtime: [x], provides: ["any-\${{package.name}}=1", "of-\${{vars.unknown}}"]}
data:
  - name: versions
    items: {3.10: "310", 3.11: "311"}
subpackages:
  - range: versions
    name: py\${{range.key}}-\${{package.name}}
    dependencies: {provides: ["py\${{range.value}}=1"]}
  - range: none
    name: other
`;
    expect(read('tool.yaml', ranged)?.builds).toEqual([
      ...['tool', 'any-tool', 'py3.10-tool', 'py310', 'py3.11-tool', 'py311'],
    ]);
  });

  test('composed versions have no place', () => {
    const own = pinsIn('tool.yaml', recipe).find(({ name }) => name === 'own');
    expect(own?.versionRange).toBeUndefined();
  });

  test('needs of a pipeline', () => {
    expect(
      placed(
        'pipelines/bump.yaml',
        'name: bump\nneeds:\n  packages:\n    - omnibump=0.23.0-r0\npipeline:\n  - runs: x\n',
      ),
    ).toEqual(['4:7 omnibump=0.23.0-r0']);
  });
});

describe('Docker Hardened Images', () => {
  const definition = `# syntax=dhi.io/build:2-alpine3.23
name: Tool
image: example/tool
tags:
  - 1.31.4-alpine3.24
  - "1.31.4"
  - 1.31-alpine3.24
vars:
  VERSION: 1.31.4-r4
contents:
  repositories:
    - https://dl-cdn.alpinelinux.org/alpine/v3.24/main
  packages:
    - busybox
    - tool=1.31.4-r4
  builds:
    - name: tool
      contents:
        packages: [helper=2.0-r1]
        files:
          - url: https://example.com/x.tar.gz
            spdx:
              packages: [other=1.0-r0]
`;

  test('packages of the image and of its builds, and what repeats a version', () => {
    const found = read('image.yaml', definition);
    expect(found?.kind).toBe('hardened-image');
    expect(found?.pins.map(({ text }) => text)).toEqual(['busybox', 'tool=1.31.4-r4', 'helper=2.0-r1']);
    expect(
      found?.repeats?.map(({ pin, range, hasRevision }) => [
        found.pins[pin]?.name,
        definition.slice(range.start, range.end),
        hasRevision,
      ]),
    ).toEqual([
      ['tool', '1.31.4-r4', true],
      ['tool', '1.31.4', false],
      ['tool', '1.31.4', false],
    ]);
  });

  test('a definition of Debian has no pins', () => {
    const text =
      '# syntax=dhi.io/build:2-debian13\ncontents:\n  repositories: [deb http://dhi.io/deb trixie main]\n  packages: [helm=4.1.4-2]\n';
    expect(read('image.yaml', text)).toEqual({ kind: 'hardened-image', pins: [], notes: [] });
  });
});

describe('files that are something else', () => {
  test.each([
    ['values.yaml', 'packages: [a=1]\n'],
    ['x.yaml', 'a: {{ .Values.packages }}\npackages: 1\n'],
    ['x.yaml', '- a\n- packages: [b=1]\n'],
    ['docker-compose.yaml', 'services:\n  app:\n    environment: [tool=1.0-r0]\n    command: [--level=1]\n'],
    ['README.md', 'RUN apk add a=1\n'],
    ['Dockerfile.md', 'RUN apk add a=1\n'],
  ])('%s', (path, text) => expect(pinsIn(path, text)).toEqual([]));

  test('a definition that is no YAML is named with the place of the error', () => {
    const found = read('broken.yaml', 'contents:\n  packages:\n    - {{ .Values.package }}=1.0-r0\n');
    expect(found?.pins).toEqual([]);
    expect(found?.notes.map(({ reason, range }) => [reason, range.start])).toEqual([
      ['unreadable', expect.any(Number)],
    ]);
  });

  test.each([
    ['contents:\n  packages: [a=1]\ncontents:\n  packages: [b=1]\n', 'contents'],
    ['contents: {packages: [a=1]}\nenvironment: {"1": a, 1: b}\n', '1'],
    ['package: {name: a}\nenvironment:\n  contents:\n    packages: [b]\n    packages: [c]\n', 'packages'],
  ])('a definition with a key twice, which apko refuses: %j', (text, key) => {
    const start = text.lastIndexOf(`${key}:`);
    expect(read('image.yaml', text)).toMatchObject({
      pins: [],
      notes: [{ reason: 'unreadable', message: `the key ${key} is there twice`, range: { start } }],
    });
  });

  test('of other files, a key may be there twice', () => {
    expect(read('values.yaml', 'packages: [a=1]\npackages: [b=1]\n')).toBeUndefined();
    const twice = 'default: {image: alpine}\njob: {script: [apk add a=1]}\njob: {script: [apk add b=1]}\n';
    expect(pinsIn('.gitlab-ci.yml', twice).map(({ name }) => name)).toEqual(['a', 'b']);
  });
});

describe('hostile files', () => {
  test('aliases that would unfold to millions of items, and depth', () => {
    const bomb = `a: &a [x, x]\n${'bcdefghijklmnopqrstuvwxyz'
      .split('')
      .map((letter, i) => `${letter}: &${letter} [${`*${'abcdefghijklmnopqrstuvwxyz'[i]},`.repeat(9)}]\n`)
      .join('')}contents: { packages: [y=1], repositories: *z }\n`;
    expect(placed('x.yaml', bomb)).toEqual(['27:24 y=1']);
    const deep = `contents: { packages: ${'['.repeat(20_000)} }`;
    expect(read('x.yaml', deep)?.notes.map(({ reason }) => reason)).toEqual(['unreadable']);
  });

  test('here-documents without an end take no quadratic time', () => {
    const text = `FROM alpine\n${'RUN cat <<NEVER\n'.repeat(20_000)}RUN apk add a=1\n`;
    expect(placed('Dockerfile', text)).toEqual(['20002:13 a=1']);
  });
});

describe('CI', () => {
  test('a job is in its own image, or in the shared one; variables are known', () => {
    const text = `default:
  image: alpine:3.22
variables:
  CURL: 8.14.1-r2
a:
  script:
    - apk add curl=$CURL
b:
  image: { name: alpine:3.24 }
  before_script:
    - |
      set -e
      apk add jq=1.8.1-r0 \\
        git
  script: "apk add 'x=1'"
c:
  extends: .other
  script: [ apk add y=2 ]
`;
    expect(placed('.gitlab-ci.yml', text)).toEqual([
      '7:15 curl=8.14.1-r2',
      '13:15 jq=1.8.1-r0',
      '14:9 git',
      '15:21 x=1',
      '18:21 y=2',
    ]);
    const pins = pinsIn('.gitlab-ci.yml', text);
    expect(pins.map(({ context }) => context['images'])).toEqual([
      'image: alpine:3.22',
      'image: alpine:3.24',
      'image: alpine:3.24',
      'image: alpine:3.24',
      'image: alpine:3.22\nimage: alpine:3.24',
    ]);
    const { start, end } = pins[0]?.versionRange ?? { start: 0, end: 0 };
    expect(text.slice(start, end)).toBe('8.14.1-r2');
    expect(text.slice(0, start)).toMatch(/CURL: $/);
  });

  test('compose: commands, entrypoints, Dockerfiles within', () => {
    const text = `services:
  a:
    image: alpine:3.22
    command: sh -c "apk add a=1 && x"
  b:
    image: alpine:3.24
    entrypoint: ["/bin/sh", "-c", "apk add b=2"]
    command: [apk, add, c=3]
  d:
    build:
      dockerfile_inline: |
        FROM alpine:3.20
        RUN apk add \\
          d=4
`;
    expect(placed('compose.yaml', text)).toEqual(['4:29 a=1', '7:44 b=2', '8:25 c=3', '14:11 d=4']);
    expect(pinsIn('compose.yaml', text).at(-1)?.context['from']).toBe('FROM alpine:3.20');
  });
});

test('a pipeline needs what the default of its input says', () => {
  const text =
    'needs:\n  packages:\n    - ${{inputs.go}}\n    - ${{inputs.none}}\ninputs:\n  go:\n    default: go-1.25\n  none:\n    required: true\npipeline:\n  - runs: go build\n';
  expect(placed('go.yaml', text)).toEqual(['3:7 go-1.25']);
  expect(read('go.yaml', text)?.notes.map(({ reason }) => reason)).toEqual(['unknown-variable']);
});
