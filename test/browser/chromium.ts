/**
 * Debian's Chromium. `.ci/browser` installs it; with APK_BEACON_REQUIRE_TOOLS=1 its absence is a failure, otherwise the
 * tests are skipped.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium, type Browser, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
export const hasChromium = existsSync(CHROMIUM);
if (!hasChromium) {
  const fact = `${CHROMIUM} cannot be found; .ci/browser installs it`;
  if (process.env['APK_BEACON_REQUIRE_TOOLS'] === '1') throw new Error(fact);
  process.stderr.write(`skipped: ${fact}\n`);
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: flags });
}

/** Accessibility problems found by axe, one a line. */
export async function violations(page: Page): Promise<string[]> {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  const result = await page.evaluate<{
    violations: readonly { id: string; nodes: readonly { html: string }[] }[];
  }>('axe.run()');
  return result.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
}
