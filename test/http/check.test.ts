/** `POST /-/check`: bodies that are no question, a token, and many pins. */
import { request } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { checkBodies, MAX_PINS, parseCheckRequest } from '../../src/check/protocol.ts';
import type { PinToJudge } from '../../src/check/judgment.ts';
import { checkDescribed } from '../support/contract.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function running(config: object = {}): Promise<TestService & { readonly port: number }> {
  await using upstream = await startUpstream();
  upstream.serve('x86_64', await signedIndex([pkg('curl', '8.20.0-r0')]));
  const service = await startService({
    config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } }, ...config },
    environment: { TOKEN: 'secret' },
  });
  await service.beacon.refreshOnce(new AbortController().signal);
  await service.server.listen({ host: '127.0.0.1', port: 0 });
  return Object.assign(service, { port: (service.server.server.address() as AddressInfo).port });
}

async function post(port: number, body: string, headers: Record<string, string> = {}, path = '/-/check') {
  const asked = request({
    ...{ host: '127.0.0.1', port, method: 'POST', path },
    headers: { 'content-type': 'application/json', ...headers },
  });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const { statusCode = 0, headers: given } = answer;
  const answered = await text(answer);
  checkDescribed('check', { statusCode, headers: given, body: answered });
  return { status: statusCode, body: JSON.parse(answered) as Record<string, unknown> };
}

const pin = (version: string): object => ({
  ...{ text: `curl=${version}`, name: 'curl', operator: '=', version, tagIsBehind: false, tool: 'apk' },
  ...{ isRuntime: false, isLocked: false, context: 0, world: '0:0' },
});
const question = (pins: readonly object[], more: object = {}): string =>
  JSON.stringify({
    ...{ policy: { within: 'major', minAge: 0 }, built: [], pins },
    contexts: [{ kind: 'definition', repositories: 'https://packages.wolfi.dev/os' }],
    ...more,
  });

