/** The pages of an export in a real Chromium, served as files from a folder below the root. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start } from '../support/process.ts';
import { startUpstream } from '../support/repository-server.ts';
import { temporaryFolder } from '../support/service.ts';
import { pkg, signedIndex, testKey } from '../support/signed-index.ts';
import { hasChromium, launchChromium, violations } from './chromium.ts';

const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.css': 'text/css' };

/** Enough for two pages of packages and two of commands. */
const many = Array.from({ length: 201 }, (_, i) =>
  pkg(`py3-${1000 + i}`, '1-r0', { p: `cmd:py-${1000 + i}=1` }),
);

/** Links to follow from the front page. */
const walks = [
  ['wolfi', 'p', 'py3-1101 to py3-1200', 'py3-1000 to py3-1100', 'py3-1007'],
  ['wolfi', 'Commands (cmd:)', 'cmd:py-1101 to cmd:py-1200', 'py3-1107'],
  ['wolfi', 'c', 'curl'],
] satisfies string[][];

/** The pages of `many` differ only in the number. */
const isLikeAnother = (address: string): boolean =>
  /\/py3-1[0-9]+\.html$/.test(address) && !address.endsWith('-1000.html');

let folder: string;
let server: Server;
let browser: Browser;
let home: string;

async function exportSite(): Promise<string> {
  const key = join(folder, testKey().name);
  await writeFile(key, testKey().pem);
  await using upstream = await startUpstream();
  const old = pkg('curl', '8.16.0-r1', { o: 'curl', U: 'https://curl.se/', t: '1767225600' });
  const newer = pkg('curl', '8.17.0-r0', { o: 'curl', D: 'libcurl=8.17.0-r0', t: '1769904000' });
  for (const arch of ['x86_64', 'aarch64'])
    upstream.serve(arch, await signedIndex([old, newer, ...many].map((each) => ({ ...each, A: arch }))));
  const out = join(folder, 'public');
  const source = ['--name', 'wolfi', '--repository', upstream.url, '--key', key, '--cache-dir', 'none'];
  await using run = start(['export', '--pages', '--out', out, ...source]);
  expect(await run.ended, run.lines.join('\n')).toBe(0);
  return out;
}

describe.runIf(hasChromium)('an export in Chromium', () => {
  beforeAll(async () => {
    folder = await temporaryFolder();
    const out = await exportSite();
    server = createServer((request, response) => {
      const path = decodeURIComponent(new URL(request.url ?? '', 'http://files').pathname);
      readFile(join(out, path.replace('/acme/apk/', ''))).then(
        (bytes) => response.setHeader('content-type', types[extname(path)] ?? 'application/json').end(bytes),
        () => response.writeHead(404).end(),
      );
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    home = `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/apk/index.html`;
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test.each(['light', 'dark'] as const)(
    '%s: from the front page to why a version is withheld, accessible on a phone',
    async (colorScheme) => {
      const context = await browser.newContext({
        colorScheme,
        javaScriptEnabled: true,
        viewport: { width: 360, height: 740 },
      });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      const expectFine = async (): Promise<void> => {
        expect(await violations(page)).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
        expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe(
          colorScheme === 'dark' ? 'rgb(20, 23, 26)' : 'rgb(255, 255, 255)',
        );
      };
      for (const walk of walks) {
        await page.goto(home);
        await expectFine();
        for (const link of walk) {
          await page.getByRole('main').getByRole('link', { name: link, exact: true }).click();
          await expectFine();
        }
        await page.getByRole('heading', { level: 1, name: walk.at(-1)!, exact: true }).waitFor();
      }
      const text = await page.locator('main').innerText();
      expect(text).toContain('curl=8.16.0-r1');
      expect(text).toMatch(/8\.17\.0-r0\s+Withheld/);
      expect(text).toContain('libcurl=8.17.0-r0');
      const releases = page.getByRole('link', { name: 'Releases for Renovate' });
      const answer = await page.request.get(new URL((await releases.getAttribute('href'))!, page.url()).href);
      expect(await answer.json()).toMatchObject({ releases: [{ version: '8.16.0-r1' }] });
      expect(complaints).toEqual([]);
      await context.close();
    },
  );

  test.each(walks)('without JavaScript, by keyboard alone: %s, %s, %s', async (...walk) => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(home);
    for (const link of walk) {
      const target = page.getByRole('main').getByRole('link', { name: link, exact: true });
      const address = new URL((await target.getAttribute('href'))!, page.url()).href;
      await target.focus();
      await page.keyboard.press('Enter');
      await page.waitForURL(address);
    }
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(walk.at(-1));
    await context.close();
  });

  test('every link leads somewhere', async () => {
    const page = await browser.newPage();
    const seen = new Set([home]);
    for (const address of seen) {
      const answer = await page.request.get(address);
      expect(answer.status(), address).toBe(200);
      if (answer.headers()['content-type'] !== 'text/html' || isLikeAnother(address)) continue;
      await page.goto(address);
      const links = await page
        .locator('a')
        .evaluateAll((all) => all.map((link) => (link as unknown as { href: string }).href));
      for (const link of links.map((each) => new URL(each)))
        if (link.origin === new URL(home).origin) seen.add(link.origin + link.pathname);
        else expect(link.protocol, link.href).toBe('https:');
    }
    expect([...seen].filter((address) => address.includes('/-/page/'))).toHaveLength(1 + many.length);
    await page.close();
  });
});
