/** Prints `renovate.example.json`: the preset for Wolfi and Alpine, with the rules for people. */
import { peopleRules } from '../src/renovate/people.ts';
import { renovatePreset } from '../src/renovate/preset.ts';

const sources = [
  { name: 'wolfi', repositories: ['https://packages.wolfi.dev/os'] },
  {
    name: 'alpine',
    repositories: [
      'https://dl-cdn.alpinelinux.org/alpine/edge/main',
      'https://dl-cdn.alpinelinux.org/alpine/edge/community',
    ],
  },
];

export function exampleConfig(): object {
  const preset = renovatePreset({ url: 'http://apk-beacon:3000', sources });
  return { ...preset, packageRules: [...preset.packageRules, ...peopleRules(sources)] };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(exampleConfig(), null, 2)}\n`);
