/**
 * The files of `test/fixtures/routing` and `test/fixtures/pins`, and the companion's own. `check` finds the same pins
 * as the preset and asks the same datasource, except for the files listed here with a reason.
 */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePinContext } from '../../src/routing/pin-context.ts';
import { createRouter } from '../../src/routing/route.ts';
import { readPins } from '../../src/pins/read.ts';
import { readCases, services } from '../support/routing-cases.ts';
import { read } from '../support/pins.ts';

/** Builds ignore comments for Renovate. What counts are the packages that use the variable, in their own stage. */
const byComment = ['annotated-arg-pins', 'settings-files', 'docker-bake.hcl'];
/** `check` has no limit of length, because it sends no address. */
const tooLong = ['too-long/'];

/** Files of which more or other pins are found than by regular expressions. */
const otherwise: Readonly<Record<string, readonly string[]>> = {
  // Each job is in its own image.
  'ci-images/two/.gitlab-ci.yml': ['three=1.0-r0 alpine-3.22', 'four=1.0-r0 alpine-3.24'],
  'ci-images/flow/.gitlab-ci.yml': ['six=1.0-r0 alpine-3.22', 'seven=1.0-r0 alpine-3.24'],
  // By an anchor.
  'ci-images/nameless/.gitlab-ci.yml': ['eight=1.0-r0 alpine-3.22', 'nine=1.0-r0 alpine-3.24'],
  'd10-var-renovate-comment/Dockerfile': [
    'curl=8.14.1-r2 alpine-3.22',
    'jq=1.8.1-r0 alpine-3.22',
    'git=2.49.1-r0 alpine-3.22',
  ],
  'annotated-arg-pins/Dockerfile': ['curl=8.20.0-r0 alpine-3.24', 'jq=1.8.1-r0 alpine-3.24'],
  'annotated-arg-pins/Dockerfile.arglist': ['curl=8.20.0-r0 alpine-3.24', 'jq=1.8.1-r0 alpine-3.24'],
  // An ARG in front of FROM has no value in a stage; composite versions are put together.
  'variables/Dockerfile': [
    'plain=1.1-r0 alpine-3.22',
    'spaced=1.2-r0 alpine-3.22',
    'quoted=1.3-r0 alpine-3.22',
    'composite=1.4-r3 alpine-3.22',
    'fuzzy~=1.5 alpine-3.22',
    'option=1.8-r0 alpine-edge',
    'option-behind=1.9-r0 alpine-edge',
    'late=1.9-r0 alpine-3.24',
    'again=2.1-r0 alpine-3.22',
    'tagged=1.0-r0 alpine-edge',
  ],
  // It is known where a here-document ends.
  'heredocs/Dockerfile.written': [
    'before=1.0-r0 alpine-3.22',
    'either=1.0-r0 alpine-3.22',
    'next=1.0-r0 alpine-3.22',
  ],
  // A recipe's own variables are known.
  'y06-template-var/a.yaml': [
    'y=1.0-r0',
    'z=1.0-r0',
    'openssl-dev=3.1.2-r0',
    'linux~1.0',
    'w=2.0-r0',
    't=1.0-r0',
    's=1.0-r0',
  ].map((pin) => `${pin} - the file lists no repositories`),
  // `VERSION` repeats a pin, it is none.
  'hardened-image/bare.yaml': ['bare=2.3.4-r1 alpine-3.24', 'else=2.3-r4 alpine-3.24'],
  'hardened-image/alpine.yaml': [
    'tool=1.31.4-r4 alpine-3.24',
    'helper=2.0-r1 alpine-3.24',
    'tool=1.31.4-r4 alpine-3.24',
  ],
};

