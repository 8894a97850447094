/** Prints `renovate.example.json`: the preset for Wolfi and Alpine, with the optional rules. */
import { policyRules } from '../src/renovate/policy-rules.ts';
import { renovatePreset } from '../src/renovate/preset.ts';

const names = ['wolfi', 'alpine'];

export function exampleConfig(): object {
  const preset = renovatePreset({ url: 'http://apk-beacon:3000', names, isPart: false });
  return { ...preset, packageRules: [...preset.packageRules, ...policyRules(names)] };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(exampleConfig(), null, 2)}\n`);
