/** Renovate's behaviour if the service starts, restarts, has lost its upstream or requires a token. */
import { describe, expect, test } from 'vitest';
import { misbehave, published, startBeacon, until } from './support/beacon.ts';
import { allowInternal, extending } from './support/preset.ts';
import { startRecorder } from './support/recorder.ts';
import { lookUp, type Report } from './support/run.ts';

const wolfi = [published('curl=8.19.0-r0'), published('curl=8.20.0-r1')];
const files = {
  'image.yaml': 'contents:\n  repositories: [https://packages.wolfi.dev/os]\n  packages: [curl=8.19.0-r0]\n',
};

function proposals(report: Report): unknown {
  return report.dependencies
    .get('image.yaml')
    ?.map(({ updates, warnings }) => [...updates.map(({ newValue }) => newValue), ...(warnings ?? [])]);
}

async function ask(url: string, more: object = {}): Promise<Report> {
  return lookUp({
    files: { ...files, 'renovate.json': extending(url) },
    environment: { ...allowInternal(url), ...more },
  });
}

describe('the service', () => {
  test('holds a lookup until the first index is there ("before the first load", §2.3)', async () => {
    await using beacon = await startBeacon({
      datasources: { wolfi },
      before: (upstreams) =>
        misbehave(upstreams['wolfi'], (_request, response) => response.writeHead(503).end()),
    });
    await using recorder = await startRecorder(beacon.url);
    const report = ask(recorder.url);
    await recorder.asked(/^\/-\/for\/curl\?/);
    misbehave(beacon.upstreams['wolfi'], undefined);
    beacon.process.child.kill('SIGHUP');
    expect(proposals(await report)).toEqual([['8.20.0-r1']]);
    expect(recorder.statuses(/^\/-\/for\/curl/)).toEqual([200]);
  });

  test('answers 429 with Retry-After when it takes longer ("any 4xx + Retry-After is retried", §2)', async () => {
    await using beacon = await startBeacon({
      datasources: { wolfi },
      config: { hold: '10ms' },
      before: (upstreams) =>
        misbehave(upstreams['wolfi'], (_request, response) => response.writeHead(503).end()),
    });
    await using recorder = await startRecorder(beacon.url);
    const report = ask(recorder.url);
    await until(() => Promise.resolve(recorder.statuses(/^\/-\/for\/curl/).length > 0));
    misbehave(beacon.upstreams['wolfi'], undefined);
    beacon.process.child.kill('SIGHUP');
    expect(proposals(await report)).toEqual([['8.20.0-r1']]);
    expect(recorder.statuses(/^\/-\/for\/curl/)).toEqual([429, 200]);
  });

  test('answers after a restart though upstream is dead ("persist the last good index", §2.3)', async () => {
    await using beacon = await startBeacon({ datasources: { wolfi } });
    await until(async () => (await fetch(`${beacon.url}/readyz`)).ok);
    misbehave(beacon.upstreams['wolfi'], (_request, response) => response.destroy());
    await using again = await beacon.restart();
    expect(proposals(await ask(again.url))).toEqual([['8.20.0-r1']]);
  });

  test('asks for a bearer token, which hostRules give ("hostRules {matchHost, token}", §2)', async () => {
    await using beacon = await startBeacon({
      datasources: { wolfi },
      config: { clientToken: { env: 'TOKEN' } },
      environment: { TOKEN: 'let-me-in' },
    });
    const rules = (token: string) => ({
      RENOVATE_HOST_RULES: JSON.stringify([{ matchHost: `${beacon.url}/`, allowInternal: true, token }]),
    });
    expect(proposals(await ask(beacon.url, rules('let-me-in')))).toEqual([['8.20.0-r1']]);
    const refused = await ask(beacon.url, rules('wrong'));
    expect([...refused.dependencies.keys()]).toEqual([]);
    expect(refused.log.some(({ msg }) => msg === 'Repository has invalid config')).toBe(true);
  });

  test('on an internal address needs the beginning of its address in hostRules (§2.4)', async () => {
    await using beacon = await startBeacon({ datasources: { wolfi } });
    const report = await ask(beacon.url, {
      RENOVATE_HOST_RULES: JSON.stringify([{ matchHost: '127.0.0.1', allowInternal: true }]),
    });
    expect(report.log.some(({ msg }) => msg === 'Preset host is blocked by this Renovate instance')).toBe(
      true,
    );
  });
});
