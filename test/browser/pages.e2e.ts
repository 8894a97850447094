/** The pages in a real Chromium. APK_BEACON_SCREENSHOTS=1 writes the pictures of the docs. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { hasChromium, launchChromium, violations } from './chromium.ts';

const DAY = 86_400;
const now = Math.floor(Date.now() / 1000);
const daysAgo = (days: number): string => String(now - days * DAY);

/** Names and fields as an attacker would write them; the service takes them, because apk does. */
const hostileNames = [
  '<script>document.title="owned"</script>',
  '"><img src=x onerror=alert(1)>',
  "'-alert(1)-'",
  'name\u202Etxt.exe',
  '{{constructor.constructor("alert(1)")()}}',
];

const c = '8f3a51c0d2b94e6f7a1c3e5d7b9f0a2c4e6d8b1f';
const curl = { o: 'curl', U: 'https://curl.se/', c };
const first: readonly Stanza[] = [
  pkg('curl', '8.15.0-r2', { ...curl, t: daysAgo(120) }),
  pkg('curl', '8.16.0-r0', { ...curl, t: daysAgo(64) }),
  pkg('curl', '8.16.0-r1', { ...curl, t: daysAgo(30) }),
  pkg('libcurl-openssl4', '8.16.0-r1', { ...curl, p: 'so:libcurl.so.4=4.8.0', t: daysAgo(30) }),
  pkg('curl-dev', '8.16.0-r1', { ...curl, D: 'libcurl-openssl4=8.16.0-r1', t: daysAgo(30) }),
  pkg('curl-doc', '8.16.0-r1', { ...curl, t: daysAgo(30) }),
  pkg('openssl', '3.5.4-r0', { o: 'openssl', U: 'https://www.openssl.org/', t: daysAgo(12) }),
  pkg('nginx-1.28', '1.28.0-r3', { o: 'nginx-1.28', U: 'https://nginx.org/', t: daysAgo(400) }),
  pkg('nginx-1.29', '1.29.2-r0', { o: 'nginx-1.29', p: 'nginx=1.29.2-r0', t: daysAgo(2) }),
  ...hostileNames.map((name) =>
    pkg(name, '1.0-r0', { U: 'javascript:alert(1)', o: '</main><script>alert(2)</script>', T: name }),
  ),
];
const second: readonly Stanza[] = [
  ...first,
  pkg('curl', '8.17.0-r0', { ...curl, D: 'libcurl-openssl4=8.17.0-r0', t: daysAgo(0) }),
  pkg('openssl', '3.5.5-r0', { o: 'openssl', U: 'https://www.openssl.org/', t: daysAgo(0) }),
];

let upstream: Upstream;
let service: TestService;
let browser: Browser;
let base: string;

