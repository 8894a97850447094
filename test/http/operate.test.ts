/** What those who run the service see of it: metrics, who asked for what, logs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const signal = new AbortController().signal;

async function serveIndexes(upstream: Upstream, stanzas: readonly Stanza[]): Promise<void> {
  for (const arch of ['x86_64', 'aarch64']) {
    upstream.serve(arch, await signedIndex(stanzas.map((stanza) => ({ ...stanza, A: arch }))));
  }
}

async function loaded(upstream: Upstream, stanzas: readonly Stanza[]): Promise<TestService> {
  await serveIndexes(upstream, stanzas);
  const service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url] } } },
  });
  await service.beacon.refreshOnce(signal);
  await surveyed(service);
  return service;
}

/** The survey is made once someone has asked for the metrics. */
async function surveyed(service: TestService): Promise<void> {
  await service.get('/metrics');
  await service.surveyor.idle();
}

const curl = [pkg('curl', '8.20.0-r0', { t: '1767225600' }), pkg('curl', '8.21.0-r1', { t: '1769904000' })];

/** The samples of a metric, by their labels as they are written. */
async function samples(service: TestService, metric: string): Promise<Record<string, number>> {
  const { body } = await service.get('/metrics');
  const lines = body.split('\n').filter((line) => line.startsWith(`${metric}{`));
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = '', value] = /^[a-z_]+\{(.*)\} (\S+)$/.exec(line) ?? [];
      return [labels, Number(value)] as const;
    }),
  );
}

describe('metrics', () => {
  test('have the documented names, and labels of a known set', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, [...curl, pkg('needy', '1-r0', { D: 'curl=9-r9' })]);
    for (const path of ['/wolfi/curl', '/wolfi/secret-project', '/wolfi/curl/latest', '/wolfi/curl?arch=z80'])
      await service.get(path);
    const { body } = await service.get('/metrics');
    const own = body.split('\n').filter((line) => /^(apk|http)_/.test(line));
    expect([...new Set(own.map((line) => line.replace(/[{ ].*/, '')))].toSorted()).toEqual([
      'apk_asked_names',
      'apk_datasource_ready',
      'apk_index_age_seconds',
      'apk_index_bad_stanzas',
      'apk_index_failing',
      'apk_index_fetch_duration_seconds_bucket',
      'apk_index_fetch_duration_seconds_count',
      'apk_index_fetch_duration_seconds_sum',
      'apk_index_fetch_total',
      'apk_index_generation_info',
      'apk_index_held_back',
      'apk_index_last_success_timestamp_seconds',
      'apk_index_names',
      'apk_index_packages',
      'apk_index_rejected_total',
      'apk_kept_indexes',
      'apk_kept_indexes_bytes',
      'apk_ledger_clock_behind_seconds',
      'apk_ledger_failing',
      'apk_ledger_lost',
      'apk_ledger_republished',
      'apk_lookup_total',
      'apk_names_without_release',
      'apk_versions_needing_more',
      'apk_versions_offered',
      'apk_versions_withheld',
      'http_server_request_duration_seconds_bucket',
      'http_server_request_duration_seconds_count',
      'http_server_request_duration_seconds_sum',
    ]);
    expect(body).not.toContain('curl');
    expect(body).not.toContain('secret-project');
    expect(await samples(service, 'apk_versions_withheld')).toMatchObject({
      'datasource="wolfi",reason="dependency-unmet"': 1,
      'datasource="wolfi",reason="missing-on-arch"': 0,
    });
    expect(await samples(service, 'apk_versions_offered')).toEqual({ 'datasource="wolfi"': 2 });
    expect(await samples(service, 'apk_names_without_release')).toEqual({ 'datasource="wolfi"': 1 });
  });

  test('are those of the latest generation', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, curl);
    await serveIndexes(upstream, [...curl, pkg('new', '1-r0', { t: '1769904001', D: 'so:libc.so.6' })]);
    await service.beacon.refreshOnce(signal);
    await surveyed(service);
    expect(await samples(service, 'apk_versions_offered')).toEqual({ 'datasource="wolfi"': 3 });
    expect(await samples(service, 'apk_versions_needing_more')).toEqual({ 'datasource="wolfi"': 1 });
    expect(Object.keys(await samples(service, 'apk_index_generation_info'))).toHaveLength(1);
  });

  test('are not added up where addresses differ only in what labels do not show', async () => {
    await using upstream = await startUpstream();
    const bytes = await signedIndex(curl);
    upstream.misbehave('x86_64', (_request, response) => response.end(bytes));
    const file = join(await temporaryDirectory(), 'osv.json');
    const ecosystems = ['Wolfi', 'Chainguard'];
    const affected = ecosystems.map((ecosystem) => ({
      package: { ecosystem, name: 'curl' },
      ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed: '8.21.0-r1' }] }],
    }));
    await writeFile(file, JSON.stringify([{ id: 'CVE-2026-1', modified: '2026-01-01T00:00:00Z', affected }]));
    const wolfi = {
      archs: ['x86_64'],
      repositories: ['a', 'b'].map((channel) => `${upstream.url}?channel=${channel}`),
      advisories: ecosystems.map((ecosystem) => ({ osv: file, ecosystem })),
    };
    await using service = await startService({
      config: { datasources: { wolfi } },
      now: () => 1_800_000_000_000,
    });
    await service.beacon.refreshOnce(signal);
    for (const label of ['index', 'advisories']) {
      const times = await samples(service, `apk_${label}_last_success_timestamp_seconds`);
      expect(Object.values(times)).toEqual([1_800_000_000, 1_800_000_000]);
      expect(Object.values(await samples(service, `apk_${label}_failing`))).toEqual([0, 0]);
    }
    expect(Object.keys(await samples(service, 'apk_index_failing'))).toEqual([
      `datasource="wolfi",repository="${upstream.url}/?…",arch="x86_64"`,
      `datasource="wolfi",repository="${upstream.url}/?… (2)",arch="x86_64"`,
    ]);
    const fetches = await samples(service, 'apk_index_fetch_total');
    expect(Object.values(fetches)).toEqual([1, 1]);
  });

  test('count an index as held back until a good one is accepted', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, curl);
    const held = async (): Promise<readonly number[]> =>
      Object.values(await samples(service, 'apk_index_held_back'));
    expect(await held()).toEqual([0, 0]);
    upstream.serve('aarch64', await signedIndex([]));
    await service.beacon.refreshOnce(signal);
    expect(await held()).toEqual([0, 1]);
    const rejected = Object.entries(await samples(service, 'apk_index_rejected_total'));
    expect(rejected.filter(([, count]) => count > 0)).toEqual([
      [expect.stringMatching(/arch="aarch64",reason="index-(shrunk|rollback)"$/), 1],
    ]);
    await serveIndexes(upstream, curl);
    await service.beacon.refreshOnce(signal);
    expect(await held()).toEqual([0, 0]);
  });
});

