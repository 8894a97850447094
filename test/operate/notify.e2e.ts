/** What receivers are told where replicas share a database. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresStore } from '../ledger/stores.ts';
import { built, notifySuite, signal, SOON, Stage } from '../notify-delivery/suite.ts';
import { hasPostgres, startPostgres, type PostgresServer } from '../support/postgres.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

let server: PostgresServer;

beforeAll(async () => {
  if (hasPostgres) server = await startPostgres();
});
afterAll(async () => {
  if (hasPostgres) await server[Symbol.asyncDispose]();
});

const DAY = 86_400_000;
const old = built('curl', '8.0-r0');
const next = built('curl', '8.1-r0', 10);

describe.runIf(hasPostgres)('with PostgreSQL', () => {
  notifySuite(async () => (await postgresStore(server)).config);
});

describe.runIf(hasPostgres)('replicas with one database', () => {
  const replicas = async (count: number): Promise<Stage> => {
    const stage = await Stage.set((await postgresStore(server)).config);
    for (let i = 1; i < count; i += 1) await stage.start();
    await stage.ask();
    return stage;
  };

  test('that see a change at the same moment call once', async () => {
    const stage = await replicas(3);
    const versions = [old];
    for (let round = 1; round <= 10; round += 1) {
      versions.push(built('curl', `8.${round}-r0`, round));
      await stage.publish(versions);
      await Promise.all(
        stage.services.flatMap(({ notifiers }) => notifiers.map((notifier) => notifier.reportOnce(signal))),
      );
    }
    expect(stage.told).toEqual(versions.slice(1).map(({ P, V }) => `${P} ${V}`));
  });

  test('one that is behind does not report the old offer as a change', async () => {
    const stage = await replicas(2);
    const [first, second] = stage.services;
    await stage.publish([old, next], undefined, [first!]);
    for (const notifier of first?.notifiers ?? []) await notifier.reportOnce(signal);
    for (let i = 0; i < 3; i += 1) {
      stage.clock.now += SOON;
      for (const notifier of second?.notifiers ?? []) await notifier.reportOnce(signal);
    }
    await stage.tell(second);
    expect(stage.told).toEqual(['curl 8.1-r0']);
  });

  test('report changes of a view again after the clock of one was far ahead', async () => {
    const stage = await Stage.set((await postgresStore(server)).config, { datasource: 'wolfi@7d' });
    await stage.ask('/wolfi@7d/curl?current=8.0-r0');
    await stage.publish([old, next]);
    for (const days of [80, -80, 8]) {
      stage.clock.now += days * DAY;
      await stage.tell();
    }
    expect(stage.told).toEqual(['curl 8.1-r0', 'curl 8.0-r0', 'curl 8.1-r0']);
  });

  test('one whose advisories are older does not report that a fix is gone', async () => {
    const osv = join(await temporaryDirectory(), 'osv.json');
    const fixed = { ecosystem: 'Wolfi', events: [{ introduced: '0' }, { fixed: '8.1-r0' }] };
    const record = (id: string, modified: string, name: string): object => ({
      ...{ id, modified },
      affected: [{ package: { ecosystem: 'Wolfi', name }, ranges: [{ type: 'ECOSYSTEM', ...fixed }] }],
    });
    const records = [record('CVE-2099-0001', '2026-07-01T00:00:00Z', 'jq')];
    await writeFile(osv, JSON.stringify(records));
    const stage = await Stage.set(
      (await postgresStore(server)).config,
      { datasource: 'wolfi@7d+security' },
      () => ({ advisories: [{ osv, ecosystem: 'Wolfi' }] }),
    );
    const [first] = stage.services;
    const second = await stage.start();
    await stage.ask('/wolfi@7d+security/curl?current=8.0-r0');
    stage.clock.now += DAY;
    await stage.publish([old, next]);
    await writeFile(
      osv,
      JSON.stringify([...records, record('CVE-2099-0002', '2026-07-02T00:00:00Z', 'curl')]),
    );
    await stage.tell(first);
    expect(stage.told).toEqual(['curl 8.1-r0']);
    for (const notifier of second.notifiers) await notifier.reportOnce(signal);
    expect(stage.told).toEqual(['curl 8.1-r0']);
    await stage.tell(second);
    expect(stage.told).toEqual(['curl 8.1-r0']);
  });

  test('after one has stopped, the other reports names that only the first one looked up', async () => {
    const stage = await replicas(2);
    const [first, second] = stage.services;
    await first?.[Symbol.asyncDispose]();
    await stage.publish([old, next], undefined, [second!]);
    await stage.tell(second);
    expect(stage.told).toEqual(['curl 8.1-r0']);
  });
});

test.runIf(hasPostgres)('a change while the database is down is reported once it is back', async () => {
  const stage = await Stage.set((await postgresStore(server)).config);
  await stage.ask();
  await server.stop();
  try {
    await stage.publish([old, next]);
    await stage.tell();
    expect(stage.told).toEqual([]);
    expect(await stage.status()).toMatchObject({ error: expect.stringContaining('PostgreSQL') as string });
  } finally {
    await server.start();
  }
  await expect
    .poll(
      async () => {
        await stage.tell();
        return stage.told;
      },
      { timeout: 30_000, interval: 500 },
    )
    .toEqual(['curl 8.1-r0']);
});