describe('POST /-/check', () => {
  test('at another address is a 405 that names the right one, whatever the body', async () => {
    await using service = await running();
    for (const body of [question([]), 'x', ' '.repeat(5000)]) {
      const { status, body: answer } = await post(service.port, body, {}, '/wolfi/-/check');
      expect([status, answer['error']]).toEqual([
        405,
        'only GET and HEAD are supported, and POST at /-/check',
      ]);
    }
  });

  test('one judgment a pin, in their order', async () => {
    await using service = await running();
    const { status, body } = await post(service.port, question([pin('8.20.0-r0'), pin('8.0-r0'), pin('x')]));
    expect(status).toBe(200);
    const judgments = body['judgments'] as { datasource: string; problems: { rule: string }[] }[];
    expect(judgments.map(({ datasource, problems }) => [datasource, problems[0]?.rule])).toEqual([
      ['wolfi', undefined],
      ['wolfi', 'withdrawn'],
      ['wolfi', 'invalid-version'],
    ]);
  });

  test.each([
    ['a body that is no JSON', '{', 400],
    ['a body that is a list', '[]', 400],
    ['a context that is a number', question([{ ...pin('1'), context: 7 }]), 400],
    ['an unknown tool', question([{ ...pin('1'), tool: 'rpm' }]), 400],
    ['more pins than allowed', question(Array.from({ length: MAX_PINS + 1 }, () => pin('1'))), 400],
    ['a body that is too long', ' '.repeat(9 * 1024 * 1024), 413],
    ['too many values', `{"contexts":[{${'"a":0,'.repeat(1_000_000)}"a":0}]}`, 413],
  ])('refuses %s', async (_, body, status) => {
    await using service = await running();
    const answer = await post(service.port, body);
    expect(answer.status).toBe(status);
    expect(answer.body).toHaveProperty('error');
  });

  test('a body is JSON and is called so, and a refusal says what was expected', async () => {
    await using service = await running();
    for (const type of ['text/plain', 'text/json', 'application/x-www-form-urlencoded'])
      expect((await post(service.port, question([]), { 'content-type': type })).status, type).toBe(415);
    const { error } = (await post(service.port, '[]')).body;
    expect(error).toBe('the body: Invalid input: expected object, received array');
  });

  test('since when a version is gone, where a ledger is kept', async () => {
    await using upstream = await startUpstream();
    await using service = await startService({
      config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } } },
      cacheDir: await temporaryDirectory(),
    });
    for (const versions of [['8.19.0-r0', '8.20.0-r0'], ['8.20.0-r0']]) {
      upstream.serve('x86_64', await signedIndex(versions.map((version) => pkg('curl', version))));
      await service.beacon.refreshOnce(new AbortController().signal);
      await service.beacon.ledger.settled();
    }
    await service.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.server.server.address() as AddressInfo;
    const { body } = await post(port, question([pin('8.19.0-r0'), pin('8.18.0-r0')]));
    const today = new Date().toISOString().slice(0, 10);
    const problems = (body['judgments'] as { problems: object[] }[]).map((each) => each.problems[0]);
    expect(problems).toEqual([
      expect.objectContaining({
        rule: 'withdrawn',
        message: `curl 8.19.0-r0 is in no index; the newest is 8.20.0-r0; withdrawn on ${today}`,
        since: today,
      }),
      expect.not.objectContaining({ since: expect.anything() as unknown }),
    ]);
  });

  test('a target has its age from the first sight, where a ledger is kept', async () => {
    await using upstream = await startUpstream();
    await using service = await startService({
      config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } } },
      cacheDir: await temporaryDirectory(),
    });
    for (const versions of [['8.19.0-r0'], ['8.19.0-r0', '8.20.0-r0']]) {
      const stanzas = versions.map((version) => pkg('curl', version, { t: '1700000000' }));
      upstream.serve('x86_64', await signedIndex(stanzas));
      await service.beacon.refreshOnce(new AbortController().signal);
      await service.beacon.ledger.settled();
    }
    await service.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.server.server.address() as AddressInfo;
    const targets = [0, 86_400_000].map(async (minAge) => {
      const { body } = await post(
        port,
        question([pin('8.19.0-r0')], { policy: { within: 'major', minAge } }),
      );
      return (body['judgments'] as { target?: string }[])[0]?.target;
    });
    expect(await Promise.all(targets)).toEqual(['8.20.0-r0', undefined]);
  });

  test('pins are judged again when the index changes', async () => {
    await using upstream = await startUpstream();
    await using service = await startService({
      config: { datasources: { wolfi: { repositories: [upstream.url], archs: ['x86_64'] } } },
    });
    await service.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.server.server.address() as AddressInfo;
    const newest: unknown[] = [];
    for (const version of ['8.20.0-r0', '8.20.0-r0', '8.21.0-r0']) {
      upstream.serve('x86_64', await signedIndex([pkg('curl', version)]));
      await service.beacon.refreshOnce(new AbortController().signal);
      const { body } = await post(port, question([pin('8.19.0-r0')]));
      newest.push((body['judgments'] as { newest: string }[])[0]?.newest);
    }
    expect(newest).toEqual(['8.20.0-r0', '8.20.0-r0', '8.21.0-r0']);
  });

  test('an index that could not be refreshed for an hour judges no pins, whatever other datasources are', async () => {
    await using upstream = await startUpstream();
    const clock = { now: Date.now() };
    await using service = await startService({
      config: {
        datasources: {
          wolfi: { default: true, repositories: [upstream.url], archs: ['x86_64'] },
          other: { repositories: [`${upstream.url}/other`], archs: ['x86_64'] },
        },
      },
      now: () => clock.now,
    });
    const index = await signedIndex([pkg('curl', '8.20.0-r0')]);
    for (const folder of ['x86_64', 'other']) upstream.serve(folder, index);
    await service.server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.server.server.address() as AddressInfo;
    const start = clock.now;
    const answered: unknown[] = [];
    for (const [failing, later] of [
      ['', 0],
      ['x86_64', 3_500_000],
      ['x86_64', 3_700_000],
      ['', 3_800_000],
      ['other', 9_000_000],
    ] as const) {
      for (const folder of ['x86_64', 'other'])
        upstream.misbehave(
          folder,
          folder === failing ? (_, response) => response.writeHead(503).end() : undefined,
        );
      clock.now = start + later;
      await service.beacon.refreshOnce(new AbortController().signal);
      const { status, body } = await post(port, question([pin('8.20.0-r0')]));
      answered.push(body['error'] ?? status);
    }
    const refusal = /^wolfi cannot be refreshed: .*x86_64.* is of 20\S+Z: .*503/;
    expect(answered).toEqual([200, 200, expect.stringMatching(refusal), 200, 200]);
  });

  test('--security without any advisories is refused', async () => {
    await using service = await running();
    const policy = { within: 'major', minAge: 0, security: true };
    const { status, body } = await post(service.port, question([pin('8.20.0-r0')], { policy }));
    expect([status, body['error']]).toEqual([400, '--security needs advisories, and no datasource has any']);
  });

  test('a strange operator is a finding, and no reason to refuse the others', async () => {
    await using service = await running();
    const odd = { ...pin('1'), text: 'curl=========1', operator: '=========' };
    const { status, body } = await post(service.port, question([odd, pin('8.20.0-r0')]));
    expect([status, (body['judgments'] as unknown[]).length]).toEqual([200, 2]);
  });

  test('as many pins as one request may ask', async () => {
    await using service = await running();
    const { body } = await post(
      service.port,
      question(Array.from({ length: MAX_PINS }, (_, i) => pin(`${i}-r0`))),
    );
    expect(body['judgments']).toHaveLength(MAX_PINS);
  });

  test('of the names that recipes build, a request has those it asks about', () => {
    const built = new Set(Array.from({ length: 30_000 }, (_, i) => `built-${i}`));
    const asked = ['built-1', 'built-29999', 'curl'].map((name) => ({
      ...(pin('1') as PinToJudge),
      ...{ name, context: { kind: 'script' } },
    }));
    const policy = { within: 'major', minAge: 0 } as const;
    const [{ body } = { body: '' }] = checkBodies(asked, { policy, built });
    expect([...parseCheckRequest(JSON.parse(body)).built]).toEqual(['built-1', 'built-29999']);
  });

  test('the pins of an image are in one request, however many its file has', () => {
    const policy = { within: 'major', minAge: 0 } as const;
    // Pins of an included file come first.
    const asked = Array.from({ length: 2.5 * MAX_PINS }, (_, i) => ({
      ...(pin(`${i}-r0`) as PinToJudge),
      ...{ context: { kind: 'script' }, world: String(i % 5) },
    }));
    const requests = checkBodies(asked, { policy, built: new Set() }).map(({ body, places }) => {
      const { pins } = parseCheckRequest(JSON.parse(body));
      expect(pins).toEqual(places.map((place) => asked[place]));
      return { count: pins.length, worlds: new Set(pins.map(({ world }) => world)) };
    });
    expect(requests.map(({ count }) => count)).toEqual([MAX_PINS, MAX_PINS, MAX_PINS / 2]);
    expect(requests.map(({ worlds }) => [...worlds])).toEqual([['0', '1'], ['2', '3'], ['4']]);
  });

  test('asks for the token', async () => {
    await using service = await running({ clientToken: { env: 'TOKEN' } });
    expect((await post(service.port, question([]))).status).toBe(401);
    expect((await post(service.port, question([]), { authorization: 'Bearer secret' })).status).toBe(200);
  });
});
