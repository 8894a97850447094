/** What receivers are told, whatever database keeps what is not told yet. */
import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startUpstream as startServer } from '../support/upstream.ts';
import { startUpstream, type Upstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex, type Stanza } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

export const { signal } = new AbortController();
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 6, 24, 6);
/** Later than any next try. */
export const SOON = 6 * MINUTE;

/** All of one time, unless `later` (in seconds): an index without the newest package looks older. */
export const built = (name: string, version: string, later = 0): Stanza =>
  pkg(name, version, { t: String(START / 1000 - 1_000_000 + later) });
const old = built('curl', '8.0-r0');
const next = built('curl', '8.1-r0');
const third = built('curl', '8.2-r0');

export interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly id: string;
  readonly datasource: string;
  /** `name newest` each. */
  readonly changes: readonly string[];
}

interface Receiver {
  readonly url: string;
  readonly calls: readonly Call[];
  /** How it answers. */
  answer: (response: ServerResponse, body: string) => void;
}

async function startReceiver(): Promise<Receiver> {
  const calls: Call[] = [];
  const { url } = await startServer(
    (request, response) =>
      void text(request).then((body) => {
        const { id, data } = JSON.parse(body) as {
          id: string;
          data: { datasource: string; changes: { name: string; newest?: string }[] };
        };
        calls.push({
          headers: request.headers,
          body,
          id,
          datasource: data.datasource,
          changes: data.changes.map(({ name, newest = '(none)' }) => `${name} ${newest}`),
        });
        receiver.answer(response, body);
      }),
  );
  const receiver: Receiver = {
    url: `${url.href}hook?key=hidden`,
    calls,
    answer: (response) => void response.writeHead(202).end(),
  };
  return receiver;
}

