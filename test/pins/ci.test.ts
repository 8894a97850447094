/** GitLab CI and compose files: lines and images by anchors, and jobs in files of any name. */
import { expect, test } from 'vitest';
import { pinsIn, placed, read, versioned } from '../support/pins.ts';

test('lines of a job that it takes by an anchor, once for each image', () => {
  const text = `.install: &install
  - apk add a=1
  - [apk add b=2]
.defaults: &defaults
  image: &image alpine:3.22
one:
  <<: *defaults
  script: [*install, apk add c=3]
two:
  image: *image
  script:
    - *install
three:
  image: alpine:3.23
  before_script: *install
`;
  const found = pinsIn('.gitlab-ci.yml', text).map((pin) => `${pin.text} ${String(pin.context['images'])}`);
  expect(found).toEqual([
    'a=1 image: alpine:3.22',
    'b=2 image: alpine:3.22',
    'c=3 image: alpine:3.22',
    'a=1 image: alpine:3.23',
    'b=2 image: alpine:3.23',
  ]);
});

test('a command in another container or on another host is distinguished from those of the job', () => {
  const text = `job:
  image: alpine:3.22
  script:
    - apk add docker a=1
    - sudo docker run --rm alpine apk add b=1
    - docker exec c sh -c "apk update; sh -c 'apk add c=1'"
    - sh -c "ssh host 'apk add d=1'; apk add e=1"
`;
  const elsewhere = pinsIn('.gitlab-ci.yml', text).filter(
    ({ context }) => context['elsewhere'] !== undefined,
  );
  expect(elsewhere.map((pin) => pin.text)).toEqual(['b=1', 'c=1', 'd=1']);
});

test('lists that contain each other do not hang', () => {
  const bomb = `.a: &a [apk add a=1]
${Array.from(
  { length: 30 },
  (_, i) =>
    `.l${i}: &l${i} [${Array(9)
      .fill(i === 0 ? '*a' : `*l${i - 1}`)
      .join(', ')}]\n`,
).join('')}job:
  script: *l29
`;
  expect(placed('.gitlab-ci.yml', bomb)).toEqual(['1:17 a=1']);
});

test('a file of jobs that another includes has any name', () => {
  expect(placed('ci/build.yml', 'build:\n  script:\n    - apk add a=1\n')).toEqual(['3:15 a=1']);
  expect(read('ci/build.yml', 'build:\n  script: [make apk]\n')).toBeUndefined();
  expect(read('chart/values.yaml', 'x: {\n  script: apk\n')).toBeUndefined();
});

test('a service takes its command from an extension', () => {
  const text = `x-base: &base
  image: alpine:3.22
  command: sh -c "apk add a=1"
services:
  one:
    <<: *base
  two:
    image: alpine:3.23
    command: &again [sh, -c, apk add b=2]
  three:
    <<: *base
    command: *again
`;
  const found = pinsIn('compose.yaml', text).map((pin) => `${pin.text} ${String(pin.context['images'])}`);
  expect(found).toEqual(['b=2 image: alpine:3.23', 'b=2 image: alpine:3.22', 'a=1 image: alpine:3.22']);
});

test('the entrypoint of a service runs its command; a build may come by an anchor', () => {
  const text = `x-build: &build
  dockerfile_inline: |
    FROM alpine:3.22
    RUN apk add b=1
services:
  one:
    image: alpine:3.23
    entrypoint: [/bin/sh, -c]
    command: ["apk add a=1 && exec a"]
  two:
    build: *build
  three:
    build:
      <<: *build
`;
  expect(placed('compose.yaml', text)).toEqual(['9:24 a=1', '4:17 b=1']);
});

test('stages of a Dockerfile in a compose file that install one variable are different pins', () => {
  const text = `services:
  one:
    build:
      dockerfile_inline: |
        ARG TOOLS=a=1
        FROM alpine:3.22 AS first
        ARG TOOLS
        RUN apk add $TOOLS
        FROM cgr.dev/chainguard/wolfi-base
        ARG TOOLS
        RUN apk add $TOOLS
`;
  const found = pinsIn('compose.yaml', text).map((pin) => `${pin.text} ${String(pin.context['from'])}`);
  expect(found).toEqual(['a=1 FROM alpine:3.22 AS first', 'a=1 FROM cgr.dev/chainguard/wolfi-base']);
});

test('the steps of a job are scripts', () => {
  const text = 'job:\n  run: &steps\n    - { name: a, script: apk add a=1 }\n    - script: *steps\n';
  expect(placed('.gitlab-ci.yml', text)).toEqual(['3:34 a=1']);
});

test('what one line of a script sets is known in the next', () => {
  const text =
    'job:\n  before_script: [V=1-r0, "W=2"]\n  script: ["apk add a=$V b=$W", "W=3"]\n  after_script: [apk add c=$V]\n';
  expect(placed('.gitlab-ci.yml', text)).toEqual(['3:21 a=1-r0']);
});

test('the name of an image may come by an anchor; an image without a name is not that of another job', () => {
  const text = `.base: &base
  name: alpine:3.22
one:
  image:
    <<: *base
    entrypoint: [""]
  script: apk add a=1
two:
  image: { entrypoint: [""] }
  script: apk add b=2
three:
  image: !reference [.base, image]
  script: apk add c=3
four:
  image: alpine:3.23
  script: apk add d=4
`;
  const found = pinsIn('.gitlab-ci.yml', text).map((pin) => `${pin.text} ${String(pin.context['images'])}`);
  expect(found).toEqual(['a=1 image: alpine:3.22', 'b=2 image: ', 'c=3 image: ', 'd=4 image: alpine:3.23']);
});

