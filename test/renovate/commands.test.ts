/** Pins of `apk add`, found by the preset's expressions. */
import { expect, test } from 'vitest';
import { groupsFound, levelsOf } from '../support/preset-levels.ts';

const [dockerfile = []] = levelsOf('Dockerfile: apk add');

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