describe('/{datasource}/-/asked', () => {
  test('lists the names that were looked up, and those of them that no index has (any more)', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, [...curl, pkg('gone', '1-r0')]);
    for (const path of [
      '/wolfi/curl',
      '/curl?current=8.20.0-r0',
      '/gone',
      '/typo?current=1-r0',
      '/wolfi/curl/explain',
    ])
      await service.get(path);
    const names = async (): Promise<unknown> => {
      const answer = await service.get('/wolfi/-/asked');
      expect(answer.headers['cache-control']).toBe('no-cache');
      const { unknown, known } = answer.json<Record<string, { name: string; count: number }[]>>();
      const short = (list: { name: string; count: number }[] = []): unknown =>
        list.map(({ name, count }) => `${name} ${count}`);
      return { unknown: short(unknown), known: short(known) };
    };
    expect(await names()).toEqual({ unknown: ['typo 1'], known: ['curl 2', 'gone 1'] });
    await serveIndexes(upstream, [...curl, pkg('new', '1-r0', { t: '1769904001', D: 'so:libc.so.6' })]);
    await service.beacon.refreshOnce(signal);
    expect(await names()).toEqual({ unknown: ['gone 1', 'typo 1'], known: ['curl 2'] });
    expect(await samples(service, 'apk_asked_names')).toEqual({
      'datasource="wolfi",state="known"': 1,
      'datasource="wolfi",state="unknown"': 2,
    });
  });

  test('other paths behind /-/ are none', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, curl);
    for (const path of ['/wolfi/-/', '/wolfi/-/latest', '/wolfi/-/else', '/-/asked/more'])
      expect((await service.get(path)).statusCode, path).toBe(400);
    expect((await service.get('/wolfi/-/else')).body).toContain('latest/{name} or advisories/{name}');
    expect((await service.get('/-/asked')).json()).toMatchObject({ datasource: 'wolfi' });
  });
});

describe('logs', () => {
  const parsed = ({ logs }: TestService): Record<string, unknown>[] =>
    logs.map((line) => JSON.parse(line) as Record<string, unknown>);

  test('a refresh is one line that says what it brought; an unchanged one is none', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, [...curl, pkg('old', '1-r0', { t: '1' })]);
    const before = service.logs.length;
    await service.beacon.refreshOnce(signal);
    expect(service.logs.slice(before)).toEqual([]);
    await serveIndexes(upstream, [...curl, pkg('new', '2-r0', { t: '1769904001' })]);
    const time = performance.now.bind(performance);
    const later = vi.spyOn(performance, 'now').mockImplementation(() => time() + 900_000);
    onTestFinished(() => later.mockRestore());
    await service.beacon.refreshOnce(signal);
    const lines = parsed(service).slice(before);
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toMatchObject({
        level: 30,
        datasource: 'wolfi',
        packages: 3,
        added: 1,
        removed: 1,
        newest: ['new-2-r0'],
        generation: expect.stringMatching(/^[0-9a-f]{12}$/),
        msg: 'changed: 1 added, 1 removed, verified by test.rsa.pub',
      });
    }
  });

  test('requests are not logged at info', async () => {
    await using upstream = await startUpstream();
    await using service = await loaded(upstream, curl);
    const before = service.logs.length;
    for (const path of ['/curl', '/unknown', '/curl?arch=z80', '/wolfi/-/asked', '/readyz'])
      await service.get(path);
    expect(service.logs.slice(before)).toEqual([]);
  });
});
