/** The ledger in PostgreSQL: the suites that SQLite passes, replicas that share one, and a server that goes away. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openPostgres } from '../../src/ledger-store/postgres.ts';
import { verify } from '../../src/ledger-store/transfer.ts';
import { ledgerCommandSuite } from '../ledger/command-suite.ts';
import { built, DAY, Observer, START, type Store } from '../ledger/observer.ts';
import { postgresStore } from '../ledger/stores.ts';
import { ledgerSuite } from '../ledger/suite.ts';
import { hasPostgres, startPostgres, type PostgresServer } from '../support/postgres.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Replicas do not look at the same time: by how much the clock of this process is ahead, in milliseconds. */
const clock = vi.hoisted(() => {
  const real = Date.now;
  const moved = { ahead: 0 };
  Date.now = () => real() + moved.ahead;
  return moved;
});

const { signal } = new AbortController();
let server: PostgresServer;

beforeAll(async () => {
  if (hasPostgres) server = await startPostgres();
});
afterAll(async () => {
  if (hasPostgres) await server[Symbol.asyncDispose]();
});

describe.runIf(hasPostgres)('in PostgreSQL', () => {
  ledgerSuite(() => postgresStore(server));
  ledgerCommandSuite(() => postgresStore(server));
});

test.runIf(hasPostgres)(
  'with TLS, only a server whose certificate is trusted gets the password',
  async () => {
    await using secured = await startPostgres({ tls: true });
    const { address } = await secured.schema();
    const verified = `${address}&sslmode=verify-full`;
    await expect(openPostgres(verified)).rejects.toMatchObject({
      message: 'no connection to PostgreSQL',
      cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    });
    const database = await openPostgres(`${verified}&sslrootcert=${encodeURIComponent(secured.certificate)}`);
    expect(await database.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).toEqual([
      [true],
    ]);
    await database.close();
    // Without TLS the server refuses.
    await expect(openPostgres(address)).rejects.toMatchObject({ cause: { code: '28000' } });
  },
);

describe.runIf(hasPostgres)('replicas', () => {
  const curl = pkg('curl', '8.0-r0');
  const next = [curl, pkg('jq', '1.7-r0'), pkg('zlib', '1.3-r0', { t: '1700000000' })];
  const paths = [
    ...['/wolfi/curl', '/wolfi/jq', '/wolfi/zlib', '/wolfi/jq?strip=revision', '/wolfi/jq/explain'],
    ...['/wolfi/-/changes?since=2026-01-01', '/wolfi/x86_64/APKINDEX.tar.gz', '/jq/latest'],
  ];

  /** Two services that see two generations, one of them an hour later. */
  async function answers(configOf: () => Promise<Record<string, string>>): Promise<{
    readonly bodies: readonly (readonly string[])[];
    readonly summary: object;
  }> {
    await using upstream = await startUpstream();
    const services: TestService[] = [];
    for (let i = 0; i < 2; i += 1)
      services.push(
        await startService({
          config: {
            datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } },
            ...(await configOf()),
          },
          cacheDir: await temporaryDirectory(),
        }),
      );
    for (const stanzas of [[curl], next, [rebuilt(curl), ...next.slice(1)]]) {
      upstream.serve('x86_64', await signedIndex(stanzas));
      for (const { beacon } of services) {
        await beacon.refreshOnce(signal);
        await beacon.ledger.settled();
        clock.ahead += 3_600_000;
      }
    }
    clock.ahead = 0;
    const bodies = services.map(({ get }) =>
      Promise.all(
        paths.map(async (path) => {
          const { statusCode, rawPayload } = await get(path);
          expect(statusCode, path).toBe(200);
          return `${path} ${rawPayload.toString('base64')}`;
        }),
      ),
    );
    const { ledger } = (await services[0]?.get('/wolfi'))?.json<{ ledger: object }>() ?? {};
    const result = { bodies: await Promise.all(bodies), summary: ledger ?? {} };
    for (const service of services) await service[Symbol.asyncDispose]();
    return result;
  }

  const rebuilt = ({ P = '', V = '' }: Stanza): Stanza => pkg(P, V, { T: 'rebuilt' });

  test('with one database give the same bytes', async () => {
    const { config } = await postgresStore(server);
    const { bodies, summary } = await answers(() => Promise.resolve(config));
    expect(bodies[1]).toEqual(bodies[0]);
    expect(summary).toMatchObject({ store: 'postgres', kept: true, shared: true });
  });

  test('each with its own do not, and say so', async () => {
    const { bodies, summary } = await answers(() => Promise.resolve({}));
    expect(bodies[1]).not.toEqual(bodies[0]);
    expect(summary).toMatchObject({ store: 'sqlite', kept: true, shared: false });
  });

  test('that look at the same moment agree on what is dated by whom', async () => {
    for (let round = 0; round < 10; round += 1) {
      const store = await postgresStore(server);
      const observers = await Promise.all(
        [0, 1, 2].map(async (days) => {
          const one = new Observer({ folder: await temporaryDirectory(), store });
          one.now += days * DAY;
          return one;
        }),
      );
      for (const stanzas of [
        [built('a', '1-r0', undefined)],
        [built('a', '1-r0', undefined), built('b', '1-r0', 0)],
      ]) {
        const dates = await Promise.all(observers.map((one) => one.see(stanzas, { madeAt: START })));
        expect(dates[1]).toEqual(dates[0]);
        expect(dates[2]).toEqual(dates[0]);
      }
      expect(observers.flatMap(({ logs }) => logs).filter((line) => !line.includes('the clock is'))).toEqual(
        [],
      );
      const database = await observers[0]?.ledger.database();
      expect(await database?.query('SELECT number FROM ledger_generation ORDER BY number')).toEqual([
        [1],
        [2],
      ]);
      await Promise.all(observers.map((one) => one.ledger.close()));
    }
  });
});

