/** Pins of `apk add`, found by the preset's expressions. */
import { expect, test } from 'vitest';
import { groupsFound, levelsOf } from '../support/preset-levels.ts';

const [dockerfile = []] = levelsOf('Dockerfile: apk add');
const [script = []] = levelsOf('Shell scripts and CI: apk add');

test.each(['-X ', '-X', '-UX ', '-U --repository=', '--repository \\\n  ', '"--repository=', '"-X" "'])(
  'the repository of a command, by %j',
  (option) => {
    const text = `FROM alpine:3.22\nRUN apk add ${option}https://apks.example.com/os${option.includes('"') ? '"' : ''} a=1\n`;
    expect(groupsFound(dockerfile, text)).toEqual([
      expect.objectContaining({ depName: 'a', options: ` add ${option}https://apks.example.com/os` }),
    ]);
  },
);

test('a command with an option after each word ends before the next one', () => {
  const text =
    'FROM alpine:3.22\nRUN apk -q add --upgrade a=1 --root=/; apk -q add b=2 -X https://apks.example.com/os\n';
  expect(groupsFound(dockerfile, text).map(({ depName, options }) => [depName, options])).toEqual([
    ['a', ''],
    ['b', ' -q add b=2 -X https://apks.example.com/os'],
  ]);
});

test('a Dockerfile that a script writes is not part of the script', () => {
  const text = [
    'apk add a=1',
    'docker build --tag one - <<EOF',
    'FROM alpine:3.24',
    'RUN apk add --no-cache \\',
    '  b=1',
    'ONBUILD RUN apk add c=1',
    'EOF',
    'RUN=1 apk add d=1',
  ].join('\n');
  expect(groupsFound(script, text).map(({ depName }) => depName)).toEqual(['a', 'd']);
});
