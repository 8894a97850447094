/** `POST /-/check`: bodies that are no question, a token, and many pins. */
import { request } from 'node:http';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { MAX_PINS } from '../../src/check/asked.ts';
import { startUpstream } from '../support/repository-server.ts';
import { startService, type TestService } from '../support/service.ts';
import { pkg, signedIndex } from '../support/signed-index.ts';

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

async function post(port: number, body: string, headers: Record<string, string> = {}) {
  const asked = request({
    ...{ host: '127.0.0.1', port, method: 'POST', path: '/-/check' },
    headers: { 'content-type': 'application/json', ...headers },
  });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, body: JSON.parse(await text(answer)) as Record<string, unknown> };
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
    ['{', 400],
    ['[]', 400],
    [question([{ ...pin('1'), context: 7 }]), 400],
    [question([{ ...pin('1'), tool: 'rpm' }]), 400],
    [question(Array.from({ length: MAX_PINS + 1 }, () => pin('1'))), 400],
    [' '.repeat(9 * 1024 * 1024), 413],
  ])('%.40s is no question', async (body, status) => {
    await using service = await running();
    const answer = await post(service.port, body);
    expect(answer.status).toBe(status);
    expect(answer.body).toHaveProperty('error');
  });

  test('as many pins as one request may ask', async () => {
    await using service = await running();
    const { body } = await post(
      service.port,
      question(Array.from({ length: MAX_PINS }, (_, i) => pin(`${i}-r0`))),
    );
    expect(body['judgments']).toHaveLength(MAX_PINS);
  });

  test('asks for the token', async () => {
    await using service = await running({ clientToken: { env: 'TOKEN' } });
    expect((await post(service.port, question([]))).status).toBe(401);
    expect((await post(service.port, question([]), { authorization: 'Bearer secret' })).status).toBe(200);
  });
});