for (const { name, service, files, expected } of readCases()) {
  const known = services[service];
  const route = createRouter(
    (known?.datasources ?? []).map((datasource) => {
      const own = known?.routing[datasource] as { unknown?: string } | undefined;
      return {
        ...{ name: datasource, repositories: ['http://127.0.0.1:1/mirror'], archs: [] },
        ...{ images: [], includes: [], scripts: [], ...own },
        asksUnknown: own?.unknown === 'ask',
      };
    }),
  );
  for (const [file, text] of Object.entries(files)) {
    const path = `${name}/${file}`;
    const found = readPins(path, text)?.pins ?? [];

    test.skipIf([...byComment, ...tooLong].some((each) => path.includes(each)) && !(path in otherwise))(
      `${path}: the preset's pins, of the same datasources`,
      () => {
        const shown = found
          // What is no version is left alone there, and a finding here.
          .filter(({ operator, version }) => /^[=~]+$/.test(operator) && /^\d[\w.~-]*$/.test(version))
          .map(({ name, operator, version, context }) => {
            const to = route(parsePinContext(context));
            const sign = operator.includes('~') ? operator : '=';
            return `${name}${sign}${version} ${'datasource' in to ? to.datasource : `- ${to.noOpinion}`}`;
          });
        const wanted = (otherwise[path] ?? expected[file] ?? []).map((line) =>
          // Renovate shows what is behind an `=`.
          line.replace(/^(\S+?)==?~(?=\d)/, '$1=~').replace('${REPOSITORY}', '${…}'),
        );
        expect(shown.map(comparable).sort()).toEqual(wanted.map(comparable).sort());
      },
    );

    test.runIf(found.length > 0)(`${path}: every place is exact`, () => {
      for (const { text: pin, name, version, range, versionRange } of found) {
        if (versionRange) expect(text.slice(versionRange.start, versionRange.end)).toBe(version);
        const written = text.slice(range.start, range.end);
        expect(written === pin || written.startsWith('$') || written.startsWith(name)).toBe(true);
      }
    });
  }
}

/** `~1.2`, `~=1.2` and `=~1.2` are one. */
function comparable(line: string): string {
  return line.replace(/(?<=^[^\s=~]+)[=~]*~[=~]*/, '~');
}

describe('the hostile files', () => {
  const expected = JSON.parse(readFileSync('test/fixtures/pins/expected.json', 'utf8')) as Record<
    string,
    string[]
  >;
  const files = globSync('test/fixtures/pins/**/*.{yaml,yml}').concat('test/fixtures/pins/Dockerfile');

  test.each(files)('%s: every pin, and nothing else', (path) => {
    const file = path.replace('test/fixtures/pins/', '');
    const text = readFileSync(path, 'utf8');
    const found = (read(path, text)?.pins ?? []).filter(
      ({ operator, version }) => /^[=~]+$/.test(operator) && /^\d/.test(version),
    );
    const wanted = (expected[file] ?? []).map((line) =>
      (line.split(' ')[0] ?? '').replace('=~', '~').replace('==', '='),
    );
    // Version and epoch of a recipe are raised by Renovate and installed by nobody.
    const pins = file === 'recipes/linux-lts.yaml' ? [] : wanted;
    expect(
      found
        .map(({ name, operator, version }) => comparable(`${name}${operator.replace('==', '=')}${version}`))
        .sort(),
    ).toEqual(pins.map(comparable).sort());
    for (const { version, versionRange } of found)
      if (versionRange) expect(text.slice(versionRange.start, versionRange.end)).toBe(version);
  });
});

test.each(globSync('{images,packages}/**/*.yaml').concat('Dockerfile', 'images/derive/Dockerfile'))(
  '%s of our own is read without a note but for variables',
  (path) => {
    const text = readFileSync(path, 'utf8');
    const found = readPins(path, text, (include) => ({
      path: include,
      text: readFileSync(`images/${include}`, 'utf8'),
    }));
    expect(found?.notes.filter(({ reason }) => reason !== 'unknown-variable')).toEqual(found && []);
    const plain = [...text.matchAll(/^ +- ([a-z][a-z0-9.+-]*=\d[^\s#]*)/gm)].map((match) => match[1]);
    const listed = found?.pins.map((pin) => pin.text) ?? [];
    for (const pin of plain) expect(listed).toContain(pin);
  },
);