export const answering =
  (status: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    void response.writeHead(status, headers).end('{"message":"no such token"}');

export class Stage {
  readonly clock = { now: START };
  readonly upstream: Upstream;
  readonly receiver: Receiver;
  readonly #config: object;
  readonly folder: string;
  #services: TestService[] = [];

  private constructor(upstream: Upstream, receiver: Receiver, config: object, folder: string) {
    this.upstream = upstream;
    this.receiver = receiver;
    this.#config = config;
    this.folder = folder;
  }

  static async set(
    store: Readonly<Record<string, string>>,
    notify: object = {},
    datasource: (url: string) => object = () => ({}),
  ): Promise<Stage> {
    const upstream = await startUpstream();
    onTestFinished(() => upstream[Symbol.asyncDispose]());
    const receiver = await startReceiver();
    const config = {
      datasources: { wolfi: { repositories: [upstream.url], ...datasource(upstream.url) } },
      notify: { renovate: { url: receiver.url, ...notify } },
      ...store,
    };
    const stage = new Stage(upstream, receiver, config, store['cacheDir'] ?? (await temporaryDirectory()));
    onTestFinished(() => stage.stop());
    await stage.publish([old]);
    await stage.start();
    return stage;
  }

  get service(): TestService {
    return this.#services[0] as TestService;
  }

  /** Starts a replica, or the service again. */
  async start(): Promise<TestService> {
    const service = await startService({
      config: { ...this.#config, timeouts: { headers: '1s' } },
      cacheDir: this.folder,
      now: () => this.clock.now,
    });
    await service.beacon.restore(signal);
    this.#services.push(service);
    await this.tell(service);
    return service;
  }

  async stop(): Promise<void> {
    for (const service of this.#services) await service[Symbol.asyncDispose]();
    this.#services = [];
  }

  get services(): readonly TestService[] {
    return this.#services;
  }

  async publish(
    stanzas: readonly Stanza[],
    archs: readonly string[] = ['x86_64', 'aarch64'],
    services: readonly TestService[] = this.#services,
  ): Promise<void> {
    for (const arch of archs)
      this.upstream.serve(arch, await signedIndex(stanzas.map((each) => ({ ...each, A: arch }))));
    for (const service of services) await service.beacon.refreshOnce(signal);
  }

  /** What the loop of a service does once. */
  async tell(service = this.service): Promise<void> {
    await service.beacon.refreshOnce(signal);
    for (const notifier of service.notifiers) await notifier.reportOnce(signal);
  }

  /** A client asks, and the service has noted it. */
  async ask(path = '/wolfi/curl?current=8.0-r0'): Promise<void> {
    const { statusCode } = await this.service.get(path);
    expect([200, 404]).toContain(statusCode);
    await this.tell();
  }

  get told(): readonly string[] {
    return this.receiver.calls.map(({ changes }) => changes.join(', '));
  }

  async status(): Promise<Record<string, unknown>> {
    const { body } = await this.service.get('/wolfi');
    const { notifications } = JSON.parse(body) as { notifications: Record<string, unknown>[] };
    return notifications[0] ?? {};
  }
}

export function notifySuite(makeStore: () => Promise<Readonly<Record<string, string>>>): void {
  const set = async (notify: object = {}, datasource?: (url: string) => object): Promise<Stage> =>
    Stage.set(await makeStore(), notify, datasource);

  describe('what a receiver is told', () => {
    test('a version of a name that was asked for, once every arch has it, and once', async () => {
      const stage = await set();
      await stage.ask();
      await stage.publish([old, next], ['x86_64']);
      await stage.tell();
      expect(stage.told).toEqual([]);
      await stage.publish([old, next], ['aarch64']);
      await stage.tell();
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0']);
      expect(stage.receiver.calls[0]).toMatchObject({ datasource: 'wolfi' });
      expect(stage.service.logs.join('\n')).toContain('reported: curl 8.1-r0');
      expect(await stage.status()).toMatchObject({
        ...{ receiver: 'renovate', datasource: 'wolfi', names: 1, pending: 0, delivered: 1, failed: 0 },
        lastDelivered: new Date(START).toISOString(),
      });
    });

    test('nothing of names that were not looked up, and nothing of an unchanged index', async () => {
      const stage = await set();
      await stage.ask();
      await stage.publish([old, built('jq', '1-r0')]);
      await stage.tell();
      expect(stage.told).toEqual([]);
    });

    test('a name that is withdrawn, and one that was missing when it was asked for', async () => {
      const stage = await set();
      await stage.ask();
      await stage.ask('/wolfi/jq?current=1-r0');
      await stage.publish([built('jq', '1-r0'), built('zlib', '1-r0')]);
      await stage.tell();
      expect(stage.told).toEqual(['curl (none), jq 1-r0']);
    });

    test('nothing of a name that no database can store', async () => {
      const stage = await set();
      await stage.ask('/wolfi/a%00b?current=1-r0');
      await stage.publish([old, built('jq', '1-r0')]);
      await stage.tell();
      expect(stage.told).toEqual([]);
    });

    test('only of configured names, if there are some', async () => {
      const stage = await set({ names: ['jq', 'zlib'] });
      await stage.ask();
      await stage.publish([old, next, built('zlib', '1-r0')]);
      await stage.tell();
      expect(stage.told).toEqual(['zlib 1-r0']);
    });

    test('what was published between the first question and the first look at it', async () => {
      const stage = await set();
      await stage.service.get('/wolfi/curl?current=8.0-r0');
      await stage.publish([old, next]);
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0']);
    });

    test('what was published while the service was down, of names that were asked for before', async () => {
      const stage = await set();
      await stage.ask();
      await stage.stop();
      await stage.publish([old, next]);
      await stage.start();
      expect(stage.told).toEqual(['curl 8.1-r0']);
    });

    test('nothing while an index is missing that was there before, and the status says which', async () => {
      const other = await startUpstream();
      onTestFinished(() => other[Symbol.asyncDispose]());
      const serve = async (extra: Stanza): Promise<void> => {
        for (const arch of ['x86_64', 'aarch64'])
          other.serve(arch, await signedIndex([{ ...extra, A: arch }]));
      };
      await serve(built('extra', '1-r0'));
      const stage = await set({}, (url) => ({
        repositories: [url, { url: other.url, required: false }],
      }));
      await stage.ask('/wolfi/extra?current=1-r0');
      await stage.stop();
      await rm(join(stage.folder, 'indexes'), { recursive: true });
      for (const arch of ['x86_64', 'aarch64'])
        other.misbehave(arch, (_request, response) => void response.writeHead(500).end());
      await stage.start();
      expect(stage.told).toEqual([]);
      expect(await stage.status()).toMatchObject({
        error: expect.stringMatching(/^waiting for http:.*APKINDEX/) as string,
      });
      for (const arch of ['x86_64', 'aarch64']) other.misbehave(arch, undefined);
      await serve(built('extra', '2-r0'));
      await stage.tell();
      expect(stage.told).toEqual(['extra 2-r0']);
      expect(await stage.status()).not.toHaveProperty('error');
    });

    test('a name that is not looked up for 90 days is no longer watched', async () => {
      const stage = await set();
      await stage.ask();
      await stage.stop();
      stage.clock.now += 91 * DAY;
      await stage.start();
      await stage.publish([old, next]);
      await stage.tell();
      expect(stage.told).toEqual([]);
      expect(await stage.status()).toMatchObject({ names: 0 });
    });
  });

  describe('through a view', () => {
    test('the call is made when the view shows the release, not when upstream publishes it', async () => {
      const stage = await set({ datasource: 'wolfi@7d' });
      await stage.ask('/wolfi@7d/curl?current=8.0-r0');
      stage.clock.now += HOUR;
      await stage.publish([old, next]);
      await stage.tell();
      stage.clock.now += 7 * DAY - MINUTE;
      await stage.tell();
      expect(stage.told).toEqual([]);
      stage.clock.now += 2 * MINUTE;
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0']);
      expect(stage.receiver.calls[0]).toMatchObject({ datasource: 'wolfi@7d' });
    });

    test('the next look is when the next package is old enough', async () => {
      const stage = await set({ datasource: 'wolfi@7d' });
      await stage.ask('/wolfi@7d/curl?current=8.0-r0');
      stage.clock.now += HOUR;
      await stage.publish([old, next]);
      const [notifier] = stage.service.notifiers;
      expect(await notifier?.reportOnce(signal)).toBe(START + HOUR + 7 * DAY);
    });

    test.each([
      ['wolfi', 'wolfi@7d'],
      ['wolfi@3d', 'wolfi'],
      ['wolfi@3d', 'wolfi@7d'],
    ])('for %s, a name that is first asked of %s has not changed by that', async (datasource, asked) => {
      const stage = await set({ datasource });
      stage.clock.now += HOUR;
      await stage.publish([old, next]);
      stage.clock.now += 5 * DAY;
      await stage.ask(`/${asked}/curl?current=8.0-r0`);
      expect(stage.told).toEqual([]);
      expect(await stage.status()).toMatchObject({ names: 1 });
    });

    test('a release that became old enough between the first lookup and the first comparison is reported', async () => {
      const stage = await set({ datasource: 'wolfi@7d' });
      stage.clock.now += HOUR;
      await stage.publish([old, next]);
      stage.clock.now += 7 * DAY - SECOND;
      await stage.service.get('/wolfi@7d/curl?current=8.0-r0');
      stage.clock.now += SECOND;
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0']);
    });

    test('nothing vanishes while the ledger cannot date, as after a start before the clock is set', async () => {
      const stage = await set({ datasource: 'wolfi@7d' });
      await stage.ask('/wolfi@7d/curl?current=8.0-r0');
      await stage.stop();
      stage.clock.now = 0;
      await stage.start();
      expect(await stage.status()).toMatchObject({ pending: 0 });
      stage.clock.now = START + HOUR;
      await stage.tell();
      await stage.publish([old, next]);
      stage.clock.now += 7 * DAY;
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0']);
    });

    test('a release that is withdrawn before it is old enough is not reported', async () => {
      const stage = await set({ datasource: 'wolfi@7d' });
      await stage.ask('/wolfi@7d/curl?current=8.0-r0');
      stage.clock.now += HOUR;
      await stage.publish([old, next]);
      await stage.tell();
      stage.clock.now += DAY;
      await stage.publish([old]);
      stage.clock.now += 7 * DAY;
      await stage.tell();
      expect(stage.told).toEqual([]);
    });
  });

  describe('a receiver that', () => {
    /** A stage on which one change is to be told. */
    const changed = async (answer: Receiver['answer'], notify: object = {}): Promise<Stage> => {
      const stage = await set(notify);
      stage.receiver.answer = answer;
      await stage.ask();
      await stage.publish([old, next]);
      await stage.tell();
      return stage;
    };
    const ids = ({ receiver }: Stage): readonly string[] => receiver.calls.map(({ id }) => id);

    test.each([500, 502, 503, 408, 429])('answers %i is called again, with the same id', async (status) => {
      const stage = await changed(answering(status));
      await stage.tell();
      expect(stage.told).toHaveLength(1);
      expect(await stage.status()).toMatchObject({
        ...{ pending: 1, failed: 1, delivered: 0, oldestPending: new Date(START).toISOString() },
        error: expect.stringMatching(`^127.0.0.1:\\d+ answered ${status}$`) as string,
      });
      stage.receiver.answer = answering(200);
      stage.clock.now += SOON;
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0', 'curl 8.1-r0']);
      expect(new Set(ids(stage)).size).toBe(1);
      expect(await stage.status()).toMatchObject({ pending: 0, delivered: 1 });
      expect(await stage.status()).not.toHaveProperty('error');
      expect(stage.service.logs.join('\n')).not.toContain('hidden');
    });

    test('hangs is left and called again', async () => {
      const stage = await changed(() => undefined);
      expect(await stage.status()).toMatchObject({
        pending: 1,
        error: expect.stringContaining('no headers within 1 s') as string,
      });
      stage.receiver.answer = answering(204);
      stage.clock.now += SOON;
      await stage.tell();
      expect(await stage.status()).toMatchObject({ pending: 0, delivered: 1 });
    });

    test('is gone for an hour gets what happened meanwhile in one more call, in order', async () => {
      const stage = await changed((response) => response.destroy());
      for (let minutes = 0; minutes < 60; minutes += 1) {
        stage.clock.now += MINUTE;
        if (minutes === 10) await stage.publish([old, next, third]);
        if (minutes === 20) await stage.publish([old, next, third, built('curl', '8.3-r0')]);
        await stage.tell();
      }
      const tries = stage.told.length;
      // A call a minute at first, then every five minutes, less the jitter.
      expect(tries).toBeGreaterThan(12);
      expect(tries).toBeLessThan(30);
      expect(new Set(ids(stage)).size).toBe(1);
      expect(await stage.status()).toMatchObject({
        pending: 2,
        oldestPending: new Date(START).toISOString(),
      });
      stage.receiver.answer = answering(200);
      stage.clock.now += SOON;
      await stage.tell();
      expect(stage.told.slice(tries)).toEqual(['curl 8.1-r0', 'curl 8.3-r0']);
      expect(await stage.status()).toMatchObject({ pending: 0, delivered: 2 });
    });

    test.each([400, 401, 403, 404, 422])('answers %i is not called again for this event', async (status) => {
      const stage = await changed(answering(status));
      stage.clock.now += DAY;
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0']);
      expect(await stage.status()).toMatchObject({ pending: 0, givenUp: 1, delivered: 0 });
      expect(stage.service.logs.join('\n')).toContain(`given up after 1 call:`);
      stage.receiver.answer = answering(200);
      await stage.publish([old, next, third]);
      await stage.tell();
      expect(stage.told.at(-1)).toBe('curl 8.2-r0');
    });

    test.each([301, 302, 307, 308])('redirects by %i is not followed', async (status) => {
      const other = await startReceiver();
      const stage = await changed(answering(status, { location: other.url }));
      expect(other.calls).toEqual([]);
      expect(await stage.status()).toMatchObject({
        givenUp: 1,
        error: expect.stringContaining('a redirect, which is not followed') as string,
      });
    });

    test('asks for more time gets it, up to an hour', async () => {
      const stage = await changed(answering(503, { 'retry-after': '1800' }));
      stage.receiver.answer = answering(200);
      stage.clock.now += 29 * MINUTE;
      await stage.tell();
      expect(stage.told).toHaveLength(1);
      stage.clock.now += 2 * MINUTE;
      await stage.tell();
      expect(stage.told).toHaveLength(2);
    });

    test('failed while the clock was a year ahead is called again once it is right, in order', async () => {
      const stage = await set({ names: ['curl'] });
      stage.clock.now += 365 * DAY;
      stage.receiver.answer = answering(503, { 'retry-after': '3600' });
      await stage.publish([old, next]);
      await stage.tell();
      stage.clock.now -= 365 * DAY;
      stage.receiver.answer = answering(200);
      await stage.publish([old, next, third]);
      await stage.tell();
      expect(stage.told).toEqual(['curl 8.1-r0', 'curl 8.1-r0', 'curl 8.2-r0']);
      expect(await stage.status()).toMatchObject({ pending: 0, delivered: 2 });
    });

    test('asks for an hour gets it, of a clock that is a little behind as well', async () => {
      const stage = await changed(answering(503, { 'retry-after': '3600' }));
      stage.clock.now -= 2 * SECOND;
      await stage.tell();
      expect(stage.told).toHaveLength(1);
    });

    test('is gone for a week is given up, and that is logged and counted', async () => {
      const stage = await changed(answering(500));
      stage.clock.now += 7 * DAY + MINUTE;
      await stage.tell();
      expect(await stage.status()).toMatchObject({ pending: 0, givenUp: 1, failed: 1 });
      const { body } = await stage.service.get('/metrics');
      expect(body).toContain('apk_notify_total{receiver="renovate",result="given-up"} 1');
      expect(body).toContain('apk_notify_pending{receiver="renovate"} 0');
    });

    test('is gone for a week still gets what happened in the last days of it', async () => {
      const stage = await changed(answering(500));
      stage.clock.now += HOUR;
      await stage.publish([old, next, third]);
      await stage.tell();
      stage.clock.now += 6 * DAY;
      await stage.publish([old, next, third, built('curl', '8.3-r0')]);
      await stage.tell();
      stage.clock.now += DAY + HOUR;
      await stage.tell();
      expect(await stage.status()).toMatchObject({ pending: 1, givenUp: 1 });
      stage.receiver.answer = answering(200);
      stage.clock.now += SOON;
      await stage.tell();
      expect(stage.told.at(-1)).toBe('curl 8.3-r0');
      expect(await stage.status()).toMatchObject({ pending: 0, delivered: 1 });
    });

    test('is called with its credential and signature', async () => {
      const stage = await set({
        credentials: { header: { name: 'X-Token', value: { env: 'HOOK_TOKEN' } } },
        secret: { env: 'HOOK_SECRET' },
      });
      const environment = stage.service.config.environment as Record<string, string>;
      environment['HOOK_TOKEN'] = 'open sesame';
      await stage.ask();
      await stage.publish([old, next]);
      await stage.tell();
      // The secret is not set yet: that may be mended, so the event stays.
      expect(await stage.status()).toMatchObject({
        pending: 1,
        error: 'environment variable HOOK_SECRET is not set',
      });
      environment['HOOK_SECRET'] = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
      stage.clock.now += SOON;
      await stage.tell();
      expect(stage.receiver.calls[0]?.headers).toMatchObject({
        'x-token': 'open sesame',
        'webhook-id': stage.receiver.calls[0]?.id,
        'webhook-signature': expect.stringMatching(/^v1,.{44}$/) as string,
      });
    });
  });

  const bare = /^\S+ /;
  const decoded = (value: string): string => Buffer.from(value.replace(bare, ''), 'base64').toString();
  test.each<[string, object, (call: Call) => string]>([
    ['the path and the query', {}, () => '/hook?key=hidden'],
    ['a field of the query', {}, () => 'key=hidden'],
    [
      'the token of GitLab',
      { gitlab: { ref: 'main', token: { env: 'HIDDEN' } } },
      ({ body }) => String((JSON.parse(body) as { token: unknown }).token),
    ],
    [
      'the whole header',
      { credentials: { bearer: { env: 'HIDDEN' } } },
      ({ headers }) => String(headers.authorization),
    ],
    [
      'the token alone',
      { credentials: { bearer: { env: 'HIDDEN' } } },
      ({ headers }) => String(headers.authorization).replace(bare, ''),
    ],
    [
      'user and password',
      { credentials: { basic: { username: 'ci', password: { env: 'HIDDEN' } } } },
      ({ headers }) => decoded(String(headers.authorization)),
    ],
  ])('no secret is shown if a receiver returns %s', async (_what, notify, echo) => {
    const stage = await set(notify);
    Object.assign(stage.service.config.environment, { HIDDEN: 'hidden' });
    const echoes: string[] = [];
    stage.receiver.answer = (response) => {
      echoes.push(echo(stage.receiver.calls[0] as Call));
      response.writeHead(500).end(echoes[0]);
    };
    await stage.ask();
    await stage.publish([old, next]);
    await stage.tell();
    expect(echoes[0]).toContain('hidden');
    expect((await stage.status())['error']).toContain('answered 500');
    const said = [JSON.stringify(await stage.status()), ...stage.service.logs];
    said.push((await stage.service.get('/metrics')).body);
    expect(said.join('\n')).not.toContain('hidden');
  });

  describe('a service that is stopped', () => {
    test('with an event that failed sends it after the next start', async () => {
      const stage = await set();
      stage.receiver.answer = answering(500);
      await stage.ask();
      await stage.publish([old, next]);
      await stage.tell();
      await stage.stop();
      stage.receiver.answer = answering(200);
      stage.clock.now += SOON;
      await stage.start();
      const [first, second] = stage.receiver.calls;
      expect(second?.id).toBe(first?.id);
      expect(await stage.status()).toMatchObject({ pending: 0, delivered: 1 });
    });

    test('in the middle of a call repeats it with the same id at the next start', async () => {
      const stage = await set();
      await stage.ask();
      await stage.publish([old, next]);
      const stopping = new AbortController();
      const called = Promise.withResolvers<void>();
      stage.receiver.answer = () => called.resolve();
      const telling = stage.service.notifiers[0]?.reportOnce(stopping.signal);
      await called.promise;
      stopping.abort();
      await telling;
      await stage.stop();
      stage.receiver.answer = answering(200);
      await stage.start();
      const [first, second] = stage.receiver.calls;
      expect(second?.id).toBe(first?.id);
      expect(stage.told).toHaveLength(2);
    });

    test('or killed there repeats it, after the time that another replica would wait', async () => {
      const stage = await set();
      await stage.ask();
      await stage.publish([old, next]);
      const called = Promise.withResolvers<void>();
      stage.receiver.answer = () => called.resolve();
      // Nothing is written any more, as of a process that is gone: this call is never settled.
      const lost = stage.service.notifiers[0]?.reportOnce(signal);
      await called.promise;
      stage.receiver.answer = answering(200);
      const other = await stage.start();
      expect(stage.told).toHaveLength(1);
      stage.clock.now += 3 * MINUTE;
      await stage.tell(other);
      expect(stage.told).toHaveLength(2);
      expect(new Set(stage.receiver.calls.map(({ id }) => id)).size).toBe(1);
      await lost;
    });
  });

  test('the loop reports a refresh at once and ends when it is stopped', async () => {
    const stage = await set();
    await stage.ask();
    const [notifier] = stage.service.notifiers;
    const stopping = new AbortController();
    const answered = Promise.withResolvers<ServerResponse>();
    stage.receiver.answer = (response) => {
      response.writeHead(204).end();
      answered.resolve(response);
    };
    const loop = notifier?.keepReporting(stopping.signal);
    await stage.publish([old, next]);
    const response = await answered.promise;
    if (!response.writableFinished) await once(response, 'finish');
    stopping.abort();
    await loop;
    expect(stage.told).toEqual(['curl 8.1-r0']);
  });
}