describe.runIf(hasChromium)('in Chromium', () => {
  beforeAll(async () => {
    upstream = await startUpstream();
    service = await startService({
      config: {
        datasources: {
          wolfi: { repositories: [{ url: upstream.url, withdrawal: { age: '100d', days: [1, 31] } }] },
        },
        publicUrl: 'https://beacon.example',
      },
    });
    for (const stanzas of [first, second]) {
      for (const arch of ['x86_64', 'aarch64'])
        upstream.serve(arch, await signedIndex(stanzas.map((stanza) => ({ ...stanza, A: arch }))));
      await service.beacon.refreshOnce(new AbortController().signal);
    }
    await service.server.listen({ host: '127.0.0.1', port: 0 });
    base = `http://127.0.0.1:${(service.server.server.address() as AddressInfo).port}`;
    await fetchJson('/wolfi/curl-static?current=8.12.0-r0');
    service.surveyor.of(service.beacon.datasources[0]!);
    await service.surveyor.idle();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await service?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
  });

  const pages = [
    ['home', '/'],
    ['datasource', '/wolfi'],
    ['package', '/wolfi/curl?current=8.15.0-r2'],
    ['series', '/wolfi/nginx-1.28'],
    ['provided', '/wolfi/so:libcurl.so.4'],
    ['hostile', `/wolfi/${encodeURIComponent(hostileNames[0] ?? '')}`],
    ['search', '/wolfi/-/search?q=curl'],
    ['nothing-found', '/wolfi/-/search?q=xyzzyxyzzy'],
    ['unknown', '/wolfi/crul'],
    ['wrong', '/wolfi/curl?arch=pdp11'],
  ] as const;

  describe.each(['light', 'dark'] as const)('%s', (colorScheme) => {
    test.each(pages)('%s is accessible, wide and on a phone', async (_, path) => {
      for (const viewport of [desktop, phone]) {
        await using opened = await open(path, { colorScheme, viewport });
        expect(await violations(opened.page), `${viewport.width} px`).toEqual([]);
        expect(await opened.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
          viewport.width,
        );
        expect(opened.complaints).toEqual([]);
      }
    });
  });

  test('a browser can send the token as a password', async () => {
    await using closed = await startService({
      config: { clientToken: { env: 'TOKEN' }, datasources: { wolfi: { repositories: [upstream.url] } } },
      environment: { TOKEN: 'sesame' },
    });
    await closed.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = closed.server.server.address() as AddressInfo;
    const httpCredentials = { username: 'any', password: 'sesame' };
    await using opened = await open(`http://127.0.0.1:${port}/`, { httpCredentials });
    expect(await opened.page.title()).toContain('apk-beacon');
  });

  test('the style sheet is applied under the policy, and nothing else is loaded', async () => {
    await using opened = await open('/wolfi/curl', { colorScheme: 'dark' });
    expect(await opened.page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe(
      'rgb(20, 23, 26)',
    );
    expect(opened.requests).toEqual([`${base}/wolfi/curl`]);
  });

  test('hostile names and fields are text', async () => {
    for (const name of hostileNames) {
      for (const path of [
        `/wolfi/${encodeURIComponent(name)}`,
        `/wolfi/-/search?${new URLSearchParams({ q: name })}`,
      ]) {
        await using opened = await open(path);
        expect(opened.complaints).toEqual([]);
        expect(
          await opened.page.locator('main script, main img, [onerror], a[href^="javascript"]').count(),
        ).toBe(0);
        expect(await opened.page.title()).not.toBe('owned');
        expect(await opened.page.locator('main').innerText()).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
        expect(await opened.page.locator('main').innerText()).toContain(name.replace('\u202e', '\\u{202e}'));
      }
    }
  });

  test('a hostile badge runs nothing when it is opened by itself', async () => {
    for (const name of hostileNames) {
      await using opened = await open(`/wolfi/${encodeURIComponent(name)}/badge.svg`);
      expect(opened.complaints).toEqual([]);
      expect(await opened.page.evaluate('document.documentElement.localName')).toBe('svg');
      expect(await opened.page.evaluate('document.querySelectorAll("script, img").length')).toBe(0);
    }
  });

  test('every link leads somewhere', async () => {
    const seen = new Set<string>();
    const queue = ['/', ...pages.map(([, path]) => path)];
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      if (seen.has(path)) continue;
      seen.add(path);
      const answer = await fetch(base + path, { headers: { accept: 'text/html' } });
      const isShownAsError = pages.some(
        ([name, each]) => each === path && ['unknown', 'wrong'].includes(name),
      );
      if (!isShownAsError) expect(answer.status, path).toBe(200);
      if (!(answer.headers.get('content-type') ?? '').startsWith('text/html')) continue;
      await using opened = await open(path);
      const hrefs = await opened.page
        .locator('a')
        .evaluateAll((links) => links.map((link) => (link as unknown as { href: string }).href));
      for (const href of hrefs) {
        const { origin, pathname, search, protocol } = new URL(href);
        if (origin === base) queue.push(pathname + search);
        else expect(protocol, href).toBe('https:');
      }
    }
    expect(seen.size).toBeGreaterThan(25);
  });

  test('without JavaScript: from the front page to what becomes of a pin, by keyboard alone', async () => {
    await using opened = await open('/', { javaScriptEnabled: false });
    const { page } = opened;
    // Skip link, breadcrumb, then the search.
    for (let i = 0; i < 3; i += 1) await page.keyboard.press('Tab');
    await page.keyboard.type('crul');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/wolfi/-/search?q=crul');
    await page.getByRole('main').getByRole('link', { name: 'curl', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/wolfi/curl');
    await page.getByLabel('Pinned version').focus();
    await page.keyboard.type('8.15.0-r2');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/wolfi/curl?current=8.15.0-r2');
    expect(await page.getByRole('status').innerText()).toMatch(
      /^Renovate proposes 8\.16\.0-r1 for 8\.15\.0-r2/,
    );
  });

  test('"why was this not bumped?": the reason, and how long the pin will be there', async () => {
    await using opened = await open('/curl');
    const { page } = opened;
    await page.getByLabel('Pinned version').fill('8.15.0-r2');
    await page.getByRole('button', { name: 'Check' }).click();
    await page.waitForURL('**/curl?current=8.15.0-r2');
    expect(await page.getByRole('status').innerText()).toBe(
      'Renovate proposes 8.16.0-r1 for 8.15.0-r2 (offered): 8.16.0-r1 is the newest release.',
    );
    const rows = await page.getByRole('row').allInnerTexts();
    const newest = rows.findIndex((row) => row.startsWith('8.17.0-r0'));
    expect(rows[newest]).toContain('Withheld');
    expect(rows[newest + 1]).toBe(
      'curl needs libcurl-openssl4=8.17.0-r0, which cannot be installed on x86_64\ncurl needs libcurl-openssl4=8.17.0-r0, which cannot be installed on aarch64',
    );
    expect(rows.find((row) => row.startsWith('8.15.0-r2'))).toMatch(
      /^8\.15\.0-r2 your pin\tOffered\nexpected to be withdrawn on or after \d{4}-\d\d-\d\d, by rule old-build\tx86_64, aarch64\t/,
    );
  });

  test('the skip link leads past the header', async () => {
    await using opened = await open('/wolfi/curl');
    await opened.page.keyboard.press('Tab');
    expect(await opened.page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
    await opened.page.keyboard.press('Enter');
    expect(new URL(opened.page.url()).hash).toBe('#main');
  });

  test('another site may read the JSON', async () => {
    const other = createServer((_, response) => response.setHeader('content-type', 'text/html').end('other'));
    await once(other.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void other.close());
    await using opened = await open(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    const read = `fetch(${JSON.stringify(`${base}/wolfi/curl`)}).then((answer) => answer.json())`;
    expect(await opened.page.evaluate(read)).toMatchObject({ homepage: 'https://curl.se/' });
  });

  test.runIf(process.env['APK_BEACON_SCREENSHOTS'] === '1')('screenshots for the docs', async () => {
    for (const [name, path] of pages)
      for (const colorScheme of ['light', 'dark'] as const)
        for (const [width, viewport] of [
          ['wide', desktop],
          ['phone', phone],
        ] as const) {
          await using opened = await open(path, { colorScheme, viewport });
          const isForDocs = name === 'package' && colorScheme === 'light' && width === 'wide';
          const file = isForDocs
            ? `docs/images/page-${name}.png`
            : `.cache/browser/${name}-${colorScheme}-${width}.png`;
          await opened.page.screenshot({ path: file, fullPage: true });
        }
  });
});

const desktop = { width: 1000, height: 700 };
const phone = { width: 360, height: 740 };

interface Opened extends AsyncDisposable {
  readonly page: Page;
  /** Requests to any server. */
  readonly requests: readonly string[];
  /** Violations of the policy, errors and dialogs. */
  readonly complaints: readonly string[];
}

async function open(path: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: desktop, ...options });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => {
    // Chromium logs each answer with status 400 or above as a failure.
    if (!message.text().startsWith('Failed to load resource')) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(new URL(path, base).href);
  return { page, requests, complaints, [Symbol.asyncDispose]: () => context.close() };
}

async function fetchJson(path: string): Promise<unknown> {
  return (await fetch(base + path)).json();
}