describe.runIf(hasPostgres)('a server that goes away', () => {
  const old = built('curl', '8.0-r0', START - 30 * DAY);
  const later = built('curl', '8.1-r0', START - 9 * DAY);
  const latest = built('curl', '8.2-r0', START - 8 * DAY);

  test('delays nothing, and gets what it missed', async () => {
    const store: Store = await postgresStore(server);
    const one = new Observer({ folder: await temporaryDirectory(), store });
    await one.see([old]);
    one.now += DAY;
    await server.stop();
    try {
      expect(await one.see([old, later])).toEqual({ 'curl-8.0-r0': -30, 'curl-8.1-r0': 1 });
      expect(one.ledger.status.error).toContain('PostgreSQL');
    } finally {
      await server.start();
    }
    one.now += DAY;
    expect(await one.see([old, later, latest])).toEqual({
      'curl-8.0-r0': -30,
      'curl-8.1-r0': 1,
      'curl-8.2-r0': 2,
    });
    expect(one.ledger.status.error).toBeUndefined();
    expect(await verify(await store.open(), one.now * 1000)).toEqual([]);
    await one.ledger.close();
  });

  test('at the start leaves everything young until it is there, though the index stays the same', async () => {
    const { config } = await postgresStore(server);
    await using upstream = await startUpstream();
    upstream.serve('x86_64', await signedIndex([pkg('curl', '8.0-r0', { t: '1700000000' })]));
    await using service = await startService({
      config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } }, ...config },
    });
    const date = async (): Promise<number> =>
      Date.parse(
        (await service.get('/wolfi/curl')).json<{ releases: { releaseTimestamp: string }[] }>().releases[0]
          ?.releaseTimestamp ?? '',
      );
    await server.stop();
    try {
      await service.beacon.refreshOnce(signal);
      expect(Date.now() - (await date())).toBeLessThan(3_600_000);
      expect((await service.get('/wolfi')).body).toContain('no connection to PostgreSQL');
    } finally {
      await server.start();
    }
    await expect
      .poll(
        async () => {
          await service.beacon.refreshOnce(signal);
          return service.beacon.ledger.status.error;
        },
        { timeout: 30_000, interval: 500 },
      )
      .toBeUndefined();
    expect(await date()).toBe(1_700_000_000_000);
    const told = [...service.logs, (await service.get('/wolfi')).body, (await service.get('/metrics')).body];
    expect(told.join('\n')).not.toContain(server.password);
  });

  test('or refuses the password, is reported without it', async () => {
    const { address } = await server.schema();
    const wrong = address.replace(server.password, 'wrong-secret');
    const one = new Observer({
      folder: await temporaryDirectory(),
      store: { ...(await postgresStore(server)), open: () => openPostgres(wrong) },
    });
    await one.see([old]);
    expect(one.ledger.status.error).toContain('password authentication failed');
    expect(one.logs.join()).not.toContain('wrong-secret');
  });
});
