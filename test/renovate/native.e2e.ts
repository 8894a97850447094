/**
 * The alternative: Renovate's own `apk` datasource and its extraction from Dockerfiles, with the virtual index. Alone,
 * it "neither verifies nor intersects nor knows provides" (§0); the virtual index adds all three.
 */
import { describe, expect, test } from 'vitest';
import { misbehave, published, startBeacon } from './support/beacon.ts';
import { allowInternal } from './support/preset.ts';
import { lookUp } from './support/run.ts';

const wolfi = [
  published('curl=8.19.0-r0'),
  published('curl=8.20.0-r1', { fields: { U: 'https://curl.se/' } }),
  published('curl=8.21.0-r0', { archs: ['x86_64'] }),
  published('kubectl-1.34=1.34.9-r0', { fields: { p: 'kubectl=1.34' } }),
  published('kubectl-1.35=1.35.4-r0', { fields: { p: 'kubectl=1.35' } }),
];
const files = {
  Dockerfile: 'FROM cgr.dev/chainguard/wolfi-base\nRUN apk add --no-cache curl=8.19.0-r0 kubectl=1.34\n',
};

/** As in docs/renovate.md. */
const configuration = (url: string): string =>
  JSON.stringify({
    packageRules: [
      {
        matchManagers: ['dockerfile'],
        matchDatasources: ['apk'],
        overrideDatasource: 'apk',
        registryUrls: [`${url}/wolfi?arch=any`],
      },
    ],
  });

describe("Renovate's own apk datasource", () => {
  test('proposes from the virtual index what every arch has, provided names among it', async () => {
    await using beacon = await startBeacon({ datasources: { wolfi } });
    const report = await lookUp({
      files: { ...files, 'renovate.json': configuration(beacon.url) },
      environment: allowInternal(beacon.url),
    });
    const found = report.dependencies
      .get('Dockerfile')
      ?.filter(({ datasource }) => datasource === 'apk')
      .map(({ depName, updates, homepage }) => [depName, updates.map(({ newValue }) => newValue), homepage]);
    expect(found).toEqual([
      ['curl', ['8.20.0-r1'], 'https://curl.se/'],
      ['kubectl', ['1.35'], undefined],
    ]);
  });

  test('aborts the run while nothing is loaded ("429/5xx -> ExternalHostError", §0)', async () => {
    await using beacon = await startBeacon({
      datasources: { wolfi },
      config: { hold: '10ms' },
      before: (upstreams) =>
        misbehave(upstreams['wolfi'], (_request, response) => response.writeHead(503).end()),
    });
    const report = await lookUp({
      files: { ...files, 'renovate.json': configuration(beacon.url) },
      environment: { ...allowInternal(beacon.url), RENOVATE_HOST_RULES: abortAtOnce(beacon.url) },
    });
    expect(report.log.some(({ msg }) => msg.startsWith('Repository result: external-host-error'))).toBe(true);
  });
});

/** Without waiting for the time that the service asks for. */
function abortAtOnce(url: string): string {
  return JSON.stringify([{ matchHost: `${url}/`, allowInternal: true, maxRetryAfter: 1 }]);
}
