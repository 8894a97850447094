/** images/derive: a Dockerfile that cannot be built here without Wolfi's apk. Its text is checked for mistakes. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const dockerfile = readFileSync('images/derive/Dockerfile', 'utf8');
const instructions = dockerfile.replace(/^\s*#.*\n/gm, '').replace(/\\\n/g, ' ');

it('runs no scripts of packages: those of openssh make host keys, which every host would share', () => {
  const installs = instructions.match(/apk add [^\n]*/g) ?? [];
  expect(installs).toHaveLength(1);
  for (const line of installs) expect(line).toMatch(/ --no-scripts /);
});

it("is built from an image of one's own, and ends with a lint that finds keys and undeclared files", () => {
  expect(instructions).toMatch(/^ARG REGISTRY\nFROM \$\{REGISTRY\}\/bootc:/m);
  expect(instructions.trim().split('\n').at(-1)).toMatch(
    /ssh_host_\*.*bootc container lint --fatal-warnings/,
  );
});

it('copies files that lie beside it', () => {
  const copied = [...instructions.matchAll(/^COPY (\S+)/gm)].map(([, file]) => file);
  expect(readdirSync('images/derive')).toEqual(expect.arrayContaining(copied));
});
