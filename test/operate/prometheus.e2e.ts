/** The alerts, checked by promtool: well formed, and each one fires. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { haveTools, run } from './tools.ts';

const folder = 'deploy/prometheus';
const rulesFile = 'apk-beacon.rules.yaml';
const testsFile = 'apk-beacon.rules.test.yaml';

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string }[] }[];
}

describe.skipIf(!haveTools('promtool'))('the alerts', () => {
  test('are well formed', async () => {
    expect(await run('promtool', ['check', 'rules', join(folder, rulesFile)])).toMatch(
      /SUCCESS: \d+ rules found/,
    );
  });

  test('fire when they should, and only then', async () => {
    expect(await run('promtool', ['test', 'rules', join(folder, testsFile)])).toContain('SUCCESS');
  });

  test('fail their tests when they cannot fire, each of them', async () => {
    const text = await readFile(join(folder, rulesFile), 'utf8');
    const alerts = (parse(text) as Rules).groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    expect(alerts.length).toBeGreaterThan(4);
    const broken = await temporaryDirectory();
    await cp(join(folder, testsFile), join(broken, testsFile));
    for (const alert of alerts) {
      const mute = new RegExp(`(alert: ${alert}\\n(?:\\s+#.*\\n)*\\s+expr: )(?:>-\\n\\s+)?.*`);
      const muted = text.replace(mute, '$1vector(0) > 1');
      expect(muted, alert).not.toBe(text);
      await writeFile(join(broken, rulesFile), muted);
      await expect(run('promtool', ['test', 'rules', join(broken, testsFile)]), alert).rejects.toThrow(alert);
    }
  });
});
