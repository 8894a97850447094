/** Pins for OpenWrt's image builder, found by the preset's expressions. */
import { expect, test } from 'vitest';
import { groupsFound, levelsOf } from '../support/preset-levels.ts';

const [dockerfile = [], script = []] = levelsOf('image builder');

function pins(levels: readonly string[], text: string): string[] {
  return groupsFound(levels, text).map(({ depName, currentValue }) => `${depName} ${currentValue}`);
}

const base = '25.292.66247~75e41cb';

test.each<[string, string, string[]]>([
  ['a command', `make image PROFILE=generic PACKAGES="luci-base=${base} -dnsmasq dnsmasq-full=2.91-r2 htop"\n`, [`luci-base ${base}`, 'dnsmasq-full 2.91-r2']],
  ['several lines', `#!/bin/sh\nmake image PACKAGES="\\\n  luci-base=${base} \\\n  -dnsmasq \\\n  kmod-usb~6.12"\n`, [`luci-base ${base}`, 'kmod-usb ~6.12']],
  ['a variable', `PACKAGES='curl=8.16.0-r1'\nmake image PACKAGES="$PACKAGES"\n`, ['curl 8.16.0-r1']],
  ['a variable of a CI file', `variables:\n  PACKAGES: "curl=8.16.0-r1 tcpdump"\n`, ['curl 8.16.0-r1']],
  ['a comment', `#\n# PACKAGES="curl=8.16.0-r1"\nmake image PACKAGES="curl"\n`, []],
  ['no version', 'make image PACKAGES="curl htop"\n', []],
  ['a template', 'make image PACKAGES="$EXTRA=1 ${NAME}=2"\n', []],
])('in a script: %s', (_, text, expected) => {
  expect(pins(script, text)).toEqual(expected);
}); // prettier-ignore

test('in a Dockerfile, with the stage it is in', () => {
  const text = `FROM openwrt/imagebuilder:x86-64-v25.12.1 AS build
RUN make image PROFILE=generic \\
      PACKAGES="luci-base=${base} -dnsmasq curl=8.16.0-r1"
FROM scratch
COPY --from=build /builder/bin /
`;
  expect(pins(dockerfile, text)).toEqual([`luci-base ${base}`, 'curl 8.16.0-r1']);
});