test('lines that jobs share by an anchor have the variables of each job', () => {
  const text = `image: alpine:3.22
one:
  variables: { V: 1-r0 }
  script: &lines ['apk add a=$V', 'apk add b=1']
two:
  variables: { V: 2-r0 }
  script: *lines
`;
  expect(versioned('.gitlab-ci.yml', text)).toEqual(['a=1-r0', 'b=1', 'a=2-r0']);
  // As many after both were raised.
  const raised = text.replace('1-r0', '2-r0');
  expect(versioned('.gitlab-ci.yml', raised)).toEqual(['a=2-r0', 'b=1', 'a=2-r0']);
});

test('a script is in the images of the jobs that inherit it, too', () => {
  const text = `.apk: &apk
  image: alpine:3.22
  before_script: [apk add a=1]
  after_script: [apk add b=1]
.more:
  extends: [.unknown, .apk, .more]
one:
  extends: .more
  image: alpine:3.23
  after_script: [ls]
two:
  <<: *apk
  image: { name: alpine:3.24 }
  before_script: [ls]
`;
  expect(pinsIn('.gitlab-ci.yml', text).map((pin) => [pin.text, pin.context['images']])).toEqual([
    ['a=1', 'image: alpine:3.22\nimage: alpine:3.23'],
    ['b=1', 'image: alpine:3.22\nimage: alpine:3.24'],
  ]);
});

test('lines of default and of the top level are in the images of the jobs that keep them', () => {
  const jobs = `
one: { image: alpine:3.23, script: [make] }
two: { image: alpine:3.24, before_script: [ls], script: [make] }
`;
  const lines = '{ image: alpine:3.22, before_script: [apk add a=1] }';
  for (const text of [`default: ${lines}${jobs}`, `image: alpine:3.22\nbefore_script: [apk add a=1]${jobs}`])
    expect(pinsIn('.gitlab-ci.yml', text).map((pin) => pin.context['images'])).toEqual([
      'image: alpine:3.22\nimage: alpine:3.23',
    ]);
});

test('the image of a job is that of the last one it extends', () => {
  const text = `.lines: { image: alpine:3.22, script: [apk add a=1] }
.image: { image: alpine:3.23 }
.again: { extends: [.image, .again] }
job: { extends: [.lines, .again, .unknown] }
`;
  expect(pinsIn('.gitlab-ci.yml', text).map((pin) => pin.context['images'])).toEqual([
    'image: alpine:3.22\nimage: alpine:3.23',
  ]);
});

test('lines that a job takes by a reference are in its image, too', () => {
  const text = `image: alpine:3.24
.lines: { image: alpine:3.22, script: [apk add a=1] }
one: { image: alpine:3.23, before_script: [!reference [.lines, script]] }
two: { script: [[!reference [.lines, script]], make] }
three: { extends: .unknown, script: !reference [.lines, script] }
`;
  expect(pinsIn('.gitlab-ci.yml', text).map((pin) => pin.context['images'])).toEqual([
    'image: alpine:3.22\nimage: alpine:3.23\nimage: alpine:3.24',
  ]);
});

test('a job without an image is in none of another job; the lines of a template are in those of its jobs', () => {
  const text = `include: defaults.yml
lint: { script: [apk add a=1] }
build: { image: alpine:3.22, script: [apk add b=1] }
.lines: { script: [apk add c=1] }
use: { extends: .lines, image: alpine:3.23 }
other: { extends: .unknown, before_script: [apk add d=1] }
`;
  expect(pinsIn('.gitlab-ci.yml', text).map((pin) => [pin.text, pin.context['images']])).toEqual([
    ['a=1', ''],
    ['b=1', 'image: alpine:3.22'],
    ['c=1', 'image: alpine:3.23'],
    ['d=1', 'image: alpine:3.22\nimage: alpine:3.23'],
  ]);
});

test('the own lines of a job are in the image of what it extends, or in that of default', () => {
  const text = `default: { image: alpine:3.22 }
.rules: { rules: [when: always] }
.next: &next { extends: [.rules, .image] }
.image: { image: alpine:3.23 }
one: { extends: .rules, script: apk add a=1 }
two: { extends: .next, script: apk add b=1 }
three: { <<: *next, script: apk add c=1 }
four: { extends: [.image, .unknown], script: apk add d=1 }
five: { extends: .unknown, image: alpine:3.24, script: apk add e=1 }
`;
  expect(pinsIn('.gitlab-ci.yml', text).map((pin) => [pin.text, pin.context['images']])).toEqual([
    ['a=1', 'image: alpine:3.22'],
    ['b=1', 'image: alpine:3.23'],
    ['c=1', 'image: alpine:3.23'],
    ['d=1', 'image: alpine:3.22\nimage: alpine:3.23\nimage: alpine:3.24'],
    ['e=1', 'image: alpine:3.24'],
  ]);
});

test('a here-document of a shell in another container or on another host runs there', () => {
  const text = `image: alpine:3.22
job:
  script:
    - |
      ssh host <<EOF
      apk add a=1
      EOF
      cat <<EOF | docker exec -i box sh -s
      sh <<END
      apk add b=1
      END
      EOF
      sh <<EOF
      apk add c=1
      EOF
`;
  expect(pinsIn('.gitlab-ci.yml', text).map((pin) => [pin.text, pin.context['elsewhere']])).toEqual([
    ['a=1', 'yes'],
    ['b=1', 'yes'],
    ['c=1', undefined],
  ]);
});
