/** Advisories in a service: its answers, and its behaviour with late, missing, broken or older feeds. */
import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FilePins } from '../../src/pins/pin.ts';
import { readPins } from '../../src/pins/read.ts';
import { judgeHere } from '../../src/service/check.ts';
import { fixture } from '../advisories/support.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { sharedData } from '../support/shared-data.ts';
import { startService, temporaryFolder, type TestService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';

const signal = new AbortController().signal;
let folder: string;
let upstream: Upstream;

beforeEach(async () => {
  folder = await temporaryFolder();
  upstream = await startUpstream();
  const versions = ['1.0-r0', '1.0-r1', '1.1-r0', '2.0-r0'];
  const others = Array.from({ length: 8 }, (_, i) => pkg(`other-${i}`, '1.0-r0'));
  const index = [
    ...versions.map((version) => pkg('libapp', version, { o: 'app', U: 'https://app.example/{{x}}#y' })),
    ...others,
  ];
  upstream.serve('x86_64', await signedIndex(index));
});
afterEach(async () => {
  await upstream[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type Fixes = Readonly<Record<string, readonly string[]>>;
const secdb = (secfixes: Fixes, more: object = {}): Buffer =>
  Buffer.from(JSON.stringify({ ...more, packages: [{ pkg: { name: 'app', secfixes } }] }));
const fixes: Fixes = { '1.0-r1': ['CVE-2099-0001'], '1.1-r0': ['CVE-2099-0002'], '9-r0': ['CVE-2099-0003'] };

function service(feeds: unknown, datasource: object = {}): Promise<TestService> {
  return startService({
    cacheDir: folder,
    config: {
      datasources: {
        wolfi: { archs: ['x86_64'], repositories: [upstream.url], advisories: feeds, ...datasource },
      },
    },
  });
}

const remote = () => [{ secdb: `${upstream.url}/feed/security.json` }];

/** Serves `bytes` as the feed, to be asked for conditionally. */
function serveFeed(bytes: Buffer, etag = `"${bytes.length}"`): void {
  upstream.misbehave('feed', (request, response) => {
    if (request.headers['if-none-match'] === etag) response.writeHead(304).end();
    else response.writeHead(200, { etag }).end(bytes);
  });
}

async function withFile(secfixes: Fixes): Promise<unknown> {
  await writeFile(join(folder, 'feed.json'), secdb(secfixes));
  return [{ secdb: join(folder, 'feed.json') }];
}

const marks = async (of: TestService, query = 'current=1.0-r0'): Promise<string | undefined> =>
  (await of.get(`/wolfi/libapp?${query}`)).json<{ changelogUrl?: string }>().changelogUrl;

test('check --security raises pins by the feeds of the configuration', async () => {
  await using running = await service(await withFile(fixes));
  const text = 'FROM any\nRUN apk add libapp=1.0-r0\n';
  const found = readPins('Dockerfile', text) as FilePins;
  const policy = { within: 'minor', minAge: 0, security: true } as const;
  const [[judgment] = []] = await judgeHere([{ path: 'Dockerfile', text, encoding: 'utf8', found }], {
    ...{ config: running.config, asksAll: true, policy, now: Date.now(), signal },
  });
  expect(judgment).toMatchObject({ datasource: 'wolfi', target: '1.1-r0' });
  expect(judgment?.problems.map(({ rule }) => rule)).toContain('known-vulnerabilities');
});

describe('a lookup with a pin', () => {
  test('has what each version fixes, after a link without template syntax', async () => {
    await using running = await service(await withFile(fixes));
    await running.beacon.refreshOnce(signal);
    expect(await marks(running)).toBe(
      'https://app.example/%7B%7Bx%7D%7D' +
        "{{#if (or (equals newVersion '1.0-r1'))}}#fixes=CVE-2099-0001{{/if}}" +
        "{{#if (or (equals newVersion '1.1-r0') (equals newVersion '2.0-r0'))}}#fixes=CVE-2099-0001,CVE-2099-0002{{/if}}" +
        "{{! urgent '1.1-r0' }}{{! fixes '1.0-r1' }}{{! fixes '1.1-r0' }}{{! fixes '2.0-r0' }}",
    );
  });

  test('has no marks if nothing is fixed, or without a pin', async () => {
    await using running = await service(
      await withFile({ '0': ['CVE-2099-0001'], '9-r0': ['CVE-2099-0002'] }),
    );
    await running.beacon.refreshOnce(signal);
    expect(await marks(running)).toBeUndefined();
    await using fixing = await service(await withFile(fixes));
    await fixing.beacon.refreshOnce(signal);
    expect(await marks(fixing, '')).toBeUndefined();
  });

  test('a major version is urgent only if it fixes more', async () => {
    await using running = await service(
      await withFile({ '2.0-r0': ['CVE-2099-0001'], '1.0-r1': ['CVE-2099-0002'] }),
    );
    await running.beacon.refreshOnce(signal);
    const text = await marks(running);
    expect(text?.match(/urgent '[^']*'/g)).toEqual(["urgent '1.0-r1'", "urgent '2.0-r0'"]);
  });

  test('of a line counts from the newest that fits', async () => {
    await using running = await service(await withFile(fixes));
    await running.beacon.refreshOnce(signal);
    expect(await marks(running, `current=${encodeURIComponent('~1.0')}`)).toContain(
      "#fixes=CVE-2099-0002{{/if}}{{! urgent '1.1-r0' }}",
    );
  });

  test('of a recipe counts with its revision', async () => {
    await using running = await service(await withFile(fixes));
    await running.beacon.refreshOnce(signal);
    const text = await marks(running, 'strip=revision&current=1.0&revision=0');
    expect(text).toContain(
      "{{#if (or (and (equals newValue '1.0') (equals newDigest '1')))}}#fixes=CVE-2099-0001{{/if}}",
    );
    expect(text?.match(/\{\{! .*?\}\}/g)).toEqual([
      "{{! urgent '1.1' }}",
      "{{! fixes '1.0+1' }}",
      "{{! fixes '1.0' }}",
      "{{! fixes '1.1+0' }}",
      "{{! fixes '1.1' }}",
      "{{! fixes '2.0+0' }}",
      "{{! fixes '2.0' }}",
    ]);
    expect(await marks(running, 'strip=revision&current=1.0&revision=1')).not.toContain('CVE-2099-0001');
  });

  test('nothing but the allowed characters reaches the template, whatever a feed holds', async () => {
    await using running = await service([{ secdb: 'test/fixtures/advisories/odd/hostile-ids.json' }]);
    upstream.serve('x86_64', await signedIndex([pkg('curl', '7.0-r0'), pkg('curl', '8.0.0-r0')]));
    await running.beacon.refreshOnce(signal);
    const { changelogUrl } = (await running.get('/wolfi/curl?current=7.0-r0')).json<{
      changelogUrl: string;
    }>();
    expect(changelogUrl.replace(/:\d+/, '')).toBe(
      "http://127.0.0.1/wolfi/curl{{#if (or (equals newVersion '8.0.0-r0'))}}#fixes=CVE-2020-0003{{/if}}{{! urgent '8.0.0-r0' }}{{! fixes '8.0.0-r0' }}",
    );
  });
});

describe('GET …/advisories', () => {
  const ask = async (query: string): Promise<Record<string, unknown>> => {
    await using running = await service(await withFile(fixes));
    await running.beacon.refreshOnce(signal);
    return (await running.get(`/wolfi/libapp/advisories${query}`)).json<Record<string, unknown>>();
  };

  test('lists what is open at the pin and what the target fixes', async () => {
    expect(await ask('?current=1.0-r0&target=1.0-r1')).toEqual({
      datasource: 'wolfi',
      name: 'libapp',
      archs: ['x86_64'],
      current: '1.0-r0',
      at: '1.0-r0',
      open: [
        { id: 'CVE-2099-0001', fixedIn: '1.0-r1' },
        { id: 'CVE-2099-0002', fixedIn: '1.1-r0' },
        { id: 'CVE-2099-0003', fixedIn: '9-r0' },
      ],
      openCount: 3,
      unreviewed: [],
      unreviewedCount: 0,
      target: '1.0-r1',
      fixed: [{ id: 'CVE-2099-0001', fixedIn: '1.0-r1' }],
      fixedCount: 1,
    });
  });

  test('lists without a target what each version fixes', async () => {
    const { versions } = (await ask('?current=1.0-r1')) as { versions: object[] };
    const fixed = [{ id: 'CVE-2099-0002', fixedIn: '1.1-r0' }];
    expect(versions).toEqual([
      { version: '1.1-r0', doesNotWait: true, fixed, fixedCount: 1 },
      { version: '2.0-r0', fixed, fixedCount: 1 },
    ]);
  });

  test('lists without a pin everything in the feeds', async () => {
    expect(await ask('')).toMatchObject({ advisoriesCount: 3 });
  });

  test.each([
    ['?current=latest', 400, /^current: expected/],
    ['?current=1.0-r0&target=newest', 400, /^target: expected/],
    ['?target=1.0-r0', 400, /^target: expected/],
  ])('%s is no question', async (query, status, message) => {
    await using running = await service(await withFile(fixes));
    await running.beacon.refreshOnce(signal);
    const answer = await running.get(`/wolfi/libapp/advisories${query}`);
    expect([answer.statusCode, answer.json<{ error: string }>().error]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
  });

  test('is a 404 without feeds or for an unknown name', async () => {
    await using none = await service([]);
    await none.beacon.refreshOnce(signal);
    expect((await none.get('/wolfi/libapp/advisories')).statusCode).toBe(404);
    await using running = await service(await withFile(fixes));
    await running.beacon.refreshOnce(signal);
    // Cut to Latin-1 the second one is `app`.
    for (const name of ['nothing', encodeURIComponent('\u{161}pp')])
      expect((await running.get(`/wolfi/${name}/advisories`)).statusCode).toBe(404);
  });

  test('cuts long lists and says how long they are', async () => {
    const many = Array.from({ length: 60_000 }, (_, i) => `CVE-2099-${i + 10_000}`);
    await using running = await service(await withFile({ '1.0-r1': many }));
    await running.beacon.refreshOnce(signal);
    const answer = await running.get('/wolfi/libapp/advisories?current=1.0-r0&target=1.0-r1');
    expect(answer.body.length).toBeLessThan(200_000);
    expect(answer.json()).toMatchObject({ openCount: 60_000, fixedCount: 60_000 });
    expect((await marks(running))?.length).toBeLessThan(1000);
  });
});

test('explain, the page, metrics and Atom list a pin that can be fixed', async () => {
  await using running = await service(await withFile(fixes));
  await running.beacon.refreshOnce(signal);
  const text = (await running.get('/wolfi/libapp/explain?current=1.0-r0', { 'user-agent': 'curl/8' })).body;
  expect(text).toContain('advisories: 3 known to be open at 1.0-r0');
  expect(text).toContain('1.1-r0 fixes CVE-2099-0001, CVE-2099-0002');
  const page = await running.get('/wolfi/libapp?current=1.0-r0', { accept: 'text/html' });
  expect(page.body).toContain('1.1-r0 fixes CVE-2099-0001, CVE-2099-0002');
  expect((await running.get('/metrics')).body).toContain('apk_pins_with_fix{datasource="wolfi"} 0');
  await marks(running);
  await marks(running, 'current=2.0-r0');
  expect((await running.get('/metrics')).body).toContain('apk_pins_with_fix{datasource="wolfi"} 1');
  const atom = await running.get('/wolfi/-/advisories.atom');
  expect(atom.headers['content-type']).toBe('application/atom+xml; charset=utf-8');
  expect(atom.body).toContain('<content type="text">1.1-r0 fixes CVE-2099-0001, CVE-2099-0002</content>');
});

test('a pin counts once, as long as any of its lookups has a fix', async () => {
  await using running = await service(await withFile({ '1.0-r1': ['CVE-2099-0001'] }));
  await running.beacon.refreshOnce(signal);
  const count = async () => /^apk_pins_with_fix\{.*$/m.exec((await running.get('/metrics')).body)?.[0];
  await marks(running, 'strip=revision&current=1.0&revision=0');
  await marks(running, 'strip=revision&current=1.0&revision=1');
  expect(await count()).toBe('apk_pins_with_fix{datasource="wolfi"} 1');
  await marks(running, 'strip=revision&current=1.0&revision=0&arch=x86_64');
  expect(await count()).toBe('apk_pins_with_fix{datasource="wolfi"} 1');
});

describe('a feed', () => {
  type Problem = { feed?: string; state: string; errorCode?: string };
  const state = async (
    of: TestService,
  ): Promise<{ status: number; code: string | undefined; ids: number }> => {
    await of.beacon.refreshOnce(signal);
    const { datasources } = (await of.get('/readyz')).json<{
      datasources: { wolfi: { problems: Problem[] } };
    }>();
    const { statusCode } = await of.get('/wolfi/libapp?current=1.0-r0');
    const ids = (await marks(of))?.match(/CVE-2099-000\d/g) ?? [];
    return { status: statusCode, code: datasources.wolfi.problems[0]?.errorCode, ids: new Set(ids).size };
  };

  test('that is not there yet keeps answers back: none without its marks', async () => {
    upstream.misbehave('feed', (_, response) => response.writeHead(503).end());
    await using running = await service(remote());
    await running.beacon.refreshOnce(signal);
    const answer = await running.get('/wolfi/libapp?current=1.0-r0');
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([429, '15']);
    expect(answer.body).toContain('/feed/security.json');
    expect((await running.get('/readyz')).statusCode).toBe(503);
    serveFeed(secdb(fixes));
    expect(await state(running)).toEqual({ status: 200, code: undefined, ids: 2 });
  });

  test.each<[what: string, bytes: Buffer | undefined, code: string]>([
    ['gone', undefined, 'fetch-failed'],
    ['empty', Buffer.alloc(0), 'feed-malformed'],
    ['without packages', Buffer.from('{"packages":[]}'), 'index-shrunk'],
    ['a page', Buffer.from('<html>'), 'feed-malformed'],
    ['cut short', secdb(fixes).subarray(0, -9), 'feed-malformed'],
    ['rolled back', secdb({ '1.0-r1': ['CVE-2099-0001'], '9-r0': ['CVE-2099-0003'] }), 'index-rollback'],
  ])('that is %s changes nothing, also after a restart', async (_, bytes, code) => {
    serveFeed(secdb(fixes));
    const before = await (async () => {
      await using first = await service(remote());
      await state(first);
      return await marks(first);
    })();
    if (bytes) serveFeed(bytes);
    else upstream.misbehave('feed', (__, response) => response.writeHead(404).end());
    await using second = await service(remote());
    await second.beacon.restore(signal);
    expect(await marks(second)).toBe(before);
    expect(await state(second)).toEqual({ status: 200, code, ids: 2 });
    expect((await second.get('/metrics')).body).toContain('apk_advisories_failing{');
    serveFeed(secdb({ ...fixes, '1.0-r1': ['CVE-2099-0001', 'CVE-2099-0004'] }));
    expect(await state(second)).toEqual({ status: 200, code: undefined, ids: 3 });
  });

  test('is asked for again only if it changed', async () => {
    serveFeed(secdb(fixes));
    await using running = await service(remote());
    await state(running);
    const { generation } = (await running.get('/wolfi')).json<{ generation: string }>();
    await state(running);
    const after = (await running.get('/wolfi')).json<{ generation: string; advisories: object[] }>();
    expect(after.generation).toBe(generation);
    expect(after.advisories).toMatchObject([
      { kind: 'secdb', state: 'current', packages: 1, identifiers: 3 },
    ]);
  });

  test('that another version of the program read answers until it is read again', async () => {
    serveFeed(secdb(fixes));
    {
      await using first = await service(remote());
      await state(first);
    }
    const kept = join(folder, 'indexes');
    const [name = ''] = (await readdir(kept)).filter((each) => each.includes('security.json'));
    const read = await readFile(join(kept, name), 'latin1');
    const other = read
      .replace(/"program":"[^"]*"/, '"program":"0.0.0"')
      .replace('CVE-2099-0001', 'CVE-2099-0009');
    await writeFile(join(kept, name), other, 'latin1');
    await using second = await service(remote());
    await second.beacon.restore(signal);
    expect(await marks(second)).toContain('CVE-2099-0009');
    await state(second);
    expect(await marks(second)).toContain('CVE-2099-0001');
  });

  test('with a record dated ahead is replaced by a later feed and not by an older one', async () => {
    const osv = (...times: readonly string[]): Buffer =>
      Buffer.from(
        JSON.stringify(
          times.map((modified, i) => ({
            ...{ id: `CVE-2099-000${i}`, modified },
            affected: [
              {
                package: { ecosystem: 'Wolfi', name: 'app' },
                ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '1.1-r0' }] }],
              },
            ],
          })),
        ),
      );
    await using running = await service([{ osv: `${upstream.url}/feed/security.json`, ecosystem: 'Wolfi' }]);
    serveFeed(osv('2024-01-02T00:00:00Z', '9999-01-01T00:00:00Z'), '"ahead"');
    expect(await state(running)).toEqual({ status: 200, code: undefined, ids: 2 });
    serveFeed(osv('2024-01-01T00:00:00Z', '9999-01-01T00:00:00Z', '2024-01-01T00:00:00Z'), '"older"');
    expect(await state(running)).toEqual({ status: 200, code: 'index-rollback', ids: 2 });
    serveFeed(osv('2024-01-02T00:00:00Z', '2024-01-03T00:00:00Z'), '"later"');
    expect(await state(running)).toEqual({ status: 200, code: undefined, ids: 2 });
  });

  test('for another repository is used, with a warning', async () => {
    serveFeed(secdb(fixes, { distroversion: 'v3.99', reponame: 'community' }));
    await using running = await service(remote());
    await state(running);
    const { advisories } = (await running.get('/wolfi')).json<{ advisories: { warning: string }[] }>();
    expect(advisories[0]?.warning).toBe('the feed says that it is for v3.99/community');
    expect(running.logs.join()).toContain('advisories are for another repository');
  });

  test('beside another one: what only one of them knows counts', async () => {
    serveFeed(secdb({ '1.0-r1': ['CVE-2099-0009'] }));
    await using running = await service([...remote(), ...((await withFile(fixes)) as object[])]);
    expect(await state(running)).toMatchObject({ status: 200, ids: 3 });
  });
});

test('a feed that comes byte by byte does not keep back other datasources', { timeout: 30_000 }, async () => {
  upstream.misbehave('slow', (_, response) => {
    const timer = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(timer));
  });
  serveFeed(secdb(fixes));
  const common = { archs: ['x86_64'], repositories: [upstream.url] };
  await using running = await startService({
    cacheDir: folder,
    config: {
      ...{ hold: '15s', timeouts: { bodyIdle: '500ms' } },
      datasources: {
        slow: { ...common, default: true, advisories: [{ secdb: `${upstream.url}/slow/security.json` }] },
        fine: { ...common, advisories: remote() },
      },
    },
  });
  const stop = new AbortController();
  const going = running.beacon.keepFresh(stop.signal);
  expect((await running.get('/fine/libapp')).statusCode).toBe(200);
  const { missingFeeds } = running.beacon.datasources[0] ?? {};
  expect(missingFeeds).toHaveLength(1);
  expect(missingFeeds?.[0]?.failure).toBeUndefined();
  stop.abort();
  await going;
});

test('feeds of Alpine, Wolfi, Chainguard and MinimOS are known; of other repositories none is', async () => {
  const known = async (...repositories: readonly string[]): Promise<unknown> => {
    await using running = await service('known', { repositories });
    return running.beacon.datasources[0]?.feeds.map(({ spec }) => [spec.location, spec.ecosystems?.join()]);
  };
  expect(await known('https://dl-cdn.alpinelinux.org/alpine/v3.22/community')).toEqual([
    ['https://secdb.alpinelinux.org/v3.22/community.json', undefined],
  ]);
  const edge = 'https://dl-cdn.alpinelinux.org/alpine/edge';
  expect(await known(`${edge}/main`, `${edge}/testing`)).toEqual([
    ['https://secdb.alpinelinux.org/edge/main.json', undefined],
  ]);
  expect(await known('https://packages.wolfi.dev/os')).toEqual([
    ['https://advisories.cgr.dev/chainguard/v3/osv/chainguard-osv.tar.gz', 'Wolfi'],
  ]);
  expect(await known('https://packages.mini.dev/os')).toEqual([
    ['https://packages.mini.dev/advisories/secdb/security.json', undefined],
  ]);
  await expect(known('https://apks.example.com/private')).rejects.toThrow(/no public feed is known/);
});

test('feeds of Wolfi are not those of a private repository at the path of a mirror, beside Wolfi', async () => {
  const datasource = (url: string) => ({ archs: ['x86_64'], repositories: [url], advisories: 'known' });
  const apks = datasource('https://apks.example.com/os');
  const started = async (datasources: object): Promise<unknown> => {
    await using running = await startService({ config: { datasources } });
    return running.beacon.datasources.map(({ feeds }) => feeds.length);
  };
  expect(await started({ apks })).toEqual([1]);
  await expect(started({ apks, wolfi: datasource('https://packages.wolfi.dev/os') })).rejects.toThrow(
    'datasource apks: advisories: no public feed is known',
  );
});

describe.skipIf(!sharedData)("with Wolfi's real index", () => {
  if (!sharedData) return;
  const data = sharedData;
  const wolfi = (advisories: object[], archs: string[]): Promise<TestService> =>
    startService({
      config: {
        datasources: {
          wolfi: {
            archs,
            keys: [`${data}wolfi-2026-07-24/keys/wolfi-replica.rsa.pub`],
            repositories: [`${data}wolfi-2026-07-24`],
            advisories,
          },
        },
      },
    });

  test('all rows of the oracle', { timeout: 120_000 }, async () => {
    await using running = await wolfi([{ secdb: `${data}security/wolfi-security.json` }], ['x86_64']);
    await running.beacon.refreshOnce(signal);
    type Row = [name: string, pin: string, target: string, fixed: string[], open: string[]];
    const { rows } = JSON.parse(readFileSync(`${data}security/oracle-dev.json`, 'utf8')) as { rows: Row[] };
    expect(rows).toHaveLength(600);
    for (const [name, pin, target, fixed, open] of rows) {
      const path = `/wolfi/${encodeURIComponent(name)}/advisories?current=${pin}&target=${target}`;
      const answer = (await running.get(path)).json<{ fixed: { id: string }[]; open: { id: string }[] }>();
      expect([path, answer.fixed.map(({ id }) => id), answer.open.map(({ id }) => id)]).toEqual([
        path,
        fixed,
        open,
      ]);
    }
  });

  test('feed v3, per package, arch and identifier', { timeout: 120_000 }, async () => {
    const archive = new URL('../fixtures/advisories/osv-v3.tar.gz', import.meta.url).pathname;
    await using running = await wolfi([{ osv: archive, ecosystem: 'Wolfi' }], ['x86_64', 'aarch64']);
    await running.beacon.refreshOnce(signal);
    type State = { fixed?: string; status?: string[]; notAffected?: true };
    const expected = JSON.parse(fixture('osv-v3-expected.json').toString()) as Record<
      string,
      Record<string, Record<string, State>>
    >;
    const wrong: unknown[] = [];
    for (const [name, archs] of Object.entries(expected)) {
      for (const [arch, ids] of Object.entries(archs)) {
        const path = `/wolfi/${encodeURIComponent(name)}/advisories?arch=${arch}`;
        const answer = (await running.get(path)).json<{
          advisories: { id: string; fixedIn?: string; status?: string[]; notAffected?: true }[];
        }>();
        for (const [id, { fixed, status, notAffected }] of Object.entries(ids)) {
          const found = answer.advisories.find((each) => each.id === id);
          const is = [found?.fixedIn, found?.status, found?.notAffected];
          if (JSON.stringify(is) !== JSON.stringify([fixed, status, notAffected])) wrong.push([path, id, is]);
        }
      }
    }
    // What its origin's records say counts as well, and is the worse of the two.
    expect(wrong).toEqual([]);
  });
});
